// Every kind of match in one key.
//
// As soon as a field is ternary, optional or a range, the whole key goes by priority, and a prefix counts no more than any
// other mask. Keys can also be expressions, slices and a header's validity.

#include "../include/common.p4"

header h_t {
    bit<8> exact_one;
    bit<16> prefix;
    bit<8> masked;
    bit<8> ranged;
    bit<8> optional_one;
    bit<8> result;
    bit<8> of_expressions;
    bit<48> padding;
}

header more_t {
    bit<8> value;
}

struct headers_t {
    h_t h;
    more_t more;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        transition select(hdr.h.padding[0:0]) {
            1: more;
            default: accept;
        }
    }

    state more {
        packet.extract(hdr.more);
        transition accept;
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action set(bit<8> value) {
        hdr.h.result = value;
    }

    action note(bit<8> value) {
        hdr.h.of_expressions = value;
    }

    table mixed {
        key = {
            hdr.h.exact_one: exact;
            hdr.h.prefix: lpm;
            hdr.h.masked: ternary;
            hdr.h.ranged: range;
            hdr.h.optional_one: optional;
        }
        actions = { set; }
        default_action = set(0);
    }

    table expressions {
        key = {
            hdr.more.isValid(): exact @name("more");
            hdr.h.prefix[11:4]: exact @name("middle");
            hdr.h.masked & 0xf0: exact @name("high");
            hdr.h.exact_one + hdr.h.ranged: exact @name("sum");
        }
        actions = { note; }
        default_action = note(0);
    }

    apply {
        standard.egress_spec = 2;
        mixed.apply();
        expressions.apply();
    }
}

#include "../include/pipeline.p4"
