// `lookahead`: bits that are read but not taken.
//
// It decides which header follows, and its value can be kept. Where the packet has fewer bits left, the parser stops with
// PacketTooShort, and nothing of it is taken.

#define OWN_METADATA
#include "../include/common.p4"

header h_t {
    bit<8> kept;
    bit<8> wide_ahead;
    bit<8> error_code;
    bit<40> padding;
}

header long_t {
    bit<4> kind;
    bit<28> value;
}

struct headers_t {
    h_t h;
    long_t long;
}

struct metadata_t {
    bit<80> ahead;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        hdr.h.kept = packet.lookahead<bit<8>>();
        transition select(packet.lookahead<bit<4>>()) {
            0x7: long;
            0x8: wide;
            default: accept;
        }
    }

    state long {
        packet.extract(hdr.long);
        transition accept;
    }

    state wide {
        meta.ahead = packet.lookahead<bit<80>>();
        hdr.h.wide_ahead = meta.ahead[7:0];
        transition accept;
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        hdr.h.error_code = standard.parser_error == error.PacketTooShort ? 8w0x70 : 0;
        hdr.long.value = hdr.long.value + 1;
    }
}

#include "../include/pipeline.p4"
