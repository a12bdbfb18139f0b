// Direct counters: each entry counts the packets that hit it.
//
// A miss counts nothing, and neither does another entry. The action need not call `count`.

#include "../include/common.p4"

header h_t {
    bit<8> a;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    direct_counter(CounterType.packets_and_bytes) hits;

    action out_of(bit<9> port) {
        standard.egress_spec = port;
    }

    table forward {
        key = {
            hdr.h.a: ternary;
        }
        actions = { out_of; }
        default_action = out_of(5);
        counters = hits;
    }

    apply {
        forward.apply();
    }
}

#include "../include/pipeline.p4"
