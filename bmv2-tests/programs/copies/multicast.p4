// Multicast: groups of nodes, each of which has an instance number and ports.
//
// Every copy goes through egress by itself, with its node's number in egress_rid and the instance type 5. A port that is in two
// nodes gets two copies. A group wins over egress_spec; one that does not exist, or has no node, drops. What a program may
// not want to go back where it came from, it drops in egress: BMv2 prunes nothing.

#include "../include/common.p4"

header h_t {
    bit<16> group;
    bit<16> replica;
    bit<8> port;
    bit<8> instance_type;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 9;
        standard.mcast_grp = hdr.h.group;
    }
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.replica = standard.egress_rid;
        hdr.h.port = (bit<8>)standard.egress_port;
        hdr.h.instance_type = (bit<8>)standard.instance_type;
        if (hdr.h.group == 2 && standard.egress_port == standard.ingress_port) {
            mark_to_drop(standard);
        }
    }
}

#include "../include/pipeline.p4"
