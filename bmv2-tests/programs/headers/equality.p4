// `==` and `!=` of whole headers.
//
// BMv2 says that two headers are equal where both are valid and all their fields are equal, or both are invalid; where one
// is valid they differ.

#include "../include/common.p4"

header h_t {
    bit<8> op;
    bit<8> equal;
    bit<8> differ;
}

header pair_t {
    bit<40> a;
    bit<8> b;
}

struct headers_t {
    h_t h;
    pair_t one;
    pair_t other;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        packet.extract(hdr.one);
        packet.extract(hdr.other);
        transition accept;
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        if (hdr.h.op[0:0] == 1) {
            hdr.one.setInvalid();
        }
        if (hdr.h.op[1:1] == 1) {
            hdr.other.setInvalid();
        }
        hdr.h.equal = hdr.one == hdr.other ? 8w1 : 0;
        hdr.h.differ = hdr.one != hdr.other ? 8w1 : 0;
    }
}

#include "../include/pipeline.p4"
