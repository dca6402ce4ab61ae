// SPDX-License-Identifier: Apache-2.0
//! Disks that a container gets as devices: the host names them by their place on a bus, the guest's
//! kernel gives them their numbers. Blocks the thread.

use crate::proto::grpc::{CreateContainerRequest, Device};
use crate::status::{Result, Status};
use crate::{hotplug, modules};
use nix::sys::stat::{major, minor};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const DRIVERS: [&str; 4] = ["blk", "mmioblk", "scsi", "nvdimm"];

/// Waits for the devices of the request, and puts their numbers into its specification.
pub fn resolve(request: &mut CreateContainerRequest, limit: Duration) -> Result<()> {
    let devices = std::mem::take(&mut request.devices);
    let mut found = Vec::new();
    for device in &devices {
        let describe = |status: Status| {
            status.context(format!(
                "device {} of type {:?}",
                device.container_path, device.r#type
            ))
        };
        let node = node_of(device, limit).map_err(describe)?;
        let number = fs::metadata(&node)
            .map_err(|error| describe(Status::io("look at its node", &error)))?
            .rdev();
        let number = (major(number) as i64, minor(number) as i64);
        found.push((device.container_path.as_str(), number));
    }
    rewrite(request, &found)
}

fn node_of(device: &Device, limit: Duration) -> Result<PathBuf> {
    let by_id = |id: &str| match id {
        "" => Path::new(&device.vm_path).to_path_buf(),
        id => Path::new(id).to_path_buf(),
    };
    modules::load_for_driver(&device.r#type);
    let name = match device.r#type.as_str() {
        "blk" => by_id(&device.id),
        "mmioblk" | "nvdimm" => by_id(""),
        "scsi" => return hotplug::await_scsi_disk(&device.id, limit),
        other => {
            return Err(Status::unimplemented(format!(
                "devices of type {other:?} are not supported, only {}",
                DRIVERS.join(", ")
            )))
        }
    };
    hotplug::await_block_device(&name.to_string_lossy(), limit)
}

/// The rules of the device cgroup follow the devices that they were written for.
fn rewrite(request: &mut CreateContainerRequest, found: &[(&str, (i64, i64))]) -> Result<()> {
    let spec = request.oci.as_mut();
    let linux = spec.and_then(|spec| spec.linux.as_mut());
    let linux = linux.ok_or_else(|| Status::invalid("devices without a specification"))?;
    let mut moves = Vec::new();
    for (path, number) in found {
        let entry = linux.devices.iter_mut().find(|entry| entry.path == *path);
        let entry = entry.ok_or_else(|| {
            Status::invalid(format!("device {path:?} is not in the specification"))
        })?;
        moves.push(((entry.major, entry.minor), *number));
        (entry.major, entry.minor) = *number;
        entry.r#type = "b".into();
    }
    let rules = linux.resources.iter_mut().flat_map(|r| &mut r.devices);
    for rule in rules.filter(|rule| rule.r#type == "b") {
        // Once, by the old numbers: the new one of a device may be the old one of another.
        let old = (rule.major, rule.minor);
        if let Some((_, new)) = moves.iter().find(|(from, _)| *from == old) {
            (rule.major, rule.minor) = *new;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::grpc::*;
    use crate::status::Code;

    fn request() -> CreateContainerRequest {
        let device = |path: &str, minor| LinuxDevice {
            path: path.into(),
            r#type: "b".into(),
            major: 8,
            minor,
            ..Default::default()
        };
        let rule = |kind: &str, minor| LinuxDeviceCgroup {
            allow: true,
            r#type: kind.into(),
            major: 8,
            minor,
            access: "rw".into(),
        };
        CreateContainerRequest {
            oci: Some(Spec {
                linux: Some(Linux {
                    devices: vec![device("/dev/a", 0), device("/dev/b", 16)],
                    resources: Some(LinuxResources {
                        devices: vec![rule("b", 0), rule("b", 16), rule("c", 0), rule("b", 99)],
                        ..Default::default()
                    }),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    #[test]
    fn devices_and_their_rules_get_the_numbers_of_the_guest() {
        let mut request = request();
        // The new number of one is the old one of the other.
        rewrite(&mut request, &[("/dev/a", (8, 16)), ("/dev/b", (254, 0))]).unwrap();
        let linux = request.oci.unwrap().linux.unwrap();
        let devices: Vec<_> = linux.devices.iter().map(|d| (d.major, d.minor)).collect();
        assert_eq!(devices, [(8, 16), (254, 0)]);
        let rules = linux.resources.unwrap().devices;
        let rules: Vec<_> = rules.iter().map(|r| (r.major, r.minor)).collect();
        assert_eq!(rules, [(8, 16), (254, 0), (8, 0), (8, 99)]);
    }

    #[test]
    fn unusable_devices_are_refused() {
        let error = rewrite(&mut request(), &[("/dev/c", (1, 2))]).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        let code = |kind: &str, id: &str, vm_path: &str| {
            let mut request = request();
            request.devices = vec![Device {
                id: id.into(),
                r#type: kind.into(),
                vm_path: vm_path.into(),
                container_path: "/dev/a".into(),
                ..Default::default()
            }];
            let limit = Duration::from_millis(1);
            resolve(&mut request, limit).unwrap_err().code
        };
        assert_eq!(code("vfio", "", ""), Code::Unimplemented);
        assert_eq!(code("blk", "zz", ""), Code::InvalidArgument);
        assert_eq!(code("blk", "", "/etc/passwd"), Code::InvalidArgument);
        assert_eq!(code("mmioblk", "02/01", ""), Code::InvalidArgument);
        assert_eq!(code("scsi", "0", ""), Code::InvalidArgument);
        assert_eq!(
            code("nvdimm", "", "/dev/no-such-pmem"),
            Code::DeadlineExceeded
        );
    }
}
