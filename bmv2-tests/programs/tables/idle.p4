// Entries that are not hit for some time.
//
// A table with `support_timeout` can have entries with an idle timeout. The switch tells the controller of one that has not been
// hit for so long, and the entry stays and still hits. BMv2 looks once a second, so that it tells up to a second late.

#include "../include/common.p4"

header h_t {
    bit<8> a;
    bit<8> b;
    bit<96> padding;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action out_of(bit<9> port) {
        standard.egress_spec = port;
    }

    table exactly {
        key = {
            hdr.h.a: exact;
        }
        actions = { out_of; NoAction; }
        default_action = NoAction;
        support_timeout = true;
    }

    table roughly {
        key = {
            hdr.h.b: ternary;
        }
        actions = { out_of; NoAction; }
        default_action = NoAction;
        support_timeout = true;
    }

    apply {
        standard.egress_spec = 9;
        exactly.apply();
        roughly.apply();
    }
}

#include "../include/pipeline.p4"
