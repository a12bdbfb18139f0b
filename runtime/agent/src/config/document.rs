//! The file as a whole: which sections there are, and who we are.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use vouch_mobility::VtepAddr;
use vouch_net::MacAddr;

use super::checks::{self, Facts};
use super::reader::{At, Field, Reader, optional};
use super::tree::{Node, Value};
use super::types::{Config, VtepConfig};
use super::{peers, switch, tuning, underlay, vnis};

const SECTIONS: [&str; 12] = [
    "name",
    "vtep",
    "switch",
    "vnis",
    "underlay",
    "peers",
    "peering",
    "timers",
    "limits",
    "punt_rates",
    "quarantine",
    "management",
];
/// The sections that only a VTEP has.
const VTEP_SECTIONS: [&str; 7] = ["vnis", "peers", "peering", "timers", "limits", "quarantine", "management"];

/// What a file says, and what remains to be looked at outside of it.
pub(super) struct Document {
    pub(super) config: Config,
    /// The files that it names, which must be readable when it is used.
    pub(super) files: Vec<At<PathBuf>>,
}

/// Reads the whole tree. The result means something only if `reader` has noted no error.
pub(super) fn read(reader: &mut Reader, root: &Node, base: &Path) -> Document {
    let mut files = Files { base: base.to_owned(), found: Vec::new() };
    let mut facts = Facts::default();
    let config = sections(reader, &Field { node: root, path: String::new() }, &mut files, &mut facts);
    checks::check(reader, &facts);
    Document { config, files: files.found }
}

/// The files that a configuration names, relative to where it stands.
pub(super) struct Files {
    base: PathBuf,
    found: Vec<At<PathBuf>>,
}

impl Files {
    /// The file that a field names.
    pub(super) fn read(&mut self, reader: &mut Reader, field: &Field<'_>) -> PathBuf {
        let path = match reader.text(field, "the path of a file, relative to this one") {
            Some(text) => self.base.join(text),
            None => return PathBuf::new(),
        };
        self.found.push(field.at(path.clone()));
        path
    }

    /// The file that a field names and that we make.
    pub(super) fn ours(&self, reader: &mut Reader, field: &Field<'_>) -> Option<PathBuf> {
        reader.text(field, "the path of a file, relative to this one").map(|text| self.base.join(text))
    }

    /// The file that a field names which must be there.
    pub(super) fn required(
        &mut self,
        reader: &mut Reader,
        of: &Field<'_>,
        fields: super::reader::Fields<'_>,
        name: &str,
        what: &str,
    ) -> PathBuf {
        match reader.required(of, fields, name, what) {
            Some(field) => self.read(reader, &field),
            None => PathBuf::new(),
        }
    }
}

fn sections(reader: &mut Reader, root: &Field<'_>, files: &mut Files, facts: &mut Facts) -> Config {
    let placeholder = Field { node: &Node { at: root.node.at, value: Value::Null }, path: String::new() };
    let fields =
        reader.map(root, &SECTIONS).or_else(|| reader.map(&placeholder, &SECTIONS)).expect("nothing is an empty map");
    let section = |name: &str| optional(root, fields, name);

    let name = reader
        .required(root, fields, "name", "how this agent and its certificate are called, as `vtep1`")
        .and_then(|field| dns_name(reader, &field));
    let switch = match reader.required(root, fields, "switch", "the switch to control and where it listens") {
        Some(field) => switch::read(reader, &field, files),
        None => switch::placeholder(),
    };
    let underlay = underlay::read(reader, section("underlay"), facts);
    let punt_rates = tuning::punt_rates(reader, section("punt_rates"));

    let Some(vtep) = section("vtep") else {
        for field in VTEP_SECTIONS.into_iter().filter_map(section) {
            reader.error(
                field.node.at,
                &field.path,
                "only a VTEP has this",
                "add `vtep:` with its `address`; without it, this is a switch that only routes the underlay",
            );
        }
        if facts.underlay_ports.is_empty() {
            let (at, path) = section("underlay").map_or((root.node.at, "underlay".to_owned()), |f| (f.node.at, f.path));
            reader.error(
                at,
                &path,
                "this switch does nothing",
                "a transit switch needs `underlay` ports, a VTEP needs `vtep`",
            );
        }
        return Config { name: name.unwrap_or_default(), switch, underlay, punt_rates, management: None, vtep: None };
    };

    let (address, probe_mac) = identity(reader, &vtep, facts);
    let vnis = vnis::read(reader, section("vnis"), facts);
    let peers = peers::read(reader, section("peers"), facts);
    if let Some(field) = section("underlay").filter(|_| !peers.is_empty()) {
        underlay::check_mtu(reader, &field, underlay.mtu);
    }
    if let Some(name) = &name {
        facts.name = section("name").map(|field| field.at(name.clone()));
    }
    let timers = tuning::timers(reader, section("timers"));
    let limits = tuning::limits(reader, section("limits"));
    let quarantine = tuning::quarantine(reader, section("quarantine"));
    let needed = !peers.is_empty();
    let peering = peers::peering(reader, root, section("peering"), needed, files, facts);
    let vtep = VtepConfig {
        address,
        probe_mac,
        vnis,
        peers,
        peering,
        timers,
        limits: limits.method,
        held_frames: limits.held_frames,
        quarantine,
        verify: true,
    };
    let management = section("management").and_then(|field| tuning::management(reader, &field, files));
    Config { name: name.unwrap_or_default(), switch, underlay, punt_rates, management, vtep: Some(vtep) }
}

/// A name that can stand in a certificate: a DNS name.
pub(super) fn dns_name(reader: &mut Reader, field: &Field<'_>) -> Option<String> {
    const WHAT: &str = "a name of letters, digits, `-` and `.`, at most 253, as `vtep1` or `vtep1.example.net`";
    let text = reader.text(field, WHAT)?;
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() > 253 || !text.split('.').all(label) {
        reader.bad(field, text, WHAT);
        return None;
    }
    Some(text.to_owned())
}

fn identity(reader: &mut Reader, field: &Field<'_>, facts: &mut Facts) -> (VtepAddr, MacAddr) {
    let nobody = (VtepAddr(Ipv4Addr::UNSPECIFIED), MacAddr::ZERO);
    let Some(fields) = reader.map(field, &["address", "probe_mac"]) else { return nobody };
    let address = reader
        .required(field, fields, "address", "the tunnel address, an IPv4 address as `10.0.0.1`")
        .and_then(|field| unicast(reader, &field));
    facts.me = address.clone();
    let Some(address) = address.map(|address| VtepAddr(address.value)) else { return nobody };
    let probe_mac = optional(field, fields, "probe_mac").and_then(|field| underlay::host_mac(reader, &field));
    let probe_mac = probe_mac.unwrap_or_else(|| default_probe_mac(address));
    facts.probe_mac = Some(probe_mac);
    (address, probe_mac)
}

/// A locally administered address that no other VTEP has: a probe sent through a tunnel must be answered to this switch.
pub(crate) fn default_probe_mac(address: VtepAddr) -> MacAddr {
    let [a, b, c, d] = address.0.octets();
    MacAddr([0x02, 0x76, a, b, c, d])
}

/// An IPv4 address that one machine can have.
pub(super) fn unicast(reader: &mut Reader, field: &Field<'_>) -> Option<At<Ipv4Addr>> {
    const WHAT: &str = "the IPv4 address of one machine, as `10.0.0.1`";
    let address: Ipv4Addr = reader.parsed(field, WHAT)?;
    if address.is_unspecified() || address.is_multicast() || address.is_broadcast() || address.is_loopback() {
        reader.bad(field, &address.to_string(), WHAT);
        return None;
    }
    Some(field.at(address))
}

/// A URL to dial, with the scheme that goes with TLS or without.
pub(super) fn endpoint(reader: &mut Reader, field: &Field<'_>, tls: bool, where_tls_is: &str) -> Option<String> {
    let scheme = if tls { "https" } else { "http" };
    let what = format!("`{scheme}://HOST:PORT`");
    let text = reader.text(field, &what)?;
    let (other, why) = match tls {
        true => ("http", format!("it is {what}, because {where_tls_is} is given")),
        false => ("https", format!("it is {what}, or give {where_tls_is}")),
    };
    let rest = text.split_once("://");
    if rest.is_some_and(|(found, _)| found == other) {
        reader.error(field.node.at, &field.path, format!("`{other}` does not fit here"), why);
        return None;
    }
    let authority = rest.filter(|(found, _)| *found == scheme).map(|(_, rest)| rest.strip_suffix('/').unwrap_or(rest));
    if !authority.is_some_and(is_host_and_port) {
        reader.bad(field, text, &what);
        return None;
    }
    Some(text.to_owned())
}

/// Whether the text is `name:port`, `1.2.3.4:port` or `[::1]:port`.
fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let host_is_one = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        }
    };
    host_is_one && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port != 0)
}

/// Notes every value that stands at two places; `same` names what must differ.
pub(super) fn duplicates<T: Ord + Clone + std::fmt::Display>(
    reader: &mut Reader,
    values: &[At<T>],
    what: &str,
    help: &str,
) {
    let mut first = BTreeMap::new();
    for value in values {
        match first.entry(value.value.clone()) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(value);
            }
            std::collections::btree_map::Entry::Occupied(entry) => {
                let earlier = entry.get();
                let said = format!("{what}{} is already at {} (line {})", value.value, earlier.path, earlier.at.line);
                reader.error(value.at, &value.path, said, help);
            }
        }
    }
}
