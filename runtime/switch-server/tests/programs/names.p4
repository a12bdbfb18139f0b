// Values that the controller spells otherwise than the data plane: ports and next hops by name, tenants by wider numbers.
#include <core.p4>
#include <v1model.p4>

const bit<9> CPU_PORT = 510;

@p4runtime_translation("example.org/port", string)
type bit<9> port_name_t;

@p4runtime_translation("example.org/hop", string)
type bit<4> hop_name_t;

@p4runtime_translation("example.org/tenant", 32)
type bit<12> tenant_t;

@controller_header("packet_in")
header packet_in_t {
    port_name_t ingress_port;
    bit<7> _pad;
}

@controller_header("packet_out")
header packet_out_t {
    port_name_t egress_port;
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

struct metadata {
    hop_name_t hop;
    tenant_t tenant;
}

struct seen_t {
    bool known;
    int<8> level;
    bit<16> kind;
    tenant_t tenant;
}

parser Parse(packet_in packet, out headers hdr, inout metadata meta, inout standard_metadata_t standard) {
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
        transition accept;
    }
}

control Verify(inout headers hdr, inout metadata meta) {
    apply {}
}

control Forward(inout headers hdr, inout metadata meta, inout standard_metadata_t standard) {
    register<int<16>>(4) levels;
    action_selector(HashAlgorithm.crc16, 16, 14) paths;

    action drop() { mark_to_drop(standard); }
    action choose(hop_name_t hop) { meta.hop = hop; }
    action forward(port_name_t port) { standard.egress_spec = (bit<9>) port; }
    action flood(bit<16> group) { standard.mcast_grp = group; }
    action punt() {
        hdr.packet_in.setValid();
        hdr.packet_in.ingress_port = (port_name_t) standard.ingress_port;
        standard.egress_spec = CPU_PORT;
    }
    action report(tenant_t tenant) {
        digest<seen_t>(1, { true, -2, hdr.ethernet.kind, tenant });
    }

    table by_dst {
        key = { hdr.ethernet.dst: exact; }
        actions = { choose; punt; flood; report; @defaultonly drop; }
        default_action = drop();
    }
    table by_hop {
        key = { meta.hop: exact; }
        actions = { forward; @defaultonly NoAction; }
    }
    table by_tenant {
        key = {
            meta.tenant: ternary;
            (port_name_t) standard.ingress_port: optional @name("port");
        }
        actions = { forward; drop; NoAction; }
    }
    table balance {
        key = {
            hdr.ethernet.dst: exact;
            hdr.ethernet.src: selector;
        }
        actions = { forward; }
        implementation = paths;
    }

    apply {
        if (hdr.packet_out.isValid()) {
            standard.egress_spec = (bit<9>) hdr.packet_out.egress_port;
            hdr.packet_out.setInvalid();
            exit;
        }
        meta.tenant = (tenant_t) hdr.ethernet.kind[11:0];
        int<16> level;
        levels.read(level, 0);
        levels.write(1, level);
        by_dst.apply();
        by_hop.apply();
        by_tenant.apply();
        balance.apply();
    }
}

control Mark(inout headers hdr, inout metadata meta, inout standard_metadata_t standard) {
    apply {}
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
