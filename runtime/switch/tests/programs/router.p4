// An IPv4 router with an access list: what the benchmarks put many entries into.
// Compile: p4c-bm2-ss --arch v1model router.p4 -o router.json
#include <core.p4>
#include <v1model.p4>

header ethernet_t {
    bit<48> dst;
    bit<48> src;
    bit<16> ether_type;
}

header ipv4_t {
    bit<4>  version;
    bit<4>  header_words;
    bit<8>  tos;
    bit<16> total_bytes;
    bit<16> identification;
    bit<3>  flags;
    bit<13> fragment_offset;
    bit<8>  ttl;
    bit<8>  protocol;
    bit<16> checksum;
    bit<32> src;
    bit<32> dst;
}

header ports_t {
    bit<16> src;
    bit<16> dst;
}

struct headers_t {
    ethernet_t ethernet;
    ipv4_t     ipv4;
    ports_t    ports;
}

struct metadata_t {
    bit<16> next_hop;
}

parser P(packet_in packet, out headers_t headers, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(headers.ethernet);
        transition select(headers.ethernet.ether_type) {
            0x0800: ipv4;
            default: accept;
        }
    }
    state ipv4 {
        packet.extract(headers.ipv4);
        transition select(headers.ipv4.protocol) {
            6: ports;
            17: ports;
            default: accept;
        }
    }
    state ports {
        packet.extract(headers.ports);
        transition accept;
    }
}

control V(inout headers_t headers, inout metadata_t meta) {
    apply {
        verify_checksum(headers.ipv4.isValid(),
            { headers.ipv4.version, headers.ipv4.header_words, headers.ipv4.tos, headers.ipv4.total_bytes,
              headers.ipv4.identification, headers.ipv4.flags, headers.ipv4.fragment_offset, headers.ipv4.ttl,
              headers.ipv4.protocol, headers.ipv4.src, headers.ipv4.dst },
            headers.ipv4.checksum, HashAlgorithm.csum16);
    }
}

control I(inout headers_t headers, inout metadata_t meta, inout standard_metadata_t standard) {
    action drop() { mark_to_drop(standard); }
    action permit() { }
    action route(bit<16> next_hop) { meta.next_hop = next_hop; }
    action forward(bit<9> port, bit<48> src, bit<48> dst) {
        standard.egress_spec = port;
        headers.ethernet.src = src;
        headers.ethernet.dst = dst;
        headers.ipv4.ttl = headers.ipv4.ttl - 1;
    }

    table access_list {
        key = {
            headers.ipv4.src: ternary;
            headers.ipv4.dst: ternary;
            headers.ipv4.protocol: ternary;
            headers.ports.dst: range;
        }
        actions = { permit; drop; }
        default_action = permit();
        size = 20000;
    }

    table routes {
        key = { headers.ipv4.dst: lpm; }
        actions = { route; drop; }
        default_action = drop();
        size = 200000;
    }

    table next_hops {
        key = { meta.next_hop: exact; }
        actions = { forward; drop; }
        default_action = drop();
        size = 65536;
    }

    apply {
        if (!headers.ipv4.isValid() || headers.ipv4.ttl <= 1 || standard.checksum_error == 1) {
            drop();
        } else {
            switch (access_list.apply().action_run) {
                permit: {
                    if (routes.apply().hit) {
                        next_hops.apply();
                    }
                }
            }
        }
    }
}

control E(inout headers_t headers, inout metadata_t meta, inout standard_metadata_t standard) {
    apply { }
}

control C(inout headers_t headers, inout metadata_t meta) {
    apply {
        update_checksum(headers.ipv4.isValid(),
            { headers.ipv4.version, headers.ipv4.header_words, headers.ipv4.tos, headers.ipv4.total_bytes,
              headers.ipv4.identification, headers.ipv4.flags, headers.ipv4.fragment_offset, headers.ipv4.ttl,
              headers.ipv4.protocol, headers.ipv4.src, headers.ipv4.dst },
            headers.ipv4.checksum, HashAlgorithm.csum16);
    }
}

control D(packet_out packet, in headers_t headers) {
    apply {
        packet.emit(headers.ethernet);
        packet.emit(headers.ipv4);
        packet.emit(headers.ports);
    }
}

V1Switch(P(), V(), I(), E(), C(), D()) main;
