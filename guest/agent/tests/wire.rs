// SPDX-License-Identifier: Apache-2.0
//! The messages, byte for byte, against the tables and the bytes that the tests of the Java client
//! use too: both were written from the documentation of the protocol, not from the .proto files.

use prost::Message;
use std::collections::HashMap;
use std::fmt::Write;
use virtcontainers_agent::proto::{grpc, types};

const FIELDS: &str = include_str!("../../../agent-client/src/test/resources/agent-fields.tsv");
const GOLDEN: &str = include_str!("../../../agent-client/src/test/resources/agent-messages.hex");

/// What the generated type makes of bytes: its own encoding of them, and what it understood.
type Codec = fn(&[u8]) -> Result<(Vec<u8>, String), prost::DecodeError>;

fn codec<M: Message + Default>(bytes: &[u8]) -> Result<(Vec<u8>, String), prost::DecodeError> {
    let message = M::decode(bytes)?;
    Ok((message.encode_to_vec(), format!("{message:?}")))
}

macro_rules! codecs {
    ($($package:ident: $($name:ident)*;)*) => {
        vec![$($((plain(concat!(stringify!($package), ".", stringify!($name))),
            codec::<$package::$name> as Codec)),*),*]
    };
}

fn codecs() -> HashMap<String, Codec> {
    let all: Vec<(String, Codec)> = codecs! {
        grpc:
            CreateContainerRequest StartContainerRequest RemoveContainerRequest ExecProcessRequest
            SignalProcessRequest WaitProcessRequest WaitProcessResponse ListProcessesRequest
            ListProcessesResponse UpdateContainerRequest StatsContainerRequest
            PauseContainerRequest ResumeContainerRequest CpuUsage ThrottlingData CpuStats PidsStats
            MemoryData MemoryStats BlkioStatsEntry BlkioStats HugetlbStats CgroupStats NetworkStats
            StatsContainerResponse WriteStreamRequest WriteStreamResponse ReadStreamRequest
            ReadStreamResponse CloseStdinRequest TtyWinResizeRequest KernelModule
            CreateSandboxRequest DestroySandboxRequest Interfaces Routes UpdateInterfaceRequest
            UpdateRoutesRequest ListInterfacesRequest ListRoutesRequest ArpNeighbors
            AddArpNeighborsRequest OnlineCpuMemRequest ReseedRandomDevRequest AgentDetails
            GuestDetailsRequest GuestDetailsResponse MemHotplugByProbeRequest
            SetGuestDateTimeRequest Storage Device StringUser CopyFileRequest StartTracingRequest
            StopTracingRequest GetOomEventRequest OomEvent
            Spec Process Box User LinuxCapabilities PosixRlimit Mount Root Hooks Hook Linux Windows
            Solaris LinuxIdMapping LinuxNamespace LinuxDevice LinuxResources LinuxMemory LinuxCpu
            LinuxWeightDevice LinuxThrottleDevice LinuxBlockIo LinuxPids LinuxDeviceCgroup
            LinuxNetwork LinuxHugepageLimit LinuxInterfacePriority LinuxSeccomp LinuxSeccompArg
            LinuxSyscall LinuxIntelRdt
            CheckRequest HealthCheckResponse VersionCheckResponse;
        types: IpAddress Interface Route ArpNeighbor;
    };
    all.into_iter().collect()
}

/// Rust's spelling of a name differs from the protocol's by case and underscores only.
fn plain(text: &str) -> String {
    text.replace("r#", "").replace('_', "").to_lowercase()
}

struct Field {
    number: u64,
    name: String,
    kind: String,
    label: String,
}

fn table() -> HashMap<String, Vec<Field>> {
    let mut messages: HashMap<String, Vec<Field>> = HashMap::new();
    let mut current = String::new();
    for line in FIELDS.lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<_> = line.split('\t').collect();
        if let [_, number, name, kind, label] = cells[..] {
            messages.get_mut(&current).unwrap().push(Field {
                number: number.parse().unwrap(),
                name: name.into(),
                kind: kind.into(),
                label: label.into(),
            });
        } else {
            current = line.into();
            messages.insert(current.clone(), Vec::new());
        }
    }
    messages
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn delimited(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// One value: its bytes without tag and length, whether it has a length, and how `Debug` shows it.
struct Value {
    bytes: Vec<u8>,
    length: bool,
    shown: String,
}

/// Writes messages with a value of its own in each field; numbers show their sign and width.
struct Maker {
    table: HashMap<String, Vec<Field>>,
    packed: bool,
    count: u64,
}

impl Maker {
    fn message(&mut self, name: &str) -> Value {
        let fields = self.table.remove(name).unwrap();
        let mut bytes = Vec::new();
        let mut shown = String::new();
        for field in &fields {
            let text = self.field(field, &mut bytes);
            let separator = if shown.is_empty() { "" } else { "," };
            write!(shown, "{separator} {}: {text}", field.name).unwrap();
        }
        self.table.insert(name.into(), fields);
        let short = name.split('.').last().unwrap();
        let shown = match shown.is_empty() {
            true => short.into(),
            false => format!("{short} {{{shown} }}"),
        };
        Value {
            bytes,
            length: true,
            shown,
        }
    }

    fn field(&mut self, field: &Field, out: &mut Vec<u8>) -> String {
        match field.label.as_str() {
            "singular" => {
                let value = self.value(field);
                put(out, field.number, &value);
                match field.kind.contains('.') && !field.kind.starts_with("enum ") {
                    true => format!("Some({})", value.shown),
                    false => value.shown,
                }
            }
            "map" => {
                let value = self.value(field);
                let mut entry = Vec::new();
                delimited(&mut entry, 1, b"key");
                put(&mut entry, 2, &value);
                delimited(out, field.number, &entry);
                format!("{{\"key\": {}}}", value.shown)
            }
            label => {
                let values = [self.value(field), self.value(field)];
                if label == "packed" && self.packed {
                    let all: Vec<u8> = values.iter().flat_map(|v| v.bytes.clone()).collect();
                    delimited(out, field.number, &all);
                } else {
                    values.iter().for_each(|v| put(out, field.number, v));
                }
                format!("[{}, {}]", values[0].shown, values[1].shown)
            }
        }
    }

    fn value(&mut self, field: &Field) -> Value {
        self.count += 1;
        let n = self.count;
        let number = |bits: u64, shown: String| {
            let mut bytes = Vec::new();
            varint(&mut bytes, bits);
            let length = false;
            Value {
                bytes,
                length,
                shown,
            }
        };
        let signed = |value: i64| number(value as u64, value.to_string());
        match field.kind.as_str() {
            "string" | "bytes" => {
                let text = format!("text {n}");
                let prefix = if field.kind == "bytes" { "b" } else { "" };
                Value {
                    shown: format!("{prefix}{text:?}"),
                    bytes: text.into_bytes(),
                    length: true,
                }
            }
            "bool" => number(1, "true".into()),
            "int32" => signed(i64::from(i32::MIN) + n as i64),
            "int64" => signed(i64::MIN + n as i64),
            "uint32" => number(u64::from(u32::MAX) - n, (u32::MAX - n as u32).to_string()),
            "uint64" => number(u64::MAX - n, (u64::MAX - n).to_string()),
            "enum types.IPFamily" => number(1, "V6".into()),
            "enum grpc.HealthCheckResponse.ServingStatus" => number(1, "Serving".into()),
            message => self.message(message),
        }
    }
}

fn put(out: &mut Vec<u8>, number: u64, value: &Value) {
    if value.length {
        delimited(out, number, &value.bytes);
    } else {
        varint(out, number << 3);
        out.extend_from_slice(&value.bytes);
    }
}

#[test]
fn every_message_reads_and_writes_what_the_table_says() {
    let codecs = codecs();
    let names: Vec<String> = table().into_keys().collect();
    assert_eq!((names.len(), codecs.len()), (95, 95));
    for name in names {
        let codec = codecs[&plain(&name)];
        for packed in [true, false] {
            let mut maker = Maker {
                table: table(),
                packed,
                count: 0,
            };
            let sample = maker.message(&name);
            let (bytes, shown) = codec(&sample.bytes).unwrap();
            assert_eq!(plain(&shown), plain(&sample.shown), "{name}");
            if packed {
                assert_eq!(bytes, sample.bytes, "{name}");
            }
        }
    }
}

#[test]
fn what_is_absent_takes_no_bytes_and_what_is_unknown_is_tolerated() {
    for (name, codec) in codecs() {
        let (bytes, empty) = codec(b"").unwrap();
        assert_eq!(bytes, b"", "{name}");
        let (_, unknown) = codec(b"\xfa\x7f\x01x").unwrap(); // field 2047
        assert_eq!(unknown, empty, "{name}");
    }
}

fn golden() -> HashMap<&'static str, Vec<u8>> {
    let blocks = GOLDEN.split("\n\n").filter(|block| !block.starts_with('#'));
    blocks
        .map(|block| {
            let (name, rest) = block.split_once('\n').unwrap();
            let hex: String = rest
                .lines()
                .flat_map(|line| line.split('#').next())
                .collect();
            let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
            let bytes = digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8);
            (name, bytes.collect())
        })
        .collect()
}

#[test]
fn bytes_written_by_hand_are_what_the_encoder_writes() {
    let codecs = codecs();
    let golden = golden();
    assert_eq!(golden.len(), 23);
    for (name, bytes) in golden {
        let (again, shown) = codecs[&plain(name)](&bytes).unwrap();
        assert_eq!(again, bytes, "{name} is {shown}");
    }
}

fn decoded<M: Message + Default>(name: &str) -> M {
    M::decode(&golden()[name][..]).unwrap()
}

#[test]
fn bytes_written_by_hand_create_the_container_that_they_say() {
    let request: grpc::CreateContainerRequest = decoded("grpc.CreateContainerRequest");
    assert_eq!(request.container_id, "c1");
    assert_eq!(request.devices[0].container_path, "/dev/x");
    assert_eq!(request.storages[0].mount_point, "/m");
    assert!(request.sandbox_pidns && !request.agent_pidns);
    let spec = request.oci.unwrap();
    assert_eq!(spec.annotations["k"], "v");
    assert_eq!(spec.mounts[0].options, ["nosuid"]);
    let process = spec.process.unwrap();
    assert_eq!(process.user.as_ref().unwrap().additional_gids, [10, 300]);
    assert_eq!(
        (process.oom_score_adj, process.no_new_privileges),
        (-500, true)
    );
    assert_eq!(
        (process.rlimits[0].hard, process.rlimits[0].soft),
        (u64::MAX, 0)
    );
    assert_eq!(process.capabilities.unwrap().bounding, ["CAP_KILL"]);
    let linux = spec.linux.unwrap();
    assert_eq!(linux.sysctl["a"], "1");
    assert_eq!(linux.devices[0].file_mode, 0o660);
    assert_eq!(linux.namespaces[0].r#type, "pid");
    assert_eq!(linux.readonly_paths, ["/proc/sys"]);
    let resources = linux.resources.unwrap();
    assert_eq!(resources.cpu.unwrap().quota, -1);
    assert_eq!(resources.memory.unwrap().limit, 1 << 26);
    let call = &linux.seccomp.unwrap().syscalls[0];
    assert_eq!((call.args[0].index, call.args[0].value), (1, 2));
}

#[test]
fn bytes_written_by_hand_say_the_same_to_the_agent_as_to_the_client() {
    let exec: grpc::ExecProcessRequest = decoded("grpc.ExecProcessRequest");
    let process = exec.process.unwrap();
    let size = process.console_size.unwrap();
    assert_eq!((size.height, size.width), (24, 80));
    assert_eq!(process.user, Some(grpc::User::default()));

    let update: grpc::UpdateInterfaceRequest = decoded("grpc.UpdateInterfaceRequest");
    let interface = update.interface.unwrap();
    assert_eq!(interface.ip_addresses[0].family(), types::IpFamily::V6);
    assert_eq!(interface.ip_addresses[1].family(), types::IpFamily::V4);
    assert_eq!((interface.mtu, interface.raw_flags), (1500, 0x80));
    assert_eq!(interface.hw_addr, "02:00:00:00:00:01");

    let copy: grpc::CopyFileRequest = decoded("grpc.CopyFileRequest");
    assert_eq!((copy.file_size, copy.offset), (4096, 5));
    assert_eq!((copy.file_mode, copy.dir_mode), (0o644, 0o755));
    assert_eq!((copy.uid, copy.gid), (1, 2));
    assert_eq!(copy.data, "ab");

    let time: grpc::SetGuestDateTimeRequest = decoded("grpc.SetGuestDateTimeRequest");
    assert_eq!((time.sec, time.usec), (1_700_000_000, 999_999));

    let probe: grpc::MemHotplugByProbeRequest = decoded("grpc.MemHotplugByProbeRequest");
    assert_eq!(
        probe.mem_hotplug_probe_addr,
        [1 << 30, (1 << 30) + (1 << 27)]
    );

    let stats: grpc::StatsContainerResponse = decoded("grpc.StatsContainerResponse");
    let cgroup = stats.cgroup_stats.unwrap();
    assert_eq!(cgroup.memory_stats.unwrap().usage.unwrap().limit, u64::MAX);
    assert_eq!(
        cgroup.blkio_stats.unwrap().io_serviced_recursive[0].op,
        "Write"
    );
    assert_eq!(cgroup.hugetlb_stats["2MB"].max_usage, 8);
    assert_eq!(stats.network_stats[0].tx_dropped, 8);

    let exit: grpc::WaitProcessResponse = decoded("grpc.WaitProcessResponse");
    assert_eq!(exit.status, -1);
}
