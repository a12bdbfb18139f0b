// `random` between two bounds, both of which it can give.
//
// Bounds that are equal leave nothing to chance. Of the others the test sees whether the number was within; a hundred and
// twenty-eight draws of one bit are all alike once in 2^127 times.

#define OWN_METADATA
#include "../include/common.p4"

header h_t {
    bit<8> low;
    bit<8> high;
    bit<8> within;
    bit<8> fixed;
    bit<8> seen;
}

struct headers_t {
    h_t h;
}

struct metadata_t {
    bit<8> number;
    bit<1> draw;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action draws() {
        hdr.h.seen = 0;
        for (bit<8> i = 0; i < 128; i = i + 1) {
            random(meta.draw, 0, 1);
            hdr.h.seen = hdr.h.seen | (meta.draw == 0 ? 8w0x01 : 0x10);
        }
    }

    apply {
        random(meta.number, hdr.h.low, hdr.h.high);
        hdr.h.within = (bit<8>)(bit<1>)(hdr.h.low <= meta.number && meta.number <= hdr.h.high);
        random(hdr.h.fixed, 0x5a, 0x5a);
        draws();
        standard.egress_spec = 2;
    }
}

#include "../include/pipeline.p4"
