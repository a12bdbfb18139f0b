// Ternary fields and priorities.
//
// Of the entries that match, the one of the highest priority wins, whatever the order and however many bits each looks at.
// A field that is not given matches everything.

#include "../include/common.p4"

header h_t {
    bit<16> a;
    bit<80> b;
    bit<8> result;
    bit<8> padding;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action set(bit<8> value) {
        hdr.h.result = value;
    }

    table t {
        key = {
            hdr.h.a: ternary;
            hdr.h.b: ternary;
        }
        actions = { set; }
        default_action = set(0);
    }

    apply {
        standard.egress_spec = 2;
        t.apply();
    }
}

#include "../include/pipeline.p4"
