//! The agents' configurations, as the YAML that an operator would write.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;

use vouch_certs::Files;

use super::plan::{self, NODES, Plan, Probe, SPINE, UPLINK};
use crate::process::SwitchProgram;

/// The port of an agent's peering, and of a switch's P4Runtime server: each node has addresses of its own.
const PEERING: u16 = 7000;
pub(super) const P4RUNTIME: u16 = 9559;

/// Who neighbour solicitations come from.
const PROBE_IPV6: &str = "fd00::250";

/// The address of a node on the management network.
pub(super) fn management(node: &str) -> Ipv4Addr {
    Ipv4Addr::new(10, 99, 0, plan::number(node))
}

/// The configuration of one node's agent, with its election id, and the socket at which a VTEP's is asked.
pub(super) fn yaml(
    plan: &Plan,
    program: SwitchProgram,
    node: &str,
    election_id: u32,
    identity: &Files,
    socket: Option<&Path>,
) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail, so the results say nothing.
    let _ = writeln!(text, "name: {node}");
    let _ = writeln!(text, "switch:\n  target: http://127.0.0.1:{P4RUNTIME}\n  device_id: {}", plan::number(node));
    let _ = writeln!(text, "  election_id: {election_id}\n  pair: {}", plan.standby == Some(node));
    if program == SwitchProgram::Bmv2 {
        let _ = writeln!(text, "  link_status: none");
    }
    underlay(&mut text, node);
    if node != SPINE {
        let _ = writeln!(text, "vtep:\n  address: {}", plan::tunnel_end(node));
        vnis(&mut text, plan, node);
        peering(&mut text, node, identity);
        let _ = writeln!(text, "quarantine:\n  enabled: {}", plan.quarantine);
        if let Some(socket) = socket {
            let _ = writeln!(text, "management:\n  socket: {:?}", socket.display().to_string());
        }
        text.push_str(&plan.further);
    }
    text
}

fn underlay(text: &mut String, node: &str) {
    let _ = writeln!(text, "underlay:\n  mtu: 1600\n  ports:");
    let mac = plan::underlay_mac;
    let vteps = || NODES.into_iter().filter(|name| *name != SPINE);
    if node == SPINE {
        for vtep in vteps() {
            let port = u16::from(plan::number(vtep));
            let _ = writeln!(text, "    - {{ port: {port}, mac: \"{}\" }}", mac(SPINE, port));
        }
    } else {
        let _ = writeln!(text, "    - {{ port: {UPLINK}, mac: \"{}\" }}", mac(node, UPLINK));
    }
    let _ = writeln!(text, "  routes:");
    for vtep in vteps().filter(|vtep| *vtep != node) {
        let (port, next) = if node == SPINE {
            (u16::from(plan::number(vtep)), mac(vtep, UPLINK))
        } else {
            (UPLINK, mac(SPINE, plan::number(node).into()))
        };
        let prefix = plan::tunnel_end(vtep);
        let _ = writeln!(text, "    - prefix: {prefix}/32\n      via: {{ port: {port}, mac: \"{next}\" }}");
    }
}

fn vnis(text: &mut String, plan: &Plan, node: &str) {
    let access = plan.access(node);
    let mut vnis: Vec<u32> = plan.residents.iter().map(|it| it.access.vni).collect();
    vnis.extend(plan.free.iter().map(|it| it.vni));
    vnis.sort_unstable();
    vnis.dedup();
    let _ = writeln!(text, "vnis:");
    for vni in vnis {
        let interfaces = access.iter().filter(|it| it.vni == vni).map(|it| match it.vlan {
            None => it.at.port.to_string(),
            Some(vlan) => format!("{{ port: {}, vlan: {vlan} }}", it.at.port),
        });
        let interfaces: Vec<_> = interfaces.collect();
        let _ = writeln!(text, "  - vni: {vni}\n    access: [{}]", interfaces.join(", "));
        let _ = writeln!(text, "    during_verification: {}", plan.during);
        text.push_str(&probe(plan.probe));
    }
}

/// Who the probes of a VNI come from.
fn probe(probe: Probe) -> String {
    let who = match probe {
        Probe::Address(address) => format!("{{ address: {address}, ipv6: \"{PROBE_IPV6}\" }}"),
        Probe::Gateway { ip, mac } => format!("{{ gateway: {{ ip: {ip}, mac: \"{mac}\" }} }}"),
    };
    format!("    probe_as: {who}\n")
}

fn peering(text: &mut String, node: &str, identity: &Files) {
    let _ = writeln!(text, "peers:");
    for peer in NODES.into_iter().filter(|peer| *peer != node && *peer != SPINE) {
        let (address, endpoint) = (plan::tunnel_end(peer), management(peer));
        let _ = writeln!(text, "  - name: {peer}\n    address: {address}\n    endpoint: https://{endpoint}:{PEERING}");
    }
    let _ = writeln!(text, "peering:\n  listen: \"{}:{PEERING}\"\n  tls:", management(node));
    for (field, path) in [("ca", &identity.ca), ("cert", &identity.cert), ("key", &identity.key)] {
        let _ = writeln!(text, "    {field}: {:?}", path.display().to_string());
    }
}

#[cfg(test)]
mod tests {
    use vouch_agent::Config;

    use super::*;
    use crate::linux::plan::Access;

    #[test]
    fn every_node_gets_a_configuration_that_the_agent_accepts() {
        let plan = Plan::default().host("red1", 1, Access::red(1, 2)).free(Access::blue(2, 3));
        let identity = Files { ca: "/ca.pem".into(), cert: "/a \"b\".pem".into(), key: "/key".into() };
        for probe in [plan.probe, Probe::Gateway { ip: [10, 0, 0, 254].into(), mac: plan::spec("gw", 254).mac }] {
            let plan = Plan { probe, ..plan.clone() };
            for (node, program) in NODES.into_iter().flat_map(|node| SwitchProgram::ALL.map(|program| (node, program)))
            {
                let text = yaml(&plan, program, node, 1, &identity, Some(Path::new("/run/a \"b\".sock")));
                let parsed = Config::parse("generated.yaml", &text);
                assert!(parsed.is_ok(), "{}\n{text}", parsed.map(drop).unwrap_err());
            }
        }
    }
}
