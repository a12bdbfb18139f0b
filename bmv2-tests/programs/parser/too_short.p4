// Packets that end before the headers do.
//
// A header that does not fit is not valid, nothing of it is taken, the parser stops with PacketTooShort, and the packet goes
// on through ingress: BMv2 drops nothing for it. The bytes that were not taken are payload.

#include "../include/common.p4"

header h_t {
    bit<8> error_code;
    bit<8> valid;
}

header middle_t {
    bit<48> value;
}

header last_t {
    bit<96> value;
}

struct headers_t {
    h_t h;
    middle_t middle;
    last_t last;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        packet.extract(hdr.middle);
        packet.extract(hdr.last);
        hdr.middle.value = 0x9999;
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
        } else {
            hdr.h.error_code = 0xff;
        }
        hdr.h.valid = 6w0 ++ (bit<1>)hdr.middle.isValid() ++ (bit<1>)hdr.last.isValid();
    }
}

#include "../include/pipeline.p4"
