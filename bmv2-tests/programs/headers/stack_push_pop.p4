// `push_front` and `pop_front` of a header stack.
//
// Pushing moves elements towards the end and loses the last ones; what comes in at the front is invalid. Popping moves
// them to the front and leaves invalid ones at the end. Moving by more than the size leaves nothing.

#include "../include/common.p4"

header h_t {
    bit<8> op;
    bit<8> valid;
}

header element_t {
    bit<16> value;
}

struct headers_t {
    h_t h;
    element_t[3] s;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        packet.extract(hdr.s.next);
        packet.extract(hdr.s.next);
        transition select(hdr.h.op[7:7]) {
            1: third;
            default: accept;
        }
    }

    state third {
        packet.extract(hdr.s.next);
        transition accept;
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        bit<7> op = hdr.h.op[6:0];
        if (op == 1) {
            hdr.s.push_front(1);
            hdr.s[0].setValid();
            hdr.s[0].value = 0xaaaa;
        } else if (op == 2) {
            hdr.s.push_front(2);
        } else if (op == 3) {
            hdr.s.push_front(5);
        } else if (op == 4) {
            hdr.s.pop_front(1);
        } else if (op == 5) {
            hdr.s.pop_front(2);
        } else if (op == 6) {
            hdr.s.pop_front(5);
        }
        hdr.h.valid = 5w0 ++ (bit<1>)hdr.s[0].isValid() ++ (bit<1>)hdr.s[1].isValid() ++ (bit<1>)hdr.s[2].isValid();
    }
}

#include "../include/pipeline.p4"
