// Addition, subtraction and multiplication of unsigned fields.
//
// BMv2 computes without bound and cuts to the field's width when it stores: results wrap. A sum that is shifted before it is
// stored wraps all the same, because P4 gives it its operands' width.

#include "../include/common.p4"

header h_t {
    bit<8> a;
    bit<8> b;
    bit<8> sum;
    bit<8> difference;
    bit<8> product;
    bit<8> half_of_sum;
    bit<8> negative;
    bit<12> wide_sum;
    bit<4> narrow_product;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.sum = hdr.h.a + hdr.h.b;
        hdr.h.difference = hdr.h.a - hdr.h.b;
        hdr.h.product = hdr.h.a * hdr.h.b;
        hdr.h.half_of_sum = (hdr.h.a + hdr.h.b) >> 1;
        hdr.h.negative = -hdr.h.a;
        hdr.h.wide_sum = (bit<12>)hdr.h.a + (bit<12>)hdr.h.b;
        hdr.h.narrow_product = hdr.h.a[3:0] * hdr.h.b[3:0];
        standard.egress_spec = 2;
    }
}

#include "../include/pipeline.p4"
