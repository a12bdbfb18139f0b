// SPDX-License-Identifier: Apache-2.0
//
// IPv4 on the underlay: to our own tunnel address it is decapsulated, to any other it is routed, so that a spine can
// run the same program.

#ifndef VOUCH_UNDERLAY_P4
#define VOUCH_UNDERLAY_P4

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

    apply {
        if (hdr.ipv4.isValid()) {
            local_vtep.apply();
            underlay_peer.apply();
            underlay_route.apply();
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
    action for_us() {}

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
            (0, _, _, false, _, _,         _, _, _, _, _,          _) : refuse(drop_reason_t.UNDERLAY_NOT_IPV4);
            (0, _, _, _,     4, 0 &&& 0xc, _, _, _, _, _,          _) : refuse(drop_reason_t.UNDERLAY_NOT_IPV4);
            (0, _, _, _,     4, 4,         _, _, _, _, _,          _) : refuse(drop_reason_t.UNDERLAY_NOT_IPV4);
            // Of a header with options the checksum is not verified.
            (0, _, _, _,     4, 5,         1, _, _, _, _,          _) : refuse(drop_reason_t.OUTER_CHECKSUM);
            (0, _, _, _,     4, _,         _, 1, _, _, _,          _) : for_us();
            (0, 1, _, _,     4, _,         _, _, 1, _, _,          _) : to_controller();
            (0, _, _, _,     4, _,         _, _, _, _, 0 &&& 0xfe, _) : refuse(drop_reason_t.TTL_EXPIRED);
            (0, _, _, _,     4, _,         _, _, _, 0, _,          _) : refuse(drop_reason_t.NO_ROUTE);
            (0, _, _, _,     4, _,         _, _, _, _, _,          0xfeff) : forward(0x0101);
            (0, _, _, _,     4, _,         _, _, _, _, _,          0xff00 &&& 0xff00) : forward(0x0101);
            (0, _, _, _,     4, _,         _, _, _, _, _,          _) : forward(0x0100);
            (0, _, _, _,     _, _,         _, _, _, _, _,          _) : refuse(drop_reason_t.UNDERLAY_NOT_IPV4);
        }
        const default_action = refuse(drop_reason_t.NOT_ROUTER_MAC);
    }

    apply {
        switch (judge_underlay.apply().action_run) {
            for_us: {
                decapsulate.apply(hdr, meta);
            }
        }
    }
}

#endif
