// SPDX-License-Identifier: Apache-2.0
//! Mount options as text to what mount(2) takes: names of flags become flags, the rest is data.

use crate::status::{Result, Status};
use nix::mount::{mount, umount2, MntFlags, MsFlags};
use std::path::Path;

/// The kernel copies one page and cuts what is longer.
const MAX_DATA: usize = 4095;

#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    pub flags: MsFlags,
    pub propagation: Vec<MsFlags>,
    pub data: String,
}

enum Effect {
    Set(MsFlags),
    Clear(MsFlags),
    Propagation(MsFlags),
    Nothing,
}

fn effect(option: &str) -> Option<Effect> {
    use Effect::{Clear, Nothing, Propagation, Set};
    let rec = MsFlags::MS_REC;
    Some(match option {
        "" | "defaults" | "norelatime" | "nostrictatime" | "loud" | "nolazytime" => Nothing,
        "ro" => Set(MsFlags::MS_RDONLY),
        "rw" => Clear(MsFlags::MS_RDONLY),
        "nosuid" => Set(MsFlags::MS_NOSUID),
        "suid" => Clear(MsFlags::MS_NOSUID),
        "nodev" => Set(MsFlags::MS_NODEV),
        "dev" => Clear(MsFlags::MS_NODEV),
        "noexec" => Set(MsFlags::MS_NOEXEC),
        "exec" => Clear(MsFlags::MS_NOEXEC),
        "sync" => Set(MsFlags::MS_SYNCHRONOUS),
        "async" => Clear(MsFlags::MS_SYNCHRONOUS),
        "dirsync" => Set(MsFlags::MS_DIRSYNC),
        "mand" => Set(MsFlags::MS_MANDLOCK),
        "nomand" => Clear(MsFlags::MS_MANDLOCK),
        "noatime" => Set(MsFlags::MS_NOATIME),
        "atime" => Clear(MsFlags::MS_NOATIME),
        "nodiratime" => Set(MsFlags::MS_NODIRATIME),
        "diratime" => Clear(MsFlags::MS_NODIRATIME),
        "relatime" => Set(MsFlags::MS_RELATIME),
        "strictatime" => Set(MsFlags::MS_STRICTATIME),
        "lazytime" => Set(MsFlags::MS_LAZYTIME),
        "iversion" => Set(MsFlags::MS_I_VERSION),
        "noiversion" => Clear(MsFlags::MS_I_VERSION),
        "silent" => Set(MsFlags::MS_SILENT),
        "remount" => Set(MsFlags::MS_REMOUNT),
        "bind" => Set(MsFlags::MS_BIND),
        "rbind" => Set(MsFlags::MS_BIND | rec),
        "private" => Propagation(MsFlags::MS_PRIVATE),
        "rprivate" => Propagation(MsFlags::MS_PRIVATE | rec),
        "shared" => Propagation(MsFlags::MS_SHARED),
        "rshared" => Propagation(MsFlags::MS_SHARED | rec),
        "slave" => Propagation(MsFlags::MS_SLAVE),
        "rslave" => Propagation(MsFlags::MS_SLAVE | rec),
        "unbindable" => Propagation(MsFlags::MS_UNBINDABLE),
        "runbindable" => Propagation(MsFlags::MS_UNBINDABLE | rec),
        _ => return None,
    })
}

/// Each element may hold several options separated by commas.
pub fn parse(options: &[String]) -> Result<Options> {
    let mut parsed = Options {
        flags: MsFlags::empty(),
        propagation: Vec::new(),
        data: String::new(),
    };
    for option in options.iter().flat_map(|text| text.split(',')) {
        match effect(option) {
            Some(Effect::Set(flags)) => parsed.flags |= flags,
            Some(Effect::Clear(flags)) => parsed.flags &= !flags,
            Some(Effect::Propagation(flags)) => parsed.propagation.push(flags),
            Some(Effect::Nothing) => (),
            None => {
                if !parsed.data.is_empty() {
                    parsed.data.push(',');
                }
                parsed.data.push_str(option);
            }
        }
    }
    if parsed.data.len() > MAX_DATA || parsed.data.contains('\0') {
        return Err(Status::invalid(format!(
            "mount data of {} bytes; the kernel takes {MAX_DATA}, without NUL",
            parsed.data.len()
        )));
    }
    Ok(parsed)
}

/// Mounts, and undoes the mount if a later step of it fails.
pub fn perform(source: &str, target: &Path, fstype: &str, options: &Options) -> Result<()> {
    let fail = |errno| {
        if errno == nix::errno::Errno::ENODEV {
            return Status::precondition(format!("the guest has no file system {fstype}"));
        }
        let (flags, data) = (options.flags, &options.data);
        let action = format!("mount of {source} as {fstype} with {flags:?} {data:?}");
        match errno {
            nix::errno::Errno::EINVAL => Status::invalid(format!("{action}: {}", errno.desc())),
            _ => Status::errno(action, errno),
        }
    };
    mount(
        Some(source),
        target,
        Some(fstype),
        options.flags,
        Some(options.data.as_str()),
    )
    .map_err(fail)?;
    let finish = || -> nix::Result<()> {
        let bind = options.flags.contains(MsFlags::MS_BIND);
        let rest = options.flags & !(MsFlags::MS_BIND | MsFlags::MS_REC);
        // The kernel ignores the other flags of a bind mount until it is remounted.
        if bind && !rest.is_empty() {
            let flags = rest | MsFlags::MS_BIND | MsFlags::MS_REMOUNT;
            mount(None::<&str>, target, None::<&str>, flags, None::<&str>)?;
        }
        for &flags in &options.propagation {
            mount(None::<&str>, target, None::<&str>, flags, None::<&str>)?;
        }
        Ok(())
    };
    finish().map_err(|errno| {
        let _ = umount2(target, MntFlags::MNT_DETACH);
        fail(errno)
    })
}

/// A mount that is in use goes out of sight now and away with its last user.
pub fn unmount(target: &Path) -> Result<()> {
    let flags = MntFlags::UMOUNT_NOFOLLOW;
    match umount2(target, flags).or_else(|_| umount2(target, flags | MntFlags::MNT_DETACH)) {
        Ok(()) | Err(nix::errno::Errno::EINVAL) | Err(nix::errno::Errno::ENOENT) => Ok(()),
        Err(errno) => Err(Status::errno(
            format!("unmount {}", target.display()),
            errno,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(options: &[&str]) -> Options {
        let options: Vec<String> = options.iter().map(|text| text.to_string()).collect();
        parse(&options).unwrap()
    }

    #[test]
    fn flags_and_data_are_split() {
        let options = of(&[
            "trans=virtio,version=9p2000.L,cache=mmap",
            "nodev",
            "msize=8192",
        ]);
        assert_eq!(options.flags, MsFlags::MS_NODEV);
        assert_eq!(
            options.data,
            "trans=virtio,version=9p2000.L,cache=mmap,msize=8192"
        );
    }

    #[test]
    fn the_later_of_two_opposites_wins() {
        assert_eq!(of(&["ro", "rw"]).flags, MsFlags::empty());
        assert_eq!(of(&["rw,ro"]).flags, MsFlags::MS_RDONLY);
    }

    #[test]
    fn recursive_bind_and_propagation() {
        let options = of(&["rbind", "rprivate", "defaults", ""]);
        assert_eq!(options.flags, MsFlags::MS_BIND | MsFlags::MS_REC);
        assert_eq!(options.propagation, [MsFlags::MS_PRIVATE | MsFlags::MS_REC]);
        assert_eq!(options.data, "");
    }

    #[test]
    fn data_beyond_a_page_is_refused() {
        assert!(parse(&["x".repeat(4096)]).is_err());
        assert!(parse(&["x\0y".to_string()]).is_err());
    }
}
