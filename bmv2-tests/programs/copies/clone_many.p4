// A clone session to a multicast group, and truncation beside a clone.
//
// Each copy has the number of its replica in egress_rid. A `truncate` of the original does not cut the copies: they are made of
// the frame as it came in.

#include "../include/common.p4"

header h_t {
    bit<8> cut;
    bit<16> replica;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        clone(CloneType.I2E, 7);
        if (hdr.h.cut == 1) {
            truncate(15);
        }
    }
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.replica = standard.egress_rid;
    }
}

#include "../include/pipeline.p4"
