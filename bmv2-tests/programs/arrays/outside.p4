// Counters, registers and meters at an index beyond their end: nothing is counted, written or measured, and what should have
// been read into keeps its value.
//
// BMv2 looks at the index in its debug build and logs an error; its release build reads and writes memory that is not the array's.

#include "../include/common.p4"

header h_t {
    bit<32> index;
    bit<16> value;
    bit<16> last;
    bit<8> colour;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    register<bit<16>>(4) values;
    counter(4, CounterType.packets) packets;
    meter(4, MeterType.packets) rates;

    apply {
        standard.egress_spec = 2;
        values.write(hdr.h.index, 0x5555);
        values.read(hdr.h.value, hdr.h.index);
        values.read(hdr.h.last, 3);
        packets.count(hdr.h.index);
        rates.execute_meter<bit<8>>(hdr.h.index, hdr.h.colour);
    }
}

#include "../include/pipeline.p4"
