// Something of everything that a controller can reach, for tests of the client on real switches.
// p4c-bm2-ss --std p4-16 --p4runtime-files everything.p4info.txtpb -o everything.json everything.p4
#include <core.p4>
#include <v1model.p4>

@controller_header("packet_in")
header packet_in_t {
    bit<9> ingress_port;
    bit<7> _pad;
    bit<16> tag;
}

@controller_header("packet_out")
header packet_out_t {
    bit<9> egress_port;
    bit<7> _pad;
}

header ethernet_t {
    bit<48> dst;
    bit<48> src;
    bit<16> type;
}

struct headers_t {
    packet_in_t packet_in;
    packet_out_t packet_out;
    ethernet_t ethernet;
}

struct metadata_t {
    bit<2> colour;
}

struct learn_t {
    bit<48> src;
    bit<9> port;
}

parser Parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        transition select(standard.ingress_port) {
            510: from_cpu;
            default: ethernet;
        }
    }
    state from_cpu {
        packet.extract(hdr.packet_out);
        transition ethernet;
    }
    state ethernet {
        packet.extract(hdr.ethernet);
        transition accept;
    }
}

control Verify(inout headers_t hdr, inout metadata_t meta) {
    apply {}
}

control In(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    counter(8, CounterType.packets_and_bytes) seen;
    meter(8, MeterType.packets) punts;
    direct_counter(CounterType.packets) hits;
    direct_meter<bit<2>>(MeterType.bytes) rate;

    action forward(bit<9> port) {
        standard.egress_spec = port;
    }
    action to_group(bit<16> group) {
        standard.mcast_grp = group;
    }
    action to_cpu(bit<16> tag) {
        standard.egress_spec = 510;
        hdr.packet_in.setValid();
        hdr.packet_in.ingress_port = standard.ingress_port;
        hdr.packet_in.tag = tag;
    }
    action counted_forward(bit<9> port) {
        hits.count();
        standard.egress_spec = port;
    }
    action to_cpu_metered(bit<16> tag) {
        rate.read(meta.colour);
        to_cpu(tag);
    }
    action learn() {
        digest<learn_t>(1, { hdr.ethernet.src, standard.ingress_port });
    }

    table by_destination {
        key = {
            hdr.ethernet.dst: exact;
        }
        actions = { counted_forward; @defaultonly NoAction; }
        default_action = NoAction();
        counters = hits;
        support_timeout = true;
        size = 64;
    }
    table by_type {
        key = {
            hdr.ethernet.type: ternary;
            standard.ingress_port: optional;
            hdr.ethernet.src: range;
        }
        actions = { to_cpu_metered; NoAction; }
        default_action = NoAction();
        meters = rate;
        size = 64;
    }
    table by_prefix {
        key = {
            hdr.ethernet.src: lpm;
        }
        actions = { learn; to_group; forward; NoAction; }
        default_action = NoAction();
        size = 4;
    }

    apply {
        seen.count((bit<32>)standard.ingress_port & 7);
        punts.execute_meter<bit<2>>((bit<32>)standard.ingress_port & 7, meta.colour);
        if (hdr.packet_out.isValid()) {
            standard.egress_spec = hdr.packet_out.egress_port;
            hdr.packet_out.setInvalid();
        }
        by_destination.apply();
        by_prefix.apply();
        by_type.apply();
    }
}

control Out(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {}
}

control Compute(inout headers_t hdr, inout metadata_t meta) {
    apply {}
}

control Deparse(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.packet_in);
        packet.emit(hdr.ethernet);
    }
}

V1Switch(Parse(), Verify(), In(), Out(), Compute(), Deparse()) main;
