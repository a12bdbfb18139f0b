// `mark_to_drop` in ingress, what takes it back, and what it takes back itself.
//
// It sets egress_spec to the drop port, 511, and mcast_grp to 0. Nothing is dropped before the end of ingress: a port that is
// set afterwards counts, and so does a group. A program that writes 511 itself drops as well.

#include "../include/common.p4"

header h_t {
    bit<8> op;
    bit<16> spec;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        if (hdr.h.op == 1) {
            mark_to_drop(standard);
        } else if (hdr.h.op == 2) {
            mark_to_drop(standard);
            hdr.h.spec = (bit<16>)standard.egress_spec;
            standard.egress_spec = 3;
        } else if (hdr.h.op == 3) {
            standard.mcast_grp = 7;
            mark_to_drop(standard);
        } else if (hdr.h.op == 4) {
            mark_to_drop(standard);
            standard.mcast_grp = 7;
        } else if (hdr.h.op == 5) {
            standard.egress_spec = 511;
        } else if (hdr.h.op == 6) {
            standard.mcast_grp = 7;
            mark_to_drop(standard);
            standard.egress_spec = 3;
        }
    }
}

#include "../include/pipeline.p4"
