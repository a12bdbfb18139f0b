// SPDX-License-Identifier: Apache-2.0
//
// IPv4 on the underlay, and IPv6 where the program takes that: to our own tunnel address it is decapsulated, to any other it is
// routed, so that a spine can run the same program.

#ifndef VOUCH_UNDERLAY_P4
#define VOUCH_UNDERLAY_P4

#ifdef IPV6_UNDERLAY
// fe80::/10
#define LINK_LOCAL_IPV6 0xfe800000000000000000000000000000 &&& 0xffc00000000000000000000000000000
#endif

// What the tables know of a packet's outer addresses. None of them waits for another, so that hardware can ask all at
// once; whether the answers matter is decided afterwards.
control UnderlayLookups(in headers_t hdr, inout metadata_t meta) {
    // The packet ends here.
    @name(".local_vtep.terminate")
    action terminate() {
        meta.terminates = 1;
    }

    // Our own address on a link: for the controller.
    @name(".local_vtep.hand_over")
    action hand_over() {
        meta.for_controller = 1;
    }

    // Not ours: transit.
    @name(".local_vtep.transit")
    action transit() {}

    @name(".local_vtep")
    table local_vtep {
        key = {
            hdr.ipv4.dst : exact @name("dst");
        }
        actions = {
            terminate;
            hand_over;
            @defaultonly transit;
        }
        const default_action = transit();
        size = LOCAL_ADDRESSES;
    }
#ifdef IPV6_UNDERLAY

    @name(".local_vtep_ipv6.terminate")
    action terminate_ipv6() {
        meta.terminates = 1;
    }

    @name(".local_vtep_ipv6.hand_over")
    action hand_over_ipv6() {
        meta.for_controller = 1;
    }

    @name(".local_vtep_ipv6.transit")
    action transit_ipv6() {}

    @name(".local_vtep_ipv6")
    table local_vtep_ipv6 {
        key = {
            hdr.ipv6.dst : exact @name("dst");
        }
        actions = {
            terminate_ipv6;
            hand_over_ipv6;
            @defaultonly transit_ipv6;
        }
        const default_action = transit_ipv6();
        size = LOCAL_ADDRESSES;
    }
#endif

    // The peer behind this source address; its tunnel is where the frame came in.
    @name(".underlay_peer.from_tunnel")
    action from_tunnel(location_t location) {
        meta.peer_location = location;
    }

    // Anybody can write a VXLAN header. Only configured peers are believed (RFC 7348, section 7).
    @name(".underlay_peer.unknown_peer")
    action unknown_peer() {
        meta.peer_location = 0;
    }

    @name(".underlay_peer")
    table underlay_peer {
        key = {
            hdr.ipv4.src : exact @name("src");
        }
        actions = {
            from_tunnel;
            @defaultonly unknown_peer;
        }
        const default_action = unknown_peer();
        size = TUNNELS;
    }
#ifdef IPV6_UNDERLAY

    @name(".underlay_peer_ipv6.from_tunnel")
    action from_tunnel_ipv6(location_t location) {
        meta.peer_location = location;
    }

    @name(".underlay_peer_ipv6.unknown_peer")
    action unknown_peer_ipv6() {
        meta.peer_location = 0;
    }

    @name(".underlay_peer_ipv6")
    table underlay_peer_ipv6 {
        key = {
            hdr.ipv6.src : exact @name("src");
        }
        actions = {
            from_tunnel_ipv6;
            @defaultonly unknown_peer_ipv6;
        }
        const default_action = unknown_peer_ipv6();
        size = TUNNELS;
    }
#endif

    @name(".vni_to_bd.bridge")
    action bridge(bd_t bd) {
        meta.vni_known = 1;
        meta.vni_bd = bd;
    }

    // RFC 7348, section 4.1: a frame is delivered only within its VNI; one that we do not serve has no receiver here.
    @name(".vni_to_bd.unknown_vni")
    action unknown_vni() {}

    @name(".vni_to_bd")
    table vni_to_bd {
        key = {
            hdr.vxlan.vni : exact @name("vni");
        }
        actions = {
            bridge;
            @defaultonly unknown_vni;
        }
        const default_action = unknown_vni();
        size = BRIDGE_DOMAINS;
    }

    // The next hop: the port to it and the MAC addresses of that link.
    @name(".underlay_route.route")
    action route(port_t port, mac_t src_mac, mac_t dst_mac) {
        meta.has_route = 1;
        meta.out_port = port;
        meta.next_hop_src = src_mac;
        meta.next_hop_dst = dst_mac;
    }

#ifdef NEXT_HOPS
    // One of several next hops, by flow.
    @name(".underlay_route.balance")
    action balance(hop_group_t group) {
        meta.has_route = 1;
        meta.hop_group = group;
    }
#endif

    // RFC 1812, section 5.2.4.3: no route, no forwarding. No ICMP error is generated.
    @name(".underlay_route.no_route")
    action no_route() {}

    @name(".underlay_route")
    table underlay_route {
        key = {
            hdr.ipv4.dst : lpm @name("dst");
        }
        actions = {
            route;
#ifdef NEXT_HOPS
            balance;
#endif
            @defaultonly no_route;
        }
        const default_action = no_route();
        size = UNDERLAY_ROUTES;
    }
#ifdef IPV6_UNDERLAY

    @name(".underlay_route_ipv6.route")
    action route_ipv6(port_t port, mac_t src_mac, mac_t dst_mac) {
        meta.has_route = 1;
        meta.out_port = port;
        meta.next_hop_src = src_mac;
        meta.next_hop_dst = dst_mac;
    }

#ifdef NEXT_HOPS
    @name(".underlay_route_ipv6.balance")
    action balance_ipv6(hop_group_t group) {
        meta.has_route = 1;
        meta.hop_group = group;
    }
#endif

    @name(".underlay_route_ipv6.no_route")
    action no_route_ipv6() {}

    @name(".underlay_route_ipv6")
    table underlay_route_ipv6 {
        key = {
            hdr.ipv6.dst : lpm @name("dst");
        }
        actions = {
            route_ipv6;
#ifdef NEXT_HOPS
            balance_ipv6;
#endif
            @defaultonly no_route_ipv6;
        }
        const default_action = no_route_ipv6();
        size = UNDERLAY_ROUTES;
    }

    // What of the outer header is looked at whichever it is.
    @hidden
    action over_ipv4() {
        meta.ecn = hdr.ipv4.ecn;
    }

    @hidden
    action over_ipv6() {
        meta.over_ipv6 = 1;
        meta.ecn = hdr.ipv6.ecn;
    }
#endif

    apply {
        if (hdr.ipv4.isValid()) {
            local_vtep.apply();
            underlay_peer.apply();
            underlay_route.apply();
#ifdef IPV6_UNDERLAY
            over_ipv4();
        } else if (hdr.ipv6.isValid()) {
            local_vtep_ipv6.apply();
            underlay_peer_ipv6.apply();
            underlay_route_ipv6.apply();
            over_ipv6();
#endif
        }
        if (hdr.vxlan.isValid()) {
            vni_to_bd.apply();
        }
    }
}

control Underlay(inout headers_t hdr, inout metadata_t meta) {
    Decapsulate() decapsulate;

    @hidden
    action refuse(drop_reason_t reason) {
        meta.drop_reason = reason;
    }

    @hidden
    action for_us() {
        meta.for_us = 1;
    }

    // As it came: of what comes from nowhere, nothing is taken off.
    @hidden
    action to_controller() {
        meta.origin = origin_t.NONE;
        meta.punt_reason = punt_reason_t.NEIGHBOUR;
        meta.budget = punt_reason_t.NEIGHBOUR;
        meta.punt_exclusive = 1;
    }

    // The addresses of one of several next hops come in egress.
    //
    // `add`: RFC 1624, equation 3, for the word of TTL and protocol, which is 0x0100 less: HC' = HC + 0x0100, and one more
    // where that carries. Incremental, so it holds with IPv4 options too.
    @hidden
    action forward(bit<16> add) {
        meta.path = path_t.ROUTE;
        hdr.ethernet.src = meta.next_hop_src;
        hdr.ethernet.dst = meta.next_hop_dst;
        hdr.ipv4.ttl = hdr.ipv4.ttl - 1;
        hdr.ipv4.checksum = hdr.ipv4.checksum + add;
    }

    @hidden
    table judge_underlay {
        key = {
            meta.not_to_router : ternary;
            meta.on_link : ternary;
            meta.well_formed_arp : ternary;
            hdr.ipv4.isValid() : ternary;
            hdr.ipv4.version : ternary;
            hdr.ipv4.header_words : ternary;
            meta.bad_ipv4_checksum : ternary;
            meta.terminates : ternary;
            meta.for_controller : ternary;
            meta.has_route : ternary;
            hdr.ipv4.ttl : ternary;
            hdr.ipv4.checksum : ternary;
        }
        actions = {
            refuse;
            for_us;
            to_controller;
            forward;
        }
        const entries = {
            //  link ARP IPv4 version words bad ours ctl route ttl checksum
            (_, 1, 1, _,     _, _,         _, _, _, _, _,          _) : to_controller();
            (0, _, _, false, _, _,         _, _, _, _, _,          _) : refuse(drop_reason_t.UNDERLAY_NOT_IP);
            (0, _, _, _,     4, 0 &&& 0xc, _, _, _, _, _,          _) : refuse(drop_reason_t.UNDERLAY_NOT_IP);
            (0, _, _, _,     4, 4,         _, _, _, _, _,          _) : refuse(drop_reason_t.UNDERLAY_NOT_IP);
            // Of a header with options the checksum is not verified.
            (0, _, _, _,     4, 5,         1, _, _, _, _,          _) : refuse(drop_reason_t.OUTER_CHECKSUM);
            (0, _, _, _,     4, _,         _, 1, _, _, _,          _) : for_us();
            (0, 1, _, _,     4, _,         _, _, 1, _, _,          _) : to_controller();
            (0, _, _, _,     4, _,         _, _, _, _, 0 &&& 0xfe, _) : refuse(drop_reason_t.TTL_EXPIRED);
            (0, _, _, _,     4, _,         _, _, _, 0, _,          _) : refuse(drop_reason_t.NO_ROUTE);
            (0, _, _, _,     4, _,         _, _, _, _, _,          0xfeff) : forward(0x0101);
            (0, _, _, _,     4, _,         _, _, _, _, _,          0xff00 &&& 0xff00) : forward(0x0101);
            (0, _, _, _,     4, _,         _, _, _, _, _,          _) : forward(0x0100);
            (0, _, _, _,     _, _,         _, _, _, _, _,          _) : refuse(drop_reason_t.UNDERLAY_NOT_IP);
        }
        const default_action = refuse(drop_reason_t.NOT_ROUTER_MAC);
    }

#ifdef IPV6_UNDERLAY
    @hidden
    action forward_ipv6() {
        meta.path = path_t.ROUTE;
        hdr.ethernet.src = meta.next_hop_src;
        hdr.ethernet.dst = meta.next_hop_dst;
        hdr.ipv6.hop_limit = hdr.ipv6.hop_limit - 1;
    }

    // Packets between link-local addresses are not forwarded (RFC 4291, section 2.5.6). Neighbour discovery that a router has passed
    // on counts for nothing (RFC 4861, section 7.1).
    @hidden
    table judge_underlay_ipv6 {
        key = {
            meta.not_to_router : ternary;
            meta.on_link : ternary;
            hdr.neighbour_discovery.isValid() : ternary;
            hdr.ipv6.version : ternary;
            meta.terminates : ternary;
            meta.for_controller : ternary;
            meta.has_route : ternary;
            hdr.ipv6.hop_limit : ternary;
            hdr.ipv6.src : ternary;
            hdr.ipv6.dst : ternary;
        }
        actions = {
            refuse;
            for_us;
            to_controller;
            forward_ipv6;
        }
        const entries = {
            //  link ND    version ours ctl route hops    from        to
            (_, 1, true,  6, _, _, _, 255,         _,          _) : to_controller();
            (0, _, _,     6, 1, _, _, _,           _,          _) : for_us();
            (0, 1, _,     6, _, 1, _, _,           _,          _) : to_controller();
            (0, _, _,     6, _, _, _, 0 &&& 0xfe,  _,          _) : refuse(drop_reason_t.TTL_EXPIRED);
            (0, _, _,     6, _, _, 0, _,           _,          _) : refuse(drop_reason_t.NO_ROUTE);
            (0, _, _,     6, _, _, _, _, LINK_LOCAL_IPV6,      _) : refuse(drop_reason_t.NO_ROUTE);
            (0, _, _,     6, _, _, _, _,           _, LINK_LOCAL_IPV6) : refuse(drop_reason_t.NO_ROUTE);
            (0, _, _,     6, _, _, _, _,           _,          _) : forward_ipv6();
            (0, _, _,     _, _, _, _, _,           _,          _) : refuse(drop_reason_t.UNDERLAY_NOT_IP);
        }
        const default_action = refuse(drop_reason_t.NOT_ROUTER_MAC);
    }
#endif

    apply {
#ifdef IPV6_UNDERLAY
        if (hdr.ipv6.isValid()) {
            judge_underlay_ipv6.apply();
        } else {
            judge_underlay.apply();
        }
#else
        judge_underlay.apply();
#endif
        if (meta.for_us == 1) {
            decapsulate.apply(hdr, meta);
        }
    }
}

#endif
