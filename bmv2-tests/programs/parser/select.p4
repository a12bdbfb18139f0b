// `select` by values, masks, ranges, and several fields at once.
//
// The first case that matches is taken. p4c makes masks of a range, and one key of several fields.

#include "../include/common.p4"

header h_t {
    bit<8> a;
    bit<4> b;
    bit<4> path;
    bit<16> c;
}

struct headers_t {
    h_t h;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        transition select(hdr.h.a, hdr.h.b, hdr.h.c) {
            (0x11, 0x2, 0x3333): path1;
            (0x11, _, 0x3333): path2;
            (0x40 &&& 0xf0, 0x1 &&& 0x1, _): path3;
            (0x50 .. 0x67, _, 0x0100 .. 0x02ff): path4;
            (_, 0xf, _): path5;
            default: path6;
        }
    }

    state path1 {
        hdr.h.path = 1;
        transition accept;
    }

    state path2 {
        hdr.h.path = 2;
        transition accept;
    }

    state path3 {
        hdr.h.path = 3;
        transition accept;
    }

    state path4 {
        hdr.h.path = 4;
        transition accept;
    }

    state path5 {
        hdr.h.path = 5;
        transition accept;
    }

    state path6 {
        hdr.h.path = 6;
        transition accept;
    }
}

#include "../include/pipeline.p4"
