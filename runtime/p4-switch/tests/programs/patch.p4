// A patch cable between ports 1 and 2, with a table for exceptions.

#include <core.p4>
#include <v1model.p4>

header ethernet_t {
    bit<48> dst;
    bit<48> src;
    bit<16> ether_type;
}

struct headers_t {
    ethernet_t ethernet;
}

struct metadata_t {}

parser PatchParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.ether_type) {
            0x88b5: experiment;
            default: accept;
        }
    }

    state experiment {
        transition accept;
    }
}

control NoChecksum(inout headers_t hdr, inout metadata_t meta) {
    apply {}
}

control PatchIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action drop() {
        mark_to_drop(standard);
    }

    action redirect(bit<9> port) {
        standard.egress_spec = port;
    }

    @name("exceptions")
    table exceptions {
        key = {
            hdr.ethernet.dst : ternary @name("dst");
            hdr.ethernet.ether_type : exact @name("ether_type");
        }
        actions = {
            redirect;
            drop;
            @defaultonly NoAction;
        }
        const default_action = NoAction;
        size = 64;
    }

    apply {
        if (standard.ingress_port == 1) {
            standard.egress_spec = 2;
        } else {
            standard.egress_spec = 1;
        }
        exceptions.apply();
    }
}

control PatchEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {}
}

control PatchDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.ethernet);
    }
}

V1Switch(PatchParser(), NoChecksum(), PatchIngress(), PatchEgress(), NoChecksum(), PatchDeparser()) main;
