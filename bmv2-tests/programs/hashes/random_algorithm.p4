// HashAlgorithm.random, which p4c passes on and BMv2 does not have: it refuses the program, and so does the embedded switch.

#include "../include/common.p4"

header h_t {
    bit<16> data;
    bit<16> result;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hash(hdr.h.result, HashAlgorithm.random, 16w0, { hdr.h.data }, 16w0xff);
        standard.egress_spec = 2;
    }
}

#include "../include/pipeline.p4"
