// Copies of a clone session are told apart by egress_rid, and from other copies by instance_type.
//
// A session may copy several times to one port. The number of a replica may be 0, as that of what is no copy. Clones of either kind
// have the instance type of clones, also where the session copies to many places.

#include "../include/common.p4"

header h_t {
    bit<8> how;
    bit<8> kind;
    bit<16> replica;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        if (hdr.h.how == 1) {
            clone(CloneType.I2E, 7);
        }
    }
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        if (hdr.h.how == 2 && standard.instance_type == 0) {
            clone(CloneType.E2E, 7);
        }
        hdr.h.kind = (bit<8>) standard.instance_type;
        hdr.h.replica = standard.egress_rid;
    }
}

#include "../include/pipeline.p4"
