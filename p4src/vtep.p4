// SPDX-License-Identifier: Apache-2.0
//
// The VTEP for v1model (BMv2 and the embedded switch). The pipeline itself is in parts/; this file binds it: copies to the
// controller, meters, drop counters, replication and the outer checksum.
//
// build/ holds what p4c makes of it. After a change: UPDATE_ARTIFACTS=1 cargo test -p vouch-tables --test artifacts

#include <core.p4>
#include <v1model.p4>

#include "v1model_arch.p4"
#include "parts/headers.p4"
#include "parts/frame.p4"
#include "parts/metadata.p4"
#include "parts/parser.p4"
#include "parts/classify.p4"
#include "parts/decapsulate.p4"
#include "parts/underlay.p4"
#include "parts/source.p4"
#include "parts/binding.p4"
#include "parts/destination.p4"
#include "parts/next_hop.p4"
#include "parts/ingress.p4"
#include "parts/punt.p4"
#include "parts/egress.p4"

// The clone session that the controller installs, with its own port as the only replica.
const bit<32> CPU_CLONE_SESSION = 1;
// The metadata that a clone keeps: all else is zero in it (@field_list in metadata.p4).
const bit<8> CPU_FIELD_LIST = 1;

// standard_metadata.instance_type of a clone, as the target numbers it.
const bit<32> INSTANCE_INGRESS_CLONE = 1;

@noWarn("uninitialized-use")
parser VtepParser(packet_in packet,
                  out headers_t hdr,
                  inout metadata_t meta,
                  inout standard_metadata_t standard_metadata) {
    FrameParser() frame_parser;

    state start {
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

    Punt() punt;

    COUNTER(drops, ".drops", DROP_REASONS)

    apply {
        meta.ingress_port = standard_metadata.ingress_port;
        meta.bad_ipv4_checksum = standard_metadata.checksum_error;
        // Saturated rather than cut: too long stays too long.
        meta.frame_bytes = 0xffff;
        if (standard_metadata.packet_length <= 0xffff) {
            meta.frame_bytes = standard_metadata.packet_length[15:0];
        }

        vtep_ingress.apply(hdr, meta);
        punt.apply(meta);

        if (meta.punt_reason != punt_reason_t.NONE) {
            clone_preserving_field_list(CloneType.I2E, CPU_CLONE_SESSION, CPU_FIELD_LIST);
        }
        if (meta.drop_reason != drop_reason_t.NONE) {
            COUNT_AT(drops, (bit<8>) meta.drop_reason)
            mark_to_drop(standard_metadata);
        } else if (meta.punt_exclusive == 1) {
            mark_to_drop(standard_metadata);
        } else if (meta.group != 0) {
            standard_metadata.mcast_grp = meta.group;
        } else {
            standard_metadata.egress_spec = meta.out_port;
        }
    }
}

control VtepEgressTop(inout headers_t hdr,
                      inout metadata_t meta,
                      inout standard_metadata_t standard_metadata) {
    VtepEgress() vtep_egress;
    ToController() to_controller;

    COUNTER(egress_drops, ".egress_drops", DROP_REASONS)

    apply {
        if (standard_metadata.instance_type == INSTANCE_INGRESS_CLONE) {
            to_controller.apply(hdr, meta);
        } else {
            if (meta.group != 0) {
                meta.out_location = standard_metadata.egress_rid;
            }
            meta.out_port = standard_metadata.egress_port;
            vtep_egress.apply(hdr, meta);
            if (meta.drop_reason != drop_reason_t.NONE) {
                COUNT_AT(egress_drops, (bit<8>) meta.drop_reason)
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
