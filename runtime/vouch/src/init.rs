//! `vouch init`: a first configuration from what only the operator knows.
//!
//! What comes out is read as `vouch run` would read it before it is shown: what was said wrongly on the command line is told as a mistake
//! of the configuration, in the words of `vouch check`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use vouch_agent::Config;
use vouch_agent::config::{DEFAULT_MTU, tunnel_bytes};

use crate::operate;

const IPV4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const IPV6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// What only the operator knows.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The agent's name, which its certificate carries
    #[arg(long)]
    name: String,
    /// The VTEP's tunnel address, as 10.0.0.1 or 2001:db8::1; without one, the switch only routes the underlay
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,
    /// Where the switch's P4Runtime server listens
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9559")]
    switch: String,
    /// The P4Runtime device id
    #[arg(long, value_name = "ID", default_value_t = 1)]
    device_id: u64,
    /// A VNI and its access interfaces, as 5001=1-8 or 5001=1,2.100 (VLAN 100 of port 2); may be repeated
    #[arg(long = "vni", value_name = "VNI=PORTS")]
    vnis: Vec<Pair>,
    /// An address of the hosts' subnet that nobody has, from which hosts of a VNI are asked, as 5001=192.168.1.253
    #[arg(long = "probe", value_name = "VNI=ADDRESS")]
    probes: Vec<Pair>,
    /// A port to the underlay and its MAC address, as 9=02:00:00:00:01:09, or 9.101=02:00:00:00:01:09 where the link is VLAN 101 of the
    /// port, and our IP address on its link where next hops there are given by theirs, as 9=02:00:00:00:01:09,192.0.2.0/31 or
    /// 9=02:00:00:00:01:09,2001:db8:ffff::/127; may be repeated
    #[arg(long = "uplink", value_name = "PORT[.VLAN]=MAC[,ADDRESS]")]
    uplinks: Vec<Pair>,
    /// Where packets of the underlay go: a prefix, and the IP addresses of the next hops that share it, as
    /// 10.0.0.0/24=192.0.2.1,192.0.2.3 or 2001:db8::/64=2001:db8:ffff::1, or the port and MAC address of one, as
    /// 10.0.0.0/24=9,02:00:00:00:fe:01; may be repeated
    #[arg(long = "route", value_name = "PREFIX=HOPS")]
    routes: Vec<Pair>,
    /// How long packets of the underlay may be, in bytes [default: what hosts' 1500 need: 1550, or 1570 over IPv6]
    #[arg(long, value_name = "BYTES")]
    mtu: Option<u16>,
    /// A peer: its name, and its tunnel address and endpoint, as `vtep2=10.0.0.2,https://192.0.2.2:7000` or
    /// `vtep2=2001:db8::2,https://[2001:db8:1::2]:7000`; may be repeated
    #[arg(long = "peer", value_name = "NAME=ADDRESS,URL")]
    peers: Vec<Pair>,
    /// Where this agent listens for its peers
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:7000")]
    listen: String,
    /// Where commands ask the agent of a VTEP, as `vouch status`; `vouch run` makes the folder [default: /run/vouch/NAME.sock]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The folder with what `vouch certs` has made, as the configuration is to name it
    #[arg(long, value_name = "FOLDER", default_value = "tls")]
    tls: PathBuf,
}

/// Two parts of an argument around `=`.
#[derive(Clone, Debug)]
struct Pair(String, String);

impl std::str::FromStr for Pair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok(Self(name.to_owned(), value.to_owned())),
            Some(_) | None => Err("it has two parts, as `NAME=VALUE`".to_owned()),
        }
    }
}

/// Prints the configuration, or what is wrong with what was said.
pub(crate) fn run(said: &Init) -> ExitCode {
    let text = yaml(said);
    if let Err(errors) = Config::parse("what was said", &text) {
        eprintln!("{errors}");
        return ExitCode::FAILURE;
    }
    // Whoever closed our output has seen enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn yaml(said: &Init) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail, so the results say nothing.
    let _ = writeln!(text, "# yaml-language-server: $schema=vouch.schema.json");
    let _ = writeln!(text, "# `vouch schema --reference` explains every field, and has those that are left out here.");
    let _ = writeln!(text, "name: {}", quoted(&said.name));
    if let Some(address) = said.address {
        let _ = writeln!(text, "vtep:\n  address: {}", quoted(&address.to_string()));
    }
    let _ = writeln!(text, "switch:\n  target: {}\n  device_id: {}", quoted(&said.switch), said.device_id);
    if !said.vnis.is_empty() {
        text.push_str("vnis:\n");
    }
    for Pair(vni, access) in &said.vnis {
        let interfaces: Vec<String> = access.split(',').map(interface).collect();
        let _ = writeln!(text, "  - vni: {vni}\n    access: [{}]", interfaces.join(", "));
        if let Some(Pair(_, address)) = said.probes.iter().find(|probe| probe.0 == *vni) {
            let _ = writeln!(text, "    probe_as: {{address: {}}}", quoted(address));
        }
    }
    let _ = writeln!(text, "underlay:\n  mtu: {}\n  ports:", said.mtu.unwrap_or_else(|| enough(said)));
    for Pair(port, mac) in &said.uplinks {
        let (mac, address) = match mac.split_once(',') {
            Some((mac, address)) => (mac, format!(", address: {}", quoted(address))),
            None => (&**mac, String::new()),
        };
        let _ = writeln!(text, "    - {{{}, mac: {}{address}}}", fields(port), quoted(mac));
    }
    text.push_str("  routes:\n");
    for Pair(prefix, hops) in &said.routes {
        let via = match hops.split_once(',').filter(|(first, _)| first.parse::<IpAddr>().is_err()) {
            Some((port, mac)) => format!("{{port: {port}, mac: {}}}", quoted(mac)),
            None => format!("[{}]", hops.split(',').map(quoted).collect::<Vec<_>>().join(", ")),
        };
        let _ = writeln!(text, "    - prefix: {}\n      via: {via}", quoted(prefix));
    }
    if said.address.is_some() {
        let file = |extension: &str| quoted(&said.tls.join(format!("{}.{extension}", said.name)).display().to_string());
        let _ = writeln!(text, "peering:\n  listen: {}\n  tls:", quoted(&said.listen));
        let _ = writeln!(text, "    ca: {}", quoted(&said.tls.join("ca.pem").display().to_string()));
        let _ = writeln!(text, "    cert: {}\n    key: {}", file("pem"), file("key"));
    }
    // Who only routes is not asked, and is told so if a socket is said all the same.
    let usual = said.address.map(|_| Path::new(operate::SOCKETS).join(format!("{}.sock", said.name)));
    if let Some(socket) = said.socket.clone().or(usual) {
        let _ = writeln!(text, "management:\n  socket: {}", quoted(&socket.display().to_string()));
    }
    if !said.peers.is_empty() {
        text.push_str("peers:\n");
    }
    for Pair(name, peer) in &said.peers {
        let (address, endpoint) = peer.split_once(',').unwrap_or((peer, ""));
        let [name, address, endpoint] = [name, address, endpoint].map(quoted);
        let _ = writeln!(text, "  - {{name: {name}, address: {address}, endpoint: {endpoint}}}");
    }
    text
}

/// What links carry with a tunnel around the packets that hosts are used to sending.
fn enough(said: &Init) -> u16 {
    // Whoever only routes has routes to those whose tunnels they are.
    let routed = || if said.routes.iter().any(|Pair(prefix, _)| prefix.contains(':')) { IPV6 } else { IPV4 };
    DEFAULT_MTU + tunnel_bytes(said.address.unwrap_or_else(routed))
}

/// A port, a range of ports, or a VLAN of a port.
fn interface(text: &str) -> String {
    if text.contains('.') { format!("{{{}}}", fields(text)) } else { text.to_owned() }
}

/// A port, or a VLAN of it, as fields of a map.
fn fields(text: &str) -> String {
    match text.split_once('.') {
        Some((port, vlan)) => format!("port: {port}, vlan: {vlan}"),
        None => format!("port: {text}"),
    }
}

/// Text as YAML reads it back, whatever is in it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        init: Init,
    }

    fn said(arguments: &[&str]) -> Init {
        Line::try_parse_from([&["init"], arguments].concat()).expect("they are arguments").init
    }

    const VTEP: &[&str] = &[
        "--name",
        "vtep1",
        "--address",
        "10.0.0.1",
        "--vni",
        "5001=1-4,5.100",
        "--probe",
        "5001=192.168.1.253",
        "--uplink",
        "9=02:00:00:00:01:09",
        "--route",
        "10.0.0.0/24=9,02:00:00:00:fe:01",
        "--peer",
        "vtep2=10.0.0.2,https://192.0.2.2:7000",
    ];

    #[test]
    fn a_vtep_and_a_transit_switch_are_what_an_agent_takes() {
        let config = Config::parse("init", &yaml(&said(VTEP))).expect("it is right").config;
        let vtep = config.vtep.expect("it is a VTEP");
        assert_eq!((vtep.vnis.len(), vtep.peers.len()), (1, 1));
        assert_eq!(config.management.as_deref(), Some(Path::new("/run/vouch/vtep1.sock")));
        let spine =
            ["--name", "spine", "--uplink", "1=02:00:00:00:fe:01", "--route", "10.0.0.1/32=1,02:00:00:00:01:09"];
        assert!(Config::parse("init", &yaml(&said(&spine))).expect("it is right").config.vtep.is_none());
        let [first, second] = ["1=02:00:00:00:fe:01,192.0.2.1/31", "2=02:00:00:00:fe:02,192.0.2.3/31"];
        let route = "10.0.0.0/24=192.0.2.0,192.0.2.2";
        let spine = ["--name", "spine", "--uplink", first, "--uplink", second, "--route", route];
        let config = Config::parse("init", &yaml(&said(&spine))).expect("it is right").config;
        assert_eq!(config.underlay.routes[0].next_hops.len(), 2);
    }

    fn example(name: &str) -> Config {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs").join(name);
        let mut checked = Config::load(&[path]).expect("it is right");
        checked.remove(0).config
    }

    #[test]
    fn an_underlay_of_ipv6_on_tagged_ports_is_the_one_of_the_example() {
        let rack = said(&[
            "--name=rack1",
            "--address=2001:db8::1",
            "--vni=5001=1-8",
            "--probe=5001=192.168.1.253",
            "--uplink=9.101=02:00:00:00:01:09,2001:db8:ffff::0/127",
            "--uplink=10.102=02:00:00:00:01:0a,2001:db8:ffff::2/127",
            "--route=2001:db8::/64=2001:db8:ffff::1,2001:db8:ffff::3",
            "--peer=rack2=2001:db8::2,https://[2001:db8:1::2]:7000",
        ]);
        let config = Config::parse("init", &yaml(&rack)).expect("it is right").config;
        let like = example("two-rack-ipv6/rack1.yaml");
        assert_eq!((config.underlay, config.switch), (like.underlay, like.switch));
        let [vtep, like] = [config.vtep, like.vtep].map(|vtep| vtep.expect("it is a VTEP"));
        assert_eq!((vtep.address, vtep.vnis), (like.address, like.vnis));
        assert_eq!(vtep.peers[0].address, like.peers[0].address);

        let spine = said(&[
            "--name=spine1",
            "--uplink=1.101=02:00:00:00:f1:01,2001:db8:ffff::1/127",
            "--route=2001:db8::1/128=2001:db8:ffff::0",
            "--route=2001:db8::2/128=1,02:00:00:00:01:09",
        ]);
        let underlay = Config::parse("init", &yaml(&spine)).expect("it is right").config.underlay;
        assert_eq!((underlay.mtu, underlay.routes.len()), (Some(1570), 2));
        let over_ipv4 = Config::parse("init", &yaml(&said(VTEP))).expect("it is right").config.underlay;
        assert_eq!(over_ipv4.mtu, Some(1550));
    }

    #[test]
    fn what_was_said_wrongly_is_told_in_the_words_of_the_configuration() {
        let spine = said(&["--name", "spine", "--uplink", "1=02:00:00:00:fe:01", "--socket", "spine.sock"]);
        let errors = Config::parse("init", &yaml(&spine)).expect_err("nobody asks it").to_string();
        assert!(errors.contains("management: only a VTEP has this"), "{errors}");
        let elsewhere = said(&[VTEP, &["--socket", "vtep1.sock"]].concat());
        let config = Config::parse("init", &yaml(&elsewhere)).expect("it is right").config;
        assert!(config.management.is_some_and(|socket| socket.ends_with("vtep1.sock")));
        let wrong = [&["--vni", "16777216=1", "--peer", "vtep2: x=nowhere"], VTEP].concat();
        let errors = Config::parse("init", &yaml(&said(&wrong))).expect_err("it is wrong").to_string();
        assert!(errors.contains("16777216") && errors.contains("nowhere"), "{errors}");
        assert!(Line::try_parse_from(["init", "--name", "x", "--vni", "5001"]).is_err());
    }
}
