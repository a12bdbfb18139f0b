// Shifts by constants and by fields.
//
// Bits that leave the field are lost. A shift by the width or more gives 0, and of a negative number to the right -1. The
// distance is an unsigned field of any width.

#include "../include/common.p4"

header h_t {
    bit<8> value;
    bit<8> distance;
    bit<8> left;
    bit<8> right;
    int<8> signed_right;
    bit<8> constant_left;
    bit<8> constant_right;
    bit<64> far_left;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.left = hdr.h.value << hdr.h.distance;
        hdr.h.right = hdr.h.value >> hdr.h.distance;
        hdr.h.signed_right = (int<8>)hdr.h.value >> hdr.h.distance;
        hdr.h.constant_left = hdr.h.value << 3;
        hdr.h.constant_right = hdr.h.value >> 7;
        hdr.h.far_left = (bit<64>)hdr.h.value << hdr.h.distance;
        standard.egress_spec = 2;
    }
}

#include "../include/pipeline.p4"
