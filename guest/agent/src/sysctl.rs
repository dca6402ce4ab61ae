// SPDX-License-Identifier: Apache-2.0
//! Network settings of the kernel: containers have no network namespace of their own, so the agent
//! makes these in the sandbox's.

use crate::paths;
use crate::status::{Result, Status};
use std::fs;

pub fn set_network(key: &str, value: &str) -> Result<()> {
    // With slashes a dot belongs to a name, such as that of a VLAN interface.
    let path = if key.contains('/') {
        format!("/proc/sys/{key}")
    } else {
        format!("/proc/sys/{}", key.replace('.', "/"))
    };
    if !paths::is_plain(&path) {
        return Err(Status::invalid(format!("sysctl {key:?} is no plain name")));
    }
    fs::write(&path, value).map_err(|error| Status::io(format!("sysctl {key}={value}"), &error))
}

#[cfg(test)]
mod tests {
    use super::set_network;
    use crate::status::Code;

    #[test]
    fn a_key_cannot_leave_its_tree() {
        for key in ["net/../kernel/hostname", "net..kernel", "net/./x"] {
            let error = set_network(key, "x").unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument, "{key}");
        }
    }
}
