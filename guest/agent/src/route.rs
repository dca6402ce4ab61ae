// SPDX-License-Identifier: Apache-2.0
//! The routes of the guest: those of the main table. All functions block the thread.

use crate::address::{self, octets};
use crate::link::{self, Link};
use crate::netlink::{failure, number, Attributes, Request, Socket};
use crate::proto::types::Route;
use crate::status::{Result, Status};
use nix::errno::Errno;
use std::net::IpAddr;

const FIXED: usize = 12;
const MAX_ROUTES: usize = 4096;

/// A route as the kernel has it; by `content` it can be deleted and made again.
struct Known {
    content: Vec<u8>,
    protocol: u8,
    scope: u8,
    prefix: u8,
    index: u32,
    dest: Option<IpAddr>,
    gateway: Option<IpAddr>,
    source: Option<IpAddr>,
}

impl Known {
    fn parse(content: Vec<u8>) -> Option<Known> {
        let mut route = Known {
            prefix: *content.get(1)?,
            protocol: *content.get(5)?,
            scope: *content.get(6)?,
            index: 0,
            dest: None,
            gateway: None,
            source: None,
            content: Vec::new(),
        };
        let mut table = u32::from(*content.get(4)?);
        let unicast = *content.get(7)? == libc::RTN_UNICAST;
        for (kind, value) in Attributes::after(&content, FIXED) {
            match kind {
                libc::RTA_TABLE => table = number(value, 0)?,
                libc::RTA_OIF => route.index = number(value, 0)?,
                libc::RTA_DST => route.dest = address::from_octets(value),
                libc::RTA_GATEWAY => route.gateway = address::from_octets(value),
                libc::RTA_PREFSRC => route.source = address::from_octets(value),
                _ => (),
            }
        }
        route.content = content;
        (unicast && table == u32::from(libc::RT_TABLE_MAIN)).then_some(route)
    }

    fn describe(&self, links: &[Link]) -> Route {
        let text = |ip: Option<IpAddr>| ip.map_or(String::new(), |ip| ip.to_string());
        let link = links.iter().find(|link| link.index == self.index);
        Route {
            dest: match self.dest {
                Some(ip) => format!("{ip}/{}", self.prefix),
                None => String::new(),
            },
            gateway: text(self.gateway),
            device: link.map_or(String::new(), |link| link.name.clone()),
            source: text(self.source),
            scope: self.scope.into(),
        }
    }
}

fn known(socket: &mut Socket) -> Result<Vec<Known>> {
    let list = socket.dump(libc::RTM_GETROUTE, libc::RTM_NEWROUTE, &[0; FIXED])?;
    Ok(list.into_iter().filter_map(Known::parse).collect())
}

pub fn list() -> Result<Vec<Route>> {
    describe_all(&mut Socket::open()?)
}

fn describe_all(socket: &mut Socket) -> Result<Vec<Route>> {
    let links = link::links(socket)?;
    let known = known(socket)?;
    Ok(known.iter().map(|route| route.describe(&links)).collect())
}

/// Puts these routes in the place of all but the kernel's own, which come from addresses. After a
/// refusal the routes are those of before.
pub fn replace(wanted: &[Route]) -> Result<Vec<Route>> {
    if wanted.len() > MAX_ROUTES {
        return Err(Status::invalid(format!(
            "{} routes; the limit is {MAX_ROUTES}",
            wanted.len()
        )));
    }
    let mut socket = Socket::open()?;
    let links = link::links(&mut socket)?;
    let mut planned = Vec::new();
    for route in wanted {
        let content = plan(route, &links).map_err(|status| {
            status.context(format!(
                "route to {:?} via {:?} on {:?}",
                route.dest, route.gateway, route.device
            ))
        })?;
        planned.push((route, content));
    }
    // A gateway must be reachable when its route is added.
    planned.sort_by_key(|(route, _)| !route.gateway.is_empty());
    let mut old = known(&mut socket)?;
    old.retain(|route| route.protocol != libc::RTPROT_KERNEL);
    for route in old.iter().rev() {
        // It may have gone with another one.
        let _ = socket.change(Request::new(libc::RTM_DELROUTE, 0, &route.content));
    }
    let mut made = Vec::new();
    for (route, request) in &planned {
        if let Err(errno) = add(&mut socket, request) {
            undo(&mut socket, &made, &old);
            let (dest, gateway, device) = (&route.dest, &route.gateway, &route.device);
            let action = format!("add the route to {dest:?} via {gateway:?} on {device:?}");
            return Err(failure(action, errno));
        }
        made.push(request);
    }
    describe_all(&mut socket)
}

/// The content of a request without its flags: the fixed part, and the attributes.
struct Content([u8; FIXED], Vec<(u16, Vec<u8>)>);

impl Content {
    fn request(&self, kind: u16, flags: i32) -> Request {
        let start = Request::new(kind, flags, &self.0);
        let put = |request: Request, (kind, value): &(u16, Vec<u8>)| request.with(*kind, value);
        self.1.iter().fold(start, put)
    }
}

fn add(socket: &mut Socket, content: &Content) -> nix::Result<()> {
    // Several routes to one destination may be wanted.
    let flags = libc::NLM_F_CREATE | libc::NLM_F_APPEND;
    match socket.change(content.request(libc::RTM_NEWROUTE, flags)) {
        Err(Errno::EEXIST) => Ok(()),
        result => result,
    }
}

fn undo(socket: &mut Socket, made: &[&Content], old: &[Known]) {
    for content in made.iter().rev() {
        let _ = socket.change(content.request(libc::RTM_DELROUTE, 0));
    }
    let (direct, by_gateway): (Vec<_>, Vec<_>) = old.iter().partition(|r| r.gateway.is_none());
    for route in direct.iter().chain(&by_gateway) {
        let flags = libc::NLM_F_CREATE | libc::NLM_F_APPEND;
        match socket.change(Request::new(libc::RTM_NEWROUTE, flags, &route.content)) {
            Ok(()) | Err(Errno::EEXIST) => (),
            Err(errno) => warning!("a route of before is lost: {errno}"),
        }
    }
}

fn plan(route: &Route, links: &[Link]) -> Result<Content> {
    let parse = |text: &String| match text.as_str() {
        "" => Ok(None),
        text => address::parse_ip(text).map(Some),
    };
    let gateway = parse(&route.gateway)?;
    let source = parse(&route.source)?;
    let dest = match route.dest.as_str() {
        "" => None,
        text => Some(address::parse_network(text)?),
    };
    let all = [dest.map(|(ip, _)| ip), gateway, source];
    let mut present = all.iter().flatten();
    let first = present.next().copied();
    let is_v4 = first.map_or(true, |ip| ip.is_ipv4());
    if present.any(|ip| ip.is_ipv4() != is_v4) {
        return Err(Status::invalid("IPv4 and IPv6 are mixed"));
    }
    if gateway.is_none() && route.device.is_empty() {
        return Err(Status::invalid("neither a gateway nor a device"));
    }
    let mut scope = u8::try_from(route.scope)
        .map_err(|_| Status::invalid(format!("scope {} is above 255", route.scope)))?;
    if scope == 0 && gateway.is_none() && is_v4 {
        scope = libc::RT_SCOPE_LINK;
    }
    let mut fixed = [0; FIXED];
    fixed[0] = first.map_or(libc::AF_INET as u8, address::family);
    fixed[1] = dest.map_or(0, |(_, prefix)| prefix);
    fixed[4] = libc::RT_TABLE_MAIN;
    fixed[5] = libc::RTPROT_BOOT;
    fixed[6] = scope;
    fixed[7] = libc::RTN_UNICAST;
    let mut attributes = Vec::new();
    if let Some((ip, prefix)) = dest.filter(|(_, prefix)| *prefix > 0) {
        attributes.push((libc::RTA_DST, masked(octets(ip), prefix)));
    }
    for (kind, ip) in [(libc::RTA_GATEWAY, gateway), (libc::RTA_PREFSRC, source)] {
        if let Some(ip) = ip {
            attributes.push((kind, octets(ip)));
        }
    }
    if !route.device.is_empty() {
        let index = link::index_of(links, &route.device)?;
        attributes.push((libc::RTA_OIF, index.to_ne_bytes().to_vec()));
    }
    Ok(Content(fixed, attributes))
}

/// The kernel refuses a destination with bits behind its prefix.
fn masked(mut octets: Vec<u8>, prefix: u8) -> Vec<u8> {
    for (at, octet) in octets.iter_mut().enumerate() {
        let bits = usize::from(prefix).saturating_sub(at * 8).min(8);
        *octet &= (0xff00u16 >> bits) as u8;
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Code;

    fn route(dest: &str, gateway: &str, device: &str) -> Route {
        Route {
            dest: dest.into(),
            gateway: gateway.into(),
            device: device.into(),
            ..Default::default()
        }
    }

    #[test]
    fn routes_can_be_listed_by_anyone() {
        list().unwrap();
    }

    #[test]
    fn a_plan_has_the_family_and_scope_of_its_route() {
        let direct = plan(&route("192.0.2.77/24", "", "lo"), &loopback()).unwrap();
        assert_eq!(direct.0[..2], [libc::AF_INET as u8, 24]);
        assert_eq!(direct.0[6], libc::RT_SCOPE_LINK);
        assert_eq!(direct.1[0], (libc::RTA_DST, vec![192, 0, 2, 0]));
        let default = plan(&route("", "2001:db8::1", ""), &[]).unwrap();
        assert_eq!(default.0[..2], [libc::AF_INET6 as u8, 0]);
        assert_eq!(default.0[6], 0);
        assert_eq!(default.1.len(), 1);
        let zero = plan(&route("0.0.0.0/0", "192.0.2.1", ""), &[]).unwrap();
        assert_eq!(zero.1[0].0, libc::RTA_GATEWAY);
    }

    fn loopback() -> Vec<Link> {
        let mut links = link::links(&mut Socket::open().unwrap()).unwrap();
        links.retain(|link| link.name == "lo");
        links
    }

    #[test]
    fn unusable_routes_are_refused() {
        let mut scope = route("192.0.2.0/24", "", "lo");
        scope.scope = 256;
        for (bad, code) in [
            (route("192.0.2.0", "", "lo"), Code::InvalidArgument),
            (route("192.0.2.0/24", "::1", "lo"), Code::InvalidArgument),
            (route("192.0.2.0/24", "", ""), Code::InvalidArgument),
            (route("", "x", "lo"), Code::InvalidArgument),
            (route("192.0.2.0/24", "", "no-such"), Code::NotFound),
            (scope, Code::InvalidArgument),
        ] {
            let error = replace(std::slice::from_ref(&bad)).unwrap_err();
            assert_eq!(error.code, code, "{bad:?}");
        }
        let error = replace(&vec![Route::default(); MAX_ROUTES + 1]).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
    }

    #[test]
    fn bits_behind_the_prefix_are_cleared() {
        assert_eq!(masked(vec![255; 4], 0), [0; 4]);
        assert_eq!(masked(vec![255; 4], 12), [255, 240, 0, 0]);
        assert_eq!(masked(vec![255; 4], 32), [255; 4]);
    }

    #[test]
    fn routes_of_other_tables_and_kinds_are_not_seen() {
        let mut content = vec![
            2,
            24,
            0,
            0,
            libc::RT_TABLE_MAIN,
            3,
            0,
            libc::RTN_UNICAST,
            0,
            0,
            0,
            0,
        ];
        assert!(Known::parse(content.clone()).is_some());
        content[4] = 255;
        assert!(Known::parse(content.clone()).is_none());
        content[4] = libc::RT_TABLE_MAIN;
        content[7] = 7;
        assert!(Known::parse(content).is_none());
        assert!(Known::parse(vec![2; 5]).is_none());
    }
}
