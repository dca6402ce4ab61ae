// SPDX-License-Identifier: Apache-2.0
//! The resource limits of the OCI specification, see `oci`.

use crate::oci::put_list;
use crate::proto::grpc;
use serde_json::{json, Map, Value};

pub fn resources(resources: &grpc::LinuxResources) -> Value {
    let mut json = Map::new();
    put_list(&mut json, "devices", !resources.devices.is_empty(), || {
        resources.devices.iter().map(device_rule).collect()
    });
    if let Some(memory) = &resources.memory {
        json.insert(
            "memory".into(),
            numbers(&[
                ("limit", memory.limit),
                ("reservation", memory.reservation),
                ("swap", memory.swap),
                ("kernel", memory.kernel),
                ("kernelTCP", memory.kernel_tcp),
                ("swappiness", memory.swappiness as i64),
            ]),
        );
        if memory.disable_oom_killer {
            json["memory"]["disableOOMKiller"] = json!(true);
        }
    }
    if let Some(cpu) = &resources.cpu {
        let mut numbers = numbers(&[
            ("shares", cpu.shares as i64),
            ("quota", cpu.quota),
            ("period", cpu.period as i64),
            ("realtimeRuntime", cpu.realtime_runtime),
            ("realtimePeriod", cpu.realtime_period as i64),
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
    if let Some(network) = &resources.network {
        let mut part = numbers(&[("classID", i64::from(network.class_id))]);
        if !network.priorities.is_empty() {
            let list = network.priorities.iter();
            part["priorities"] = list
                .map(|entry| json!({"name": entry.name, "priority": entry.priority}))
                .collect();
        }
        json.insert("network".into(), part);
    }
    Value::Object(json)
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
            resources(&part),
            json!({
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
            network: Some(grpc::LinuxNetwork {
                class_id: 3,
                priorities: vec![grpc::LinuxInterfacePriority {
                    name: "eth0".into(),
                    priority: 2,
                }],
            }),
            ..Default::default()
        };
        let device = |rate: u32| json!([{"major": 8, "minor": 1, "rate": rate}]);
        assert_eq!(
            resources(&part),
            json!({
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
                "network": {"classID": 3, "priorities": [{"name": "eth0", "priority": 2}]},
            })
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
