// Digests: fields that the controller gets, with their values at the end of ingress.
//
// Fields of any width fill whole bytes, each for itself. A packet that is dropped is reported all the same.

#include "../include/common.p4"

header h_t {
    bit<8> op;
    bit<4> a;
    bit<12> b;
    bit<72> c;
}

struct headers_t {
    h_t h;
}

struct seen_t {
    bit<4> a;
    bit<12> b;
    bit<72> c;
    bit<9> port;
}

struct alarm_t {
    bit<12> b;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        if (hdr.h.op == 1) {
            digest<seen_t>(1, { hdr.h.a, hdr.h.b, hdr.h.c, standard.ingress_port });
            hdr.h.a = 0;
        } else if (hdr.h.op == 2) {
            digest<alarm_t>(1, { hdr.h.b });
            mark_to_drop(standard);
        }
    }
}

#include "../include/pipeline.p4"
