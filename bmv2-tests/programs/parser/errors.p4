// `verify` with errors of the core library and of the program, and what a parser error does.
//
// The parser stops at a verification that fails: what follows is not extracted, and the packet goes through ingress with
// standard_metadata.parser_error set.

#include "../include/common.p4"

error {
    NotWelcome,
    TooOld
}

header h_t {
    bit<8> age;
    bit<8> guest;
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
        verify(hdr.h.age < 100, error.TooOld);
        verify(hdr.h.guest != 0 || hdr.h.age > 18, error.NotWelcome);
        packet.extract(hdr.next);
        verify(hdr.next.value != 0, error.HeaderTooShort);
        hdr.next.value = 0xaa;
        transition accept;
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        if (standard.parser_error == error.NoError) {
            hdr.h.error_code = 0;
        } else if (standard.parser_error == error.NotWelcome) {
            hdr.h.error_code = 1;
        } else if (standard.parser_error == error.TooOld) {
            hdr.h.error_code = 2;
        } else if (standard.parser_error == error.HeaderTooShort) {
            hdr.h.error_code = 3;
        } else {
            hdr.h.error_code = 0xff;
        }
        if (hdr.next.isValid()) {
            standard.egress_spec = 3;
        }
    }
}

#include "../include/pipeline.p4"
