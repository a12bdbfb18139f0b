//! Calls and their answers, by their bytes.

use vouch_switch::{EntryAction, ReplicationNode};

use crate::support::{Bytes, Key, Reply, Switch, of};

const HOST: &str = "Forward.host";

fn add(mac: u8, action: &str, data: &[&[u8]]) -> Bytes {
    of(HOST).mac(mac).string(4, action).data(5, data).field(12, 6).end()
}

#[test]
fn an_entry_is_added_changed_and_removed_and_the_engine_has_it() {
    let switch = Switch::start();
    let mut client = switch.connect();
    let count = |client: &mut crate::support::Client| client.standard("bm_mt_get_num_entries", of(HOST));
    let entry = add(1, "Forward.host_forward", &[&[0, 9]]);
    assert_eq!(client.standard("bm_mt_add_entry", entry.clone()), Reply::Number(0));
    assert_eq!(client.standard("bm_mt_add_entry", entry), Reply::Refused(17), "DUPLICATE_ENTRY");
    assert_eq!(count(&mut client), Reply::Number(1));
    let modify = |handle| of(HOST).i32(3, handle).string(4, "Forward.host_forward").data(5, &[&[0, 7]]);
    assert_eq!(client.standard("bm_mt_modify_entry", modify(0)), Reply::Done);
    let found = switch.handle.control().with(|running| {
        let table = running.switch().program().table(HOST).expect("it is there");
        running.switch().entries(table).expect("it is there").remove(0).entry.action
    });
    assert!(matches!(found, Some(EntryAction::Call(call)) if call.params == [[0, 7]]));
    assert_eq!(client.standard("bm_mt_delete_entry", of(HOST).i32(3, 0)), Reply::Done);
    assert_eq!(client.standard("bm_mt_delete_entry", of(HOST).i32(3, 0)), Reply::Refused(2), "INVALID_HANDLE");
    let again = client.standard("bm_mt_add_entry", add(2, "Forward.host_forward", &[&[0, 9]]));
    assert_eq!(again, Reply::Number(1 << 24));
    assert_eq!(client.standard("bm_mt_modify_entry", modify(0)), Reply::Refused(3), "EXPIRED_HANDLE");
    assert_eq!(count(&mut client), Reply::Number(1));
}

#[test]
fn what_others_add_gets_handles_and_what_they_remove_loses_them() {
    let switch = Switch::start();
    let mut client = switch.connect();
    assert_eq!(client.standard("bm_mt_add_entry", add(1, "Forward.host_forward", &[&[9]])), Reply::Number(0));
    switch.handle.control().with(|running| {
        let engine = running.switch().clone();
        let table = engine.program().table(HOST).expect("it is there");
        let first = engine.entries(table).expect("it is there").remove(0).entry;
        let mut second = first.clone();
        second.key.matches = vec![vouch_switch::Match::Exact(vec![2, 0, 0, 0, 0, 2])];
        engine.insert_entry(table, &second, running.now()).expect("it is new");
        running.delete_entry(table, &first.key).expect("it is there");
    });
    assert_eq!(client.standard("bm_mt_delete_entry", of(HOST).i32(3, 0)), Reply::Refused(3), "EXPIRED_HANDLE");
    assert_eq!(client.standard("bm_mt_delete_entry", of(HOST).i32(3, 1 << 24)), Reply::Done);
}

#[test]
fn refusals_have_the_codes_of_the_reference() {
    let switch = Switch::start();
    let mut client = switch.connect();
    let mut refused = |method: &str, arguments: Bytes| match client.standard(method, arguments) {
        Reply::Refused(code) => code,
        other => panic!("{method}: {other:?}"),
    };
    assert_eq!(refused("bm_mt_get_num_entries", of("nothing")), 7);
    assert_eq!(refused("bm_mt_add_entry", add(1, "Forward.nothing", &[])), 8);
    assert_eq!(refused("bm_mt_add_entry", add(1, "Forward.host_forward", &[])), 26);
    let short = of(HOST).field(15, 3).list(12, 0).string(4, "Forward.drop").data(5, &[]);
    assert_eq!(refused("bm_mt_add_entry", short), 18);
    assert_eq!(refused("bm_mt_indirect_delete_entry", of(HOST).i32(3, 0)), 9);
    assert_eq!(refused("bm_mt_act_prof_create_group", of("Forward.next_hops")), 24);
    assert_eq!(refused("bm_counter_read", of("nothing").i32(3, 0)), 1);
    assert_eq!(refused("bm_counter_read", of("Forward.by_port").i32(3, -1)), 2);
    assert_eq!(refused("bm_register_read", of("Forward.last_kind").i32(3, 8)), 2);
    assert_eq!(refused("bm_swap_configs", Bytes::default()), 3);
    assert_eq!(client.call("simple_switch:mirroring_session_delete", Bytes::default().i32(1, 5)), Reply::Refused(1));
    let destroy = Bytes::default().i32(1, 0).i32(2, 5);
    assert_eq!(client.call("simple_pre:bm_mc_node_destroy", destroy.clone()), Reply::Refused(4));
    assert_eq!(client.call("simple_pre_lag:bm_mc_node_destroy", destroy), Reply::Refused(4));
}

#[test]
fn multicast_groups_reach_the_engine() {
    let switch = Switch::start();
    let mut client = switch.connect();
    let mut pre = |method: &str, arguments: Bytes| client.call(&format!("simple_pre:{method}"), arguments);
    assert_eq!(pre("bm_mc_mgrp_create", Bytes::default().i32(2, 7)), Reply::Number(7));
    assert_eq!(pre("bm_mc_node_create", Bytes::default().i32(2, 5).string(3, "110")), Reply::Number(0));
    assert_eq!(pre("bm_mc_node_associate", Bytes::default().i32(2, 7).i32(3, 0)), Reply::Done);
    let groups = switch.handle.control().with(|running| running.switch().multicast_groups());
    assert_eq!(groups, Some(vec![(7, vec![ReplicationNode { instance: 5, ports: vec![1, 2] }])]));
}

#[test]
fn the_program_is_shown_and_can_be_replaced() {
    let switch = Switch::start();
    let mut client = switch.connect();
    let text = std::fs::read_to_string(crate::support::kinds()).expect("it is text");
    assert_eq!(client.standard("bm_get_config", Bytes::default()), Reply::Text(text.clone().into_bytes()));
    let Reply::Text(md5) = client.standard("bm_get_config_md5", Bytes::default()) else { panic!("it is a sum") };
    assert_eq!(md5.len(), 16);
    assert!(matches!(client.standard("bm_load_new_config", Bytes::default().string(1, "{")), Reply::Failed(_, 6)));
    client.standard("bm_mt_add_entry", add(1, "Forward.host_forward", &[&[9]]));
    assert_eq!(client.standard("bm_load_new_config", Bytes::default().string(1, &text)), Reply::Done);
    assert_eq!(client.standard("bm_load_new_config", Bytes::default().string(1, &text)), Reply::Refused(2));
    assert_eq!(client.standard("bm_swap_configs", Bytes::default()), Reply::Done);
    assert_eq!(client.standard("bm_mt_get_num_entries", of(HOST)), Reply::Number(0));
    assert!(matches!(client.standard("bm_serialize_state", Bytes::default()), Reply::Failed(_, 6)));
}

#[test]
fn ports_are_added_and_removed() {
    let switch = Switch::start();
    let mut client = switch.connect();
    let mut add = |name: &str, number: i32| {
        let arguments = Bytes::default().string(1, name).i32(2, number).string(3, "");
        client.standard("bm_dev_mgr_add_port", arguments)
    };
    let ports = || switch.handle.control().ports().into_keys().collect::<Vec<_>>();
    assert_eq!((add("veth7", 7), ports()), (Reply::Done, vec![7]));
    // Numbers that are taken, or are no port's, and an interface that is not there.
    for (name, number) in [("veth7", 7), ("veth7", 510), ("veth7", 511), ("veth7", 512), ("veth7", -1), ("veth8", 8)] {
        assert_eq!((add(name, number), ports()), (Reply::Refused(1), vec![7]), "{name} as {number}");
    }
    assert_eq!((add("veth7", 8), ports()), (Reply::Done, vec![7, 8]));
    let mut client = switch.connect();
    let mut remove = |number: i32| client.standard("bm_dev_mgr_remove_port", Bytes::default().i32(1, number));
    assert_eq!((remove(7), ports()), (Reply::Done, vec![8]));
    assert_eq!((remove(7), remove(-1), ports()), (Reply::Refused(1), Reply::Refused(1), vec![8]));
}

#[test]
fn queues_get_their_limits() {
    let switch = Switch::start();
    let mut client = switch.connect();
    let depth = |port| switch.handle.control().queues(port)[0].limits.depth;
    let one = |port, priority, depth| Bytes::default().i32(1, port).i32(2, priority).i32(3, depth);
    assert_eq!(depth(3), 64);
    assert_eq!(client.call("simple_switch:set_egress_priority_queue_depth", one(3, 0, 5)), Reply::Number(0));
    assert_eq!((depth(3), depth(4)), (5, 64));
    assert_eq!(client.call("simple_switch:set_all_egress_queue_depths", Bytes::default().i32(1, -1)), Reply::Number(0));
    assert_eq!((depth(3), depth(4)), (u32::MAX, u32::MAX));
    let refused = client.call("simple_switch:set_egress_priority_queue_depth", one(3, 1, 5));
    assert_eq!(
        refused,
        Reply::Failed("there is no queue of priority 1: each port has 1, numbered from 0".to_owned(), 6)
    );
    // A port that nobody can plug in has queues in which nothing will be.
    assert_eq!(client.call("simple_switch:set_egress_priority_queue_depth", one(-1, 0, 5)), Reply::Number(0));
}
