// SPDX-License-Identifier: Apache-2.0
//! What a process that enters a container tells the agent about it, see `enter`.

use crate::enter::LIMIT;
use crate::status::{Code, Result, Status};
use nix::errno::Errno;
use nix::poll::{poll, PollFd, PollFlags};
use std::os::unix::io::{AsRawFd, OwnedFd};
use std::time::Instant;

/// What the child is doing; the last one said is what failed. It says `Ready` when only the program
/// is left to be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    Ready,
    Execute,
    OomScoreAdj,
    Cgroup,
    Namespaces,
    Terminal,
    Streams,
    Directory,
    Limits,
    User,
    Capabilities,
    Filter,
}

impl Step {
    const ALL: [(Step, &'static str); 12] = [
        (Step::Ready, "get ready"),
        (Step::Execute, "execute the program"),
        (Step::OomScoreAdj, "set oomScoreAdj"),
        (Step::Cgroup, "join the cgroup"),
        (Step::Namespaces, "join the namespaces"),
        (Step::Terminal, "take the terminal"),
        (Step::Streams, "take the streams"),
        (Step::Directory, "enter the working directory"),
        (Step::Limits, "set the limits"),
        (Step::User, "become the user"),
        (Step::Capabilities, "set the capabilities"),
        (Step::Filter, "set the seccomp filter"),
    ];
}

pub const RECORD: usize = 5;

pub fn record(step: Step, errno: i32) -> [u8; RECORD] {
    let [a, b, c, d] = errno.to_ne_bytes();
    [step as u8, a, b, c, d]
}

/// Reads what the child says until it has executed its program or has ended.
pub fn read(report: OwnedFd) -> Result<()> {
    let fail = |errno| Status::errno("hear from the process", errno);
    let deadline = Instant::now() + LIMIT;
    let mut said = Vec::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut state = [PollFd::new(report.as_raw_fd(), PollFlags::POLLIN)];
        match poll(&mut state, i32::try_from(left.as_millis()).unwrap_or(0)) {
            Ok(0) => {
                return Err(Status::deadline(format!(
                    "the process did not start within {LIMIT:?}"
                )))
            }
            Ok(_) => (),
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(fail(errno)),
        }
        let mut part = [0; 2 * RECORD];
        match nix::unistd::read(report.as_raw_fd(), &mut part) {
            Ok(0) => return outcome(&said),
            Ok(count) => said.extend(part.iter().take(count)),
            Err(Errno::EINTR) => (),
            Err(errno) => return Err(fail(errno)),
        }
    }
}

fn outcome(said: &[u8]) -> Result<()> {
    let last = said.chunks(RECORD).last();
    let (step, errno) = match last {
        Some(&[step, a, b, c, d]) => (step, Errno::from_i32(i32::from_ne_bytes([a, b, c, d]))),
        _ => return Err(Status::internal("the process ended before it had started")),
    };
    if step == Step::Ready as u8 {
        return Ok(());
    }
    let name = Step::ALL.iter().find(|(known, _)| *known as u8 == step);
    let status = Status::errno(name.map_or("start", |(_, name)| name), errno);
    if step != Step::Execute as u8 {
        return Err(status);
    }
    Err(match errno {
        Errno::ENOENT | Errno::ENOTDIR => {
            Status::not_found(status.message).because("executable-not-found")
        }
        Errno::EACCES | Errno::EPERM | Errno::EISDIR | Errno::ENOEXEC => {
            Status::new(Code::PermissionDenied, status.message).because("executable-not-permitted")
        }
        _ => status,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys;

    fn said(records: &[(Step, i32)]) -> Result<()> {
        let bytes: Vec<u8> = records
            .iter()
            .flat_map(|(step, errno)| record(*step, *errno))
            .collect();
        outcome(&bytes)
    }

    #[test]
    fn the_last_word_of_the_child_is_the_outcome() {
        assert_eq!(said(&[(Step::Ready, 0)]), Ok(()));
        assert_eq!(said(&[]).unwrap_err().code, Code::Internal);
        let failed = |errno| said(&[(Step::Ready, 0), (Step::Execute, errno)]).unwrap_err();
        assert_eq!(failed(libc::ENOENT).reason, Some("executable-not-found"));
        assert_eq!(
            failed(libc::ENOEXEC).reason,
            Some("executable-not-permitted")
        );
        assert_eq!(failed(libc::ENOMEM).code, Code::ResourceExhausted);
        // Only the program's own error is the caller's.
        let missing = said(&[(Step::Directory, libc::EACCES)]).unwrap_err();
        assert_eq!((missing.code, missing.reason), (Code::Internal, None));
        assert!(missing.message.contains("working directory"), "{missing:?}");
    }

    #[test]
    fn every_step_has_a_name_of_its_own() {
        for (index, (step, _)) in Step::ALL.iter().enumerate() {
            assert_eq!(*step as usize, index);
        }
    }

    #[test]
    fn a_child_that_says_nothing_has_not_started() {
        let (report, sender) = sys::pipe().unwrap();
        drop(sender);
        assert_eq!(read(report).unwrap_err().code, Code::Internal);
        let (report, sender) = sys::pipe().unwrap();
        nix::unistd::write(sender.as_raw_fd(), &record(Step::Ready, 0)).unwrap();
        drop(sender);
        assert_eq!(read(report), Ok(()));
    }
}
