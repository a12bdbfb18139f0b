// What a packet learns of its queue. It says itself by which port and with which priority it leaves, and whether it is to be copied,
// dropped or sent around again in egress.
#include <core.p4>
#include <v1model.p4>

header told_t {
    bit<8>  port;
    bit<8>  priority;
    // 1: cloned in ingress, 2: multicast, 3: cloned in egress, 4: dropped in egress, 5: recirculated once.
    bit<8>  what;
    bit<8>  number;
    bit<8>  qid;
    bit<8>  enq_qdepth;
    bit<8>  deq_qdepth;
    bit<32> enq_timestamp;
    bit<32> deq_timedelta;
    bit<32> left_at;
    bit<32> count;
}

struct headers_t { told_t told; }
struct meta_t { }

parser P(packet_in packet, out headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    state start { packet.extract(hdr.told); transition accept; }
}

control V(inout headers_t hdr, inout meta_t meta) { apply { } }
control U(inout headers_t hdr, inout meta_t meta) { apply { } }

control I(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    apply {
        std.egress_spec = (bit<9>) hdr.told.port;
        std.priority = (bit<3>) hdr.told.priority;
        if (hdr.told.what == 1) { clone_preserving_field_list(CloneType.I2E, 5, 1); }
        else if (hdr.told.what == 2) { std.mcast_grp = 7; }
    }
}

control E(inout headers_t hdr, inout meta_t meta, inout standard_metadata_t std) {
    register<bit<32>>(1) seen;

    apply {
        bit<32> before;
        seen.read(before, 0);
        seen.write(0, before + 1);
        hdr.told.count = before + 1;
        hdr.told.qid = (bit<8>) std.priority;
        hdr.told.enq_qdepth = (bit<8>) std.enq_qdepth;
        hdr.told.deq_qdepth = (bit<8>) std.deq_qdepth;
        hdr.told.enq_timestamp = std.enq_timestamp;
        hdr.told.deq_timedelta = std.deq_timedelta;
        hdr.told.left_at = (bit<32>) std.egress_global_timestamp;
        if (hdr.told.what == 3 && std.instance_type == 0) { clone_preserving_field_list(CloneType.E2E, 6, 1); }
        else if (hdr.told.what == 4) { mark_to_drop(std); }
        else if (hdr.told.what == 5) { hdr.told.what = 0; recirculate_preserving_field_list(1); }
    }
}

control D(packet_out packet, in headers_t hdr) { apply { packet.emit(hdr.told); } }

V1Switch(P(), V(), I(), E(), U(), D()) main;
