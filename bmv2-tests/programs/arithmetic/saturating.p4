// Saturating addition and subtraction, signed and unsigned.
//
// BMv2 adds without bound and then casts: what is above the largest value of the type becomes that value, what is below
// the smallest becomes the smallest. A value of exactly that size is not touched.

#include "../include/common.p4"

header h_t {
    bit<8> a;
    bit<8> b;
    bit<8> sum;
    bit<8> difference;
    int<8> signed_sum;
    int<8> signed_difference;
    bit<3> narrow_sum;
    int<5> narrow_difference;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.sum = hdr.h.a |+| hdr.h.b;
        hdr.h.difference = hdr.h.a |-| hdr.h.b;
        hdr.h.signed_sum = (int<8>)hdr.h.a |+| (int<8>)hdr.h.b;
        hdr.h.signed_difference = (int<8>)hdr.h.a |-| (int<8>)hdr.h.b;
        hdr.h.narrow_sum = hdr.h.a[2:0] |+| hdr.h.b[2:0];
        hdr.h.narrow_difference = (int<5>)hdr.h.a[4:0] |-| (int<5>)hdr.h.b[4:0];
        standard.egress_spec = 2;
    }
}

#include "../include/pipeline.p4"
