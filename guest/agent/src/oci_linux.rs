// SPDX-License-Identifier: Apache-2.0
//! The Linux part of the OCI specification, see `oci`.

use crate::namespace::Shared;
use crate::oci::put_list;
use crate::oci_resources;
use crate::paths;
use crate::proto::grpc;
use crate::status::{Result, Status};
use serde_json::{json, Map, Value};

pub fn linux(linux: &grpc::Linux, id: &str, shared: Option<&Shared>) -> Result<Value> {
    if !(linux.uid_mappings.is_empty() && linux.gid_mappings.is_empty()) {
        return Err(Status::unimplemented(
            "linux.uidMappings, linux.gidMappings: there are no user namespaces in the guest",
        ));
    }
    let mut json = Map::new();
    json.insert(
        "cgroupsPath".into(),
        json!(cgroup_path(&linux.cgroups_path, id)?),
    );
    json.insert("namespaces".into(), namespaces(linux, shared)?);
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
    let none = grpc::LinuxResources::default();
    let resources = linux.resources.as_ref().unwrap_or(&none);
    json.insert("resources".into(), oci_resources::resources(resources)?);
    if let Some(seccomp) = &linux.seccomp {
        json.insert("seccomp".into(), self::seccomp(seccomp)?);
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
    let pid = match shared.and_then(|shared| shared.pid.as_ref()) {
        Some(path) => json!({"type": "pid", "path": path}),
        None => json!({"type": "pid"}),
    };
    let mut list = vec![pid, json!({"type": "mount"})];
    if let Some(shared) = shared {
        list.push(json!({"type": "ipc", "path": shared.ipc}));
        list.push(json!({"type": "uts", "path": shared.uts}));
    }
    for namespace in &linux.namespaces {
        match namespace.r#type.as_str() {
            "pid" if !namespace.path.is_empty() => {
                return Err(Status::unimplemented(
                    "linux.namespaces: joining a pid namespace is not supported",
                ))
            }
            // The network is the sandbox's; the others are listed above.
            "pid" | "mount" | "ipc" | "uts" | "network" => (),
            "cgroup" => list.push(json!({"type": "cgroup"})),
            other => {
                return Err(Status::unimplemented(format!(
                    "linux.namespaces: type {other:?} is not supported"
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

/// The host puts the error number of an action, which has no field, behind it: `SCMP_ACT_ERRNO=38`.
fn put_action(json: &mut Map<String, Value>, keys: [&str; 2], action: &str) -> Result<()> {
    let (name, number) = match action.split_once('=') {
        Some((name, number)) => (name, Some(number)),
        None => (action, None),
    };
    if name == "SCMP_ACT_NOTIFY" {
        return Err(Status::unimplemented(
            "linux.seccomp: SCMP_ACT_NOTIFY is not supported: nobody in the guest can be asked",
        ));
    }
    json.insert(keys[0].into(), json!(name));
    if let Some(number) = number {
        let number: u16 = number
            .parse()
            .map_err(|_| Status::invalid(format!("linux.seccomp: action {action:?}")))?;
        json.insert(keys[1].into(), json!(number));
    }
    Ok(())
}

fn seccomp(seccomp: &grpc::LinuxSeccomp) -> Result<Value> {
    let syscalls = seccomp
        .syscalls
        .iter()
        .map(|call| {
            let mut json = Map::new();
            json.insert("names".into(), json!(call.names));
            put_action(&mut json, ["action", "errnoRet"], &call.action)?;
            put_list(&mut json, "args", !call.args.is_empty(), || {
                let args = call.args.iter();
                args.map(|arg| {
                    json!({"index": arg.index, "value": arg.value,
                           "valueTwo": arg.value_two, "op": arg.op})
                })
                .collect()
            });
            Ok(Value::Object(json))
        })
        .collect::<Result<Value>>()?;
    let mut json = Map::new();
    let keys = ["defaultAction", "defaultErrnoRet"];
    put_action(&mut json, keys, &seccomp.default_action)?;
    put_list(
        &mut json,
        "architectures",
        !seccomp.architectures.is_empty(),
        || json!(seccomp.architectures),
    );
    json.insert("syscalls".into(), syscalls);
    Ok(Value::Object(json))
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
        let shared = Shared::at(std::path::Path::new("/ns"));
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
            ("time", "", Code::Unimplemented),
            ("user", "", Code::Unimplemented),
        ] {
            let part = grpc::Linux {
                namespaces: vec![namespace(kind, path)],
                ..Default::default()
            };
            assert_eq!(linux(&part, "c", None).unwrap_err().code, code);
        }
    }

    #[test]
    fn mappings_of_ids_are_refused() {
        let mapping = vec![grpc::LinuxIdMapping::default()];
        for part in [
            grpc::Linux {
                uid_mappings: mapping.clone(),
                ..Default::default()
            },
            grpc::Linux {
                gid_mappings: mapping,
                ..Default::default()
            },
        ] {
            assert_eq!(
                linux(&part, "c", None).unwrap_err().code,
                Code::Unimplemented
            );
        }
    }

    #[test]
    fn nobody_is_there_to_be_notified() {
        let part = grpc::LinuxSeccomp {
            default_action: "SCMP_ACT_ALLOW".into(),
            syscalls: vec![grpc::LinuxSyscall {
                action: "SCMP_ACT_NOTIFY".into(),
                ..Default::default()
            }],
            ..Default::default()
        };
        assert_eq!(seccomp(&part).unwrap_err().code, Code::Unimplemented);
    }

    #[test]
    fn an_error_number_that_is_none_is_refused() {
        for bad in ["SCMP_ACT_ERRNO=", "SCMP_ACT_ERRNO=x", "SCMP_ACT_ERRNO=-1"] {
            let part = grpc::LinuxSeccomp {
                default_action: bad.into(),
                ..Default::default()
            };
            assert_eq!(seccomp(&part).unwrap_err().code, Code::InvalidArgument);
        }
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
                default_action: "SCMP_ACT_ERRNO=38".into(),
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
                "resources": {"devices": [{"allow": false, "access": "rwm"}]},
                "sysctl": {"kernel.shmmax": "2"},
                "devices": [{"path": "/dev/x", "type": "c", "major": 1, "minor": 0,
                             "uid": 0, "gid": 0, "fileMode": 0o666}],
                "seccomp": {
                    "defaultAction": "SCMP_ACT_ERRNO",
                    "defaultErrnoRet": 38,
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
