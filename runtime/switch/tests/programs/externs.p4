// What a program can ask of the switch beside tables: one opcode in the frame chooses one request.
#include <core.p4>
#include <v1model.p4>

header op_t {
    bit<8>  op;
    bit<16> value;
    bit<8>  mark;
}

struct headers_t { op_t op; }

struct meta_t {
    @field_list(1) bit<16> kept;
    bit<16> lost;
    bit<2>  color;
    bit<32> key;
}

struct seen_t { bit<9> port; bit<16> value; }

parser P(packet_in packet, out headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    value_set<bit<16>>(4) special;
    state start {
        packet.extract(hdr.op);
        transition select(hdr.op.value) {
            special: marked;
            default: accept;
        }
    }
    state marked { meta.lost = 7; transition accept; }
}

control V(inout headers_t hdr, inout meta_t meta) { apply { } }
control U(inout headers_t hdr, inout meta_t meta) { apply { } }

control I(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    counter(4, CounterType.packets_and_bytes) hits;
    meter(4, MeterType.packets) police;
    register<bit<16>>(4) memory;
    direct_counter(CounterType.packets_and_bytes) by_entry;
    direct_meter<bit<2>>(MeterType.packets) entry_police;

    action out_of(bit<9> port) { std.egress_spec = port; }
    action drop() { mark_to_drop(std); }

    action_selector(HashAlgorithm.identity, 16, 16) selected;
    table spread {
        key = { hdr.op.op: exact; hdr.op.value: selector; }
        actions = { out_of; drop; NoAction; }
        implementation = selected;
    }
    action counted(bit<9> port) { std.egress_spec = port; by_entry.count(); }
    table idle {
        key = { hdr.op.value: exact; }
        actions = { counted; NoAction; }
        counters = by_entry;
        support_timeout = true;
        size = 2;
    }
    action metered() { std.egress_spec = 1; entry_police.read(meta.color); }
    table metered_table {
        key = { hdr.op.value: exact; }
        actions = { metered; NoAction; }
        meters = entry_police;
    }
    table ranked {
        key = { hdr.op.value: ternary; hdr.op.mark: range; }
        actions = { out_of; @defaultonly NoAction; }
    }
    table prefixes {
        key = { hdr.op.value: lpm; }
        actions = { out_of; drop; }
        default_action = drop();
    }
    table fixed {
        key = { hdr.op.value: ternary; }
        actions = { out_of; drop; }
        const default_action = drop();
        const entries = {
            0x0100 &&& 0xff00: out_of(11);
            0x0000 &&& 0x0000: out_of(12);
        }
    }

    apply {
        std.egress_spec = 1;
        meta.kept = hdr.op.value;
        if (hdr.op.op == 1) { clone_preserving_field_list(CloneType.I2E, 5, 1); mark_to_drop(std); }
        else if (hdr.op.op == 2 && std.instance_type == 0) { resubmit_preserving_field_list(1); }
        else if (hdr.op.op == 3) { std.mcast_grp = hdr.op.value; }
        else if (hdr.op.op == 4) { digest<seen_t>(1, { std.ingress_port, hdr.op.value }); }
        else if (hdr.op.op == 5) { hits.count((bit<32>) hdr.op.value); }
        else if (hdr.op.op == 6) { police.execute_meter((bit<32>) hdr.op.value, meta.color); hdr.op.mark = (bit<8>) meta.color; }
        else if (hdr.op.op == 7) {
            bit<16> old;
            memory.read(old, 2);
            memory.write(2, old + hdr.op.value);
            hdr.op.value = old;
        }
        else if (hdr.op.op == 8) { truncate(3); }
        else if (hdr.op.op == 11) { spread.apply(); }
        else if (hdr.op.op == 12) { idle.apply(); }
        else if (hdr.op.op == 13) { metered_table.apply(); hdr.op.mark = (bit<8>) meta.color; }
        else if (hdr.op.op == 14) { ranked.apply(); }
        else if (hdr.op.op == 15) { prefixes.apply(); }
        else if (hdr.op.op == 16) { fixed.apply(); }
        else if (hdr.op.op == 17) { hdr.op.value = meta.lost; }
        else if (hdr.op.op == 18) { random(hdr.op.value, 16w10, 16w20); }
        else if (hdr.op.op == 20) { mark_to_drop(std); }
    }
}

control E(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    apply {
        if (hdr.op.op == 1 && std.instance_type == 1) { hdr.op.value = meta.kept + 1; hdr.op.mark = (bit<8>) std.egress_rid; }
        if (hdr.op.op == 2) { hdr.op.mark = (bit<8>) std.instance_type; }
        if (hdr.op.op == 3) { hdr.op.mark = (bit<8>) std.egress_rid; }
        if (hdr.op.op == 9 && hdr.op.value < 3) { hdr.op.value = hdr.op.value + 1; recirculate_preserving_field_list(1); }
        if (hdr.op.op == 10 && std.instance_type == 0) { clone_preserving_field_list(CloneType.E2E, 6, 1); }
        if (hdr.op.op == 10 && std.instance_type == 2) { hdr.op.mark = 2; hdr.op.value = meta.kept; }
        if (hdr.op.op == 19) { hdr.op.value = (bit<16>) std.packet_length; }
    }
}

control D(packet_out packet, in headers_t hdr) { apply { packet.emit(hdr.op); } }

V1Switch(P(), V(), I(), E(), U(), D()) main;
