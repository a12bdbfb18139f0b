//! Tests of the VTEP program, played on the embedded switch.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use p4_switch::stf::{Options, Program, Remote, Suite, Summary};
use p4_switch::streamed::Server;
use vouch_p4runtime::P4Info;

const JSON: &[u8] = include_bytes!("../../../../p4src/build/vtep.json");
const INFO: &str = include_str!("../../../../p4src/build/vtep.p4info.txtpb");

/// Host A at port 2 and host B at port 3, in bridge domain 1. Names are written in every way that is understood.
const BRIDGE: &str = "
add ingress_interface ingress_port:2 vlan_id:0 access(bd:1, location:2, bindings:0, suppress:0)
add pipe.Ingress.source bd:1 mac:0x02000000000a location:2 source.here(watch:0)
add \"destination\" \"bd\":0x1 \"mac\":0x02000000000B \"destination.unicast\"(\"location\":0x3)
add location_port location:3 port(port:3)
add access_tag location:3 access_tag.untagged()
packet 2 02000000000b 02000000000a 88b5 00010203
";

const REPORT: &str = "\
failed: a-different.stf: line 8: the frame out of port 3 differs at byte 16: it has 18 bytes; expected 18 bytes
    0010  want  ff 03
    0010  got   02 03
failed: b-longer.stf: line 8: the frame out of port 3 differs at byte 17: it has 18 bytes; expected 17 bytes
    0010  want  02
    0010  got   02 03
failed: c-elsewhere.stf: a frame of 18 bytes out of port 3; expected none; \
line 8: no frame out of port 2; expected one of at least 2 bytes
    0000  got   02 00 00 00 00 0b 02 00 00 00 00 0a 88 b5 00 01
    0010  got   02 03
    0000  want  02 *
not run: d-unknown.stf: line 2: `flood` is no command
failed: e-broken.stf: line 1: `0`; expected pairs of hexadecimal digits
failed: f-wrong.stf: line 1: key field `bd`: 0x10000 does not fit 16 bits; \
line 2: table `source`: no action `access` \
(valid: source.here, source.claim_pending, source.quarantined, source.not_here); \
line 3: action `flood.flood_to`: parameter `group` is not given
failed: g-count.stf: line 2: the counter is at 0; expected bytes > 100; line 3: no entry has the label `A`
1 passed, 6 failed, 1 skipped
";

/// What the suite prints of tests with these texts, and how it ends.
fn played(tests: &[(&str, &str)], info: bool, options: Options) -> (String, Summary) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in tests {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    let info = info.then(|| Arc::new(P4Info::from_text(INFO).expect("a P4Info")));
    let rules = Program::rules(JSON, info).expect("a program");
    let mut program = Program::embedded(rules, options);
    let mut printed = Vec::new();
    let mut suite = Suite::new(&mut printed, true);
    suite.play(&mut program, &[folder.path().to_owned()]).expect("playing");
    let summary = suite.close().expect("closing");
    let printed = String::from_utf8(printed).expect("text");
    (printed.replace(&format!("{}/", folder.path().display()), ""), summary)
}

fn bridge(then: &str) -> String {
    format!("{BRIDGE}{then}")
}

#[test]
fn a_test_passes_with_and_without_a_p4info() {
    let test = bridge("expect 3 02000000000b ************ 88b5 00010203 $\ncheck_counter drops(0) packets == 0\n");
    for info in [true, false] {
        let (printed, summary) = played(&[("forward.stf", &test)], info, Options::default());
        assert_eq!(printed, "1 passed, 0 failed, 0 skipped\n");
        assert_eq!(summary, Summary { passed: 1, failed: 0, skipped: 0 });
    }
}

#[test]
fn each_expectation_that_fails_is_reported_with_its_bytes() {
    let tests = [
        ("a-different.stf", bridge("expect 3 02000000000b 02000000000a 88b5 0001ff03 $\n")),
        ("b-longer.stf", bridge("expect 3 02000000000b 02000000000a 88b5 000102 $\n")),
        ("c-elsewhere.stf", bridge("expect 2 02*\n")),
        ("d-unknown.stf", "add nowhere bd:1 unicast(location:3)\nflood 1\n".into()),
        ("e-broken.stf", "packet 1 0\n".into()),
        (
            "f-wrong.stf",
            "add source bd:0x10000 source.here()\nsetdefault source access()\nadd flood bd:1 flood_to()\n".into(),
        ),
        ("g-count.stf", "packet 1 00\ncheck_counter drops(0) bytes > 100\ncheck_counter source($A)\n".into()),
        ("h-nothing.stf", "packet 1 00\nno_packet\n".into()),
    ];
    let tests: Vec<_> = tests.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let (printed, summary) = played(&tests, true, Options::default());
    assert_eq!(printed, REPORT);
    assert_eq!(summary, Summary { passed: 1, failed: 6, skipped: 1 });
}

#[test]
fn every_test_starts_afresh() {
    let first = bridge("expect 3\n");
    // Without the entries nothing is bridged.
    let second = "packet 2 02000000000b 02000000000a 88b5 00010203\n";
    let third = bridge("remove all\npacket 2 02000000000b 02000000000a 88b5 00010203\nexpect 3 02000000000b\n");
    let tests = [("1.stf", first.as_str()), ("2.stf", second), ("3.stf", &third), ("4.stf", &first)];
    let (printed, _) = played(&tests, true, Options::default());
    assert_eq!(printed, "4 passed, 0 failed, 0 skipped\n");
}

#[test]
fn what_a_test_leaves_open_is_an_option() {
    let quiet = bridge("");
    let options = Options { named_ports_only: true, ..Options::default() };
    let none = bridge("no_packet\n");
    assert_eq!(played(&[("1.stf", &quiet)], false, options).1, Summary { passed: 1, failed: 0, skipped: 0 });
    assert_eq!(played(&[("1.stf", &none)], false, options).1, Summary { passed: 0, failed: 1, skipped: 0 });
    assert_eq!(played(&[("1.stf", &quiet)], false, Options::default()).1, Summary { passed: 0, failed: 1, skipped: 0 });
    let exact = bridge("expect 3 02000000000b 02000000000a 88b5 00010203 $\n");
    let options = Options { frame_check_sequence: true, ..Options::default() };
    assert_eq!(played(&[("1.stf", &exact)], false, options).1, Summary { passed: 1, failed: 0, skipped: 0 });
}

#[test]
fn over_p4runtime_it_is_the_same() {
    let rules = || Program::rules(JSON, Some(Arc::new(P4Info::from_text(INFO).expect("a P4Info")))).expect("a program");
    let folder = tempfile::tempdir().expect("a folder");
    let replicated = "
add ingress_interface ingress_port:2 vlan_id:0 access(bd:1, location:2, bindings:0, suppress:0)
add source bd:1 mac:0x02000000000a location:2 here(watch:0)
add flood bd:1 flood_to(group:7)
add access_tag location:3 access_tag.untagged()
add access_tag location:4 access_tag.tagged(vlan_id:20)
mc_mgrp_create 7
mc_node_create 3 3
mc_node_create 4 4
mc_node_associate 7 0
mc_node_associate 7 1
packet 2 02000000000b 02000000000a 88b5 00010203
expect 3 02000000000b 02000000000a 88b5 00010203
expect 4 02000000000b 02000000000a 8100 0014 88b5 00010203
";
    let forward = bridge("expect 3 02000000000b ************ 88b5 00010203 $\n");
    let tests = [
        ("1.stf", replicated.to_owned()),
        ("2.stf", forward.clone()),
        ("3.stf", "packet 2 02000000000b 02000000000a 88b5 00010203\nno_packet\n".to_owned()),
        ("4.stf", bridge("expect 3 02000000000b 02000000000a 88b5 0001ff03 $\n")),
        ("5.stf", bridge("expect 3\ncheck_counter drops(0) packets == 1\n")),
        ("6.stf", replicated.to_owned()),
        ("7.stf", bridge("remove all\npacket 2 02000000000b 02000000000a 88b5 00010203\nexpect 3 02000000000b\n")),
    ];
    for (name, text) in &tests {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    let paths = [folder.path().to_owned()];
    let device = Remote::start(&Server, &rules(), JSON).expect("a switch");
    let mut printed = Vec::new();
    let mut suite = Suite::new(&mut printed, true);
    let mut program = Program::new(rules(), Box::new(device), Options::default());
    suite.play(&mut program, &paths).expect("playing");
    let summary = suite.close().expect("closing");
    let printed = String::from_utf8(printed).expect("text");
    let printed = printed.replace(&format!("{}/", folder.path().display()), "");
    assert_eq!(
        printed,
        "failed: 4.stf: line 8: the frame out of port 3 differs at byte 16: it has 18 bytes; expected 18 bytes\n    0010  \
         want  ff 03\n    0010  got   02 03\nfailed: 5.stf: line 9: the counter is at 0; expected packets == 1\n5 passed, 2 \
         failed, 0 skipped\n"
    );
    assert_eq!(summary, Summary { passed: 5, failed: 2, skipped: 0 });
}

#[test]
fn programs_come_from_a_folder_of_their_own() {
    let (tests, jsons) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let write = |path: PathBuf, text: &[u8]| fs::write(path, text).expect("a file");
    let at = |folder: &Path, name: &str| folder.join(name);
    for name in ["bridge.stf", "without.stf", "nonsense.stf"] {
        write(at(tests.path(), name), bridge("expect 3\n").as_bytes());
    }
    write(at(tests.path(), "not-a-test.txt"), b"nothing");
    write(at(jsons.path(), "bridge.json"), JSON);
    write(at(jsons.path(), "nonsense.json"), b"{");
    let mut printed = Vec::new();
    let mut suite = Suite::new(&mut printed, false);
    suite.play_programs(tests.path(), jsons.path(), Options::default()).expect("playing");
    assert_eq!(suite.close().expect("closing"), Summary { passed: 1, failed: 1, skipped: 1 });
}
