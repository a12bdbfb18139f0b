// `update_checksum`: after egress, over the fields as they then are.
//
// Where the condition is false the old sum stays. Updates are made in the order of the program, so a sum over a sum takes the
// new one.

#include "../include/common.p4"

header h_t {
    bit<8> update;
    bit<8> a;
    bit<4> b;
    bit<12> c;
    bit<16> checksum;
    bit<16> of_both;
    bit<48> rest;
}

struct headers_t {
    h_t h;
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.a = hdr.h.a + 1;
    }
}

#define OWN_COMPUTE
control compute(inout headers_t hdr, inout metadata_t meta) {
    apply {
        update_checksum(hdr.h.update[0:0] == 1, { hdr.h.a, 8w0, hdr.h.b, hdr.h.c }, hdr.h.checksum, HashAlgorithm.csum16);
        update_checksum(hdr.h.update[1:1] == 1, { hdr.h.checksum, hdr.h.rest }, hdr.h.of_both, HashAlgorithm.csum16);
    }
}

#include "../include/pipeline.p4"
