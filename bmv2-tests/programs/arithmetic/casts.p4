// Casts: between widths, between signed and unsigned, and between bool and bit<1>.
//
// A narrowing cast cuts high bits off, a widening one adds zeros or copies of the sign. BMv2 has booleans beside numbers, which
// p4c turns into each other where a header keeps one.

#define OWN_METADATA
#include "../include/common.p4"

header h_t {
    bit<16> value;
    bit<8> narrowed;
    bit<32> widened;
    int<16> sign_kept;
    int<32> sign_extended;
    bit<32> extended_then_unsigned;
    int<4> nibble;
    bool is_big;
    bool is_odd;
    bit<1> as_bit;
    bit<1> inverted;
}

struct headers_t {
    h_t h;
}

struct metadata_t {
    bool big;
    int<8> low;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        meta.big = hdr.h.value > 0xff;
        meta.low = (int<8>)hdr.h.value[7:0];
        hdr.h.narrowed = (bit<8>)hdr.h.value;
        hdr.h.widened = (bit<32>)hdr.h.value;
        hdr.h.sign_kept = (int<16>)meta.low;
        hdr.h.sign_extended = (int<32>)(int<16>)hdr.h.value;
        hdr.h.extended_then_unsigned = (bit<32>)(int<32>)meta.low;
        hdr.h.nibble = (int<4>)meta.low;
        hdr.h.is_big = meta.big;
        hdr.h.is_odd = (bool)hdr.h.value[0:0];
        hdr.h.as_bit = (bit<1>)meta.big;
        hdr.h.inverted = (bit<1>)!hdr.h.is_odd;
        standard.egress_spec = 2;
    }
}

#include "../include/pipeline.p4"
