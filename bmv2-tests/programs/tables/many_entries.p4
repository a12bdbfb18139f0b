// Many entries in each kind of table: what is found must not depend on how many there are.

#include "../include/common.p4"

header h_t {
    bit<16> a;
    bit<32> b;
    bit<16> by_exact;
    bit<16> by_prefix;
    bit<16> by_mask;
    bit<16> padding;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action exact_is(bit<16> value) {
        hdr.h.by_exact = value;
    }

    action prefix_is(bit<16> value) {
        hdr.h.by_prefix = value;
    }

    action mask_is(bit<16> value) {
        hdr.h.by_mask = value;
    }

    table by_exact {
        key = {
            hdr.h.a: exact;
        }
        actions = { exact_is; }
        default_action = exact_is(0);
        size = 256;
    }

    table by_prefix {
        key = {
            hdr.h.b: lpm;
        }
        actions = { prefix_is; }
        default_action = prefix_is(0);
        size = 256;
    }

    table by_mask {
        key = {
            hdr.h.a: ternary;
            hdr.h.b: range;
        }
        actions = { mask_is; }
        default_action = mask_is(0);
        size = 256;
    }

    apply {
        standard.egress_spec = 2;
        by_exact.apply();
        by_prefix.apply();
        by_mask.apply();
    }
}

#include "../include/pipeline.p4"
