//! `underlay`: ports, routes and next hops.

use vouch_net::MacAddr;

use super::checks::Facts;
use super::ports::port_number;
use super::reader::{At, Field, Reader, optional};
use super::tree::Value;
use super::types::{DEFAULT_MTU, Ipv4Prefix, NextHop, Port, Route, TUNNEL_BYTES, UnderlayConfig, UnderlayPort};

pub(super) fn read(reader: &mut Reader, field: Option<Field<'_>>, facts: &mut Facts) -> UnderlayConfig {
    let mut underlay = UnderlayConfig { ports: Vec::new(), routes: Vec::new(), ttl: 64, dscp: 0, mtu: None };
    let Some(field) = field else { return underlay };
    let Some(fields) = reader.map(&field, &["ports", "routes", "ttl", "dscp", "mtu"]) else { return underlay };
    if let Some(list) = optional(&field, fields, "ports") {
        for item in reader.list(&list, "underlay ports, each with `port` and `mac`") {
            underlay
                .ports
                .extend(port_and_mac(reader, &item, true, facts).map(|(port, mac)| UnderlayPort { port, mac }));
        }
    }
    if let Some(list) = optional(&field, fields, "routes") {
        for item in reader.list(&list, "routes, each with `prefix` and `via`") {
            underlay.routes.extend(route(reader, &item, facts));
        }
    }
    underlay.ttl = optional(&field, fields, "ttl").and_then(|field| reader.number(&field, 1, 255)).unwrap_or(64);
    underlay.dscp = optional(&field, fields, "dscp").and_then(|field| reader.number(&field, 0, 63)).unwrap_or(0);
    // The smallest that every IPv4 host takes (RFC 791, section 3.1), and the longest packet there is.
    underlay.mtu = optional(&field, fields, "mtu").and_then(|field| reader.number(&field, 576, 65_535));
    underlay.ports.sort_by_key(|port| port.port);
    underlay
}

/// Whether hosts' packets fit. Hosts send what their own links carry, unless somebody has told them.
pub(super) fn check_mtu(reader: &mut Reader, field: &Field<'_>, mtu: Option<u16>) {
    let room = mtu.unwrap_or(DEFAULT_MTU) - TUNNEL_BYTES;
    if room >= DEFAULT_MTU {
        return;
    }
    let mtus = match &field.node.value {
        Value::Map(entries) => entries.iter().find(|(key, _)| key.name == "mtu").map(|(_, node)| node.at),
        _ => None,
    };
    let what = match mtu {
        Some(_) => String::new(),
        None => format!("is not given, and {DEFAULT_MTU} is taken where the switch does not say: "),
    };
    reader.warn(
        mtus.unwrap_or(field.node.at),
        &format!("{}.mtu", field.path),
        format!("{what}hosts' packets of more than {room} bytes do not fit, and are dropped"),
        format!(
            "make it {} or more, as on all links of the underlay, or give hosts an MTU of {room}",
            DEFAULT_MTU + TUNNEL_BYTES
        ),
    );
}

fn route(reader: &mut Reader, field: &Field<'_>, facts: &mut Facts) -> Option<Route> {
    let fields = reader.map(field, &["prefix", "via"])?;
    let prefix = reader
        .required(field, fields, "prefix", "the destinations, as `10.0.0.2/32`")
        .and_then(|field| ipv4_prefix(reader, &field));
    facts.routes.extend(prefix.clone());
    let via = reader.required(
        field,
        fields,
        "via",
        "the next hop with `port` and `mac`, or a list of them, the preferred first",
    )?;
    let hops = match via.node.value {
        Value::List(_) => reader.list(&via, "next hops"),
        _ => vec![via.clone()],
    };
    if hops.is_empty() {
        reader.error(via.node.at, &via.path, "there is no next hop", "name at least one");
    }
    let next_hops: Vec<_> = hops
        .iter()
        .filter_map(|hop| port_and_mac(reader, hop, false, facts))
        .map(|(port, mac)| NextHop { port, mac })
        .collect();
    Some(Route { prefix: prefix?.value, next_hops })
}

/// A map of `port` and `mac`, as underlay ports and next hops both are.
fn port_and_mac(reader: &mut Reader, field: &Field<'_>, ours: bool, facts: &mut Facts) -> Option<(Port, MacAddr)> {
    let fields = reader.map(field, &["port", "mac"])?;
    let port = reader.required(field, fields, "port", "a switch port").and_then(|field| port_number(reader, &field));
    let whose = if ours { "the address of our end" } else { "the address of the next hop" };
    let mac = reader.required(field, fields, "mac", whose).and_then(|field| host_mac(reader, &field));
    facts.underlay(ours).extend(port.clone());
    Some((port?.value, mac?))
}

/// The address of one machine.
pub(super) fn host_mac(reader: &mut Reader, field: &Field<'_>) -> Option<MacAddr> {
    const WHAT: &str = "the MAC address of one machine, as `02:00:00:00:00:01`, neither multicast nor zero";
    let mac: MacAddr = reader.parsed(field, WHAT)?;
    if !mac.is_host() {
        reader.bad(field, &mac.to_string(), WHAT);
    }
    mac.is_host().then_some(mac)
}

fn ipv4_prefix(reader: &mut Reader, field: &Field<'_>) -> Option<At<Ipv4Prefix>> {
    const WHAT: &str = "an IPv4 prefix, as `10.0.0.0/24`";
    let text = reader.text(field, WHAT)?;
    let parts = text.split_once('/').and_then(|(address, length)| {
        let length = length.bytes().all(|byte| byte.is_ascii_digit()).then(|| length.parse().ok())??;
        Some(Ipv4Prefix { address: address.parse().ok()?, length })
    });
    let Some(prefix) = parts.filter(|prefix| prefix.length <= 32) else {
        reader.bad(field, text, WHAT);
        return None;
    };
    let network = Ipv4Prefix { address: prefix.address & prefix.mask(), ..prefix };
    if network != prefix {
        reader.error(
            field.node.at,
            &field.path,
            format!("`{prefix}` has bits beyond its length"),
            format!("it is `{network}`"),
        );
        return None;
    }
    Some(field.at(prefix))
}
