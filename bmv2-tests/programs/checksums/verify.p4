// `verify_checksum`: a condition, an invalid header, and a sum that is wrong.
//
// A wrong sum sets standard_metadata.checksum_error and drops nothing. Where the condition is false, or the header of the checksum
// is invalid, nothing is looked at. The two sums share one flag.

#include "../include/common.p4"

header h_t {
    bit<8> checked;
    bit<8> second;
    bit<16> a;
    bit<32> b;
    bit<16> checksum;
    bit<16> wrong;
}

header second_t {
    bit<24> value;
    bit<16> checksum;
    bit<8> more;
}

struct headers_t {
    h_t h;
    second_t second;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        transition select(hdr.h.second) {
            0: accept;
            default: second;
        }
    }

    state second {
        packet.extract(hdr.second);
        transition accept;
    }
}

#define OWN_CHECK
control check(inout headers_t hdr, inout metadata_t meta) {
    apply {
        verify_checksum(hdr.h.checked == 1, { hdr.h.a, hdr.h.b }, hdr.h.checksum, HashAlgorithm.csum16);
        // A field of 24 bits and one of 8 make two words.
        verify_checksum(true, { hdr.second.value, hdr.second.more }, hdr.second.checksum, HashAlgorithm.csum16);
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        hdr.h.wrong = (bit<16>)standard.checksum_error;
    }
}

#include "../include/pipeline.p4"
