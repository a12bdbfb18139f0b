// One of each kind of entity that P4Runtime knows, for the tests of the service. The first byte of the EtherType picks what
// happens to a frame; see the apply block.
#include <core.p4>
#include <v1model.p4>

const bit<9> CPU_PORT = 510;

@controller_header("packet_in")
header packet_in_t {
    bit<9> ingress_port;
    bit<7> _pad;
    bit<16> reason;
}

@controller_header("packet_out")
header packet_out_t {
    bit<9> egress_port;
    bit<7> _pad;
}

header ethernet_t {
    bit<48> dst;
    bit<48> src;
    bit<16> kind;
}

struct headers {
    packet_in_t packet_in;
    packet_out_t packet_out;
    ethernet_t ethernet;
}

struct learn_t {
    bit<48> src;
    bit<9> port;
}

struct metadata {
    bit<2> color;
    bit<32> seen;
}

parser Parse(packet_in packet, out headers hdr, inout metadata meta, inout standard_metadata_t standard) {
    value_set<bit<16>>(4) special_kinds;
    state start {
        transition select(standard.ingress_port) {
            CPU_PORT: from_controller;
            default: ethernet;
        }
    }
    state from_controller {
        packet.extract(hdr.packet_out);
        transition ethernet;
    }
    state ethernet {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.kind) {
            special_kinds: special;
            default: accept;
        }
    }
    state special {
        meta.seen = 1;
        transition accept;
    }
}

control Verify(inout headers hdr, inout metadata meta) {
    apply {}
}

control Forward(inout headers hdr, inout metadata meta, inout standard_metadata_t standard) {
    direct_counter(CounterType.packets_and_bytes) host_hits;
    direct_meter<bit<2>>(MeterType.packets) host_rate;
    counter(8, CounterType.packets_and_bytes) by_port;
    meter(8, MeterType.packets) port_rate;
    register<bit<32>>(8) last_kind;
    action_profile(16) next_hops;
    action_selector(HashAlgorithm.crc16, 16, 14) paths;

    action drop() { mark_to_drop(standard); }
    action forward(bit<9> port) { standard.egress_spec = port; }
    action flood(bit<16> group) { standard.mcast_grp = group; }
    action punt(bit<16> reason) {
        hdr.packet_in.setValid();
        hdr.packet_in.ingress_port = standard.ingress_port;
        hdr.packet_in.reason = reason;
        standard.egress_spec = CPU_PORT;
    }
    action host_forward(bit<9> port) {
        host_hits.count();
        host_rate.read(meta.color);
        standard.egress_spec = port;
    }
    action learn() { digest<learn_t>(1, { hdr.ethernet.src, standard.ingress_port }); }

    table host {
        key = { hdr.ethernet.dst: exact; }
        actions = { host_forward; @defaultonly flood; @defaultonly punt; @defaultonly drop; }
        default_action = drop();
        counters = host_hits;
        meters = host_rate;
        support_timeout = true;
        size = 4;
    }
    table route {
        key = { hdr.ethernet.dst: lpm; }
        actions = { forward; drop; }
        const default_action = drop();
        size = 64;
    }
    table acl {
        key = {
            hdr.ethernet.src: ternary;
            hdr.ethernet.kind: range;
            standard.ingress_port: optional;
        }
        actions = { drop; punt; NoAction; }
        size = 64;
    }
    table fixed {
        key = { hdr.ethernet.kind: exact; }
        actions = { forward; NoAction; }
        const entries = {
            0x0600: forward(3);
        }
    }
    table nexthop {
        key = { hdr.ethernet.dst: exact; }
        actions = { forward; drop; }
        implementation = next_hops;
    }
    table balance {
        key = {
            hdr.ethernet.dst: exact;
            hdr.ethernet.src: selector;
        }
        actions = { forward; drop; }
        implementation = paths;
    }

    apply {
        if (hdr.packet_out.isValid()) {
            standard.egress_spec = hdr.packet_out.egress_port;
            hdr.packet_out.setInvalid();
            exit;
        }
        by_port.count((bit<32>) standard.ingress_port);
        port_rate.execute_meter((bit<32>) standard.ingress_port, meta.color);
        last_kind.write((bit<32>) standard.ingress_port, (bit<32>) hdr.ethernet.kind);
        acl.apply();
        bit<8> what = hdr.ethernet.kind[15:8];
        if (what == 1) {
            host.apply();
        } else if (what == 2) {
            route.apply();
        } else if (what == 3) {
            learn();
        } else if (what == 4) {
            nexthop.apply();
        } else if (what == 5) {
            balance.apply();
        } else if (what == 6) {
            fixed.apply();
        } else if (what == 7) {
            clone(CloneType.I2E, 9);
            standard.egress_spec = 3;
        }
        if (meta.seen == 1) {
            standard.egress_spec = 2;
        }
    }
}

control Mark(inout headers hdr, inout metadata meta, inout standard_metadata_t standard) {
    apply {
        // A clone for the controller carries the header that says so.
        if (standard.instance_type == 1 && standard.egress_port == CPU_PORT) {
            hdr.packet_in.setValid();
            hdr.packet_in.reason = 0xc10e;
        }
    }
}

control Compute(inout headers hdr, inout metadata meta) {
    apply {}
}

control Deparse(packet_out packet, in headers hdr) {
    apply {
        packet.emit(hdr.packet_in);
        packet.emit(hdr.ethernet);
    }
}

V1Switch(Parse(), Verify(), Forward(), Mark(), Compute(), Deparse()) main;
