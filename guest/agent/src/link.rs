// SPDX-License-Identifier: Apache-2.0
//! The network interfaces of the guest as they are. All functions block the thread.

use crate::address::{self, format_mac};
use crate::netlink::{number, Attributes, Socket};
use crate::proto::types::{Interface, IpAddress, IpFamily};
use crate::status::{Result, Status};
use std::net::IpAddr;

pub const LINK_FIXED: usize = 16;
pub const ADDRESS_FIXED: usize = 8;
pub const NOARP: u32 = libc::IFF_NOARP as u32;
const LOOPBACK: u32 = libc::IFF_LOOPBACK as u32;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    pub name: String,
    pub mac: Vec<u8>,
    mtu: u32,
    pub flags: u32,
}

/// An address of an interface; `content` is the kernel's message, by which it can be deleted.
pub struct Assigned {
    pub index: u32,
    ip: IpAddr,
    prefix: u8,
    pub content: Vec<u8>,
}

impl Link {
    fn parse(content: &[u8]) -> Option<Link> {
        let mut link = Link {
            index: number(content, 4)?,
            flags: number(content, 8)?,
            name: String::new(),
            mac: Vec::new(),
            mtu: 0,
        };
        for (kind, value) in Attributes::after(content, LINK_FIXED) {
            match kind {
                libc::IFLA_IFNAME => {
                    let text = value.split(|byte| *byte == 0).next().unwrap_or(&[]);
                    link.name = String::from_utf8_lossy(text).into_owned();
                }
                libc::IFLA_ADDRESS => link.mac = value.to_vec(),
                libc::IFLA_MTU => link.mtu = number(value, 0)?,
                _ => (),
            }
        }
        Some(link)
    }

    pub fn is(&self, mac: &[u8]) -> bool {
        self.mac == mac && self.flags & LOOPBACK == 0
    }
}

impl Assigned {
    fn parse(content: Vec<u8>) -> Option<Assigned> {
        let find = |wanted| {
            Attributes::after(&content, ADDRESS_FIXED)
                .find(|(kind, _)| *kind == wanted)
                .and_then(|(_, value)| address::from_octets(value))
        };
        // Where both are present, the other one is that of the peer.
        let ip = find(libc::IFA_LOCAL).or_else(|| find(libc::IFA_ADDRESS))?;
        Some(Assigned {
            index: number(&content, 4)?,
            prefix: *content.get(1)?,
            ip,
            content,
        })
    }
}

pub fn links(socket: &mut Socket) -> Result<Vec<Link>> {
    let list = socket.dump(libc::RTM_GETLINK, libc::RTM_NEWLINK, &[0; LINK_FIXED])?;
    Ok(list
        .iter()
        .filter_map(|content| Link::parse(content))
        .collect())
}

pub fn index_of(links: &[Link], name: &str) -> Result<u32> {
    let link = links.iter().find(|link| link.name == name);
    link.map(|link| link.index)
        .ok_or_else(|| Status::not_found(format!("there is no interface {name:?}")))
}

pub fn addresses(socket: &mut Socket) -> Result<Vec<Assigned>> {
    let list = socket.dump(libc::RTM_GETADDR, libc::RTM_NEWADDR, &[0; ADDRESS_FIXED])?;
    Ok(list.into_iter().filter_map(Assigned::parse).collect())
}

pub fn list() -> Result<Vec<Interface>> {
    let mut socket = Socket::open()?;
    let links = links(&mut socket)?;
    let addresses = addresses(&mut socket)?;
    Ok(links
        .iter()
        .map(|link| describe(link, &addresses))
        .collect())
}

pub fn describe(link: &Link, addresses: &[Assigned]) -> Interface {
    let own = addresses
        .iter()
        .filter(|address| address.index == link.index);
    Interface {
        device: link.name.clone(),
        name: link.name.clone(),
        ip_addresses: own.map(describe_address).collect(),
        mtu: link.mtu.into(),
        hw_addr: format_mac(&link.mac),
        raw_flags: link.flags & NOARP,
        ..Default::default()
    }
}

fn describe_address(address: &Assigned) -> IpAddress {
    let family = match address.ip {
        IpAddr::V4(_) => IpFamily::V4,
        IpAddr::V6(_) => IpFamily::V6,
    };
    IpAddress {
        family: family as i32,
        address: address.ip.to_string(),
        mask: address.prefix.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_listed() {
        let list = list().unwrap();
        let lo = list
            .iter()
            .find(|interface| interface.name == "lo")
            .unwrap();
        assert!(lo.mtu > 0);
        assert_eq!(lo.hw_addr, "00:00:00:00:00:00");
    }

    #[test]
    fn odd_messages_are_skipped() {
        assert_eq!(Link::parse(&[0; 10]), None);
        assert!(Assigned::parse(vec![0; 8]).is_none());
        assert!(Assigned::parse(vec![2, 24]).is_none());
    }
}
