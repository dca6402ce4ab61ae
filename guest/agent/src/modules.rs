// SPDX-License-Identifier: Apache-2.0
//! Kernel modules, by the lists that the image builder wrote: one absolute path per line, each
//! after those it depends on. Two lists are for every guest; the others have what a device needs
//! that most guests lack.

use crate::status::{Result, Status};
use nix::errno::Errno;
use nix::kmod::{finit_module, ModuleInitFlags};
use std::collections::HashMap;
use std::ffi::CString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

const FOLDER: &str = "/etc/virtcontainers";
const PREFIX: &str = "modules.";

pub const BOOT: &str = "boot";
pub const LATER: &str = "later";

/// For a virtio balloon, and for memory that grows and shrinks by virtio.
pub const BALLOON: &str = "balloon";
pub const MEMORY: &str = "memory";

/// For virtio devices without PCI, for the disk of an image that is persistent memory, for a source
/// of randomness, and to tell the host of a panic.
pub const MMIO: &str = "mmio";
pub const NVDIMM: &str = "nvdimm";
pub const RNG: &str = "rng";
pub const PVPANIC: &str = "pvpanic";

/// The list of what a vsock device, or a storage or device of the driver or file system of that name, needs.
pub const VSOCK: &str = "vsock";
const OF_DRIVERS: [&str; 5] = ["scsi", "nvdimm", "virtio-fs", "9p", "ext4"];

/// Loads what a storage or device of this driver or file system needs. A module that fails to load is only logged:
/// the device may do without it, and what then lacks has an error of its own.
pub fn load_for_driver(driver: &str) {
    if let Some(list) = OF_DRIVERS.iter().find(|name| **name == driver) {
        if let Err(error) = load_list(list) {
            warning!("storage driver {driver}: {error}");
        }
    }
}

/// A missing list means that the kernel has everything built in.
pub fn load_list(name: &str) -> Result<()> {
    let list = Path::new(FOLDER).join(format!("{PREFIX}{name}"));
    let text = match fs::read_to_string(&list) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Status::io(format!("read {}", list.display()), &error)),
    };
    for path in paths(&text) {
        load(Path::new(path), "")?;
    }
    Ok(())
}

fn paths(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// A module that is there already is fine.
fn load(path: &Path, parameters: &str) -> Result<()> {
    let action = || format!("load kernel module {}", path.display());
    let file = File::open(path).map_err(|error| Status::io(action(), &error))?;
    let parameters =
        CString::new(parameters).map_err(|_| Status::invalid("a module parameter contains NUL"))?;
    match finit_module(&file, &parameters, ModuleInitFlags::empty()) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(Status::errno(
            format!("{} (errno {})", action(), errno as i32),
            errno,
        )),
    }
}

/// Loads a module by name, from the lists only: the guest has no module index.
pub fn load_by_name(name: &str, parameters: &[String]) -> Result<()> {
    let wanted = normal(name);
    let valid = wanted
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if wanted.is_empty() || !valid {
        return Err(Status::invalid(format!("kernel module name {name:?}")));
    }
    let mut known = HashMap::new();
    for list in lists(Path::new(FOLDER)) {
        let text = fs::read_to_string(list).unwrap_or_default();
        known.extend(paths(&text).map(|path| (module_name(path), PathBuf::from(path))));
    }
    match known.get(&wanted) {
        Some(path) => load(path, &parameters.join(" ")),
        None if Path::new("/sys/module").join(&wanted).exists() => Ok(()),
        None => Err(Status::precondition(format!(
            "kernel module {name} is neither in the guest image nor built in"
        ))),
    }
}

fn lists(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().contains(PREFIX))
}

fn normal(name: &str) -> String {
    name.replace('-', "_")
}

fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    normal(file.split('.').next().unwrap_or(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_may_have_comments_and_blank_lines() {
        let list = "# boot\n/lib/a.ko\n\n  /lib/b.ko \n";
        assert_eq!(paths(list).collect::<Vec<_>>(), ["/lib/a.ko", "/lib/b.ko"]);
    }

    #[test]
    fn names_are_those_of_the_kernel() {
        assert_eq!(
            module_name("/lib/modules/6.1/crc32c-intel.ko"),
            "crc32c_intel"
        );
        assert_eq!(module_name("overlay.ko.xz"), "overlay");
    }

    #[test]
    fn unknown_modules_and_odd_names_are_refused() {
        use crate::status::Code;
        let code = |name| load_by_name(name, &[]).unwrap_err().code;
        assert_eq!(code("no_such_module"), Code::FailedPrecondition);
        assert_eq!(code("../../etc/passwd"), Code::InvalidArgument);
        assert_eq!(code(""), Code::InvalidArgument);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = load(Path::new("/no/such/module.ko"), "").unwrap_err();
        assert!(error.message.contains("/no/such/module.ko"), "{error}");
    }
}
