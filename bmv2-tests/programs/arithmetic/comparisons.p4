// Every comparison, of unsigned fields, of signed ones, and of booleans.

#include "../include/common.p4"

header h_t {
    bit<16> a;
    bit<16> b;
    bit<8> by_unsigned;
    bit<8> by_signed;
    bit<8> of_booleans;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        int<16> a = (int<16>)hdr.h.a;
        int<16> b = (int<16>)hdr.h.b;
        bool big = hdr.h.a > 0x7fff;
        bool odd = hdr.h.b[0:0] == 1;
        hdr.h.by_unsigned = 2w0 ++ (bit<1>)(hdr.h.a == hdr.h.b) ++ (bit<1>)(hdr.h.a != hdr.h.b) ++ (bit<1>)(hdr.h.a < hdr.h.b)
            ++ (bit<1>)(hdr.h.a <= hdr.h.b) ++ (bit<1>)(hdr.h.a > hdr.h.b) ++ (bit<1>)(hdr.h.a >= hdr.h.b);
        hdr.h.by_signed = 2w0 ++ (bit<1>)(a == b) ++ (bit<1>)(a != b) ++ (bit<1>)(a < b)
            ++ (bit<1>)(a <= b) ++ (bit<1>)(a > b) ++ (bit<1>)(a >= b);
        hdr.h.of_booleans = 4w0 ++ (bit<1>)(big == odd) ++ (bit<1>)(big != odd) ++ (bit<1>)(big && odd) ++ (bit<1>)(big || odd);
        standard.egress_spec = 2;
    }
}

#include "../include/pipeline.p4"
