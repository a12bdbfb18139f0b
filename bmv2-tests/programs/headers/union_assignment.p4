// A header union assigned to another: the member that is valid in one is the one that is valid in the other.

#include "../include/common.p4"

header h_t {
    bit<8> kind;
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
    either_t v;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        transition select(hdr.h.kind) {
            1: short;
            2: long;
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
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        hdr.v.short.setValid();
        hdr.v.short.value = 0x99;
        hdr.v = hdr.u;
        hdr.h.seen = 6w0 ++ (bit<1>)hdr.v.short.isValid() ++ (bit<1>)hdr.v.long.isValid();
    }
}

#include "../include/pipeline.p4"
