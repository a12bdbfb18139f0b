// Registers of more than 64 and of more than 128 bits, of one bit, and of signed numbers.
//
// BMv2's registers keep bits, not signs: a negative number that is read stays a large one in what is computed of it, until it is
// in a header.

#include "../include/common.p4"

header h_t {
    bit<8> write;
    bit<96> wide;
    bit<160> wider;
    int<8> number;
    bit<7> padding;
    bit<1> flag;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    register<bit<96>>(2) wide;
    register<bit<160>>(2) wider;
    register<int<8>>(2) numbers;
    register<bit<1>>(2) flags;

    apply {
        standard.egress_spec = 2;
        if (hdr.h.write == 1) {
            wide.write(1, hdr.h.wide);
            wider.write(1, hdr.h.wider);
            numbers.write(1, hdr.h.number);
            flags.write(1, hdr.h.flag);
        } else {
            wide.read(hdr.h.wide, 1);
            wider.read(hdr.h.wider, 1);
            numbers.read(hdr.h.number, 1);
            flags.read(hdr.h.flag, 1);
        }
    }
}

#include "../include/pipeline.p4"
