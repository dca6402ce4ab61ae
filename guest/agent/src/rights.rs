// SPDX-License-Identifier: Apache-2.0
//! What a process may do, as the kernel's numbers: capabilities, limits, and the filter of system
//! calls that the runtime has compiled for a container.

use crate::proto::grpc;
use crate::status::{Result, Status};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// In the order of their numbers (linux/capability.h).
const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

pub const CAP_SYS_ADMIN: u32 = 21;

/// Masks with the bit of each capability's number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    pub bounding: u64,
    pub effective: u64,
    pub inheritable: u64,
    pub permitted: u64,
    pub ambient: u64,
}

impl Capabilities {
    /// Unknown names give nothing.
    pub fn of(sets: &grpc::LinuxCapabilities) -> Capabilities {
        Capabilities {
            bounding: mask(&sets.bounding),
            effective: mask(&sets.effective),
            inheritable: mask(&sets.inheritable),
            permitted: mask(&sets.permitted),
            ambient: mask(&sets.ambient),
        }
    }
}

fn mask(names: &[String]) -> u64 {
    names.iter().fold(0, |mask, name| {
        let number = CAPABILITIES.iter().position(|known| known == name);
        number.map_or(mask, |number| mask | 1 << number)
    })
}

/// A kind of limit and its value.
pub type Limit = (libc::__rlimit_resource_t, libc::rlimit);

pub fn limit(limit: &grpc::PosixRlimit) -> Result<Limit> {
    let resource = match limit.r#type.as_str() {
        "RLIMIT_AS" => libc::RLIMIT_AS,
        "RLIMIT_CORE" => libc::RLIMIT_CORE,
        "RLIMIT_CPU" => libc::RLIMIT_CPU,
        "RLIMIT_DATA" => libc::RLIMIT_DATA,
        "RLIMIT_FSIZE" => libc::RLIMIT_FSIZE,
        "RLIMIT_LOCKS" => libc::RLIMIT_LOCKS,
        "RLIMIT_MEMLOCK" => libc::RLIMIT_MEMLOCK,
        "RLIMIT_MSGQUEUE" => libc::RLIMIT_MSGQUEUE,
        "RLIMIT_NICE" => libc::RLIMIT_NICE,
        "RLIMIT_NOFILE" => libc::RLIMIT_NOFILE,
        "RLIMIT_NPROC" => libc::RLIMIT_NPROC,
        "RLIMIT_RSS" => libc::RLIMIT_RSS,
        "RLIMIT_RTPRIO" => libc::RLIMIT_RTPRIO,
        "RLIMIT_RTTIME" => libc::RLIMIT_RTTIME,
        "RLIMIT_SIGPENDING" => libc::RLIMIT_SIGPENDING,
        "RLIMIT_STACK" => libc::RLIMIT_STACK,
        other => return Err(Status::invalid(format!("process.rlimits: type {other:?}"))),
    };
    let value = libc::rlimit {
        rlim_cur: limit.soft,
        rlim_max: limit.hard,
    };
    Ok((resource, value))
}

const INSTRUCTION: usize = 8;
/// The kernel's limit (BPF_MAXINSNS).
const MAX_INSTRUCTIONS: usize = 4096;

/// The filter that the runtime keeps with a container's state.
pub fn filter(file: &Path) -> Result<Vec<libc::sock_filter>> {
    let fail = |error| Status::io("read the container's seccomp filter", &error);
    let mut bytes = Vec::new();
    let limit = (MAX_INSTRUCTIONS * INSTRUCTION + 1) as u64;
    let file = File::open(file).map_err(fail)?;
    file.take(limit).read_to_end(&mut bytes).map_err(fail)?;
    instructions(&bytes)
        .ok_or_else(|| Status::internal("the container's seccomp filter is not as expected"))
}

fn instructions(bytes: &[u8]) -> Option<Vec<libc::sock_filter>> {
    let whole = bytes.len() % INSTRUCTION == 0 && bytes.len() <= MAX_INSTRUCTIONS * INSTRUCTION;
    if bytes.is_empty() || !whole {
        return None;
    }
    let one = |part: &[u8]| match *part {
        [a, b, jt, jf, k0, k1, k2, k3] => Some(libc::sock_filter {
            code: u16::from_ne_bytes([a, b]),
            jt,
            jf,
            k: u32::from_ne_bytes([k0, k1, k2, k3]),
        }),
        _ => None,
    };
    bytes.chunks(INSTRUCTION).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Code;

    #[test]
    fn capabilities_have_the_kernels_numbers() {
        let sets = grpc::LinuxCapabilities {
            bounding: vec!["CAP_CHOWN".into(), "CAP_CHECKPOINT_RESTORE".into()],
            effective: vec!["CAP_SYS_ADMIN".into()],
            permitted: vec!["CAP_OF_THE_FUTURE".into(), "CAP_SYSLOG".into()],
            inheritable: vec!["chown".into()],
            ambient: Vec::new(),
        };
        let expected = Capabilities {
            bounding: 1 | 1 << 40,
            effective: 1 << CAP_SYS_ADMIN,
            permitted: 1 << 34,
            ..Default::default()
        };
        assert_eq!(Capabilities::of(&sets), expected);
    }

    #[test]
    fn an_unknown_limit_is_refused() {
        let wanted = |kind: &str| grpc::PosixRlimit {
            r#type: kind.into(),
            hard: u64::MAX,
            soft: 7,
        };
        let (resource, value) = limit(&wanted("RLIMIT_NOFILE")).unwrap();
        assert_eq!(resource, libc::RLIMIT_NOFILE);
        assert_eq!((value.rlim_cur, value.rlim_max), (7, libc::RLIM_INFINITY));
        let error = limit(&wanted("RLIMIT_X")).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
    }

    #[test]
    fn a_filter_is_whole_and_never_empty() {
        let bytes = [6, 0, 1, 2, 0, 0, 0xff, 0x7f];
        let filter = instructions(&bytes).unwrap();
        assert_eq!(filter.len(), 1);
        assert_eq!((filter[0].code, filter[0].jt, filter[0].jf), (6, 1, 2));
        assert_eq!(filter[0].k, 0x7fff_0000);
        assert!(instructions(&[]).is_none());
        assert!(instructions(&bytes[..7]).is_none());
        assert!(instructions(&vec![0; INSTRUCTION * (MAX_INSTRUCTIONS + 1)]).is_none());
        assert!(super::filter(Path::new("/no/such/file")).is_err());
    }
}
