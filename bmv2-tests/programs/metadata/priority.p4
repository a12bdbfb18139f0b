// The priority of a packet's queue.
//
// BMv2 has one queue for each port unless it is told otherwise (`--priority-queues`), and drops what asks for another.

#include "../include/common.p4"

header h_t {
    bit<8> priority;
    bit<8> seen;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        standard.priority = hdr.h.priority[2:0];
    }
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.seen = (bit<8>)standard.priority;
    }
}

#include "../include/pipeline.p4"
