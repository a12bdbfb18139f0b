// A variable field assigned to another, and a header with a variable field assigned to another.
//
// The length goes with the bits: a short field assigned to one that was longer is short.

#include "../include/common.p4"

header h_t {
    bit<8> op;
    bit<8> bytes;
    varbit<64> data;
}

header other_t {
    bit<8> mark;
    varbit<64> data;
}

struct headers_t {
    h_t h;
    other_t one;
    other_t other;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        bit<16> start_of_h = packet.lookahead<bit<16>>();
        packet.extract(hdr.h, (bit<32>)start_of_h[7:0] * 8);
        packet.extract(hdr.one, 24);
        transition accept;
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        if (hdr.h.op == 1) {
            hdr.one.data = hdr.h.data;
        } else if (hdr.h.op == 2) {
            hdr.other = hdr.one;
            hdr.one.mark = 0xff;
        } else if (hdr.h.op == 3) {
            hdr.h.data = hdr.one.data;
        }
    }
}

#include "../include/pipeline.p4"
