// SPDX-License-Identifier: Apache-2.0
//! The program: everything is in the library.

fn main() {
    virtcontainers_agent::boot::main();
}
