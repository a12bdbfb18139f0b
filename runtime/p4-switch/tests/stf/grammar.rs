//! Every statement, and what is said of what is none.

use num_bigint::BigUint;
use p4_switch::stf::{Bits, Call, Cell, Check, Command, Comparison, Key, MirrorTo, Pattern, Rate, Share, Unit, parse};

fn command(line: &str) -> Command {
    let mut statements = parse(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    assert_eq!(statements.len(), 1, "{line}");
    statements.remove(0).command
}

fn error(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

fn bits(value: u32, wild: u32, written: u32) -> Bits {
    Bits { value: value.into(), wild: wild.into(), written }
}

fn call(action: &str, params: &[(&str, u32)]) -> Call {
    let params = params.iter().map(|(name, value)| ((*name).to_owned(), BigUint::from(*value))).collect();
    Call { action: action.to_owned(), params }
}

fn alone(call: Call) -> Vec<Share> {
    vec![Share { call, weight: 1, watch: None }]
}

fn nibbles(digits: &str) -> Vec<Option<u8>> {
    digits.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect()
}

#[test]
fn an_entry_has_keys_of_each_kind_an_action_and_a_label() {
    let added = command(
        "ADD test1 100 data.f1:0x**0a data.$valid:0b1* addr:0x0a00/24 h[0].x : 7 high:0x10->0x1f ingress.act(v:0x1, port:2) = A",
    );
    let expected = Command::Add {
        table: "test1".into(),
        priority: Some(100),
        keys: vec![
            ("data.f1".into(), Key::Value(bits(0x0a, 0xff00, 16))),
            ("data.$valid".into(), Key::Value(bits(2, 1, 2))),
            ("addr".into(), Key::Prefix(bits(0x0a00, 0, 16), 24)),
            ("h[0].x".into(), Key::Value(bits(7, 0, 0))),
            ("high".into(), Key::Range(0x10_u8.into(), 0x1f_u8.into())),
        ],
        calls: alone(call("ingress.act", &[("v", 1), ("port", 2)])),
        timeout: None,
        label: Some("A".into()),
    };
    assert_eq!(added, expected);
}

#[test]
fn what_p4testgen_writes_for_bmv2_and_for_tofino_is_the_same() {
    let bmv2 = r#"add "ingress.t" 1 "h.h.a":0b00*1 "h.h.isValid()":0x1 "ingress.act"("v":0xFF,"w":0x0)"#;
    let tofino = "add ingress.t 1 h.h.a:0b00*1 h.h.isValid():0x1 ingress.act(v:0xFF,w:0x0)";
    assert_eq!(command(bmv2), command(tofino));
    assert_eq!(
        command(r#"setdefault "ingress.t" "ingress.act"()"#),
        Command::SetDefault { table: "ingress.t".into(), call: call("ingress.act", &[]) }
    );
    // A name in quotes may have what would otherwise end it.
    assert_eq!(
        command(r#"add t "h.f[7:0] # & 0x0f":1 a()"#),
        Command::Add {
            table: "t".into(),
            priority: None,
            keys: vec![("h.f[7:0] # & 0x0f".into(), Key::Value(bits(1, 0, 0)))],
            calls: alone(call("a", &[])),
            timeout: None,
            label: None,
        }
    );
}

#[test]
fn packets_and_what_is_expected() {
    assert_eq!(command("packet 511 00 1aB2 # a comment"), Command::Packet { port: 511, frame: vec![0, 0x1a, 0xb2] });
    assert_eq!(command("packet 0"), Command::Packet { port: 0, frame: Vec::new() });
    let expect = |digits, exact| Command::Expect { port: 2, pattern: Pattern { nibbles: nibbles(digits), exact } };
    assert_eq!(command("expect 2"), expect("", false));
    assert_eq!(command("expect 2 *1 0* abc"), expect("*10*abc", false));
    assert_eq!(command("expect 2 ab$"), expect("ab", true));
    assert_eq!(command("expect 2 ab $  # the end"), expect("ab", true));
    assert_eq!(command("expect 2 $"), expect("", true));
    assert_eq!(command("no_packet"), Command::NoPacket);
    assert_eq!(command("wait"), Command::Wait);
    assert_eq!(command("remove all"), Command::RemoveAll);
}

#[test]
fn counters_registers_and_meters() {
    let check = |cell, check| Command::CheckCounter { counter: "c".into(), cell, check };
    let ten = Check { unit: Unit::Packets, comparison: Comparison::AtLeast, number: 10 };
    assert_eq!(command("check_counter c(1) packets >= 10"), check(Cell::Index(1), Some(ten)));
    assert_eq!(command("check_counter c($A)"), check(Cell::Label("A".into()), None));
    assert_eq!(command("counter_read c 1"), Command::CounterRead { counter: "c".into(), index: 1 });
    assert_eq!(
        command("counter_write i.c 1 2 3"),
        Command::CounterWrite { counter: "i.c".into(), index: 1, packets: 2, bytes: 3 }
    );
    assert_eq!(command("register_read r 1"), Command::RegisterRead { register: "r".into(), index: 1 });
    assert_eq!(
        command("register_write r 1 0xff"),
        Command::RegisterWrite { register: "r".into(), index: 1, value: 255_u32.into() }
    );
    assert_eq!(command("register_reset r"), Command::RegisterReset { register: "r".into() });
    assert_eq!(command("meter_get_rates m 1"), Command::MeterRead { meter: "m".into(), index: 1 });
    let rate = |per_microsecond, burst| Rate { per_microsecond, burst };
    let rates = [rate(0.000_005, 4), rate(2.0, 5)];
    let meter = |index| Command::MeterWrite { meter: "m".into(), index, rates };
    assert_eq!(command("meter_set_rates m 2 0.000005:4 2:5"), meter(Some(2)));
    assert_eq!(command("meter_array_set_rates m 0.000005:4 2:5"), meter(None));
}

#[test]
fn what_the_runner_of_p4c_has_no_words_for() {
    let share = |port, weight| Share { call: call("a", &[("port", port)]), weight, watch: None };
    assert_eq!(
        command("add t f:0x10->32 a(port:2)*3 a(port:3) = A"),
        Command::Add {
            table: "t".into(),
            priority: None,
            keys: vec![("f".into(), Key::Range(16_u32.into(), 32_u32.into()))],
            calls: vec![share(2, 3), share(3, 1)],
            timeout: None,
            label: Some("A".into()),
        }
    );
    let numbers = |numbers: &[u32]| numbers.iter().map(|number| BigUint::from(*number)).collect::<Vec<_>>();
    assert_eq!(command("value_set s 1 0x10"), Command::ValueSet { set: "s".into(), members: numbers(&[1, 16]) });
    assert_eq!(command("value_set s"), Command::ValueSet { set: "s".into(), members: numbers(&[]) });
    assert_eq!(command("digest d 7 0xff"), Command::Digest { digest: "d".into(), values: numbers(&[7, 255]) });
    let rate = |per_microsecond, burst| Rate { per_microsecond, burst };
    let rates = [rate(0.5, 4), rate(2.0, 5)];
    assert_eq!(command("meter_set_rates t($A) 0.5:4 2:5"), Command::EntryMeterWrite { label: "A".into(), rates });
    assert_eq!(error("add t f:1->0x* a()"), "line 1: `0x*`; expected a number without `*`");
}

#[test]
fn copies() {
    let mirror = |to| Command::Mirror { session: 5, to, length: None };
    assert_eq!(command("mirroring_add 5 4"), mirror(Some(MirrorTo::Port(4))));
    assert_eq!(command("mirroring_add_mc 5 1113"), mirror(Some(MirrorTo::Group(1113))));
    assert_eq!(command("mirroring_delete 5"), mirror(None));
    let cut = Command::Mirror { session: 5, to: Some(MirrorTo::Port(4)), length: Some(64) };
    assert_eq!(command("mirroring_add 5 4 64"), cut);
    assert_eq!(command("mirroring_get 5"), Command::MirrorRead { session: 5 });
    assert_eq!(command("mc_mgrp_create 1113"), Command::GroupCreate { group: 1113 });
    assert_eq!(command("mc_node_create 400 6 8"), Command::NodeCreate { instance: 400, ports: vec![6, 8] });
    assert_eq!(command("mc_node_update 0 6"), Command::NodeUpdate { node: 0, ports: vec![6] });
    assert_eq!(command("mc_node_associate 1113 0"), Command::NodeAssociate { group: 1113, node: 0 });
}

#[test]
fn comments_and_empty_lines_are_nothing_but_count() {
    let statements = parse("# one\n\n   # three\n  wait # four\n\t\nno_packet\r\n").expect("statements");
    let lines: Vec<_> = statements.iter().map(|statement| statement.line).collect();
    assert_eq!(lines, [4, 6]);
}

#[test]
fn an_error_says_where_what_and_what_would_be_right() {
    assert_eq!(
        error("wait\nsend 1 00"),
        "line 2: `send`; expected a command: add, setdefault, remove, packet, expect, no_packet, wait, check_counter, \
         counter_read, counter_write, register_read, register_write, register_reset, value_set, digest, meter_get_rates, \
         meter_set_rates, meter_array_set_rates, idle, port_down, port_up, mirroring_add, mirroring_add_mc, mirroring_delete, mirroring_get, mc_mgrp_create, \
         mc_node_create, mc_node_update, mc_node_associate"
    );
    for (line, expected) in [
        ("add", "the line ends; expected a table"),
        ("add t", "the line ends; expected a key field or an action"),
        (
            "add t f:12x a()",
            "`12x`; expected a number, such as 10, 0x0a, 0b01, or with bits that do not matter, 0x0*, 0b0*",
        ),
        (
            "add t f:0x a()",
            "`0x`; expected a number, such as 10, 0x0a, 0b01, or with bits that do not matter, 0x0*, 0b0*",
        ),
        (
            "add t f:1* a()",
            "`1*`; expected a number, such as 10, 0x0a, 0b01, or with bits that do not matter, 0x0*, 0b0*",
        ),
        ("add t f:1/x a()", "`x`; expected the length of a prefix"),
        ("add t f:1 a", "the line ends; expected `(`"),
        ("add t f:1 a(", "the line ends; expected a parameter or `)`"),
        ("add t f:1 a(p:1 q:2)", "`q:2)`; expected `,`"),
        ("add t f:1 a(p:0x*)", "`0x*)`; expected a number without `*`"),
        ("add t f:1 a() =", "the line ends; expected a label"),
        ("add t f:1 a() b", "the line ends; expected `(`"),
        ("add \"t f:1 a()", "`\"t`; expected a closing quotation mark"),
        ("remove t", "`remove`; expected `remove all`: single entries have no names"),
        ("packet 512 00", "`512`; expected a port, 0 to 511"),
        ("packet", "the line ends; expected a port, 0 to 511"),
        ("packet 1 0", "`0`; expected pairs of hexadecimal digits"),
        ("packet 1 0*", "`0*`; expected pairs of hexadecimal digits"),
        ("expect 1 0g", "`0g`; expected hexadecimal digits or `*`, and at the end perhaps `$`"),
        ("expect 1 00 $ 00", "`00`; expected hexadecimal digits or `*`, and at the end perhaps `$`"),
        ("check_counter c 1", "`1`; expected `(`"),
        ("check_counter c(1) hits == 1", "`hits`; expected `packets` or `bytes`"),
        ("check_counter c(1) bytes = 1", "`=`; expected one of == != < <= > >="),
        ("mirroring_add 65536 1", "`65536`; expected a clone session"),
        ("mc_node_create 0 x", "`x`; expected a port, 0 to 511"),
        (
            "meter_set_rates m 1 1:2",
            "the line ends; expected two rates, each RATE:BURST in units per microsecond and units, such as 0.5:10",
        ),
        ("wait 1", "`1`; expected the end of the line"),
    ] {
        assert_eq!(error(line), format!("line 1: {expected}"), "{line}");
    }
}
