// SPDX-License-Identifier: Apache-2.0
//! A listening socket, and each of its connections as a [`Port`]: the host of such a port leaves
//! but once.

use crate::channel::Port;
use crate::server::{self, Service};
use crate::sys;
use futures_util::ready;
use nix::errno::Errno;
use nix::sys::socket::{accept4, SockFlag};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::io::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::io::Interest;
use tokio::task::JoinSet;

/// Each may hold as much memory as a port may.
pub const MAX_CONNECTIONS: usize = 32;

/// For how long nobody is accepted when descriptors or memory lack; connections wait meanwhile.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves the connections that `admit` lets in, all at once; those beyond the limit are closed.
/// Returns when the socket, which is non-blocking, fails.
pub async fn serve<S: Service>(
    listener: OwnedFd,
    admit: fn(&OwnedFd) -> bool,
    service: Arc<S>,
) -> io::Error {
    let listener = match AsyncFd::with_interest(listener, Interest::READABLE) {
        Ok(listener) => listener,
        Err(error) => return error,
    };
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener) => accepted,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        match accepted {
            Ok(connection) if !admit(&connection) => info!("socket: a stranger was refused"),
            Ok(_) if connections.len() >= MAX_CONNECTIONS => {
                warning!("socket: more than {MAX_CONNECTIONS} connections, the newest is closed")
            }
            Ok(connection) => {
                connections.spawn(run(connection, service.clone()));
            }
            Err(Errno::EINTR | Errno::ECONNABORTED | Errno::ECONNRESET) => (),
            Err(errno @ (Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM)) => {
                warning!("socket: accept: {errno}");
                tokio::time::sleep(PAUSE).await;
            }
            Err(errno) => return errno.into(),
        }
    }
}

async fn accept(listener: &AsyncFd<OwnedFd>) -> nix::Result<OwnedFd> {
    loop {
        let mut guard = listener
            .readable()
            .await
            .map_err(|error| Errno::from_i32(error.raw_os_error().unwrap_or(libc::EIO)))?;
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        match accept4(listener.as_raw_fd(), flags) {
            Err(Errno::EAGAIN) => guard.clear_ready(),
            result => return result.map(sys::owned),
        }
    }
}

async fn run<S: Service>(connection: OwnedFd, service: Arc<S>) {
    let ended = match SocketPort::new(connection) {
        Ok(port) => server::serve_once(port, service).await,
        Err(error) => Err(error),
    };
    if let Err(error) = ended {
        info!("socket: connection dropped: {error}");
    }
}

struct SocketPort(AsyncFd<File>);

impl SocketPort {
    fn new(connection: OwnedFd) -> io::Result<SocketPort> {
        Ok(SocketPort(AsyncFd::new(File::from(connection))?))
    }
}

impl Port for SocketPort {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(cx))?;
            match guard.try_io(|socket| socket.get_ref().read(buf)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => (),
                Ok(result) => return Poll::Ready(result),
                Err(_would_block) => (),
            }
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(cx))?;
            match guard.try_io(|socket| socket.get_ref().write(buf)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => (),
                Ok(result) => return Poll::Ready(result),
                Err(_would_block) => (),
            }
        }
    }

    fn poll_return(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
    }
}
