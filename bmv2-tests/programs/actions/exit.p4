// `exit` in ingress and in egress.
//
// It ends the pipeline that it is in: after an exit in ingress the packet still goes to egress, and after one in egress it is
// still put together and sent. In an action, what stands behind it does not run either.

#include "../include/common.p4"

header h_t {
    bit<8> where;
    bit<8> in_action;
    bit<8> after_ingress;
    bit<8> before_egress;
    bit<8> after_egress;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action leave() {
        hdr.h.in_action = 1;
        exit;
        hdr.h.in_action = 2;
    }

    action stay() {
        hdr.h.in_action = 3;
    }

    table choose {
        key = {
            hdr.h.where: exact;
        }
        actions = { leave; stay; }
        const default_action = stay;
        const entries = {
            1: leave;
        }
    }

    apply {
        standard.egress_spec = 2;
        choose.apply();
        if (hdr.h.where == 2) {
            exit;
        }
        hdr.h.after_ingress = 4;
    }
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        hdr.h.before_egress = 5;
        if (hdr.h.where == 3) {
            exit;
        }
        hdr.h.after_egress = 6;
    }
}

#include "../include/pipeline.p4"
