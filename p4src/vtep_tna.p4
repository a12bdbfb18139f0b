// SPDX-License-Identifier: Apache-2.0
//
// The VTEP for TNA (Tofino 1). The pipeline itself is in parts/; this file binds it as vtep.p4 does for v1model, with the
// same tables, headers, meters and counters for the controller. What differs, and why:
//
// - Metadata ends with ingress: `bridge_t` carries what egress needs, and a mirrored frame what packet_in needs.
// - Ingress does not know a frame's length: egress adds it to what ingress has stripped.
// - Copies for the controller are mirrored by the deparser, not cloned; the mirror session is the clone session.
// - The outer checksum is the deparser's work, and a frame that ends within a header is the parser's to drop.
//
// build/tofino/ holds what p4c makes of it. After a change: UPDATE_ARTIFACTS=1 cargo test -p vouch-tables --test artifacts

#include <core.p4>
#ifdef TNA_MODEL
#include "tna_model/tna.p4"
#else
#include <tna.p4>
#endif

#include "tna_arch.p4"
#include "parts/headers.p4"
#include "parts/bridge.p4"
#include "parts/frame.p4"
#include "parts/metadata.p4"
#include "parts/parser.p4"
#include "parts/classify.p4"
#include "parts/decapsulate.p4"
#include "parts/underlay.p4"
#include "parts/source.p4"
#include "parts/binding.p4"
#include "parts/destination.p4"
#ifdef NEXT_HOPS
#include "parts/next_hop.p4"
#endif
#include "parts/ingress.p4"
#include "parts/egress.p4"
#include "parts/bridge_parser.p4"
#include "parts/punt.p4"

// The clone session that the controller installs, with its own port as the only replica.
const MirrorId_t CPU_MIRROR_SESSION = 1;
const MirrorType_t MIRROR_TO_CPU = 1;

// The length that egress learns is the frame's on the wire as it came in: with its check sequence, without the bridge.
const bit<16> FRAME_CHECK_SEQUENCE_BYTES = 4;

control TnaIngress(inout headers_t hdr,
                   inout metadata_t meta,
                   in ingress_intrinsic_metadata_t intrinsic,
                   in ingress_intrinsic_metadata_from_parser_t from_parser,
                   inout ingress_intrinsic_metadata_for_deparser_t for_deparser,
                   inout ingress_intrinsic_metadata_for_tm_t for_tm) {
    VtepIngress() vtep_ingress;
    Punt() punt;

    COUNTER(drops, ".drops", DROP_REASONS)

    @hidden
    action put_bridge() {
        hdr.bridge.setValid();
        hdr.bridge.kind = BRIDGED_FRAME;
        hdr.bridge.flooded = meta.flooded;
        hdr.bridge.path = (bit<2>) meta.path;
        hdr.bridge.bd = meta.bd;
        hdr.bridge.in_location = meta.in_location;
        hdr.bridge.out_location = meta.out_location;
#ifdef NEXT_HOPS
        hdr.bridge.neighbour = meta.neighbour;
#endif
        hdr.bridge.frame_bytes = meta.frame_bytes;
    }

    apply {
        vtep_ingress.apply(hdr, meta);
        punt.apply(meta);

        if (meta.punt_reason != punt_reason_t.NONE) {
            for_deparser.mirror_type = MIRROR_TO_CPU;
            meta.mirror_session = CPU_MIRROR_SESSION;
            meta.mirror_kind = BRIDGED_COPY;
        }
        if (meta.drop_reason != drop_reason_t.NONE) {
            COUNT_AT(drops, (bit<8>) meta.drop_reason)
            for_deparser.drop_ctl = 1;
        } else if (meta.punt_exclusive == 1) {
            for_deparser.drop_ctl = 1;
        } else if (meta.group != 0) {
            meta.out_location = 0;
            for_tm.mcast_grp_a = meta.group;
        } else {
            for_tm.ucast_egress_port = meta.out_port;
        }
        put_bridge();
    }
}

control TnaEgress(inout headers_t hdr,
                  inout metadata_t meta,
                  in egress_intrinsic_metadata_t intrinsic,
                  in egress_intrinsic_metadata_from_parser_t from_parser,
                  inout egress_intrinsic_metadata_for_deparser_t for_deparser,
                  inout egress_intrinsic_metadata_for_output_port_t for_output_port) {
    VtepEgress() vtep_egress;
    ToController() to_controller;

    COUNTER(egress_drops, ".egress_drops", DROP_REASONS)

    @hidden
    action take_bridge() {
        meta.flooded = hdr.bridge.flooded;
        meta.path = (path_t) hdr.bridge.path;
        meta.bd = hdr.bridge.bd;
        meta.in_location = hdr.bridge.in_location;
        meta.out_location = hdr.bridge.out_location;
#ifdef NEXT_HOPS
        meta.neighbour = hdr.bridge.neighbour;
#endif
        meta.frame_bytes = hdr.bridge.frame_bytes + intrinsic.pkt_length;
        hdr.bridge.setInvalid();
    }

    @hidden
    action take_copy() {
        meta.punt_reason = (punt_reason_t) hdr.copy.reason;
        meta.origin = (origin_t) hdr.copy.origin;
        meta.ingress_port = hdr.copy.ingress_port;
        meta.bd = hdr.copy.bd;
        meta.in_location = hdr.copy.in_location;
        meta.recorded = hdr.copy.recorded;
        hdr.copy.setInvalid();
    }

    apply {
        if (hdr.copy.isValid()) {
            take_copy();
            to_controller.apply(hdr, meta);
        } else {
            take_bridge();
            meta.out_port = intrinsic.egress_port;
            meta.frame_bytes = meta.frame_bytes - FRAME_CHECK_SEQUENCE_BYTES;
            if (meta.out_location == 0) {
                meta.out_location = intrinsic.egress_rid;
            }
            vtep_egress.apply(hdr, meta);
            if (meta.drop_reason != drop_reason_t.NONE) {
                COUNT_AT(egress_drops, (bit<8>) meta.drop_reason)
                for_deparser.drop_ctl = 1;
            } else if (meta.pruned == 1) {
                for_deparser.drop_ctl = 1;
            }
        }
    }
}

#ifdef TNA_MODEL
#include "tna_model/switch.p4"
#else

parser TnaIngressParser(packet_in packet,
                        out headers_t hdr,
                        out metadata_t meta,
                        out ingress_intrinsic_metadata_t intrinsic) {
    FrameParser() frame_parser;

    state start {
        packet.extract(intrinsic);
        packet.advance(PORT_METADATA_SIZE);
        meta.ingress_port = intrinsic.ingress_port;
        frame_parser.apply(packet, hdr, meta);
        transition accept;
    }
}

control TnaIngressDeparser(packet_out packet,
                           inout headers_t hdr,
                           in metadata_t meta,
                           in ingress_intrinsic_metadata_for_deparser_t for_deparser) {
    Mirror() mirror;

    apply {
        if (for_deparser.mirror_type == MIRROR_TO_CPU) {
            mirror.emit<copy_t>(meta.mirror_session, {
                meta.mirror_kind, (bit<8>) meta.punt_reason, 0, COPY_OF_IPV6(meta.over_ipv6) meta.tagged, (bit<2>) meta.origin,
                meta.ingress_port, meta.bd, meta.in_location, meta.recorded
            });
        }
        packet.emit(hdr);
    }
}

parser TnaEgressParser(packet_in packet,
                       out headers_t hdr,
                       out metadata_t meta,
                       out egress_intrinsic_metadata_t intrinsic) {
    BridgedParser() bridged_parser;

    state start {
        packet.extract(intrinsic);
        bridged_parser.apply(packet, hdr, meta);
        transition accept;
    }
}

control TnaEgressDeparser(packet_out packet,
                          inout headers_t hdr,
                          in metadata_t meta,
                          in egress_intrinsic_metadata_for_deparser_t for_deparser) {
    Checksum() outer_checksum;

    apply {
        if (hdr.outer_ipv4.isValid()) {
            hdr.outer_ipv4.checksum = outer_checksum.update({
                hdr.outer_ipv4.version, hdr.outer_ipv4.header_words, hdr.outer_ipv4.dscp, hdr.outer_ipv4.ecn,
                hdr.outer_ipv4.total_bytes, hdr.outer_ipv4.identification, hdr.outer_ipv4.reserved,
                hdr.outer_ipv4.dont_fragment, hdr.outer_ipv4.more_fragments, hdr.outer_ipv4.fragment_offset,
                hdr.outer_ipv4.ttl, hdr.outer_ipv4.protocol, hdr.outer_ipv4.src, hdr.outer_ipv4.dst
            });
        }
        packet.emit(hdr);
    }
}

Pipeline(TnaIngressParser(), TnaIngress(), TnaIngressDeparser(),
         TnaEgressParser(), TnaEgress(), TnaEgressDeparser()) pipe;

Switch(pipe) main;

#endif
