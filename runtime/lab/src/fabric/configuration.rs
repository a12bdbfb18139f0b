//! The configuration of each agent, as the YAML text that an operator would write.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;

use vouch_certs::Files;
use vouch_mobility::{Advertise, During};
use vouch_net::Vni;

use super::FabricOptions;
use crate::topology::{PROBE_IPV4, PROBE_IPV6, PortRef, SwitchSpec, Topology};

/// How often a host is asked for an address, so that it is known to answer, and how quickly.
const CONFIRM_EVERY: &str = "1s";
/// How long that lets an answer be expected.
const CONFIRM_MAX_AGE: &str = "4s";

/// What a switch's configuration needs beyond the topology.
pub(super) struct Surroundings<'a> {
    pub(super) topology: &'a Topology,
    pub(super) options: FabricOptions,
    /// Where the agent of each VTEP listens for its peers.
    pub(super) listen: &'a BTreeMap<String, SocketAddr>,
    /// Further fields of `switch`, from the target.
    pub(super) switch_fields: &'a str,
}

/// The configuration of one switch's agent. `control` is the URL of the switch's P4Runtime server.
pub(super) fn yaml(around: &Surroundings<'_>, switch: &SwitchSpec, control: &str, identity: &Files) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail, so the results say nothing.
    let _ = writeln!(text, "name: {}", switch.name);
    let _ = writeln!(text, "switch:\n  target: {control}\n  device_id: {}", switch.device_id);
    text.push_str(around.switch_fields);
    underlay(&mut text, around.topology, switch);
    if let Some(address) = switch.vtep {
        let _ = writeln!(text, "vtep:\n  address: {address}");
        vnis(&mut text, around, switch);
        // A scenario lasts for seconds, not for minutes.
        let _ = writeln!(text, "timers:\n  confirm_every: {CONFIRM_EVERY}\n  confirm_max_age: {CONFIRM_MAX_AGE}");
        let _ = writeln!(text, "  probation: {}ms", around.options.probation.as_millis());
        peers(&mut text, around, switch, identity);
    }
    text
}

fn underlay(text: &mut String, topology: &Topology, switch: &SwitchSpec) {
    let _ = writeln!(text, "underlay:\n  mtu: 1550\n  ports:");
    for (near, _) in topology.neighbours(&switch.name) {
        let _ = writeln!(text, "    - {{ port: {}, mac: \"{}\" }}", near.port, topology.underlay_mac(near));
    }
    let _ = writeln!(text, "  routes:");
    for (other, address) in topology.vteps().filter(|(other, _)| other.name != switch.name) {
        let Some((near, far)) = topology.toward(&switch.name, &other.name) else { continue };
        let mac = topology.underlay_mac(far);
        let _ = writeln!(text, "    - prefix: {address}/32\n      via: {{ port: {}, mac: \"{mac}\" }}", near.port);
    }
}

fn vnis(text: &mut String, around: &Surroundings<'_>, switch: &SwitchSpec) {
    let seats = || around.topology.seats.iter().filter(|seat| seat.at.switch == switch.name);
    let vnis: BTreeSet<Vni> = seats().map(|seat| seat.vni).collect();
    let _ = writeln!(text, "vnis:");
    for vni in vnis {
        let ports: Vec<String> = seats().filter(|seat| seat.vni == vni).map(|seat| access(&seat.at)).collect();
        let _ = writeln!(text, "  - vni: {vni}\n    access: [{}]", ports.join(", "));
        let _ = writeln!(text, "    probe_as: {{ address: \"{PROBE_IPV4}\", ipv6: \"{PROBE_IPV6}\" }}");
        let _ = writeln!(text, "    advertise: {}", advertise(around.options.variant.advertise));
        let _ = writeln!(text, "    during_verification: {}", during(around.options.variant.during));
    }
}

fn access(at: &PortRef) -> String {
    match at.vlan {
        None => at.port.to_string(),
        Some(vlan) => format!("{{port: {}, vlan: {vlan}}}", at.port),
    }
}

fn peers(text: &mut String, around: &Surroundings<'_>, switch: &SwitchSpec, identity: &Files) {
    let _ = writeln!(text, "peers:");
    for (other, address) in around.topology.vteps().filter(|(other, _)| other.name != switch.name) {
        let name = &other.name;
        let Some(endpoint) = around.listen.get(name) else { continue };
        let _ = writeln!(text, "  - name: {name}\n    address: {address}\n    endpoint: https://{endpoint}");
    }
    let Some(listen) = around.listen.get(&switch.name) else { return };
    let _ = writeln!(text, "peering:\n  listen: \"{listen}\"\n  tls:");
    for (field, path) in [("ca", &identity.ca), ("cert", &identity.cert), ("key", &identity.key)] {
        let _ = writeln!(text, "    {field}: {:?}", path.display().to_string());
    }
}

/// The word for a choice in the configuration.
pub(crate) fn advertise(choice: Advertise) -> &'static str {
    match choice {
        Advertise::AfterVerdict => "after-verdict",
        Advertise::AtOnce => "at-once",
    }
}

/// The word for a choice in the configuration.
pub(crate) fn during(choice: During) -> &'static str {
    match choice {
        During::Hold => "hold",
        During::Both => "both",
        During::Escalate => "escalate",
    }
}

#[cfg(test)]
mod tests {
    use vouch_agent::Config;
    use vouch_agent::config::ProbeAs;

    use super::*;
    use crate::fabric::Variant;

    fn parsed(switch: &SwitchSpec, variant: Variant) -> Config {
        let topology = Topology::demo();
        let listen = topology
            .vteps()
            .enumerate()
            .map(|(index, (switch, _))| (switch.name.clone(), SocketAddr::from(([127, 0, 0, 1], 7000 + index as u16))))
            .collect();
        let options = FabricOptions { variant, ..FabricOptions::default() };
        let around = Surroundings { topology: &topology, options, listen: &listen, switch_fields: "" };
        let identity = Files { ca: "/ca.pem".into(), cert: "/a \"b\".pem".into(), key: "/key".into() };
        let text = yaml(&around, switch, "http://127.0.0.1:9559", &identity);
        match Config::parse("generated.yaml", &text) {
            Ok(checked) => checked.config,
            Err(errors) => panic!("{errors}\n{text}"),
        }
    }

    #[test]
    fn every_switch_of_the_demo_gets_a_configuration_that_the_agent_accepts() {
        for switch in &Topology::demo().switches {
            let config = parsed(switch, Variant::default());
            assert_eq!(config.name, switch.name);
            assert_eq!(config.vtep.is_some(), switch.vtep.is_some());
            assert_eq!(config.underlay.ports.len(), if switch.vtep.is_some() { 1 } else { 3 });
            if let Some(vtep) = config.vtep {
                assert_eq!((vtep.vnis.len(), vtep.peers.len()), (2, 2));
                let probe_as = ProbeAs::Address { ipv4: Some(PROBE_IPV4), ipv6: Some(PROBE_IPV6) };
                assert_eq!(vtep.vnis[0].probe_as, probe_as);
            }
        }
    }

    #[test]
    fn every_choice_reaches_the_agent() {
        for advertise in [Advertise::AfterVerdict, Advertise::AtOnce] {
            for during in [During::Hold, During::Both, During::Escalate] {
                let config = parsed(&Topology::demo().switches[0], Variant { advertise, during });
                let vni = &config.vtep.expect("the first switch is a VTEP").vnis[0];
                assert_eq!((vni.advertise, vni.during_verification), (advertise, during));
            }
        }
    }
}
