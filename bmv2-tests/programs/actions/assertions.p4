// `assert` and `assume` that hold: the packet goes on as if they were not there, and their conditions are computed in the
// packet's own values.
//
// BMv2 ends its process where one does not hold, so that is left to the engine's own tests.

#include "../include/common.p4"

header h_t {
    bit<8> a;
    bit<8> b;
    bit<8> result;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        assert(hdr.h.isValid());
        hdr.h.result = hdr.h.a + hdr.h.b;
        assert(hdr.h.result == 0 || hdr.h.a < 0x80 && hdr.h.b != hdr.h.result);
        assume(hdr.h.a != 0x77);
        standard.egress_spec = 2;
    }
}

#include "../include/pipeline.p4"
