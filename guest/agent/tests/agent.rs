// SPDX-License-Identifier: Apache-2.0
//! The life of containers and processes, with a shell script in place of the OCI runtime: no root
//! and no VM are needed, and the processes and pipes are real.

mod common;

use common::{frame, port, Client, Host};
use futures_util::FutureExt;
use prost::Message;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use virtcontainers_agent::config::Config;
use virtcontainers_agent::proto::grpc::*;
use virtcontainers_agent::proto::virtcontainers::RenewSandboxRequest;
use virtcontainers_agent::sandbox::Agent;
use virtcontainers_agent::server;

/// Understands the arguments that the agent uses, and runs the script that `args` ends with.
const RUNTIME: &str = r#"#!/bin/sh
log=$2; shift 4; action=$1; shift
while [ $# -gt 1 ]; do
    case $1 in
        --bundle) json=$2/config.json; shift ;;
        --pid-file) pid_file=$2; shift ;;
    esac
    shift
done
fifo=STATE/$1/exec.fifo
case $action in
    delete) rm -rf "STATE/$1"; exit 0 ;;
    start) echo 0 > "$fifo"; rm "$fifo"; exit 0 ;;
esac
program=$(sed -n 's/.*"args":\["[^"]*","\([^"]*\)".*/\1/p' "$json")
if [ ! -f "$program" ]; then
    echo "executable file \`$program\` not found in \$PATH: No such file or directory" >> "$log"
    exit 1
fi
exec 3<&0
mkdir -p "STATE/$1"
mkfifo "$fifo"
( read go < "$fifo"; exec sh "$program" <&3 3<&- ) &
echo $! > "$pid_file"
"#;

struct Guest {
    host: Host,
    agent: Arc<Agent>,
    root: PathBuf,
}

impl Guest {
    fn boot() -> Guest {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // The containers' processes are then reparented to us, as they are to PID 1 in a guest.
        // SAFETY: the call sets a flag of the process and touches no memory.
        unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) };
        let root = std::env::temp_dir().join(format!(
            "virtcontainers-guest-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        for directory in ["shared/rootfs", "private"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        let runtime = root.join("runtime");
        let state = root.join("state");
        fs::write(&runtime, RUNTIME.replace("STATE", state.to_str().unwrap())).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o755)).unwrap();
        let config = Config {
            guest: false,
            runtime,
            runtime_state: state,
            root: root.join("shared"),
            private: root.join("private"),
            cgroup: root.join("cgroup"),
            ..Config::guest()
        };
        let (_, boot) = watch::channel(Some(Ok(())));
        let agent = Arc::new(Agent::new(config, boot).unwrap());
        let host = plug(&agent);
        Guest { host, agent, root }
    }

    async fn client(&self) -> Client {
        Client::over(self.host.connect()).await
    }

    fn process(&self, name: &str, script: &str) -> Process {
        let file = self.root.join(name);
        fs::write(&file, script).unwrap();
        Process {
            args: vec!["/bin/sh".into(), file.to_str().unwrap().into()],
            ..Default::default()
        }
    }

    fn container(&self, id: &str, script: &str) -> CreateContainerRequest {
        CreateContainerRequest {
            container_id: id.into(),
            exec_id: id.into(),
            oci: Some(Spec {
                process: Some(self.process(&format!("{id}.sh"), script)),
                root: Some(Root {
                    path: self.root.join("shared/rootfs").to_str().unwrap().into(),
                    readonly: false,
                }),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    async fn run(&self, client: &Client, id: &str, script: &str) {
        call(client, "CreateContainer", self.container(id, script)).await;
        call(client, "StartContainer", start(id)).await;
    }

    async fn exec(&self, client: &Client, id: &str, exec: &str, script: &str) {
        let request = ExecProcessRequest {
            container_id: id.into(),
            exec_id: exec.into(),
            process: Some(self.process(&format!("{id}.{exec}.sh"), script)),
            ..Default::default()
        };
        call(client, "ExecProcess", request).await;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// A further port of the same agent.
fn plug(agent: &Arc<Agent>) -> Host {
    let (port, host) = port();
    tokio::spawn(server::serve(port, agent.clone()));
    host
}

async fn call(client: &Client, method: &str, request: impl Message) {
    client.call::<()>(method, request).await.unwrap();
}

async fn code(client: &Client, method: &str, request: impl Message) -> u32 {
    client.call::<()>(method, request).await.unwrap_err().code
}

async fn sandbox(client: &Client) {
    call(client, "CreateSandbox", CreateSandboxRequest::default()).await;
}

fn start(id: &str) -> StartContainerRequest {
    StartContainerRequest {
        container_id: id.into(),
    }
}

fn remove(id: &str) -> RemoveContainerRequest {
    RemoveContainerRequest {
        container_id: id.into(),
        timeout: 0,
    }
}

fn signal(id: &str, exec: &str, signal: i32) -> SignalProcessRequest {
    SignalProcessRequest {
        container_id: id.into(),
        exec_id: exec.into(),
        signal: signal as u32,
    }
}

fn read(id: &str, exec: &str) -> ReadStreamRequest {
    ReadStreamRequest {
        container_id: id.into(),
        exec_id: exec.into(),
        len: 1 << 20,
    }
}

async fn wait(client: &Client, id: &str, exec: &str) -> i32 {
    let request = WaitProcessRequest {
        container_id: id.into(),
        exec_id: exec.into(),
    };
    let answer: WaitProcessResponse = client.call("WaitProcess", request).await.unwrap();
    answer.status
}

async fn read_all(client: &Client, method: &str, id: &str, exec: &str) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match client
            .call::<ReadStreamResponse>(method, read(id, exec))
            .await
        {
            Ok(answer) => all.extend_from_slice(&answer.data),
            Err(end) => {
                assert_eq!((end.code, end.message.as_str()), (11, "EOF"));
                return all;
            }
        }
    }
}

#[tokio::test]
async fn a_container_runs_from_creation_to_removal() {
    let guest = Guest::boot();
    let client = guest.client().await;
    sandbox(&client).await;
    let request = guest.container("c", "echo out; echo err >&2; exit 7");
    call(&client, "CreateContainer", request.clone()).await;
    assert_eq!(code(&client, "CreateContainer", request).await, 6);
    call(&client, "StartContainer", start("c")).await;
    let (first, second) = tokio::join!(wait(&client, "c", "c"), wait(&client, "c", "c"));
    assert_eq!((first, second, wait(&client, "c", "").await), (7, 7, 7));
    assert_eq!(read_all(&client, "ReadStdout", "c", "c").await, b"out\n");
    assert_eq!(read_all(&client, "ReadStderr", "c", "c").await, b"err\n");
    call(&client, "SignalProcess", signal("c", "", libc::SIGTERM)).await;
    assert_eq!(code(&client, "StartContainer", start("c")).await, 9);
    call(&client, "RemoveContainer", remove("c")).await;
    assert_eq!(code(&client, "RemoveContainer", remove("c")).await, 5);
    assert!(!guest.root.join("shared/containers/c").exists());
}

#[tokio::test]
async fn a_running_container_is_killed_by_its_removal() {
    let guest = Guest::boot();
    let client = guest.client().await;
    sandbox(&client).await;
    guest.run(&client, "c", "exec sleep 1000").await;
    let waiter = wait(&client, "c", "c");
    let removal = call(&client, "RemoveContainer", remove("c"));
    assert_eq!(tokio::join!(waiter, removal).0, 137);
}

#[tokio::test]
async fn an_exec_needs_a_running_container_and_a_new_id() {
    let guest = Guest::boot();
    let client = guest.client().await;
    sandbox(&client).await;
    let exec = |id: &str| ExecProcessRequest {
        container_id: "c".into(),
        exec_id: id.into(),
        process: Some(guest.process("exec.sh", "exit 3")),
        ..Default::default()
    };
    assert_eq!(code(&client, "ExecProcess", exec("e")).await, 5);
    call(
        &client,
        "CreateContainer",
        guest.container("c", "exec sleep 1000"),
    )
    .await;
    assert_eq!(code(&client, "ExecProcess", exec("e")).await, 9);
    call(&client, "StartContainer", start("c")).await;
    call(&client, "ExecProcess", exec("e")).await;
    assert_eq!(wait(&client, "c", "e").await, 3);
    assert_eq!(code(&client, "ExecProcess", exec("e")).await, 6);
    assert_eq!(code(&client, "ExecProcess", exec("../e")).await, 3);
    assert_eq!(
        code(&client, "SignalProcess", signal("c", "no", 9)).await,
        5
    );
    assert_eq!(
        code(&client, "SignalProcess", signal("c", "e", 65)).await,
        3
    );
    call(&client, "SignalProcess", signal("c", "c", libc::SIGTERM)).await;
    // Init has no handler, so it gets SIGKILL.
    assert_eq!(wait(&client, "c", "c").await, 137);
    assert_eq!(code(&client, "ExecProcess", exec("f")).await, 9);
}

#[tokio::test]
async fn a_missing_command_is_told_apart_and_leaves_nothing() {
    let guest = Guest::boot();
    let client = guest.client().await;
    sandbox(&client).await;
    let mut request = guest.container("c", "");
    fs::remove_file(guest.root.join("c.sh")).unwrap();
    let failure = client
        .call::<()>("CreateContainer", request.clone())
        .await
        .unwrap_err();
    assert_eq!(failure.code, 5);
    assert_eq!(failure.reason.as_deref(), Some("executable-not-found"));
    assert!(failure.message.contains("c.sh"), "{failure:?}");
    assert!(!guest.root.join("shared/containers/c").exists());
    request.oci = guest.container("c", "exit 0").oci;
    call(&client, "CreateContainer", request).await;
}

#[tokio::test]
async fn a_program_that_cannot_be_executed_is_told_by_its_reason() {
    let guest = Guest::boot();
    let client = guest.client().await;
    sandbox(&client).await;
    guest.run(&client, "c", "exec sleep 1000").await;
    guest.process("plain", "exit 0");
    let root = guest.root.to_str().unwrap();
    for (program, code, reason) in [
        ("no-such-program", 5, "executable-not-found"),
        ("/no/such/program", 5, "executable-not-found"),
        ("/dev/null/x", 5, "executable-not-found"),
        ("plain", 7, "executable-not-permitted"),
        ("/tmp", 7, "executable-not-permitted"),
    ] {
        let request = ExecProcessRequest {
            container_id: "c".into(),
            exec_id: "e".into(),
            process: Some(Process {
                args: vec![program.into()],
                env: vec![format!("PATH=/no/such/directory:{root}")],
                ..Default::default()
            }),
            ..Default::default()
        };
        let failure = client.call::<()>("ExecProcess", request).await.unwrap_err();
        assert_eq!(failure.code, code, "{program}");
        assert_eq!(failure.reason.as_deref(), Some(reason), "{program}");
    }
    // Nothing of them has stayed, the id is free.
    guest.exec(&client, "c", "e", "exit 6").await;
    assert_eq!(wait(&client, "c", "e").await, 6);
}

#[tokio::test]
async fn an_exec_has_its_environment_directory_and_streams() {
    let guest = Guest::boot();
    let client = guest.client().await;
    sandbox(&client).await;
    guest.run(&client, "c", "exec sleep 1000").await;
    let script = "echo $A; pwd; umask; ls /proc/$$/fd | tr '\\n' ' '; trap; echo err >&2";
    let directory = guest.root.join("made/on/the/way");
    let request = ExecProcessRequest {
        container_id: "c".into(),
        exec_id: "e".into(),
        process: Some(Process {
            args: vec!["sh".into(), "-c".into(), script.into()],
            env: vec!["PATH=/usr/bin:/bin".into(), "A=b c".into()],
            cwd: directory.to_str().unwrap().into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    call(&client, "ExecProcess", request).await;
    let expected = format!("b c\n{}\n0022\n0 1 2 ", directory.display());
    let seen = read_all(&client, "ReadStdout", "c", "e").await;
    assert_eq!(String::from_utf8_lossy(&seen), expected);
    assert_eq!(read_all(&client, "ReadStderr", "c", "e").await, b"err\n");
    assert_eq!(wait(&client, "c", "e").await, 0);
}

#[tokio::test]
async fn only_a_sandbox_that_exists_is_renewed() {
    let guest = Guest::boot();
    let client = guest.client().await;
    let named = |hostname: &str| RenewSandboxRequest {
        sandbox_id: "other".into(),
        hostname: hostname.into(),
        ..Default::default()
    };
    let path = "/virtcontainers.GuestService/RenewSandbox";
    let early = client.call::<()>(path, named("other")).await;
    assert_eq!(early.unwrap_err().code, 9);
    sandbox(&client).await;
    client.call::<()>(path, named("other")).await.unwrap();
    let bad = client.call::<()>(path, named("two words")).await;
    assert_eq!(bad.unwrap_err().code, 3);
}

#[tokio::test]
async fn unusable_creations_are_refused() {
    let guest = Guest::boot();
    let client = guest.client().await;
    sandbox(&client).await;
    assert_eq!(
        code(&client, "CreateSandbox", CreateSandboxRequest::default()).await,
        6
    );
    let good = guest.container("c", "exit 0");
    let mut outside = good.clone();
    if let Some(root) = outside.oci.as_mut().and_then(|spec| spec.root.as_mut()) {
        root.path = "/".into();
    }
    let mut id = good.clone();
    id.container_id = "a/b".into();
    let mut other_exec = good.clone();
    other_exec.exec_id = "e".into();
    let mut no_spec = good.clone();
    no_spec.oci = None;
    for bad in [outside, id, other_exec, no_spec] {
        assert_eq!(code(&client, "CreateContainer", bad).await, 3);
    }
    let mut pidns = good.clone();
    pidns.agent_pidns = true;
    let mut device = good.clone();
    device.devices = vec![Device {
        r#type: "vfio".into(),
        ..Default::default()
    }];
    let mut storage = good.clone();
    storage.storages = vec![Storage {
        driver: "nfs".into(),
        mount_point: guest.root.join("shared/x").to_str().unwrap().into(),
        ..Default::default()
    }];
    for later in [pidns, device, storage] {
        assert_eq!(code(&client, "CreateContainer", later).await, 12);
    }
    call(&client, "CreateContainer", good).await;
}

#[tokio::test]
async fn stdin_reaches_the_process_until_it_is_closed() {
    let guest = Guest::boot();
    let client = guest.client().await;
    sandbox(&client).await;
    guest.run(&client, "c", "exec cat").await;
    let data: Vec<u8> = (0..3_000_000u32).map(|i| (i >> 3) as u8).collect();
    let write = |data: &[u8]| WriteStreamRequest {
        container_id: "c".into(),
        exec_id: "c".into(),
        data: data.to_vec().into(),
    };
    let writer = async {
        for part in data.chunks(1_000_000) {
            let answer: WriteStreamResponse = client.call("WriteStdin", write(part)).await.unwrap();
            assert_eq!(answer.len as usize, part.len());
        }
        let close = CloseStdinRequest {
            container_id: "c".into(),
            exec_id: "c".into(),
        };
        call(&client, "CloseStdin", close).await;
        let late: WriteStreamResponse = client.call("WriteStdin", write(b"x")).await.unwrap();
        assert_eq!(late.len, 0);
    };
    let (_, seen) = tokio::join!(writer, read_all(&client, "ReadStdout", "c", "c"));
    assert!(seen == data);
    assert_eq!(wait(&client, "c", "c").await, 0);
    let size = TtyWinResizeRequest {
        container_id: "c".into(),
        ..Default::default()
    };
    assert_eq!(code(&client, "TtyWinResize", size).await, 9);
}

#[tokio::test]
async fn a_lost_connection_loses_no_output_and_no_container() {
    let guest = Guest::boot();
    let first = guest.client().await;
    sandbox(&first).await;
    guest.run(&first, "c", "read go; seq 60000").await;
    // A read that waits when its connection is lost.
    let waiting = {
        let first = first.clone();
        tokio::spawn(async move {
            let path = "/grpc.AgentService/ReadStdout";
            first
                .send(path, &[], frame(&read("c", "c").encode_to_vec()))
                .await
        })
    };
    // Another call on the same connection has been answered, so the read is waiting by now.
    guest.exec(&first, "c", "e", "exit 0").await;
    assert_eq!(wait(&first, "c", "e").await, 0);
    waiting.abort();
    drop(first);

    let second = guest.client().await;
    let go = WriteStreamRequest {
        container_id: "c".into(),
        exec_id: "c".into(),
        data: b"go\n".as_ref().into(),
    };
    let _: WriteStreamResponse = second.call("WriteStdin", go).await.unwrap();
    assert_eq!(wait(&second, "c", "c").await, 0);
    // An answer that the client's window keeps from being sent in full.
    let (response, _stream) = {
        let request = http::Request::post("http://agent/grpc.AgentService/ReadStdout")
            .header("content-type", "application/grpc")
            .body(())
            .unwrap();
        let mut raw = second.raw().ready().await.unwrap();
        let (response, mut stream) = raw.send_request(request, false).unwrap();
        let body = frame(&read("c", "c").encode_to_vec());
        stream.send_data(body, true).unwrap();
        (response.await.unwrap(), stream)
    };
    assert_eq!(response.status(), 200);
    drop((response, _stream, second));

    let third = guest.client().await;
    let expected: String = (1..=60000).map(|i| format!("{i}\n")).collect();
    let seen = read_all(&third, "ReadStdout", "c", "c").await;
    assert!(seen == expected.as_bytes(), "{} bytes", seen.len());
}

#[tokio::test]
async fn ports_share_the_containers_and_nothing_else() {
    let guest = Guest::boot();
    let first = guest.client().await;
    sandbox(&first).await;
    guest.run(&first, "c", "read go; exit 5").await;
    let other = plug(&guest.agent);
    let second = Client::over(other.connect()).await;
    let mut waiting = std::boxed::Box::pin(wait(&second, "c", "c"));
    assert!((&mut waiting).now_or_never().is_none());
    // A broken and then a lost connection on one port, with the wait pending on the other.
    drop(first);
    let mut cut = guest.host.connect();
    common::shake_hands(&mut cut).await;
    cut.write_all(&[0, 0, 0, 0, 0, 0, 0, 0, 0]).await.unwrap();
    // What the agent says to that; the next host would have to discard it.
    let mut rest = Vec::new();
    cut.read_buf(&mut rest).await.unwrap();
    drop(cut);
    let first = guest.client().await;
    let go = WriteStreamRequest {
        container_id: "c".into(),
        exec_id: "c".into(),
        data: b"go\n".as_ref().into(),
    };
    let _: WriteStreamResponse = first.call("WriteStdin", go).await.unwrap();
    assert_eq!(waiting.await, 5);
    drop(second);
    // Any number of times, from wherever, until the removal.
    let third = Client::over(other.connect()).await;
    for client in [&first, &third, &first] {
        assert_eq!(wait(client, "c", "c").await, 5);
    }
    call(&third, "RemoveContainer", remove("c")).await;
    let request = WaitProcessRequest {
        container_id: "c".into(),
        exec_id: "c".into(),
    };
    assert_eq!(code(&first, "WaitProcess", request).await, 5);
}

#[tokio::test]
async fn an_end_that_is_known_is_told_before_a_later_health_check() {
    let guest = Guest::boot();
    let client = guest.client().await;
    sandbox(&client).await;
    guest.run(&client, "c", "exit 7").await;
    assert_eq!(wait(&client, "c", "c").await, 7);
    guest.run(&client, "d", "exec sleep 1000").await;
    let check =
        || client.call::<HealthCheckResponse>("/grpc.Health/Check", CheckRequest::default());
    for _ in 0..200 {
        // Sent by the first poll, as its order on the wire needs.
        let mut ended = std::boxed::Box::pin(wait(&client, "c", "c"));
        assert!((&mut ended).now_or_never().is_none());
        let mut running = std::boxed::Box::pin(wait(&client, "d", "d"));
        assert!((&mut running).now_or_never().is_none());
        check().await.unwrap();
        assert_eq!(ended.now_or_never(), Some(7));
        assert_eq!(running.now_or_never(), None);
    }
    call(&client, "RemoveContainer", remove("d")).await;
}

fn pause(id: &str) -> PauseContainerRequest {
    PauseContainerRequest {
        container_id: id.into(),
    }
}

#[tokio::test]
async fn a_paused_container_takes_no_exec_and_can_be_removed() {
    let guest = Guest::boot();
    let client = guest.client().await;
    sandbox(&client).await;
    let cgroup = guest.root.join("cgroup/c");
    // A directory in the place of this file keeps it from being written.
    fs::create_dir_all(cgroup.join("cgroup.kill")).unwrap();
    let say = |frozen| fs::write(cgroup.join("cgroup.events"), format!("frozen {frozen}\n"));
    let container = guest.container("c", "exec sleep 1000");
    call(&client, "CreateContainer", container).await;
    assert_eq!(code(&client, "PauseContainer", pause("c")).await, 9);
    call(&client, "StartContainer", start("c")).await;
    assert_eq!(code(&client, "ResumeContainer", pause("c")).await, 9);
    say(1).unwrap();
    call(&client, "PauseContainer", pause("c")).await;
    assert_eq!(code(&client, "PauseContainer", pause("c")).await, 9);
    let exec = ExecProcessRequest {
        container_id: "c".into(),
        exec_id: "e".into(),
        process: Some(guest.process("exec.sh", "exit 3")),
        ..Default::default()
    };
    assert_eq!(code(&client, "ExecProcess", exec).await, 9);
    say(0).unwrap();
    call(&client, "ResumeContainer", pause("c")).await;
    guest.exec(&client, "c", "f", "exit 4").await;
    assert_eq!(wait(&client, "c", "f").await, 4);
    say(1).unwrap();
    call(&client, "PauseContainer", pause("c")).await;
    call(&client, "RemoveContainer", remove("c")).await;
    assert_eq!(code(&client, "PauseContainer", pause("c")).await, 5);
}

#[tokio::test]
async fn an_oom_kill_is_told_on_every_port_that_waits() {
    let guest = Guest::boot();
    let first = guest.client().await;
    let second = Client::over(plug(&guest.agent).connect()).await;
    sandbox(&first).await;
    let next = |client: &Client| {
        let client = client.clone();
        std::boxed::Box::pin(async move {
            let answer = client.call::<OomEvent>("GetOOMEvent", GetOomEventRequest::default());
            answer.await.unwrap().container_id
        })
    };
    let mut waiting = [next(&first), next(&second)];
    for wait in &mut waiting {
        assert!(wait.now_or_never().is_none());
    }
    let cgroup = guest.root.join("cgroup/c");
    fs::create_dir_all(&cgroup).unwrap();
    fs::write(cgroup.join("memory.events"), "oom_kill 0\n").unwrap();
    guest.run(&first, "c", "exit 0").await;
    let check = || first.call::<HealthCheckResponse>("/grpc.Health/Check", CheckRequest::default());
    check().await.unwrap();
    fs::write(cgroup.join("memory.events"), "oom_kill 1\n").unwrap();
    for wait in waiting {
        assert_eq!(wait.await, "c");
    }
    // Nobody waits for what is seen only when the container is removed.
    assert_eq!(wait(&first, "c", "c").await, 0);
    fs::write(cgroup.join("memory.events"), "oom_kill 2\n").unwrap();
    call(&first, "RemoveContainer", remove("c")).await;
    assert_eq!(next(&second).await, "c");
}

#[tokio::test]
async fn processes_are_listed_in_two_formats() {
    let guest = Guest::boot();
    let client = guest.client().await;
    sandbox(&client).await;
    let cgroup = guest.root.join("cgroup/c");
    fs::create_dir_all(&cgroup).unwrap();
    let own = std::process::id();
    fs::write(cgroup.join("cgroup.procs"), format!("{own}\n")).unwrap();
    guest.run(&client, "c", "read go").await;
    let list = |format: &str, args: &[&str]| ListProcessesRequest {
        container_id: "c".into(),
        format: format.into(),
        args: args.iter().map(|word| word.to_string()).collect(),
    };
    let answer = |request| client.call::<ListProcessesResponse>("ListProcesses", request);
    let json = answer(list("json", &[])).await.unwrap().process_list;
    assert_eq!(json, format!("[{own}]"));
    for args in [&[][..], &["-ef"]] {
        let table = answer(list("table", args)).await.unwrap().process_list;
        let table = String::from_utf8(table.to_vec()).unwrap();
        assert!(table.starts_with("UID          PID    PPID"), "{table}");
        assert_eq!(table.lines().count(), 2);
    }
    for bad in [
        list("xml", &[]),
        list("table", &["aux"]),
        list("table", &["-ef", "-ef"]),
    ] {
        assert_eq!(answer(bad).await.unwrap_err().code, 3);
    }
    call(&client, "SignalProcess", signal("c", "c", libc::SIGKILL)).await;
    assert_eq!(wait(&client, "c", "c").await, 137);
    assert_eq!(answer(list("json", &[])).await.unwrap().process_list, "[]");
}

#[tokio::test]
async fn a_deadline_ends_a_wait() {
    let guest = Guest::boot();
    let client = guest.client().await;
    sandbox(&client).await;
    guest.run(&client, "c", "exec sleep 1000").await;
    for method in ["WaitProcess", "ReadStdout"] {
        let path = format!("/grpc.AgentService/{method}");
        let body = frame(&read("c", "c").encode_to_vec());
        let result = client.send(&path, &[("grpc-timeout", "20m")], body).await;
        assert_eq!(result.unwrap().unwrap_err().code, 4);
    }
    call(&client, "RemoveContainer", remove("c")).await;
}

#[tokio::test]
async fn reported_execs_are_forgotten_in_order() {
    let guest = Guest::boot();
    let client = guest.client().await;
    sandbox(&client).await;
    guest.run(&client, "c", "exec sleep 1000").await;
    for number in 0..258 {
        let id = format!("e{number}");
        guest.exec(&client, "c", &id, "exit 0").await;
        assert_eq!(wait(&client, "c", &id).await, 0);
    }
    for (id, known) in [("e0", false), ("e1", false), ("e2", true), ("e257", true)] {
        let request = WaitProcessRequest {
            container_id: "c".into(),
            exec_id: id.into(),
        };
        let result = client
            .call::<WaitProcessResponse>("WaitProcess", request)
            .await;
        assert_eq!(result.is_ok(), known, "{id}");
    }
    call(&client, "RemoveContainer", remove("c")).await;
}

#[tokio::test]
async fn a_sandbox_can_be_made_again() {
    let guest = Guest::boot();
    let client = guest.client().await;
    let destroy = || call(&client, "DestroySandbox", DestroySandboxRequest::default());
    destroy().await;
    let request = CreateSandboxRequest {
        dns: vec!["nameserver 192.0.2.1".into(), "search example".into()],
        ..Default::default()
    };
    let file = guest.root.join("shared/sandbox/resolv.conf");
    for _ in 0..2 {
        call(&client, "CreateSandbox", request.clone()).await;
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text, "nameserver 192.0.2.1\nsearch example\n");
        guest.run(&client, "c", "exec sleep 1000").await;
        destroy().await;
        assert!(!file.exists());
        assert_eq!(code(&client, "StartContainer", start("c")).await, 9);
    }
}
