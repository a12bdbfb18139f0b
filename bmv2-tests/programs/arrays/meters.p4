// Meters by index, of packets and of bytes.
//
// Two rates, three colours: green while the committed burst lasts, yellow while the peak burst does, then red. Rates of one
// token in far more time than the test takes leave only the bursts. Bytes are those of the frame as it came in. A cell without
// rates is always green.

#include "../include/common.p4"

header h_t {
    bit<8> index;
    bit<8> by_packets;
    bit<8> by_bytes;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    meter(3, MeterType.packets) packets_in;
    meter(3, MeterType.bytes) bytes_in;

    apply {
        standard.egress_spec = 2;
        packets_in.execute_meter<bit<8>>((bit<32>)hdr.h.index, hdr.h.by_packets);
        bytes_in.execute_meter<bit<8>>((bit<32>)hdr.h.index, hdr.h.by_bytes);
    }
}

#include "../include/pipeline.p4"
