// SPDX-License-Identifier: Apache-2.0
//! Gives a cloned guest randomness of its own.

use crate::status::{Result, Status};
use crate::sys;
use std::fs::OpenOptions;

const MAX_SEED: usize = 64 << 10;

pub fn reseed(data: &[u8]) -> Result<()> {
    if data.is_empty() || data.len() > MAX_SEED {
        return Err(Status::invalid(format!(
            "a seed has 1 to {MAX_SEED} bytes, not {}",
            data.len()
        )));
    }
    let device = OpenOptions::new()
        .write(true)
        .open("/dev/random")
        .map_err(|error| Status::io("open /dev/random", &error))?;
    // Writing to the device alone would neither credit the bytes nor reach the generator in use.
    sys::add_entropy(&device, data).map_err(|error| Status::io("reseed the kernel", &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Code;

    #[test]
    fn seeds_without_use_are_refused() {
        assert_eq!(reseed(&[]).unwrap_err().code, Code::InvalidArgument);
        assert_eq!(
            reseed(&vec![0; MAX_SEED + 1]).unwrap_err().code,
            Code::InvalidArgument
        );
    }
}
