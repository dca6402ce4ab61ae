// SPDX-License-Identifier: Apache-2.0
//! Changing a network interface of the guest. All functions block the thread.

use crate::address::{self, format_mac, octets};
use crate::hotplug;
use crate::link::{addresses, describe, links, Link, ADDRESS_FIXED, LINK_FIXED, NOARP};
use crate::netlink::{failure, Request, Socket};
use crate::proto::types::{Interface, IpAddress};
use crate::status::{Result, Status};
use std::net::IpAddr;
use std::time::Duration;

const MAX_ADDRESSES: usize = 1024;
const MAX_NAME: usize = 15;
const UP: u32 = libc::IFF_UP as u32;

/// What the host wants of an interface, checked.
struct Wanted {
    mac: [u8; 6],
    addresses: Vec<(IpAddr, u8)>,
    mtu: u32,
}

fn check(wanted: &Interface) -> Result<Wanted> {
    let name = &wanted.name;
    let bad = |c: char| c == '/' || c == ':' || c == '%' || c.is_whitespace() || c.is_control();
    if name.len() > MAX_NAME || name.contains(bad) || name == "." || name == ".." {
        return Err(Status::invalid(format!(
            "interface name {name:?} is not up to {MAX_NAME} usual characters"
        )));
    }
    if wanted.ip_addresses.len() > MAX_ADDRESSES {
        return Err(Status::invalid(format!(
            "{} addresses of one interface; the limit is {MAX_ADDRESSES}",
            wanted.ip_addresses.len()
        )));
    }
    let parse = |entry: &IpAddress| {
        let ip = address::parse_ip(&entry.address)?;
        Ok((ip, address::parse_prefix(ip, &entry.mask)?))
    };
    Ok(Wanted {
        mac: address::parse_mac(&wanted.hw_addr)?,
        addresses: wanted
            .ip_addresses
            .iter()
            .map(parse)
            .collect::<Result<_>>()?,
        mtu: u32::try_from(wanted.mtu)
            .map_err(|_| Status::invalid(format!("MTU {} is too large", wanted.mtu)))?,
    })
}

/// Makes the interface with the hardware address as wanted, and returns what it then is. One with
/// a PCI path is waited for.
pub fn update(interface: &Interface, limit: Duration) -> Result<Interface> {
    let wanted = check(interface)?;
    let mut socket = Socket::open()?;
    let link = find(&mut socket, interface, &wanted.mac, limit)?;
    let fail = |action: &str, errno| failure(format!("interface {}: {action}", link.name), errno);
    set_flags(&mut socket, link.index, 0, UP).map_err(|errno| fail("set down", errno))?;
    for old in addresses(&mut socket)? {
        if old.index == link.index {
            let delete = Request::new(libc::RTM_DELADDR, 0, &old.content);
            match socket.change(delete) {
                // Going down has taken those of IPv6 away already.
                Ok(()) | Err(nix::errno::Errno::EADDRNOTAVAIL) => (),
                Err(errno) => return Err(fail("remove an address", errno)),
            }
        }
    }
    if !interface.name.is_empty() && interface.name != link.name {
        rename(&mut socket, &link, &interface.name)?;
    }
    if wanted.mtu != 0 {
        let change = set_link(link.index, 0, 0).with_number(libc::IFLA_MTU, wanted.mtu);
        let action = format!("set the MTU {}", wanted.mtu);
        socket
            .change(change)
            .map_err(|errno| fail(&action, errno))?;
    }
    set_flags(&mut socket, link.index, interface.raw_flags & NOARP, NOARP)
        .map_err(|errno| fail("set NOARP", errno))?;
    for &(ip, prefix) in &wanted.addresses {
        let action = format!("add the address {ip}/{prefix}");
        let change = new_address(link.index, ip, prefix);
        socket
            .change(change)
            .map_err(|errno| fail(&action, errno))?;
    }
    set_flags(&mut socket, link.index, UP, UP).map_err(|errno| fail("set up", errno))?;
    let links = links(&mut socket)?;
    let link = links.iter().find(|now| now.index == link.index);
    let link = link.ok_or_else(|| Status::not_found("the interface is gone"))?;
    Ok(Interface {
        device: interface.device.clone(),
        pci_path: interface.pci_path.clone(),
        r#type: interface.r#type.clone(),
        ..describe(link, &addresses(&mut socket)?)
    })
}

fn find(socket: &mut Socket, interface: &Interface, mac: &[u8], limit: Duration) -> Result<Link> {
    let mut look = || links(socket).ok()?.into_iter().find(|link| link.is(mac));
    let what = format!("interface with hardware address {}", interface.hw_addr);
    if interface.pci_path.is_empty() {
        return look().ok_or_else(|| Status::not_found(format!("there is no {what}")));
    }
    hotplug::PciPath::parse(&interface.pci_path)?;
    hotplug::wait(&what, limit, look)
}

/// Another interface that has the name, but is not in use, gets one that the kernel chooses.
fn rename(socket: &mut Socket, link: &Link, name: &str) -> Result<()> {
    if let Some(other) = links(socket)?.iter().find(|other| other.name == name) {
        if other.flags & UP != 0 {
            return Err(Status::exists(format!(
                "another interface, {}, is named {name:?}",
                format_mac(&other.mac)
            )));
        }
        set_name(socket, other, "unused%d")?;
    }
    set_name(socket, link, name)
}

fn set_name(socket: &mut Socket, link: &Link, name: &str) -> Result<()> {
    let text = [name.as_bytes(), &[0]].concat();
    let change = set_link(link.index, 0, 0).with(libc::IFLA_IFNAME, &text);
    let action = || format!("interface {}: rename to {name:?}", link.name);
    socket
        .change(change)
        .map_err(|errno| failure(action(), errno))
}

fn set_flags(socket: &mut Socket, index: u32, flags: u32, mask: u32) -> nix::Result<()> {
    socket.change(set_link(index, flags, mask))
}

fn set_link(index: u32, flags: u32, mask: u32) -> Request {
    let mut fixed = [0; LINK_FIXED];
    fixed[4..8].copy_from_slice(&index.to_ne_bytes());
    fixed[8..12].copy_from_slice(&flags.to_ne_bytes());
    fixed[12..16].copy_from_slice(&mask.to_ne_bytes());
    Request::new(libc::RTM_NEWLINK, 0, &fixed)
}

fn new_address(index: u32, ip: IpAddr, prefix: u8) -> Request {
    let mut fixed = [0; ADDRESS_FIXED];
    fixed[0] = address::family(ip);
    fixed[1] = prefix;
    fixed[4..8].copy_from_slice(&index.to_ne_bytes());
    let flags = libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
    match ip {
        IpAddr::V4(v4) => {
            let request = Request::new(libc::RTM_NEWADDR, flags, &fixed)
                .with(libc::IFA_LOCAL, &octets(ip))
                .with(libc::IFA_ADDRESS, &octets(ip));
            if prefix > 30 {
                return request;
            }
            let broadcast = u32::from(v4) | u32::MAX >> prefix;
            request.with(libc::IFA_BROADCAST, &broadcast.to_be_bytes())
        }
        IpAddr::V6(_) => {
            // The host has assigned it, so it is not looked for elsewhere, and usable at once.
            fixed[2] = libc::IFA_F_NODAD as u8;
            Request::new(libc::RTM_NEWADDR, flags, &fixed).with(libc::IFA_ADDRESS, &octets(ip))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Code;

    #[test]
    fn unusable_interfaces_are_refused_before_anything_is_changed() {
        let good = Interface {
            hw_addr: "02:00:00:00:00:01".into(),
            ..Default::default()
        };
        let address = |address: &str, mask: &str| IpAddress {
            address: address.into(),
            mask: mask.into(),
            ..Default::default()
        };
        let changes: [fn(&mut Interface, IpAddress); 7] = [
            |i, _| i.hw_addr.clear(),
            |i, _| i.name = "a/b".into(),
            |i, _| i.name = "eth%d".into(),
            |i, _| i.name = "sixteen-letters-".into(),
            |i, _| i.mtu = 1 << 32,
            |i, bad| i.ip_addresses.push(bad),
            |i, bad| i.ip_addresses = vec![bad; MAX_ADDRESSES + 1],
        ];
        for change in changes {
            let mut bad = good.clone();
            change(&mut bad, address("192.0.2.1", "33"));
            let error = update(&bad, Duration::ZERO).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument, "{bad:?}");
        }
        let error = update(&good, Duration::ZERO).unwrap_err();
        assert_eq!(error.code, Code::NotFound);
        // That of the loopback does not count.
        let mut zero = good.clone();
        zero.hw_addr = "00:00:00:00:00:00".into();
        assert_eq!(
            update(&zero, Duration::ZERO).unwrap_err().code,
            Code::NotFound
        );
        let mut plugged = good;
        plugged.pci_path = "02/01".into();
        let error = update(&plugged, Duration::ZERO).unwrap_err();
        assert_eq!(error.code, Code::DeadlineExceeded);
    }
}
