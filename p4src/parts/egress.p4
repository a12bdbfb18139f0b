// SPDX-License-Identifier: Apache-2.0
//
// Egress of one frame or replica to one location: split horizon, then encapsulation for a tunnel or the VLAN tag for an
// access interface. The top has put a replica's location into `out_location`.

#ifndef VOUCH_EGRESS_P4
#define VOUCH_EGRESS_P4

// For the controller. A copy is the frame as it came in; what stands in front of the frame itself comes off, and packet_in
// in front.
control ToController(inout headers_t hdr, inout metadata_t meta) {
    StripTag() strip_tag;

    @hidden
    action take_inner_headers() {
        TAKE_INNER_HEADERS(hdr)
    }

    @hidden
    action add_packet_in() {
        hdr.packet_out.setInvalid();
        hdr.packet_in.setValid();
        hdr.packet_in.ingress_port = (bit<16>) meta.ingress_port;
        hdr.packet_in.bd = meta.bd;
        hdr.packet_in.reason = (bit<8>) meta.punt_reason;
        hdr.packet_in.location = meta.in_location;
        hdr.packet_in.recorded = meta.recorded;
    }

    apply {
        if (meta.origin == origin_t.UNDERLAY) {
            take_inner_headers();
        } else {
            strip_tag.apply(hdr, meta);
        }
        add_packet_in();
    }
}

// 14 bits that depend on the flow only: on addresses and ports where the frame is IP, else on what Ethernet knows. Each
// branch tests validity, because BMv2 reads stale bytes from an invalid header.
control FlowEntropy(in headers_t hdr, inout metadata_t meta) {
    FLOW_HASH_UNIT(ipv4_hash)
    FLOW_HASH_UNIT(ipv6_hash)
    FLOW_HASH_UNIT(ethernet_hash)

    apply {
        bit<32> ports = 0;
        if (hdr.l4.isValid()) {
            ports = hdr.l4.src ++ hdr.l4.dst;
        }
        if (hdr.ipv4.isValid()) {
            FLOW_HASH(ipv4_hash, meta.entropy, { hdr.ipv4.src, hdr.ipv4.dst, hdr.ipv4.protocol, ports })
        } else if (hdr.ipv6.isValid()) {
            FLOW_HASH(ipv6_hash, meta.entropy, { hdr.ipv6.src, hdr.ipv6.dst, hdr.ipv6.next_header, ports })
        } else {
            FLOW_HASH(ethernet_hash, meta.entropy, { hdr.ethernet.src, hdr.ethernet.dst, hdr.ethernet.ether_type })
        }
    }
}

control Encapsulate(inout headers_t hdr, inout metadata_t meta) {
    FlowEntropy() flow_entropy;

    // Frames that are longer than their tunnel takes, by where they came in: what its hosts send is too long. Tunnel or access
    // interface (1 bit) ++ the low PLACE_BITS of its number.
    PLACE_COUNTER(exceeds_mtu, ".exceeds_mtu", 2 << PLACE_BITS)

    @name(".bd_vni.vni")
    action use_vni(vni_t vni) {
        hdr.outer_vxlan.setValid();
        hdr.outer_vxlan.flags = VXLAN_I_FLAG;
        hdr.outer_vxlan.reserved = 0;
        hdr.outer_vxlan.vni = vni;
        hdr.outer_vxlan.reserved_2 = 0;
    }

    @name(".bd_vni.no_vni")
    action no_vni() {
        meta.drop_reason = drop_reason_t.NO_VNI;
    }

    @name(".bd_vni")
    table bd_vni {
        key = {
            meta.bd : exact @name("bd");
        }
        actions = {
            use_vni;
            @defaultonly no_vni;
        }
        const default_action = no_vni();
        size = BRIDGE_DOMAINS;
    }

    // The outer headers of one tunnel: both tunnel addresses, the MAC addresses of the next hop's link (of several, the one that
    // replicas take), what the operator chose for time to live and DSCP, and the longest frame, without a tag, that the underlay
    // carries with them.
    @name(".encapsulate.encapsulate")
    action encapsulate_frame(ipv4_t src_ip, ipv4_t dst_ip, mac_t src_mac, mac_t dst_mac, bit<8> ttl, bit<6> dscp,
                             bit<16> max_frame_bytes) {
        meta.max_frame_bytes = max_frame_bytes;

        hdr.outer_ethernet.setValid();
        hdr.outer_ethernet.dst = dst_mac;
        hdr.outer_ethernet.src = src_mac;
        hdr.outer_ethernet.ether_type = ETHERTYPE_IPV4;

        hdr.outer_ipv4.setValid();
        hdr.outer_ipv4.version = 4;
        hdr.outer_ipv4.header_words = 5;
        hdr.outer_ipv4.dscp = dscp;
        // RFC 6040, section 4.1: the normal mode copies.
        hdr.outer_ipv4.ecn = meta.ecn;
        hdr.outer_ipv4.total_bytes = meta.frame_bytes + (IPV4_BYTES + UDP_BYTES + VXLAN_BYTES);
        // Never fragmented, so the identification has no meaning (RFC 6864, section 4.1).
        hdr.outer_ipv4.identification = 0;
        hdr.outer_ipv4.reserved = 0;
        hdr.outer_ipv4.dont_fragment = 1;
        hdr.outer_ipv4.more_fragments = 0;
        hdr.outer_ipv4.fragment_offset = 0;
        hdr.outer_ipv4.ttl = ttl;
        hdr.outer_ipv4.protocol = PROTOCOL_UDP;
        hdr.outer_ipv4.checksum = 0;
        hdr.outer_ipv4.src = src_ip;
        hdr.outer_ipv4.dst = dst_ip;

        hdr.outer_udp.setValid();
        // RFC 7348, section 5: a hash of the inner frame, in the dynamic range 49152..65535, spreads flows over equal
        // paths and keeps each in order.
        hdr.outer_udp.src = 2w3 ++ meta.entropy;
        hdr.outer_udp.dst = VXLAN_UDP_PORT;
        hdr.outer_udp.total_bytes = meta.frame_bytes + (UDP_BYTES + VXLAN_BYTES);
        // RFC 7348, section 5: SHOULD be zero.
        hdr.outer_udp.checksum = 0;
    }

#ifdef IPV6_UNDERLAY
    // The same over IPv6.
    @name(".encapsulate.encapsulate_ipv6")
    action encapsulate_frame_ipv6(ipv6_t src_ip, ipv6_t dst_ip, mac_t src_mac, mac_t dst_mac, bit<8> hop_limit, bit<6> dscp,
                                  bit<16> max_frame_bytes) {
        meta.max_frame_bytes = max_frame_bytes;

        hdr.outer_ethernet.setValid();
        hdr.outer_ethernet.dst = dst_mac;
        hdr.outer_ethernet.src = src_mac;
        hdr.outer_ethernet.ether_type = ETHERTYPE_IPV6;

        hdr.outer_ipv6.setValid();
        hdr.outer_ipv6.version = 6;
        hdr.outer_ipv6.dscp = dscp;
        hdr.outer_ipv6.ecn = 0;
        hdr.outer_ipv6.flow_label = 0;
        hdr.outer_ipv6.payload_bytes = meta.frame_bytes + (UDP_BYTES + VXLAN_BYTES);
        hdr.outer_ipv6.next_header = PROTOCOL_UDP;
        hdr.outer_ipv6.hop_limit = hop_limit;
        hdr.outer_ipv6.src = src_ip;
        hdr.outer_ipv6.dst = dst_ip;

        hdr.outer_udp.setValid();
        hdr.outer_udp.src = 2w3 ++ meta.entropy;
        hdr.outer_udp.dst = VXLAN_UDP_PORT;
        hdr.outer_udp.total_bytes = meta.frame_bytes + (UDP_BYTES + VXLAN_BYTES);
        // RFC 6935, section 5: zero is for tunnels like this one.
        hdr.outer_udp.checksum = 0;
    }

    // What is of the frame comes afterwards: hardware fills a word from few places at a time.
    @hidden
    action mark_outer_ipv6() {
        hdr.outer_ipv6.ecn = meta.ecn;
    }

    // RFC 6438, section 2: the flow label spreads flows as the source port does.
    @hidden
    action label_outer_ipv6() {
        hdr.outer_ipv6.flow_label[13:0] = meta.entropy;
    }
#endif

    @name(".encapsulate.no_encapsulation")
    action no_encapsulation() {
        meta.drop_reason = drop_reason_t.NO_ENCAPSULATION;
    }

    @name(".encapsulate")
    table encapsulate {
        key = {
            meta.out_location : exact @name("location");
        }
        actions = {
            encapsulate_frame;
#ifdef IPV6_UNDERLAY
            encapsulate_frame_ipv6;
#endif
            @defaultonly no_encapsulation;
        }
        const default_action = no_encapsulation();
        size = TUNNELS;
    }

    @hidden
    action fit() {}

    @hidden
    action exceed() {
        meta.drop_reason = drop_reason_t.EXCEEDS_MTU;
    }

    @hidden
    table fits {
        key = {
            meta.excess_bytes : exact;
        }
        actions = {
            fit;
            exceed;
        }
        const entries = {
            0 : fit();
        }
        const default_action = exceed();
    }

    apply {
        meta.ecn = 0;
        if (hdr.ipv4.isValid()) {
            meta.ecn = hdr.ipv4.ecn;
        } else if (hdr.ipv6.isValid()) {
            meta.ecn = hdr.ipv6.ecn;
        }
        flow_entropy.apply(hdr, meta);
        if (bd_vni.apply().hit) {
            if (encapsulate.apply().hit) {
#ifdef IPV6_UNDERLAY
                if (hdr.outer_ipv6.isValid()) {
                    mark_outer_ipv6();
                    label_outer_ipv6();
                }
#endif
#ifdef NEXT_HOPS
                if (meta.neighbour != 0) {
                    hdr.outer_ethernet.src = meta.next_hop_src;
                    hdr.outer_ethernet.dst = meta.next_hop_dst;
                }
#endif
                meta.excess_bytes = meta.frame_bytes |-| meta.max_frame_bytes;
                if (!fits.apply().hit) {
                    COUNT_AT(exceeds_mtu, 3w0 ++ meta.in_location[15:15] ++ meta.in_location[PLACE_BITS - 1:0])
                }
            }
        }
    }
}

control TagForAccess(inout headers_t hdr, inout metadata_t meta) {
    @name(".access_tag.untagged")
    action untagged() {}

    @name(".access_tag.tagged")
    action tagged(vlan_id_t vlan_id) {
        hdr.vlan.setValid();
        hdr.vlan.priority = 0;
        hdr.vlan.drop_eligible = 0;
        hdr.vlan.vlan_id = vlan_id;
        hdr.vlan.ether_type = hdr.ethernet.ether_type;
        hdr.ethernet.ether_type = ETHERTYPE_VLAN;
    }

    // Untagged by default would hand a tenant's frames to whoever listens on the port: say it, or lose it.
    @name(".access_tag.no_access_tag")
    action no_access_tag() {
        meta.drop_reason = drop_reason_t.NO_ACCESS_TAG;
    }

    @name(".access_tag")
    table access_tag {
        key = {
            meta.out_location : exact @name("location");
        }
        actions = {
            untagged;
            tagged;
            @defaultonly no_access_tag;
        }
        const default_action = no_access_tag();
        size = ACCESS_INTERFACES;
    }

    apply {
        access_tag.apply();
    }
}

// The tag of an underlay port (IEEE 802.1Q, section 9.3): on a link that shares its cable with others, what the neighbour tells them
// apart by. It does not wait for the addresses of the link.
control UnderlayTag(inout metadata_t meta) {
    @name(".underlay_tag.untagged")
    action untagged() {}

    @name(".underlay_tag.tagged")
    action tagged(vlan_id_t vlan_id) {
        meta.underlay_tagged = 1;
        meta.underlay_vlan = vlan_id;
    }

    @name(".underlay_tag")
    table underlay_tag {
        key = {
            meta.out_port : exact @name("port");
        }
        actions = {
            tagged;
            @defaultonly untagged;
        }
        const default_action = untagged();
        size = UNDERLAY_PORTS;
    }

    apply {
        underlay_tag.apply();
    }
}

// Puts it on a packet in transit, or on the outer headers of a tunnel.
control PushUnderlayTag(inout headers_t hdr, inout metadata_t meta) {
    @hidden
    action push_on_transit() {
        hdr.vlan.setValid();
        hdr.vlan.priority = 0;
        hdr.vlan.drop_eligible = 0;
        hdr.vlan.vlan_id = meta.underlay_vlan;
        hdr.vlan.ether_type = hdr.ethernet.ether_type;
        hdr.ethernet.ether_type = ETHERTYPE_VLAN;
    }

    @hidden
    action push_on_tunnel() {
        hdr.outer_vlan.setValid();
        hdr.outer_vlan.priority = 0;
        hdr.outer_vlan.drop_eligible = 0;
        hdr.outer_vlan.vlan_id = meta.underlay_vlan;
        hdr.outer_vlan.ether_type = hdr.outer_ethernet.ether_type;
        hdr.outer_ethernet.ether_type = ETHERTYPE_VLAN;
    }

    apply {
        if (meta.underlay_tagged == 1) {
            if (hdr.outer_ethernet.isValid()) {
                push_on_tunnel();
            } else if (meta.path == path_t.ROUTE) {
                push_on_transit();
            }
        }
    }
}

control VtepEgress(inout headers_t hdr, inout metadata_t meta) {
    UnderlayTag() underlay_tag;
    PushUnderlayTag() push_underlay_tag;
    Encapsulate() encapsulate_for_tunnel;
    TagForAccess() tag_for_access;
#ifdef NEXT_HOPS
    FindNeighbour() find_neighbour;
#endif

    apply {
        underlay_tag.apply(meta);
#ifdef NEXT_HOPS
        if (meta.neighbour != 0) {
            find_neighbour.apply(meta);
        }
#endif
        if (meta.path == path_t.ROUTE) {
            // A transit packet was finished in ingress, but for the addresses of one of several next hops.
#ifdef NEXT_HOPS
            if (meta.neighbour != 0) {
                hdr.ethernet.src = meta.next_hop_src;
                hdr.ethernet.dst = meta.next_hop_dst;
            }
#endif
        } else if (meta.path == path_t.BRIDGE && meta.out_location == meta.in_location) {
            // Never back to where it came from. Of a single frame ingress has seen to it; this prunes replicas. What the
            // controller sends came from nowhere.
            meta.pruned = 1;
        } else if (IS_TUNNEL(meta.out_location)) {
            if (meta.flooded == 1 && IS_TUNNEL(meta.in_location)) {
                // Head-end replication has reached every VTEP already: split horizon.
                meta.pruned = 1;
            } else {
                encapsulate_for_tunnel.apply(hdr, meta);
            }
        } else {
            tag_for_access.apply(hdr, meta);
        }
        push_underlay_tag.apply(hdr, meta);
    }
}

#endif
