// A clone from ingress to egress.
//
// The copy is the frame as it came in: what ingress changed is not in it, and its metadata is zero but for the ingress port and
// the instance type, 1. A session that does not exist makes no copy. The original goes on, or is dropped, as if nothing was.

#define OWN_METADATA
#include "../include/common.p4"

header h_t {
    bit<8> session;
    bit<8> drop;
    bit<8> changed;
    bit<8> kept;
    bit<8> instance_type;
}

struct headers_t {
    h_t h;
}

struct metadata_t {
    bit<8> note;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        meta.note = 0x77;
        if (hdr.h.session != 0) {
            clone(CloneType.I2E, (bit<32>)hdr.h.session);
        }
        hdr.h.changed = 0x99;
        if (hdr.h.drop == 1) {
            mark_to_drop(standard);
        }
    }
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.kept = meta.note;
        hdr.h.instance_type = (bit<8>)standard.instance_type;
    }
}

#include "../include/pipeline.p4"
