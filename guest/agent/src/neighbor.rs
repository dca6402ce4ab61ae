// SPDX-License-Identifier: Apache-2.0
//! Static neighbours: hardware addresses that need not be asked for. Blocks the thread.

use crate::address::{self, octets};
use crate::link;
use crate::netlink::{failure, Request, Socket};
use crate::proto::types::ArpNeighbor;
use crate::status::{Result, Status};

const MAX_NEIGHBORS: usize = 4096;

/// Adds them, or replaces those that are there; all are checked before the first is added.
pub fn add(neighbors: &[ArpNeighbor]) -> Result<()> {
    if neighbors.len() > MAX_NEIGHBORS {
        return Err(Status::invalid(format!(
            "{} neighbours; the limit is {MAX_NEIGHBORS}",
            neighbors.len()
        )));
    }
    let mut socket = Socket::open()?;
    let links = link::links(&mut socket)?;
    let mut requests = Vec::new();
    for neighbor in neighbors {
        let ip = neighbor.to_ip_address.as_ref();
        let ip = ip.ok_or_else(|| Status::invalid("a neighbour has no IP address"))?;
        let ip = address::parse_ip(&ip.address)?;
        let mac = address::parse_mac(&neighbor.lladdr)?;
        let index = link::index_of(&links, &neighbor.device)?;
        let state = match neighbor.state {
            0 => libc::NUD_PERMANENT,
            state => u16::try_from(state)
                .map_err(|_| Status::invalid(format!("neighbour state {state}")))?,
        };
        let flags = u8::try_from(neighbor.flags)
            .map_err(|_| Status::invalid(format!("neighbour flags {}", neighbor.flags)))?;
        let mut fixed = [0; 12];
        fixed[0] = address::family(ip);
        fixed[4..8].copy_from_slice(&index.to_ne_bytes());
        fixed[8..10].copy_from_slice(&state.to_ne_bytes());
        fixed[10] = flags;
        let create = libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
        let request = Request::new(libc::RTM_NEWNEIGH, create, &fixed)
            .with(libc::NDA_DST, &octets(ip))
            .with(libc::NDA_LLADDR, &mac);
        requests.push((ip, request));
    }
    for (ip, request) in requests {
        socket
            .change(request)
            .map_err(|errno| failure(format!("add the neighbour {ip}"), errno))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::types::IpAddress;
    use crate::status::Code;

    #[test]
    fn unusable_neighbours_are_refused() {
        let good = ArpNeighbor {
            to_ip_address: Some(IpAddress {
                address: "192.0.2.1".into(),
                ..Default::default()
            }),
            device: "lo".into(),
            lladdr: "02:00:00:00:00:01".into(),
            ..Default::default()
        };
        let code = |change: fn(&mut ArpNeighbor)| {
            let mut bad = good.clone();
            change(&mut bad);
            add(&[bad]).unwrap_err().code
        };
        assert_eq!(code(|n| n.to_ip_address = None), Code::InvalidArgument);
        assert_eq!(code(|n| n.lladdr.clear()), Code::InvalidArgument);
        assert_eq!(code(|n| n.state = 1 << 16), Code::InvalidArgument);
        assert_eq!(code(|n| n.flags = -1), Code::InvalidArgument);
        assert_eq!(code(|n| n.device = "no-such".into()), Code::NotFound);
        let many = vec![good.clone(); MAX_NEIGHBORS + 1];
        assert_eq!(add(&many).unwrap_err().code, Code::InvalidArgument);
        add(&[]).unwrap();
    }
}
