//! Our own command line over Thrift, against a switch that was started from a JSON alone; and beside it BMv2's, which must leave a
//! switch in the same state.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use vouch_switch_server::{LinkConfig, link};

use crate::support::{Bytes, PATIENCE, Reply, Switch, have};

/// Changes of every kind. Some lines are refused, by both command lines.
const SCRIPT: &str = "\
table_add Forward.host Forward.host_forward 02:00:00:00:00:01 => 1
table_add Forward.host Forward.host_forward 02:00:00:00:00:02 => 2
table_add Forward.host Forward.host_forward 02:00:00:00:00:02 => 2
table_delete Forward.host 0
table_delete Forward.host 77
table_add Forward.host Forward.host_forward 02:00:00:00:00:03 => 3
table_modify Forward.host Forward.host_forward 16777216 => 5
table_set_timeout Forward.host 16777216 5000
table_add Forward.route Forward.forward 02:00:00:01:02:03/24 => 1
table_add Forward.route Forward.drop 00:00:00:00:00:00/0 =>
table_set_default Forward.host Forward.flood 3
table_add Forward.acl Forward.punt 02:00:00:00:00:01&&&00:00:00:00:00:00 0->65535 0&&&0 => 5 20
table_add Forward.acl Forward.drop 02:00:00:00:00:01&&&ff:ff:ff:ff:ff:00 1->10 1&&&0x1ff => 10
table_add Forward.fixed Forward.forward 0x800 => 1
act_prof_create_member Forward.next_hops Forward.forward 1
act_prof_create_member Forward.next_hops Forward.forward 2
act_prof_delete_member Forward.next_hops 0
act_prof_create_member Forward.next_hops Forward.drop
act_prof_modify_member Forward.next_hops Forward.forward 1 3
table_indirect_add Forward.nexthop 02:00:00:00:00:01 => 0
table_indirect_add Forward.nexthop 02:00:00:00:00:02 => 9
table_indirect_set_default Forward.nexthop 1
act_prof_create_member Forward.paths Forward.forward 1
act_prof_create_member Forward.paths Forward.forward 2
act_prof_create_group Forward.paths
act_prof_add_member_to_group Forward.paths 0 0
act_prof_add_member_to_group Forward.paths 1 0
act_prof_remove_member_from_group Forward.paths 1 0
table_indirect_add_with_group Forward.balance 02:00:00:00:00:01 => 0
counter_write Forward.by_port 3 5 6
counter_write Forward.host_hits 1 7 8
meter_set_rates Forward.port_rate 0 0.5:2 1:4
meter_set_rates Forward.host_rate 1 0.25:2 1:4
register_write Forward.last_kind 1 16
register_write Forward.last_kind 3 4660
pvs_add Parse.special_kinds 0x600
pvs_add Parse.special_kinds 0x601
pvs_remove Parse.special_kinds 0x600
mc_mgrp_create 5
mc_node_create 7 1 2 3
mc_node_create 8 4 | 1
mc_node_create 9 5
mc_node_associate 5 0
mc_node_associate 5 1
mc_node_destroy 2
mc_node_update 0 1 2
mc_set_lag_membership 1 6
mirroring_add 1 3
mirroring_add_mc 2 5
mirroring_add 3 4
mirroring_delete 3
";

/// How many of these are refused.
const REFUSED: usize = 4;

/// What shows all of it.
const SHOW: &str = "\
table_dump Forward.host
table_dump Forward.route
table_dump Forward.acl
table_dump Forward.fixed
table_dump Forward.nexthop
table_dump Forward.balance
counter_read Forward.by_port 3
counter_read Forward.host_hits 1
meter_get_rates Forward.port_rate 0
meter_get_rates Forward.host_rate 1
register_read Forward.last_kind
pvs_get Parse.special_kinds
mc_dump
mirroring_get 1
mirroring_get 2
mirroring_get 3
show_ports
";

/// What a command line does with a script: whether all was carried out, what it prints, and what it says went wrong.
fn play(mut command: Command, switch: &Switch, script: &str) -> (bool, String, String) {
    command.args(["--thrift-port", &switch.port().to_string()]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = command.spawn().expect("it starts");
    client.stdin.take().expect("it is piped").write_all(script.as_bytes()).expect("it reads");
    let output = client.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("it is text");
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn ours(switch: &Switch, script: &str) -> (bool, String, String) {
    play(Command::new(env!("CARGO_BIN_EXE_p4-switch-cli")), switch, script)
}

#[test]
fn all_lines_are_carried_out_and_refusals_are_told_in_the_end() {
    let switch = Switch::start();
    let (whole, printed, refused) = ours(&switch, SCRIPT);
    assert!(!whole);
    assert_eq!(refused.lines().count(), REFUSED, "{refused}");
    let told = [
        "line 3: table_add: the switch refuses it: duplicate entry",
        "line 5: table_delete: the table has no entry with handle 77",
        "line 14: table_add: the switch refuses it: immutable table entries",
        "line 21: table_indirect_add: the switch refuses it: invalid mbr handle",
    ];
    assert_eq!(refused.lines().collect::<Vec<_>>(), told);
    assert!(printed.contains("Entry has been added with handle 16777216\n"), "{printed}");
    assert!(printed.contains("node was created with handle 2\n"), "{printed}");

    let (whole, shown, refused) = ours(&switch, &SHOW.replace("mirroring_get 3\n", ""));
    assert!(whole, "{refused}");
    for line in [
        "Dumping entry 0x1000000",
        "Timeout: 5000 ms",
        "* hdr.ethernet.dst    : LPM       020000000000/24",
        "Priority: 10",
        "Action entry: Forward.punt - 0005",
        "Index: member(0)",
        "Index: group(0)",
        "Members: [0]",
        "Forward.by_port[3]= (6 bytes, 5 packets)",
        "Forward.host_hits[1]= (8 bytes, 7 packets)",
        "0: info rate = 0.5, burst size = 2",
        "0: info rate = 0.25, burst size = 2",
        "Forward.last_kind= 0, 16, 0, 4660, 0, 0, 0, 0",
        "0601",
        "  -> (L1h=0, rid=7) -> (ports=[1, 2])",
        "  -> (L1h=1, rid=8) -> (ports=[4], lags=[1])",
        "session 1 -> port 3 (rid 0)",
        "session 2 -> multicast group 5",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line:?} is not in\n{shown}");
    }
}

/// No command asks for a session that copies to a group and to a port, but other clients of Thrift do.
#[test]
fn a_session_is_shown_with_all_its_places() {
    let switch = Switch::start();
    let config = Bytes::default().i32(1, 4).field(12, 2).i32(1, 3).i32(2, 5).end();
    assert_eq!(switch.connect().call("simple_switch:mirroring_session_add", config), Reply::Done);
    let (_, printed, _) = ours(&switch, "mirroring_get 4\n");
    assert_eq!(printed, "session 4 -> multicast group 5, port 3\n");
}

#[test]
fn the_switch_as_a_whole_has_its_words() {
    let switch = Switch::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("program.json");
    let script =
        format!("switch_info\nget_time_elapsed\nget_time_since_epoch\nwrite_config_to_file {}\n", file.display());
    let (whole, printed, refused) = ours(&switch, &script);
    assert!(whole, "{refused}");
    assert!(printed.starts_with("device_id                : 3\nthrift_port              : "), "{printed}");
    assert_eq!(printed.lines().skip(5).filter(|line| line.parse::<u64>().is_ok()).count(), 2, "{printed}");
    let program = std::fs::read(&file).expect("it was written");
    assert_eq!(program, std::fs::read(crate::support::kinds()).expect("the program is there"));

    // After a reset there are no entries, and handles begin again.
    let add = "table_add host host_forward 02:00:00:00:00:01 => 1\n";
    let script = [add, "reset_state\ntable_num_entries host\n", add].concat();
    let (whole, printed, refused) = ours(&switch, &script);
    assert!(whole, "{refused}");
    assert_eq!(printed, "Entry has been added with handle 0\n0\nEntry has been added with handle 0\n");

    // Another program has other names.
    let script = format!("reset_state\nload_new_config_file {}\nswap_configs\nshow_tables\n", file.display());
    let (whole, printed, refused) = ours(&switch, &script);
    assert!(whole && printed.contains("Forward.balance"), "{refused}");
    let (whole, _, refused) = ours(&switch, "swap_configs\ntable_add nothing drop\nexit\nshow_tables\n");
    assert!(
        !whole && refused.contains("no ongoing swap") && refused.contains("there is no table `nothing`"),
        "{refused}"
    );
}

/// The program hashes the first seven bytes in every way, and writes the results behind them.
#[test]
fn custom_crcs_take_parameters() {
    let json = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bmv2-tests/programs/build/hashes/algorithms.json");
    let json = std::fs::read(json).expect("the program is there");
    let ((host, port), (far, out)) = (link(LinkConfig::default()), link(LinkConfig::default()));
    let switch = Switch::with(None, |builder| builder.program(json).port(1, port).port(2, out));
    // crc16, crc16_custom, crc32, crc32_custom.
    let hashes = || {
        let mut frame = b"1234567".to_vec();
        frame.resize(31, 0);
        host.send(frame).expect("the link is up");
        let end = Instant::now() + PATIENCE;
        let frame = loop {
            if let Some(frame) = far.try_recv() {
                break frame;
            }
            assert!(Instant::now() < end, "no frame comes");
            std::thread::yield_now();
        };
        let number = |at, bytes| frame[at..at + bytes].iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte));
        [number(7, 2), number(9, 2), number(11, 4), number(15, 4)]
    };
    assert_eq!(hashes(), [0x9d68, 0x9d68, 0x5003_699f, 0x5003_699f]);

    // CRC-16/XMODEM and CRC-32/ISCSI.
    let script = "set_crc16_parameters calc_0 0x1021 0x0 0x0 false false\n\
                  set_crc32_parameters calc_2 0x1edc6f41 0xffffffff 0xffffffff true true\n";
    let (whole, _, refused) = ours(&switch, script);
    assert!(whole, "{refused}");
    assert_eq!(hashes(), [0x9d68, 0x86d6, 0x5003_699f, 0x1242_97ea]);

    let script = "set_crc16_parameters calc 1 2 3 true true\nset_crc32_parameters calc_0 1 2 3 true true\n\
                  set_crc16_parameters nowhere 1 2 3 true true\n";
    let (_, _, refused) = ours(&switch, script);
    assert_eq!(refused.lines().count(), 3, "{refused}");
    assert_eq!(hashes(), [0x9d68, 0x86d6, 0x5003_699f, 0x1242_97ea]);
    let (whole, _, refused) = ours(&switch, "reset_state\n");
    assert!(whole, "{refused}");
    assert_eq!(hashes(), [0x9d68, 0x9d68, 0x5003_699f, 0x5003_699f]);
}

#[test]
fn bmv2s_command_line_leaves_the_same_behind() {
    if !have("bmv2s_command_line_leaves_the_same_behind", &["simple_switch_CLI"]) {
        return;
    }
    let theirs = |switch: &Switch, script: &str| play(Command::new("simple_switch_CLI"), switch, script).1;
    let (one, other) = (Switch::start(), Switch::start());
    ours(&one, SCRIPT);
    theirs(&other, SCRIPT);
    // Which takes a value of 16 bits for one of 24.
    let show = SHOW.replace("pvs_get Parse.special_kinds\n", "");
    let (ours, theirs) = (theirs(&one, &show), theirs(&other, &show));
    let lasting = |shown: &str| shown.lines().filter(|line| !line.starts_with("Life: ")).collect::<Vec<_>>().join("\n");
    assert_eq!(lasting(&ours), lasting(&theirs));
}
