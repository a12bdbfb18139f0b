// `truncate` in ingress and in egress.
//
// The frame is cut when it has been put together, headers included. Of several requests the shortest counts; one that is
// longer than the frame does nothing.

#include "../include/common.p4"

header h_t {
    bit<8> op;
    bit<8> length;
    bit<8> other;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        if (hdr.h.op != 0) {
            truncate((bit<32>)hdr.h.length);
        }
    }
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        if (hdr.h.op == 2) {
            truncate((bit<32>)hdr.h.other);
        }
    }
}

#include "../include/pipeline.p4"
