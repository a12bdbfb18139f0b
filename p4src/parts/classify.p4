// SPDX-License-Identifier: Apache-2.0
//
// Where does the frame come in? A port and a VLAN name an access interface, the underlay, or the controller.

#ifndef VOUCH_CLASSIFY_P4
#define VOUCH_CLASSIFY_P4

// Frames are without tag from here on; the interface that a frame leaves by puts its own tag on.
control StripTag(inout headers_t hdr, inout metadata_t meta) {
    apply {
        if (hdr.vlan.isValid()) {
            hdr.ethernet.ether_type = hdr.vlan.ether_type;
            hdr.vlan.setInvalid();
            meta.frame_bytes = meta.frame_bytes - VLAN_TAG_BYTES;
        }
    }
}

control Classify(inout headers_t hdr, inout metadata_t meta) {
    DIRECT_COUNTER(ingress_interface_counter, ".ingress_interface_counter")

    // An access interface: the frame belongs to bridge domain `bd` and came in at `location`. `bindings`: the addresses
    // that its hosts announce are checked against the binding tables. `suppress`: what its hosts ask everybody about an
    // address goes to the controller, which answers or floods it.
    @name(".ingress_interface.access")
    action access(bd_t bd, location_t location, bit<1> bindings, bit<1> suppress) {
        COUNT(ingress_interface_counter)
        meta.origin = origin_t.ACCESS;
        meta.bd = bd;
        meta.in_location = location;
        meta.bindings = bindings;
        meta.suppress = suppress;
    }

    // An underlay interface: IPv4 to `router_mac` is terminated or routed.
    @name(".ingress_interface.underlay")
    action underlay(mac_t router_mac) {
        COUNT(ingress_interface_counter)
        meta.origin = origin_t.UNDERLAY;
        meta.not_to_router = hdr.ethernet.dst ^ router_mac;
    }

    // The same, where we have an address on the link: ARP there, and packets for the address, are for the controller. `location`
    // is the link's own.
    @name(".ingress_interface.link")
    action link(mac_t router_mac, location_t location) {
        COUNT(ingress_interface_counter)
        meta.origin = origin_t.UNDERLAY;
        meta.not_to_router = hdr.ethernet.dst ^ router_mac;
        meta.in_location = location;
        meta.on_link = 1;
    }

    // The controller's port: frames carry a packet_out header.
    @name(".ingress_interface.controller")
    action controller() {
        COUNT(ingress_interface_counter)
        meta.origin = origin_t.CONTROLLER;
    }

    // Nobody configured this port and VLAN: nothing may come in by accident.
    @name(".ingress_interface.unknown_interface")
    action unknown_interface() {
        meta.origin = origin_t.NONE;
    }

    @name(".ingress_interface")
    table ingress_interface {
        key = {
            meta.ingress_port : exact @name("ingress_port");
            // 0: untagged, or tagged with priority only (IEEE 802.1Q, table 9-2).
            meta.vlan_id : exact @name("vlan_id");
        }
        actions = {
            access;
            underlay;
            link;
            controller;
            @defaultonly unknown_interface;
        }
        const default_action = unknown_interface();
        COUNTERS(ingress_interface_counter)
        size = INGRESS_INTERFACES;
    }

    apply {
        ingress_interface.apply();
    }
}

// Which way the frame goes: bridged, or as the packet_out header says, which comes off. What comes from the underlay goes its
// own way, if it is whole.
control ChooseWay(inout headers_t hdr, inout metadata_t meta) {
    @hidden
    action refuse(drop_reason_t reason) {
        meta.drop_reason = reason;
    }

    @hidden
    action from_host() {
        meta.path = path_t.BRIDGE;
    }

    @hidden
    action remove_packet_out() {
        hdr.packet_out.setInvalid();
        meta.frame_bytes = meta.frame_bytes - PACKET_OUT_BYTES;
    }

    // Out of exactly that place.
    @hidden
    action send() {
        meta.path = path_t.DIRECT;
        meta.bd = hdr.packet_out.bd;
        meta.in_location = hdr.packet_out.location;
        meta.out_location = hdr.packet_out.location;
        remove_packet_out();
    }

    // As `send`, and a copy back: the switch has taken the frame, and all that it was told before it.
    @hidden
    action ask() {
        send();
        meta.punt_reason = punt_reason_t.SENT;
    }

    // Back only, behind all that was punted before.
    @hidden
    action echo() {
        meta.bd = hdr.packet_out.bd;
        meta.in_location = hdr.packet_out.location;
        meta.punt_reason = punt_reason_t.SENT;
        meta.punt_exclusive = 1;
        remove_packet_out();
    }

    // As if it had come in there.
    @hidden
    action receive() {
        meta.path = path_t.BRIDGE;
        meta.bd = hdr.packet_out.bd;
        meta.in_location = hdr.packet_out.location;
        remove_packet_out();
    }

    @hidden
    table choose_way {
        key = {
            hdr.ethernet.isValid() : ternary;
            meta.too_long : ternary;
            meta.origin : ternary;
            hdr.packet_out.isValid() : ternary;
            meta.tagged : ternary;
            hdr.packet_out.mode : ternary;
        }
        actions = {
            refuse;
            from_host;
            send;
            receive;
            ask;
            echo;
        }
        const entries = {
            //   long  origin          packet_out, tagged, mode
            (false, _, _,                   _,     _, _) : refuse(drop_reason_t.MALFORMED);
            (_,     1, _,                   _,     _, _) : refuse(drop_reason_t.TOO_LONG);
            (_,     _, origin_t.NONE,       _,     _, _) : refuse(drop_reason_t.UNKNOWN_INTERFACE);
            (_,     _, origin_t.CONTROLLER, false, _, _) : refuse(drop_reason_t.UNKNOWN_INTERFACE);
            (_,     _, origin_t.CONTROLLER, _,     1, _) : refuse(drop_reason_t.STACKED_TAG);
            (_,     _, origin_t.CONTROLLER, _,     _, PACKET_OUT_SEND) : send();
            (_,     _, origin_t.CONTROLLER, _,     _, PACKET_OUT_RECEIVE) : receive();
            (_,     _, origin_t.CONTROLLER, _,     _, PACKET_OUT_ASK) : ask();
            (_,     _, origin_t.CONTROLLER, _,     _, PACKET_OUT_ECHO) : echo();
            (_,     _, origin_t.CONTROLLER, _,     _, _) : refuse(drop_reason_t.BAD_PACKET_OUT);
            // It names no source: see packet_out_header_t.
            (_,     _, _,                   true,  _, _) : refuse(drop_reason_t.BAD_SOURCE_MAC);
            (_,     _, origin_t.ACCESS,     _,     _, _) : from_host();
        }
        const default_action = refuse(drop_reason_t.UNKNOWN_INTERFACE);
    }

    apply {
        choose_way.apply();
    }
}

#endif
