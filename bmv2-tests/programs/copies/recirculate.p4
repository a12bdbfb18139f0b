// Recirculation: the frame as it was put together comes in once more.
//
// What egress added is parsed, the metadata is zero but for the field list, the instance type is 4, and the length is that of
// the new frame. A truncation in the same round is forgotten: the frame comes in whole.

#define OWN_METADATA
#include "../include/common.p4"

header h_t {
    bit<8> rounds_wanted;
    bit<8> rounds;
    bit<8> kept;
    bit<8> lost;
    bit<8> instance_type;
    bit<8> length;
}

header mark_t {
    bit<8> kind;
    bit<8> round;
}

struct headers_t {
    mark_t mark;
    h_t h;
}

struct metadata_t {
    @field_list(1)
    bit<8> kept;
    bit<8> lost;
}

#define OWN_PARSE
parser parse(packet_in packet, out headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    state start {
        transition select(packet.lookahead<bit<8>>()) {
            0xfe: mark;
            default: rest;
        }
    }

    state mark {
        packet.extract(hdr.mark);
        transition rest;
    }

    state rest {
        packet.extract(hdr.h);
        transition accept;
    }
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        standard.egress_spec = 2;
        if (standard.instance_type == 4) {
            hdr.h.rounds = hdr.mark.round;
        }
        hdr.h.kept = meta.kept;
        hdr.h.lost = meta.lost;
        hdr.h.instance_type = (bit<8>)standard.instance_type;
        hdr.h.length = (bit<8>)standard.packet_length;
        meta.kept = 0x55;
        meta.lost = 0x66;
    }
}

#define OWN_EGRESS
control egress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        if (hdr.h.rounds < hdr.h.rounds_wanted) {
            hdr.mark.setValid();
            hdr.mark.kind = 0xfe;
            hdr.mark.round = hdr.h.rounds + 1;
            recirculate_preserving_field_list(1);
            if (hdr.h.rounds_wanted == 2) {
                truncate(16);
            }
        } else {
            hdr.mark.setInvalid();
        }
    }
}

#include "../include/pipeline.p4"
