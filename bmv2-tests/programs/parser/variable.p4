// A variable field: none of it, some, all that it can be, and what it cannot be.
//
// A length that is not a multiple of 8 stops the parser with ParserInvalidArgument, one beyond the field's width with
// HeaderTooShort, and one beyond the packet's end with PacketTooShort, which BMv2 looks at before the width.

#include "../include/common.p4"

header h_t {
    bit<8> error_code;
    bit<8> bits;
    bit<16> padding;
}

header options_t {
    bit<8> first;
    varbit<64> data;
    bit<8> last;
}

struct headers_t {
    h_t h;
    options_t options;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        packet.extract(hdr.options, (bit<32>)hdr.h.bits);
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
        } else if (standard.parser_error == error.HeaderTooShort) {
            hdr.h.error_code = 3;
        } else {
            hdr.h.error_code = 0xff;
        }
        hdr.options.first = hdr.options.first + 1;
        hdr.options.last = hdr.options.last + 1;
    }
}

#include "../include/pipeline.p4"
