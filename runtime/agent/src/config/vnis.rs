//! `vnis`: the layer-2 networks.

use vouch_mobility::{Advertise, Contested, During, IpPrefix, MacPrefix, Unproven, UnreachableOwner};
use vouch_net::{MacAddr, Vni};

use super::checks::Facts;
use super::ports::port_number;
use super::reader::{At, Field, Reader, optional};
use super::tree::Value;
use super::types::{AccessInterface, ProbeAs, VlanId, VniConfig};
use super::underlay::host_mac;
use super::{prefix, probe_as};

const FIELDS: [&str; 14] = [
    "vni",
    "access",
    "subnets",
    "probe_as",
    "advertise",
    "during_verification",
    "reserved_macs",
    "trusted_moves",
    "owner_unreachable",
    "claimant_data",
    "unproven",
    "contested",
    "bindings",
    "suppress",
];

/// Gone, but known: it says what replaced it.
const FORMER: &str = "probe_addresses";

pub(super) fn read(reader: &mut Reader, field: Option<Field<'_>>, facts: &mut Facts) -> Vec<VniConfig> {
    let Some(field) = field else { return Vec::new() };
    let items = reader.list(&field, "VNIs, each with `vni` and `access`");
    let mut vnis: Vec<_> = items.iter().filter_map(|item| vni(reader, item, facts)).collect();
    vnis.sort_by_key(|vni| vni.vni);
    vnis
}

fn vni(reader: &mut Reader, field: &Field<'_>, facts: &mut Facts) -> Option<VniConfig> {
    let known: Vec<_> = FIELDS.into_iter().chain([FORMER]).collect();
    let fields = reader.map(field, &known)?;
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
    if let Some(former) = get(FORMER) {
        probe_as::refuse_probe_addresses(reader, &former);
    }
    let subnets = get("subnets").map(|field| prefix::list(reader, &field)).unwrap_or_default();
    let (bindings, shared) = get("bindings").map_or((true, Vec::new()), |field| bindings(reader, &field));
    let probe_as = match get("probe_as") {
        Some(field) => probe_as::read(reader, &field, &subnets, &shared, facts),
        None => ProbeAs::Nobody,
    };
    if get("probe_as").is_none() && get(FORMER).is_none() && !access.is_empty() {
        reader.warn(
            field.node.at,
            &field.path,
            "no `probe_as`: ARP probes will come from 0.0.0.0, which some systems answer wrongly or not at all",
            "give the gateway's own pair of IP and MAC, or an address of the hosts' subnet that nobody has",
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
    let unproven = get("unproven").and_then(|field| {
        reader.choice(&field, &[("wait", Unproven::Wait), ("move", Unproven::Move), ("refuse", Unproven::Refuse)])
    });
    let contested = get("contested").and_then(|field| {
        let known = [("both", Contested::Both), ("settled", Contested::Settled), ("newcomer", Contested::Newcomer)];
        reader.choice(&field, &known)
    });
    let suppress = get("suppress").and_then(|field| reader.choice(&field, &[("true", true), ("false", false)]));
    if let (Some(true), false, Some(field)) = (suppress, bindings, get("suppress")) {
        reader.error(
            field.node.at,
            &field.path,
            "there is nothing to answer from: `bindings` is off",
            "leave `bindings` on, or set `suppress: false`",
        );
    }
    let reserved: Vec<_> = items(reader, "reserved_macs", "MAC addresses")
        .iter()
        .filter_map(|item| host_mac(reader, item).map(|mac| item.at(mac)))
        .collect();
    let reserved_macs = reserved.iter().map(|mac| mac.value).collect();
    facts.reserved_macs.extend(reserved);
    let trusted_moves =
        items(reader, "trusted_moves", "MAC prefixes").iter().filter_map(|item| mac_prefix(reader, item)).collect();

    let mut access: Vec<_> = access.into_iter().map(|interface| interface.value).collect();
    access.sort_unstable();
    let defaults = vouch_mobility::VniConfig::default();
    Some(VniConfig {
        vni: number?.value,
        access,
        subnets,
        probe_as,
        advertise: advertise.unwrap_or(defaults.advertise),
        during_verification: during.unwrap_or(defaults.during),
        reserved_macs,
        trusted_moves,
        owner_unreachable: unreachable.unwrap_or(defaults.unreachable_owner),
        unproven: unproven.unwrap_or(defaults.unproven),
        contested: contested.unwrap_or(defaults.contested),
        bindings,
        shared,
        suppress: suppress.unwrap_or(defaults.suppress),
        forward_pending: forward.unwrap_or(defaults.forward_pending),
    })
}

/// `on`, `off`, or on with what several hosts may share.
fn bindings(reader: &mut Reader, field: &Field<'_>) -> (bool, Vec<IpPrefix>) {
    if let Value::Scalar(_) = field.node.value {
        return (reader.choice(field, &[("on", true), ("off", false)]).unwrap_or(true), Vec::new());
    }
    let Some(fields) = reader.map(field, &["shared"]) else { return (true, Vec::new()) };
    let shared = optional(field, fields, "shared").map(|list| prefix::list(reader, &list));
    (true, shared.unwrap_or_default())
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
