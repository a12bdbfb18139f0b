//! What is refused, and how it is told.

use p4_switch::commands::{Access, Remote};
use vouch_p4runtime::SessionConfig;

use crate::support::{Switch, kinds, played, refusal, said};

#[test]
fn mistakes_are_told_with_what_would_be_right() {
    let switch = Switch::running();
    let mut shell = switch.shell();
    let tables = "Forward.host, Forward.route, Forward.acl, Forward.fixed, Forward.nexthop, Forward.balance";
    let cases = [
        ("table_dump nothing", format!("table_dump: there is no table `nothing`; there is {tables}")),
        (
            "table_add host drop",
            "table_add: expected table_add TABLE ACTION KEY... => [PARAMETER...] [PRIORITY]".into(),
        ),
        ("table_add host host_forward 1 2 => 3", "table_add: the key has 1 fields (hdr.ethernet.dst), not 2".into()),
        (
            "table_add host forward 1 => 3",
            "table_add: there is no action of the table `forward`; there is Forward.host_forward, Forward.flood, \
             Forward.punt, Forward.drop"
                .into(),
        ),
        (
            "table_add acl drop 1&&&1 1->2 1&&&0x1ff =>",
            "table_add: an entry of this table has a priority at its end".into(),
        ),
        (
            "table_add nexthop forward 1 => 3",
            "table_add: what entries of Forward.nexthop do is in the action profile Forward.next_hops: \
             act_prof_create_member makes a member, table_indirect_add an entry"
                .into(),
        ),
        (
            "table_indirect_add host 1 => 0",
            "table_indirect_add: Forward.host has no action profile; table_add adds its entries".into(),
        ),
        (
            "act_prof_create_group next_hops",
            "act_prof_create_group: Forward.next_hops has no selector, so that it has no groups".into(),
        ),
        ("act_prof_dump_member paths 4", "act_prof_dump_member: there is no member with handle 4".into()),
        (
            "act_prof_add_member_to_group paths 0 3",
            "act_prof_add_member_to_group: there is no group with handle 3".into(),
        ),
        ("table_delete host 5", "table_delete: the table has no entry with handle 5".into()),
        ("table_dump_entry_from_key host 5", "table_dump_entry_from_key: the table has no such entry".into()),
        ("mirroring_get 7", "mirroring_get: there is no session 7".into()),
        ("mc_node_associate 9 0", "mc_node_associate: there is no node with handle 0".into()),
        ("mc_node_create 1 a", "mc_node_create: `a` is not a number that fits here".into()),
        ("meter_set_rates port_rate 0 1 2:3", "meter_set_rates: `1`: a rate is RATE:BURST".into()),
        ("register_write last_kind 0 4294967296", "register_write: `4294967296` does not fit 32 bits".into()),
        (
            "set_queue_rate 5",
            "set_queue_rate: P4Runtime has no words for it; Thrift has: p4-switch-cli --thrift-port PORT".into(),
        ),
        ("swap_configs", "swap_configs: there is no other program: load_new_config_file reads one".into()),
        (
            "load_new_config_file /nothing.json",
            "load_new_config_file: /nothing.json: No such file or directory (os error 2)".into(),
        ),
    ];
    for (line, told) in cases {
        assert_eq!(refusal(&mut shell, line), told);
    }
    assert!(refusal(&mut shell, "table_ad").starts_with("table_ad: there is no such command; there is show_tables, "));
}

#[test]
fn what_the_switch_refuses_is_told_in_its_words() {
    let switch = Switch::running();
    let mut shell = switch.shell();
    said(&mut shell, "table_add host host_forward 1 => 1");
    let again = refusal(&mut shell, "table_add host host_forward 1 => 2");
    assert!(again.starts_with("table_add: ") && again.ends_with("(AlreadyExists)"), "{again}");
    assert_eq!(said(&mut shell, "table_add host host_forward 2 => 2"), "Entry has been added with handle 1\n");
    let constant = refusal(&mut shell, "table_set_default route drop");
    assert!(constant.ends_with("the default action is constant (PermissionDenied)"), "{constant}");
    said(&mut shell, "act_prof_create_member next_hops drop");
    for line in [
        "table_indirect_set_default nexthop 0",
        "table_indirect_set_default_with_group balance 0",
        "table_indirect_reset_default nexthop",
    ] {
        let refused = refusal(&mut shell, line);
        let told = "the default action of a table with an action profile is constant (PermissionDenied)";
        assert!(refused.ends_with(told), "{refused}");
    }
    let outside = refusal(&mut shell, "counter_read by_port 8");
    assert!(outside.starts_with("counter_read: ") && outside.contains("8"), "{outside}");
}

#[test]
fn a_refused_change_of_nodes_leaves_them_as_they_were() {
    let switch = Switch::running();
    let mut shell = switch.shell();
    let (whole, _, errors) = played(
        &mut shell,
        "mc_mgrp_create 1\nmc_node_create 5 1 2\nmc_node_create 5 3\nmc_node_create 5 2\n\
         mc_node_associate 1 0\nmc_node_associate 1 1",
        false,
    );
    assert!(whole, "{errors}");
    let before = said(&mut shell, "mc_dump");
    let twice = "there would be two copies with rid 5 to port 2";
    assert_eq!(refusal(&mut shell, "mc_node_associate 1 2"), format!("mc_node_associate: {twice}"));
    assert_eq!(refusal(&mut shell, "mc_node_update 1 2"), format!("mc_node_update: {twice}"));
    assert_eq!(refusal(&mut shell, "mc_node_dissociate 1 2"), "mc_node_dissociate: node 2 is not in group 1");
    assert_eq!(said(&mut shell, "mc_dump"), before);
}

#[test]
fn the_first_mistake_ends_a_script_unless_it_is_to_keep_going() {
    let switch = Switch::running();
    let mut shell = switch.shell();
    let script = "# first\ntable_num_entries host\n\ntable_delete host 7\ntable_num_entries route\n";
    let refused = "line 4: table_delete: the table has no entry with handle 7\n";
    assert_eq!(played(&mut shell, script, false), (false, "0\n".to_owned(), refused.to_owned()));
    assert_eq!(played(&mut shell, script, true), (false, "0\n0\n".to_owned(), refused.to_owned()));
    assert_eq!(played(&mut shell, "exit\ntable_delete host 7", false), (true, String::new(), String::new()));
}

#[test]
fn a_switch_without_a_program_gets_one() {
    let switch = Switch::empty();
    let mut shell = switch.shell();
    let none = "table_dump: there is no table `host`; there is none at all; the switch runs no program: ";
    assert_eq!(refusal(&mut shell, "table_dump host"), format!("{none}load_new_config_file reads one"));
    let (program, p4info) = kinds();
    said(&mut shell, &format!("load_new_config_file {} {}", program.display(), p4info.display()));
    let read = format!("{none}swap_configs runs the one that was read");
    assert_eq!(refusal(&mut shell, "table_dump host"), read);
    said(&mut shell, "swap_configs");
    said(&mut shell, "table_dump host");
    assert_eq!(switch.shell().start_with(&program, Some(&p4info)), Ok(true));
}

#[test]
fn there_must_be_a_switch_and_the_device() {
    let nobody = Remote::connect(Access { config: SessionConfig::new("127.0.0.1:1", 0, 1), insists: false });
    let told = nobody.expect_err("nobody is there");
    assert!(told.starts_with("cannot reach the switch at 127.0.0.1:1: "), "{told}");
    let switch = Switch::empty();
    let config = SessionConfig { device_id: 9, ..switch.config(1) };
    let told = Remote::connect(Access { config, insists: false }).expect_err("there is no device 9");
    assert!(told.contains("9") && told.ends_with("(NotFound)"), "{told}");
}
