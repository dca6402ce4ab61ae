// SPDX-License-Identifier: Apache-2.0
//! Processors and memory that were plugged in are put to use. All functions block the thread.

use crate::hotplug;
use crate::status::{Result, Status};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const SYSTEM: &str = "/sys/devices/system";

/// Lets the kernel use memory as soon as it is plugged in; not all kernels can.
pub fn memory_automatically() {
    let file = Path::new(SYSTEM).join("memory/auto_online_blocks");
    // Movable, so that it can be plugged out again.
    if let Err(error) = fs::write(&file, "online_movable") {
        debug!("{}: {error}", file.display());
    }
}

/// Puts everything to use that is there, and waits until `processors` more have been; 0 waits for
/// none.
pub fn everything(system: &Path, processors: u32, cpu_only: bool, limit: Duration) -> Result<()> {
    if !cpu_only {
        memory(system)?;
    }
    let mut done = 0;
    let look = || {
        done += self::processors(system);
        (done >= processors).then_some(())
    };
    let result = hotplug::wait("a further processor", limit, look);
    result.map_err(|status| status.context(format!("{done} of {processors} processors are online")))
}

/// The number of those that are newly online.
fn processors(system: &Path) -> u32 {
    let mut count = 0;
    for directory in numbered(&system.join("cpu"), "cpu") {
        // The first processor of some machines cannot be switched and has no such file.
        let switch = directory.join("online");
        if fs::read_to_string(&switch).map_or(false, |state| state.trim() == "0") {
            match fs::write(&switch, "1") {
                Ok(()) => count += 1,
                Err(error) => warning!("{}: {error}", switch.display()),
            }
        }
    }
    count
}

fn memory(system: &Path) -> Result<()> {
    for directory in numbered(&system.join("memory"), "memory") {
        let state = directory.join("state");
        if fs::read_to_string(&state).map_or(false, |text| text.trim() == "offline") {
            fs::write(&state, "online_movable")
                .or_else(|_| fs::write(&state, "online"))
                .map_err(|error| Status::io(format!("put {} online", state.display()), &error))?;
        }
    }
    Ok(())
}

/// The directories named by `prefix` and a number.
fn numbered(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(prefix));
            number.map_or(false, |number| number.parse::<u32>().is_ok())
        })
        .map(|entry| entry.path())
        .collect()
}

/// Tells a kernel without ACPI memory hot-plug where memory was plugged in.
pub fn probe(system: &Path, addresses: &[u64]) -> Result<()> {
    let file = system.join("memory/probe");
    if !file.exists() {
        return Err(Status::precondition(
            "the guest's kernel takes no addresses of plugged memory (memory/probe)",
        ));
    }
    for address in addresses {
        fs::write(&file, format!("{address:#x}"))
            .map_err(|error| Status::io(format!("probe memory at {address:#x}"), &error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Code;
    use crate::testing::TempDir;

    fn system() -> TempDir {
        let system = TempDir::new();
        for (file, text) in [
            ("cpu/cpu1/online", "1\n"),
            ("cpu/cpu2/online", "0\n"),
            ("cpu/cpufreq/online", "0\n"),
            ("memory/memory0/state", "online\n"),
            ("memory/memory32/state", "offline\n"),
        ] {
            let file = system.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        fs::create_dir(system.path().join("cpu/cpu0")).unwrap();
        system
    }

    fn text(system: &TempDir, file: &str) -> String {
        fs::read_to_string(system.path().join(file)).unwrap()
    }

    #[test]
    fn what_is_offline_is_put_online() {
        let system = system();
        everything(system.path(), 1, false, Duration::ZERO).unwrap();
        assert_eq!(text(&system, "cpu/cpu2/online"), "1");
        assert_eq!(text(&system, "cpu/cpufreq/online"), "0\n");
        assert_eq!(text(&system, "memory/memory32/state"), "online_movable");
        assert_eq!(text(&system, "memory/memory0/state"), "online\n");
    }

    #[test]
    fn memory_is_left_alone_when_only_processors_are_meant() {
        let system = system();
        everything(system.path(), 0, true, Duration::ZERO).unwrap();
        assert_eq!(text(&system, "memory/memory32/state"), "offline\n");
    }

    #[test]
    fn processors_that_do_not_come_are_a_missed_deadline() {
        let system = system();
        let error = everything(system.path(), 2, true, Duration::ZERO).unwrap_err();
        assert_eq!(error.code, Code::DeadlineExceeded);
        assert!(error.message.starts_with("1 of 2"), "{error}");
    }

    #[test]
    fn addresses_are_probed_where_the_kernel_can() {
        let system = system();
        let error = probe(system.path(), &[1]).unwrap_err();
        assert_eq!(error.code, Code::FailedPrecondition);
        fs::write(system.path().join("memory/probe"), "").unwrap();
        probe(system.path(), &[0x1_0000_0000]).unwrap();
        assert_eq!(text(&system, "memory/probe"), "0x100000000");
    }
}
