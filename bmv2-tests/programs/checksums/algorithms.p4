// Checksums by other algorithms than the Internet's: crc16, crc32, xor16, and identity, and what the width of the field cuts off.

#include "../include/common.p4"

header h_t {
    bit<32> data;
    bit<16> crc16;
    bit<32> crc32;
    bit<16> low_of_crc32;
    bit<16> xor16;
    bit<16> low_of_identity;
    bit<8> wrong;
}

struct headers_t {
    h_t h;
}

#define OWN_CHECK
control check(inout headers_t hdr, inout metadata_t meta) {
    apply {
        verify_checksum(true, { hdr.h.data }, hdr.h.crc32, HashAlgorithm.crc32);
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        hdr.h.wrong = (bit<8>)standard.checksum_error;
    }
}

#define OWN_COMPUTE
control compute(inout headers_t hdr, inout metadata_t meta) {
    apply {
        update_checksum(true, { hdr.h.data }, hdr.h.crc16, HashAlgorithm.crc16);
        update_checksum(true, { hdr.h.data }, hdr.h.crc32, HashAlgorithm.crc32);
        update_checksum(true, { hdr.h.data }, hdr.h.low_of_crc32, HashAlgorithm.crc32);
        update_checksum(true, { hdr.h.data }, hdr.h.xor16, HashAlgorithm.xor16);
        update_checksum(true, { hdr.h.data }, hdr.h.low_of_identity, HashAlgorithm.identity);
    }
}

#include "../include/pipeline.p4"
