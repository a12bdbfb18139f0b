// An action selector: an entry has several actions, and a hash of the selector fields says which.
//
// Equal selector fields give equal choices, and an action of weight 3 is chosen three times as often as one of weight 1. Which
// value leads to which action differs, so the test has every remainder once and counts.

#include "../include/common.p4"

header h_t {
    bit<8> a;
    bit<16> flow;
    bit<8> chosen;
    bit<80> padding;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action_selector(HashAlgorithm.identity, 16, 16) spread;

    action out_of(bit<9> port, bit<8> mark) {
        standard.egress_spec = port;
        hdr.h.chosen = mark;
    }

    table forward {
        key = {
            hdr.h.a: exact;
            hdr.h.flow: selector;
        }
        actions = { out_of; NoAction; }
        default_action = NoAction;
        implementation = spread;
    }

    apply {
        standard.egress_spec = 9;
        forward.apply();
    }
}

#include "../include/pipeline.p4"
