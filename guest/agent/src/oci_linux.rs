// SPDX-License-Identifier: Apache-2.0
//! The Linux part of the OCI specification, see `oci`.

use crate::namespace::Shared;
use crate::oci::put_list;
use crate::paths;
use crate::proto::grpc;
use crate::status::{Result, Status};
use serde_json::{json, Map, Value};

pub fn linux(linux: &grpc::Linux, id: &str, shared: Option<&Shared>) -> Result<Value> {
    let mut json = Map::new();
    json.insert(
        "cgroupsPath".into(),
        json!(cgroup_path(&linux.cgroups_path, id)?),
    );
    json.insert("namespaces".into(), namespaces(linux, shared)?);
    for (key, list) in [
        ("uidMappings", &linux.uid_mappings),
        ("gidMappings", &linux.gid_mappings),
    ] {
        put_list(&mut json, key, !list.is_empty(), || {
            list.iter()
                .map(
                    |m| json!({"hostID": m.host_id, "containerID": m.container_id, "size": m.size}),
                )
                .collect()
        });
    }
    let own: Map<String, Value> = linux
        .sysctl
        .iter()
        .filter(|(key, _)| !is_network_sysctl(key))
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    put_list(&mut json, "sysctl", !own.is_empty(), || Value::Object(own));
    put_list(&mut json, "devices", !linux.devices.is_empty(), || {
        linux.devices.iter().map(device).collect()
    });
    if let Some(resources) = &linux.resources {
        json.insert("resources".into(), self::resources(resources));
    }
    if let Some(seccomp) = &linux.seccomp {
        json.insert("seccomp".into(), self::seccomp(seccomp));
    }
    for (key, list) in [
        ("maskedPaths", &linux.masked_paths),
        ("readonlyPaths", &linux.readonly_paths),
    ] {
        put_list(&mut json, key, !list.is_empty(), || json!(list));
    }
    put_list(
        &mut json,
        "rootfsPropagation",
        !linux.rootfs_propagation.is_empty(),
        || json!(linux.rootfs_propagation),
    );
    Ok(Value::Object(json))
}

/// There is no network namespace in the guest, so such a setting is the agent's to make.
pub fn is_network_sysctl(key: &str) -> bool {
    key.starts_with("net.") || key.starts_with("net/")
}

/// The path below the root of the cgroup tree; systemd's `slice:prefix:name` is `/prefix/name`.
pub fn cgroup_path(wanted: &str, id: &str) -> Result<String> {
    let parts: Vec<&str> = wanted.split(':').collect();
    let path = match parts[..] {
        [""] => format!("/{id}"),
        [_, prefix, name] => format!("/{prefix}/{name}"),
        _ if wanted.starts_with('/') => wanted.to_string(),
        _ => format!("/{wanted}"),
    };
    if paths::is_plain(&path) && path.len() > 1 {
        Ok(path)
    } else {
        Err(Status::invalid(format!(
            "cgroup path {wanted:?} is not usable"
        )))
    }
}

fn namespaces(linux: &grpc::Linux, shared: Option<&Shared>) -> Result<Value> {
    let mut list = vec![json!({"type": "pid"}), json!({"type": "mount"})];
    if let Some(shared) = shared {
        list.push(json!({"type": "ipc", "path": shared.ipc}));
        list.push(json!({"type": "uts", "path": shared.uts}));
    }
    for namespace in &linux.namespaces {
        match namespace.r#type.as_str() {
            "pid" if !namespace.path.is_empty() => {
                return Err(Status::unimplemented(
                    "joining a pid namespace is not supported",
                ))
            }
            // The network is the sandbox's; the others are listed above.
            "pid" | "mount" | "ipc" | "uts" | "network" => (),
            kind @ ("cgroup" | "user") => list.push(json!({ "type": kind })),
            other => {
                return Err(Status::invalid(format!(
                    "namespace type {other:?} is unknown"
                )));
            }
        }
    }
    Ok(Value::Array(list))
}

fn device(device: &grpc::LinuxDevice) -> Value {
    let mut json = Map::new();
    json.insert("path".into(), json!(device.path));
    json.insert("type".into(), json!(device.r#type));
    json.insert("major".into(), json!(device.major));
    json.insert("minor".into(), json!(device.minor));
    json.insert("uid".into(), json!(device.uid));
    json.insert("gid".into(), json!(device.gid));
    // The type bits are Go's, not the kernel's.
    let mode = device.file_mode & 0o7777;
    put_list(&mut json, "fileMode", mode != 0, || json!(mode));
    Value::Object(json)
}

fn resources(resources: &grpc::LinuxResources) -> Value {
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

fn seccomp(seccomp: &grpc::LinuxSeccomp) -> Value {
    let syscalls: Value = seccomp
        .syscalls
        .iter()
        .map(|call| {
            let mut json = Map::new();
            json.insert("names".into(), json!(call.names));
            json.insert("action".into(), json!(call.action));
            put_list(&mut json, "args", !call.args.is_empty(), || {
                let args = call.args.iter();
                args.map(|arg| {
                    json!({"index": arg.index, "value": arg.value,
                           "valueTwo": arg.value_two, "op": arg.op})
                })
                .collect()
            });
            Value::Object(json)
        })
        .collect();
    let mut json = Map::new();
    json.insert("defaultAction".into(), json!(seccomp.default_action));
    put_list(
        &mut json,
        "architectures",
        !seccomp.architectures.is_empty(),
        || json!(seccomp.architectures),
    );
    json.insert("syscalls".into(), syscalls);
    Value::Object(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Code;

    fn convert(part: grpc::Linux) -> Value {
        linux(&part, "c", None).unwrap()
    }

    fn namespace(kind: &str, path: &str) -> grpc::LinuxNamespace {
        grpc::LinuxNamespace {
            r#type: kind.into(),
            path: path.into(),
        }
    }

    #[test]
    fn cgroup_paths() {
        assert_eq!(cgroup_path("", "c").unwrap(), "/c");
        assert_eq!(cgroup_path("/a/b", "c").unwrap(), "/a/b");
        assert_eq!(cgroup_path("a", "c").unwrap(), "/a");
        assert_eq!(
            cgroup_path("system.slice:docker:x", "c").unwrap(),
            "/docker/x"
        );
        for bad in ["/", "..", "/a/../..", "s:..:x", "a:b"] {
            let result = cgroup_path(bad, "c");
            assert!(result.is_err() || !result.unwrap().contains(".."), "{bad}");
        }
        assert!(cgroup_path("/a/../..", "c").is_err());
    }

    #[test]
    fn ipc_and_uts_are_joined_and_the_network_is_never_made() {
        let shared = Shared {
            ipc: "/ns/ipc".into(),
            uts: "/ns/uts".into(),
        };
        let part = grpc::Linux {
            namespaces: ["pid", "network", "ipc", "uts", "mount", "cgroup"]
                .map(|kind| namespace(kind, ""))
                .to_vec(),
            ..Default::default()
        };
        assert_eq!(
            linux(&part, "c", Some(&shared)).unwrap()["namespaces"],
            json!([
                {"type": "pid"}, {"type": "mount"},
                {"type": "ipc", "path": "/ns/ipc"}, {"type": "uts", "path": "/ns/uts"},
                {"type": "cgroup"},
            ])
        );
    }

    #[test]
    fn unsupported_namespaces_are_refused() {
        for (kind, path, code) in [
            ("pid", "/proc/1/ns/pid", Code::Unimplemented),
            ("odd", "", Code::InvalidArgument),
        ] {
            let part = grpc::Linux {
                namespaces: vec![namespace(kind, path)],
                ..Default::default()
            };
            assert_eq!(linux(&part, "c", None).unwrap_err().code, code);
        }
    }

    #[test]
    fn zero_is_unset_in_resources() {
        let part = grpc::Linux {
            resources: Some(grpc::LinuxResources {
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
            }),
            ..Default::default()
        };
        assert_eq!(
            convert(part)["resources"],
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
        let part = grpc::Linux {
            resources: Some(grpc::LinuxResources {
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
            }),
            ..Default::default()
        };
        let device = |rate: u32| json!([{"major": 8, "minor": 1, "rate": rate}]);
        assert_eq!(
            convert(part)["resources"],
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

    #[test]
    fn devices_seccomp_paths_and_sysctls() {
        let part = grpc::Linux {
            sysctl: [("net.ipv4.ip_forward", "1"), ("kernel.shmmax", "2")]
                .map(|(key, value)| (key.to_string(), value.to_string()))
                .into(),
            devices: vec![grpc::LinuxDevice {
                path: "/dev/x".into(),
                r#type: "c".into(),
                major: 1,
                minor: 0,
                file_mode: 0o20_000_666,
                ..Default::default()
            }],
            seccomp: Some(grpc::LinuxSeccomp {
                default_action: "SCMP_ACT_ERRNO".into(),
                architectures: vec!["SCMP_ARCH_X86_64".into()],
                syscalls: vec![grpc::LinuxSyscall {
                    names: vec!["read".into()],
                    action: "SCMP_ACT_ALLOW".into(),
                    args: vec![grpc::LinuxSeccompArg {
                        index: 1,
                        value: 2,
                        value_two: 3,
                        op: "SCMP_CMP_EQ".into(),
                    }],
                }],
            }),
            masked_paths: vec!["/m".into()],
            readonly_paths: vec!["/r".into()],
            rootfs_propagation: "rslave".into(),
            ..Default::default()
        };
        assert_eq!(
            convert(part),
            json!({
                "cgroupsPath": "/c",
                "namespaces": [{"type": "pid"}, {"type": "mount"}],
                "sysctl": {"kernel.shmmax": "2"},
                "devices": [{"path": "/dev/x", "type": "c", "major": 1, "minor": 0,
                             "uid": 0, "gid": 0, "fileMode": 0o666}],
                "seccomp": {
                    "defaultAction": "SCMP_ACT_ERRNO",
                    "architectures": ["SCMP_ARCH_X86_64"],
                    "syscalls": [{
                        "names": ["read"], "action": "SCMP_ACT_ALLOW",
                        "args": [{"index": 1, "value": 2, "valueTwo": 3, "op": "SCMP_CMP_EQ"}],
                    }],
                },
                "maskedPaths": ["/m"],
                "readonlyPaths": ["/r"],
                "rootfsPropagation": "rslave",
            })
        );
    }
}
