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

pub const NAME: &str = "agent.channel.0";

/// The device of the port with the given name, if the kernel has it already.
pub fn find(class: &Path, name: &str) -> Option<PathBuf> {
    fs::read_dir(class).ok()?.flatten().find_map(|entry| {
        let text = fs::read_to_string(entry.path().join("name")).ok()?;
        (text.trim_end() == name).then(|| Path::new("/dev").join(entry.file_name()))
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
    readable: bool,
    writable: bool,
    hung_up: bool,
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
            readable: true,
            writable: true,
            hung_up: false,
        })
    }

    /// Takes the events that came since the last call; pending when there are none.
    fn poll_events(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.events.poll_read_ready(cx))?;
            let mut list = [EpollEvent::empty()];
            let count = match epoll::epoll_wait(guard.get_ref().as_raw_fd(), &mut list, 0) {
                Ok(count) => count,
                Err(nix::errno::Errno::EINTR) => continue,
                Err(errno) => return Poll::Ready(Err(errno.into())),
            };
            if count == 0 {
                guard.clear_ready();
                continue;
            }
            let flags = list[0].events();
            self.hung_up = flags.intersects(EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR);
            self.readable |= self.hung_up || flags.contains(EpollFlags::EPOLLIN);
            self.writable |= self.hung_up || flags.contains(EpollFlags::EPOLLOUT);
            return Poll::Ready(Ok(()));
        }
    }
}

impl Port for FilePort {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            if self.readable {
                match self.file.read(buf) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.readable = false
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    result => return Poll::Ready(result),
                }
            }
            ready!(self.poll_events(cx))?;
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        // Output for a host that has left would be read by the one that comes next.
        if let Poll::Ready(Err(error)) = self.poll_events(cx) {
            return Poll::Ready(Err(error));
        }
        loop {
            if self.hung_up {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if self.writable {
                match self.file.write(buf) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.writable = false
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    result => return Poll::Ready(result),
                }
            }
            ready!(self.poll_events(cx))?;
        }
    }

    fn poll_return(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_events(cx)
    }
}
