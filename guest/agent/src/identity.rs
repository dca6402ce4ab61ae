// SPDX-License-Identifier: Apache-2.0
//! What tells this machine and this boot from others, as containers see it. The kernel's own boot id
//! is the same in all clones and cannot be changed, and so is a machine id that an image brings. So
//! containers see files of the sandbox in their places, whose content is made anew in a clone: also
//! that of containers which run.

use crate::resolver;
use crate::status::{Result, Status};
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

const BOOT: &str = "boot_id";
const BOOT_TARGET: &str = "/proc/sys/kernel/random/boot_id";
const MACHINE: &str = "machine-id";
const MACHINE_TARGET: &str = "/etc/machine-id";

/// The files, held open.
pub struct Identity {
    boot: File,
    machine: File,
}

impl Identity {
    pub fn create(sandbox: &Path) -> Result<Identity> {
        let fail = |error| Status::io("make the files of the machine's identity", &error);
        let identity = Identity {
            boot: create(&sandbox.join(BOOT)).map_err(fail)?,
            machine: create(&sandbox.join(MACHINE)).map_err(fail)?,
        };
        identity.renew()?;
        Ok(identity)
    }

    /// From the kernel's randomness, which must be the machine's own by now. Of a length that never
    /// changes, so that a reader sees the old or the new.
    pub fn renew(&self) -> Result<()> {
        let fail = |error| Status::io("renew the machine's identity", &error);
        let boot = format!("{}\n", uuid(random().map_err(fail)?));
        self.boot.write_all_at(boot.as_bytes(), 0).map_err(fail)?;
        let machine = uuid(random().map_err(fail)?).replace('-', "") + "\n";
        self.machine
            .write_all_at(machine.as_bytes(), 0)
            .map_err(fail)
    }
}

/// Mounts them into a container that sees the kernel's boot id, or has a machine id in its image. A file
/// that is empty is left alone: the container makes an id of its own.
pub fn add(spec: &mut Value, sandbox: &Path, root: &Path) {
    let has_proc = spec["mounts"].as_array().map_or(false, |mounts| {
        mounts.iter().any(|mount| mount["destination"] == "/proc")
    });
    if has_proc && sandbox.join(BOOT).exists() {
        resolver::bind(spec, &sandbox.join(BOOT), BOOT_TARGET);
    }
    let in_image = fs::symlink_metadata(root.join(&MACHINE_TARGET[1..]));
    if in_image.map_or(false, |file| file.is_file() && file.len() > 0)
        && sandbox.join(MACHINE).exists()
    {
        resolver::bind(spec, &sandbox.join(MACHINE), MACHINE_TARGET);
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o444)
        .open(path)
}

fn random() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    // SAFETY: the kernel writes as many bytes as there are.
    let count = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    match nix::errno::Errno::result(count)? {
        16 => Ok(bytes),
        _ => Err(io::ErrorKind::UnexpectedEof.into()), // up to 256 bytes come at once: getrandom(2)
    }
}

/// Of version 4 (RFC 9562).
fn uuid(random: [u8; 16]) -> String {
    let mut number = u128::from_be_bytes(random);
    number = number & !(0xf << 76) | 4 << 76;
    number = number & !(3 << 62) | 2 << 62;
    let hex = format!("{number:032x}");
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;
    use serde_json::json;

    #[test]
    fn a_number_is_one_of_version_4() {
        assert_eq!(
            uuid([0xff; 16]),
            "ffffffff-ffff-4fff-bfff-ffffffffffff".to_string()
        );
        assert_eq!(
            uuid([0; 16]),
            "00000000-0000-4000-8000-000000000000".to_string()
        );
    }

    #[test]
    fn files_that_are_open_have_new_content_after_a_renewal() {
        let sandbox = TempDir::new();
        let identity = Identity::create(sandbox.path()).unwrap();
        let read = |name| fs::read_to_string(sandbox.path().join(name)).unwrap();
        let (boot, machine) = (read(BOOT), read(MACHINE));
        identity.renew().unwrap();
        assert_ne!(read(BOOT), boot);
        assert_ne!(read(MACHINE), machine);
        assert_eq!((read(BOOT).len(), read(MACHINE).len()), (37, 33));
    }

    #[test]
    fn containers_see_them_where_they_would_see_others() {
        let sandbox = TempDir::new();
        let root = TempDir::new();
        let mut spec = json!({"mounts": [{"destination": "/proc"}]});
        add(&mut spec, sandbox.path(), root.path());
        assert_eq!(spec["mounts"].as_array().unwrap().len(), 1);
        Identity::create(sandbox.path()).unwrap();
        add(&mut spec, sandbox.path(), root.path());
        assert_eq!(spec["mounts"][1]["destination"], BOOT_TARGET);
        assert_eq!(spec["mounts"].as_array().unwrap().len(), 2);
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/machine-id"), "").unwrap();
        add(&mut spec, sandbox.path(), root.path());
        assert_eq!(spec["mounts"].as_array().unwrap().len(), 2);
        fs::write(root.path().join("etc/machine-id"), "an id\n").unwrap();
        add(&mut spec, sandbox.path(), root.path());
        assert_eq!(spec["mounts"][2]["destination"], MACHINE_TARGET);
        let mut without_proc = json!({"mounts": []});
        add(&mut without_proc, sandbox.path(), sandbox.path());
        assert_eq!(without_proc, json!({"mounts": []}));
    }
}
