// `packet_length`: that of the frame as it came in, in ingress, and in egress the headers more that were added since.
//
// A truncation, which is made later, does not count.

#include "../include/common.p4"

header h_t {
    bit<8> op;
    bit<16> in_ingress;
    bit<16> in_egress;
}

header added_t {
    bit<32> value;
}

struct headers_t {
    h_t h;
    added_t added;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        hdr.h.in_ingress = (bit<16>)standard.packet_length;
        if (hdr.h.op == 1) {
            hdr.added.setValid();
            hdr.added.value = 0x01020304;
            truncate(18);
        }
    }
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.in_egress = (bit<16>)standard.packet_length;
    }
}

#include "../include/pipeline.p4"
