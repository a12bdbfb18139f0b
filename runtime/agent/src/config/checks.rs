//! Whether the parts of a configuration fit each other.

use std::net::{IpAddr, Ipv4Addr};

use vouch_net::{MacAddr, Vni};

use super::document::{duplicates, endpoint};
use super::probe_as;
use super::reader::{At, Field, Reader};
use super::tree::{Node, Value};
use super::types::{AccessInterface, Ipv4Prefix, Port};

/// What was read where, as far as parts refer to each other. What could not be read is absent and causes no second error.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) name: Option<At<String>>,
    pub(super) me: Option<At<Ipv4Addr>>,
    pub(super) vnis: Vec<At<Vni>>,
    pub(super) access: Vec<At<AccessInterface>>,
    pub(super) underlay_ports: Vec<At<Port>>,
    pub(super) next_hop_ports: Vec<At<Port>>,
    pub(super) routes: Vec<At<Ipv4Prefix>>,
    pub(super) peer_names: Vec<At<String>>,
    pub(super) peer_addresses: Vec<At<Ipv4Addr>>,
    pub(super) peer_vnis: Vec<At<Vni>>,
    pub(super) endpoints: Vec<At<String>>,
    /// Whether peers use TLS; unknown if `peering` is missing.
    pub(super) peer_tls: Option<bool>,
    /// Our probe MAC, configured or not.
    pub(super) probe_mac: Option<MacAddr>,
    /// Addresses that nobody is to have.
    pub(super) probe_addresses: Vec<At<IpAddr>>,
    pub(super) gateway_macs: Vec<At<MacAddr>>,
    pub(super) reserved_macs: Vec<At<MacAddr>>,
}

impl Facts {
    /// The ports of the underlay itself, or those that next hops name.
    pub(super) fn underlay(&mut self, ours: bool) -> &mut Vec<At<Port>> {
        if ours { &mut self.underlay_ports } else { &mut self.next_hop_ports }
    }
}

/// Notes everything that does not fit.
pub(super) fn check(reader: &mut Reader, facts: &Facts) {
    duplicates(reader, &facts.vnis, "VNI ", "put its access interfaces into one entry");
    duplicates(reader, &facts.access, "", "an access interface belongs to one VNI, once");
    duplicates(reader, &facts.underlay_ports, "port ", "a port stands once");
    duplicates(reader, &facts.routes, "the prefix ", "list its next hops in one route, the preferred first");
    duplicates(reader, &facts.peer_names, "", "the names of peers differ");
    duplicates(reader, &facts.peer_addresses, "", "the addresses of peers differ");
    ports(reader, facts);
    peers(reader, facts);
    probe_as::check_together(reader, facts, facts.probe_mac);
}

fn ports(reader: &mut Reader, facts: &Facts) {
    for access in &facts.access {
        if let Some(port) = facts.underlay_ports.iter().find(|port| port.value == access.value.port) {
            let what = format!("port {} is an underlay port ({}, line {})", port.value, port.path, port.at.line);
            reader.error(access.at, &access.path, what, "a port is either for hosts or for the underlay");
        }
    }
    for port in &facts.next_hop_ports {
        if !facts.underlay_ports.iter().any(|known| known.value == port.value) {
            let mut known: Vec<_> = facts.underlay_ports.iter().map(|port| port.value).collect();
            known.sort_unstable();
            let known: Vec<_> = known.iter().map(|port| format!("`{port}`")).collect();
            let help = match known.is_empty() {
                true => "there are none yet: add it to `underlay.ports`".to_owned(),
                false => format!("the underlay ports are {}; or add it to `underlay.ports`", known.join(", ")),
            };
            reader.error(port.at, &port.path, format!("port {} is not an underlay port", port.value), help);
        }
    }
}

fn peers(reader: &mut Reader, facts: &Facts) {
    for address in &facts.peer_addresses {
        if facts.me.as_ref().is_some_and(|me| me.value == address.value) {
            let what = format!("{} is the address of this VTEP", address.value);
            reader.error(
                address.at,
                &address.path,
                what,
                "a peer is another VTEP: give its `vtep.address`, or remove the entry",
            );
        } else if !facts.routes.iter().any(|route| route.value.contains(address.value)) {
            let what = format!("no route leads to {}", address.value);
            let help = format!("add one to `underlay.routes`, as `{}/32`", address.value);
            reader.error(address.at, &address.path, what, help);
        }
    }
    for name in &facts.peer_names {
        if facts.name.as_ref().is_some_and(|me| me.value == name.value) {
            let what = format!("`{}` is the name of this agent", name.value);
            reader.error(name.at, &name.path, what, "a peer has its own name");
        }
    }
    for vni in &facts.peer_vnis {
        if !facts.vnis.iter().any(|known| known.value == vni.value) {
            let what = format!("VNI {} is not one of this VTEP", vni.value);
            reader.error(vni.at, &vni.path, what, "list only VNIs that `vnis` has");
        }
    }
    for found in facts.endpoints.iter().filter(|_| facts.peer_tls.is_some()) {
        let node = Node { at: found.at, value: Value::Scalar(found.value.clone()) };
        let field = Field { node: &node, path: found.path.clone() };
        // Only the problem it may note is wanted here; the text itself has been taken already.
        let _: Option<String> = endpoint(reader, &field, facts.peer_tls == Some(true), "`peering.tls`");
    }
}
