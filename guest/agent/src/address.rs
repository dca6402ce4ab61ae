// SPDX-License-Identifier: Apache-2.0
//! Addresses of the network as text and as the kernel has them.

use crate::status::{Result, Status};
use std::net::IpAddr;

/// Six bytes in hexadecimal, joined by `:`.
pub fn parse_mac(text: &str) -> Result<[u8; 6]> {
    let parts: Vec<&str> = text.split(':').collect();
    let mut mac = [0; 6];
    let valid = parts.len() == mac.len()
        && parts.iter().zip(&mut mac).all(|(part, byte)| {
            let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
            match u8::from_str_radix(part, 16) {
                Ok(value) if digits => {
                    *byte = value;
                    true
                }
                _ => false,
            }
        });
    if valid {
        Ok(mac)
    } else {
        Err(Status::invalid(format!(
            "hardware address {text:?} is not six bytes in hexadecimal joined by \":\""
        )))
    }
}

pub fn format_mac(bytes: &[u8]) -> String {
    let parts: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    parts.join(":")
}

pub fn parse_ip(text: &str) -> Result<IpAddr> {
    text.parse()
        .map_err(|_| Status::invalid(format!("{text:?} is no IP address")))
}

/// The length of a network's prefix, such as `24`.
pub fn parse_prefix(ip: IpAddr, text: &str) -> Result<u8> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let length = text.parse().ok().filter(|length| *length <= bits(ip));
    length.filter(|_| digits).ok_or_else(|| {
        Status::invalid(format!(
            "prefix {text:?} of {ip} is no number up to {}",
            bits(ip)
        ))
    })
}

/// An address and the length of its prefix: `192.0.2.0/24`.
pub fn parse_network(text: &str) -> Result<(IpAddr, u8)> {
    let (ip, length) = text
        .split_once('/')
        .ok_or_else(|| Status::invalid(format!("{text:?} is no address with a prefix length")))?;
    let ip = parse_ip(ip)?;
    Ok((ip, parse_prefix(ip, length)?))
}

pub fn bits(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

pub fn family(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => libc::AF_INET as u8,
        IpAddr::V6(_) => libc::AF_INET6 as u8,
    }
}

pub fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

pub fn from_octets(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_addresses() {
        let mac = parse_mac("02:00:CA:fe:00:1f").unwrap();
        assert_eq!(mac, [2, 0, 0xca, 0xfe, 0, 0x1f]);
        assert_eq!(format_mac(&mac), "02:00:ca:fe:00:1f");
        for bad in [
            "",
            "02:00:ca:fe:00",
            "02:00:ca:fe:00:1f:00",
            "2:0:0:0:0:+1",
            "02-00-ca-fe-00-1f",
        ] {
            assert!(parse_mac(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn networks() {
        let ip = parse_ip("192.0.2.0").unwrap();
        assert_eq!(parse_network("192.0.2.0/24"), Ok((ip, 24)));
        assert_eq!(parse_network("2001:db8::/128").unwrap().1, 128);
        for bad in [
            "",
            "192.0.2.0",
            "192.0.2.0/33",
            "192.0.2.0/+4",
            "::/129",
            "x/1",
            "::/",
        ] {
            assert!(parse_network(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn octets_and_back() {
        for text in ["192.0.2.1", "2001:db8::1"] {
            let ip = parse_ip(text).unwrap();
            assert_eq!(from_octets(&octets(ip)), Some(ip));
        }
        assert_eq!(from_octets(&[1, 2, 3]), None);
    }
}
