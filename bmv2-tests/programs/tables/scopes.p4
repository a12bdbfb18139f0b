// Actions that are for entries only (`@tableonly`) and for the default only (`@defaultonly`), and one action in two tables.

#include "../include/common.p4"

header h_t {
    bit<8> a;
    bit<8> one;
    bit<8> other;
    bit<8> runs;
    bit<80> padding;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action hit(bit<8> value) {
        hdr.h.one = value;
        hdr.h.runs = hdr.h.runs + 1;
    }

    action missed() {
        hdr.h.one = 0xdd;
    }

    action shared(bit<8> value) {
        hdr.h.other = value;
        hdr.h.runs = hdr.h.runs + 1;
    }

    table first {
        key = {
            hdr.h.a: exact;
        }
        actions = { @tableonly hit; @defaultonly missed; shared; }
        default_action = missed;
    }

    table second {
        key = {
            hdr.h.a: exact;
        }
        actions = { shared; NoAction; }
        default_action = NoAction;
    }

    apply {
        standard.egress_spec = 2;
        first.apply();
        second.apply();
    }
}

#include "../include/pipeline.p4"
