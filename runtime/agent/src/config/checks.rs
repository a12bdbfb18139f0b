//! Whether the parts of a configuration fit each other. What could not be read causes no second error.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::document::{Document, Identity, default_probe_mac};
use super::problem::Problems;
use super::schema;
use super::switch::{SwitchKind, TofinoServer};
use super::text::Node;
use super::types::{DEFAULT_MTU, LinkAddress, NextHop, PeeringConfig, ProbeAs, VniConfig, tunnel_bytes};

pub(super) const PROBE_AS: &str = "`{gateway: {ip: 192.168.1.254, mac: \"02:00:00:00:00:fe\"}}` with the gateway's own pair, or \
                                   `{address: 192.168.1.253}` with an address of the hosts' subnet that nobody has";
/// RFC 8200, section 5.
const LEAST_IPV6_MTU: u16 = 1280;
/// The sections that only a VTEP has.
const VTEP_SECTIONS: [&str; 8] =
    ["vnis", "peers", "peering", "timers", "limits", "quarantine", "management", "tracing"];

/// Notes everything that does not fit.
pub(super) fn check(root: &Node, document: &Document, problems: &mut Problems) {
    let mut check = Check { root, problems };
    check.switch(document);
    check.clients();
    check.underlay(document);
    let Some(vtep) = &document.vtep else { return check.transit(document) };
    check.vnis(document, vtep);
    check.peers(document, vtep);
    check.peering(document);
    check.timers(document);
}

struct Check<'a> {
    root: &'a Node,
    problems: &'a mut Problems,
}

impl Check<'_> {
    fn error(&mut self, path: &str, what: impl Into<String>, help: impl Into<String>) {
        self.problems.error(self.root.along(path).0.at, path, what, help);
    }

    fn warn(&mut self, path: &str, what: impl Into<String>, help: impl Into<String>) {
        self.problems.warn(self.root.along(path).0.at, path, what, help);
    }

    fn has(&self, path: &str) -> bool {
        self.root.find(path).is_some()
    }

    /// Notes a field that has to be there, here.
    fn need(&mut self, path: &str) {
        if !self.has(path) {
            let help = format!("it is {}", schema::at(path).map(schema::purpose).unwrap_or_default());
            self.error(path, "the field is missing", help);
        }
    }

    /// Where a field stands, for another's error.
    fn place(&self, path: &str) -> String {
        format!("{path}, line {}", self.root.along(path).0.at.line)
    }

    /// The values that were read, each with its path.
    fn good<T>(&self, values: impl IntoIterator<Item = (String, T)>) -> Vec<(String, T)> {
        values.into_iter().filter(|(path, _)| self.problems.good(path)).collect()
    }

    /// A field of all items of a list, as far as it was read.
    fn each<'i, I, T>(&self, list: &str, items: &'i [I], field: &str, get: impl Fn(&'i I) -> T) -> Vec<(String, T)> {
        let fields = items.iter().enumerate().map(|(index, item)| (format!("{list}[{index}]{field}"), get(item)));
        self.good(fields)
    }

    /// Notes every value that stands at two places.
    fn differ<T: Ord + Copy + Display>(&mut self, values: &[(String, T)], what: &str, help: &str) {
        let mut first: BTreeMap<T, &str> = BTreeMap::new();
        for (path, value) in values {
            match first.get(value) {
                Some(earlier) => {
                    let line = self.root.along(earlier).0.at.line;
                    self.error(path, format!("{what}{value} is already at {earlier} (line {line})"), help);
                }
                None => {
                    first.insert(*value, path);
                }
            }
        }
    }

    fn switch(&mut self, document: &Document) {
        let switch = &document.switch;
        let foreign = |check: &mut Self, names: &[&str], what: &str, help: &str| {
            for path in names.iter().map(|name| format!("switch.{name}")) {
                if check.has(&path) {
                    check.error(&path, what, help);
                }
            }
        };
        match switch.kind {
            SwitchKind::Bmv2 => {
                foreign(
                    self,
                    &["server", "port_ids"],
                    "only a Tofino has this",
                    "give `kind: tofino`, or leave it out",
                );
                let of_tofino = ["pipeline.name", "pipeline.binary", "pipeline.context", "pipeline.bfrt"];
                let help = "BMv2 takes `p4info` and `device_config`, its JSON";
                foreign(self, &of_tofino, "this is of a pipeline for Tofino", help);
                if self.has("switch.pipeline") {
                    self.need("switch.pipeline.device_config");
                }
            }
            SwitchKind::Tofino(server) => {
                let stratum = server == TofinoServer::Stratum;
                self.need("switch.server");
                if stratum && !self.has("switch.device_id") {
                    let help = "it is the id of the node in Stratum's chassis configuration, 1 or more";
                    self.error("switch.device_id", "the field is missing", help);
                } else if stratum && switch.device_id == 0 && self.problems.good("switch.device_id") {
                    // Stratum takes 0 for none (`p4_service.cc`).
                    self.error(
                        "switch.device_id",
                        "`0` is wrong",
                        format!("it is a whole number from 1 to {}", u64::MAX),
                    );
                }
                let help = "a Tofino takes `p4info`, `binary` (tofino.bin) and `context` (context.json)";
                foreign(self, &["pipeline.device_config"], "this is of a pipeline for BMv2", help);
                let files = ["switch.pipeline.binary", "switch.pipeline.context", "switch.pipeline.bfrt"];
                match self.has("switch.pipeline") {
                    true => files[..if stratum { 3 } else { 2 }].iter().for_each(|path| self.need(path)),
                    false => {
                        let help = "it is the compiled program, with `p4info`, `binary` and `context`";
                        self.error("switch.pipeline", "the field is missing", help);
                    }
                }
            }
        }
        let mut taken = BTreeMap::new();
        let ids = switch.port_ids.iter().map(|(number, id)| (format!("switch.port_ids.{number}"), (*number, *id)));
        for (path, (number, id)) in self.good(ids) {
            if let Some(other) = taken.insert(id, number) {
                self.error(&path, format!("{id} is already the id of port {other}"), "each port has an id of its own");
            } else if id == switch.cpu_port {
                let what = format!("{id} is the id of the controller's port (`switch.cpu_port`)");
                self.error(&path, what, "hosts and the underlay have ports of their own");
            }
        }
    }

    /// TLS towards those who decide themselves whether they want a certificate.
    fn clients(&mut self) {
        for [cert, key] in [["switch.tls.cert", "switch.tls.key"], ["tracing.tls.cert", "tracing.tls.key"]] {
            if self.has(cert) != self.has(key) {
                let half = if self.has(cert) { cert } else { key };
                self.error(half, "`cert` and `key` belong together", "name both files, or none");
            }
        }
    }

    fn underlay(&mut self, document: &Document) {
        let underlay = &document.underlay;
        let ports = self.each("underlay.ports", &underlay.ports, ".port", |port| port.port);
        self.differ(&ports, "port ", "a port stands once");
        let prefixes = self.each("underlay.routes", &underlay.routes, ".prefix", |route| route.prefix);
        self.differ(&prefixes, "the prefix ", "list its next hops in one route");
        self.links(document);
        let known: Vec<_> = underlay.ports.iter().map(|port| port.port).collect();
        let all_known = ports.len() == known.len() && self.problems.good("underlay.ports");
        for (at, route) in underlay.routes.iter().enumerate() {
            let lists = [("via", &route.next_hops), ("backup", &route.backup)];
            let hops = lists.map(|(name, hops)| {
                let list = format!("underlay.routes[{at}].{name}");
                let several = self.has(&format!("{list}[0]"));
                let path = |hop| if several { format!("{list}[{hop}]") } else { list.clone() };
                hops.iter().enumerate().map(|(hop, next)| (path(hop), *next)).collect::<Vec<_>>()
            });
            let hops = self.good(hops.concat());
            self.differ(&hops, "the next hop ", "each has an equal share: list it once");
            for (path, next) in hops {
                let next = match next {
                    NextHop::At { port, .. } => port,
                    NextHop::Address(address) => {
                        if all_known && underlay.port_of(next).is_none() {
                            let help = "give the port of its link an `address`, or the next hop with `port` and `mac`";
                            self.error(&path, format!("{address} is on the link of no underlay port"), help);
                        }
                        continue;
                    }
                };
                let path = format!("{path}.port");
                if all_known && !known.contains(&next) && self.problems.good(&path) {
                    let mut names: Vec<_> = known.clone();
                    names.sort_unstable();
                    let names: Vec<_> = names.iter().map(|port| format!("`{port}`")).collect();
                    let help = match names.is_empty() {
                        true => "there are none yet: add it to `underlay.ports`".to_owned(),
                        false => format!("the underlay ports are {}; or add it to `underlay.ports`", names.join(", ")),
                    };
                    self.error(&path, format!("port {next} is not an underlay port"), help);
                }
            }
        }
        for (path, interface) in self.good(document.access()) {
            if let Some((place, port)) = ports.iter().find(|(_, port)| *port == interface.port) {
                let what = format!("port {port} is an underlay port ({})", self.place(place));
                self.error(&path, what, "a port is either for hosts or for the underlay");
            }
        }
    }

    /// Our addresses on the links.
    fn links(&mut self, document: &Document) {
        let links = self.each("underlay.ports", &document.underlay.ports, ".address", |port| port.address);
        let links: Vec<_> = links.into_iter().filter_map(|(path, link)| Some((path, link?))).collect();
        for (at, (path, link)) in links.iter().enumerate() {
            if let Some(name) = reserved_in(link.prefix(), link.address()) {
                let what = format!("{} is the {name} of its link", link.address());
                self.error(path, what, "it is an address that one machine has");
            }
            let overlaps = |other: &LinkAddress| {
                other.prefix().contains(&link.prefix()) || link.prefix().contains(&other.prefix())
            };
            if let Some((other, _)) = links[..at].iter().find(|(_, other)| overlaps(other)) {
                let what = format!("the link of {link} is also that of {}", self.place(other));
                self.error(path, what, "each link has addresses of its own");
            }
            let tunnels = document.vtep.as_ref().filter(|_| self.problems.good("vtep.address"));
            if tunnels.is_some_and(|vtep| vtep.address.0 == link.address()) {
                let what = format!("{} is the tunnel address of this VTEP", link.address());
                self.error(path, what, "the address on a link is another one");
            }
        }
        for (at, port) in document.underlay.ports.iter().enumerate() {
            let path = format!("underlay.ports[{at}].bfd");
            if port.bfd.is_some() && port.address.is_none() && self.problems.good(&path) {
                self.error(&path, "there is no address to speak BFD from", "give the port an `address`");
            }
        }
    }

    /// A switch without `vtep`.
    fn transit(&mut self, document: &Document) {
        for section in VTEP_SECTIONS {
            if self.has(section) {
                let help = "add `vtep:` with its `address`; without it, this is a switch that only routes the underlay";
                self.error(section, "only a VTEP has this", help);
            }
        }
        if document.underlay.ports.is_empty() {
            let help = "a transit switch needs `underlay` ports, a VTEP needs `vtep`";
            self.error("underlay", "this switch does nothing", help);
        }
    }

    fn vnis(&mut self, document: &Document, vtep: &Identity) {
        let numbers = self.each("vnis", &document.vnis, ".vni", |vni| vni.vni);
        self.differ(&numbers, "VNI ", "put its access interfaces into one entry");
        let access = self.good(document.access());
        self.differ(&access, "", "an access interface belongs to one VNI, once");
        for (index, vni) in document.vnis.iter().enumerate() {
            let path = format!("vnis[{index}]");
            if vni.suppress && !vni.bindings.on() && self.problems.good(&format!("{path}.bindings")) {
                let help = "leave `bindings` on, or set `suppress: false`";
                self.error(&format!("{path}.suppress"), "there is nothing to answer from: `bindings` is off", help);
            }
            self.probe_as(&format!("{path}.probe_as"), vni, document, vtep);
            if !self.has(&format!("{path}.probe_as")) && !vni.attached.is_empty() {
                self.warn(
                    &path,
                    "no `probe_as`: ARP probes will come from 0.0.0.0, which some systems answer wrongly or not at all",
                    "give the gateway's own pair of IP and MAC, or an address of the hosts' subnet that nobody has",
                );
            }
            for (path, mac) in self.each(&format!("{path}.reserved_macs"), &vni.reserved_macs, "", |mac| *mac) {
                if mac == vtep.probe_mac() {
                    let what = format!("{mac} is the probe MAC of this VTEP");
                    self.error(&path, what, "leave it out: no host may have that in any case");
                }
            }
        }
    }

    /// In whose name hosts are asked, and what of that would harm them or mean nothing: a host that is asked writes the asker's IP
    /// and MAC into its neighbour table. With the gateway's IP and another MAC, each question would take the host's gateway away.
    fn probe_as(&mut self, path: &str, vni: &VniConfig, document: &Document, vtep: &Identity) {
        let [gateway, address, ipv6] = ["gateway", "address", "ipv6"].map(|name| format!("{path}.{name}"));
        let (by_pair, by_address) = (self.has(&gateway), self.has(&address) || self.has(&ipv6));
        if self.has(path) && self.problems.good(path) && by_pair == by_address {
            let at = self.root.along(if by_pair { &gateway } else { path }).0.at;
            let what = "it is not said in whose name hosts are asked";
            self.problems.error(at, path, what, format!("it is one of {PROBE_AS}"));
            return;
        }
        match vni.probe_as {
            ProbeAs::Nobody => {}
            ProbeAs::Gateway { ip, mac, ipv6 } => {
                let addresses = [("ip", Some(ip.into())), ("ipv6", ipv6.map(IpAddr::from))];
                let addresses = addresses.into_iter().filter_map(|(name, it)| Some((format!("{gateway}.{name}"), it?)));
                for (path, address) in self.good(addresses) {
                    self.is_in_a_subnet(&path, address, &vni.subnets);
                }
                for (path, mac) in self.good([(format!("{gateway}.mac"), mac)]) {
                    if mac == vtep.probe_mac() {
                        let what = format!("{mac} is the probe MAC of this VTEP");
                        self.error(&path, what, "it is the gateway's own MAC address");
                    }
                }
            }
            ProbeAs::Address { ipv4, ipv6: six } => {
                let addresses = [(address, ipv4.map(IpAddr::from)), (ipv6, six.map(IpAddr::from))];
                let addresses = addresses.into_iter().filter_map(|(path, address)| Some((path, address?)));
                for (path, address) in self.good(addresses) {
                    self.is_nobodys(&path, address, vni, document, vtep);
                }
            }
        }
    }

    /// Notes an address that cannot be one that nobody has.
    fn is_nobodys(&mut self, path: &str, address: IpAddr, vni: &VniConfig, document: &Document, vtep: &Identity) {
        const NOBODY: &str = "the address that hosts are asked from is one of their subnet that nobody has";
        if self.is_in_a_subnet(path, address, &vni.subnets) {
            if vni.bindings.shared().iter().any(|prefix| prefix.contains(&address)) {
                self.error(path, format!("{address} is among the addresses that hosts share"), NOBODY);
            }
            for name in vni.subnets.iter().filter_map(|subnet| reserved_in(*subnet, address)) {
                self.error(path, format!("{address} is the {name} of its subnet"), NOBODY);
            }
        }
        let peers = self.each("peers", &document.peers, ".address", |peer| peer.address);
        let vteps = [("vtep.address".to_owned(), vtep.address)].into_iter().chain(peers);
        if let Some((place, _)) = self.good(vteps).into_iter().find(|(_, it)| it.0 == address) {
            let what = format!("{address} is a VTEP's address ({})", self.place(&place));
            self.error(path, what, "hosts are asked from an address of their subnet that nobody has");
        }
    }

    /// Whether the address belongs to a subnet, if it is known which there are of its family.
    fn is_in_a_subnet(&mut self, path: &str, address: IpAddr, subnets: &[IpNet]) -> bool {
        let mut of_family = subnets.iter().filter(|subnet| subnet.addr().is_ipv4() == address.is_ipv4()).peekable();
        // A link-local address is in every IPv6 subnet.
        let everywhere = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
        if everywhere || of_family.peek().is_none() || of_family.any(|subnet| subnet.contains(&address)) {
            return true;
        }
        let what = format!("{address} is in none of the VNI's `subnets`: hosts would not answer it");
        self.error(path, what, "take an address of the hosts' own subnet, or correct `subnets`");
        false
    }

    fn peers(&mut self, document: &Document, vtep: &Identity) {
        let names = self.each("peers", &document.peers, ".name", |peer| peer.name.as_str());
        self.differ(&names, "", "the names of peers differ");
        let addresses = self.each("peers", &document.peers, ".address", |peer| peer.address);
        self.differ(&addresses, "", "the addresses of peers differ");
        let routes = self.each("underlay.routes", &document.underlay.routes, ".prefix", |route| route.prefix);
        for (path, address) in addresses {
            if address == vtep.address && self.problems.good("vtep.address") {
                let help = "a peer is another VTEP: give its `vtep.address`, or remove the entry";
                self.error(&path, format!("{address} is the address of this VTEP"), help);
            } else if address.0.is_ipv6() != vtep.address.0.is_ipv6() && self.problems.good("vtep.address") {
                let what = format!("{address} and the address of this VTEP, {}, are of two families", vtep.address);
                self.error(&path, what, "the tunnels of a fabric are all over IPv4 or all over IPv6");
            } else if vtep.probe_mac.is_none() && vtep.probe_mac() == default_probe_mac(address) {
                let what = format!("the last four bytes of {address} are those of this VTEP's address");
                let help = "give both VTEPs a `vtep.probe_mac` of their own, which is made of them otherwise";
                self.error(&path, what, help);
            } else if !routes.iter().any(|(_, prefix)| prefix.contains(&address.0)) {
                let all_bits = IpNet::from(address.0).max_prefix_len();
                let help = format!("add one to `underlay.routes`, as `{address}/{all_bits}`");
                self.error(&path, format!("no route leads to {address}"), help);
            }
        }
        for (path, name) in names {
            if name == document.name && self.problems.good("name") {
                self.error(&path, format!("`{name}` is the name of this agent"), "a peer has its own name");
            }
        }
        let known: Vec<_> = document.vnis.iter().map(|vni| vni.vni).collect();
        let vnis = document.peers.iter().enumerate().flat_map(|(index, peer)| {
            let vnis = peer.vnis.iter().flatten().enumerate();
            vnis.map(move |(at, vni)| (format!("peers[{index}].vnis[{at}]"), *vni))
        });
        for (path, vni) in self.good(vnis) {
            if !known.contains(&vni) {
                self.error(&path, format!("VNI {vni} is not one of this VTEP"), "list only VNIs that `vnis` has");
            }
        }
        if self.has("underlay") && !document.peers.is_empty() && self.problems.good("underlay.mtu") {
            self.mtu(document.underlay.mtu, vtep);
        }
    }

    /// Whether hosts' packets fit. Hosts send what their own links carry, unless somebody has told them.
    fn mtu(&mut self, mtu: Option<u16>, vtep: &Identity) {
        if let Some(mtu) = mtu.filter(|mtu| vtep.address.0.is_ipv6() && *mtu < LEAST_IPV6_MTU) {
            let help = format!("a link that carries IPv6 carries {LEAST_IPV6_MTU} bytes at least");
            return self.error("underlay.mtu", format!("`{mtu}` is too little"), help);
        }
        let bytes = tunnel_bytes(vtep.address.0);
        let room = mtu.unwrap_or(DEFAULT_MTU) - bytes;
        if room >= DEFAULT_MTU {
            return;
        }
        let what = match mtu {
            Some(_) => String::new(),
            None => format!("is not given, and {DEFAULT_MTU} is taken where the switch does not say: "),
        };
        let enough = DEFAULT_MTU + bytes;
        self.warn(
            "underlay.mtu",
            format!("{what}hosts' packets of more than {room} bytes do not fit, and are dropped"),
            format!("make it {enough} or more, as on all links of the underlay, or give hosts an MTU of {room}"),
        );
    }

    fn peering(&mut self, document: &Document) {
        let Some(peering) = &document.peering else {
            if !document.peers.is_empty() {
                let help = "peers need `peering` with `listen`, and with `tls` or `plaintext: true`";
                self.problems.error(self.root.at, "peering", "the section is missing", help);
            }
            return;
        };
        if !self.problems.good("peering") {
            return;
        }
        self.need("peering.listen");
        self.security();
        let PeeringConfig { heartbeat, dead_after, reconnect, reconnect_max, .. } = *peering;
        self.order(
            ["peering.dead_after", "peering.heartbeat"],
            dead_after >= heartbeat * 2,
            "a peer would be given up between two heartbeats",
            "`dead_after` is at least twice `heartbeat`",
        );
        self.order(
            ["peering.reconnect_max", "peering.reconnect"],
            reconnect_max >= reconnect,
            "the longest wait is shorter than the first",
            "`reconnect_max` is at least `reconnect`",
        );
    }

    fn security(&mut self) {
        let plaintext = self.root.find("peering.plaintext").and_then(Node::text) == Some("true");
        match (self.has("peering.tls"), plaintext) {
            (true, true) => {
                let what = "`tls` and `plaintext: true` exclude each other";
                self.error("peering.plaintext", what, "leave one of them out");
            }
            (true, false) => {}
            (false, true) => {
                let what = "peers prove nothing and read nothing in secret";
                self.warn("peering.plaintext", what, "only for a network that nobody else is on");
            }
            (false, false) => {
                let what = "it is not said how peers prove who they are";
                self.error("peering", what, "give `tls` with `ca`, `cert` and `key`, or `plaintext: true`");
            }
        }
    }

    fn timers(&mut self, document: &Document) {
        let timers = &document.timers;
        if !timers.probes.is_sorted_by(|earlier, later| earlier < later) {
            let help = "each is later than the one before";
            self.error("timers.probes", "the probes are not in ascending order", help);
        }
        let last = timers.probes.last().copied().unwrap_or(Duration::ZERO);
        for (names, right, what, help) in [
            (
                ["verdict", "probes"],
                timers.verdict_after > last,
                "the verdict would come before the last probe could be answered",
                "`verdict` is later than the last of `probes`",
            ),
            (
                ["escalation", "verdict"],
                timers.escalate.longest() < timers.verdict_after,
                "the escalation would come after the verdict",
                "`escalation` is earlier than `verdict`",
            ),
            (
                ["refusal_memory_max", "refusal_memory"],
                timers.refusal_memory_max >= timers.refusal_memory,
                "the longest memory is shorter than the first",
                "`refusal_memory_max` is at least `refusal_memory`",
            ),
            (
                ["claim_give_up", "claim_retry"],
                timers.claim_give_up > timers.claim_retry,
                "the owner would be given up before a claim is repeated",
                "`claim_give_up` is later than `claim_retry`",
            ),
            (
                ["unproven_retry_max", "unproven_retry"],
                timers.unproven_retry_max >= timers.unproven_retry,
                "the longest wait is shorter than the first",
                "`unproven_retry_max` is at least `unproven_retry`",
            ),
            (
                ["confirm_max_age", "confirm_every"],
                timers.confirm_max_age > timers.confirm_every,
                "no address would ever be known to be answered for: it would be too old before it is confirmed again",
                "`confirm_max_age` is longer than `confirm_every`",
            ),
        ] {
            self.order(names.map(|name| format!("timers.{name}")).each_ref().map(String::as_str), right, what, help);
        }
    }

    /// Notes at the first of two fields that is given that they are not in order.
    fn order(&mut self, names: [&str; 2], right: bool, what: &str, help: &str) {
        let known = names.iter().all(|name| self.problems.good(name));
        if let Some(path) = names.into_iter().find(|name| self.has(name)).filter(|_| known && !right) {
            self.error(path, what, help);
        }
    }
}

/// What an IPv4 subnet uses the address for: its first and last are no machine's.
fn reserved_in(subnet: IpNet, address: IpAddr) -> Option<&'static str> {
    // RFC 3021: of two addresses, both are machines'.
    let IpNet::V4(subnet) = subnet else { return None };
    if subnet.prefix_len() >= 31 {
        return None;
    }
    if address == IpAddr::V4(subnet.network()) {
        return Some("network address");
    }
    (address == IpAddr::V4(subnet.broadcast())).then_some("broadcast address")
}
