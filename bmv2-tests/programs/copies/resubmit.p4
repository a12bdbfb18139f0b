// Resubmission: the frame as it came in goes through parser and ingress once more.
//
// What ingress changed is lost, but for the metadata of the field list. The instance type is 6, until a unicast packet
// leaves ingress: then it is 0. A resubmission wins over a group and over a drop.

#define OWN_METADATA
#include "../include/common.p4"

header h_t {
    bit<8> rounds_wanted;
    bit<8> changed;
    bit<8> rounds;
    bit<8> lost;
    bit<8> instance_type;
    bit<8> in_egress;
}

struct headers_t {
    h_t h;
}

struct metadata_t {
    @field_list(3)
    bit<8> rounds;
    bit<8> lost;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        hdr.h.rounds = meta.rounds;
        hdr.h.lost = meta.lost;
        hdr.h.instance_type = (bit<8>)standard.instance_type;
        if (meta.rounds < hdr.h.rounds_wanted) {
            hdr.h.changed = 0x99;
            meta.rounds = meta.rounds + 1;
            meta.lost = 0x88;
            resubmit_preserving_field_list(3);
            if (hdr.h.rounds_wanted == 2) {
                mark_to_drop(standard);
            } else {
                standard.mcast_grp = 1;
            }
        }
    }
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.in_egress = (bit<8>)standard.instance_type;
    }
}

#include "../include/pipeline.p4"
