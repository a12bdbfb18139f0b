// Range fields: both ends belong to the range, several ranges overlap by priority, and one beside an exact field.

#include "../include/common.p4"

header h_t {
    bit<16> port;
    bit<8> protocol;
    bit<8> by_port;
    bit<8> by_both;
    bit<72> padding;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action one(bit<8> value) {
        hdr.h.by_port = value;
    }

    action both(bit<8> value) {
        hdr.h.by_both = value;
    }

    table by_port {
        key = {
            hdr.h.port: range;
        }
        actions = { one; }
        default_action = one(0);
    }

    table by_both {
        key = {
            hdr.h.protocol: exact;
            hdr.h.port: range;
        }
        actions = { both; }
        default_action = both(0);
    }

    apply {
        standard.egress_spec = 2;
        by_port.apply();
        by_both.apply();
    }
}

#include "../include/pipeline.p4"
