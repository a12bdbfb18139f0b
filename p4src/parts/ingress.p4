// SPDX-License-Identifier: Apache-2.0
//
// The ingress pipeline, in order: where from, underlay, is the sender where it should be, where to. The result is in
// the metadata: at most one of drop_reason, punt_exclusive, group, out_port, and with any of them a punt_reason.

#ifndef VOUCH_INGRESS_P4
#define VOUCH_INGRESS_P4

// 01-80-c2-00-00-00 to -0f (IEEE 802.1Q, table 8-1), without the last four bits.
const bit<44> LINK_LOCAL_BLOCK = 0x0180c200000;

// What no bridge may take from a tenant. The controller may send what it likes.
control CheckFrame(in headers_t hdr, inout metadata_t meta) {
    apply {
        if (meta.origin == origin_t.CONTROLLER) {
            // Its own probes and what it held: both were checked when they were made or came in.
        } else if (hdr.ethernet.src[40:40] == 1 || hdr.ethernet.src == 0) {
            meta.drop_reason = drop_reason_t.BAD_SOURCE_MAC;
        } else if (hdr.ethernet.dst[47:4] == LINK_LOCAL_BLOCK) {
            meta.drop_reason = drop_reason_t.LINK_LOCAL;
        } else if (meta.origin == origin_t.ACCESS) {
            if (hdr.ethernet.ether_type == ETHERTYPE_VLAN || hdr.ethernet.ether_type == ETHERTYPE_SERVICE_VLAN) {
                meta.drop_reason = drop_reason_t.STACKED_TAG;
            } else if (hdr.ethernet.ether_type == ETHERTYPE_ARP || hdr.ethernet.ether_type == ETHERTYPE_RARP) {
                // Announcements decide about hosts, so they must be what they seem.
                if (!hdr.arp.isValid()) {
                    meta.drop_reason = drop_reason_t.MALFORMED;
                } else if (hdr.arp.hardware_type != 1 || hdr.arp.protocol_type != ETHERTYPE_IPV4
                           || hdr.arp.hardware_bytes != 6 || hdr.arp.protocol_bytes != 4) {
                    meta.drop_reason = drop_reason_t.MALFORMED;
                }
            }
        }
    }
}

control VtepIngress(inout headers_t hdr, inout metadata_t meta) {
    Classify() classify;
    FromController() from_controller;
    Underlay() underlay;
    CheckFrame() check_frame;
    CheckSource() check_source;
    FindDestination() find_destination;
    FindPort() find_port;

    apply {
        if (!hdr.ethernet.isValid()) {
            meta.drop_reason = drop_reason_t.MALFORMED;
        } else if (meta.frame_bytes > MAX_FRAME_BYTES) {
            meta.drop_reason = drop_reason_t.TOO_LONG;
        } else if (hdr.packet_out.isValid()) {
            from_controller.apply(hdr, meta);
        } else {
            classify.apply(hdr, meta);
        }

        if (meta.drop_reason == drop_reason_t.NONE && meta.origin == origin_t.UNDERLAY) {
            underlay.apply(hdr, meta);
        }

        if (meta.drop_reason == drop_reason_t.NONE && meta.routed == 0) {
            check_frame.apply(hdr, meta);
            if (meta.drop_reason == drop_reason_t.NONE && meta.origin == origin_t.ACCESS) {
                check_source.apply(hdr, meta);
            }
            if (meta.drop_reason == drop_reason_t.NONE && meta.forwarding != forwarding_t.DIRECT) {
                find_destination.apply(hdr, meta);
            }
            if (meta.drop_reason == drop_reason_t.NONE && meta.punt_exclusive == 0 && meta.group == 0) {
                find_port.apply(meta);
            }
        }
    }
}

#endif
