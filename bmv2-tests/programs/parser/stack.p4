// A header stack filled by a loop of parser states: `next`, `last`, `lastIndex`, and what happens at its end.
//
// Labels follow each other until one has its bottom bit set. Where the stack is full, extracting the next one stops the parser
// with StackOutOfBounds; what was extracted stays.

#include "../include/common.p4"

header h_t {
    bit<8> error_code;
    bit<8> last_index;
    bit<8> last_value;
}

header label_t {
    bit<15> value;
    bit<1> bottom;
}

struct headers_t {
    h_t h;
    label_t[3] labels;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        transition label;
    }

    state label {
        packet.extract(hdr.labels.next);
        hdr.h.last_index = (bit<8>)hdr.labels.lastIndex;
        hdr.h.last_value = hdr.labels.last.value[7:0];
        transition select(hdr.labels.last.bottom) {
            0: label;
            1: accept;
        }
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        hdr.h.error_code = standard.parser_error == error.StackOutOfBounds ? 8w0x51 : 0;
        hdr.labels[0].value = 0x7fff;
        hdr.labels[2].value = 0;
    }
}

#include "../include/pipeline.p4"
