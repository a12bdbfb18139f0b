// `hash` by every algorithm that BMv2 has.
//
// crc32_custom and crc16_custom are what they are without the parameters that a controller could give: crc32 and crc16.
// `identity` is the first eight bytes as a number. Fields that are not whole bytes are put together bit by bit.
// HashAlgorithm.random passes p4c and is refused by BMv2 when it loads the program (`random_algorithm`).

#include "../include/common.p4"

header h_t {
    bit<4> a;
    bit<20> b;
    bit<32> c;
    bit<16> crc16;
    bit<16> crc16_custom;
    bit<32> crc32;
    bit<32> crc32_custom;
    bit<16> csum16;
    bit<16> xor16;
    bit<64> identity;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        hash(hdr.h.crc16, HashAlgorithm.crc16, 16w0, { hdr.h.a, hdr.h.b, hdr.h.c }, 32w0x10000);
        hash(hdr.h.crc16_custom, HashAlgorithm.crc16_custom, 16w0, { hdr.h.a, hdr.h.b, hdr.h.c }, 32w0x10000);
        hash(hdr.h.crc32, HashAlgorithm.crc32, 32w0, { hdr.h.a, hdr.h.b, hdr.h.c }, 64w0x100000000);
        hash(hdr.h.crc32_custom, HashAlgorithm.crc32_custom, 32w0, { hdr.h.a, hdr.h.b, hdr.h.c }, 64w0x100000000);
        hash(hdr.h.csum16, HashAlgorithm.csum16, 16w0, { hdr.h.a, hdr.h.b, hdr.h.c }, 32w0x10000);
        hash(hdr.h.xor16, HashAlgorithm.xor16, 16w0, { hdr.h.a, hdr.h.b, hdr.h.c }, 32w0x10000);
        hash(hdr.h.identity, HashAlgorithm.identity, 64w0, { hdr.h.a, hdr.h.b, hdr.h.c }, 64w0xffffffffffffffff);
    }
}

#include "../include/pipeline.p4"
