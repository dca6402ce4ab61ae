// SPDX-License-Identifier: Apache-2.0
//! The system calls that have no safe wrapper in our crates, each with the reason why it is sound.

use nix::errno::Errno;
use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::unix::io::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; a poisoned lock cannot be seen, because a panic ends the process.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes over a descriptor that a system call has just returned.
pub fn owned(fd: RawFd) -> OwnedFd {
    // SAFETY: every caller passes the fresh result of a successful call, owned by nobody else.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

pub fn memfd(name: &CStr) -> io::Result<File> {
    let flags = nix::sys::memfd::MemFdCreateFlag::MFD_CLOEXEC;
    Ok(owned(nix::sys::memfd::memfd_create(name, flags)?).into())
}

/// A copy of a file that nobody can change.
pub fn sealed_copy(path: &Path) -> io::Result<File> {
    use nix::fcntl::{fcntl, FcntlArg, SealFlag};
    use nix::sys::memfd::{memfd_create, MemFdCreateFlag};
    let flags = MemFdCreateFlag::MFD_CLOEXEC | MemFdCreateFlag::MFD_ALLOW_SEALING;
    let mut copy = File::from(owned(memfd_create(Default::default(), flags)?));
    io::copy(&mut File::open(path)?, &mut copy)?;
    let seals = SealFlag::F_SEAL_SEAL
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_WRITE;
    fcntl(copy.as_raw_fd(), FcntlArg::F_ADD_SEALS(seals))?;
    Ok(copy)
}

/// A pipe, as (read end, write end), both closed on exec.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    Ok((owned(read), owned(write)))
}

pub fn set_nonblocking(fd: &OwnedFd) -> io::Result<()> {
    use nix::fcntl::{fcntl, FcntlArg, OFlag};
    let flags = OFlag::from_bits_truncate(fcntl(fd.as_raw_fd(), FcntlArg::F_GETFL)?);
    fcntl(fd.as_raw_fd(), FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Bytes that can be read now.
pub fn available(fd: &OwnedFd) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int to the pointer, which lives on our stack.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD as _, &mut count) };
    if result < 0 {
        0
    } else {
        usize::try_from(count).unwrap_or(0)
    }
}

pub fn set_window_size(fd: &OwnedFd, rows: u16, columns: u16) -> io::Result<()> {
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCSWINSZ reads one winsize from the pointer, which lives on our stack.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSWINSZ as _, &size) };
    Errno::result(result).map(drop).map_err(io::Error::from)
}

/// Brings the loopback interface up.
pub fn loopback_up() -> io::Result<()> {
    use nix::sys::socket::{socket, AddressFamily, SockFlag, SockType};
    let socket = owned(socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?);
    // SAFETY: ifreq is plain data for which all zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads one ifreq from the pointer, which lives on our stack.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &request) };
    Errno::result(result).map(drop).map_err(io::Error::from)
}

pub fn set_time(seconds: i64, microseconds: i64) -> io::Result<()> {
    let time = libc::timeval {
        tv_sec: seconds,
        tv_usec: microseconds,
    };
    // SAFETY: settimeofday reads one timeval; the time zone may be null.
    let result = unsafe { libc::settimeofday(&time, std::ptr::null()) };
    Errno::result(result).map(drop).map_err(io::Error::from)
}

/// Adds `data` to the kernel's entropy pool, credited with 8 bits per byte, and reseeds from it.
pub fn add_entropy(device: &File, data: &[u8]) -> io::Result<()> {
    // From linux/random.h, absent from libc.
    const RNDADDENTROPY: libc::c_ulong = 0x4008_5203;
    const RNDRESEEDCRNG: libc::c_ulong = 0x5207;
    let size = i32::try_from(data.len()).map_err(|_| io::Error::from(Errno::EINVAL))?;
    let bits = size.checked_mul(8).ok_or(Errno::EINVAL)?;
    let mut info = Vec::with_capacity(8 + data.len());
    info.extend_from_slice(&bits.to_ne_bytes());
    info.extend_from_slice(&size.to_ne_bytes());
    info.extend_from_slice(data);
    // SAFETY: RNDADDENTROPY reads two ints and as many bytes as the second says; all are in `info`.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), RNDADDENTROPY as _, info.as_ptr()) };
    Errno::result(result)?;
    // SAFETY: RNDRESEEDCRNG takes no argument.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), RNDRESEEDCRNG as _) };
    Errno::result(result).map(drop).map_err(io::Error::from)
}

/// Whether the kernel has seccomp.
pub fn has_seccomp() -> bool {
    // SAFETY: PR_GET_SECCOMP has no arguments and only reads the state of the caller.
    unsafe { libc::prctl(libc::PR_GET_SECCOMP, 0, 0, 0, 0) >= 0 }
}

/// Removes every environment variable; only for the start of PID 1, before any thread.
pub fn reset_environment() {
    let names: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
    for name in names {
        std::env::remove_var(name);
    }
    std::env::set_var(
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    );
    std::env::set_var("HOME", "/");
}

/// Waits for a child that has ended, and leaves it a zombie. `Ok(None)`: none yet (`block` false).
pub fn peek_child(block: bool) -> nix::Result<Option<i32>> {
    let mut flags = libc::WEXITED | libc::WNOWAIT | libc::__WALL;
    if !block {
        flags |= libc::WNOHANG;
    }
    // SAFETY: siginfo_t is plain data for which all zeroes is a valid value.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: waitid writes one siginfo_t to the pointer, which lives on our stack.
    Errno::result(unsafe { libc::waitid(libc::P_ALL, 0, &mut info, flags) })?;
    // SAFETY: waitid succeeded, so the fields of SIGCHLD are set, or all are zero.
    let pid = unsafe { info.si_pid() };
    Ok((pid != 0).then_some(pid))
}

/// Reaps the zombie; the result follows the shell: exit code, or 128 + signal.
pub fn reap(pid: i32) -> nix::Result<i32> {
    let mut status = 0;
    // SAFETY: waitpid writes one int to the pointer, which lives on our stack.
    Errno::result(unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG | libc::__WALL) })?;
    if libc::WIFSIGNALED(status) {
        Ok(128 + libc::WTERMSIG(status))
    } else {
        Ok(libc::WEXITSTATUS(status))
    }
}

/// Any signal number, the real-time ones too, which nix does not know.
pub fn kill(pid: i32, signal: i32) -> nix::Result<()> {
    // SAFETY: kill takes two numbers and touches no memory of ours.
    Errno::result(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Lets no process without privileges look into this one, nor anyone dump it.
pub fn hide_process() {
    // SAFETY: PR_SET_DUMPABLE takes one number and touches no memory of ours.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
}

/// The kernel reaps the children of this process from now on.
pub fn ignore_children() {
    use nix::sys::signal::{signal, SigHandler, Signal};
    // SAFETY: no handler is installed, so nothing of ours can run in a signal's context.
    let _ = unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) };
}

/// The same file at a number that no standard stream has.
pub fn high(fd: OwnedFd) -> io::Result<OwnedFd> {
    use nix::fcntl::{fcntl, FcntlArg};
    if fd.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(fd);
    }
    let copy = fcntl(fd.as_raw_fd(), FcntlArg::F_DUPFD_CLOEXEC(3))?;
    Ok(owned(copy))
}

/// A descriptor of a process, by which it can be told from a later one of equal pid.
pub fn pidfd(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two numbers and touches no memory of ours.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    Ok(owned(Errno::result(result)? as RawFd))
}

/// Finds a file below `root`, which no link on the way can leave; the result is only a reference.
pub fn open_in_root(root: RawFd, path: &CStr) -> io::Result<OwnedFd> {
    // SAFETY: open_how is plain data for which all zeroes is a valid value.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (libc::O_PATH | libc::O_CLOEXEC) as u64;
    how.resolve = libc::RESOLVE_IN_ROOT | libc::RESOLVE_NO_MAGICLINKS;
    let size = std::mem::size_of_val(&how);
    // SAFETY: openat2 reads a string and an open_how of the given size; both outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_openat2, root, path.as_ptr(), &how, size) };
    Ok(owned(Errno::result(result)? as RawFd))
}

/// Unlocks a terminal and opens the side of its process, by no path that could be another one's.
pub fn terminal_peer(master: &OwnedFd) -> io::Result<OwnedFd> {
    let unlocked: libc::c_int = 0;
    // SAFETY: TIOCSPTLCK reads one int from the pointer, which lives on our stack.
    Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK as _, &unlocked) })?;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: TIOCGPTPEER takes flags as a number and touches no memory of ours.
    let result = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER as _, flags) };
    Ok(owned(Errno::result(result)?))
}
