//! One switch by two doors: what is written over P4Runtime is read over Thrift, and the other way round.

use crate::support::{Switch, said};

#[test]
fn p4runtime_and_thrift_see_each_others_entries() {
    let switch = Switch::running();
    let mut p4runtime = switch.shell();
    let (_server, mut thrift) = switch.over_thrift();
    said(&mut p4runtime, "table_add host host_forward 00:00:00:00:00:01 => 1");
    let over_thrift = said(&mut thrift, "table_dump_entry_from_key host 1");
    assert!(over_thrift.contains("Action entry: Forward.host_forward - 0001"), "{over_thrift}");
    said(&mut thrift, "table_add host host_forward 00:00:00:00:00:02 => 2");
    let over_p4runtime = said(&mut p4runtime, "table_dump_entry_from_key host 2");
    assert!(over_p4runtime.contains("Action entry: Forward.host_forward - 0002"), "{over_p4runtime}");

    said(&mut thrift, "table_delete host 0");
    assert_eq!(said(&mut p4runtime, "table_num_entries host"), "1\n");
    said(&mut p4runtime, "table_clear host");
    assert_eq!(said(&mut thrift, "table_num_entries host"), "0\n");

    said(&mut p4runtime, "act_prof_create_member next_hops forward 3");
    said(&mut thrift, "table_indirect_add nexthop 7 => 0");
    assert!(said(&mut p4runtime, "table_dump nexthop").contains("Index: member(0)"));
    said(&mut thrift, "register_write last_kind 1 2054");
    said(&mut thrift, "counter_write by_port 2 3 4");
    said(&mut thrift, "pvs_add special_kinds 0x600");
    assert_eq!(said(&mut p4runtime, "register_read last_kind 1"), "Forward.last_kind[1]= 2054\n");
    assert_eq!(said(&mut p4runtime, "counter_read by_port 2"), "Forward.by_port[2]= (4 bytes, 3 packets)\n");
    assert_eq!(said(&mut p4runtime, "pvs_get special_kinds"), "0600\n");

    said(&mut p4runtime, "mc_mgrp_create 5");
    said(&mut p4runtime, "mc_node_create 7 1 2");
    said(&mut p4runtime, "mc_node_associate 5 0");
    assert!(said(&mut thrift, "mc_dump").contains("rid=7) -> (ports=[1, 2])"));
    said(&mut thrift, "mirroring_add 3 4");
    assert_eq!(said(&mut p4runtime, "mirroring_get 3"), "session 3 -> port 4 (rid 0)\n");
}
