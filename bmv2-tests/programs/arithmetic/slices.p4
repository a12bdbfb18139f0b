// Slices on both sides of an assignment, and concatenation.
//
// p4c makes masks and shifts of a slice that is assigned to: the bits beside it have to stay.

#include "../include/common.p4"

header h_t {
    bit<32> value;
    bit<16> middle;
    bit<8> top;
    bit<32> replaced;
    bit<32> swapped;
    bit<24> joined;
    bit<8> crossed;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.middle = hdr.h.value[23:8];
        hdr.h.top = hdr.h.value[31:31] ++ 7w0;
        hdr.h.replaced[19:12] = hdr.h.value[7:0];
        hdr.h.swapped = hdr.h.value[15:0] ++ hdr.h.value[31:16];
        hdr.h.joined = hdr.h.value[3:0] ++ 12w0xabc ++ hdr.h.value[31:24];
        hdr.h.crossed = (hdr.h.value[7:0] ++ hdr.h.value[31:24])[11:4];
        standard.egress_spec = 2;
    }
}

#include "../include/pipeline.p4"
