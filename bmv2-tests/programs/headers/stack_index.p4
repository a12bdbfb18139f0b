// Elements of a header stack chosen by a field: read, written, made valid and invalid, and the stack's size.
//
// An index beyond the end ends BMv2's process, and what p4c makes of `isValid()` of such an element it cannot load.

#include "../include/common.p4"

header h_t {
    bit<8> op;
    bit<8> index;
    bit<8> result;
}

header element_t {
    bit<8> value;
}

struct headers_t {
    h_t h;
    element_t[4] s;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        packet.extract(hdr.s.next);
        packet.extract(hdr.s.next);
        packet.extract(hdr.s.next);
        transition accept;
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        if (hdr.h.op == 0) {
            hdr.h.result = hdr.s[hdr.h.index].value;
        } else if (hdr.h.op == 1) {
            hdr.s[hdr.h.index].value = 0xaa;
        } else if (hdr.h.op == 2) {
            hdr.s[hdr.h.index].setInvalid();
        } else if (hdr.h.op == 3) {
            hdr.s[hdr.h.index].setValid();
            hdr.s[hdr.h.index].value = hdr.s[hdr.h.index - 1].value + (bit<8>)hdr.s.size;
        }
    }
}

#include "../include/pipeline.p4"
