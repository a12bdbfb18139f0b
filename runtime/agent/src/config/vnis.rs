//! `vnis`: the layer-2 networks.

use std::net::IpAddr;

use vouch_mobility::{Advertise, During, MacPrefix, UnreachableOwner};
use vouch_net::{MacAddr, Vni};

use super::checks::Facts;
use super::ports::port_number;
use super::reader::{At, Field, Reader, optional};
use super::tree::Value;
use super::types::{AccessInterface, VlanId, VniConfig};
use super::underlay::host_mac;

const FIELDS: [&str; 9] = [
    "vni",
    "access",
    "probe_addresses",
    "advertise",
    "during_verification",
    "reserved_macs",
    "trusted_moves",
    "owner_unreachable",
    "claimant_data",
];

pub(super) fn read(reader: &mut Reader, field: Option<Field<'_>>, facts: &mut Facts) -> Vec<VniConfig> {
    let Some(field) = field else { return Vec::new() };
    let items = reader.list(&field, "VNIs, each with `vni` and `access`");
    let mut vnis: Vec<_> = items.iter().filter_map(|item| vni(reader, item, facts)).collect();
    vnis.sort_by_key(|vni| vni.vni);
    vnis
}

fn vni(reader: &mut Reader, field: &Field<'_>, facts: &mut Facts) -> Option<VniConfig> {
    let fields = reader.map(field, &FIELDS)?;
    let get = |name: &str| optional(field, fields, name);
    let items = |reader: &mut Reader, name: &str, what: &str| {
        get(name).map(|list| reader.list(&list, what)).unwrap_or_default()
    };

    let number = reader.required(field, fields, "vni", "the VXLAN network identifier").and_then(|f| number(reader, &f));
    facts.vnis.extend(number.clone());
    let mut access = Vec::new();
    for item in items(reader, "access", "access interfaces: a port, or `{port: 2, vlan: 100}`") {
        access.extend(interface(reader, &item));
    }
    facts.access.extend(access.iter().cloned());
    let (mut probe_ipv4, mut probe_ipv6) = (None, None);
    for item in items(reader, "probe_addresses", "at most one IPv4 and one IPv6 address") {
        let address = probe_address(reader, &item);
        let twice = match address {
            Some(IpAddr::V4(address)) => probe_ipv4.replace(address).is_some(),
            Some(IpAddr::V6(address)) => probe_ipv6.replace(address).is_some(),
            None => false,
        };
        if twice {
            reader.error(
                item.node.at,
                &item.path,
                "there is one of this family already",
                "at most one IPv4 and one IPv6 address",
            );
        }
    }
    if probe_ipv4.is_none() && !access.is_empty() {
        reader.warn(
            field.node.at,
            &field.path,
            "no IPv4 address in `probe_addresses`: ARP probes will come from 0.0.0.0, which some systems answer wrongly or not at all",
            "best is an address of the hosts' subnet that no host has, as the gateway's",
        );
    }
    let advertise = get("advertise").and_then(|field| {
        reader.choice(&field, &[("after-verdict", Advertise::AfterVerdict), ("at-once", Advertise::AtOnce)])
    });
    let during = get("during_verification").and_then(|field| {
        reader.choice(&field, &[("hold", During::Hold), ("escalate", During::Escalate), ("both", During::Both)])
    });
    let unreachable = get("owner_unreachable").and_then(|field| {
        reader.choice(&field, &[("accept", UnreachableOwner::Accept), ("hold", UnreachableOwner::Hold)])
    });
    let forward = get("claimant_data").and_then(|field| reader.choice(&field, &[("forward", true), ("drop", false)]));
    let reserved_macs =
        items(reader, "reserved_macs", "MAC addresses").iter().filter_map(|item| host_mac(reader, item)).collect();
    let trusted_moves =
        items(reader, "trusted_moves", "MAC prefixes").iter().filter_map(|item| mac_prefix(reader, item)).collect();

    let mut access: Vec<_> = access.into_iter().map(|interface| interface.value).collect();
    access.sort_unstable();
    let defaults = vouch_mobility::VniConfig::default();
    Some(VniConfig {
        vni: number?.value,
        access,
        probe_ipv4,
        probe_ipv6,
        advertise: advertise.unwrap_or(defaults.advertise),
        during_verification: during.unwrap_or(defaults.during),
        reserved_macs,
        trusted_moves,
        owner_unreachable: unreachable.unwrap_or(defaults.unreachable_owner),
        forward_pending: forward.unwrap_or(defaults.forward_pending),
    })
}

/// A VNI.
pub(super) fn number(reader: &mut Reader, field: &Field<'_>) -> Option<At<Vni>> {
    let number = reader.number(field, 1, Vni::MAX.get())?;
    Vni::new(number).ok().map(|vni| field.at(vni))
}

/// A port alone is its untagged traffic; a map adds a VLAN.
fn interface(reader: &mut Reader, field: &Field<'_>) -> Option<At<AccessInterface>> {
    if let Value::Scalar(_) = field.node.value {
        return port_number(reader, field).map(|port| field.at(AccessInterface { port: port.value, vlan: None }));
    }
    let fields = reader.map(field, &["port", "vlan"])?;
    let port = reader.required(field, fields, "port", "a switch port").and_then(|field| port_number(reader, &field))?;
    let vlan = match optional(field, fields, "vlan") {
        Some(field) => Some(reader.number(&field, 1, 4094).and_then(VlanId::new)?),
        None => None,
    };
    Some(field.at(AccessInterface { port: port.value, vlan }))
}

fn probe_address(reader: &mut Reader, field: &Field<'_>) -> Option<IpAddr> {
    const WHAT: &str = "an IPv4 or IPv6 address of one machine in the hosts' subnet";
    let address: IpAddr = reader.parsed(field, WHAT)?;
    let unfit = address.is_unspecified()
        || address.is_multicast()
        || address.is_loopback()
        || address == IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
    if unfit {
        reader.bad(field, &address.to_string(), WHAT);
        return None;
    }
    Some(address)
}

/// An address, or all that begin with the same bits.
fn mac_prefix(reader: &mut Reader, field: &Field<'_>) -> Option<MacPrefix> {
    const WHAT: &str = "a MAC address or prefix: `02:00:00:00:00:01`, or `00:00:5e:00:01:00/40` for all VRRP routers";
    let text = reader.text(field, WHAT)?;
    let (mac, bits) = text.split_once('/').unwrap_or((text, "48"));
    let bits = bits.parse().ok().filter(|bits| (1..=48_u8).contains(bits));
    let prefix = mac.parse::<MacAddr>().ok().zip(bits).map(|(mac, bits)| MacPrefix { mac, bits });
    if prefix.is_none() {
        reader.bad(field, text, WHAT);
    }
    prefix
}
