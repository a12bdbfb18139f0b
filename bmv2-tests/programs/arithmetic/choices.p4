// The conditional operator, and the logical ones.
//
// BMv2 evaluates both sides of `and` and `or`, which only a side effect could show, and an expression has none: what is left
// is which of the two values comes out, also where they are wide and where choices are nested.

#include "../include/common.p4"

header h_t {
    bit<8> a;
    bit<8> b;
    bit<8> larger;
    bit<8> clamped;
    bit<80> wide;
    bit<8> logic;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        bool p = hdr.h.a > 9;
        bool q = hdr.h.b > 9;
        hdr.h.larger = hdr.h.a > hdr.h.b ? hdr.h.a : hdr.h.b;
        hdr.h.clamped = hdr.h.a < 0x10 ? 0x10 : (hdr.h.a > 0x20 ? 8w0x20 : hdr.h.a);
        hdr.h.wide = p ? 80w0x1111_2222_3333_4444_5555 : 72w0xaaaa_bbbb_cccc_dddd_ee ++ hdr.h.b;
        hdr.h.logic = 3w0 ++ (bit<1>)(p && q) ++ (bit<1>)(p || q) ++ (bit<1>)!p ++ (bit<1>)!(p && !q) ++ (bit<1>)(p ? q : !q);
        standard.egress_spec = 2;
    }
}

#include "../include/pipeline.p4"
