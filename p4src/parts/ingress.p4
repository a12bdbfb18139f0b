// SPDX-License-Identifier: Apache-2.0
//
// The ingress pipeline, in order: where from, underlay, is the sender where it should be and the address that it announces
// its own, where to. The result is in the metadata: drop_reason, or group, or out_port, or none of them where the controller
// alone gets the frame (punt_exclusive); and with any of them a punt_reason for a copy.
//
// Lookups come in groups that do not wait for each other, and each group is followed by what it means: hardware answers a
// group at once, and has few steps.

#ifndef VOUCH_INGRESS_P4
#define VOUCH_INGRESS_P4

// 01-80-c2-00-00-00 to -0f (IEEE 802.1Q, table 8-1).
#define LINK_LOCAL_BLOCK 0x0180c2000000 &&& 0xfffffffffff0

// What no bridge may take from a tenant. The controller may send what it likes: its own probes and what it held, both
// checked when they were made or came in.
control CheckFrame(in headers_t hdr, inout metadata_t meta) {
    @hidden
    action pass() {}

    @hidden
    action refuse(drop_reason_t reason) {
        meta.drop_reason = reason;
    }

    @hidden
    table check_frame {
        key = {
            meta.origin : ternary;
            meta.src_mac : ternary;
            meta.dst_mac : ternary;
            hdr.ethernet.ether_type : ternary;
            meta.well_formed_arp : ternary;
            meta.other_sender : ternary;
            meta.announcement : ternary;
            hdr.neighbour_discovery.isValid() : ternary;
        }
        actions = {
            pass;
            refuse;
        }
        const entries = {
            (origin_t.CONTROLLER, _, _, _, _, _, _, _) : pass();
            (_, 0x010000000000 &&& 0x010000000000, _, _, _, _, _, _) : refuse(drop_reason_t.BAD_SOURCE_MAC);
            (_, 0, _, _, _, _, _, _) : refuse(drop_reason_t.BAD_SOURCE_MAC);
            (_, _, LINK_LOCAL_BLOCK, _, _, _, _, _) : refuse(drop_reason_t.LINK_LOCAL);
            (origin_t.ACCESS, _, _, ETHERTYPE_VLAN, _, _, _, _) : refuse(drop_reason_t.STACKED_TAG);
            (origin_t.ACCESS, _, _, ETHERTYPE_SERVICE_VLAN, _, _, _, _) : refuse(drop_reason_t.STACKED_TAG);
            // Announcements decide about hosts, so they must be what they seem.
            (origin_t.ACCESS, _, _, ETHERTYPE_ARP, 0, _, _, _) : refuse(drop_reason_t.MALFORMED);
            (origin_t.ACCESS, _, _, ETHERTYPE_RARP, 0, _, _, _) : refuse(drop_reason_t.MALFORMED);
            (origin_t.ACCESS, _, _, ETHERTYPE_IPV6, _, _, 1, false) : refuse(drop_reason_t.MALFORMED);
            (origin_t.ACCESS, _, _, ETHERTYPE_ARP, _, 0, _, _) : pass();
            (origin_t.ACCESS, _, _, ETHERTYPE_ARP, _, _, _, _) : refuse(drop_reason_t.ARP_SENDER);
        }
        const default_action = pass();
    }

    apply {
        check_frame.apply();
    }
}

// Where the frame came from, and so which way it goes.
control Arrive(inout headers_t hdr, inout metadata_t meta) {
    Classify() classify;
    UnderlayLookups() underlay_lookups;
    CheckOuterLengths() check_outer_lengths;
    CombineEcn() combine_ecn;
    StripTag() strip_tag;
    ReadAnnouncement() read_announcement;
    LookUpBinding() look_up_binding;
    Underlay() underlay;
    ChooseWay() choose_way;

    apply {
        classify.apply(hdr, meta);
        underlay_lookups.apply(hdr, meta);
        strip_tag.apply(hdr, meta);
        read_announcement.apply(hdr, meta);
        if (meta.bindings == 1) {
            look_up_binding.apply(hdr, meta);
        }
        if (hdr.vxlan.isValid()) {
            check_outer_lengths.apply(hdr, meta);
        }

        if (TOO_LONG(meta.frame_bytes)) {
            meta.too_long = 1;
        }
        if (hdr.ethernet.isValid() && meta.too_long == 0 && meta.origin == origin_t.UNDERLAY && !hdr.packet_out.isValid()) {
            if (meta.terminates == 1) {
                combine_ecn.apply(hdr, meta);
            }
            underlay.apply(hdr, meta);
        } else {
            choose_way.apply(hdr, meta);
        }
    }
}

control VtepIngress(inout headers_t hdr, inout metadata_t meta) {
    Arrive() arrive;
    CheckFrame() check_frame;
    LookUpSource() look_up_source;
    LookUpDestination() look_up_destination;
    JudgeBinding() judge_binding;
    JudgeSource() judge_source;
    JudgeDestination() judge_destination;
    FindPort() find_port;
#ifdef NEXT_HOPS
    FlowBucket() flow_bucket;
    ChooseNextHop() choose_next_hop;
#endif

    apply {
#ifdef NEXT_HOPS
        HASH_ON_ARRIVAL(flow_bucket.apply(hdr, meta))
#endif
        arrive.apply(hdr, meta);

        if (meta.path == path_t.BRIDGE) {
            check_frame.apply(hdr, meta);
            look_up_destination.apply(meta);
            if (meta.origin == origin_t.ACCESS) {
                look_up_source.apply(meta);
                judge_binding.apply(meta);
            }
            if (meta.drop_reason == drop_reason_t.NONE) {
                if (meta.origin == origin_t.ACCESS) {
                    judge_source.apply(meta);
                }
                judge_destination.apply(meta);
            }
        }

        if (meta.path != path_t.ROUTE) {
            find_port.apply(meta);
        }
#ifdef NEXT_HOPS
        if (meta.hop_group != 0) {
            HASH_ON_DEMAND(flow_bucket.apply(hdr, meta))
            choose_next_hop.apply(meta);
        }
#endif

        if (meta.drop_reason != drop_reason_t.NONE) {
            // Refused on the way.
        } else if (meta.forwarding == forwarding_t.PROBE_REPLY) {
            // Somebody answers a probe. It outranks whatever the source check had to say: that would be news of a claim
            // that is being verified with this very probe.
            meta.punt_reason = punt_reason_t.PROBE_REPLY;
            meta.punt_exclusive = 1;
            if (meta.stranger == 0) {
                meta.budget = punt_reason_t.PROBE_REPLY;
            }
        } else if (meta.withheld != drop_reason_t.NONE) {
            meta.drop_reason = meta.withheld;
        } else if (meta.punt_exclusive == 1) {
            // Held for the controller: nowhere else.
        } else if (meta.undeliverable != drop_reason_t.NONE) {
            meta.drop_reason = meta.undeliverable;
        } else if (meta.group == 0 && meta.no_way != drop_reason_t.NONE) {
            meta.drop_reason = meta.no_way;
        }
    }
}

#endif
