// What a control makes of a table's outcome: `hit`, `miss`, and `action_run`.
//
// The default action that runs on a miss is not a hit, though it be an action that entries have as well; for `action_run` only the
// action counts.

#include "../include/common.p4"

header h_t {
    bit<8> a;
    bit<8> hit;
    bit<8> missed;
    bit<8> ran;
    bit<80> padding;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action one() {}

    action two() {}

    action three() {}

    table asked_hit {
        key = {
            hdr.h.a: exact;
        }
        actions = { one; two; }
        default_action = one;
    }

    table asked_miss {
        key = {
            hdr.h.a: exact;
        }
        actions = { one; two; }
        default_action = one;
    }

    table asked_action {
        key = {
            hdr.h.a: exact;
        }
        actions = { one; two; three; }
        default_action = two;
    }

    apply {
        standard.egress_spec = 2;
        if (asked_hit.apply().hit) {
            hdr.h.hit = 1;
        } else {
            hdr.h.hit = 0;
        }
        if (asked_miss.apply().miss) {
            hdr.h.missed = 1;
        }
        switch (asked_action.apply().action_run) {
            one: {
                hdr.h.ran = 1;
            }
            two: {
                hdr.h.ran = 2;
            }
            default: {
                hdr.h.ran = 0xff;
            }
        }
    }
}

#include "../include/pipeline.p4"
