// A header assigned to another, and a header from a list of values.
//
// Validity is copied with the fields: what an invalid header is assigned to becomes invalid.

#include "../include/common.p4"

header h_t {
    bit<8> op;
    bit<8> seen;
}

header pair_t {
    bit<4> a;
    bit<12> b;
    bit<72> c;
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
        transition accept;
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        if (hdr.h.op == 0) {
            hdr.other = hdr.one;
            hdr.one.c = 0;
        } else if (hdr.h.op == 1) {
            hdr.one = hdr.other;
        } else if (hdr.h.op == 2) {
            hdr.other = { 4w0x1, 12w0x234, 72w0x5 };
        } else {
            hdr.other = hdr.one;
            hdr.one.setInvalid();
        }
        hdr.h.seen = 6w0 ++ (bit<1>)hdr.one.isValid() ++ (bit<1>)hdr.other.isValid();
    }
}

#include "../include/pipeline.p4"
