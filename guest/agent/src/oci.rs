// SPDX-License-Identifier: Apache-2.0
//! The OCI specification as the runtime reads it (JSON), from the message that the host sends.
//!
//! The message has lost the difference between zero and absent: zero is taken as absent. Some parts
//! are decided by the guest: the hostname and the IPC and UTS namespaces are the sandbox's; security
//! labels are dropped, since no policy is ever loaded in the guest; hooks are the host's business.
//! What would change a container and cannot be had is refused by its name in the specification.

use crate::namespace::Shared;
use crate::oci_linux;
use crate::proto::grpc;
use crate::status::{Result, Status};
use serde_json::{json, Map, Value};

/// What systemd gives its services; inherited limits would be those of the agent.
const NOFILE_SOFT: u64 = 1024;
const NOFILE_HARD: u64 = 524_288;

pub fn container_spec(spec: &grpc::Spec, id: &str, shared: Option<&Shared>) -> Result<Value> {
    let process = spec
        .process
        .as_ref()
        .ok_or_else(|| Status::invalid("the specification has no process"))?;
    let root = spec
        .root
        .as_ref()
        .filter(|root| !root.path.is_empty())
        .ok_or_else(|| Status::invalid("the specification has no root path"))?;
    if let Some(hooks) = &spec.hooks {
        if !(hooks.prestart.is_empty() && hooks.poststart.is_empty() && hooks.poststop.is_empty()) {
            return Err(Status::invalid("hooks must be run by the host"));
        }
    }
    let version = match spec.version.as_str() {
        "" => "1.0.0",
        version => version,
    };
    let mut json = Map::new();
    json.insert("ociVersion".into(), json!(version));
    json.insert("process".into(), self::process(process, None)?);
    json.insert(
        "root".into(),
        json!({"path": root.path, "readonly": root.readonly}),
    );
    json.insert(
        "mounts".into(),
        spec.mounts.iter().map(mount).collect::<Result<Value>>()?,
    );
    put_list(
        &mut json,
        "annotations",
        !spec.annotations.is_empty(),
        || json!(spec.annotations),
    );
    let default = grpc::Linux::default();
    let linux = spec.linux.as_ref().unwrap_or(&default);
    json.insert("linux".into(), oci_linux::linux(linux, id, shared)?);
    Ok(Value::Object(json))
}

/// `base` is the container's own process: hosts that speak Kata 1.x send an exec without its
/// privileges and limits, and the guest takes those of the container.
pub fn process(process: &grpc::Process, base: Option<&grpc::Process>) -> Result<Value> {
    if process.args.first().map_or(true, String::is_empty) {
        return Err(Status::invalid("the process has no command"));
    }
    let strings = process
        .args
        .iter()
        .chain(&process.env)
        .chain([&process.cwd]);
    if strings.into_iter().any(|text| text.contains('\0')) {
        return Err(Status::invalid("the process has a NUL in its command"));
    }
    let user = process.user.clone().unwrap_or_default();
    let cwd = match process.cwd.as_str() {
        "" => "/",
        cwd => cwd,
    };
    let mut json = Map::new();
    json.insert("terminal".into(), json!(process.terminal));
    if let Some(size) = &process.console_size {
        if process.terminal && size.height > 0 && size.width > 0 {
            json.insert(
                "consoleSize".into(),
                json!({"height": size.height, "width": size.width}),
            );
        }
    }
    json.insert(
        "user".into(),
        json!({"uid": user.uid, "gid": user.gid, "additionalGids": user.additional_gids}),
    );
    json.insert("args".into(), json!(process.args));
    json.insert("env".into(), json!(process.env));
    json.insert("cwd".into(), json!(cwd));
    let inherited = base.and_then(|base| base.capabilities.as_ref());
    if let Some(capabilities) = process.capabilities.as_ref().or(inherited) {
        json.insert(
            "capabilities".into(),
            json!({
                "bounding": capabilities.bounding,
                "effective": capabilities.effective,
                "inheritable": capabilities.inheritable,
                "permitted": capabilities.permitted,
                "ambient": capabilities.ambient,
            }),
        );
    }
    let inherited = base.map_or(&[][..], |base| &base.rlimits);
    json.insert("rlimits".into(), rlimits(&process.rlimits, inherited));
    let confined = process.no_new_privileges || base.map_or(false, |base| base.no_new_privileges);
    json.insert("noNewPrivileges".into(), json!(confined));
    let inherited = base.map_or(0, |base| base.oom_score_adj);
    let adjustment = Some(process.oom_score_adj).filter(|adjustment| *adjustment != 0);
    let adjustment = adjustment.unwrap_or(inherited);
    if adjustment != 0 {
        json.insert("oomScoreAdj".into(), json!(adjustment));
    }
    Ok(Value::Object(json))
}

/// A type that a process does not name is that of its container.
fn rlimits(own: &[grpc::PosixRlimit], inherited: &[grpc::PosixRlimit]) -> Value {
    let named = |kind: &str| own.iter().any(|limit| limit.r#type == kind);
    let inherited = inherited.iter().filter(|limit| !named(&limit.r#type));
    let limits: Vec<&grpc::PosixRlimit> = own.iter().chain(inherited).collect();
    let mut list: Vec<Value> = limits
        .iter()
        .map(|limit| json!({"type": limit.r#type, "hard": limit.hard, "soft": limit.soft}))
        .collect();
    if !limits.iter().any(|limit| limit.r#type == "RLIMIT_NOFILE") {
        list.push(json!({"type": "RLIMIT_NOFILE", "hard": NOFILE_HARD, "soft": NOFILE_SOFT}));
    }
    Value::Array(list)
}

fn mount(mount: &grpc::Mount) -> Result<Value> {
    if !mount.destination.starts_with('/') {
        return Err(Status::invalid(format!(
            "mount destination {:?} must be absolute",
            mount.destination
        )));
    }
    let mut json = Map::new();
    json.insert("destination".into(), json!(mount.destination));
    for (key, value) in [("source", &mount.source), ("type", &mount.r#type)] {
        if !value.is_empty() {
            json.insert(key.into(), json!(value));
        }
    }
    if !mount.options.is_empty() {
        json.insert("options".into(), json!(mount.options));
    }
    Ok(Value::Object(json))
}

/// Inserts the value only if it is present.
pub fn put_list(
    json: &mut Map<String, Value>,
    key: &str,
    present: bool,
    value: impl FnOnce() -> Value,
) {
    if present {
        json.insert(key.into(), value());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Code;

    fn sh() -> grpc::Process {
        grpc::Process {
            args: vec!["sh".into()],
            ..Default::default()
        }
    }

    fn spec() -> grpc::Spec {
        grpc::Spec {
            process: Some(sh()),
            root: Some(grpc::Root {
                path: "/rootfs".into(),
                readonly: true,
            }),
            hostname: "ignored".into(),
            ..Default::default()
        }
    }

    #[test]
    fn a_minimal_specification() {
        let json = container_spec(&spec(), "c1", None).unwrap();
        assert_eq!(
            json,
            json!({
                "ociVersion": "1.0.0",
                "process": {
                    "terminal": false,
                    "user": {"uid": 0, "gid": 0, "additionalGids": []},
                    "args": ["sh"],
                    "env": [],
                    "cwd": "/",
                    "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 524288, "soft": 1024}],
                    "noNewPrivileges": false,
                },
                "root": {"path": "/rootfs", "readonly": true},
                "mounts": [],
                "linux": {
                    "cgroupsPath": "/c1",
                    "namespaces": [{"type": "pid"}, {"type": "mount"}],
                    "resources": {"devices": [{"allow": false, "access": "rwm"}]},
                },
            })
        );
    }

    #[test]
    fn every_field_of_a_process_arrives() {
        let process = grpc::Process {
            terminal: true,
            console_size: Some(grpc::Box {
                height: 24,
                width: 80,
            }),
            user: Some(grpc::User {
                uid: 1,
                gid: 2,
                additional_gids: vec![3, 4],
                username: "ignored".into(),
            }),
            args: vec!["a".into(), "".into()],
            env: vec!["K=V".into()],
            cwd: "/tmp".into(),
            capabilities: Some(grpc::LinuxCapabilities {
                bounding: vec!["CAP_KILL".into()],
                ..Default::default()
            }),
            rlimits: vec![grpc::PosixRlimit {
                r#type: "RLIMIT_NOFILE".into(),
                hard: u64::MAX,
                soft: 5,
            }],
            no_new_privileges: true,
            apparmor_profile: "ignored".into(),
            oom_score_adj: -500,
            selinux_label: "ignored".into(),
        };
        assert_eq!(
            super::process(&process, None).unwrap(),
            json!({
                "terminal": true,
                "consoleSize": {"height": 24, "width": 80},
                "user": {"uid": 1, "gid": 2, "additionalGids": [3, 4]},
                "args": ["a", ""],
                "env": ["K=V"],
                "cwd": "/tmp",
                "capabilities": {
                    "bounding": ["CAP_KILL"], "effective": [], "inheritable": [],
                    "permitted": [], "ambient": [],
                },
                "rlimits": [{"type": "RLIMIT_NOFILE", "hard": u64::MAX, "soft": 5}],
                "noNewPrivileges": true,
                "oomScoreAdj": -500,
            })
        );
    }

    #[test]
    fn an_exec_takes_what_it_lacks_from_the_container() {
        let base = grpc::Process {
            capabilities: Some(grpc::LinuxCapabilities {
                effective: vec!["CAP_KILL".into()],
                ..Default::default()
            }),
            no_new_privileges: true,
            rlimits: vec![grpc::PosixRlimit {
                r#type: "RLIMIT_NPROC".into(),
                hard: 9,
                soft: 9,
            }],
            oom_score_adj: 100,
            ..sh()
        };
        let json = super::process(&sh(), Some(&base)).unwrap();
        assert_eq!(json["capabilities"]["effective"], json!(["CAP_KILL"]));
        assert_eq!(json["rlimits"][0]["type"], "RLIMIT_NPROC");
        assert_eq!(json["noNewPrivileges"], true);
        assert_eq!(json["oomScoreAdj"], 100);
        let limit = |kind: &str, value| grpc::PosixRlimit {
            r#type: kind.into(),
            hard: value,
            soft: value,
        };
        let own = grpc::Process {
            capabilities: Some(Default::default()),
            rlimits: vec![limit("RLIMIT_NPROC", 5), limit("RLIMIT_CORE", 0)],
            oom_score_adj: 7,
            ..sh()
        };
        let json = super::process(&own, Some(&base)).unwrap();
        assert_eq!(json["capabilities"]["effective"], json!([]));
        assert_eq!(json["oomScoreAdj"], 7);
        let base = grpc::Process {
            rlimits: vec![limit("RLIMIT_NPROC", 9), limit("RLIMIT_NOFILE", 8)],
            ..base
        };
        assert_eq!(
            super::process(&own, Some(&base)).unwrap()["rlimits"],
            json!([
                {"type": "RLIMIT_NPROC", "hard": 5, "soft": 5},
                {"type": "RLIMIT_CORE", "hard": 0, "soft": 0},
                {"type": "RLIMIT_NOFILE", "hard": 8, "soft": 8},
            ])
        );
    }

    #[test]
    fn incomplete_specifications_are_invalid_arguments() {
        let code = |spec: &grpc::Spec| container_spec(spec, "c", None).unwrap_err().code;
        let mut no_process = spec();
        no_process.process = None;
        let mut no_root = spec();
        no_root.root = None;
        let mut no_args = spec();
        no_args.process = Some(grpc::Process::default());
        let mut nul = spec();
        nul.process = Some(grpc::Process {
            args: vec!["a\0b".into()],
            ..Default::default()
        });
        let mut hooks = spec();
        hooks.hooks = Some(grpc::Hooks {
            prestart: vec![Default::default()],
            ..Default::default()
        });
        let mut mounts = spec();
        mounts.mounts = vec![grpc::Mount::default()];
        for bad in [
            no_process,
            no_root,
            no_args,
            nul,
            hooks,
            mounts,
            Default::default(),
        ] {
            assert_eq!(code(&bad), Code::InvalidArgument);
        }
    }

    #[test]
    fn mounts_keep_their_parts() {
        let mut with_mount = spec();
        with_mount.mounts = vec![grpc::Mount {
            destination: "/proc".into(),
            source: "proc".into(),
            r#type: "proc".into(),
            options: vec!["nosuid".into()],
        }];
        let json = container_spec(&with_mount, "c", None).unwrap();
        assert_eq!(
            json["mounts"],
            json!([{"destination": "/proc", "source": "proc", "type": "proc", "options": ["nosuid"]}])
        );
    }
}
