// Fields of more than 64 and more than 128 bits: arithmetic, shifts, comparison, and slices that cross limbs.
//
// BMv2's numbers have no width, so wide fields behave as narrow ones do: carries run through all bits, results are cut to the
// field.

#include "../include/common.p4"

header h_t {
    bit<8> op;
    bit<136> a;
    bit<136> b;
    bit<136> result;
    bit<72> slice;
    bit<8> flags;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        if (hdr.h.op == 0) {
            hdr.h.result = hdr.h.a + hdr.h.b;
        } else if (hdr.h.op == 1) {
            hdr.h.result = hdr.h.a - hdr.h.b;
        } else if (hdr.h.op == 2) {
            hdr.h.result = hdr.h.a * hdr.h.b;
        } else if (hdr.h.op == 3) {
            hdr.h.result = hdr.h.a << (bit<8>)hdr.h.b;
        } else if (hdr.h.op == 4) {
            hdr.h.result = hdr.h.a >> (bit<8>)hdr.h.b;
        } else if (hdr.h.op == 5) {
            hdr.h.result = ~hdr.h.a ^ hdr.h.b;
        } else {
            hdr.h.result = hdr.h.a;
            hdr.h.result[99:28] = hdr.h.b[71:0];
        }
        hdr.h.slice = hdr.h.a[100:29];
        hdr.h.flags = 0;
        hdr.h.flags[0:0] = (bit<1>)(hdr.h.a < hdr.h.b);
        hdr.h.flags[1:1] = (bit<1>)(hdr.h.a == hdr.h.b);
        hdr.h.flags[2:2] = (bit<1>)(hdr.h.a != 0);
        standard.egress_spec = 2;
    }
}

#include "../include/pipeline.p4"
