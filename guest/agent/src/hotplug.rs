// SPDX-License-Identifier: Apache-2.0
//! Finds the block device that a storage names, and waits for one that is still being plugged in.

use crate::paths;
use crate::status::{Result, Status};
use crate::uevent::Uevents;
use std::fmt;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Hot-plug that the kernel does not notice by itself shows up after a rescan.
const RESCAN_AFTER: Duration = Duration::from_millis(150);

/// The slots from the root bus to the device, each function 0: `02/01` is slot 1 behind the bridge
/// in slot 2.
#[derive(Debug, PartialEq, Eq)]
pub struct PciPath(Vec<u8>);

impl PciPath {
    pub fn parse(text: &str) -> Result<PciPath> {
        let slots: Option<Vec<u8>> = text
            .split('/')
            .map(|slot| {
                let valid = slot.len() == 2 && slot.bytes().all(|b| b.is_ascii_hexdigit());
                let number = u8::from_str_radix(slot, 16).ok()?;
                (valid && number < 32).then_some(number)
            })
            .collect();
        match slots {
            Some(slots) if slots.len() <= 4 => Ok(PciPath(slots)),
            _ => Err(Status::invalid(format!(
                "PCI path {text:?} must be slots of two hexadecimal digits up to 1f, joined by /"
            ))),
        }
    }

    /// The device's directory below `sys`, if the kernel has it.
    fn device(&self, sys: &Path) -> Option<PathBuf> {
        let mut at = sys.join("devices/pci0000:00");
        for slot in &self.0 {
            // The number of a bus behind a bridge is the kernel's choice; a bridge has one.
            let suffix = format!(":{slot:02x}.0");
            at = fs::read_dir(&at).ok()?.flatten().find_map(|entry| {
                let name = entry.file_name();
                let name = name.to_str()?;
                let matches = name.len() == 12 && name.ends_with(&suffix);
                matches.then(|| entry.path())
            })?;
        }
        Some(at)
    }

    /// The name of the disk of a virtio block device.
    pub fn disk(&self, sys: &Path) -> Option<String> {
        let device = self.device(sys)?;
        fs::read_dir(device).ok()?.flatten().find_map(|entry| {
            let name = entry.file_name();
            if !name.to_str()?.starts_with("virtio") {
                return None;
            }
            let disk = fs::read_dir(entry.path().join("block"))
                .ok()?
                .flatten()
                .next()?;
            disk.file_name().into_string().ok()
        })
    }
}

impl fmt::Display for PciPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slots: Vec<String> = self.0.iter().map(|slot| format!("{slot:02x}")).collect();
        f.write_str(&slots.join("/"))
    }
}

/// The node and sysfs show a new disk before the kernel can open it (ENXIO until then); its uevent
/// comes after, so a wait that looks again at each event ends in time.
fn block_device(path: PathBuf) -> Option<PathBuf> {
    let is_block = fs::metadata(&path).ok()?.file_type().is_block_device();
    (is_block && fs::File::open(&path).is_ok()).then_some(path)
}

/// Blocks the thread until the device node is there.
pub fn await_block_device(source: &str, limit: Duration) -> Result<PathBuf> {
    let look: Box<dyn Fn() -> Option<PathBuf>> = if source.starts_with('/') {
        if !paths::is_plain(source) || !source.starts_with("/dev/") {
            return Err(Status::invalid(format!(
                "block device {source:?} must be a plain path below /dev"
            )));
        }
        let path = PathBuf::from(source);
        Box::new(move || block_device(path.clone()))
    } else {
        let pci = PciPath::parse(source)?;
        Box::new(move || block_device(Path::new("/dev").join(pci.disk(Path::new("/sys"))?)))
    };
    wait(&format!("block device {source}"), limit, look)
}

/// Blocks the thread until there is the persistent memory that begins at this physical address: the
/// order in which the kernel numbers them is its own.
pub fn await_pmem(source: &str, limit: Duration) -> Result<PathBuf> {
    let address = parse_address(source)
        .ok_or_else(|| Status::invalid(format!("address of memory {source:?} is not 0x...")))?;
    wait(&format!("persistent memory at {source}"), limit, || {
        let disk = pmem(Path::new("/sys/block"), address)?;
        block_device(Path::new("/dev").join(disk))
    })
}

fn parse_address(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
}

fn pmem(disks: &Path, address: u64) -> Option<String> {
    fs::read_dir(disks).ok()?.flatten().find_map(|entry| {
        // The region's: a namespace may have a header before its data.
        let begins = fs::read_to_string(entry.path().join("device/../resource")).ok()?;
        let name = entry.file_name().into_string().ok()?;
        (name.starts_with("pmem") && parse_address(&begins) == Some(address)).then_some(name)
    })
}

/// Blocks the thread until the disk `id:lun` of a SCSI controller is there.
pub fn await_scsi_disk(source: &str, limit: Duration) -> Result<PathBuf> {
    let (id, lun) = parse_scsi(source)?;
    let hosts = fs::read_dir("/sys/class/scsi_host").into_iter().flatten();
    for host in hosts.flatten() {
        if let Err(error) = fs::write(host.path().join("scan"), format!("0 {id} {lun}")) {
            debug!("scan of {}: {error}", host.path().display());
        }
    }
    wait(&format!("SCSI disk {source}"), limit, || {
        let disk = scsi_disk(Path::new("/sys/bus/scsi/devices"), id, lun)?;
        block_device(Path::new("/dev").join(disk))
    })
}

fn parse_scsi(text: &str) -> Result<(u16, u16)> {
    let number = |text: &str| {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| digits)
    };
    text.split_once(':')
        .and_then(|(id, lun)| Some((number(id)?, number(lun)?)))
        .ok_or_else(|| Status::invalid(format!("SCSI address {text:?} is not id:lun")))
}

/// The directory of a disk is named host:channel:id:lun; the channel of virtio-scsi is 0.
fn scsi_disk(devices: &Path, id: u16, lun: u16) -> Option<String> {
    let suffix = format!(":0:{id}:{lun}");
    fs::read_dir(devices).ok()?.flatten().find_map(|entry| {
        if !entry.file_name().to_str()?.ends_with(&suffix) {
            return None;
        }
        let disk = fs::read_dir(entry.path().join("block"))
            .ok()?
            .flatten()
            .next()?;
        disk.file_name().into_string().ok()
    })
}

/// Blocks the thread until `look` finds what is being plugged in.
pub fn wait<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    if let Some(found) = look() {
        return Ok(found);
    }
    let events = Uevents::open().map_err(|error| Status::io("open the uevent socket", &error))?;
    if let Some(found) = events.wait_for(RESCAN_AFTER.min(limit), &mut look) {
        return Ok(found);
    }
    if let Err(error) = fs::write("/sys/bus/pci/rescan", "1") {
        debug!("rescan of the PCI bus: {error}");
    }
    events
        .wait_for(limit.saturating_sub(RESCAN_AFTER), &mut look)
        .ok_or_else(|| Status::deadline(format!("{what} did not appear within {limit:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;
    use std::os::unix::fs::symlink;

    #[test]
    fn persistent_memory_is_found_by_its_address() {
        let disks = TempDir::new();
        for (name, address) in [
            ("pmem0", "0x140000000"),
            ("pmem1", "0x150000000"),
            ("vda", "0x1"),
        ] {
            let region = disks.path().join(format!("region-{name}"));
            fs::create_dir_all(region.join("namespace")).unwrap();
            fs::write(region.join("resource"), format!("{address}\n")).unwrap();
            fs::create_dir(disks.path().join(name)).unwrap();
            symlink(
                region.join("namespace"),
                disks.path().join(name).join("device"),
            )
            .unwrap();
        }
        let found = |address| pmem(disks.path(), address);
        assert_eq!(found(0x150000000).as_deref(), Some("pmem1"));
        assert_eq!(found(0x160000000), None);
        assert_eq!(found(0x1), None);
        for odd in ["0x", "140000000", "0xg", "0x11112222333344445"] {
            assert_eq!(parse_address(odd), None, "{odd}");
        }
    }

    #[test]
    fn pci_paths() {
        assert_eq!(PciPath::parse("02/1f"), Ok(PciPath(vec![2, 31])));
        assert_eq!(PciPath::parse("0a"), Ok(PciPath(vec![10])));
        assert_eq!(PciPath::parse("02/1f").unwrap().to_string(), "02/1f");
        for bad in [
            "",
            "2/1",
            "02/",
            "/02",
            "02/20",
            "02/+1",
            "xx/yy",
            "02/01/../03",
            "00/00/00/00/00",
        ] {
            assert!(PciPath::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_disk_behind_a_bridge_is_found() {
        let sys = TempDir::new();
        let root = sys.path().join("devices/pci0000:00");
        let bridge = root.join("0000:00:02.0");
        fs::create_dir_all(bridge.join("0000:05:01.0/virtio3/block/vdb")).unwrap();
        fs::create_dir_all(bridge.join("0000:05:11.0/virtio4/block/vdc")).unwrap();
        fs::create_dir_all(root.join("0000:00:01.0/virtio0/net/eth0")).unwrap();
        let disk = |path: &str| PciPath::parse(path).unwrap().disk(sys.path());
        assert_eq!(disk("02/01").as_deref(), Some("vdb"));
        assert_eq!(disk("02/11").as_deref(), Some("vdc"));
        assert_eq!(disk("02/02"), None);
        assert_eq!(disk("01"), None);
    }

    #[test]
    fn scsi_disks_are_found_by_id_and_lun() {
        assert_eq!(parse_scsi("1:22"), Ok((1, 22)));
        for bad in ["", "1", "1:", ":1", "1:2:3", "+1:2", "1:65536"] {
            assert!(parse_scsi(bad).is_err(), "{bad}");
        }
        let devices = TempDir::new();
        fs::create_dir_all(devices.path().join("2:0:1:2/block/sdb")).unwrap();
        fs::create_dir_all(devices.path().join("2:0:11:2/block/sdc")).unwrap();
        assert_eq!(scsi_disk(devices.path(), 1, 2).as_deref(), Some("sdb"));
        assert_eq!(scsi_disk(devices.path(), 1, 1), None);
    }

    #[test]
    fn a_missing_device_is_a_missed_deadline() {
        let error = await_block_device("/dev/no-such-disk", Duration::from_millis(1)).unwrap_err();
        assert_eq!(error.code, crate::status::Code::DeadlineExceeded);
        let error = await_block_device("/dev/../etc/passwd", Duration::ZERO).unwrap_err();
        assert_eq!(error.code, crate::status::Code::InvalidArgument);
    }
}
