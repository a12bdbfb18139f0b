// Conditions and `return` inside an action.
//
// BMv2's actions are flat: p4c makes forward jumps of a branch, and a jump to the end of a return. What stands behind a branch
// that was taken must not run, what stands behind both must.

#include "../include/common.p4"

header h_t {
    bit<8> a;
    bit<8> path;
    bit<8> rest;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action classify() {
        hdr.h.path = 0;
        if (hdr.h.a > 0x7f) {
            hdr.h.path = hdr.h.path | 0x01;
            if (hdr.h.a == 0xff) {
                hdr.h.path = hdr.h.path | 0x02;
                return;
            }
            hdr.h.path = hdr.h.path | 0x04;
        } else if (hdr.h.a == 0) {
            hdr.h.path = hdr.h.path | 0x08;
        } else {
            hdr.h.path = hdr.h.path | 0x10;
        }
        hdr.h.rest = hdr.h.a;
    }

    apply {
        standard.egress_spec = 2;
        hdr.h.rest = 0xaa;
        classify();
        if (hdr.h.path == 0x08) {
            return;
        }
        hdr.h.path = hdr.h.path | 0x80;
    }
}

#include "../include/pipeline.p4"
