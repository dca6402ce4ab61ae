// SPDX-License-Identifier: Apache-2.0
//! Starts a process inside a container: forks, joins the container, gives up what the process must
//! not have, and executes its program. This is `exec` of an OCI runtime without the start of one.
//!
//! All that the child needs is made before it. It is born in the container's PID namespace and cgroup, so the container can see it from its first moment. What keeps it from
//! being looked into is that it cannot be dumped, nor traced without CAP_SYS_PTRACE; the agent's
//! descriptors are closed before any path of the container is used.

use crate::child::{Child, Pointers};
use crate::command::Command;
use crate::reaper::{Exit, Reaper};
use crate::rights::{Capabilities, Limit};
use crate::runtime::Streams;
use crate::status::{Result, Status};
use crate::{report, sys};
use nix::errno::Errno;
use nix::sched::{setns, CloneFlags};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::io::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Only a container that hinders itself takes this long: frozen, or with a file system of its own.
pub const LIMIT: Duration = Duration::from_secs(55);

const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
/// A process that is to be.
pub struct Entry {
    pub command: Command,
    pub streams: Streams,
    /// Whether the streams are a terminal, which then controls the session.
    pub terminal: bool,
    /// None: it stays where the agent is, with what the agent may do. Only tests do that.
    pub confinement: Option<Confinement>,
}

pub struct Confinement {
    /// The container's first process, at a number that no standard stream has.
    pub init: OwnedFd,
    pub pid: i32,
    pub cgroup: PathBuf,
    pub oom_score_adj: i64,
    pub limits: Vec<Limit>,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub capabilities: Capabilities,
    pub no_new_privileges: bool,
    pub filter: Option<Vec<libc::sock_filter>>,
}

impl Entry {
    /// Blocks until the program runs. Later children of the calling thread would be in the
    /// container's PID namespace too.
    pub fn start(self, reaper: &Reaper) -> Result<(i32, Exit)> {
        let fail = |error: io::Error| Status::io("start a process in the container", &error);
        let (report, sender) = sys::pipe().map_err(fail)?;
        let (pid, exit) = self.fork(reaper, sender).map_err(fail)?;
        // Ours are closed now: only the process has the other sides of its streams.
        match report::read(report) {
            Ok(()) => Ok((pid, exit)),
            Err(status) => {
                let _ = reaper.kill(pid, &exit, libc::SIGKILL);
                Err(status)
            }
        }
    }

    fn fork(self, reaper: &Reaper, sender: OwnedFd) -> io::Result<(i32, Exit)> {
        let [input, output, error] = self.streams;
        let streams = [sys::high(input)?, sys::high(output)?, sys::high(error)?];
        let sender = sys::high(sender)?;
        let pointers = Pointers::of(&self.command);
        let oom_score_adj = self.confinement.as_ref().and_then(|confinement| {
            let value = confinement.oom_score_adj;
            (value != 0).then(|| value.to_string())
        });
        let mut child = Child {
            pointers: &pointers,
            streams: [
                streams[0].as_raw_fd(),
                streams[1].as_raw_fd(),
                streams[2].as_raw_fd(),
            ],
            terminal: self.terminal,
            report: sender.as_raw_fd(),
            oom_score_adj: oom_score_adj.as_deref(),
            cgroup_procs: None,
            confinement: self.confinement.as_ref(),
        };
        let confinement = match &self.confinement {
            Some(confinement) => confinement,
            None => return reaper.spawn_by(|| clone(None, &child)),
        };
        setns(confinement.init.as_raw_fd(), CloneFlags::CLONE_NEWPID)?;
        let cgroup = open_cgroup(&confinement.cgroup)?;
        match reaper.spawn_by(|| clone(Some(&cgroup), &child)) {
            // It has processes in cgroups below, so it can have none itself.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                let inner = open_cgroup(&confinement.cgroup_of_init()?)?;
                reaper.spawn_by(|| clone(Some(&inner), &child))
            }
            // Nothing can be born in it, its limit of processes is reached; one can still move in.
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {
                let procs = confinement.cgroup.join("cgroup.procs");
                let procs = sys::high(OpenOptions::new().write(true).open(procs)?.into())?;
                child.cgroup_procs = Some(procs.as_raw_fd());
                reaper.spawn_by(|| clone(None, &child))
            }
            result => result,
        }
    }
}

impl Confinement {
    /// Where the container's first process has moved, but never out of the container's own.
    fn cgroup_of_init(&self) -> io::Result<PathBuf> {
        let text = fs::read_to_string(format!("/proc/{}/cgroup", self.pid))?;
        let path = text.lines().find_map(|line| line.strip_prefix("0::"));
        // The last part of the container's cgroup is where the parts of its own begin.
        let inner = path.and_then(|path| below(&self.cgroup, path));
        inner.ok_or_else(|| Errno::EBUSY.into())
    }
}

/// The directory of a cgroup that lies below `cgroup`, by its path from the top of the tree.
fn below(cgroup: &Path, path: &str) -> Option<PathBuf> {
    let path = path.trim_start_matches('/');
    let plain = !path.split('/').any(|part| part == "..");
    let top = cgroup.ancestors().skip(1);
    let mut found = top.map(|top| top.join(path));
    found.find(|inner| plain && inner != cgroup && inner.starts_with(cgroup) && inner.is_dir())
}

fn open_cgroup(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_DIRECTORY)
        .open(path)
}

/// From linux/sched.h, as long as the flags that are used need it.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Forks; the result is that of the parent alone.
fn clone(cgroup: Option<&File>, child: &Child) -> io::Result<i32> {
    let mut arguments = CloneArguments {
        exit_signal: libc::SIGCHLD as u64,
        ..Default::default()
    };
    if let Some(cgroup) = cgroup {
        arguments.flags = CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd() as u64;
    }
    let size = std::mem::size_of_val(&arguments);
    // SAFETY: without CLONE_VM and a stack this is fork(2); the kernel reads `size` bytes. The child
    // goes on with a copy of our memory and only makes system calls.
    let result = unsafe { libc::syscall(libc::SYS_clone3, &arguments, size) };
    if result == 0 {
        child.run();
    }
    Ok(Errno::result(result)? as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    #[test]
    fn only_a_cgroup_below_the_containers_own_is_joined_instead() {
        let tree = TempDir::new();
        let own = tree.path().join("pod/c");
        fs::create_dir_all(own.join("init")).unwrap();
        fs::create_dir_all(tree.path().join("other")).unwrap();
        assert_eq!(below(&own, "/pod/c/init"), Some(own.join("init")));
        assert_eq!(below(&own, "/pod/c"), None);
        assert_eq!(below(&own, "/other"), None);
        assert_eq!(below(&own, "/pod/c/../../other"), None);
        assert_eq!(below(&own, "/pod/c/gone"), None);
    }
}
