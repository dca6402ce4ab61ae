// SPDX-License-Identifier: Apache-2.0
//! Wakes up on kernel object events. Whoever waits looks at sysfs again, so a lost or foreign event
//! does no harm.

use nix::errno::Errno;
use nix::poll::{poll, PollFd, PollFlags};
use nix::sys::socket::{
    bind, recv, socket, AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType,
};
use std::io;
use std::os::unix::io::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};
use tokio::io::unix::AsyncFd;
use tokio::io::Interest;

const KERNEL_GROUP: u32 = 1;

/// More than the kernel puts into one event.
const MAX_EVENT: usize = 4096;

pub struct Uevents(OwnedFd);

impl Uevents {
    pub fn open() -> io::Result<Uevents> {
        let fd = crate::sys::owned(socket(
            AddressFamily::Netlink,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkKObjectUEvent,
        )?);
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, KERNEL_GROUP))?;
        Ok(Uevents(fd))
    }

    /// Looks with `look` now and after each event, until it finds something or the time is over.
    /// Blocks the thread.
    pub fn wait_for<T>(&self, limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        let end = Instant::now() + limit;
        loop {
            if let Some(found) = look() {
                return Some(found);
            }
            let rest = end.checked_duration_since(Instant::now())?;
            let millis = i32::try_from(rest.as_millis())
                .unwrap_or(i32::MAX)
                .saturating_add(1);
            let _ = poll(
                &mut [PollFd::new(self.0.as_raw_fd(), PollFlags::POLLIN)],
                millis,
            );
            let mut buffer = [0; MAX_EVENT];
            while recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()).is_ok() {}
        }
    }

    /// For waiting without blocking the thread; needs a tokio runtime.
    pub fn watch(self) -> io::Result<Watch> {
        Ok(Watch(AsyncFd::with_interest(self.0, Interest::READABLE)?))
    }
}

pub struct Watch(AsyncFd<OwnedFd>);

impl Watch {
    /// Returns after an event that says `word`, or when events were lost.
    pub async fn next(&self, word: &[u8]) -> io::Result<()> {
        loop {
            let mut guard = self.0.readable().await?;
            let mut buffer = [0; MAX_EVENT];
            match recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(count) if contains(&buffer[..count], word) => return Ok(()),
                Ok(_) | Err(Errno::EINTR) => (),
                Err(Errno::EAGAIN) => guard.clear_ready(),
                Err(Errno::ENOBUFS) => return Ok(()),
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}
