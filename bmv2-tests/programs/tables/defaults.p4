// What a table does on a miss: an action with parameters that a controller may change, one that is constant, and none.
//
// A table without a default action does nothing on a miss, and what stands behind it goes on. A table without a key always
// misses.

#include "../include/common.p4"

header h_t {
    bit<8> a;
    bit<8> changeable;
    bit<8> constant;
    bit<8> without;
    bit<8> keyless;
    bit<8> keyless_nothing;
    bit<64> padding;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action change(bit<8> value) {
        hdr.h.changeable = value;
    }

    action constant(bit<8> value) {
        hdr.h.constant = value;
    }

    action without(bit<8> value) {
        hdr.h.without = value;
    }

    action keyless(bit<8> value) {
        hdr.h.keyless = value;
    }

    action keyless_nothing(bit<8> value) {
        hdr.h.keyless_nothing = value;
    }

    table changeable {
        key = {
            hdr.h.a: exact;
        }
        actions = { change; NoAction; }
        default_action = change(0x11);
    }

    table fixed {
        key = {
            hdr.h.a: exact;
        }
        actions = { constant; }
        const default_action = constant(0x22);
    }

    table no_default {
        key = {
            hdr.h.a: exact;
        }
        actions = { without; }
    }

    table no_key {
        actions = { keyless; }
        default_action = keyless(0x33);
    }

    table nothing {
        actions = { keyless_nothing; NoAction; }
    }

    apply {
        standard.egress_spec = 2;
        changeable.apply();
        fixed.apply();
        no_default.apply();
        no_key.apply();
        nothing.apply();
    }
}

#include "../include/pipeline.p4"
