// SPDX-License-Identifier: Apache-2.0
//! The vsock of the guest: whether it has one, and the socket on which the agent listens there.

use crate::sys;
use nix::sys::socket::{
    bind, getpeername, listen as start_listening, socket, AddressFamily, SockFlag, SockType,
    VsockAddr,
};
use std::fs;
use std::io;
use std::os::unix::io::{AsRawFd, OwnedFd};
use std::path::Path;

pub const DEVICES: &str = "/sys/bus/virtio/devices";
/// Where Kata's host looks for its agent.
pub const PORT: u32 = 1024;

/// The virtio specification, section 5: 19 is a socket device.
const DEVICE_ID: &str = "0x0013";
const BACKLOG: usize = 32;

/// Whether the kernel has found a vsock device; its driver need not be loaded.
pub fn is_present(devices: &Path) -> bool {
    has_virtio(devices, DEVICE_ID)
}

/// Whether there is a virtio device of this kind.
pub fn has_virtio(devices: &Path, kind: &str) -> bool {
    let entries = fs::read_dir(devices).into_iter().flatten().flatten();
    entries
        .map(|entry| fs::read_to_string(entry.path().join("device")).unwrap_or_default())
        .any(|id| id.trim_end() == kind)
}

/// The socket is non-blocking.
pub fn listen() -> io::Result<OwnedFd> {
    let listener = sys::owned(socket(
        AddressFamily::Vsock,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        None,
    )?);
    bind(
        listener.as_raw_fd(),
        &VsockAddr::new(libc::VMADDR_CID_ANY, PORT),
    )?;
    start_listening(listener.as_raw_fd(), BACKLOG)?;
    Ok(listener)
}

/// The containers of the guest, and other guests, have no say here.
pub fn is_from_host(connection: &OwnedFd) -> bool {
    getpeername::<VsockAddr>(connection.as_raw_fd())
        .map_or(false, |peer| peer.cid() == libc::VMADDR_CID_HOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_device_is_told_by_its_number() {
        let devices = TempDir::new();
        assert!(!is_present(&devices.path().join("none")));
        for (name, id) in [("virtio0", "0x0003\n"), ("virtio1", "0x0013\n")] {
            assert!(!is_present(devices.path()));
            fs::create_dir(devices.path().join(name)).unwrap();
            fs::write(devices.path().join(name).join("device"), id).unwrap();
        }
        assert!(is_present(devices.path()));
    }

    #[test]
    fn who_is_not_known_to_be_the_host_is_not() {
        let (near, _far) = UnixStream::pair().unwrap();
        assert!(!is_from_host(&OwnedFd::from(near)));
    }
}
