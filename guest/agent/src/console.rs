// SPDX-License-Identifier: Apache-2.0
//! Receives the terminal that the OCI runtime creates inside a container: the runtime connects to
//! a unix socket and sends the master side.

use nix::cmsg_space;
use nix::sys::socket::{recvmsg, ControlMessageOwned, MsgFlags, UnixAddr};
use std::fs;
use std::io::{self, IoSliceMut};
use std::os::unix::io::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// The socket lives in the file system as long as this value.
pub struct ConsoleSocket {
    path: PathBuf,
    listener: UnixListener,
}

impl ConsoleSocket {
    pub fn bind(path: PathBuf) -> io::Result<ConsoleSocket> {
        let listener = UnixListener::bind(&path)?;
        listener.set_nonblocking(true)?;
        Ok(ConsoleSocket { path, listener })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Does not wait: call it after the runtime has ended successfully.
    pub fn receive(&self) -> io::Result<OwnedFd> {
        let (stream, _) = self.listener.accept()?;
        stream.set_nonblocking(true)?;
        let mut data = [0; 4096];
        let mut buffers = [IoSliceMut::new(&mut data)];
        let mut control = cmsg_space!([RawFd; 1]);
        let message = recvmsg::<UnixAddr>(
            stream.as_raw_fd(),
            &mut buffers,
            Some(&mut control),
            MsgFlags::MSG_CMSG_CLOEXEC,
        )?;
        for part in message.cmsgs() {
            if let ControlMessageOwned::ScmRights(fds) = part {
                if let Some(&fd) = fds.first() {
                    return Ok(crate::sys::owned(fd));
                }
            }
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the runtime sent no terminal",
        ))
    }
}

impl Drop for ConsoleSocket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
