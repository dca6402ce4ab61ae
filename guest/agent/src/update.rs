// SPDX-License-Identifier: Apache-2.0
//! New limits for a container, written to its cgroup. Zero and empty mean "as it is", -1 "none".
//! Everything is checked before anything is written, and a refused write takes back those before.

use crate::cgroup::{self, number, read};
use crate::proto::grpc::{LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxResources};
use crate::status::{Result, Status};
use std::path::Path;

/// One write: the file and its new content.
#[derive(Debug, PartialEq, Eq)]
struct Change(String, String);

impl Change {
    fn new(file: impl Into<String>, value: impl ToString) -> Change {
        Change(file.into(), value.to_string())
    }
}

/// Blocks the thread.
pub fn update(cgroup: &Path, resources: &LinuxResources) -> Result<()> {
    let changes = plan(cgroup, resources)?;
    let mut done: Vec<(&str, String)> = Vec::new();
    for Change(file, value) in &changes {
        let old = read(cgroup, file).ok_or_else(|| {
            Status::precondition(format!(
                "the guest's kernel has no {file} to set to {value:?}"
            ))
        });
        let result = old.and_then(|old| cgroup::write(cgroup, file, value).map(|()| old));
        match result {
            Ok(old) => done.push((file, old)),
            Err(status) => {
                for (file, old) in done.iter().rev() {
                    if let Err(second) = cgroup::write(cgroup, file, old) {
                        warning!("after a failed update: {second}");
                    }
                }
                return Err(status);
            }
        }
    }
    Ok(())
}

fn plan(cgroup: &Path, resources: &LinuxResources) -> Result<Vec<Change>> {
    refuse(&[
        ("devices", !resources.devices.is_empty()),
        ("network", resources.network.is_some()),
    ])?;
    let mut changes = Vec::new();
    if let Some(memory) = &resources.memory {
        plan_memory(cgroup, memory, &mut changes)?;
    }
    if let Some(cpu) = &resources.cpu {
        plan_cpu(cgroup, cpu, &mut changes)?;
    }
    if let Some(pids) = &resources.pids {
        put_limit(&mut changes, "pids.max", "pids.limit", pids.limit)?;
    }
    for limit in &resources.hugepage_limits {
        let size = &limit.pagesize;
        if size.is_empty() || !size.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(Status::invalid(format!(
                "hugepageLimits: page size {size:?}"
            )));
        }
        changes.push(Change::new(format!("hugetlb.{size}.max"), limit.limit));
    }
    if let Some(block) = &resources.block_io {
        plan_block(cgroup, block, &mut changes)?;
    }
    Ok(changes)
}

fn refuse(parts: &[(&str, bool)]) -> Result<()> {
    match parts.iter().find(|(_, present)| *present) {
        None => Ok(()),
        Some((name, _)) => Err(Status::unimplemented(format!(
            "{name} cannot be updated: cgroup version 2 has no such setting"
        ))),
    }
}

fn put_limit(changes: &mut Vec<Change>, file: &str, name: &str, limit: i64) -> Result<()> {
    match limit {
        0 => (),
        -1 => changes.push(Change::new(file, "max")),
        1.. => changes.push(Change::new(file, limit)),
        _ => return Err(Status::invalid(format!("{name} is {limit}"))),
    }
    Ok(())
}

fn plan_memory(cgroup: &Path, memory: &LinuxMemory, changes: &mut Vec<Change>) -> Result<()> {
    refuse(&[
        ("memory.kernel", memory.kernel != 0),
        ("memory.kernelTCP", memory.kernel_tcp != 0),
        ("memory.swappiness", memory.swappiness != 0),
        ("memory.disableOOMKiller", memory.disable_oom_killer),
    ])?;
    put_limit(changes, "memory.max", "memory.limit", memory.limit)?;
    put_limit(
        changes,
        "memory.low",
        "memory.reservation",
        memory.reservation,
    )?;
    // On the wire it includes the memory, in version 2 it does not.
    let swap = match memory.swap {
        swap @ 1.. => {
            let limit = match memory.limit {
                0 => number(cgroup, "memory.max").and_then(|limit| i64::try_from(limit).ok()),
                limit => Some(limit).filter(|limit| *limit > 0),
            };
            let swap = limit.and_then(|limit| swap.checked_sub(limit));
            let swap = swap.filter(|swap| *swap >= 0).ok_or_else(|| {
                Status::invalid(format!(
                    "memory.swap is {}: it includes the memory, whose limit must be set and not above it",
                    memory.swap
                ))
            })?;
            changes.push(Change::new("memory.swap.max", swap));
            return Ok(());
        }
        swap => swap,
    };
    put_limit(changes, "memory.swap.max", "memory.swap", swap)
}

fn plan_cpu(cgroup: &Path, cpu: &LinuxCpu, changes: &mut Vec<Change>) -> Result<()> {
    refuse(&[
        ("cpu.realtimeRuntime", cpu.realtime_runtime != 0),
        ("cpu.realtimePeriod", cpu.realtime_period != 0),
    ])?;
    if cpu.shares != 0 {
        changes.push(Change::new("cpu.weight", weight(cpu.shares)));
    }
    if cpu.quota != 0 || cpu.period != 0 {
        let old = read(cgroup, "cpu.max").unwrap_or_default();
        let (old_quota, old_period) = old.trim().split_once(' ').unwrap_or(("max", "100000"));
        let quota = match cpu.quota {
            0 => old_quota.to_string(),
            -1 => "max".into(),
            quota @ 1.. => quota.to_string(),
            quota => return Err(Status::invalid(format!("cpu.quota is {quota}"))),
        };
        let period = match cpu.period {
            0 => old_period.to_string(),
            period => period.to_string(),
        };
        changes.push(Change::new("cpu.max", format!("{quota} {period}")));
    }
    for (file, list) in [("cpuset.cpus", &cpu.cpus), ("cpuset.mems", &cpu.mems)] {
        let valid = |b: u8| b.is_ascii_digit() || b == b',' || b == b'-';
        if !list.bytes().all(valid) {
            return Err(Status::invalid(format!(
                "{file} {list:?} is no list of numbers"
            )));
        }
        if !list.is_empty() {
            changes.push(Change::new(file, list));
        }
    }
    Ok(())
}

/// Shares from 2 to 262144 as a weight from 1 to 10000, as runc and crun do it.
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142
}

fn plan_block(cgroup: &Path, block: &LinuxBlockIo, changes: &mut Vec<Change>) -> Result<()> {
    refuse(&[
        ("blockIO.leafWeight", block.leaf_weight != 0),
        ("blockIO.weightDevice", !block.weight_device.is_empty()),
    ])?;
    match block.weight {
        0 => (),
        weight @ 10..=1000 if read(cgroup, "io.bfq.weight").is_some() => {
            changes.push(Change::new("io.bfq.weight", weight))
        }
        weight @ 10..=1000 => {
            let weight = 1 + (weight - 10) * 9999 / 990;
            changes.push(Change::new("io.weight", weight))
        }
        weight => {
            return Err(Status::invalid(format!(
                "blockIO.weight is {weight}, not from 10 to 1000"
            )))
        }
    }
    for (key, list) in [
        ("rbps", &block.throttle_read_bps_device),
        ("wbps", &block.throttle_write_bps_device),
        ("riops", &block.throttle_read_iops_device),
        ("wiops", &block.throttle_write_iops_device),
    ] {
        for device in list {
            let rate = match device.rate {
                0 => "max".to_string(),
                rate => rate.to_string(),
            };
            let (major, minor) = (device.major, device.minor);
            changes.push(Change::new(
                "io.max",
                format!("{major}:{minor} {key}={rate}"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::grpc::*;
    use crate::status::Code;
    use crate::testing::TempDir;
    use std::fs;

    fn cgroup() -> TempDir {
        let directory = TempDir::new();
        for (name, text) in [
            ("memory.max", "max\n"),
            ("memory.low", "0\n"),
            ("memory.swap.max", "max\n"),
            ("cpu.weight", "100\n"),
            ("cpu.max", "max 100000\n"),
            ("pids.max", "max\n"),
        ] {
            fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    fn memory(limit: i64, swap: i64) -> LinuxResources {
        LinuxResources {
            memory: Some(LinuxMemory {
                limit,
                swap,
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn changes(cgroup: &TempDir, resources: LinuxResources) -> Vec<(String, String)> {
        let changes = plan(cgroup.path(), &resources).unwrap();
        changes.into_iter().map(|Change(a, b)| (a, b)).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = |(a, b): &(&str, &str)| (a.to_string(), b.to_string());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn what_is_not_set_stays_as_it_is() {
        let resources = LinuxResources {
            memory: Some(Default::default()),
            cpu: Some(Default::default()),
            pids: Some(Default::default()),
            block_io: Some(Default::default()),
            ..Default::default()
        };
        assert_eq!(changes(&cgroup(), resources), []);
    }

    #[test]
    fn swap_on_the_wire_includes_the_memory() {
        let cgroup = cgroup();
        assert_eq!(
            changes(&cgroup, memory(100, 150)),
            pairs(&[("memory.max", "100"), ("memory.swap.max", "50")])
        );
        assert_eq!(
            changes(&cgroup, memory(-1, -1)),
            pairs(&[("memory.max", "max"), ("memory.swap.max", "max")])
        );
        for (limit, swap) in [(0, 150), (100, 99), (-1, 5), (-2, 0), (0, -2)] {
            let error = plan(cgroup.path(), &memory(limit, swap)).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument, "{limit} {swap}");
        }
        fs::write(cgroup.path().join("memory.max"), "140\n").unwrap();
        assert_eq!(
            changes(&cgroup, memory(0, 150)),
            pairs(&[("memory.swap.max", "10")])
        );
    }

    #[test]
    fn a_quota_keeps_the_period_and_the_reverse() {
        let cgroup = cgroup();
        let cpu = |quota, period| LinuxResources {
            cpu: Some(LinuxCpu {
                quota,
                period,
                ..Default::default()
            }),
            ..Default::default()
        };
        fs::write(cgroup.path().join("cpu.max"), "5000 20000\n").unwrap();
        for (quota, period, expected) in [
            (7000, 0, "7000 20000"),
            (0, 50_000, "5000 50000"),
            (-1, 0, "max 20000"),
            (1, 2, "1 2"),
        ] {
            assert_eq!(
                changes(&cgroup, cpu(quota, period)),
                pairs(&[("cpu.max", expected)])
            );
        }
    }

    #[test]
    fn shares_become_weights() {
        for (shares, expected) in [
            (0, 1),
            (2, 1),
            (1024, 39),
            (262_144, 10_000),
            (u64::MAX, 10_000),
        ] {
            assert_eq!(weight(shares), expected);
        }
    }

    #[test]
    fn sets_throttles_and_huge_pages() {
        let throttle = |rate| LinuxThrottleDevice {
            major: 8,
            minor: 0,
            rate,
        };
        let resources = LinuxResources {
            cpu: Some(LinuxCpu {
                cpus: "0-2,4".into(),
                mems: "0".into(),
                ..Default::default()
            }),
            pids: Some(LinuxPids { limit: -1 }),
            hugepage_limits: vec![LinuxHugepageLimit {
                pagesize: "2MB".into(),
                limit: 0,
            }],
            block_io: Some(LinuxBlockIo {
                weight: 1000,
                throttle_read_bps_device: vec![throttle(7)],
                throttle_write_iops_device: vec![throttle(0)],
                ..Default::default()
            }),
            ..Default::default()
        };
        assert_eq!(
            changes(&cgroup(), resources),
            pairs(&[
                ("cpuset.cpus", "0-2,4"),
                ("cpuset.mems", "0"),
                ("pids.max", "max"),
                ("hugetlb.2MB.max", "0"),
                ("io.weight", "10000"),
                ("io.max", "8:0 rbps=7"),
                ("io.max", "8:0 wiops=max"),
            ])
        );
    }

    #[test]
    fn unsupported_settings_are_refused_by_name() {
        let resources = |change: fn(&mut LinuxMemory)| {
            let mut memory = LinuxMemory::default();
            change(&mut memory);
            LinuxResources {
                memory: Some(memory),
                ..Default::default()
            }
        };
        for (resources, name) in [
            (resources(|m| m.kernel = 1), "memory.kernel"),
            (resources(|m| m.swappiness = 1), "memory.swappiness"),
            (
                resources(|m| m.disable_oom_killer = true),
                "memory.disableOOMKiller",
            ),
        ] {
            let error = plan(cgroup().path(), &resources).unwrap_err();
            assert_eq!(error.code, Code::Unimplemented);
            assert!(error.message.contains(name), "{error}");
        }
    }

    #[test]
    fn a_list_of_processors_cannot_be_anything_else() {
        let resources = LinuxResources {
            cpu: Some(LinuxCpu {
                cpus: "0\n1".into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let error = plan(cgroup().path(), &resources).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
    }

    #[test]
    fn a_refused_write_takes_back_those_before() {
        let cgroup = cgroup();
        let mut resources = memory(100, 0);
        resources.hugepage_limits = vec![LinuxHugepageLimit {
            pagesize: "7XB".into(),
            limit: 1,
        }];
        let error = update(cgroup.path(), &resources).unwrap_err();
        assert_eq!(error.code, Code::FailedPrecondition);
        assert!(error.message.contains("hugetlb.7XB.max"), "{error}");
        assert_eq!(read(cgroup.path(), "memory.max").unwrap(), "max\n");
        update(cgroup.path(), &memory(100, 0)).unwrap();
        assert_eq!(read(cgroup.path(), "memory.max").unwrap(), "100");
    }
}
