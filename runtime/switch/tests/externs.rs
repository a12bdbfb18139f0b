//! What programs ask of the switch beside tables, and what control calls do to it, by packets in and packets out.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use vouch_switch::*;

/// A switch that runs `programs/externs.p4`.
struct Bench {
    switch: Switch,
    worker: Worker,
    output: Output,
    now: Micros,
}

impl Bench {
    fn new() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/externs.json");
        let json = std::fs::read(path).expect("the compiled program is in the repository");
        let program = Program::load(&json).expect("the program loads");
        let switch = Switch::new(Arc::new(program), SwitchConfig::default());
        Self { worker: Worker::new(&switch), switch, output: Output::new(), now: Micros(1) }
    }

    /// Sends opcode, value and mark with one byte of payload in on port 3.
    fn send(&mut self, op: u8, value: u16, mark: u8) -> Vec<(u16, Vec<u8>)> {
        let [high, low] = value.to_be_bytes();
        self.output.clear();
        self.switch.process(&mut self.worker, 3, &[op, high, low, mark, 0xee], self.now, &mut self.output);
        self.output.frames().map(|(port, frame)| (port, frame.to_vec())).collect()
    }

    /// The only port something left by, if one.
    fn port(&mut self, op: u8, value: u16, mark: u8) -> Option<u16> {
        let out = self.send(op, value, mark);
        assert!(out.len() <= 1, "{out:?}");
        out.first().map(|(port, _)| *port)
    }

    fn table(&self, name: &str) -> TableId {
        self.switch.program().table(&format!("I.{name}")).expect("the table exists")
    }

    fn call(&self, table: &str, action: &str, params: &[u16]) -> ActionCall {
        let action = self.switch.program().table_action(self.table(table), action).expect("the action exists");
        ActionCall { action, params: params.iter().map(|value| value.to_be_bytes().to_vec()).collect() }
    }

    fn entry(&self, matches: Vec<Match>, priority: i32, action: EntryAction) -> TableEntry {
        TableEntry { key: EntryKey { matches, priority }, action, idle_timeout: Micros(0), meter: None }
    }

    fn insert(&self, table: &str, entry: &TableEntry) -> Result<(), ControlError> {
        self.switch.insert_entry(self.table(table), entry, self.now)
    }
}

fn exact(value: u16) -> Match {
    Match::Exact(value.to_be_bytes().to_vec())
}

fn ternary(value: u16, mask: u16) -> Match {
    Match::Ternary { value: value.to_be_bytes().to_vec(), mask: mask.to_be_bytes().to_vec() }
}

fn session(target: CloneTarget) -> CloneSession {
    CloneSession { target, max_packet_length: 0, class_of_service: 0 }
}

#[test]
fn an_ingress_clone_is_the_frame_as_it_came_with_its_field_list() {
    let mut bench = Bench::new();
    let nodes = ReplicationNode::from_replicas(&[(8, 2), (7, 2), (9, 1)]);
    bench.switch.insert_clone_session(5, &session(CloneTarget::Replicas(nodes))).unwrap();
    let out = bench.send(1, 0x0102, 0);
    let copy = |rid| vec![1, 1, 3, rid, 0xee];
    assert_eq!(out, [(9, copy(1)), (7, copy(2)), (8, copy(2))]);
    assert_eq!(bench.output.drops.ingress, 1, "the original is dropped all the same");
}

#[test]
fn a_clone_for_a_group_and_a_port_goes_to_the_port_last() {
    let mut bench = Bench::new();
    bench.switch.insert_multicast_group(2, &ReplicationNode::from_replicas(&[(9, 1), (7, 2)])).unwrap();
    bench.switch.insert_clone_session(5, &session(CloneTarget::GroupAndPort(2, 6))).unwrap();
    let copy = |rid| vec![1, 1, 3, rid, 0xee];
    assert_eq!(bench.send(1, 0x0102, 0), [(9, copy(1)), (7, copy(2)), (6, copy(2))], "by the number of the one before");
    bench.switch.modify_clone_session(5, &session(CloneTarget::GroupAndPort(77, 6))).unwrap();
    assert_eq!(bench.send(1, 0x0102, 0), [(6, copy(0))], "a group that is not there makes no copies");
}

#[test]
fn a_clone_for_no_session_is_counted() {
    let mut bench = Bench::new();
    assert!(bench.send(1, 0, 0).is_empty());
    assert_eq!(bench.output.drops.no_clone_session, 1);
}

#[test]
fn an_egress_clone_goes_through_egress_once_more() {
    let mut bench = Bench::new();
    let cut = CloneSession { max_packet_length: 4, ..session(CloneTarget::Port(6)) };
    bench.switch.insert_clone_session(6, &cut).unwrap();
    assert_eq!(bench.send(10, 0x55, 0), [(1, vec![10, 0, 0x55, 0, 0xee]), (6, vec![10, 0, 0x55, 2])]);
}

#[test]
fn resubmission_and_recirculation() {
    let mut bench = Bench::new();
    assert_eq!(bench.send(2, 9, 0xff), [(1, vec![2, 0, 9, 0, 0xee])], "unicast resets the instance type");
    assert_eq!(bench.send(9, 0, 0), [(1, vec![9, 0, 3, 0, 0xee])]);
}

#[test]
fn multicast_in_order_of_nodes_then_ports() {
    let mut bench = Bench::new();
    let nodes =
        [ReplicationNode { instance: 9, ports: vec![5, 4] }, ReplicationNode { instance: 1, ports: vec![6, 4] }];
    bench.switch.insert_multicast_group(2, &nodes).unwrap();
    let order: Vec<(u16, u8)> = bench.send(3, 2, 0).iter().map(|(port, frame)| (*port, frame[3])).collect();
    assert_eq!(order, [(4, 9), (5, 9), (4, 1), (6, 1)]);
    assert!(bench.send(3, 77, 0).is_empty());
    assert_eq!(bench.output.drops.empty_group, 1);
}

#[test]
fn digests_hold_their_fields_padded_to_bytes() {
    let mut bench = Bench::new();
    bench.send(4, 0xabcd, 0);
    let digests: Vec<(DigestId, &[u8])> = bench.output.digests().collect();
    let [(id, bytes)] = digests.as_slice() else { panic!("{digests:?}") };
    assert_eq!(bench.switch.program().digest_info(*id).unwrap().fields, [9, 16]);
    assert_eq!(*bytes, [0, 3, 0xab, 0xcd]);
}

#[test]
fn counters_count_and_ignore_what_is_outside() {
    let mut bench = Bench::new();
    bench.send(5, 2, 0);
    bench.send(5, 4, 0);
    let hits = bench.switch.program().counters().next().unwrap().0;
    assert_eq!(bench.switch.counter(hits, 2), Ok(CounterData { packets: 1, bytes: 5 }));
    let outside = ControlError::IndexOutOfRange { what: "counter", index: 4, size: 4 };
    assert_eq!(bench.switch.counter(hits, 4), Err(outside));
}

#[test]
fn meters_color() {
    let mut bench = Bench::new();
    let meter = bench.switch.program().meters().next().unwrap().0;
    let config = MeterConfig { cir: 1, cburst: 1, pir: 1, pburst: 2 };
    bench.switch.set_meter(meter, 1, Some(config)).unwrap();
    assert_eq!(bench.switch.meter(meter, 1), Ok(Some(config)));
    let mut colors = |index| (0..3).map(|_| bench.send(6, index, 9)[0].1[3]).collect::<Vec<u8>>();
    assert_eq!(colors(1), [0, 1, 2]);
    assert_eq!(colors(2), [0, 0, 0], "no rates");
}

#[test]
fn direct_meters_color_hits() {
    let mut bench = Bench::new();
    let mut entry = bench.entry(vec![exact(1)], 0, EntryAction::Call(bench.call("metered_table", "I.metered", &[])));
    entry.meter = Some(MeterConfig { cir: 0, cburst: 0, pir: 0, pburst: 1 });
    bench.insert("metered_table", &entry).unwrap();
    assert_eq!(bench.send(13, 1, 9)[0].1[3], 1);
    assert_eq!(bench.send(13, 1, 9)[0].1[3], 2);
}

#[test]
fn misses_are_counted_and_measured_by_the_default_entry() {
    let mut bench = Bench::new();
    let metered = bench.table("metered_table");
    assert_eq!(bench.send(13, 1, 9)[0].1[3], 0, "no rates");
    assert_eq!(bench.switch.default_entry(metered).unwrap().colors, MeterColors::default());
    let rates = MeterConfig { cir: 0, cburst: 0, pir: 0, pburst: 1 };
    bench.switch.set_direct_meter(metered, None, Some(rates)).unwrap();
    assert_eq!(bench.send(13, 1, 9)[0].1[3], 1);
    assert_eq!(bench.send(13, 1, 9)[0].1[3], 2);
    let once = CounterData { packets: 1, bytes: 5 };
    let view = bench.switch.default_entry(metered).unwrap();
    assert_eq!((view.meter, view.colors), (Some(rates), MeterColors { yellow: once, red: once, ..Default::default() }));

    let counted = bench.table("idle");
    assert_eq!(bench.port(12, 1, 0), Some(1), "a miss");
    assert_eq!(bench.switch.default_entry(counted).unwrap().counter, once);
    bench.switch.set_direct_counter(counted, None, CounterData::default()).unwrap();
    assert_eq!(bench.switch.default_entry(counted).unwrap().counter, CounterData::default());
    let refused = bench.switch.set_direct_meter(counted, None, None);
    assert_eq!(refused, Err(ControlError::NotSupportedByTable { what: "direct meter" }));
}

/// As in BMv2, whose ingress is one thread.
#[test]
fn nothing_that_a_packet_adds_to_a_register_is_lost_where_packets_come_in_on_several_ports_at_once() {
    const EACH: u16 = 20_000;
    let bench = Bench::new();
    let switch = &bench.switch;
    std::thread::scope(|scope| {
        for port in [3, 4] {
            scope.spawn(move || {
                let (mut worker, mut output) = (Worker::new(switch), Output::new());
                for _ in 0..EACH {
                    output.clear();
                    switch.process(&mut worker, port, &[7, 0, 1, 0, 0xee], Micros(1), &mut output);
                }
            });
        }
    });
    let memory = switch.program().registers().next().unwrap().0;
    assert_eq!(switch.register(memory, 2), Ok((2 * EACH).to_be_bytes().to_vec()));
}

#[test]
fn registers_are_read_and_written_from_both_sides() {
    let mut bench = Bench::new();
    let memory = bench.switch.program().registers().next().unwrap().0;
    bench.switch.set_register(memory, 2, &[0xff, 0xff]).unwrap();
    assert_eq!(bench.send(7, 3, 0)[0].1[1..3], [0xff, 0xff]);
    assert_eq!(bench.switch.register(memory, 2), Ok(vec![0, 2]), "cut to the width");
    assert_eq!(bench.switch.set_register(memory, 2, &[1, 0, 0]), Err(ControlError::ValueWidth { bits: 16 }));
}

#[test]
fn truncation_random_numbers_lengths_and_value_sets() {
    let mut bench = Bench::new();
    assert_eq!(bench.send(8, 1, 2), [(1, vec![8, 0, 1])]);
    for _ in 0..50 {
        let out = bench.send(18, 0, 0);
        assert!((10..=20).contains(&out[0].1[2]));
    }
    assert_eq!(bench.send(19, 0, 0)[0].1[1..3], [0, 5]);
    assert_eq!(bench.send(17, 0x1234, 0)[0].1[1..3], [0, 0]);
    let set = bench.switch.program().value_sets().next().unwrap().0;
    let member = ValueSetMember { value: vec![0x12, 0x34], mask: None };
    bench.switch.set_value_set(set, &[member]).unwrap();
    assert_eq!(bench.send(17, 0x1234, 0)[0].1[1..3], [0, 7]);
}

#[test]
fn a_selector_spreads_by_weight_and_leaves_dead_ports_out() {
    let mut bench = Bench::new();
    let profile = bench.switch.program().profiles().next().unwrap().0;
    for member in [1, 2] {
        let call = bench.call("spread", "I.out_of", &[member]);
        bench.switch.insert_member(profile, u32::from(member), &call).unwrap();
    }
    let member = |member, weight| GroupMember { member, weight, watch_port: Some(member as u16) };
    let group = ActionGroup { members: vec![member(1, 3), member(2, 1)], max_size: 0 };
    bench.switch.insert_group(profile, 9, &group).unwrap();
    let entry = bench.entry(vec![Match::Exact(vec![11])], 0, EntryAction::Group(9));
    bench.insert("spread", &entry).unwrap();
    let ports = |bench: &mut Bench| (0..4).map(|value| bench.port(11, value, 0).unwrap()).collect::<Vec<u16>>();
    assert_eq!(ports(&mut bench), [1, 1, 1, 2]);
    bench.switch.set_port_up(1, false);
    assert_eq!(ports(&mut bench), [2, 2, 2, 2]);
    assert_eq!(bench.switch.delete_member(profile, 1), Err(ControlError::MemberInUse(1)));
    assert_eq!(bench.switch.delete_group(profile, 9), Err(ControlError::GroupInUse(9)));
    bench.switch.delete_entry(bench.table("spread"), &entry.key).unwrap();
    bench.switch.delete_group(profile, 9).unwrap();
    bench.switch.delete_member(profile, 1).unwrap();
}

#[test]
fn a_one_shot_group_chooses_by_hash_or_at_random() {
    let mut bench = Bench::new();
    let table = bench.table("spread");
    let mut ports = |selection| {
        let member = |port, weight| {
            let call = bench.call("spread", "I.out_of", &[port]);
            OneShotMember { call, weight, watch_port: Some(port) }
        };
        let group = OneShot { members: vec![member(1, 3), member(2, 1), member(3, 4)], selection };
        let entry = bench.entry(vec![Match::Exact(vec![11])], 0, EntryAction::OneShot(group));
        bench.insert("spread", &entry).unwrap();
        assert_eq!(bench.switch.entry(table, &entry.key).unwrap().entry, entry);
        bench.switch.set_port_up(3, false);
        // One flow.
        let counted = (0..400).fold([0; 4], |mut counted, _| {
            counted[usize::from(bench.port(11, 0, 0).unwrap())] += 1;
            counted
        });
        bench.switch.delete_entry(table, &entry.key).unwrap();
        counted
    };
    assert_eq!(ports(Selection::Hash), [0, 400, 0, 0]);
    // Of 400, 300 are expected, with a standard deviation of 9. The numbers follow from the seed.
    let [_, first, second, dead] = ports(Selection::Random);
    assert!((265..335).contains(&first), "{first}");
    assert_eq!((first + second, dead), (400, 0));
}

#[test]
fn entries_live_and_idle() {
    let mut bench = Bench::new();
    let table = bench.table("idle");
    let mut entry = bench.entry(vec![exact(1)], 0, EntryAction::Call(bench.call("idle", "I.counted", &[7])));
    entry.idle_timeout = Micros(100);
    bench.insert("idle", &entry).unwrap();
    assert_eq!(bench.insert("idle", &entry), Err(ControlError::EntryExists));
    bench.now = Micros(80);
    assert_eq!(bench.port(12, 1, 0), Some(7));
    assert!(bench.switch.sweep(Micros(179)).is_empty());
    assert_eq!(bench.switch.sweep(Micros(180)).len(), 1);
    assert!(bench.switch.sweep(Micros(200)).is_empty(), "once per timeout");
    assert_eq!(bench.switch.sweep(Micros(280)).len(), 1);
    let view = bench.switch.entry(table, &entry.key).unwrap();
    assert_eq!((view.counter, view.last_hit), (CounterData { packets: 1, bytes: 5 }, Micros(80)));
    let other = TableEntry { key: EntryKey { matches: vec![exact(2)], priority: 0 }, ..entry.clone() };
    bench.insert("idle", &other).unwrap();
    let third = TableEntry { key: EntryKey { matches: vec![exact(3)], priority: 0 }, ..entry.clone() };
    assert_eq!(bench.insert("idle", &third), Err(ControlError::TableFull { size: 2 }));
    bench.switch.delete_entry(table, &entry.key).unwrap();
    assert_eq!(bench.switch.delete_entry(table, &entry.key), Err(ControlError::EntryNotFound));
    assert_eq!(bench.port(12, 1, 0), Some(1), "a miss");
    assert_eq!(bench.port(12, 2, 0), Some(7));
}

#[test]
fn the_highest_priority_and_the_longest_prefix_win() {
    let mut bench = Bench::new();
    let out = |bench: &Bench, table: &str, port| EntryAction::Call(bench.call(table, "I.out_of", &[port]));
    let range = |low: u8, high: u8| Match::Range { low: vec![low], high: vec![high] };
    for (priority, value, low, high, port) in [(1, ternary(0, 0), 0, 255, 5), (9, ternary(0x0100, 0xff00), 10, 20, 6)] {
        let entry = bench.entry(vec![value, range(low, high)], priority, out(&bench, "ranked", port));
        bench.insert("ranked", &entry).unwrap();
    }
    let ports =
        [(0x0155, 10), (0x0155, 20), (0x0155, 21), (0x0255, 15)].map(|(value, mark)| bench.port(14, value, mark));
    assert_eq!(ports, [Some(6), Some(6), Some(5), Some(5)]);
    for (value, prefix_len, port) in [(0u16, 0, 2), (0x1200, 8, 3), (0x1230, 12, 4)] {
        let prefix = Match::Lpm { value: value.to_be_bytes().to_vec(), prefix_len };
        bench.insert("prefixes", &bench.entry(vec![prefix], 0, out(&bench, "prefixes", port))).unwrap();
    }
    assert_eq!([0x1234, 0x1244, 0x2000].map(|value| bench.port(15, value, 0)), [Some(4), Some(3), Some(2)]);
}

#[test]
fn constant_entries_and_defaults_stay() {
    let mut bench = Bench::new();
    assert_eq!([0x0177, 0x0277].map(|value| bench.port(16, value, 0)), [Some(11), Some(12)]);
    let fixed = bench.table("fixed");
    assert_eq!(bench.switch.entries(fixed).unwrap().len(), 2);
    let entry = bench.entry(vec![ternary(1, 1)], 1, EntryAction::Call(bench.call("fixed", "I.out_of", &[1])));
    assert_eq!(bench.insert("fixed", &entry), Err(ControlError::ConstEntries));
    assert_eq!(bench.switch.set_default(fixed, Some(&entry.action)), Err(ControlError::ConstDefault));
    let prefixes = bench.table("prefixes");
    assert_eq!(bench.port(15, 1, 0), None);
    let action = EntryAction::Call(bench.call("prefixes", "I.out_of", &[4]));
    bench.switch.set_default(prefixes, Some(&action)).unwrap();
    assert_eq!(bench.port(15, 1, 0), Some(4));
    bench.switch.set_default(prefixes, None).unwrap();
    assert_eq!(bench.port(15, 1, 0), None);
}

/// What p4c writes for `hdr.stack[meta.index].field` as a key. BMv2 does not load it either.
#[test]
fn a_key_that_is_chosen_while_packets_come_is_refused() {
    let router = include_str!("programs/router.json");
    let mut json: serde_json::Value = serde_json::from_str(router).expect("JSON");
    json["pipelines"][0]["tables"][1]["key"][0]["target"] = serde_json::json!({"type": "expression", "value": {}});
    let refused = Program::load(json.to_string().as_bytes()).expect_err("a refusal");
    assert_eq!(
        refused.to_string(),
        "pipelines[0].tables[1].key[0].target: key field `expression` is not supported; supported: a header and its field, by \
         name"
    );
}

#[test]
fn what_does_not_fit_is_refused_with_its_reason() {
    let bench = Bench::new();
    let call = bench.call("idle", "I.counted", &[7]);
    let refused = |matches: Vec<Match>, priority, action: EntryAction| {
        bench.insert("idle", &bench.entry(matches, priority, action)).unwrap_err()
    };
    let good = || EntryAction::Call(call.clone());
    assert_eq!(refused(vec![], 0, good()), ControlError::MatchCount { want: 1, got: 0 });
    assert_eq!(refused(vec![exact(1)], 3, good()), ControlError::Priority { needed: false, got: 3 });
    let wide = Match::Exact(vec![1, 0, 0]);
    assert_eq!(refused(vec![wide], 0, good()), ControlError::MatchWidth { field: 0, bits: 16 });
    let kind = ControlError::MatchKind { field: 0, want: "exact", got: "ternary" };
    assert_eq!(refused(vec![ternary(0, 0)], 0, good()), kind);
    let wide = ActionCall { params: vec![vec![2, 0]], ..call.clone() };
    assert_eq!(refused(vec![exact(1)], 0, EntryAction::Call(wide)), ControlError::ParamWidth { param: 0, bits: 9 });
    let none = ActionCall { params: vec![], ..call.clone() };
    assert_eq!(refused(vec![exact(1)], 0, EntryAction::Call(none)), ControlError::ParamCount { want: 1, got: 0 });
    let foreign = bench.call("prefixes", "I.drop", &[]);
    let action = foreign.action;
    assert_eq!(refused(vec![exact(1)], 0, EntryAction::Call(foreign)), ControlError::ActionNotInTable { action });
    let table = bench.table("idle");
    let direct = ControlError::Implementation { table, profile: None };
    assert_eq!(refused(vec![exact(1)], 0, EntryAction::Member(1)), direct);
}

#[test]
fn a_short_frame_sets_the_error_and_goes_on() {
    let mut bench = Bench::new();
    bench.worker.set_trace(true);
    bench.switch.process(&mut bench.worker, 3, &[1, 2], Micros(0), &mut bench.output);
    assert!(bench.worker.take_trace().contains(&TraceEvent::ParserError { error: 1 }));
    assert_eq!(bench.output.frames().collect::<Vec<_>>(), [(1, [1, 2].as_slice())]);
}

/// p4c writes an empty object for the values of a `log_msg` that has none.
#[test]
fn a_message_without_values_is_loaded() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/externs.json");
    let json = std::fs::read_to_string(path).expect("the compiled program is in the repository");
    let mut json: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    let message = |values| {
        serde_json::json!({"op": "log_msg", "parameters": [
            {"type": "string", "value": "a text"},
            {"type": "parameters_vector", "value": values},
        ]})
    };
    json["actions"][0]["primitives"] =
        serde_json::json!([message(serde_json::json!({})), message(serde_json::json!([]))]);
    Program::load(json.to_string().as_bytes()).expect("both forms are known");
    json["actions"][0]["primitives"] = serde_json::json!([message(serde_json::json!({"type": "hexstr"}))]);
    let refused = Program::load(json.to_string().as_bytes()).expect_err("values are a list");
    assert_eq!(refused.to_string(), "actions[0].primitives[0].parameters[1].value: expected an array");
}

/// As long as a frame may be, with what it asks for.
const LONG: usize = 60_000;

/// The program with changes.
fn changed(changes: &[fn(&mut Value)]) -> Bench {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/externs.json");
    let json = std::fs::read(path).expect("the compiled program is in the repository");
    let mut json = serde_json::from_slice(&json).expect("p4c wrote it");
    changes.iter().for_each(|change| change(&mut json));
    let program = Program::load(json.to_string().as_bytes()).expect("the program loads");
    let switch = Switch::new(Arc::new(program), SwitchConfig::default());
    Bench { worker: Worker::new(&switch), switch, output: Output::new(), now: Micros(1) }
}

/// The second half of a condition in egress, which is `a && b` in the program.
fn condition<'j>(json: &'j mut Value, text: &str) -> &'j mut Value {
    let all = json["pipelines"][1]["conditionals"].as_array_mut().expect("egress has conditions");
    let found = all.iter_mut().find(|one| one["source_info"]["source_fragment"] == text).expect("it is there");
    &mut found["expression"]["value"]["right"]["value"]
}

/// Recirculates for as long as anybody lets it.
fn for_ever(json: &mut Value) {
    condition(json, "hdr.op.op == 9 && hdr.op.value < 3")["right"]["value"] = json!("0xffff");
}

/// Clones in egress what is a clone as well.
fn copies_of_copies(json: &mut Value) {
    let condition = condition(json, "hdr.op.op == 10 && std.instance_type == 0");
    condition["op"] = json!("!=");
    condition["right"]["value"] = json!("0xff");
}

/// After its header, the parser goes through 10,000 states.
fn long_passes(json: &mut Value) {
    let states = json["parsers"][0]["parse_states"].as_array_mut().expect("it has states");
    let number = json!({"type": "field", "value": ["scalars", "meta_t.key"]});
    let more = json!({"op": "+", "left": number.clone(), "right": {"type": "hexstr", "value": "0x1"}});
    let around = json!({"type": "default", "value": null, "mask": null, "next_state": "around"});
    let end = json!({"type": "hexstr", "value": "0x00002710", "mask": null, "next_state": null});
    states[0]["transitions"] = json!([around.clone()]);
    states.push(json!({
        "name": "around",
        "id": 2,
        "parser_ops": [{
            "op": "set",
            "parameters": [number.clone(), {"type": "expression", "value": {"type": "expression", "value": more}}],
        }],
        "transitions": [end, around],
        "transition_key": [number],
    }));
}

#[test]
fn what_recirculates_for_ever_ends_by_its_passes_or_by_its_steps() {
    let mut bench = changed(&[for_ever]);
    assert!(bench.send(9, 0, 0).is_empty());
    assert_eq!(bench.output.drops, Drops { too_many_passes: 1, ..Drops::default() });

    // What is allowed in one pass is not in every one of them: a frame has 2^20 steps for all.
    let mut bench = changed(&[long_passes]);
    assert_eq!(bench.send(9, 0, 0), [(1, vec![9, 0, 3, 0, 0xee])], "four passes are fine");
    let mut bench = changed(&[for_ever, long_passes]);
    assert!(bench.send(9, 0, 0).is_empty());
    assert_eq!(bench.output.drops, Drops { step_limit: 1, ..Drops::default() });
    assert_eq!(bench.send(9, 0xffff, 0).len(), 1, "the next frame has steps of its own");
}

/// So many bytes leave at most for one frame, if each is copied into one pass alone.
const MOST_BYTES: usize = 64 << 20;

fn long_frame() -> Vec<u8> {
    let mut frame = vec![10, 0, 0, 0];
    frame.resize(LONG, 0xee);
    frame
}

#[test]
fn copies_of_copies_end_by_their_steps() {
    let mut bench = changed(&[copies_of_copies]);
    let nodes = ReplicationNode::from_replicas(&[(6, 1), (7, 1)]);
    bench.switch.insert_clone_session(6, &session(CloneTarget::Replicas(nodes))).unwrap();
    for frame in [long_frame(), vec![10, 0, 0, 0]] {
        bench.output.clear();
        bench.switch.process(&mut bench.worker, 3, &frame, bench.now, &mut bench.output);
        let (left, drops) = (bench.output.frames().len() as u64, bench.output.drops);
        assert!(drops.step_limit > 0, "{left} left, {drops:?}");
        // Each that has left has made two, of which so many were too many at once.
        assert_eq!(left + drops.step_limit + drops.too_many_passes, 1 + 2 * left);
        let bytes: usize = bench.output.frames().map(|(_, frame)| frame.len()).sum();
        assert!(bytes <= MOST_BYTES, "{bytes} bytes");
    }
}

#[test]
fn copies_that_wait_go_on_with_what_is_left_to_their_frame() {
    let mut bench = changed(&[copies_of_copies]);
    let nodes = ReplicationNode::from_replicas(&[(6, 1), (6, 2)]);
    bench.switch.insert_clone_session(6, &session(CloneTarget::Replicas(nodes))).unwrap();
    bench.switch.begin_queueing(6);
    bench.output.clear();
    bench.switch.process(&mut bench.worker, 3, &long_frame(), bench.now, &mut bench.output);
    let mut bytes = 0;
    let mut lost = Drops::default();
    loop {
        bytes += bench.output.frames().map(|(_, frame)| frame.len()).sum::<usize>();
        lost.step_limit += bench.output.drops.step_limit;
        assert!(bytes <= MOST_BYTES, "it does not end");
        bench.output.clear();
        if bench.switch.drain(&mut bench.worker, 6, 1, bench.now, &mut bench.output) == Backlog::Empty {
            break;
        }
    }
    assert!(lost.step_limit > 0 && bytes > MOST_BYTES / 2, "{bytes} bytes have left");
}
