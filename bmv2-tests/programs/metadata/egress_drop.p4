// Dropping in egress.
//
// `mark_to_drop` there drops when egress has ended, and can be taken back by writing egress_spec; any other value than the drop
// port sends the packet out of the port it is at. A drop in ingress keeps a packet out of egress.

#include "../include/common.p4"

header h_t {
    bit<8> op;
}

struct headers_t {
    h_t h;
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    register<bit<8>>(1) seen;

    apply {
        bit<8> count;
        seen.read(count, 0);
        seen.write(0, count + 1);
        if (hdr.h.op == 1) {
            mark_to_drop(standard);
        } else if (hdr.h.op == 2) {
            mark_to_drop(standard);
            standard.egress_spec = 3;
        } else if (hdr.h.op == 3) {
            standard.egress_spec = 4;
        } else if (hdr.h.op == 4) {
            standard.egress_spec = 511;
        } else if (hdr.h.op == 5) {
            hdr.h.op = count;
        }
    }
}

#include "../include/pipeline.p4"
