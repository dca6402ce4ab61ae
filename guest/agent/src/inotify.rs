// SPDX-License-Identifier: Apache-2.0
//! Changes of files, without polling and without blocking the thread. The files of the cgroup tree
//! that report events change in this sense.

use nix::errno::Errno;
use nix::sys::inotify::{self, AddWatchFlags, InitFlags, WatchDescriptor};
use std::io;
use std::os::unix::io::{AsRawFd, OwnedFd};
use std::path::Path;
use tokio::io::unix::AsyncFd;
use tokio::io::Interest;

pub struct Inotify {
    fd: AsyncFd<OwnedFd>,
    /// A copy of the number of `fd`, for nix's calls.
    raw: inotify::Inotify,
}

pub enum Change {
    Modified(WatchDescriptor),
    /// The file is gone, and its watch with it.
    Gone(WatchDescriptor),
    /// Changes were lost: everything may have changed.
    Unknown,
}

impl Inotify {
    /// Needs a tokio runtime.
    pub fn new() -> io::Result<Inotify> {
        let raw = inotify::Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let fd = crate::sys::owned(raw.as_raw_fd());
        Ok(Inotify {
            fd: AsyncFd::with_interest(fd, Interest::READABLE)?,
            raw,
        })
    }

    pub fn add(&self, file: &Path) -> io::Result<WatchDescriptor> {
        Ok(self.raw.add_watch(file, AddWatchFlags::IN_MODIFY)?)
    }

    pub fn remove(&self, watch: WatchDescriptor) {
        // It fails when the file is gone, and the watch with it.
        let _ = self.raw.rm_watch(watch);
    }

    /// Waits for changes; never answers an empty list.
    pub async fn next(&self) -> io::Result<Vec<Change>> {
        loop {
            let mut guard = self.fd.readable().await?;
            match self.raw.read_events() {
                Ok(events) => return Ok(events.iter().map(change).collect()),
                Err(Errno::EAGAIN) => guard.clear_ready(),
                Err(Errno::EINTR) => (),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

fn change(event: &inotify::InotifyEvent) -> Change {
    if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
        Change::Unknown
    } else if event.mask.contains(AddWatchFlags::IN_IGNORED) {
        Change::Gone(event.wd)
    } else {
        Change::Modified(event.wd)
    }
}
