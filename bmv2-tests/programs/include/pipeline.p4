// The blocks that a program has not declared itself; it defines OWN_ followed by the name of each one that it has.

#ifndef OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        transition accept;
    }
}
#endif

#ifndef OWN_CHECK
control check(inout headers_t hdr, inout metadata_t meta) {
    apply {}
}
#endif

#ifndef OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
    }
}
#endif

#ifndef OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {}
}
#endif

#ifndef OWN_COMPUTE
control compute(inout headers_t hdr, inout metadata_t meta) {
    apply {}
}
#endif

#ifndef OWN_DEPARSE
control deparse(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr);
    }
}
#endif

V1Switch(parse(), check(), ingress(), egress(), compute(), deparse()) main;
