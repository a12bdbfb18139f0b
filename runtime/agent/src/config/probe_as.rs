//! `probe_as`: in whose name hosts are asked, and what of that would harm them or mean nothing.
//!
//! A host that is asked writes the asker's IP and MAC into its neighbour table. So the pair is either true, or of an address
//! that nobody has: with the gateway's IP and another MAC, each question would take the host's gateway away.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vouch_mobility::IpPrefix;
use vouch_net::MacAddr;

use super::checks::Facts;
use super::reader::{At, Field, Reader, optional};
use super::types::ProbeAs;
use super::underlay::host_mac;

const FORMS: &str = "`{gateway: {ip: 192.168.1.254, mac: \"02:00:00:00:00:fe\"}}` with the gateway's own pair, or \
                     `{address: 192.168.1.253}` with an address of the hosts' subnet that nobody has";

/// What replaced it.
pub(super) fn refuse_probe_addresses(reader: &mut Reader, field: &Field<'_>) {
    reader.error(
        field.node.at,
        &field.path,
        "this field is no more: an address with our probe MAC takes the address away from whoever has it, as the gateway",
        format!("use `probe_as`: {FORMS}"),
    );
}

/// What the probes of one VNI say of their sender, checked against its `subnets` and what must stay free of them.
pub(super) fn read(
    reader: &mut Reader,
    field: &Field<'_>,
    subnets: &[IpPrefix],
    shared: &[IpPrefix],
    facts: &mut Facts,
) -> ProbeAs {
    let Some(fields) = reader.map(field, &["gateway", "address", "ipv6"]) else { return ProbeAs::Nobody };
    let get = |name: &str| optional(field, fields, name);
    let mut used = |reader: &mut Reader, address: At<IpAddr>| {
        check(reader, &address, subnets, shared);
        facts.probe_addresses.push(address);
    };
    match (get("gateway"), get("address"), get("ipv6")) {
        (Some(gateway), None, None) => {
            let Some(fields) = reader.map(&gateway, &["ip", "mac", "ipv6"]) else { return ProbeAs::Nobody };
            let why = "of the gateway, which goes with its IP: with another MAC each question would take the host's gateway away";
            let ip = reader.required(&gateway, fields, "ip", "the IPv4 address of the gateway");
            let ip = ip.and_then(|field| ipv4(reader, &field));
            let mac = reader.required(&gateway, fields, "mac", &format!("the MAC address {why}"));
            let mac = mac.and_then(|field| host_mac(reader, &field).map(|mac| field.at(mac)));
            let six = optional(&gateway, fields, "ipv6").and_then(|field| ipv6(reader, &field));
            for address in ip.iter().map(any).chain(six.iter().map(any)) {
                in_a_subnet(reader, &address, subnets);
            }
            facts.gateway_macs.extend(mac.clone());
            match (ip, mac) {
                (Some(ip), Some(mac)) => {
                    ProbeAs::Gateway { ip: ip.value, mac: mac.value, ipv6: six.map(|address| address.value) }
                }
                (None, _) | (_, None) => ProbeAs::Nobody,
            }
        }
        (None, address, six) if address.is_some() || six.is_some() => {
            let address = address.and_then(|field| ipv4(reader, &field));
            let six = six.and_then(|field| ipv6(reader, &field));
            address.iter().map(any).chain(six.iter().map(any)).for_each(|address| used(reader, address));
            ProbeAs::Address { ipv4: address.map(|it| it.value), ipv6: six.map(|it| it.value) }
        }
        (gateway, _, _) => {
            let (at, path) = gateway.map_or((field.node.at, &field.path), |gateway| (gateway.node.at, &field.path));
            reader.error(at, path, "it is not said in whose name hosts are asked", format!("it is one of {FORMS}"));
            ProbeAs::Nobody
        }
    }
}

/// Whether an address can be one that nobody has.
fn check(reader: &mut Reader, address: &At<IpAddr>, subnets: &[IpPrefix], shared: &[IpPrefix]) {
    const NOBODY: &str = "the address that hosts are asked from is one of their subnet that nobody has";
    if !in_a_subnet(reader, address, subnets) {
        return;
    }
    let value = address.value;
    if shared.iter().any(|prefix| prefix.contains(value)) {
        reader.error(address.at, &address.path, format!("{value} is among the addresses that hosts share"), NOBODY);
    }
    for subnet in subnets.iter().filter(|subnet| subnet.contains(value)) {
        if let Some(name) = reserved_in(*subnet, value) {
            reader.error(address.at, &address.path, format!("{value} is the {name} of its subnet"), NOBODY);
        }
    }
}

/// Whether the address belongs to a subnet, if it is known which there are of its family.
fn in_a_subnet(reader: &mut Reader, address: &At<IpAddr>, subnets: &[IpPrefix]) -> bool {
    let value = address.value;
    let mut of_family = subnets.iter().filter(|subnet| subnet.address.is_ipv4() == value.is_ipv4()).peekable();
    // A link-local address is in every IPv6 subnet.
    let everywhere = matches!(value, IpAddr::V6(address) if address.is_unicast_link_local());
    if everywhere || of_family.peek().is_none() || of_family.any(|subnet| subnet.contains(value)) {
        return true;
    }
    let what = format!("{value} is in none of the VNI's `subnets`: hosts would not answer it");
    reader.error(address.at, &address.path, what, "take an address of the hosts' own subnet, or correct `subnets`");
    false
}

/// What an IPv4 subnet uses the address for: its first and last are no machine's.
fn reserved_in(subnet: IpPrefix, address: IpAddr) -> Option<&'static str> {
    let IpAddr::V4(address) = address else { return None };
    let host_bits = u32::MAX.checked_shr(u32::from(subnet.bits)).unwrap_or(0);
    match address.to_bits() & host_bits {
        // RFC 3021: of two addresses, both are machines'.
        _ if subnet.bits >= 31 => None,
        0 => Some("network address"),
        rest if rest == host_bits => Some("broadcast address"),
        _ => None,
    }
}

fn any<T: Copy + Into<IpAddr>>(address: &At<T>) -> At<IpAddr> {
    At { value: address.value.into(), at: address.at, path: address.path.clone() }
}

fn ipv4(reader: &mut Reader, field: &Field<'_>) -> Option<At<Ipv4Addr>> {
    const WHAT: &str = "the IPv4 address of one machine, as `192.168.1.253`";
    let address: Ipv4Addr = reader.parsed(field, WHAT)?;
    if address.is_unspecified() || address.is_multicast() || address.is_loopback() || address.is_broadcast() {
        reader.bad(field, &address.to_string(), WHAT);
        return None;
    }
    Some(field.at(address))
}

fn ipv6(reader: &mut Reader, field: &Field<'_>) -> Option<At<Ipv6Addr>> {
    const WHAT: &str = "the IPv6 address of one machine, as `fd00::fd`";
    let address: Ipv6Addr = reader.parsed(field, WHAT)?;
    if address.is_unspecified() || address.is_multicast() || address.is_loopback() {
        reader.bad(field, &address.to_string(), WHAT);
        return None;
    }
    Some(field.at(address))
}

/// Whether something else in the file has the address that nobody is to have.
pub(super) fn check_together(reader: &mut Reader, facts: &Facts, probe_mac: Option<MacAddr>) {
    for probe in &facts.probe_addresses {
        let vteps = facts.me.iter().chain(&facts.peer_addresses);
        if let Some(vtep) = vteps.into_iter().find(|vtep| IpAddr::V4(vtep.value) == probe.value) {
            let what = format!("{} is a VTEP's address ({}, line {})", probe.value, vtep.path, vtep.at.line);
            reader.error(
                probe.at,
                &probe.path,
                what,
                "hosts are asked from an address of their subnet that nobody has",
            );
        }
    }
    for gateway in &facts.gateway_macs {
        if Some(gateway.value) == probe_mac {
            let what = format!("{} is the probe MAC of this VTEP", gateway.value);
            reader.error(gateway.at, &gateway.path, what, "it is the gateway's own MAC address");
        }
    }
    for reserved in &facts.reserved_macs {
        if Some(reserved.value) == probe_mac {
            let what = format!("{} is the probe MAC of this VTEP", reserved.value);
            reader.error(reserved.at, &reserved.path, what, "leave it out: no host may have that in any case");
        }
    }
}
