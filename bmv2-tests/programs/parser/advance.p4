// `advance`: bits that are skipped.
//
// What is skipped is lost: it is in no header and not in the payload. A distance that is not a multiple of 8 stops the parser
// with ParserInvalidArgument, one beyond the end with PacketTooShort; both leave it where it is.

#include "../include/common.p4"

header h_t {
    bit<16> bits;
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
        packet.advance((bit<32>)hdr.h.bits);
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
        } else if (standard.parser_error == error.PacketTooShort) {
            hdr.h.error_code = 1;
        } else if (standard.parser_error == error.ParserInvalidArgument) {
            hdr.h.error_code = 2;
        } else {
            hdr.h.error_code = 0xff;
        }
        hdr.next.value = hdr.next.value + 1;
    }
}

#include "../include/pipeline.p4"
