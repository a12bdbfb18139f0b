// Ports in the standard metadata.
//
// egress_spec is what ingress set, and nobody's in egress: there it is 0, and only the drop port means anything. egress_port is known
// in egress only.

#include "../include/common.p4"

header h_t {
    bit<16> wanted;
    bit<16> came_from;
    bit<16> spec;
    bit<16> port_before;
    bit<16> spec_after;
    bit<16> port;
    bit<16> from_after;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = (bit<9>)hdr.h.wanted;
        hdr.h.came_from = (bit<16>)standard.ingress_port;
        hdr.h.spec = (bit<16>)standard.egress_spec;
        hdr.h.port_before = (bit<16>)standard.egress_port;
    }
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.spec_after = (bit<16>)standard.egress_spec;
        hdr.h.port = (bit<16>)standard.egress_port;
        hdr.h.from_after = (bit<16>)standard.ingress_port;
    }
}

#include "../include/pipeline.p4"
