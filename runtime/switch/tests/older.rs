//! Documents as compilers before today's p4c wrote them: actions by name, no expressions, validity copied like a field.

use std::sync::Arc;

use serde_json::{Value, json};
use vouch_switch::*;

fn field(header: &str, name: &str) -> Value {
    json!({"type": "field", "value": [header, name]})
}

fn number(digits: &str) -> Value {
    json!({"type": "hexstr", "value": digits})
}

fn primitive(op: &str, parameters: &[Value]) -> Value {
    json!({"op": op, "parameters": parameters})
}

/// A program whose one table does this and sends the packet to port 2.
fn program(primitives: &[Value]) -> Value {
    let send = primitive("modify_field", &[field("standard_metadata", "egress_spec"), number("0x2")]);
    let primitives = [primitives, &[send]].concat();
    json!({
        "header_types": [
            {"name": "standard_t", "id": 0, "fields": [["ingress_port", 9], ["egress_spec", 9], ["_pad", 6]]},
            {"name": "h_t", "id": 1, "fields": [["a", 8], ["b", 8], ["c", 8]]},
        ],
        "headers": [
            {"name": "standard_metadata", "id": 0, "header_type": "standard_t", "metadata": true},
            {"name": "h", "id": 1, "header_type": "h_t", "metadata": false},
            {"name": "copy", "id": 2, "header_type": "h_t", "metadata": false},
        ],
        "parsers": [{"name": "parser", "id": 0, "init_state": "start", "parse_states": [{
            "name": "start", "id": 0,
            "parser_ops": [
                {"op": "extract", "parameters": [{"type": "regular", "value": "h"}]},
                {"op": "set", "parameters": [field("copy", "$valid$"), field("h", "a")]},
                {"op": "set", "parameters": [field("copy", "b"), number("0x77")]},
            ],
            "transition_key": [],
            "transitions": [{"type": "default", "value": null, "mask": null, "next_state": null}],
        }]}],
        "actions": [
            {"name": "nothing", "id": 0, "runtime_data": [], "primitives": []},
            {"name": "compute", "id": 1, "runtime_data": [], "primitives": primitives},
        ],
        "pipelines": [
            {"name": "ingress", "id": 0, "init_table": "t", "conditionals": [], "tables": [{
                "name": "t", "id": 0, "match_type": "exact", "type": "simple", "max_size": 16, "with_counters": false,
                "direct_meters": null, "support_timeout": false, "default_action": null,
                "key": [{"match_type": "exact", "target": ["h", "c"], "mask": null}],
                "actions": ["nothing", "compute"], "next_tables": {"nothing": null, "compute": null},
            }]},
            {"name": "egress", "id": 1, "init_table": null, "conditionals": [], "tables": []},
        ],
        "deparsers": [{"name": "deparser", "id": 0, "order": ["h", "copy"]}],
    })
}

fn load(document: &Value) -> Result<Program, String> {
    Program::load(document.to_string().as_bytes()).map_err(|error| error.to_string())
}

/// What becomes of a frame where the table computes.
fn out(document: &Value, frame: &[u8]) -> Vec<u8> {
    let program = Arc::new(load(document).expect("a program"));
    let table = program.table("t").expect("a table");
    let call = ActionCall { action: program.table_action(table, "compute").expect("an action"), params: Vec::new() };
    let key = EntryKey { matches: vec![Match::Exact(vec![frame[2]])], priority: 0 };
    let entry = TableEntry { key, action: EntryAction::Call(call), idle_timeout: Micros(0), meter: None };
    let switch = Switch::new(program, SwitchConfig::default());
    switch.insert_entry(table, &entry, Micros(0)).expect("an entry");
    let (mut worker, mut frames) = (Worker::new(&switch), Output::new());
    switch.process(&mut worker, 1, frame, Micros(0), &mut frames);
    let sent: Vec<_> = frames.frames().collect();
    let [(2, sent)] = sent.as_slice() else { panic!("one frame by port 2, not {sent:?}") };
    sent.to_vec()
}

#[test]
fn what_is_computed_is_what_expressions_compute() {
    let [a, b] = ["a", "b"].map(|name| field("h", name));
    for (op, parameters, (a, b), result) in [
        ("add_to_field", vec![a.clone(), b.clone()], (0xf0, 0x20), 0x10),
        ("subtract_from_field", vec![a.clone(), b.clone()], (0x10, 0x20), 0xf0),
        ("add", vec![a.clone(), b.clone(), number("0x3")], (0, 0xff), 2),
        ("subtract", vec![a.clone(), number("0x1"), b.clone()], (0, 2), 0xff),
        ("bit_and", vec![a.clone(), a.clone(), b.clone()], (0x3c, 0x0f), 0x0c),
        ("bit_or", vec![a.clone(), a.clone(), b.clone()], (0x3c, 0x0f), 0x3f),
        ("bit_xor", vec![a.clone(), a.clone(), b.clone()], (0x3c, 0x0f), 0x33),
        ("shift_left", vec![a.clone(), b.clone(), number("0x4")], (0, 0x3c), 0xc0),
        ("shift_right", vec![a.clone(), b.clone(), number("0x4")], (0, 0x3c), 0x03),
    ] {
        // Its lowest bit makes the copy valid, which is not what this is about.
        let mut document = program(&[primitive(op, &parameters)]);
        document["deparsers"][0]["order"] = json!(["h"]);
        assert_eq!(out(&document, &[a, b, 5]), [result, b, 5], "{op}");
    }
}

#[test]
fn a_header_is_as_valid_as_it_is_set() {
    let document = program(&[]);
    assert_eq!(out(&document, &[1, 2, 5]), [1, 2, 5, 0, 0x77, 0]);
    assert_eq!(out(&document, &[0, 2, 5]), [0, 2, 5]);
    let document = program(&[primitive("modify_field", &[field("h", "$valid$"), number("0x0")])]);
    assert_eq!(out(&document, &[1, 2, 5]), [0, 0x77, 0]);
}

#[test]
fn a_table_describes_its_action_profile() {
    let mut document = program(&[]);
    let table = &mut document["pipelines"][0]["tables"][0];
    table["type"] = json!("indirect_ws");
    table["act_prof_name"] = json!("paths");
    table["selector"] = json!({"algo": "crc16", "input": [field("h", "a")]});
    let program = load(&document).expect("a program");
    let profiles: Vec<_> = program.profiles().map(|(id, info)| (id, info.name.as_str(), info.selector)).collect();
    let [(id, "paths", true)] = profiles.as_slice() else { panic!("{profiles:?}") };
    let table = program.table("t").and_then(|table| program.table_info(table)).expect("a table");
    assert_eq!(table.profile, Some(*id));
}

#[test]
fn an_action_that_is_not_there_is_named() {
    let mut document = program(&[]);
    document["pipelines"][0]["tables"][0]["actions"] = json!(["nothing", "else"]);
    let refused = load(&document).expect_err("there is no such action");
    assert_eq!(refused, "pipelines[0].tables[0].actions[1]: no action is called `else`");
}
