// `setValid`, `setInvalid` and `isValid`, and what is emitted.
//
// Only valid headers are emitted, in the order of the deparser. A header that is made invalid takes its bytes out of the
// frame; one that is made valid twice is there once.

#include "../include/common.p4"

header h_t {
    bit<8> op;
    bit<8> seen;
}

header extra_t {
    bit<16> value;
}

struct headers_t {
    h_t h;
    extra_t parsed;
    extra_t added;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        packet.extract(hdr.parsed);
        transition accept;
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        if (hdr.h.op == 1) {
            hdr.added.setValid();
            hdr.added.value = 0xabcd;
        } else if (hdr.h.op == 2) {
            hdr.parsed.setInvalid();
        } else if (hdr.h.op == 3) {
            hdr.parsed.setInvalid();
            hdr.added.setValid();
            hdr.added.setValid();
            hdr.added.value = 0x1234;
        } else if (hdr.h.op == 4) {
            hdr.parsed.setInvalid();
            hdr.parsed.setValid();
            hdr.parsed.value = 0x5678;
        } else if (hdr.h.op == 5) {
            hdr.added.setInvalid();
        }
        hdr.h.seen = 5w0 ++ (bit<1>)hdr.h.isValid() ++ (bit<1>)hdr.parsed.isValid() ++ (bit<1>)hdr.added.isValid();
    }
}

#include "../include/pipeline.p4"
