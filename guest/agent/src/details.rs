// SPDX-License-Identifier: Apache-2.0
//! What the agent and its kernel can do, for GetGuestDetails.

use crate::proto::grpc::{AgentDetails, GuestDetailsRequest, GuestDetailsResponse};
use crate::{device, storage, sys};
use std::fs;
use std::path::Path;

pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The version of the protocol, not of the agent; constant since Kata 1.0.
pub const API_VERSION: &str = "0.0.1";

const BLOCK_SIZE: &str = "/sys/devices/system/memory/block_size_bytes";
const PROBE: &str = "/sys/devices/system/memory/probe";

pub fn of_guest(request: &GuestDetailsRequest) -> GuestDetailsResponse {
    GuestDetailsResponse {
        mem_block_size_bytes: if request.mem_block_size {
            parse_hex(&fs::read_to_string(BLOCK_SIZE).unwrap_or_default())
        } else {
            0
        },
        support_mem_hotplug_probe: request.mem_hotplug_probe && Path::new(PROBE).exists(),
        agent_details: Some(AgentDetails {
            version: VERSION.into(),
            init_daemon: std::process::id() == 1,
            device_handlers: device::DRIVERS.map(String::from).to_vec(),
            storage_handlers: storage::DRIVERS.map(String::from).to_vec(),
            supports_seccomp: sys::has_seccomp(),
        }),
    }
}

/// 0, the protocol's "unknown", where the kernel has no memory hot-plug.
fn parse_hex(text: &str) -> u64 {
    u64::from_str_radix(text.trim(), 16).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_sizes_are_hexadecimal() {
        assert_eq!(parse_hex("8000000\n"), 128 << 20);
        assert_eq!(parse_hex(""), 0);
    }

    #[test]
    fn only_what_was_asked_for_is_answered() {
        let details = of_guest(&GuestDetailsRequest::default());
        assert_eq!(details.mem_block_size_bytes, 0);
        assert!(!details.support_mem_hotplug_probe);
        assert_eq!(details.agent_details.unwrap().version, VERSION);
    }
}
