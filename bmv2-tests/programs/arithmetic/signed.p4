// Signed numbers: arithmetic, comparison, and what a cast makes of the sign.
//
// BMv2 keeps signed fields as numbers with a sign: storing wraps into two's complement, a shift to the right keeps the sign, a
// cast to a wider signed type extends it, and a cast to an unsigned type of the same width changes no bit.

#include "../include/common.p4"

header h_t {
    int<8> a;
    int<8> b;
    int<8> sum;
    int<8> product;
    int<8> negative;
    int<8> halved;
    int<16> extended;
    bit<16> unextended;
    bit<8> less;
    bit<8> as_unsigned_less;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.sum = hdr.h.a + hdr.h.b;
        hdr.h.product = hdr.h.a * hdr.h.b;
        hdr.h.negative = -hdr.h.a;
        hdr.h.halved = hdr.h.a >> 1;
        hdr.h.extended = (int<16>)hdr.h.a;
        hdr.h.unextended = (bit<16>)(bit<8>)hdr.h.a;
        hdr.h.less = hdr.h.a < hdr.h.b ? 8w1 : 0;
        hdr.h.as_unsigned_less = (bit<8>)hdr.h.a < (bit<8>)hdr.h.b ? 8w1 : 0;
        standard.egress_spec = 2;
    }
}

#include "../include/pipeline.p4"
