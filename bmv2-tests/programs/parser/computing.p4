// A parser that computes: variables that live from state to state, a loop that counts bytes down, assignments of headers and
// validity, and expressions in a `select`.

#include "../include/common.p4"

header h_t {
    bit<8> length;
    bit<8> sum;
    bit<8> path;
}

header octet_t {
    bit<8> value;
}

struct headers_t {
    h_t h;
    octet_t[4] octets;
    octet_t copy;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    bit<8> left;
    bit<8> sum;

    state start {
        packet.extract(hdr.h);
        left = hdr.h.length;
        sum = 0;
        hdr.h.path = 0;
        transition more;
    }

    state more {
        transition select(left) {
            0: done;
            default: octet;
        }
    }

    state octet {
        packet.extract(hdr.octets.next);
        left = left - 1;
        sum = sum + hdr.octets.last.value;
        hdr.copy = hdr.octets[0];
        transition more;
    }

    state done {
        hdr.h.sum = sum;
        transition select((sum & 0x0f) + hdr.h.length, hdr.octets[1].isValid()) {
            (0x05, true): special;
            (_, false): single;
            default: accept;
        }
    }

    state special {
        hdr.h.path = 1;
        hdr.copy.setInvalid();
        transition accept;
    }

    state single {
        hdr.h.path = 2;
        hdr.copy.setValid();
        hdr.copy.value = 0x55;
        transition accept;
    }
}

#include "../include/pipeline.p4"
