// Direct meters: each entry has buckets of its own, and every hit measures the packet before the action runs.
//
// The colour is in the field that the program reads it into. A miss measures nothing.

#define OWN_METADATA
#include "../include/common.p4"

header h_t {
    bit<8> a;
    bit<8> colour;
}

struct headers_t {
    h_t h;
}

struct metadata_t {
    bit<8> colour;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    direct_meter<bit<8>>(MeterType.packets) rates;

    action measured() {
        rates.read(meta.colour);
        hdr.h.colour = meta.colour;
    }

    table by_a {
        key = {
            hdr.h.a: exact;
        }
        actions = { measured; NoAction; }
        default_action = NoAction;
        meters = rates;
    }

    apply {
        standard.egress_spec = 2;
        by_a.apply();
    }
}

#include "../include/pipeline.p4"
