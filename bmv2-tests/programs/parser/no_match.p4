// Where a parser ends other than by `accept`: at a `select` without a match, and at `reject`.
//
// BMv2 drops neither packet and sets no error, not even NoMatch: its parser ends where no transition matches, and p4c, which
// warns of it, makes no transition of `reject`.

#include "../include/common.p4"

header h_t {
    bit<8> kind;
    bit<8> error_code;
}

header next_t {
    bit<8> value;
}

struct headers_t {
    h_t h;
    next_t next;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        transition select(hdr.h.kind) {
            1: next;
            2: reject;
            3: accept;
        }
    }

    state next {
        packet.extract(hdr.next);
        transition accept;
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        if (standard.parser_error == error.NoError) {
            hdr.h.error_code = 0;
        } else if (standard.parser_error == error.NoMatch) {
            hdr.h.error_code = 1;
        } else {
            hdr.h.error_code = 0xff;
        }
        hdr.next.value = 0xaa;
    }
}

#include "../include/pipeline.p4"
