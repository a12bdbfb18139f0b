// What a packet learns of its queue: how many packets there were when it came and when it left, and how long it waited.
//
// Where packets come one by one, there are none. The time of waiting is what egress_global_timestamp and enq_timestamp leave,
// to within the moments between BMv2's looks at its clock; the test takes less than a minute for it. In ingress all is 0.

#include "../include/common.p4"

header h_t {
    bit<8> all_before;
    bit<24> depth_in;
    bit<24> depth_out;
    bit<8> short;
    bit<80> padding;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        hdr.h.all_before = (bit<8>)(standard.enq_timestamp[7:0] | standard.enq_qdepth[7:0] | standard.deq_timedelta[7:0]
            | standard.deq_qdepth[7:0]);
    }
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.depth_in = (bit<24>)standard.enq_qdepth;
        hdr.h.depth_out = (bit<24>)standard.deq_qdepth;
        hdr.h.short = standard.deq_timedelta < 60000000 ? 8w1 : 0;
    }
}

#include "../include/pipeline.p4"
