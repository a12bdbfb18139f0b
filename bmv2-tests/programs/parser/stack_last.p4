// The last header of a stack, copied whole by the parser.
//
// p4c writes it like a field of the stack. BMv2 loads that, and ends when the parser comes to it.

#include "../include/common.p4"

header h_t {
    bit<8> more;
    bit<8> value;
}

struct headers_t {
    h_t copy;
    h_t[3] items;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.items.next);
        transition select(hdr.items.last.more) {
            0: done;
            default: start;
        }
    }

    state done {
        hdr.copy = hdr.items.last;
        transition accept;
    }
}

#include "../include/pipeline.p4"
