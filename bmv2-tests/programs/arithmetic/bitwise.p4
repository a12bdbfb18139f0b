// Bitwise operators.
//
// The complement is the one that could go wrong: BMv2's numbers have no width, so the complement of an unsigned field is
// negative until it is cut to the field.

#include "../include/common.p4"

header h_t {
    bit<12> a;
    bit<12> b;
    bit<12> both;
    bit<12> either;
    bit<12> one;
    bit<12> not_a;
    bit<12> masked;
    bit<12> complement_shifted;
    bit<16> complement_widened;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.both = hdr.h.a & hdr.h.b;
        hdr.h.either = hdr.h.a | hdr.h.b;
        hdr.h.one = hdr.h.a ^ hdr.h.b;
        hdr.h.not_a = ~hdr.h.a;
        hdr.h.masked = hdr.h.a & ~hdr.h.b | 0x800;
        hdr.h.complement_shifted = ~hdr.h.a >> 4;
        hdr.h.complement_widened = (bit<16>)~hdr.h.a;
        standard.egress_spec = 2;
    }
}

#include "../include/pipeline.p4"
