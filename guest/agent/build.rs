// SPDX-License-Identifier: Apache-2.0
//! Generates the protobuf messages from the files that the Java client is generated from.

use std::path::Path;

const PROTO_DIR: &str = "../../agent-client/src/main/proto";

fn main() -> std::io::Result<()> {
    let dir = Path::new(PROTO_DIR);
    let files: Vec<_> = [
        "agent.proto",
        "oci.proto",
        "types.proto",
        "health.proto",
        "guest.proto",
    ]
    .iter()
    .map(|name| dir.join(name))
    .collect();
    for file in &files {
        println!("cargo:rerun-if-changed={}", file.display());
    }
    println!("cargo:rerun-if-changed=build.rs");
    // Bytes instead of Vec<u8>: stdin data is then a slice of the received message, not a copy.
    prost_build::Config::new()
        .bytes(["."])
        .compile_protos(&files, &[dir])
}
