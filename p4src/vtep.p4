// SPDX-License-Identifier: Apache-2.0
//
// The VTEP for v1model (BMv2 and the embedded switch). The pipeline itself is in parts/; this file binds it: packet_in
// and packet_out, clones, meters, drop counters, replication and the outer checksum.
//
// build/ holds what p4c makes of it. After a change: UPDATE_ARTIFACTS=1 cargo test -p vouch-tables --test artifacts

#include <core.p4>
#include <v1model.p4>

#include "parts/headers.p4"
#include "parts/metadata.p4"
#include "v1model_arch.p4"
#include "parts/parser.p4"
#include "parts/checksum.p4"
#include "parts/classify.p4"
#include "parts/decapsulate.p4"
#include "parts/underlay.p4"
#include "parts/source.p4"
#include "parts/destination.p4"
#include "parts/ingress.p4"
#include "parts/egress.p4"

// 9 bits of ports; 511 is the target's own "drop".
const port_t CPU_PORT = 510;

// The clone session that the controller installs, with the CPU port as its only replica.
const bit<32> CPU_CLONE_SESSION = 1;
// The metadata that a clone keeps: all else is zero in it (@field_list in metadata.p4).
const bit<8> CPU_FIELD_LIST = 1;

// standard_metadata.instance_type, as the target numbers it.
const bit<32> INSTANCE_INGRESS_CLONE = 1;
const bit<32> INSTANCE_REPLICA = 5;

@noWarn("uninitialized-use")
parser VtepParser(packet_in packet,
                  out headers_t hdr,
                  inout metadata_t meta,
                  inout standard_metadata_t standard_metadata) {
    FrameParser() frame_parser;

    state start {
        transition select(standard_metadata.ingress_port) {
            CPU_PORT: from_controller;
            default: frame;
        }
    }

    state from_controller {
        packet.extract(hdr.packet_out);
        transition frame;
    }

    state frame {
        frame_parser.apply(packet, hdr, meta);
        transition accept;
    }
}

control VtepVerifyChecksum(inout headers_t hdr, inout metadata_t meta) {
    apply {
        // Outermost header only, judged later and only on the underlay: a tenant's headers are the tenant's affair.
        // With options the header is longer than these fields; the incremental update keeps a wrong sum wrong.
        verify_checksum(hdr.ipv4.isValid() && hdr.ipv4.header_words == 5,
                        { hdr.ipv4.version, hdr.ipv4.header_words, hdr.ipv4.dscp, hdr.ipv4.ecn, hdr.ipv4.total_bytes,
                          hdr.ipv4.identification, hdr.ipv4.reserved, hdr.ipv4.dont_fragment,
                          hdr.ipv4.more_fragments, hdr.ipv4.fragment_offset, hdr.ipv4.ttl, hdr.ipv4.protocol,
                          hdr.ipv4.src, hdr.ipv4.dst },
                        hdr.ipv4.checksum, HashAlgorithm.csum16);
    }
}

control VtepIngressTop(inout headers_t hdr,
                       inout metadata_t meta,
                       inout standard_metadata_t standard_metadata) {
    VtepIngress() vtep_ingress;

    // By drop_reason_t: every frame, and every copy for the controller, that was refused in ingress.
    @name(".drops")
    counter(DROP_REASONS, CounterType.packets_and_bytes) drops;

    // Punts by class and port, so that one port's flood costs no other port, and one reason's none of another:
    // index = class (3 bits: LEARN 0, MOVE 1, PROBE_REPLY 2, ALIVE 3) ++ port (9 bits).
    @name(".punt_meter")
    meter(4096, MeterType.packets) punt_meter;

    apply {
        meta.ingress_port = standard_metadata.ingress_port;
        meta.bad_ipv4_checksum = standard_metadata.checksum_error;
        bit<32> bytes = standard_metadata.packet_length;
        if (hdr.packet_out.isValid()) {
            // Its five bytes are not the frame's.
            bytes = bytes - 5;
        }
        // Saturated rather than cut: too long stays too long.
        meta.frame_bytes = 0xffff;
        if (bytes <= 0xffff) {
            meta.frame_bytes = bytes[15:0];
        }

        vtep_ingress.apply(hdr, meta);

        if (meta.punt_reason != punt_reason_t.NONE) {
            bit<2> colour = 0;
            bit<8> punt_class = (bit<8>) meta.punt_reason - 1;
            punt_meter.execute_meter((bit<32>) (punt_class[2:0] ++ meta.ingress_port), colour);
            if (colour == V1MODEL_METER_COLOR_RED) {
                drops.count((bit<32>) ((bit<8>) drop_reason_t.PUNT_LEARN_POLICED + punt_class));
                if (meta.punt_exclusive == 1) {
                    mark_to_drop(standard_metadata);
                }
            } else if (meta.punt_exclusive == 1) {
                standard_metadata.egress_spec = CPU_PORT;
            } else {
                clone_preserving_field_list(CloneType.I2E, CPU_CLONE_SESSION, CPU_FIELD_LIST);
            }
        }

        if (meta.drop_reason != drop_reason_t.NONE) {
            drops.count((bit<32>) (bit<8>) meta.drop_reason);
            mark_to_drop(standard_metadata);
        } else if (meta.punt_exclusive == 0) {
            if (meta.group != 0) {
                standard_metadata.mcast_grp = meta.group;
            } else {
                standard_metadata.egress_spec = meta.out_port;
            }
        }
    }
}

control VtepEgressTop(inout headers_t hdr,
                      inout metadata_t meta,
                      inout standard_metadata_t standard_metadata) {
    VtepEgress() vtep_egress;
    StripTag() strip_tag;

    // By drop_reason_t: every frame or replica that was refused in egress. Pruned replicas are not among them.
    @name(".egress_drops")
    counter(DROP_REASONS, CounterType.packets_and_bytes) egress_drops;

    @hidden
    action add_packet_in_header() {
        hdr.packet_in.setValid();
        hdr.packet_in.ingress_port = (bit<16>) meta.ingress_port;
        hdr.packet_in.bd = meta.bd;
        hdr.packet_in.reason = (bit<8>) meta.punt_reason;
        hdr.packet_in.location = meta.in_location;
        hdr.packet_in.recorded = meta.recorded;
    }

    apply {
        if (standard_metadata.instance_type == INSTANCE_INGRESS_CLONE) {
            // A clone is the frame as it came in, tag and all. Only frames from access interfaces are cloned, so there
            // is nothing to decapsulate.
            strip_tag.apply(hdr, meta);
            add_packet_in_header();
        } else if (standard_metadata.egress_port == CPU_PORT) {
            add_packet_in_header();
        } else {
            if (standard_metadata.instance_type == INSTANCE_REPLICA) {
                meta.out_location = standard_metadata.egress_rid;
            }
            vtep_egress.apply(hdr, meta);
            if (meta.drop_reason != drop_reason_t.NONE) {
                egress_drops.count((bit<32>) (bit<8>) meta.drop_reason);
                mark_to_drop(standard_metadata);
            } else if (meta.pruned == 1) {
                mark_to_drop(standard_metadata);
            }
        }
    }
}

control VtepComputeChecksum(inout headers_t hdr, inout metadata_t meta) {
    apply {
        update_checksum(hdr.outer_ipv4.isValid(),
                        { hdr.outer_ipv4.version, hdr.outer_ipv4.header_words, hdr.outer_ipv4.dscp,
                          hdr.outer_ipv4.ecn, hdr.outer_ipv4.total_bytes, hdr.outer_ipv4.identification,
                          hdr.outer_ipv4.reserved, hdr.outer_ipv4.dont_fragment, hdr.outer_ipv4.more_fragments,
                          hdr.outer_ipv4.fragment_offset, hdr.outer_ipv4.ttl, hdr.outer_ipv4.protocol,
                          hdr.outer_ipv4.src, hdr.outer_ipv4.dst },
                        hdr.outer_ipv4.checksum, HashAlgorithm.csum16);
    }
}

control VtepDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr);
    }
}

V1Switch(VtepParser(), VtepVerifyChecksum(), VtepIngressTop(), VtepEgressTop(), VtepComputeChecksum(),
         VtepDeparser()) main;
