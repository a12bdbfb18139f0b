// SPDX-License-Identifier: Apache-2.0
//
// A Tofino around the program, made of v1model: what BMv2 and the embedded switch run to show what the TNA program does.
//
// A frame goes through twice. First the program's ingress; then v1model's replication plays the traffic manager, and
// v1model's egress puts `to_egress` in front of each replica and sends it round. The second time, that comes off, what the
// deparser wrote is parsed by the program's egress parser, and the program's egress runs. A mirrored copy is a clone, with
// `copy_t` in front.
//
// It executes the program's controls and parsers as they are. What it does not show is the hardware: how the compiler
// places and schedules them, truncated frames, queues, and the checksum and mirror units, which v1model's stand in for.

struct model_metadata_t {
    metadata_t vtep;
    // The second time through.
    bit<1> in_egress;
    egress_intrinsic_metadata_t egress;
    // The frame's length as it came in, with its check sequence.
    bit<16> pkt_length;
}

@noWarn("uninitialized-use")
parser ModelParser(packet_in packet,
                   out headers_t hdr,
                   inout model_metadata_t meta,
                   inout standard_metadata_t standard_metadata) {
    FrameParser() frame_parser;
    BridgedParser() bridged_parser;

    state start {
        transition select(standard_metadata.instance_type) {
            // Recirculated.
            4: egress;
            default: ingress;
        }
    }

    state ingress {
        meta.vtep.ingress_port = standard_metadata.ingress_port;
        frame_parser.apply(packet, hdr, meta.vtep);
        transition accept;
    }

    state egress {
        packet.extract(hdr.to_egress);
        meta.in_egress = 1;
        meta.egress.egress_port = hdr.to_egress.egress_port;
        meta.egress.egress_rid = hdr.to_egress.egress_rid;
        meta.egress.pkt_length = hdr.to_egress.pkt_length;
        bridged_parser.apply(packet, hdr, meta.vtep);
        transition accept;
    }
}

control ModelVerifyChecksum(inout headers_t hdr, inout model_metadata_t meta) {
    apply {
        verify_checksum(hdr.ipv4.isValid() && hdr.ipv4.header_words == 5,
                        { hdr.ipv4.version, hdr.ipv4.header_words, hdr.ipv4.dscp, hdr.ipv4.ecn, hdr.ipv4.total_bytes,
                          hdr.ipv4.identification, hdr.ipv4.reserved, hdr.ipv4.dont_fragment,
                          hdr.ipv4.more_fragments, hdr.ipv4.fragment_offset, hdr.ipv4.ttl, hdr.ipv4.protocol,
                          hdr.ipv4.src, hdr.ipv4.dst },
                        hdr.ipv4.checksum, HashAlgorithm.csum16);
    }
}

control ModelIngress(inout headers_t hdr,
                     inout model_metadata_t meta,
                     inout standard_metadata_t standard_metadata) {
    TnaIngress() tna_ingress;
    TnaEgress() tna_egress;

    apply {
        if (meta.in_egress == 0) {
#ifndef UNCHECKED
            meta.vtep.bad_ipv4_checksum = standard_metadata.checksum_error;
#endif
            meta.pkt_length = standard_metadata.packet_length[15:0] + FRAME_CHECK_SEQUENCE_BYTES;
            ingress_intrinsic_metadata_t intrinsic = { standard_metadata.ingress_port };
            ingress_intrinsic_metadata_from_parser_t from_parser = { 0 };
            ingress_intrinsic_metadata_for_deparser_t for_deparser = { 0, 0 };
            // A frame that is sent nowhere is dropped.
            ingress_intrinsic_metadata_for_tm_t for_tm = { 511, 0 };
            tna_ingress.apply(hdr, meta.vtep, intrinsic, from_parser, for_deparser, for_tm);

            if (for_deparser.mirror_type == MIRROR_TO_CPU) {
                clone_preserving_field_list(CloneType.I2E, (bit<32>) (bit<10>) CPU_MIRROR_SESSION, 1);
            }
            if (for_deparser.drop_ctl[0:0] == 1) {
                mark_to_drop(standard_metadata);
            } else if (for_tm.mcast_grp_a != 0) {
                standard_metadata.mcast_grp = for_tm.mcast_grp_a;
            } else {
                standard_metadata.egress_spec = for_tm.ucast_egress_port;
            }
        } else {
            hdr.to_egress.setInvalid();
            egress_intrinsic_metadata_from_parser_t from_parser = { 0 };
            egress_intrinsic_metadata_for_deparser_t for_deparser = { 0, 0 };
            egress_intrinsic_metadata_for_output_port_t for_output_port = { 0 };
            tna_egress.apply(hdr, meta.vtep, meta.egress, from_parser, for_deparser, for_output_port);

            standard_metadata.egress_spec = meta.egress.egress_port;
            if (for_deparser.drop_ctl[0:0] == 1) {
                mark_to_drop(standard_metadata);
            }
        }
    }
}

control ModelEgress(inout headers_t hdr,
                    inout model_metadata_t meta,
                    inout standard_metadata_t standard_metadata) {
    // What the deparser's mirror unit writes.
    @hidden
    action mirror_header() {
        hdr.copy.setValid();
        hdr.copy.kind = BRIDGED_COPY;
        hdr.copy.reason = (bit<8>) meta.vtep.punt_reason;
        hdr.copy.reserved = 0;
#ifdef IPV6_UNDERLAY
        hdr.copy.over_ipv6 = meta.vtep.over_ipv6;
#endif
        hdr.copy.tagged = meta.vtep.tagged;
        hdr.copy.origin = (bit<2>) meta.vtep.origin;
        hdr.copy.ingress_port = meta.vtep.ingress_port;
        hdr.copy.bd = meta.vtep.bd;
        hdr.copy.in_location = meta.vtep.in_location;
        hdr.copy.recorded = meta.vtep.recorded;
    }

    @hidden
    action send_round() {
        hdr.to_egress.setValid();
        hdr.to_egress.reserved = 0;
        hdr.to_egress.egress_port = standard_metadata.egress_port;
        hdr.to_egress.egress_rid = standard_metadata.egress_rid;
        hdr.to_egress.pkt_length = meta.pkt_length;
        recirculate_preserving_field_list(0);
    }

    apply {
        if (meta.in_egress == 0) {
            // An ingress clone.
            if (standard_metadata.instance_type == 1) {
                mirror_header();
            }
            send_round();
        }
    }
}

control ModelComputeChecksum(inout headers_t hdr, inout model_metadata_t meta) {
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

control ModelDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr);
    }
}

V1Switch(ModelParser(), ModelVerifyChecksum(), ModelIngress(), ModelEgress(), ModelComputeChecksum(),
         ModelDeparser()) main;
