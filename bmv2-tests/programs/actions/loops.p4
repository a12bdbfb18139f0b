// Loops: counted by a constant and by a field, with `break` and `continue`, and nested.
//
// p4c makes backward jumps of a loop in an action. A loop of no rounds must not run once.

#include "../include/common.p4"

header h_t {
    bit<8> rounds;
    bit<16> sum;
    bit<8> odd;
    bit<8> stopped_at;
    bit<16> grid;
    bit<8> weighted;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action count() {
        hdr.h.weighted = 0;
        for (bit<8> weight = 1; weight < 5; weight = weight + 1) {
            hdr.h.weighted = hdr.h.weighted + weight * hdr.h.rounds;
        }
        hdr.h.sum = 0;
        hdr.h.odd = 0;
        hdr.h.stopped_at = 0xff;
        hdr.h.grid = 0;
        for (bit<8> i = 0; i < hdr.h.rounds; i = i + 1) {
            hdr.h.sum = hdr.h.sum + (bit<16>)i;
            if (i == 20) {
                hdr.h.stopped_at = i;
                break;
            }
            if (i[0:0] == 0) {
                continue;
            }
            hdr.h.odd = hdr.h.odd + 1;
        }
        for (bit<8> row = 0; row < hdr.h.rounds; row = row + 1) {
            for (bit<8> column = row; column < hdr.h.rounds; column = column + 1) {
                hdr.h.grid = hdr.h.grid + 1;
            }
        }
    }

    apply {
        standard.egress_spec = 2;
        count();
    }
}

#include "../include/pipeline.p4"
