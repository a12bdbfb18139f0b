// A parser that calls another, twice, with parameters of its own.
//
// p4c puts the other's states in the place of each call, so that both calls come back to where they were made.

#include "../include/common.p4"

header h_t {
    bit<8> outer;
    bit<8> inner;
}

header one_t {
    bit<8> value;
}

header other_t {
    bit<24> value;
}

struct layer_t {
    one_t one;
    other_t other;
}

struct headers_t {
    h_t h;
    layer_t outer;
    layer_t inner;
}

parser layer(packet_in packet, in bit<8> kind, out layer_t to) {
    state start {
        transition select(kind) {
            1: one;
            2: other;
            default: accept;
        }
    }

    state one {
        packet.extract(to.one);
        transition accept;
    }

    state other {
        packet.extract(to.other);
        transition accept;
    }
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    layer() outer_layer;
    layer() inner_layer;

    state start {
        packet.extract(hdr.h);
        outer_layer.apply(packet, hdr.h.outer, hdr.outer);
        inner_layer.apply(packet, hdr.h.inner, hdr.inner);
        transition accept;
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        hdr.outer.one.value = 0xa1;
        hdr.outer.other.value = 0xa2a2a2;
        hdr.inner.one.value = 0xb1;
        hdr.inner.other.value = 0xb2b2b2;
    }
}

#define OWN_DEPARSE
control deparse(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.h);
        packet.emit(hdr.outer);
        packet.emit(hdr.inner);
    }
}

#include "../include/pipeline.p4"
