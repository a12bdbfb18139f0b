// Parser value sets, whose members a controller gives.
//
// A set is empty at first and matches nothing. BMv2's P4Runtime server knows no value sets.

#include "../include/common.p4"

header h_t {
    bit<16> kind;
    bit<8> path;
}

struct headers_t {
    h_t h;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    @name("known") value_set<bit<16>>(4) known;

    state start {
        packet.extract(hdr.h);
        transition select(hdr.h.kind) {
            0x1111: fixed;
            known: in_set;
            default: other;
        }
    }

    state fixed {
        hdr.h.path = 1;
        transition accept;
    }

    state in_set {
        hdr.h.path = 2;
        transition accept;
    }

    state other {
        hdr.h.path = 3;
        transition accept;
    }
}

#include "../include/pipeline.p4"
