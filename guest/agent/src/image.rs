// SPDX-License-Identifier: Apache-2.0
//! The root file system on a disk image. A kernel with its drivers built in mounts it and starts
//! the agent there; for one with modules, the agent of the initramfs loads them and does the same:
//! `root=`, `rootfstype=` and `init=` mean what they mean to the kernel. The image is never written.

use crate::modules;
use crate::status::{Result, Status};
use crate::uevent::Uevents;
use nix::mount::{mount, MsFlags};
use nix::sys::statfs::{statfs, FsType, TMPFS_MAGIC};
use std::convert::Infallible;
use std::ffi::CString;
use std::fs;
use std::path::Path;
use std::time::Duration;

const DEVICE_LIMIT: Duration = Duration::from_secs(10);
/// Linux, `include/uapi/linux/magic.h`.
const RAMFS_MAGIC: FsType = FsType(0x8584_58f6);

const NEW_ROOT: &str = "/.image";
const MOVED: [&str; 3] = ["dev", "proc", "sys"];

#[derive(Debug, PartialEq, Eq)]
pub struct Root {
    device: String,
    file_system: String,
    init: String,
}

impl Root {
    /// What the command line names, if it names a device and its file system.
    pub fn of(line: &str) -> Option<Root> {
        let value = |key: &str| {
            let words = line.split_ascii_whitespace();
            words
                .filter_map(|word| word.strip_prefix(key))
                .last()
                .map(str::to_owned)
        };
        Some(Root {
            device: value("root=").filter(|device| device.starts_with("/dev/"))?,
            file_system: value("rootfstype=")?,
            init: value("init=").unwrap_or_else(|| "/sbin/init".into()),
        })
    }
}

/// Whether the agent runs from an initramfs, not from an image.
pub fn in_initramfs() -> bool {
    statfs("/").map_or(true, |root| {
        [RAMFS_MAGIC, TMPFS_MAGIC].contains(&root.filesystem_type())
    })
}

/// Goes on with the init of the image, in place of this one.
pub fn enter(root: &Root, events: &Uevents) -> Result<Infallible> {
    modules::load_list(modules::LATER)?;
    if root.device.starts_with("/dev/pmem") {
        modules::load_list(modules::NVDIMM)?;
    }
    let look = || Path::new(&root.device).exists().then_some(());
    events.wait_for(DEVICE_LIMIT, look).ok_or_else(|| {
        Status::deadline(format!(
            "the root {} did not appear within {DEVICE_LIMIT:?}",
            root.device
        ))
    })?;
    let failed = |action: &str| format!("root {}: {action}", root.device);
    let step = |action: &str, result: nix::Result<()>| {
        result.map_err(|errno| Status::errno(failed(action), errno))
    };
    fs::create_dir_all(NEW_ROOT).map_err(|error| Status::io(failed("make a directory"), &error))?;
    let none = None::<&str>;
    step(
        "mount",
        mount(
            Some(root.device.as_str()),
            NEW_ROOT,
            Some(root.file_system.as_str()),
            MsFlags::MS_RDONLY,
            none,
        ),
    )?;
    for name in MOVED {
        let (from, to) = (format!("/{name}"), format!("{NEW_ROOT}/{name}"));
        step(
            &format!("move /{name}, which the image must have a directory for,"),
            mount(
                Some(from.as_str()),
                to.as_str(),
                none,
                MsFlags::MS_MOVE,
                none,
            ),
        )?;
    }
    free_initramfs();
    step("chdir", nix::unistd::chdir(NEW_ROOT))?;
    step("move", mount(Some("."), "/", none, MsFlags::MS_MOVE, none))?;
    step("chroot", nix::unistd::chroot("."))?;
    step("chdir /", nix::unistd::chdir("/"))?;
    let init = CString::new(root.init.as_str())
        .map_err(|_| Status::invalid("the path of init contains NUL"))?;
    nix::unistd::execv(&init, &[&init])
        .map_err(|errno| Status::errno(failed(&format!("execute {}", root.init)), errno))
}

/// Its files are memory that nobody can reach any more.
fn free_initramfs() {
    for entry in fs::read_dir("/").into_iter().flatten().flatten() {
        let path = entry.path();
        if path == Path::new(NEW_ROOT) {
            continue;
        }
        let removed = if entry.file_type().map_or(false, |kind| kind.is_dir()) {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        if let Err(error) = removed {
            debug!("free {}: {error}", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_names_the_root() {
        let line = "console=ttyS0 root=/dev/vda1 ro rootfstype=ext4 quiet\n";
        let root = |device: &str, init: &str| Root {
            device: device.into(),
            file_system: "ext4".into(),
            init: init.into(),
        };
        assert_eq!(Root::of(line), Some(root("/dev/vda1", "/sbin/init")));
        let changed = format!("{line} init=/bin/x root=/dev/pmem0");
        assert_eq!(Root::of(&changed), Some(root("/dev/pmem0", "/bin/x")));
    }

    #[test]
    fn what_is_no_device_is_left_to_the_initramfs() {
        assert_eq!(Root::of("quiet"), None);
        assert_eq!(Root::of("root=/dev/vda"), None);
        assert_eq!(Root::of("root=UUID=1 rootfstype=ext4"), None);
    }
}
