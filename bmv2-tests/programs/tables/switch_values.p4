// `switch` on a value: p4c makes a table with constant entries of it.
//
// A case without a block falls through to the next; a value without a case, and without a default, does nothing.

#include "../include/common.p4"

header h_t {
    bit<8> a;
    bit<8> with_default;
    bit<8> without;
    bit<88> padding;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        switch (hdr.h.a) {
            1: { hdr.h.with_default = 0x11; }
            2:
            3: { hdr.h.with_default = 0x23; }
            default: { hdr.h.with_default = 0xdd; }
        }
        switch (hdr.h.a + 1) {
            0: { hdr.h.without = 0x44; }
            4: { hdr.h.without = 0x55; }
        }
    }
}

#include "../include/pipeline.p4"
