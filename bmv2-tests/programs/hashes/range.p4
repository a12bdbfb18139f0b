// The range of `hash`: base and max.
//
// The result is base plus the hash modulo max; a max of 0 leaves base. What is larger than the result's field is cut off.

#include "../include/common.p4"

header h_t {
    bit<16> data;
    bit<16> base;
    bit<16> max;
    bit<16> modulo;
    bit<8> narrow;
    bit<16> of_nothing;
    bit<24> padding;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        hash(hdr.h.modulo, HashAlgorithm.identity, hdr.h.base, { hdr.h.data }, hdr.h.max);
        hash(hdr.h.narrow, HashAlgorithm.identity, hdr.h.base, { hdr.h.data }, hdr.h.max);
        hash(hdr.h.of_nothing, HashAlgorithm.crc16, 16w0x1200, {}, 16w0x100);
    }
}

#include "../include/pipeline.p4"
