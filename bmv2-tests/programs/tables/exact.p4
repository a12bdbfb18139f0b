// Exact keys: of one field, of several widths together, of more than 128 bits, and of metadata.
//
// An entry has to be equal in every bit of every field. A key of an invalid header reads 0.

#define OWN_METADATA
#include "../include/common.p4"

header h_t {
    bit<4> a;
    bit<12> b;
    bit<144> c;
    bit<8> by_all;
    bit<8> by_wide;
    bit<8> by_metadata;
    bit<8> by_absent;
}

header absent_t {
    bit<16> value;
}

struct headers_t {
    h_t h;
    absent_t absent;
}

struct metadata_t {
    bit<5> low;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action all(bit<8> value) {
        hdr.h.by_all = value;
    }

    action wide(bit<8> value) {
        hdr.h.by_wide = value;
    }

    action metadata(bit<8> value) {
        hdr.h.by_metadata = value;
    }

    action absent(bit<8> value) {
        hdr.h.by_absent = value;
    }

    table by_all {
        key = {
            hdr.h.a: exact;
            hdr.h.b: exact;
            hdr.h.c: exact;
        }
        actions = { all; }
        const default_action = all(0);
    }

    table by_wide {
        key = {
            hdr.h.c: exact;
        }
        actions = { wide; }
        const default_action = wide(0);
    }

    table by_metadata {
        key = {
            meta.low: exact;
        }
        actions = { metadata; }
        const default_action = metadata(0);
    }

    table by_absent {
        key = {
            hdr.absent.value: exact;
        }
        actions = { absent; }
        const default_action = absent(0);
    }

    apply {
        standard.egress_spec = 2;
        meta.low = hdr.h.b[4:0];
        by_all.apply();
        by_wide.apply();
        by_metadata.apply();
        by_absent.apply();
    }
}

#include "../include/pipeline.p4"
