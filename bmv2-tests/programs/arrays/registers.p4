// Registers: read and written by packets, from ingress and egress.
//
// Cells start as 0, keep what was written, and cut it to their width.

#include "../include/common.p4"

header h_t {
    bit<8> op;
    bit<8> index;
    bit<16> value;
    bit<8> narrow;
    bit<8> count;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    register<bit<16>>(4) values;
    register<bit<4>>(4) narrow_values;

    apply {
        standard.egress_spec = 2;
        if (hdr.h.op == 1) {
            values.write((bit<32>)hdr.h.index, hdr.h.value);
            narrow_values.write((bit<32>)hdr.h.index, hdr.h.value[3:0] + 1);
        } else {
            bit<16> read = hdr.h.value;
            bit<4> narrow = 0xa;
            values.read(read, (bit<32>)hdr.h.index);
            narrow_values.read(narrow, (bit<32>)hdr.h.index);
            hdr.h.value = read;
            hdr.h.narrow = 4w0 ++ narrow;
        }
    }
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    register<bit<8>>(1) packets;

    apply {
        packets.read(hdr.h.count, 0);
        hdr.h.count = hdr.h.count + 1;
        packets.write(0, hdr.h.count);
    }
}

#include "../include/pipeline.p4"
