// A clone from egress to egress.
//
// The copy is the packet as egress left it, changes included; it goes through egress once more, with the instance type 2 and
// nothing of the metadata but its field list. It is not parsed again. The original can be dropped all the same.

#define OWN_METADATA
#include "../include/common.p4"

header h_t {
    bit<8> drop;
    bit<8> rounds;
    bit<8> a;
    bit<8> b;
    bit<8> instance_type;
}

header added_t {
    bit<16> value;
}

struct headers_t {
    h_t h;
    added_t added;
}

struct metadata_t {
    @field_list(1)
    bit<8> a;
    bit<8> b;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        meta.a = 0x11;
        meta.b = 0x22;
    }
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.rounds = hdr.h.rounds + 1;
        hdr.h.a = meta.a;
        hdr.h.b = meta.b;
        hdr.h.instance_type = (bit<8>)standard.instance_type;
        if (standard.instance_type == 0) {
            hdr.added.setValid();
            hdr.added.value = 0xadde;
            clone_preserving_field_list(CloneType.E2E, 6, 1);
            meta.a = 0x33;
            if (hdr.h.drop == 1) {
                mark_to_drop(standard);
            }
        }
    }
}

#include "../include/pipeline.p4"
