// SPDX-License-Identifier: Apache-2.0
//! The virtio-serial port as a [`Port`]: non-blocking, asleep while the host is away.
//!
//! Without a host the port is in permanent hang-up, which tokio would report as readable for ever.
//! Therefore the port sits edge-triggered in an epoll instance of its own, and tokio watches that
//! instance: the driver's wake-up on a host's arrival or departure is then one event, not a state.

use crate::channel::Port;
use crate::sys;
use futures_util::ready;
use nix::sys::epoll::{self, EpollCreateFlags, EpollEvent, EpollFlags, EpollOp};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::io::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};
use tokio::io::unix::AsyncFd;
use tokio::io::Interest;

pub const CLASS: &str = "/sys/class/virtio-ports";
/// What the name of a port for the agent starts with; a number follows.
pub const NAME: &str = "agent.channel.";

/// The devices of the agent's ports that the kernel has already.
pub fn find(class: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(class).into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            let name = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
            is_ours(name.trim_end())
        })
        .map(|entry| Path::new("/dev").join(entry.file_name()))
        .collect()
}

fn is_ours(name: &str) -> bool {
    name.strip_prefix(NAME).map_or(false, |number| {
        (1..=3).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
    })
}

pub fn open(device: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(device)
}

pub struct FilePort {
    file: File,
    events: AsyncFd<OwnedFd>,
    known: Known,
}

impl FilePort {
    /// Needs a tokio runtime; `file` must be non-blocking.
    pub fn new(file: File) -> io::Result<FilePort> {
        let events = sys::owned(epoll::epoll_create1(EpollCreateFlags::EPOLL_CLOEXEC)?);
        let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
        epoll::epoll_ctl(
            events.as_raw_fd(),
            EpollOp::EpollCtlAdd,
            file.as_raw_fd(),
            &mut EpollEvent::new(interest, 0),
        )?;
        Ok(FilePort {
            file,
            events: AsyncFd::with_interest(events, Interest::READABLE)?,
            known: Known {
                readable: true,
                writable: true,
                hung_up: false,
            },
        })
    }

    fn poll_events(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.known.update(&self.events, cx)? {
                return Poll::Ready(Ok(()));
            }
            let mut guard = ready!(self.events.poll_read_ready(cx))?;
            if self.known.update(&self.events, cx)? {
                return Poll::Ready(Ok(()));
            }
            guard.clear_ready();
        }
    }
}

/// What the events so far say of the port.
struct Known {
    readable: bool,
    writable: bool,
    hung_up: bool,
}

impl Known {
    /// Takes the events that came since the last call; false when there are none.
    ///
    /// An event that was taken wakes nobody any more. So the task is woken for what it is not just
    /// about to do: input that a write has learnt of would otherwise lie unread until the next one.
    fn update(&mut self, events: &AsyncFd<OwnedFd>, cx: &Context<'_>) -> io::Result<bool> {
        let mut list = [EpollEvent::empty()];
        let count = match epoll::epoll_wait(events.as_raw_fd(), &mut list, 0) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(errno) => return Err(errno.into()),
        };
        if count == 0 {
            return Ok(false);
        }
        let flags = list[0].events();
        self.hung_up = flags.intersects(EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR);
        self.readable |= self.hung_up || flags.contains(EpollFlags::EPOLLIN);
        self.writable |= self.hung_up || flags.contains(EpollFlags::EPOLLOUT);
        cx.waker().wake_by_ref();
        Ok(true)
    }
}

impl Port for FilePort {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            if self.known.readable {
                match self.file.read(buf) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.known.readable = false
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Ok(0) => {
                        self.known.readable = false;
                        self.known.hung_up = true;
                        return Poll::Ready(Ok(0));
                    }
                    result => return Poll::Ready(result),
                }
            }
            ready!(self.poll_events(cx))?;
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        // Output for a host that has left would be read by the one that comes next, and what is
        // known of the host may be old: tokio learns of events only between two polls.
        self.known.update(&self.events, cx)?;
        loop {
            if self.known.hung_up {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if self.known.writable {
                match self.file.write(buf) {
                    // The driver forgets that its queue is full when the host goes or comes, and
                    // then takes nothing.
                    Ok(0) => self.known.writable = false,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.known.writable = false
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    result => return Poll::Ready(result),
                }
            }
            ready!(self.poll_events(cx))?;
        }
    }

    fn poll_return(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.known.hung_up {
            ready!(self.poll_events(cx))?;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;
    use futures_util::future::poll_fn;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    #[tokio::test]
    async fn input_that_comes_between_a_read_and_a_write_is_read() {
        let (near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let mut port = FilePort::new(File::from(OwnedFd::from(near))).unwrap();
        let mut buf = [0; 16];
        let mut written = false;
        // A task of its own, which nobody but the port wakes.
        let task = tokio::spawn(poll_fn(move |cx| {
            let read = port.poll_read(cx, &mut buf);
            if read.is_pending() && !written {
                written = true;
                far.write_all(b"input").unwrap();
                assert!(port.poll_write(cx, b"output").is_ready());
            }
            read
        }));
        let read = tokio::time::timeout(Duration::from_secs(5), task).await;
        assert_eq!(read.expect("the task is woken").unwrap().unwrap(), 5);
    }

    #[test]
    fn the_ports_of_the_agent_are_told_from_others() {
        let class = TempDir::new();
        for (device, name) in [
            ("vport0p1", "agent.channel.0\n"),
            ("vport0p2", "org.qemu.guest_agent.0\n"),
            ("vport0p3", "agent.channel.17\n"),
            ("vport0p4", "agent.channel.\n"),
            ("vport0p5", "agent.channel.x\n"),
        ] {
            fs::create_dir(class.path().join(device)).unwrap();
            fs::write(class.path().join(device).join("name"), name).unwrap();
        }
        // The name of a new port comes later than its device.
        fs::create_dir(class.path().join("vport0p6")).unwrap();
        let mut found = find(class.path());
        found.sort();
        assert_eq!(found, ["/dev/vport0p1", "/dev/vport0p3"].map(PathBuf::from));
        assert_eq!(find(&class.path().join("none")), [] as [PathBuf; 0]);
    }
}
