//! The formats of text: for each, what it is, an example, and whether a text is that.
//!
//! The schema of a field names its format; the reader looks here. What a port is depends on the switch, and what a URL is on
//! whether TLS is used: the [`Surroundings`] of a field.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::Value;
use vouch_mobility::MacPrefix;
use vouch_net::{MacAddr, written_as};
use vouch_tables::Port;

use super::text::Node;

/// Declares types that stand for a format in schemas.
macro_rules! formats {
    ($($Name:ident, $format:literal, $pattern:literal;)+) => {
        $(
            #[doc = concat!("`", $format, "`, as the schema has it.")]
            pub(super) struct $Name;
            written_as!($Name, { "type": "string", "format": $format, "pattern": $pattern });
        )+
    };
}

formats! {
    Name, "hostname", r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$";
    Host, "ip", "^[0-9A-Fa-f:.]+$";
    HostV4, "ipv4", r"^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$";
    HostV6, "ipv6", "^[0-9A-Fa-f:.]+$";
    Prefix, "ip-prefix", "^[0-9A-Fa-f:.]+(/[0-9]+)?$";
    Interface, "ip-interface", "^[0-9A-Fa-f:.]+/[0-9]+$";
    Listen, "socket-address", r"^\[?[0-9A-Fa-f:.]+\]?:[0-9]+$";
    SwitchUrl, "switch-url", "^https?://";
    PeerUrl, "peer-url", "^https?://";
    CollectorUrl, "collector-url", "^https?://";
    File, "file", ".";
    Socket, "path", ".";
}

/// What the meaning of a text depends on.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// The lowest number of a port.
    pub(super) min_port: u16,
    /// The controller's port, which is neither for hosts nor for the underlay.
    pub(super) cpu_port: u16,
    /// The operator's numbers, where they are not the switch's: ids by number.
    pub(super) port_ids: BTreeMap<u16, u16>,
    /// Whether the switch is reached over TLS.
    pub(super) switch_tls: bool,
    /// Whether the collector of traces is.
    pub(super) collector_tls: bool,
    /// Whether peers are; unknown if `peering` is missing.
    pub(super) peer_tls: Option<bool>,
}

/// Why a text is not what it should be.
pub(super) struct Wrong {
    /// What is wrong, where it is more than that it is.
    pub(super) what: Option<String>,
    /// What would be right.
    pub(super) help: String,
}

/// The largest number that can be a port: 511 drops.
pub(super) const MAX_PORT: u16 = 510;
/// The port that leads to the controller of BMv2 and the embedded switch, as they are started.
pub(super) const BMV2_CPU_PORT: u16 = 510;
/// The PCIe port of a Tofino with two pipes; with four it is 320, and on the Tofino model the Ethernet port 64 takes its
/// place (freeRtr, `misc/p4bf/include/cst_cpu_port.p4`).
pub(super) const TOFINO_CPU_PORT: u16 = 192;

impl Surroundings {
    /// What can be said before anything is checked; what is wrong in it is noted where it stands.
    pub(super) fn of(root: &Node) -> Self {
        let text = |path: &str| root.find(path).and_then(Node::text);
        let tofino = text("switch.kind") == Some("tofino");
        // BMv2's P4Runtime server has no port 0. Tofino's have 7 bits of port behind 2 bits of pipe, both from 0; which of
        // them are wired is the affair of whoever built the switch.
        let (min_port, cpu_port) = if tofino { (0, TOFINO_CPU_PORT) } else { (1, BMV2_CPU_PORT) };
        let configured = text("switch.cpu_port").and_then(|text| number(text, min_port.into(), MAX_PORT.into()).ok());
        let cpu_port = configured.and_then(|port| port.try_into().ok()).unwrap_or(cpu_port);
        let mut surroundings = Self {
            min_port,
            cpu_port,
            port_ids: BTreeMap::new(),
            switch_tls: root.find("switch.tls").is_some(),
            collector_tls: root.find("tracing.tls").is_some(),
            peer_tls: root
                .find("peering")
                .map(|peering| peering.find("tls").is_some() && text("peering.plaintext") != Some("true")),
        };
        let ids = root.find("switch.port_ids").filter(|_| tofino).map_or(&[][..], Node::entries);
        for (key, id) in ids {
            let id = id.text().and_then(|text| number(text, min_port.into(), surroundings.max_port()).ok());
            if let (Ok(number), Some(id)) = (key.name.parse(), id.and_then(|id| u16::try_from(id).ok()))
                && id != cpu_port
            {
                surroundings.port_ids.entry(number).or_insert(id);
            }
        }
        surroundings
    }

    /// The highest id of a port that the controller does not have.
    fn max_port(&self) -> u128 {
        u128::from(if self.cpu_port == MAX_PORT { MAX_PORT - 1 } else { MAX_PORT })
    }

    /// The value that a text of the format means.
    pub(super) fn read(&self, format: &str, text: &str) -> Result<Value, Wrong> {
        let wrong = || Wrong { what: None, help: what(format).to_owned() };
        let given = || Value::from(text);
        match format {
            "hostname" if is_name(text) => Ok(given()),
            "mac" => parsed::<MacAddr>(text).filter(|mac| mac.is_host()).map(|_| given()).ok_or_else(wrong),
            "mac-prefix" => parsed::<MacPrefix>(text).map(|_| given()).ok_or_else(wrong),
            "ip" => parsed::<IpAddr>(text).filter(|it| is_routed(*it)).map(|_| given()).ok_or_else(wrong),
            "ipv4" => parsed::<Ipv4Addr>(text).filter(|it| is_machine((*it).into())).map(|_| given()).ok_or_else(wrong),
            "ipv6" => parsed::<Ipv6Addr>(text).filter(|it| is_machine((*it).into())).map(|_| given()).ok_or_else(wrong),
            "ip-prefix" => {
                let alone = parsed::<IpAddr>(text).map(IpNet::from);
                without_host_bits(text, alone.or_else(|| prefix(text)).ok_or_else(wrong)?)
            }
            "ip-interface" => {
                let interface = prefix(text).filter(|it| is_routed(it.addr()));
                interface.filter(|it| it.prefix_len() < it.max_prefix_len()).map(|_| given()).ok_or_else(wrong)
            }
            "socket-address" => parsed::<SocketAddr>(text).map(|_| given()).ok_or_else(wrong),
            "span" => time(text).map(|_| given()).ok_or_else(wrong),
            "election-id" => number(text, 1, u128::MAX).map(|_| given()),
            "cpu-port" => number(text, self.min_port.into(), MAX_PORT.into()).map(small),
            "port-id" => number(text, self.min_port.into(), self.max_port()).map(small),
            "port" => self.port(text).map(Value::from),
            "ports" => self.ports(text),
            "switch-url" => url(text, self.switch_tls, "`tls`").map(|()| given()),
            "peer-url" => match self.peer_tls {
                Some(tls) => url(text, tls, "`peering.tls`").map(|()| given()),
                None => Ok(given()),
            },
            "collector-url" => url(text, self.collector_tls, "`tls`").map(|()| given()),
            "file" | "path" => Ok(given()),
            _ => Err(wrong()),
        }
    }

    /// A port by the operator's number for it, or else by the switch's.
    fn port(&self, text: &str) -> Result<u16, Wrong> {
        let own = text.parse().ok().and_then(|number: u16| self.port_ids.get(&number).copied());
        let id = match own {
            Some(id) => id,
            None => number(text, self.min_port.into(), self.max_port())? as u16,
        };
        if id == self.cpu_port {
            return Err(Wrong {
                what: Some(format!("port {id} is the controller's (`switch.cpu_port`)")),
                help: "hosts and the underlay have ports of their own".into(),
            });
        }
        Port::new(id).map(Port::get).ok_or_else(|| Wrong { what: None, help: what("ports").into() })
    }

    /// One port, or all from one to another: in the operator's numbers, where he has any.
    fn ports(&self, text: &str) -> Result<Value, Wrong> {
        let Some((first, last)) = text.split_once('-').filter(|(first, _)| !first.is_empty()) else {
            return self.port(text).map(|port| Value::from(vec![port]));
        };
        let most = u128::from(u16::MAX);
        let (first, last) = (number(first.trim(), 0, most), number(last.trim(), 0, most));
        match (first, last) {
            (Ok(first), Ok(last)) if first <= last && last - first <= u128::from(MAX_PORT) => {
                let ports: Result<Vec<_>, _> = (first..=last).map(|port| self.port(&port.to_string())).collect();
                ports.map(Value::from)
            }
            _ => Err(Wrong { what: None, help: what("ports").into() }),
        }
    }
}

/// What a text of the format is, in words.
pub(super) fn what(format: &str) -> &'static str {
    match format {
        "hostname" => "a name of letters, digits, `-` and `.`, at most 253, as `vtep1` or `vtep1.example.net`",
        "mac" => "the MAC address of one machine, as `02:00:00:00:00:01`, neither multicast nor zero",
        "mac-prefix" => "a MAC address or prefix: `02:00:00:00:00:01`, or `00:00:5e:00:01:00/40` for all VRRP routers",
        "ip" => "the IP address of one machine, as `10.0.0.2` or `2001:db8::2`, not link-local",
        "ipv4" => "the IPv4 address of one machine, as `192.168.1.253`",
        "ipv6" => "the IPv6 address of one machine, as `fd00::fd`",
        "ip-prefix" => "an IP prefix, as `192.168.1.0/24` or `fd00::/64`, or one address",
        "ip-interface" => {
            "an IP address, not link-local, and the length of its link's prefix, as `192.0.2.0/31` or `2001:db8:ffff::/127`"
        }
        "socket-address" => "an IP address and a port, as `0.0.0.0:7000`",
        "span" => "a number with the unit `us`, `ms`, `s`, `min` or `h`, as `300ms`, at most a day",
        "ports" => "a port, or several as `1-8`",
        "port" | "port-id" | "cpu-port" => "a switch port",
        "file" | "path" => "the path of a file, relative to this one",
        "switch-url" | "peer-url" | "collector-url" => "a URL, as `https://192.0.2.2:7000`",
        _ => "text",
    }
}

/// A text of the format, to go on with where there is none that can be read.
pub(super) fn example(format: &str) -> Option<Value> {
    Some(match format {
        "mac" | "mac-prefix" => "02:00:00:00:00:01".into(),
        "ip" | "ipv4" => "192.0.2.1".into(),
        "ipv6" => "2001:db8::1".into(),
        "ip-prefix" => "192.0.2.0/24".into(),
        "ip-interface" => "192.0.2.0/31".into(),
        "socket-address" => "127.0.0.1:0".into(),
        "span" => "1s".into(),
        "election-id" => "1".into(),
        "ports" => Value::Array(Vec::new()),
        _ => return None,
    })
}

/// A whole number within bounds, of nothing but digits.
pub(super) fn number(text: &str, min: u128, max: u128) -> Result<u128, Wrong> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && (min..=max).contains(number));
    number.ok_or_else(|| Wrong { what: None, help: format!("a whole number from {min} to {max}") })
}

/// A span of time as it is written, with its unit: at most a day.
pub fn time(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok().filter(|time| *time <= Duration::from_secs(86_400))
}

fn small(number: u128) -> Value {
    Value::from(number as u64)
}

fn parsed<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// A prefix whose length is written in nothing but digits.
fn prefix(text: &str) -> Option<IpNet> {
    let (_, length) = text.split_once('/')?;
    length.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn without_host_bits(text: &str, prefix: IpNet) -> Result<Value, Wrong> {
    if prefix.trunc() == prefix {
        return Ok(Value::from(prefix.to_string()));
    }
    Err(Wrong {
        what: Some(format!("`{text}` has bits beyond its length")),
        help: format!("it is `{}`", prefix.trunc()),
    })
}

/// A name that can stand in a certificate: a DNS name.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// Whether one machine can have the address.
fn is_machine(address: IpAddr) -> bool {
    let everybody = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    !(address.is_unspecified() || address.is_multicast() || address.is_loopback() || everybody)
}

/// Whether one machine can have the address, and routers lead to it.
fn is_routed(address: IpAddr) -> bool {
    let link_local = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
    is_machine(address) && !link_local
}

/// Checks a URL to dial, with the scheme that goes with TLS or without.
fn url(text: &str, tls: bool, where_tls_is: &str) -> Result<(), Wrong> {
    let (scheme, other) = if tls { ("https", "http") } else { ("http", "https") };
    let what = format!("`{scheme}://HOST:PORT`");
    let (found, rest) = text.split_once("://").unwrap_or_default();
    if found == other {
        let help = match tls {
            true => format!("it is {what}, because {where_tls_is} is given"),
            false => format!("it is {what}, or give {where_tls_is}"),
        };
        return Err(Wrong { what: Some(format!("`{other}` does not fit here")), help });
    }
    match found == scheme && is_host_and_port(rest.strip_suffix('/').unwrap_or(rest)) {
        true => Ok(()),
        false => Err(Wrong { what: None, help: what }),
    }
}

/// Whether the text is `name:port`, `1.2.3.4:port` or `[::1]:port`.
fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let host_is_one = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        }
    };
    host_is_one && number(port, 1, u16::MAX.into()).is_ok()
}
