// Longest prefix match, alone and beside exact fields.
//
// The longest prefix wins, whatever the order of the entries. A prefix of all bits is an exact match; one of no bits matches
// everything, and beside an exact field everything with that field.

#include "../include/common.p4"

header h_t {
    bit<32> address;
    bit<8> group;
    bit<128> long_address;
    bit<8> alone;
    bit<8> with_exact;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action alone(bit<8> value) {
        hdr.h.alone = value;
    }

    action grouped(bit<8> value) {
        hdr.h.with_exact = value;
    }

    table by_address {
        key = {
            hdr.h.address: lpm;
        }
        actions = { alone; }
        default_action = alone(0);
    }

    table by_group {
        key = {
            hdr.h.group: exact;
            hdr.h.long_address: lpm;
        }
        actions = { grouped; }
        default_action = grouped(0);
    }

    apply {
        standard.egress_spec = 2;
        by_address.apply();
        by_group.apply();
    }
}

#include "../include/pipeline.p4"
