// SPDX-License-Identifier: Apache-2.0
//! The resource limits of the OCI specification, see `oci`.

use crate::oci::put_list;
use crate::proto::grpc;
use crate::status::{Result, Status};
use serde_json::{json, Map, Value};

pub fn resources(resources: &grpc::LinuxResources) -> Result<Value> {
    refuse(resources)?;
    let mut json = Map::new();
    // Without any rule the runtime would allow every device, with CAP_MKNOD the disks of all
    // containers; with one it denies what no rule allows, but for the usual devices such as null.
    let devices: Value = match resources.devices.is_empty() {
        true => json!([{"allow": false, "access": "rwm"}]),
        false => resources.devices.iter().map(device_rule).collect(),
    };
    json.insert("devices".into(), devices);
    if let Some(memory) = &resources.memory {
        json.insert(
            "memory".into(),
            numbers(&[
                ("limit", memory.limit),
                ("reservation", memory.reservation),
                ("swap", memory.swap),
            ]),
        );
    }
    if let Some(cpu) = &resources.cpu {
        let mut numbers = numbers(&[
            ("shares", cpu.shares as i64),
            ("quota", cpu.quota),
            ("period", cpu.period as i64),
        ]);
        for (key, value) in [("cpus", &cpu.cpus), ("mems", &cpu.mems)] {
            if !value.is_empty() {
                numbers[key] = json!(value);
            }
        }
        json.insert("cpu".into(), numbers);
    }
    if let Some(pids) = resources.pids.as_ref().filter(|pids| pids.limit != 0) {
        json.insert("pids".into(), json!({"limit": pids.limit}));
    }
    if let Some(block) = &resources.block_io {
        json.insert("blockIO".into(), block_io(block));
    }
    put_list(
        &mut json,
        "hugepageLimits",
        !resources.hugepage_limits.is_empty(),
        || {
            let limits = resources.hugepage_limits.iter();
            limits
                .map(|limit| json!({"pageSize": limit.pagesize, "limit": limit.limit}))
                .collect()
        },
    );
    Ok(Value::Object(json))
}

/// What cgroup version 2 does not know. No limit (-1) is what there is anyway.
fn refuse(resources: &grpc::LinuxResources) -> Result<()> {
    let memory = resources.memory.as_ref();
    let memory = |test: fn(&grpc::LinuxMemory) -> bool| memory.map_or(false, test);
    let cpu = resources.cpu.as_ref();
    let cpu = |test: fn(&grpc::LinuxCpu) -> bool| cpu.map_or(false, test);
    let block = resources.block_io.as_ref();
    let network = resources.network.as_ref();
    let parts = [
        ("memory.kernel", memory(|memory| memory.kernel > 0)),
        ("memory.kernelTCP", memory(|memory| memory.kernel_tcp > 0)),
        ("memory.swappiness", memory(|memory| memory.swappiness != 0)),
        (
            "memory.disableOOMKiller",
            memory(|memory| memory.disable_oom_killer),
        ),
        ("cpu.realtimeRuntime", cpu(|cpu| cpu.realtime_runtime != 0)),
        ("cpu.realtimePeriod", cpu(|cpu| cpu.realtime_period != 0)),
        (
            "blockIO.leafWeight",
            block.map_or(false, |block| block.leaf_weight != 0),
        ),
        (
            "network",
            network.map_or(false, |n| n.class_id != 0 || !n.priorities.is_empty()),
        ),
    ];
    match parts.iter().find(|(_, present)| *present) {
        None => Ok(()),
        Some((name, _)) => Err(Status::unimplemented(format!(
            "linux.resources.{name}: cgroup version 2 has no such setting"
        ))),
    }
}

fn numbers(pairs: &[(&str, i64)]) -> Value {
    let set = pairs.iter().filter(|(_, value)| *value != 0);
    Value::Object(
        set.map(|(key, value)| (key.to_string(), json!(value)))
            .collect(),
    )
}

/// -1 is "any"; so is a major number of 0, which no device has. A minor number of 0 is a number.
fn device_rule(rule: &grpc::LinuxDeviceCgroup) -> Value {
    let mut json = Map::new();
    json.insert("allow".into(), json!(rule.allow));
    put_list(&mut json, "type", !rule.r#type.is_empty(), || {
        json!(rule.r#type)
    });
    put_list(&mut json, "access", !rule.access.is_empty(), || {
        json!(rule.access)
    });
    put_list(&mut json, "major", rule.major > 0, || json!(rule.major));
    put_list(
        &mut json,
        "minor",
        rule.major > 0 && rule.minor >= 0,
        || json!(rule.minor),
    );
    Value::Object(json)
}

fn block_io(block: &grpc::LinuxBlockIo) -> Value {
    let mut json = numbers(&[
        ("weight", i64::from(block.weight)),
        ("leafWeight", i64::from(block.leaf_weight)),
    ]);
    if !block.weight_device.is_empty() {
        let list = block.weight_device.iter().map(|device| {
            json!({"major": device.major, "minor": device.minor,
                   "weight": device.weight, "leafWeight": device.leaf_weight})
        });
        json["weightDevice"] = list.collect();
    }
    for (key, list) in [
        ("throttleReadBpsDevice", &block.throttle_read_bps_device),
        ("throttleWriteBpsDevice", &block.throttle_write_bps_device),
        ("throttleReadIOPSDevice", &block.throttle_read_iops_device),
        ("throttleWriteIOPSDevice", &block.throttle_write_iops_device),
    ] {
        if !list.is_empty() {
            let list = list.iter().map(
                |device| json!({"major": device.major, "minor": device.minor, "rate": device.rate}),
            );
            json[key] = list.collect();
        }
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Code;

    fn denied() -> Value {
        json!([{"allow": false, "access": "rwm"}])
    }

    #[test]
    fn zero_is_unset_in_resources() {
        let part = grpc::LinuxResources {
            memory: Some(grpc::LinuxMemory {
                limit: 1 << 20,
                ..Default::default()
            }),
            cpu: Some(grpc::LinuxCpu {
                quota: 50_000,
                period: 100_000,
                cpus: "0".into(),
                ..Default::default()
            }),
            pids: Some(grpc::LinuxPids { limit: 0 }),
            ..Default::default()
        };
        assert_eq!(
            resources(&part).unwrap(),
            json!({
                "devices": denied(),
                "memory": {"limit": 1048576},
                "cpu": {"quota": 50000, "period": 100000, "cpus": "0"},
            })
        );
    }

    #[test]
    fn every_resource_arrives() {
        let throttle = |rate| {
            vec![grpc::LinuxThrottleDevice {
                major: 8,
                minor: 1,
                rate,
            }]
        };
        let part = grpc::LinuxResources {
            pids: Some(grpc::LinuxPids { limit: 7 }),
            block_io: Some(grpc::LinuxBlockIo {
                weight: 10,
                leaf_weight: 0,
                weight_device: vec![grpc::LinuxWeightDevice {
                    major: 8,
                    minor: 0,
                    weight: 5,
                    leaf_weight: 6,
                }],
                throttle_read_bps_device: throttle(1),
                throttle_write_bps_device: throttle(2),
                throttle_read_iops_device: throttle(3),
                throttle_write_iops_device: throttle(4),
            }),
            hugepage_limits: vec![grpc::LinuxHugepageLimit {
                pagesize: "2MB".into(),
                limit: 9,
            }],
            ..Default::default()
        };
        let device = |rate: u32| json!([{"major": 8, "minor": 1, "rate": rate}]);
        assert_eq!(
            resources(&part).unwrap(),
            json!({
                "devices": denied(),
                "pids": {"limit": 7},
                "blockIO": {
                    "weight": 10,
                    "weightDevice": [{"major": 8, "minor": 0, "weight": 5, "leafWeight": 6}],
                    "throttleReadBpsDevice": device(1),
                    "throttleWriteBpsDevice": device(2),
                    "throttleReadIOPSDevice": device(3),
                    "throttleWriteIOPSDevice": device(4),
                },
                "hugepageLimits": [{"pageSize": "2MB", "limit": 9}],
            })
        );
    }

    #[test]
    fn what_version_2_lacks_is_refused_by_name() {
        let memory = |memory| grpc::LinuxResources {
            memory: Some(memory),
            ..Default::default()
        };
        let cpu = |cpu| grpc::LinuxResources {
            cpu: Some(cpu),
            ..Default::default()
        };
        for (name, part) in [
            (
                "memory.kernel",
                memory(grpc::LinuxMemory {
                    kernel: 1,
                    ..Default::default()
                }),
            ),
            (
                "memory.kernelTCP",
                memory(grpc::LinuxMemory {
                    kernel_tcp: 1,
                    ..Default::default()
                }),
            ),
            (
                "memory.swappiness",
                memory(grpc::LinuxMemory {
                    swappiness: 1,
                    ..Default::default()
                }),
            ),
            (
                "memory.disableOOMKiller",
                memory(grpc::LinuxMemory {
                    disable_oom_killer: true,
                    ..Default::default()
                }),
            ),
            (
                "cpu.realtimeRuntime",
                cpu(grpc::LinuxCpu {
                    realtime_runtime: 1,
                    ..Default::default()
                }),
            ),
            (
                "cpu.realtimePeriod",
                cpu(grpc::LinuxCpu {
                    realtime_period: 1,
                    ..Default::default()
                }),
            ),
            (
                "network",
                grpc::LinuxResources {
                    network: Some(grpc::LinuxNetwork {
                        class_id: 1,
                        ..Default::default()
                    }),
                    ..Default::default()
                },
            ),
        ] {
            let error = resources(&part).unwrap_err();
            assert_eq!(error.code, Code::Unimplemented, "{name}");
            let path = format!("linux.resources.{name}:");
            assert!(error.message.contains(&path), "{}", error.message);
        }
        let unlimited = memory(grpc::LinuxMemory {
            kernel: -1,
            kernel_tcp: -1,
            ..Default::default()
        });
        assert_eq!(
            resources(&unlimited).unwrap(),
            json!({"devices": denied(), "memory": {}})
        );
    }

    #[test]
    fn device_rules_know_wildcards() {
        let rule = |kind: &str, major, minor| grpc::LinuxDeviceCgroup {
            allow: true,
            r#type: kind.into(),
            major,
            minor,
            access: "rwm".into(),
        };
        assert_eq!(
            device_rule(&rule("", 0, 0)),
            json!({"allow": true, "access": "rwm"})
        );
        assert_eq!(
            device_rule(&rule("c", 136, -1)),
            json!({"allow": true, "type": "c", "access": "rwm", "major": 136})
        );
        assert_eq!(
            device_rule(&rule("c", 5, 0)),
            json!({"allow": true, "type": "c", "access": "rwm", "major": 5, "minor": 0})
        );
    }
}
