// SPDX-License-Identifier: Apache-2.0
//! rtnetlink: asks the kernel for the network's state and changes it. All functions block the
//! thread, for moments only. What is read is bounded and must come from the kernel.

use crate::status::{Code, Result, Status};
use crate::sys;
use nix::errno::Errno;
use nix::sys::socket::{
    bind, recvfrom, sendto, setsockopt, socket, sockopt, AddressFamily, MsgFlags, NetlinkAddr,
    SockFlag, SockProtocol, SockType,
};
use nix::sys::time::{TimeVal, TimeValLike};
use std::os::unix::io::{AsRawFd, OwnedFd};

const HEADER: usize = 16;
const MAX_PACKET: usize = 64 << 10;
const MAX_MESSAGES: usize = 100_000;
const LIMIT_SECONDS: i64 = 10;
const ATTRIBUTE_TYPE: u16 = 0x3fff;

/// A request: a fixed part that depends on its kind, and attributes.
pub struct Request(Vec<u8>);

impl Request {
    pub fn new(kind: u16, flags: i32, fixed: &[u8]) -> Request {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&((flags | libc::NLM_F_REQUEST) as u16).to_ne_bytes());
        bytes.extend_from_slice(fixed);
        Request(bytes)
    }

    /// `value` must be far shorter than 64 KiB.
    pub fn with(mut self, kind: u16, value: &[u8]) -> Request {
        let length = 4 + value.len() as u16;
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize((self.0.len() + 3) & !3, 0);
        self
    }

    pub fn with_number(self, kind: u16, value: u32) -> Request {
        self.with(kind, &value.to_ne_bytes())
    }

    fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

pub struct Socket {
    fd: OwnedFd,
    sequence: u32,
}

impl Socket {
    pub fn open() -> Result<Socket> {
        let open = || -> nix::Result<Socket> {
            let fd = sys::owned(socket(
                AddressFamily::Netlink,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC,
                SockProtocol::NetlinkRoute,
            )?);
            bind(fd.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
            let limit = TimeVal::seconds(LIMIT_SECONDS);
            setsockopt(fd.as_raw_fd(), sockopt::ReceiveTimeout, &limit)?;
            Ok(Socket { fd, sequence: 0 })
        };
        open().map_err(|errno| Status::errno("open a netlink socket", errno))
    }

    /// Makes a change.
    pub fn change(&mut self, request: Request) -> nix::Result<()> {
        let mut request = request;
        request.0[6] |= libc::NLM_F_ACK as u8;
        self.exchange(request, |_, _| ())
    }

    /// Reads all objects of one kind: `take` gets the content of each message of the kind `answer`.
    pub fn dump(&mut self, kind: u16, answer: u16, fixed: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut list = Vec::new();
        let request = Request::new(kind, libc::NLM_F_DUMP, fixed);
        let result = self.exchange(request, |kind, content| {
            if kind == answer {
                list.push(content.to_vec());
            }
        });
        match result {
            Ok(()) => Ok(list),
            Err(errno) => Err(failure("read the state of the network", errno)),
        }
    }

    fn exchange(&mut self, request: Request, mut take: impl FnMut(u16, &[u8])) -> nix::Result<()> {
        self.sequence += 1;
        let bytes = request.finish(self.sequence);
        let fd = self.fd.as_raw_fd();
        sendto(fd, &bytes, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
        let mut packet = vec![0; MAX_PACKET];
        let mut seen = 0;
        loop {
            let (count, sender) = match recvfrom::<NetlinkAddr>(fd, &mut packet) {
                Err(Errno::EINTR) => continue,
                result => result?,
            };
            if sender.map_or(true, |sender| sender.pid() != 0) {
                continue;
            }
            for message in Messages(&packet[..count]) {
                if message.sequence != self.sequence {
                    continue;
                }
                seen += 1;
                match i32::from(message.kind) {
                    libc::NLMSG_DONE => return Ok(()),
                    libc::NLMSG_ERROR => {
                        return match number(message.content, 0).map(|n| n as i32) {
                            Some(0) => Ok(()),
                            Some(code) => Err(Errno::from_i32(code.wrapping_neg())),
                            None => Err(Errno::EBADMSG),
                        }
                    }
                    _ if seen > MAX_MESSAGES => return Err(Errno::EOVERFLOW),
                    _ => take(message.kind, message.content),
                }
            }
        }
    }
}

/// A refusal by the kernel, with the code that fits its cause.
pub fn failure(action: impl std::fmt::Display, errno: Errno) -> Status {
    let code = match errno {
        Errno::EINVAL | Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::ERANGE => {
            Code::InvalidArgument
        }
        Errno::EAGAIN => Code::DeadlineExceeded,
        Errno::EEXIST => Code::AlreadyExists,
        Errno::ENODEV | Errno::ENXIO => Code::NotFound,
        Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT => Code::FailedPrecondition,
        _ => return Status::errno(action, errno),
    };
    Status::new(code, format!("{action}: {}", errno.desc()))
}

struct Message<'a> {
    kind: u16,
    sequence: u32,
    content: &'a [u8],
}

struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let length = number(self.0, 0)? as usize;
        let content = self.0.get(HEADER..length)?;
        let message = Message {
            kind: short(self.0, 4)?,
            sequence: number(self.0, 8)?,
            content,
        };
        self.0 = self.0.get((length + 3) & !3..).unwrap_or(&[]);
        Some(message)
    }
}

/// The attributes behind the fixed part of a message; ends at the first that is malformed.
pub struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    pub fn after(content: &'a [u8], fixed: usize) -> Attributes<'a> {
        Attributes(content.get(fixed..).unwrap_or(&[]))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let length = usize::from(short(self.0, 0)?);
        let kind = short(self.0, 2)? & ATTRIBUTE_TYPE;
        let value = self.0.get(4..length)?;
        self.0 = self.0.get((length + 3) & !3..).unwrap_or(&[]);
        Some((kind, value))
    }
}

pub fn short(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_ne_bytes([bytes[0], bytes[1]]))
}

pub fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_padded_and_counted() {
        let request = Request::new(16, libc::NLM_F_CREATE, &[1, 2, 3, 4]).with(3, b"eth0\0");
        let bytes = request.with_number(4, 1500).finish(7);
        assert_eq!(bytes.len(), 16 + 4 + 12 + 8);
        let message = Messages(&bytes).next().unwrap();
        assert_eq!((message.kind, message.sequence), (16, 7));
        let attributes: Vec<_> = Attributes::after(message.content, 4).collect();
        assert_eq!(attributes[0], (3, &b"eth0\0"[..]));
        assert_eq!(number(attributes[1].1, 0), Some(1500));
        assert_eq!(attributes.len(), 2);
    }

    #[test]
    fn damaged_messages_end() {
        let message = Request::new(16, 0, &[1, 2, 3, 4])
            .with(3, b"eth0\0")
            .with_number(4, 1500)
            .finish(7);
        crate::testing::scrambled(&[&message], |bytes| {
            for message in Messages(bytes) {
                let attributes = Attributes::after(message.content, 4);
                assert!(attributes.count() <= bytes.len());
            }
        });
    }

    #[test]
    fn malformed_messages_and_attributes_end_the_list() {
        for bytes in [
            &[][..],
            &[16, 0, 0],
            &[15, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
            &[200, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
            &[255; 16],
        ] {
            assert!(Messages(bytes).next().is_none(), "{bytes:?}");
        }
        for bytes in [
            &[][..],
            &[4, 0, 1],
            &[3, 0, 1, 0],
            &[9, 0, 1, 0, 1],
            &[255; 8],
        ] {
            assert!(Attributes::after(bytes, 0).next().is_none(), "{bytes:?}");
        }
        assert!(Attributes::after(&[1, 2], 8).next().is_none());
        let zero_length_forever = [4, 0, 1, 0, 4, 0, 2, 0];
        assert_eq!(Attributes::after(&zero_length_forever, 0).count(), 2);
    }
}
