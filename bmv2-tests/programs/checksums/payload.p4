// Checksums with the payload: `verify_checksum_with_payload` and `update_checksum_with_payload`.
//
// The payload is every byte behind the last header that was extracted. An odd one is filled up with a zero. What was
// extracted is not payload, even where its header is no longer valid.

#include "../include/common.p4"

header h_t {
    bit<8> op;
    bit<8> wrong;
    bit<16> checksum;
    bit<16> check;
}

header taken_t {
    bit<16> value;
}

struct headers_t {
    h_t h;
    taken_t taken;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        packet.extract(hdr.taken);
        transition accept;
    }
}

#define OWN_CHECK
control check(inout headers_t hdr, inout metadata_t meta) {
    apply {
        verify_checksum_with_payload(hdr.h.op[0:0] == 1, { hdr.taken.value }, hdr.h.check, HashAlgorithm.csum16);
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        hdr.h.wrong = (bit<8>)standard.checksum_error;
        if (hdr.h.op[1:1] == 1) {
            hdr.taken.setInvalid();
        }
    }
}

#define OWN_COMPUTE
control compute(inout headers_t hdr, inout metadata_t meta) {
    apply {
        update_checksum_with_payload(true, { hdr.h.op, 8w0xff }, hdr.h.checksum, HashAlgorithm.csum16);
    }
}

#include "../include/pipeline.p4"
