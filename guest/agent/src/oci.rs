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
    json.insert("process".into(), self::process(process)?);
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

fn process(process: &grpc::Process) -> Result<Value> {
    let process = complete(process, &grpc::Process::default())?;
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
    let user = process.user.unwrap_or_default();
    json.insert(
        "user".into(),
        json!({"uid": user.uid, "gid": user.gid, "additionalGids": user.additional_gids}),
    );
    json.insert("args".into(), json!(process.args));
    json.insert("env".into(), json!(process.env));
    json.insert("cwd".into(), json!(process.cwd));
    if let Some(capabilities) = &process.capabilities {
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
    let limit = |limit: &grpc::PosixRlimit| json!({"type": limit.r#type, "hard": limit.hard, "soft": limit.soft});
    json.insert(
        "rlimits".into(),
        process.rlimits.iter().map(limit).collect(),
    );
    json.insert("noNewPrivileges".into(), json!(process.no_new_privileges));
    if process.oom_score_adj != 0 {
        json.insert("oomScoreAdj".into(), json!(process.oom_score_adj));
    }
    Ok(Value::Object(json))
}

/// A process with all that it lacks. `base` is the container's own: hosts that speak Kata 1.x send
/// an exec without its privileges and limits, and the guest takes those of the container.
pub fn complete(process: &grpc::Process, base: &grpc::Process) -> Result<grpc::Process> {
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
    let mut process = process.clone();
    if process.cwd.is_empty() {
        process.cwd = "/".into();
    }
    if process.env.is_empty() {
        process.env = base.env.clone();
    }
    if process.capabilities.is_none() {
        process.capabilities = base.capabilities.clone();
    }
    process.rlimits = rlimits(&process.rlimits, &base.rlimits);
    process.no_new_privileges |= base.no_new_privileges;
    if process.oom_score_adj == 0 {
        process.oom_score_adj = base.oom_score_adj;
    }
    Ok(process)
}

/// A type that a process does not name is that of its container.
fn rlimits(own: &[grpc::PosixRlimit], inherited: &[grpc::PosixRlimit]) -> Vec<grpc::PosixRlimit> {
    let named = |kind: &str| own.iter().any(|limit| limit.r#type == kind);
    let inherited = inherited.iter().filter(|limit| !named(&limit.r#type));
    let mut limits: Vec<grpc::PosixRlimit> = own.iter().chain(inherited).cloned().collect();
    if !limits.iter().any(|limit| limit.r#type == "RLIMIT_NOFILE") {
        limits.push(grpc::PosixRlimit {
            r#type: "RLIMIT_NOFILE".into(),
            hard: NOFILE_HARD,
            soft: NOFILE_SOFT,
        });
    }
    limits
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
            super::process(&process).unwrap(),
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
            env: vec!["A=1".into()],
            ..sh()
        };
        let exec = complete(&sh(), &base).unwrap();
        assert_eq!(exec.capabilities, base.capabilities);
        assert_eq!(exec.rlimits[0], base.rlimits[0]);
        assert!(exec.no_new_privileges);
        assert_eq!(exec.oom_score_adj, 100);
        assert_eq!(exec.env, ["A=1"]);
        let limit = |kind: &str, value| grpc::PosixRlimit {
            r#type: kind.into(),
            hard: value,
            soft: value,
        };
        let own = grpc::Process {
            capabilities: Some(Default::default()),
            rlimits: vec![limit("RLIMIT_NPROC", 5), limit("RLIMIT_CORE", 0)],
            oom_score_adj: 7,
            env: vec!["B=2".into()],
            ..sh()
        };
        let exec = complete(&own, &base).unwrap();
        assert_eq!(exec.capabilities, own.capabilities);
        assert_eq!(exec.oom_score_adj, 7);
        assert_eq!(exec.env, ["B=2"]);
        let base = grpc::Process {
            rlimits: vec![limit("RLIMIT_NPROC", 9), limit("RLIMIT_NOFILE", 8)],
            ..base
        };
        assert_eq!(
            complete(&own, &base).unwrap().rlimits,
            [
                limit("RLIMIT_NPROC", 5),
                limit("RLIMIT_CORE", 0),
                limit("RLIMIT_NOFILE", 8)
            ]
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
