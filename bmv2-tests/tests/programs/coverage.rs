//! What the corpus covers, taken from its artifacts and tests themselves: a construct that no program has fails here.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::cases;

/// Every primitive that p4c makes of a v1model program. It takes assignments of stacks and unions apart, so `assign_header_stack`,
/// `assign_union` and `assign_union_stack` come from other compilers only.
pub(crate) const PRIMITIVES: &[&str] = &[
    "_jump",
    "_jump_if_zero",
    "add_header",
    "assert",
    "assign",
    "assign_VL",
    "assign_header",
    "assume",
    "clone_egress_pkt_to_egress",
    "clone_ingress_pkt_to_egress",
    "count",
    "execute_meter",
    "exit",
    "generate_digest",
    "log_msg",
    "mark_to_drop",
    "modify_field_rng_uniform",
    "modify_field_with_hash_based_offset",
    "pop",
    "push",
    "recirculate",
    "register_read",
    "register_write",
    "remove_header",
    "resubmit",
    "truncate",
];

const PARSER_OPERATIONS: &[&str] = &["advance", "extract", "extract_VL", "primitive", "set", "verify"];

/// Operators of expressions. Division p4c knows only of constants.
const OPERATORS: &[&str] = &[
    "!=",
    "&",
    "*",
    "+",
    "-",
    "<",
    "<<",
    "<=",
    "==",
    ">",
    ">=",
    ">>",
    "?",
    "^",
    "access_field",
    "and",
    "b2d",
    "d2b",
    "dereference_header_stack",
    "last_stack_index",
    "not",
    "or",
    "sat_cast",
    "two_comp_mod",
    "usat_cast",
    "valid_union",
    "|",
    "~",
];

/// Kinds of operands, of extraction targets, of values in a parser, and of a calculation's input.
const OPERANDS: &[&str] = &[
    "bool",
    "calculation",
    "counter_array",
    "expression",
    "field",
    "header",
    "header_stack",
    "header_union",
    "header_union_stack",
    "hexstr",
    "local",
    "lookahead",
    "meter_array",
    "parameters_vector",
    "parse_vset",
    "payload",
    "register_array",
    "regular",
    "runtime_data",
    "stack",
    "stack_field",
    "string",
    "union_stack",
];

/// `optional` is `ternary` in JSON, and the P4Info has it.
const MATCH_KINDS: &[&str] = &["exact", "lpm", "range", "ternary"];
const TABLE_KINDS: &[&str] = &["indirect", "indirect_ws", "simple"];
const ALGORITHMS: &[&str] = &["crc16", "crc16_custom", "crc32", "crc32_custom", "csum16", "identity", "xor16"];

/// Every field of v1model's standard metadata.
const STANDARD_METADATA: &[&str] = &[
    "checksum_error",
    "deq_qdepth",
    "deq_timedelta",
    "egress_global_timestamp",
    "egress_port",
    "egress_rid",
    "egress_spec",
    "enq_qdepth",
    "enq_timestamp",
    "ingress_global_timestamp",
    "ingress_port",
    "instance_type",
    "mcast_grp",
    "packet_length",
    "parser_error",
    "priority",
];

/// Members of the document that are there where a program has such a thing.
const MEMBERS: &[&str] = &[
    "action_const",
    "counter_arrays",
    "direct_meters",
    "entries",
    "field_lists",
    "is_direct",
    "learn_lists",
    "meter_arrays",
    "parse_vsets",
    "register_arrays",
    "selector",
    "support_timeout",
    "with_counters",
    "__HIT__",
];

/// Statements by which a test makes what a program cannot make itself.
const STATEMENTS: &[&str] = &[
    "add",
    "check_counter",
    "counter_write",
    "digest",
    "idle",
    "mc_mgrp_create",
    "mc_node_associate",
    "mc_node_create",
    "meter_array_set_rates",
    "meter_set_rates",
    "mirroring_add",
    "mirroring_add_mc",
    "port_down",
    "port_up",
    "remove",
    "setdefault",
    "value_set",
];

/// What the programs have.
#[derive(Default)]
struct Found {
    operations: BTreeSet<String>,
    operators: BTreeSet<String>,
    kinds: BTreeSet<String>,
    match_kinds: BTreeSet<String>,
    algorithms: BTreeSet<String>,
    standard_metadata: BTreeSet<String>,
    members: BTreeSet<String>,
}

impl Found {
    fn look(&mut self, value: &Value) {
        match value {
            Value::Array(elements) => elements.iter().for_each(|element| self.look(element)),
            Value::Object(members) => {
                let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
                // Only what is called has parameters.
                let called = members.contains_key("parameters");
                if called { &mut self.operations } else { &mut self.operators }.extend(text("op"));
                self.kinds.extend(text("type"));
                self.match_kinds.extend(text("match_type"));
                self.algorithms.extend(text("algo"));
                if let Some([header, field]) = members.get("value").and_then(Value::as_array).map(Vec::as_slice)
                    && header == "standard_metadata"
                {
                    self.standard_metadata.extend(field.as_str().map(str::to_owned));
                }
                for (name, value) in members {
                    let none = matches!(value, Value::Null | Value::Bool(false));
                    if !none && value.as_array().is_none_or(|elements| !elements.is_empty()) {
                        self.members.insert(name.clone());
                    }
                    self.look(value);
                }
            }
            _ => {}
        }
    }
}

fn lacking(found: &BTreeSet<String>, wanted: &[&str]) -> Vec<String> {
    wanted.iter().filter(|wanted| !found.contains(**wanted)).map(|wanted| (*wanted).to_owned()).collect()
}

#[test]
fn every_construct_has_a_program() {
    let mut found = Found::default();
    let mut statements = BTreeSet::new();
    for case in cases() {
        let json = fs::read(&case.json).unwrap_or_else(|error| panic!("{}: {error}", case.json.display()));
        found.look(&serde_json::from_slice(&json).expect("compiled JSON"));
        let test = fs::read_to_string(&case.test).expect("a test");
        statements.extend(test.lines().filter_map(|line| line.split_whitespace().next().map(str::to_owned)));
    }
    for (what, found, wanted) in [
        ("primitives", &found.operations, PRIMITIVES),
        ("parser operations", &found.operations, PARSER_OPERATIONS),
        ("operators", &found.operators, OPERATORS),
        ("operands", &found.kinds, OPERANDS),
        ("match kinds", &found.match_kinds, MATCH_KINDS),
        ("kinds of tables", &found.kinds, TABLE_KINDS),
        ("hash algorithms", &found.algorithms, ALGORITHMS),
        ("standard metadata", &found.standard_metadata, STANDARD_METADATA),
        ("members", &found.members, MEMBERS),
        ("statements", &statements, STATEMENTS),
    ] {
        assert_eq!(lacking(found, wanted), [] as [&str; 0], "{what} without a program");
    }
}

#[test]
fn there_are_sixty_programs_and_each_says_what_it_is_about() {
    let cases = cases();
    assert!(cases.len() >= 60, "{} programs", cases.len());
    for case in cases {
        let source = fs::read_to_string(case.test.with_extension("p4")).expect("a source beside the test");
        assert!(source.starts_with("// "), "{}: its first line says nothing", case.name);
    }
}
