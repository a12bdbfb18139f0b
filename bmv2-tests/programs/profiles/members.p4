// An action profile without selector, which two tables share: an entry names a member, and the member has the action.

#include "../include/common.p4"

header h_t {
    bit<8> a;
    bit<8> b;
    bit<8> result;
    bit<8> hits;
    bit<80> padding;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action_profile(16) actions_of_both;

    action add(bit<8> value) {
        hdr.h.result = hdr.h.result + value;
    }

    action clear() {
        hdr.h.result = 0;
    }

    table by_a {
        key = {
            hdr.h.a: exact;
        }
        actions = { add; clear; NoAction; }
        default_action = NoAction;
        implementation = actions_of_both;
    }

    table by_b {
        key = {
            hdr.h.b: exact;
        }
        actions = { add; clear; NoAction; }
        default_action = NoAction;
        implementation = actions_of_both;
    }

    apply {
        standard.egress_spec = 2;
        hdr.h.hits = 0;
        if (by_a.apply().hit) {
            hdr.h.hits = hdr.h.hits + 1;
        }
        if (by_b.apply().hit) {
            hdr.h.hits = hdr.h.hits + 0x10;
        }
    }
}

#include "../include/pipeline.p4"
