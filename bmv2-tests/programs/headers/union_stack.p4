// A stack of header unions: extracted, pushed and popped, and assigned as a whole.
//
// `next` is one union for all its members, so options of different kinds stand in one stack in the order of the packet. An
// element without a valid member emits nothing. BMv2 moves unions round the stack: what is popped stays valid at its end, and
// what is pushed in at the front is what was last. P4 has invalid ones there, and so has the embedded switch; the program makes
// them so itself, and both agree.

#include "../include/common.p4"

header h_t {
    bit<8> op;
    bit<8> seen;
}

header short_t {
    bit<4> kind;
    bit<4> value;
}

header long_t {
    bit<4> kind;
    bit<20> value;
}

header_union option_t {
    short_t short;
    long_t long;
}

struct headers_t {
    h_t h;
    option_t[3] o;
    option_t[3] copy;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        transition options;
    }

    state options {
        transition select(packet.lookahead<bit<4>>()) {
            1: short;
            2: long;
            default: accept;
        }
    }

    state short {
        packet.extract(hdr.o.next.short);
        transition options;
    }

    state long {
        packet.extract(hdr.o.next.long);
        transition options;
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        if (hdr.h.op == 1) {
            hdr.copy = hdr.o;
        } else if (hdr.h.op == 2) {
            hdr.o.pop_front(1);
            hdr.o[2].short.setInvalid();
            hdr.o[2].long.setInvalid();
        } else if (hdr.h.op == 3) {
            hdr.o.push_front(1);
            hdr.o[0].short.setInvalid();
            hdr.o[0].long.setInvalid();
            hdr.o[0].short.setValid();
            hdr.o[0].short.kind = 1;
            hdr.o[0].short.value = 0xf;
        }
        hdr.h.seen = 2w0 ++ (bit<1>)hdr.o[0].short.isValid() ++ (bit<1>)hdr.o[0].long.isValid()
            ++ (bit<1>)hdr.o[1].short.isValid() ++ (bit<1>)hdr.o[1].long.isValid()
            ++ (bit<1>)hdr.o[2].short.isValid() ++ (bit<1>)hdr.o[2].long.isValid();
    }
}

#include "../include/pipeline.p4"
