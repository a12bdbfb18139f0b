// Sends every frame back by the port it came from, with a mark in front.
//
// The STF player puts this program in the place of the one under test, to learn that everything has come out of that one. A
// frame of the test that comes back with the mark was taken in too late.

#include <core.p4>
#include <v1model.p4>

header mark_t {
    bit<64> mark;
}

struct headers_t {
    mark_t mark;
}

struct metadata_t {}

parser ReflectParser(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        transition accept;
    }
}

control NoChecksum(inout headers_t hdr, inout metadata_t meta) {
    apply {}
}

control ReflectIngress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.mark.setValid();
        hdr.mark.mark = 0x9d3f_6a1c_b274_e805;
        standard.egress_spec = standard.ingress_port;
    }
}

control ReflectEgress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {}
}

control ReflectDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.mark);
    }
}

V1Switch(ReflectParser(), NoChecksum(), ReflectIngress(), ReflectEgress(), NoChecksum(), ReflectDeparser()) main;
