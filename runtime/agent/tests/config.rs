//! Configurations as operators write them: the examples must be right, and mistakes must be told all at once, with their place.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;
use vouch_agent::config::{
    self, Ageing, Config, LinkStatus, PeerSecurity, PipelineFiles, ProbeAs, SwitchKind, TofinoServer,
};
use vouch_mobility::{Contested, During, Escalation, Limits, Timers, Unproven};

const VALID: &str = "\
name: vtep1
vtep:
  address: 10.0.0.1
switch:
  target: http://127.0.0.1:9559
vnis:
  - vni: 5001
    access: [1, {port: 2, vlan: 100}]
    probe_as: {address: 192.168.1.253}
underlay:
  ports:
    - {port: 9, mac: '02:00:00:00:01:09'}
  routes:
    - prefix: 10.0.0.2/32
      via: {port: 9, mac: '02:00:00:00:02:09'}
peering:
  listen: 127.0.0.1:7001
  plaintext: true
peers:
  - name: vtep2
    address: 10.0.0.2
    endpoint: http://127.0.0.1:7002
";

fn problems(text: &str) -> String {
    Config::parse("t.yaml", text).expect_err("the text has errors").to_string()
}

/// The valid text with one line changed must give exactly one error, in that line.
#[track_caller]
fn one_problem(line: &str, instead: &str, expected: &str) {
    assert_eq!(VALID.matches(line).count(), 1, "{line}");
    assert_eq!(problems(&VALID.replacen(line, instead, 1)), format!("t.yaml:{expected}"));
}

const TOFINO: &str = include_str!("../../../configs/tofino/leaf1.yaml");

/// The Tofino's example with one line changed must give exactly one error, in that line.
#[track_caller]
fn one_tofino_problem(line: &str, instead: &str, expected: &str) {
    assert_eq!(TOFINO.matches(line).count(), 1, "{line}");
    assert_eq!(problems(&TOFINO.replacen(line, instead, 1)), format!("t.yaml:{expected}"));
}

fn examples() -> Vec<PathBuf> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("the folder is part of the project") {
            let path = entry.expect("the folder is readable").path();
            match path.is_dir() {
                true => collect(&path, found),
                false => found.push(path),
            }
        }
    }
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs"), &mut found);
    found.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    // What is there is for Prometheus, and for the lab.
    let others = |path: &PathBuf| ["observability", "scenarios"].iter().any(|it| path.iter().any(|part| part == *it));
    found.retain(|path| !others(path));
    found.sort();
    found
}

#[test]
fn every_example_is_right() {
    let examples = examples();
    assert!(examples.len() >= 8, "{examples:?}");
    for path in examples {
        let text = fs::read_to_string(&path).expect("the example is readable");
        if let Err(errors) = Config::parse(&path.display().to_string(), &text) {
            panic!("{errors}");
        }
    }
}

#[test]
fn the_demo_fabric_can_run_in_one_process() {
    let paths: Vec<_> = examples().into_iter().filter(|path| path.to_string_lossy().contains("/demo/")).collect();
    let (report, checked) = config::check(&paths);
    assert_eq!(checked.map(|checked| checked.len()), Some(4), "{report}");
    assert!(report.contains("transit switch spine, 3 underlay ports, 3 routes"), "{report}");
    assert!(
        report.contains("VTEP vtep3 at 10.0.0.3, 2 VNIs on 4 access interfaces, 1 underlay ports, 2 peers"),
        "{report}"
    );
}

#[test]
fn the_reference_shows_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/reference.yaml");
    let text = fs::read_to_string(path).expect("the reference is readable");
    let full = Config::parse("reference.yaml", &text).expect("the reference is right");
    assert_eq!(full.warnings, []);
    let vtep = full.config.vtep.expect("the reference is a VTEP");
    let short = Config::parse("t.yaml", VALID).expect("the short one is right").config;
    let defaults = short.vtep.expect("the short one is a VTEP");
    assert_eq!(vtep.timers, Timers::default());
    assert_eq!(vtep.limits, Limits::default());
    assert_eq!(vtep.held_frames, defaults.held_frames);
    assert_eq!(vtep.probe_mac, defaults.probe_mac);
    assert_eq!((full.config.punt_rates, vtep.quarantine), (short.punt_rates, defaults.quarantine));
    assert_eq!((full.config.underlay.ttl, full.config.underlay.dscp), (short.underlay.ttl, short.underlay.dscp));
    assert_eq!((vtep.peering.heartbeat, vtep.peering.queue), (defaults.peering.heartbeat, defaults.peering.queue));
    let (long, brief) = (&vtep.vnis[0], &defaults.vnis[0]);
    assert_eq!((long.advertise, long.during_verification), (brief.advertise, brief.during_verification));
    assert_eq!((long.owner_unreachable, long.claimant_data), (brief.owner_unreachable, brief.claimant_data));
    assert_eq!((long.unproven, long.contested), (brief.unproven, brief.contested));
    assert_eq!((&long.bindings, long.suppress), (&brief.bindings, brief.suppress));
    assert!(matches!(&vtep.peering.security, PeerSecurity::Tls { ca, .. } if ca == Path::new("tls/ca.pem")));
    assert_eq!(full.config.underlay.routes[0].next_hops.len(), 2);
}

/// Rule 14: whoever floods addresses meets our limits before the switch has to refuse entries of others.
#[test]
fn the_default_limits_fit_the_tables() {
    let info = vouch_tables::p4info();
    let size = |table| info.table(table).expect("the program has it").size;
    let hosts = Limits::default().hosts as u64;
    let bridge_domains = 0x3fff;
    assert!(hosts <= size("recorded_location"));
    assert!(hosts + bridge_domains <= size("destination"), "each bridge domain has its probe address there");
    assert!(hosts <= size("source") / 2, "there is as much room for claims");
    assert!(102_400 <= size("binding_ipv4"), "hosts with one address each have room");
}

#[test]
fn what_is_written_is_what_is_meant() {
    let text = format!("{VALID}timers: {{verdict: 1s, probes: [0ms, 500ms]}}\n")
        .replace("plaintext: true", "plaintext: true\n  queue: 100")
        .replace("{address: 192.168.1.253}", "{ipv6: 'fe80::1', address: 10.1.1.1}\n    during_verification: hold")
        .replace("9559\n", "9559\n  link_status: none\n  election_id: 340282366920938463463374607431768211455\n");
    let config = Config::parse("t.yaml", &text).expect("the text is right").config;
    let vtep = config.vtep.expect("it is a VTEP");
    assert_eq!(config.switch.election_id, u128::MAX);
    assert_eq!(config.switch.link_status, LinkStatus::None);
    assert_eq!(vtep.timers.verdict_after, Duration::from_secs(1));
    assert_eq!(vtep.peering.queue, 100);
    assert_eq!(vtep.vnis[0].during_verification, During::Hold);
    let (ipv4, ipv6) = ("10.1.1.1".parse().ok(), "fe80::1".parse().ok());
    assert_eq!(vtep.vnis[0].probe_as, ProbeAs::Address { ipv4, ipv6 });
    let access: Vec<_> = vtep.vnis[0].access.iter().map(ToString::to_string).collect();
    assert_eq!(access, ["port 1 untagged", "port 2 VLAN 100"]);
}

#[test]
fn each_mistake_is_told_with_its_place_and_what_would_be_right() {
    one_problem(
        "  address: 10.0.0.1\n",
        "  adress: 10.0.0.1\n",
        "3:3: vtep.adress: unknown field; did you mean `address`?\nt.yaml:3:3: vtep.address: the field is missing; it is the tunnel address, as `10.0.0.1` or `2001:db8::1`: the tunnels are over IPv4 or over IPv6",
    );
    one_problem(
        "vni: 5001",
        "vni: 16777216",
        "7:10: vnis[0].vni: `16777216` is wrong; it is a whole number from 1 to 16777215",
    );
    one_problem("[1, {", "[510, {", "8:14: vnis[0].access[0]: `510` is wrong; it is a whole number from 1 to 509");
    one_problem(
        "vlan: 100",
        "vlan: 4095",
        "8:33: vnis[0].access[1].vlan: `4095` is wrong; it is a whole number from 1 to 4094",
    );
    one_problem(
        "{address: 192.168.1.253}",
        "{address: 192.168.1.253}\n    advertise: at-onc",
        "10:16: vnis[0].advertise: `at-onc` is wrong; it is `after-verdict` or `at-once` (did you mean `at-once`?)",
    );
    one_problem(
        "access: [1, {port: 2, vlan: 100}]",
        "access: 1",
        "8:13: vnis[0].access: a single value is not a list; it is a list, with `- ` before each of these: a port for its untagged frames, several as `1-8`, or a VLAN of them as `{port: 2, vlan: 100}`",
    );
    one_problem(
        "'02:00:00:00:01:09'",
        "'03:00:00:00:01:09'",
        "12:22: underlay.ports[0].mac: `03:00:00:00:01:09` is wrong; it is the MAC address of one machine, as `02:00:00:00:00:01`, neither multicast nor zero",
    );
    one_problem(
        "10.0.0.2/32",
        "10.0.0.2/24",
        "14:15: underlay.routes[0].prefix: `10.0.0.2/24` has bits beyond its length; it is `10.0.0.0/24`\nt.yaml:21:14: peers[0].address: no route leads to 10.0.0.2; add one to `underlay.routes`, as `10.0.0.2/32`",
    );
    one_problem(
        "http://127.0.0.1:7002",
        "https://127.0.0.1:7002",
        "22:15: peers[0].endpoint: `https` does not fit here; it is `http://HOST:PORT`, or give `peering.tls`",
    );
    one_problem(
        "peering:\n",
        "tracing: {otlp: \"https://127.0.0.1:4317\"}\npeering:\n",
        "16:17: tracing.otlp: `https` does not fit here; it is `http://HOST:PORT`, or give `tls`",
    );
    one_problem(
        "peering:\n",
        "tracing: {otlp: \"http://127.0.0.1:4317\", tls: {ca: ca.pem}}\npeering:\n",
        "16:17: tracing.otlp: `http` does not fit here; it is `https://HOST:PORT`, because `tls` is given",
    );
    one_problem(
        "peering:\n",
        "tracing: {otlp: \"https://127.0.0.1:4317\", tls: {ca: ca.pem, key: a.key}}\npeering:\n",
        "16:66: tracing.tls.key: `cert` and `key` belong together; name both files, or none",
    );
    one_problem(
        "peering:\n",
        "tracing: {otlp: localhost}\npeering:\n",
        "16:17: tracing.otlp: `localhost` is wrong; it is `http://HOST:PORT`",
    );
    one_problem(
        "  plaintext: true\n",
        "",
        "17:3: peering: it is not said how peers prove who they are; give `tls` with `ca`, `cert` and `key`, or `plaintext: true`",
    );
    one_problem(
        "listen: 127.0.0.1:7001",
        "listen: 7001",
        "17:11: peering.listen: `7001` is wrong; it is an IP address and a port, as `0.0.0.0:7000`",
    );
    one_problem(
        "  plaintext: true",
        "  plaintext: true\n  heartbeat: 3",
        "19:14: peering.heartbeat: `3` is wrong; it is a number with the unit `us`, `ms`, `s`, `min` or `h`, as `300ms`, at most a day",
    );
    one_problem(
        "name: vtep1\n",
        "name: vtep1\nname: vtep9\n",
        "2:1: name: the field stands twice, first in line 1; leave one of them out",
    );
}

#[test]
fn parts_that_do_not_fit_each_other_are_told() {
    one_problem(
        "via: {port: 9",
        "via: {port: 8",
        "15:19: underlay.routes[0].via.port: port 8 is not an underlay port; the underlay ports are `9`; or add it to `underlay.ports`",
    );
    let port = "{port: 9, mac: '02:00:00:00:01:09'}";
    let hop = "{port: 9, mac: '02:00:00:00:02:09'}";
    one_problem(
        hop,
        "[{port: 9, mac: '02:00:00:00:02:09'}, {port: 9, mac: '02:00:00:00:02:09'}]",
        "15:50: underlay.routes[0].via[1]: the next hop 02:00:00:00:02:09 at port 9 is already at underlay.routes[0].via[0] (line 15); each has an equal share: list it once",
    );
    one_problem(
        hop,
        "192.0.2.1",
        "15:12: underlay.routes[0].via: 192.0.2.1 is on the link of no underlay port; give the port of its link an `address`, or the next hop with `port` and `mac`",
    );
    for (address, what) in [
        (
            "192.0.2.0/32",
            "`192.0.2.0/32` is wrong; it is an IP address, not link-local, and the length of its link's prefix, as `192.0.2.0/31` or `2001:db8:ffff::/127`",
        ),
        ("192.0.2.0/24", "192.0.2.0 is the network address of its link; it is an address that one machine has"),
        ("10.0.0.1/24", "10.0.0.1 is the tunnel address of this VTEP; the address on a link is another one"),
    ] {
        let with = port.replace("'}", &format!("', address: {address}}}"));
        one_problem(port, &with, &format!("12:52: underlay.ports[0].address: {what}"));
    }
    one_problem(
        port,
        "{port: 9, mac: '02:00:00:00:01:09', bfd: {}}",
        "12:48: underlay.ports[0].bfd: there is no address to speak BFD from; give the port an `address`",
    );
    one_problem(
        port,
        "{port: 9, mac: '02:00:00:00:01:09', address: 192.0.2.1/30}\n    - {port: 10, mac: '02:00:00:00:01:0a', address: 192.0.2.2/31}",
        "13:53: underlay.ports[1].address: the link of 192.0.2.2/31 is also that of underlay.ports[0].address, line 12; each link has addresses of its own",
    );
    one_problem(
        "[1, {port: 2, vlan: 100}]",
        "[1, 1]",
        "8:17: vnis[0].access[1]: port 1 untagged is already at vnis[0].access[0] (line 8); an access interface belongs to one VNI, once",
    );
    one_problem(
        "[1, {port: 2,",
        "[1, {port: 9,",
        "8:17: vnis[0].access[1]: port 9 is an underlay port (underlay.ports[0].port, line 12); a port is either for hosts or for the underlay",
    );
    one_problem(
        "    address: 10.0.0.2",
        "    address: 10.0.0.1",
        "21:14: peers[0].address: 10.0.0.1 is the address of this VTEP; a peer is another VTEP: give its `vtep.address`, or remove the entry",
    );
    one_problem(
        "name: vtep2",
        "name: vtep1",
        "20:11: peers[0].name: `vtep1` is the name of this agent; a peer has its own name",
    );
    one_problem(
        "{address: 192.168.1.253}",
        "{address: 192.168.1.253}\n  - vni: 5001",
        "10:10: vnis[1].vni: VNI 5001 is already at vnis[0].vni (line 7); put its access interfaces into one entry",
    );
    one_problem(
        "    address: 10.0.0.2",
        "    vnis: [5002]\n    address: 10.0.0.2",
        "21:12: peers[0].vnis[0]: VNI 5002 is not one of this VTEP; list only VNIs that `vnis` has",
    );
    one_problem(
        "vtep:\n  address: 10.0.0.1\n",
        "",
        "5:3: vnis: only a VTEP has this; add `vtep:` with its `address`; without it, this is a switch that only routes the underlay\nt.yaml:15:3: peering: only a VTEP has this; add `vtep:` with its `address`; without it, this is a switch that only routes the underlay\nt.yaml:18:3: peers: only a VTEP has this; add `vtep:` with its `address`; without it, this is a switch that only routes the underlay",
    );
}

#[test]
fn a_tofino_has_ports_by_its_own_ids() {
    let config = Config::parse("configs/tofino/leaf1.yaml", TOFINO).expect("the example is right").config;
    let switch = &config.switch;
    assert_eq!((switch.kind, switch.cpu_port), (SwitchKind::Tofino(TofinoServer::Stratum), 192));
    assert_eq!((switch.ageing, switch.link_status), (Ageing::Counters, LinkStatus::Gnmi));
    let Some(PipelineFiles::Tofino { name, bfrt: Some(bfrt), .. }) = &switch.pipeline else { panic!("{switch:?}") };
    assert_eq!((name.as_str(), bfrt.ends_with("build/tofino/bfrt.json")), ("vtep", true));
    let vtep = config.vtep.as_ref().expect("it is a VTEP");
    let access: Vec<_> = vtep.vnis[0].access.iter().map(ToString::to_string).collect();
    assert_eq!(access, ["port 132 untagged", "port 140 VLAN 100"]);
    let underlay: Vec<_> = config.underlay.ports.iter().map(|underlay| underlay.port.get()).collect();
    assert_eq!(underlay, [4, 12]);
    let hops = config.underlay.routes[0].next_hops.iter().filter_map(|hop| config.underlay.port_of(*hop));
    assert_eq!(hops.map(|port| port.port.get()).collect::<Vec<_>>(), [4, 12]);

    // A number that the map does not have is the switch's own, from 0 on.
    let own = TOFINO.replace("access: [1,", "access: [0,");
    let own = Config::parse("t.yaml", &own).expect("it is right").config.vtep.expect("it is a VTEP");
    assert_eq!(own.vnis[0].access[0].port.get(), 0);

    let sde = TOFINO.replace("server: stratum", "server: sde").replace("  device_id: 1", "  #");
    let sde = Config::parse("t.yaml", &sde).expect("it is right").config.switch;
    assert_eq!((sde.ageing, sde.link_status, sde.device_id), (Ageing::Notifications, LinkStatus::None, 0));
}

#[test]
fn mistakes_about_a_tofino_are_told() {
    one_tofino_problem(
        "  server: stratum ",
        "  # ",
        "9:3: switch.server: the field is missing; it is the P4Runtime server on the switch: `stratum` or `sde`",
    );
    one_tofino_problem(
        "    binary: ../../p4src/build/tofino/tofino.bin",
        "    device_config: vtep.json",
        "14:5: switch.pipeline.binary: the field is missing; it is the compiler's tofino.bin\nt.yaml:16:20: switch.pipeline.device_config: this is of a pipeline for BMv2; a Tofino takes `p4info`, `binary` (tofino.bin) and `context` (context.json)",
    );
    one_tofino_problem(
        "    bfrt: ../../p4src/build/tofino/bfrt.json\n",
        "",
        "14:5: switch.pipeline.bfrt: the field is missing; it is the compiler's bfrt.json, which Stratum needs",
    );
    one_tofino_problem(
        "    name: vtep",
        "    name: ''",
        "14:11: switch.pipeline.name: `` is wrong; it is a program's name, of 1 to 100 bytes",
    );
    one_tofino_problem(
        "  device_id: 1 ",
        "  device_id: 0 ",
        "12:14: switch.device_id: `0` is wrong; it is a whole number from 1 to 18446744073709551615",
    );
    one_tofino_problem(
        "    2: 140",
        "    2: 132",
        "22:8: switch.port_ids.2: 132 is already the id of port 1; each port has an id of its own",
    );
    one_tofino_problem(
        "    2: 140",
        "    2: 192",
        "22:8: switch.port_ids.2: 192 is the id of the controller's port (`switch.cpu_port`); hosts and the underlay have ports of their own",
    );
    one_tofino_problem(
        "    2: 140",
        "    two: 140",
        "22:5: switch.port_ids.two: `two` is no port number; it is a whole number from 0 to 65535",
    );
    one_tofino_problem(
        "    2: 140",
        "    2: 511",
        "22:8: switch.port_ids.2: `511` is wrong; it is a whole number from 0 to 510",
    );
    one_tofino_problem(
        "access: [1,",
        "access: [192,",
        "28:14: vnis[0].access[0]: port 192 is the controller's (`switch.cpu_port`); hosts and the underlay have ports of their own",
    );
    // The same port by its own number and by the switch's is one port.
    one_tofino_problem(
        "access: [1, {port: 2, vlan: 100}]",
        "access: [2, 140]",
        "28:17: vnis[0].access[1]: port 140 untagged is already at vnis[0].access[0] (line 28); an access interface belongs to one VNI, once",
    );
}

#[test]
fn what_only_a_tofino_has_is_no_matter_of_a_bmv2() {
    one_problem(
        "  target: http://127.0.0.1:9559",
        "  server: sde\n  target: http://127.0.0.1:9559",
        "5:11: switch.server: only a Tofino has this; give `kind: tofino`, or leave it out",
    );
    one_problem(
        "  target: http://127.0.0.1:9559",
        "  pipeline: {p4info: a, device_config: b, binary: c}\n  target: http://127.0.0.1:9559",
        "5:51: switch.pipeline.binary: this is of a pipeline for Tofino; BMv2 takes `p4info` and `device_config`, its JSON",
    );
    one_problem(
        "  target: http://127.0.0.1:9559",
        "  cpu_port: 2\n  target: http://127.0.0.1:9559",
        "9:24: vnis[0].access[1].port: port 2 is the controller's (`switch.cpu_port`); hosts and the underlay have ports of their own",
    );
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
    let text = VALID
        .replace("vtep1", "vtep_1")
        .replace("9559", "99999")
        .replace("5001", "many")
        .replace("port: 9", "port: x")
        .replace("10.0.0.2\n", "10.0.0\n");
    let errors = Config::parse("t.yaml", &text).expect_err("there are errors").errors;
    let lines: Vec<_> = errors.iter().map(|error| error.at.line).collect();
    assert_eq!(lines, [1, 5, 7, 12, 15, 21], "{errors:#?}");
}

/// Hosts send full frames, and nobody tells them that these do not fit.
#[test]
fn an_underlay_that_does_not_carry_full_frames_is_a_warning() {
    let warnings = |mtu: &str| {
        let text = VALID.replace("underlay:\n", &format!("underlay:\n{mtu}"));
        let checked = Config::parse("t.yaml", &text).expect("a warning stops nothing");
        let warnings = checked.warnings.iter().filter(|warning| warning.path == "underlay.mtu");
        (checked.config.underlay.mtu, warnings.map(ToString::to_string).collect::<Vec<_>>())
    };
    let help = "make it 1550 or more, as on all links of the underlay, or give hosts an MTU of";
    assert_eq!(
        warnings(""),
        (
            None,
            vec![format!(
                "t.yaml:11:3: underlay.mtu: is not given, and 1500 is taken where the switch does not say: hosts' packets of more than 1450 bytes do not fit, and are dropped; {help} 1450"
            )]
        )
    );
    assert_eq!(
        warnings("  mtu: 1400\n"),
        (
            Some(1400),
            vec![format!(
                "t.yaml:11:8: underlay.mtu: hosts' packets of more than 1350 bytes do not fit, and are dropped; {help} 1350"
            )]
        )
    );
    assert_eq!(warnings("  mtu: 1550\n"), (Some(1550), Vec::new()));
    assert_eq!(warnings("  mtu: 1279\n").0, Some(1279), "only IPv6 wants 1280");
    one_problem(
        "underlay:\n",
        "underlay:\n  mtu: 575\n",
        "11:8: underlay.mtu: `575` is wrong; it is a whole number from 576 to 65535",
    );
}

#[test]
fn probes_from_nobody_are_a_warning() {
    let text = VALID.replace("    probe_as: {address: 192.168.1.253}\n", "");
    let warnings = Config::parse("t.yaml", &text).expect("a warning stops nothing").warnings;
    let places: Vec<_> = warnings.iter().map(|warning| (warning.at.line, warning.path.as_str())).collect();
    assert_eq!(places, [(7, "vnis[0]"), (10, "underlay.mtu"), (17, "peering.plaintext")]);
    assert!(warnings[0].what.contains("0.0.0.0"));
}

/// A configuration that would make probing harmful or meaningless is refused with the reason.
#[test]
fn in_whose_name_hosts_are_asked_is_checked() {
    let one = |instead: &str, expected: &str| one_problem("{address: 192.168.1.253}", instead, expected);
    one(
        "{gateway: {ip: 192.168.1.254}}",
        "9:25: vnis[0].probe_as.gateway.mac: the field is missing; it is the MAC address of the gateway, which goes with its IP: with another MAC each question would take the host's gateway away",
    );
    one(
        "{gateway: {mac: '02:00:00:00:00:fe'}}",
        "9:25: vnis[0].probe_as.gateway.ip: the field is missing; it is the IPv4 address of the gateway",
    );
    let forms = "it is one of `{gateway: {ip: 192.168.1.254, mac: \"02:00:00:00:00:fe\"}}` with the gateway's own pair, or `{address: 192.168.1.253}` with an address of the hosts' subnet that nobody has";
    one("{}", &format!("9:15: vnis[0].probe_as: it is not said in whose name hosts are asked; {forms}"));
    one(
        "{address: 192.168.1.253, gateway: {ip: 192.168.1.254, mac: '02:00:00:00:00:fe'}}",
        &format!("9:49: vnis[0].probe_as: it is not said in whose name hosts are asked; {forms}"),
    );
    one(
        "{gateway: {ip: 192.168.1.254, mac: '02:76:0a:00:00:01'}}",
        "9:50: vnis[0].probe_as.gateway.mac: 02:76:0a:00:00:01 is the probe MAC of this VTEP; it is the gateway's own MAC address",
    );
    let nobody = "the address that hosts are asked from is one of their subnet that nobody has";
    one(
        "{address: 192.168.2.253}\n    subnets: [192.168.1.0/24, 'fd00::/64']",
        "9:25: vnis[0].probe_as.address: 192.168.2.253 is in none of the VNI's `subnets`: hosts would not answer it; take an address of the hosts' own subnet, or correct `subnets`",
    );
    one(
        "{gateway: {ip: 192.168.2.254, mac: '02:00:00:00:00:fe'}}\n    subnets: [192.168.1.0/24]",
        "9:30: vnis[0].probe_as.gateway.ip: 192.168.2.254 is in none of the VNI's `subnets`: hosts would not answer it; take an address of the hosts' own subnet, or correct `subnets`",
    );
    one(
        "{address: 192.168.1.255}\n    subnets: [192.168.1.0/24]",
        &format!("9:25: vnis[0].probe_as.address: 192.168.1.255 is the broadcast address of its subnet; {nobody}"),
    );
    one(
        "{address: 192.168.1.0}\n    subnets: [192.168.1.0/24]",
        &format!("9:25: vnis[0].probe_as.address: 192.168.1.0 is the network address of its subnet; {nobody}"),
    );
    one(
        "{address: 192.168.1.253}\n    bindings: {shared: [192.168.1.252/30]}",
        &format!("9:25: vnis[0].probe_as.address: 192.168.1.253 is among the addresses that hosts share; {nobody}"),
    );
    one(
        "{address: 10.0.0.2}",
        "9:25: vnis[0].probe_as.address: 10.0.0.2 is a VTEP's address (peers[0].address, line 21); hosts are asked from an address of their subnet that nobody has",
    );
    one(
        "{address: 0.0.0.0}",
        "9:25: vnis[0].probe_as.address: `0.0.0.0` is wrong; it is the IPv4 address of one machine, as `192.168.1.253`",
    );
    // What is right.
    for right in [
        "{address: 192.168.1.253}\n    subnets: [192.168.1.0/24]",
        "{ipv6: 'fd00::fd'}\n    subnets: ['fd00::/64']",
        "{ipv6: 'fe80::fd'}\n    subnets: ['fd00::/64']",
        "{address: 10.9.0.1}\n    subnets: [10.9.0.0/31]",
        "{address: 10.9.0.1}\n    subnets: ['fd00::/64']",
        "{gateway: {ip: 192.168.1.254, mac: '02:00:00:00:00:fe', ipv6: 'fe80::1'}}\n    subnets: [192.168.1.0/24]",
    ] {
        let text = VALID.replace("{address: 192.168.1.253}", right);
        let checked = Config::parse("t.yaml", &text).unwrap_or_else(|errors| panic!("{right}: {errors}"));
        let places: Vec<_> = checked.warnings.iter().map(|warning| warning.path.as_str()).collect();
        assert_eq!(places, ["underlay.mtu", "peering.plaintext"], "{right}: {:?}", checked.warnings);
    }
}

#[test]
fn what_took_gateways_away_says_what_replaced_it() {
    one_problem(
        "    probe_as: {address: 192.168.1.253}",
        "    probe_addresses: [192.168.1.254]",
        "9:22: vnis[0].probe_addresses: this field is no more: an address with our probe MAC takes the address away from whoever has it, as the gateway; use `probe_as`: `{gateway: {ip: 192.168.1.254, mac: \"02:00:00:00:00:fe\"}}` with the gateway's own pair, or `{address: 192.168.1.253}` with an address of the hosts' subnet that nobody has",
    );
}

#[test]
fn choices_about_evidence_are_read_and_checked() {
    let text = format!("{VALID}timers: {{escalation: 20ms, confirm_every: 10s, confirm_max_age: 11s}}\n")
        .replace("{address: 192.168.1.253}", "{address: 192.168.1.253}\n    unproven: refuse\n    contested: settled\n    bindings: {shared: [10.1.0.0/16, 10.2.0.1, 'fd00::1']}\n    suppress: true")
        .replace("peers:\n", "management: {socket: run/a.sock}\npeers:\n");
    let config = Config::parse("configs/t.yaml", &text).expect("the text is right").config;
    assert_eq!(config.management.as_deref(), Some(Path::new("configs/run/a.sock")));
    let vtep = config.vtep.expect("it is a VTEP");
    assert_eq!(vtep.timers.escalate, Escalation::After(Duration::from_millis(20)));
    let vni = &vtep.vnis[0];
    assert_eq!(
        (vni.unproven, vni.contested, vni.bindings.on(), vni.suppress),
        (Unproven::Refuse, Contested::Settled, true, true)
    );
    let shared: Vec<_> = vni.bindings.shared().iter().map(ToString::to_string).collect();
    assert_eq!(shared, ["10.1.0.0/16", "10.2.0.1/32", "fd00::1/128"]);
    let auto = format!("{VALID}timers: {{escalation: auto}}\n")
        .replace("{address: 192.168.1.253}", "{address: 192.168.1.253}\n    bindings: off");
    let vtep = Config::parse("t.yaml", &auto).expect("the text is right").config.vtep.expect("it is a VTEP");
    assert_eq!((vtep.timers.escalate, vtep.vnis[0].bindings.on()), (Timers::default().escalate, false));

    let timers = |timers: &str| problems(&format!("{VALID}timers: {timers}\n"));
    assert_eq!(
        timers("{confirm_every: 60s, confirm_max_age: 50s}"),
        "t.yaml:23:47: timers.confirm_max_age: no address would ever be known to be answered for: it would be too old before it is confirmed again; `confirm_max_age` is longer than `confirm_every`"
    );
    assert_eq!(
        timers("{escalation: soon}"),
        "t.yaml:23:22: timers.escalation: `soon` is wrong; it is `auto`, or a number with the unit `us`, `ms`, `s`, `min` or `h`, as `300ms`, at most a day"
    );
    assert!(timers("{escalation: 300ms}").contains("the escalation would come after the verdict"));
    assert!(timers("{verdict: 40ms, probes: [0ms]}").contains("the escalation would come after the verdict"));
    assert!(timers("{unproven_retry: 31s}").contains("the longest wait is shorter than the first"));
    one_problem(
        "{address: 192.168.1.253}",
        "{address: 192.168.1.253}\n    bindings: off\n    suppress: true",
        "11:15: vnis[0].suppress: there is nothing to answer from: `bindings` is off; leave `bindings` on, or set `suppress: false`",
    );
    one_problem(
        "{address: 192.168.1.253}",
        "{address: 192.168.1.253}\n    bindings: {shared: [10.0.0.1/24]}",
        "10:25: vnis[0].bindings.shared[0]: `10.0.0.1/24` has bits beyond its length; it is `10.0.0.0/24`",
    );
}

#[test]
fn what_is_no_configuration_at_all_is_told() {
    assert_eq!(
        problems(""),
        "t.yaml:1:1: name: the field is missing; it is how this agent and its certificate are called, as `vtep1`\n\
         t.yaml:1:1: switch: the field is missing; it is the switch to control and where it listens\n\
         t.yaml:1:1: underlay: this switch does nothing; a transit switch needs `underlay` ports, a VTEP needs `vtep`"
    );
    assert!(problems("- name: x").starts_with("t.yaml:1:1: a list is not a map; it has the fields `limits`, "));
    assert!(problems("name: [1\nx").contains("this is not YAML"));
    assert!(problems("name: a\n---\nname: b\n").starts_with("t.yaml:2:1: a second document begins here"));
    assert!(problems("name: !word a").contains("has a tag"));
}

#[test]
fn a_mistake_at_the_very_end_is_not_beyond_it() {
    assert!(problems("name: a\n¡").starts_with("t.yaml:2:"), "{}", problems("name: a\n¡"));
}

#[test]
fn aliases_are_refused_before_they_multiply() {
    let bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
    assert_eq!(
        problems(bomb),
        "t.yaml:1:7: this value has an anchor; anchors and aliases are not supported: write the value out where it is needed"
    );
}

#[test]
fn depth_and_size_are_bounded() {
    assert!(problems(&format!("name: {}", "[".repeat(200))).contains("nested too deep"));
    let nested: String = (0..100).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert!(problems(&nested).contains("nested too deep"));
    assert!(problems(&"#".repeat((4 << 20) + 1)).contains("at most 4 MiB are read"));
}

#[test]
fn files_that_are_no_text_or_not_there_are_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("latin1.yaml");
    fs::write(&path, b"name: vtep1\n# caf\xe9\n").expect("the folder is writable");
    let errors = Config::load(&[&path]).expect_err("it is not UTF-8").to_string();
    assert!(errors.ends_with("latin1.yaml:2:6: the byte 0xe9 is not UTF-8; save the file as UTF-8"), "{errors}");
    let (report, checked) = config::check(&[folder.path().join("nothing.yaml")]);
    assert_eq!(checked, None);
    assert!(report.contains("nothing.yaml:1:1: cannot read the file"), "{report}");
    assert!(report.contains("1 error; nothing can be run"), "{report}");
}

#[test]
fn files_that_a_configuration_names_must_be_readable() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("vtep1.yaml");
    let tls = VALID
        .replace("plaintext: true", "tls: {ca: ca.pem, cert: a.pem, key: a.key}")
        .replace("http://127.0.0.1:7", "https://127.0.0.1:7");
    fs::write(&path, tls).expect("the folder is writable");
    fs::write(folder.path().join("ca.pem"), "").expect("the folder is writable");
    let errors = Config::load(&[&path]).expect_err("two files are missing").errors;
    let paths: Vec<_> = errors.iter().map(|error| (error.at.line, error.path.as_str())).collect();
    assert_eq!(paths, [(18, "peering.tls.cert"), (18, "peering.tls.key")], "{errors:?}");
}

#[test]
fn agents_of_one_process_must_differ() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let paths = ["a.yaml", "b.yaml"].map(|name| folder.path().join(name));
    for path in &paths {
        fs::write(path, VALID).expect("the folder is writable");
    }
    let errors = Config::load(&paths).expect_err("both are the same").errors;
    let fields: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(fields, ["name", "switch", "vtep.address", "peering.listen"]);
}

proptest! {
    /// Whatever an editor, a disk or a prankster makes of a file: no panic, and every error says where.
    #[test]
    fn damaged_files_never_panic(
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..4),
        insert in "[ \\-:{}\\[\\]&*!|>'\"%@`#,?\n\ta-z0-9\u{0}-\u{ffff}]{0,12}",
        place in any::<prop::sample::Index>(),
    ) {
        let mut text: Vec<char> = VALID.chars().collect();
        for (from, to) in cuts {
            let (from, to) = (from.index(text.len().max(1)), to.index(text.len().max(1)));
            if from < to && to - from < 40 {
                text.drain(from..to.min(text.len()));
            }
        }
        let place = place.index(text.len() + 1);
        text.splice(place..place, insert.chars());
        let text: String = text.into_iter().collect();
        if let Err(errors) = Config::parse("t.yaml", &text) {
            prop_assert!(!errors.errors.is_empty());
            // YAML also counts a carriage return alone as the end of a line.
            let lines = text.chars().filter(|char| matches!(char, '\n' | '\r')).count() + 1;
            prop_assert!(errors.errors.iter().all(|error| (1..=lines).contains(&error.at.line) && error.at.column >= 1));
        }
    }

    #[test]
    fn noise_never_panics(text in any::<String>()) {
        let _ = Config::parse("t.yaml", &text);
    }
}

/// A file of the project that is made from the types, compared with what they make of it.
#[track_caller]
fn is_generated(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs").join(name);
    if std::env::var_os("UPDATE_CONFIGS").is_some() {
        fs::write(&path, text).expect("the folder is writable");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "configs/{name} is not what the types make: run this test with UPDATE_CONFIGS=1");
}

#[test]
fn the_schema_beside_the_examples_is_that_of_the_types() {
    is_generated("vouch.schema.json", &format!("{:#}\n", config::schema()));
}

#[test]
fn the_reference_is_that_of_the_types() {
    is_generated("reference.yaml", &config::reference());
}

/// An editor with a YAML language server takes the schema from there.
#[test]
fn every_example_names_the_schema() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    for path in examples() {
        let text = fs::read_to_string(&path).expect("the example is readable");
        let up = path.strip_prefix(&configs).expect("it is below").components().count() - 1;
        let line = format!("# yaml-language-server: $schema={}vouch.schema.json\n", "../".repeat(up));
        assert!(text.starts_with(&line), "{} does not begin with {line}", path.display());
    }
}

#[test]
fn ports_may_be_ranges() {
    let text = VALID.replace("[1, {port: 2, vlan: 100}]", "[1-3, 5, {port: 6-7, vlan: 100}]");
    let vtep = Config::parse("t.yaml", &text).expect("the text is right").config.vtep.expect("it is a VTEP");
    let access: Vec<_> = vtep.vnis[0].access.iter().map(ToString::to_string).collect();
    let untagged = ["port 1 untagged", "port 2 untagged", "port 3 untagged", "port 5 untagged"];
    assert_eq!(access, [&untagged[..], &["port 6 VLAN 100", "port 7 VLAN 100"]].concat());

    let range = |range: &str, expected: &str| one_problem("[1, {", &format!("[{range}, {{"), expected);
    range("3-1", "8:14: vnis[0].access[0]: `3-1` is wrong; it is a port, or several as `1-8`");
    range("1-", "8:14: vnis[0].access[0]: `1-` is wrong; it is a port, or several as `1-8`");
    range("0-4294967295", "8:14: vnis[0].access[0]: `0-4294967295` is wrong; it is a port, or several as `1-8`");
    range("508-512", "8:14: vnis[0].access[0]: `508-512` is wrong; it is a whole number from 1 to 509");
    range(
        "1-3, 2",
        "8:19: vnis[0].access[1]: port 2 untagged is already at vnis[0].access[0] (line 8); an access interface belongs to one VNI, once",
    );
    range(
        "8-9",
        "8:14: vnis[0].access[0]: port 9 is an underlay port (underlay.ports[0].port, line 12); a port is either for hosts or for the underlay",
    );
    // The operator's own numbers have ranges, too.
    let own = TOFINO.replace("access: [1, {port: 2, vlan: 100}]", "access: [1-2]");
    let own = Config::parse("t.yaml", &own).expect("it is right").config.vtep.expect("it is a VTEP");
    assert_eq!(own.vnis[0].access.iter().map(|it| it.port.get()).collect::<Vec<_>>(), [132, 140]);
}

#[test]
fn punt_rates_are_those_of_the_port_or_the_vni_or_the_file() {
    let text = VALID
        .replace("{port: 2,", "{port: 2, punt_rates: {alive: {rate: 3, burst: 3}},")
        .replace("access:", "punt_rates: {learn: {rate: 2, burst: 2}}\n    access:")
        + "punt_rates: {move: {rate: 1, burst: 1}}\n";
    let config = Config::parse("t.yaml", &text).expect("the text is right").config;
    let vni = &config.vtep.expect("it is a VTEP").vnis[0];
    let rates: Vec<_> = vni.access.iter().map(|it| vni.rates[it]).collect();
    let told: Vec<_> = rates.iter().map(|it| (it.alive.rate, it.learn.rate, it.move_.rate, it.request.rate)).collect();
    assert_eq!(told, [(4_000, 2, 1, 1_000), (3, 2, 1, 1_000)]);
    let elsewhere = Config::parse("t.yaml", VALID).expect("it is right").config.vtep.expect("it is a VTEP");
    assert!(elsewhere.vnis[0].rates.is_empty());
}

/// [`VALID`], over IPv6.
fn over_ipv6() -> String {
    VALID
        .replace("address: 10.0.0.1\n", "address: 2001:db8::1\n")
        .replace("address: 10.0.0.2\n", "address: 2001:db8::2\n")
        .replace("10.0.0.2/32", "2001:db8::2/128")
}

#[test]
fn an_underlay_may_be_ipv6() {
    let config = Config::parse("t.yaml", &over_ipv6()).expect("it is right").config;
    let vtep = config.vtep.expect("it is a VTEP");
    assert_eq!((vtep.address.to_string(), vtep.tunnel_bytes()), ("2001:db8::1".to_owned(), 70));
    assert_eq!(vtep.probe_mac.to_string(), "02:76:00:00:00:01");
    assert_eq!(config.underlay.routes_to(vtep.peers[0].address.0).len(), 1);
    let warned = Config::parse("t.yaml", &over_ipv6()).expect("it is right").warnings;
    assert!(warned.iter().any(|it| it.to_string().contains("more than 1430 bytes")), "{warned:?}");

    // Each with one change, its line and what is wrong.
    let cases = [
        (
            "address: 2001:db8::2\n",
            "address: 10.0.0.2\n",
            "21:14: peers[0].address: 10.0.0.2 and the address of this VTEP, 2001:db8::1, are of two families; the tunnels of a fabric are \
             all over IPv4 or all over IPv6",
        ),
        (
            "address: 2001:db8::2\n",
            "address: 2001:db8:2::1\n",
            "21:14: peers[0].address: the last four bytes of 2001:db8:2::1 are those of this VTEP's address; give both VTEPs a \
             `vtep.probe_mac` of their own, which is made of them otherwise",
        ),
        (
            "address: 2001:db8::2\n",
            "address: 2001:db8::3\n",
            "21:14: peers[0].address: no route leads to 2001:db8::3; add one to `underlay.routes`, as `2001:db8::3/128`",
        ),
        (
            "address: 2001:db8::1\n",
            "address: fe80::1\n",
            "3:12: vtep.address: `fe80::1` is wrong; it is the IP address of one machine, as `10.0.0.2` or `2001:db8::2`, not link-local",
        ),
        (
            "'02:00:00:00:01:09'}",
            "'02:00:00:00:01:09', address: 'fe80::1/64'}",
            "12:52: underlay.ports[0].address: `fe80::1/64` is wrong; it is an IP address, not link-local, and the length of its link's \
             prefix, as `192.0.2.0/31` or `2001:db8:ffff::/127`",
        ),
        (
            "underlay:\n",
            "underlay:\n  mtu: 1279\n",
            "11:8: underlay.mtu: `1279` is too little; a link that carries IPv6 carries 1280 bytes at least",
        ),
        (
            "underlay:\n",
            "underlay:\n  mtu: 575\n",
            "11:8: underlay.mtu: `575` is wrong; it is a whole number from 576 to 65535",
        ),
        (
            "'02:00:00:00:01:09'}",
            "'02:00:00:00:01:09', address: '2001:db8:ffff::/128'}",
            "12:52: underlay.ports[0].address: `2001:db8:ffff::/128` is wrong; it is an IP address, not link-local, and the length of its \
             link's prefix, as `192.0.2.0/31` or `2001:db8:ffff::/127`",
        ),
        (
            "'02:00:00:00:01:09'}",
            "'02:00:00:00:01:09', address: '2001:db8::1/64'}",
            "12:52: underlay.ports[0].address: 2001:db8::1 is the tunnel address of this VTEP; the address on a link is another one",
        ),
        (
            "'02:00:00:00:01:09'}",
            "'02:00:00:00:01:09', address: '2001:db8:ffff::1/64'}\n    - {port: 10, mac: '02:00:00:00:01:0a', address: \
             '2001:db8:ffff::4/127'}",
            "13:53: underlay.ports[1].address: the link of 2001:db8:ffff::4/127 is also that of underlay.ports[0].address, line 12; each \
             link has addresses of its own",
        ),
        (
            "{port: 9, mac: '02:00:00:00:02:09'}",
            "'2001:db8:ffff::1'",
            "15:12: underlay.routes[0].via: 2001:db8:ffff::1 is on the link of no underlay port; give the port of its link an `address`, or \
             the next hop with `port` and `mac`",
        ),
        (
            "{address: 192.168.1.253}",
            "{ipv6: '2001:db8::1'}",
            "9:22: vnis[0].probe_as.ipv6: 2001:db8::1 is a VTEP's address (vtep.address, line 3); hosts are asked from an address of their \
             subnet that nobody has",
        ),
        (
            "'02:00:00:00:01:09'}",
            "'02:00:00:00:01:09', vlan: 4095}",
            "12:49: underlay.ports[0].vlan: `4095` is wrong; it is a whole number from 1 to 4094",
        ),
    ];
    for (text, instead, expected) in cases {
        assert_eq!(problems(&over_ipv6().replacen(text, instead, 1)), format!("t.yaml:{expected}"));
    }
    // A link's own address leads nowhere.
    let linked = over_ipv6().replace("'02:00:00:00:01:09'}", "'02:00:00:00:01:09', address: '2001:db8:ffff::/127'}");
    let by = |hop: &str| Config::parse("t.yaml", &linked.replace("{port: 9, mac: '02:00:00:00:02:09'}", hop));
    by("'2001:db8:ffff::1'").expect("it is at the other end");
    let wrong = by("'2001:db8:ffff::'").expect_err("it is ours").to_string();
    assert!(wrong.contains("2001:db8:ffff:: is on the link of no underlay port"), "{wrong}");
    // With a probe MAC of one's own, the last bytes are of no account.
    let own = over_ipv6()
        .replace("address: 2001:db8::1\n", "address: 2001:db8::1\n  probe_mac: '02:76:00:00:01:01'\n")
        .replace("2001:db8::2", "2001:db8:2::1");
    Config::parse("t.yaml", &own).expect("it is right");
}

#[test]
fn limits_are_those_of_the_port_or_the_vni_or_the_file() {
    let text = VALID
        .replace("{port: 2,", "{port: 2, limits: {hosts: 4},")
        .replace("access:", "limits: {hosts: 100, claims_per_port: 8}\n    access:");
    let config = Config::parse("t.yaml", &text).expect("the text is right").config;
    let vni = &config.vtep.expect("it is a VTEP").vnis[0];
    assert_eq!(vni.limits.hosts, Some(100));
    let told: Vec<_> = vni.access.iter().map(|it| vni.port_limits[it]).map(|it| (it.hosts, it.claims)).collect();
    assert_eq!(told, [(None, Some(8)), (Some(4), Some(8))], "what is said nowhere is as in the file");
    let elsewhere = Config::parse("t.yaml", VALID).expect("it is right").config.vtep.expect("it is a VTEP");
    assert!(elsewhere.vnis[0].port_limits.is_empty());
    let wrong = problems(&VALID.replace("access:", "limits: {hosts: 0}\n    access:"));
    assert!(wrong.contains("vnis[0].limits.hosts: `0` is wrong; it is a whole number from 1 to 1048576"), "{wrong}");
}

/// What is wrong at one place hides nothing at another, nor what is wrong between others.
#[test]
fn a_mistake_hides_no_other() {
    let text = VALID
        .replace("name: vtep1", "name: vtep_1")
        .replace("'02:00:00:00:02:09'", "broadcast")
        .replace("{port: 2, vlan: 100}", "1")
        .replace("name: vtep2", "nam: vtep2");
    let lines = problems(&text);
    let paths: Vec<_> = lines.lines().filter_map(|line| line.split(": ").nth(1)).collect();
    let expected = ["name", "vnis[0].access[1]", "underlay.routes[0].via.mac", "peers[0].nam", "peers[0].name"];
    assert_eq!(paths, expected, "{lines}");
}
