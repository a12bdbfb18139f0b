// Timestamps, in microseconds since the switch started.
//
// A packet is enqueued and enters egress no earlier than it came in, and a later packet comes in no earlier than one before. What
// the clock says nobody knows, so the test has only what holds for every clock.

#include "../include/common.p4"

header h_t {
    bit<8> came;
    bit<8> in_order;
    bit<8> queued;
    bit<8> later;
    bit<80> padding;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    register<bit<48>>(1) last;

    apply {
        bit<48> before;
        standard.egress_spec = 2;
        last.read(before, 0);
        last.write(0, standard.ingress_global_timestamp);
        hdr.h.came = standard.ingress_global_timestamp > 0 ? 8w1 : 0;
        hdr.h.later = before != 0 && standard.ingress_global_timestamp >= before ? 8w1 : 0;
    }
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.in_order = standard.egress_global_timestamp >= standard.ingress_global_timestamp ? 8w1 : 0;
        hdr.h.queued = standard.enq_timestamp >= standard.ingress_global_timestamp[31:0]
            && standard.egress_global_timestamp[31:0] >= standard.enq_timestamp ? 8w1 : 0;
    }
}

#include "../include/pipeline.p4"
