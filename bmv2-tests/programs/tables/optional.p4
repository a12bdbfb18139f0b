// Optional fields: an entry gives the whole value or leaves the field out.

#include "../include/common.p4"

header h_t {
    bit<16> a;
    bit<16> b;
    bit<8> result;
    bit<72> padding;
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
            hdr.h.a: optional;
            hdr.h.b: optional;
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
