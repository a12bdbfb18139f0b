// Clone sessions that cut their copies.
//
// A session can have a length; its copies are cut to so many bytes as they leave, whatever egress has added. The packet itself
// stays whole, and so does a copy that is shorter.

#include "../include/common.p4"

header h_t {
    bit<8> session;
    bit<8> instance_type;
}

header added_t {
    bit<16> value;
}

struct headers_t {
    added_t added;
    h_t h;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        packet.extract(hdr.h);
        transition accept;
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        if (hdr.h.session == 1) {
            clone(CloneType.I2E, 1);
        } else if (hdr.h.session == 2) {
            clone(CloneType.I2E, 2);
        }
    }
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.instance_type = (bit<8>)standard.instance_type;
        if (standard.instance_type == 0 && hdr.h.session == 3) {
            clone(CloneType.E2E, 1);
        }
        if (standard.instance_type != 0) {
            hdr.added.setValid();
            hdr.added.value = 0xadde;
        }
    }
}

#include "../include/pipeline.p4"
