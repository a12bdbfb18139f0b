// Fields that survive a clone: those of the list that the clone names, with their values at the end of ingress.
//
// A field can be in several lists. What is in none is zero in the copy.

#define OWN_METADATA
#include "../include/common.p4"

header h_t {
    bit<8> list;
    bit<8> a;
    bit<8> b;
    bit<24> c;
    bit<8> port;
}

struct headers_t {
    h_t h;
}

struct metadata_t {
    @field_list(1, 2)
    bit<8> a;
    @field_list(2)
    bit<8> b;
    bit<24> c;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        meta.a = 0xaa;
        meta.c = 0xcccccc;
        if (hdr.h.list == 1) {
            clone_preserving_field_list(CloneType.I2E, 5, 1);
        } else {
            clone_preserving_field_list(CloneType.I2E, 5, 2);
        }
        meta.b = 0xbb;
    }
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.a = meta.a;
        hdr.h.b = meta.b;
        hdr.h.c = meta.c;
        hdr.h.port = (bit<8>)standard.egress_port;
    }
}

#include "../include/pipeline.p4"
