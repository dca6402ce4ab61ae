// SPDX-License-Identifier: Apache-2.0
//! The child that becomes a process of a container, see `enter`. It has the memory of a process with
//! other threads, so it does nothing but system calls: it never allocates, locks or panics.

use crate::command::Command;
use crate::enter::Confinement;
use crate::report::{record, Step};
use crate::rights::{Capabilities, CAP_SYS_ADMIN};
use crate::sys;
use libc::{c_char, c_int, c_long, c_ulong};
use nix::errno::errno;
use std::ffi::CString;
use std::os::unix::io::{AsRawFd, RawFd};

/// All namespaces but those of the sandbox: network, users, time. That of PIDs is joined by the fork.
const NAMESPACES: c_int =
    libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWCGROUP;
const OOM_SCORE_ADJ: &[u8] = b"/proc/self/oom_score_adj\0";
/// The host's only umask: there is no field for another one.
const UMASK: libc::mode_t = 0o022;

/// The arrays of pointers that execve(2) takes, each with a null behind it.
pub struct Pointers {
    programs: Vec<*const c_char>,
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    directories: Vec<*const c_char>,
}

impl Pointers {
    pub fn of(command: &Command) -> Pointers {
        let list = |strings: &[CString]| {
            let pointers = strings.iter().map(|text| text.as_ptr());
            pointers.chain([std::ptr::null()]).collect()
        };
        Pointers {
            programs: list(&command.programs),
            arguments: list(&command.arguments),
            environment: list(&command.environment),
            directories: list(&command.directories),
        }
    }
}

/// From linux/capability.h.
#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: c_int,
}

#[repr(C)]
struct CapabilityData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// What the child works with. Nothing of it is owned: the child never returns.
pub struct Child<'a> {
    pub pointers: &'a Pointers,
    pub streams: [RawFd; 3],
    pub terminal: bool,
    pub report: RawFd,
    pub oom_score_adj: Option<&'a str>,
    /// The file by which a cgroup is joined, if the child was not born in it.
    pub cgroup_procs: Option<RawFd>,
    pub confinement: Option<&'a Confinement>,
}

type Done<T> = std::result::Result<T, (Step, c_int)>;

fn check(step: Step, result: impl Into<i64>) -> Done<()> {
    if result.into() < 0 {
        Err((step, errno()))
    } else {
        Ok(())
    }
}

impl Child<'_> {
    /// Only system calls from here on.
    pub fn run(&self) -> ! {
        let error = match self.prepare() {
            Ok(()) => {
                self.say(Step::Ready, 0);
                (Step::Execute, self.execute())
            }
            Err(error) => error,
        };
        self.say(error.0, error.1);
        // SAFETY: ends the process at once; nothing of the parent's is cleaned up.
        unsafe { libc::_exit(127) }
    }

    fn say(&self, step: Step, errno: c_int) {
        let record = record(step, errno);
        // SAFETY: writes the record, which lives on our stack.
        unsafe { libc::write(self.report, record.as_ptr().cast(), record.len()) };
    }

    fn prepare(&self) -> Done<()> {
        sys::hide_process();
        self.reset_signals();
        self.set_oom_score_adj()?;
        if let Some(procs) = self.cgroup_procs {
            // SAFETY: writes one byte of a constant: the writer itself.
            check(
                Step::Cgroup,
                unsafe { libc::write(procs, b"0".as_ptr().cast(), 1) } as i64,
            )?;
        }
        if let Some(confinement) = self.confinement {
            // SAFETY: setns takes two numbers and touches no memory of ours.
            let result = unsafe { libc::setns(confinement.init.as_raw_fd(), NAMESPACES) };
            check(Step::Namespaces, result)?;
        }
        self.take_streams()?;
        let confinement = match self.confinement {
            Some(confinement) => confinement,
            None => {
                self.enter_directory()?;
                return Ok(());
            }
        };
        let entered = self.enter_directory();
        for (resource, value) in &confinement.limits {
            // SAFETY: setrlimit reads one rlimit, which outlives the call.
            check(Step::Limits, unsafe { libc::setrlimit(*resource, value) })?;
        }
        confinement.become_user()?;
        // A directory of another machine may be closed to root and open to the user.
        entered.or_else(|_| self.enter_directory())?;
        confinement.give_up_rights()
    }

    fn reset_signals(&self) {
        // SAFETY: no handler is installed; the set is plain data that sigemptyset fills.
        unsafe {
            for signal in 1..=64 {
                libc::signal(signal, libc::SIG_DFL);
            }
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
        }
    }

    fn set_oom_score_adj(&self) -> Done<()> {
        let value = match self.oom_score_adj {
            Some(value) => value.as_bytes(),
            None => return Ok(()),
        };
        let path: *const c_char = OOM_SCORE_ADJ.as_ptr().cast();
        // SAFETY: the path ends with a NUL, and the value lives as long as the parent's memory.
        unsafe {
            let file = libc::open(path, libc::O_WRONLY | libc::O_CLOEXEC);
            check(Step::OomScoreAdj, file)?;
            let written = libc::write(file, value.as_ptr().cast(), value.len());
            check(Step::OomScoreAdj, written as i64)
        }
    }

    /// A session of its own, the streams at their places, and nothing else open but the report.
    fn take_streams(&self) -> Done<()> {
        let user = self.confinement.map(|to| (to.uid, to.gid));
        // SAFETY: calls that take numbers and touch no memory of ours.
        unsafe {
            check(Step::Streams, libc::setsid())?;
            for (target, source) in (0..).zip(self.streams) {
                check(Step::Streams, libc::dup2(source, target))?;
                if let Some((uid, gid)) = user {
                    // So that the user can open /dev/stdout; where it cannot be, it cannot.
                    libc::fchown(target, uid, gid);
                }
            }
            if self.terminal {
                check(Step::Terminal, libc::ioctl(0, libc::TIOCSCTTY as _, 0))?;
            }
            let report = self.report as c_long;
            if report > 3 {
                let result = libc::syscall(libc::SYS_close_range, 3 as c_long, report - 1, 0);
                check(Step::Streams, result)?;
            }
            let last = u32::MAX as c_long;
            let result = libc::syscall(libc::SYS_close_range, report + 1, last, 0);
            check(Step::Streams, result)
        }
    }

    /// Makes the working directory if it is missing.
    fn enter_directory(&self) -> Done<()> {
        let list = &self.pointers.directories;
        let directory = list.iter().rev().nth(1).copied();
        let directory = directory.unwrap_or(b"/\0".as_ptr().cast());
        // SAFETY: all paths end with a NUL and live as long as the parent's memory; getcwd writes to
        // a buffer on our stack.
        unsafe {
            libc::umask(UMASK);
            if libc::chdir(directory) < 0 {
                if errno() != libc::ENOENT {
                    return check(Step::Directory, -1);
                }
                for path in list.iter().take_while(|path| !path.is_null()) {
                    if libc::mkdir(*path, 0o755) < 0 && errno() != libc::EEXIST {
                        return check(Step::Directory, -1);
                    }
                }
                check(Step::Directory, libc::chdir(directory))?;
            }
            let mut path = [0u8; libc::PATH_MAX as usize];
            let length = libc::syscall(libc::SYS_getcwd, path.as_mut_ptr(), path.len());
            check(Step::Directory, length)?;
            // The kernel says so of a directory that is not below the root.
            match path.first() {
                Some(b'/') => Ok(()),
                _ => Err((Step::Directory, libc::ENOENT)),
            }
        }
    }

    /// Returns only if no program could be executed: a search goes on behind one that is missing or
    /// may not be executed, and the latter is what is told then.
    fn execute(&self) -> c_int {
        let mut reason = libc::ENOENT;
        let arrays = self.pointers;
        for path in arrays.programs.iter().take_while(|path| !path.is_null()) {
            // SAFETY: the arrays end with a null pointer, all strings with a NUL.
            unsafe {
                libc::execve(
                    *path,
                    arrays.arguments.as_ptr(),
                    arrays.environment.as_ptr(),
                );
            }
            match errno() {
                libc::ENOENT | libc::ENOTDIR => (),
                libc::EACCES => reason = libc::EACCES,
                other => return other,
            }
        }
        reason
    }
}

impl Confinement {
    /// Keeps what the agent may do, for the steps that are left; not in force, unless root stays root.
    fn become_user(&self) -> Done<()> {
        let (uid, gid) = (self.uid as c_long, self.gid as c_long);
        // SAFETY: calls that take numbers, and one that reads the list of the given length. The
        // kernel's own calls are used, as those of the C library would change all its threads.
        unsafe {
            let count = self.groups.len() as c_long;
            let result = libc::syscall(libc::SYS_setgroups, count, self.groups.as_ptr());
            check(Step::User, result)?;
            for capability in 0..64 {
                let wanted = self.capabilities.bounding >> capability & 1 == 1;
                let zero = 0 as c_ulong;
                let drop = libc::PR_CAPBSET_DROP;
                if !wanted && libc::prctl(drop, capability as c_ulong, zero, zero, zero) < 0 {
                    match errno() {
                        // The kernel knows no more of them.
                        libc::EINVAL => break,
                        other => return Err((Step::Capabilities, other)),
                    }
                }
            }
            let one = 1 as c_ulong;
            check(Step::User, libc::prctl(libc::PR_SET_KEEPCAPS, one, 0, 0, 0))?;
            check(
                Step::User,
                libc::syscall(libc::SYS_setresgid, gid, gid, gid),
            )?;
            check(
                Step::User,
                libc::syscall(libc::SYS_setresuid, uid, uid, uid),
            )
        }
    }

    /// The filter must be the last but for what the kernel asks CAP_SYS_ADMIN for: it is needed to
    /// set a filter unless the process can gain nothing by executing a program.
    fn give_up_rights(&self) -> Done<()> {
        let wanted = &self.capabilities;
        if self.no_new_privileges {
            set_capabilities(wanted, 0)?;
            raise_ambient(wanted.ambient)?;
            let (one, zero) = (1 as c_ulong, 0 as c_ulong);
            // SAFETY: PR_SET_NO_NEW_PRIVS takes numbers and touches no memory of ours.
            let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, one, zero, zero, zero) };
            check(Step::Capabilities, result)?;
            return self.set_filter();
        }
        if self.filter.is_some() {
            set_capabilities(wanted, 1 << CAP_SYS_ADMIN)?;
            raise_ambient(wanted.ambient)?;
            self.set_filter()?;
            return set_capabilities(wanted, 0);
        }
        set_capabilities(wanted, 0)?;
        raise_ambient(wanted.ambient)
    }

    fn set_filter(&self) -> Done<()> {
        let filter = match &self.filter {
            Some(filter) => filter,
            None => return Ok(()),
        };
        let program = libc::sock_fprog {
            len: filter.len() as u16,
            filter: filter.as_ptr() as *mut libc::sock_filter,
        };
        let (mode, flags) = (
            libc::SECCOMP_SET_MODE_FILTER as c_long,
            libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW as c_long,
        );
        // SAFETY: the kernel reads the program, which lives as long as the parent's memory.
        let result = unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &program) };
        check(Step::Filter, result)
    }
}

/// Sets three of the sets, with `more` in force.
fn set_capabilities(wanted: &Capabilities, more: u64) -> Done<()> {
    const VERSION_3: u32 = 0x2008_0522;
    let header = CapabilityHeader {
        version: VERSION_3,
        pid: 0,
    };
    let half = |shift: u32| CapabilityData {
        effective: ((wanted.effective | more) >> shift) as u32,
        permitted: ((wanted.permitted | more) >> shift) as u32,
        inheritable: (wanted.inheritable >> shift) as u32,
    };
    let data = [half(0), half(32)];
    // SAFETY: capset reads a header and, in this version, two blocks of data.
    let result = unsafe { libc::syscall(libc::SYS_capset, &header, data.as_ptr()) };
    check(Step::Capabilities, result)
}

/// As the runtime does it: what cannot be ambient is not.
fn raise_ambient(mask: u64) -> Done<()> {
    let zero = 0 as c_ulong;
    for capability in (0..64).filter(|capability| mask >> capability & 1 == 1) {
        let raise = libc::PR_CAP_AMBIENT_RAISE as c_ulong;
        let number = capability as c_ulong;
        // SAFETY: PR_CAP_AMBIENT takes numbers and touches no memory of ours.
        let result = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, raise, number, zero, zero) };
        if result < 0 && !matches!(errno(), libc::EINVAL | libc::EPERM) {
            return check(Step::Capabilities, result);
        }
    }
    Ok(())
}
