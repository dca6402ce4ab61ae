// SPDX-License-Identifier: Apache-2.0
//! The DNS configuration of the sandbox, for containers that bring none of their own.

use nix::sys::statvfs::{statvfs, FsFlags};
use serde_json::{json, Value};
use std::fs;
use std::path::Path;

pub const FILE: &str = "resolv.conf";
const TARGET: &str = "/etc/resolv.conf";

/// Mounts the sandbox's file, if it has one, unless something else is mounted there, or there is no
/// such file in the image and none can be made.
pub fn add(spec: &mut Value, sandbox: &Path, root: &Path) {
    let file = sandbox.join(FILE);
    if !file.exists() {
        return;
    }
    let present = fs::symlink_metadata(root.join(&TARGET[1..])).is_ok();
    if present || !is_read_only(root) {
        bind(spec, &file, TARGET);
    }
}

/// Mounts a file of the sandbox, to be read only, unless something else is mounted there.
pub fn bind(spec: &mut Value, file: &Path, target: &str) {
    let mounts = match spec.get_mut("mounts").and_then(Value::as_array_mut) {
        Some(mounts) => mounts,
        None => return,
    };
    if mounts.iter().any(|mount| mount["destination"] == target) {
        debug!("{target}: mounted by the host");
        return;
    }
    mounts.push(json!({
        "destination": target, "source": file, "type": "bind", "options": ["rbind", "ro"],
    }));
}

fn is_read_only(root: &Path) -> bool {
    statvfs(root).map_or(false, |status| status.flags().contains(FsFlags::ST_RDONLY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    fn added(mut spec: Value, sandbox: &TempDir) -> usize {
        let before = spec["mounts"].as_array().unwrap().len();
        add(&mut spec, sandbox.path(), sandbox.path());
        spec["mounts"].as_array().unwrap().len() - before
    }

    #[test]
    fn the_file_is_mounted_unless_the_host_mounts_its_own() {
        let sandbox = TempDir::new();
        assert_eq!(added(json!({"mounts": []}), &sandbox), 0);
        fs::write(sandbox.path().join(FILE), "nameserver 192.0.2.1\n").unwrap();
        assert_eq!(
            added(json!({"mounts": [{"destination": "/proc"}]}), &sandbox),
            1
        );
        assert_eq!(
            added(json!({"mounts": [{"destination": TARGET}]}), &sandbox),
            0
        );
    }
}
