// Counters by index: of packets, of bytes, and of both; in ingress and in egress.
//
// Bytes are those of the frame as it came in, in egress too, whatever has become of it. BMv2 counts
// packets and bytes in every counter.

#include "../include/common.p4"

header h_t {
    bit<8> index;
    bit<8> drop;
}

header added_t {
    bit<64> value;
}

struct headers_t {
    h_t h;
    added_t added;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    counter(4, CounterType.packets) packets_in;
    counter(4, CounterType.bytes) bytes_in;

    apply {
        standard.egress_spec = 2;
        packets_in.count((bit<32>)hdr.h.index);
        bytes_in.count((bit<32>)hdr.h.index);
        if (hdr.h.drop == 1) {
            mark_to_drop(standard);
        }
        hdr.added.setValid();
        hdr.added.value = 0;
    }
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    counter(4, CounterType.packets_and_bytes) both_out;

    apply {
        both_out.count((bit<32>)hdr.h.index);
    }
}

#include "../include/pipeline.p4"
