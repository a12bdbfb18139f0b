// A field is read after its header was made invalid.
//
// P4 leaves open what it is then. In BMv2 it is what it was, as long as the packet is there, and programs count on that.

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
    extra_t copied;
    extra_t last;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        packet.extract(hdr.parsed);
        packet.extract(hdr.copied);
        transition accept;
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        hdr.last.setValid();
        if (hdr.h.op == 1) {
            hdr.parsed.setInvalid();
            hdr.last.value = hdr.parsed.value;
        } else if (hdr.h.op == 2) {
            // What an invalid header is assigned to becomes invalid, and keeps its fields.
            hdr.parsed.setInvalid();
            hdr.copied = hdr.parsed;
            hdr.last.value = hdr.copied.value;
        } else if (hdr.h.op == 3) {
            hdr.parsed.setInvalid();
            if (hdr.parsed.value == 0x1234) {
                hdr.h.seen = 1;
            }
        } else if (hdr.h.op == 4) {
            // Made valid again it begins with zeros.
            hdr.parsed.setInvalid();
            hdr.parsed.setValid();
            hdr.last.value = hdr.parsed.value;
        }
    }
}

#include "../include/pipeline.p4"
