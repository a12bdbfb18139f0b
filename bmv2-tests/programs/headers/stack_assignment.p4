// A header stack assigned to another: every element, valid or not.

#include "../include/common.p4"

header h_t {
    bit<8> count;
    bit<8> after;
}

header element_t {
    bit<16> value;
}

struct headers_t {
    h_t h;
    element_t[2] s;
    element_t[2] t;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        transition select(hdr.h.count) {
            0: accept;
            default: first;
        }
    }

    state first {
        packet.extract(hdr.s.next);
        transition select(hdr.h.count) {
            1: accept;
            default: second;
        }
    }

    state second {
        packet.extract(hdr.s.next);
        transition accept;
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        hdr.t[1].setValid();
        hdr.t[1].value = 0x9999;
        hdr.t = hdr.s;
        hdr.s[0].value = 0xffff;
        hdr.h.after = 4w0 ++ (bit<1>)hdr.s[0].isValid() ++ (bit<1>)hdr.s[1].isValid() ++ (bit<1>)hdr.t[0].isValid()
            ++ (bit<1>)hdr.t[1].isValid();
    }
}

#include "../include/pipeline.p4"
