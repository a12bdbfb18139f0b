// A header union: at most one of its members is valid.
//
// Making a member valid makes the others invalid, whether a program does that, or the parser by extracting it. A union is
// valid where one member is.

#include "../include/common.p4"

header h_t {
    bit<8> kind;
    bit<8> op;
    bit<8> seen;
}

header short_t {
    bit<8> value;
}

header long_t {
    bit<32> value;
}

header_union either_t {
    short_t short;
    long_t long;
}

struct headers_t {
    h_t h;
    either_t u;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        transition select(hdr.h.kind) {
            1: short;
            2: long;
            3: both;
            default: accept;
        }
    }

    state short {
        packet.extract(hdr.u.short);
        transition accept;
    }

    state long {
        packet.extract(hdr.u.long);
        transition accept;
    }

    state both {
        packet.extract(hdr.u.short);
        packet.extract(hdr.u.long);
        transition accept;
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        if (hdr.h.op == 1) {
            hdr.u.long.setValid();
            hdr.u.long.value = 0x01020304;
        } else if (hdr.h.op == 2) {
            hdr.u.short.setValid();
            hdr.u.short.value = 0x77;
        } else if (hdr.h.op == 3) {
            hdr.u.short.setInvalid();
        }
        hdr.h.seen = 5w0 ++ (bit<1>)hdr.u.isValid() ++ (bit<1>)hdr.u.short.isValid() ++ (bit<1>)hdr.u.long.isValid();
    }
}

#include "../include/pipeline.p4"
