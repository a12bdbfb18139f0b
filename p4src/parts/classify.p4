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

    // An access interface: the frame belongs to bridge domain `bd` and came in at `location`.
    @name(".ingress_interface.access")
    action access(bd_t bd, location_t location) {
        COUNT(ingress_interface_counter)
        meta.origin = origin_t.ACCESS;
        meta.bd = bd;
        meta.in_location = location;
    }

    // An underlay interface: IPv4 to `router_mac` is terminated or routed.
    @name(".ingress_interface.underlay")
    action underlay(mac_t router_mac) {
        COUNT(ingress_interface_counter)
        meta.origin = origin_t.UNDERLAY;
        meta.not_to_router = hdr.ethernet.dst ^ router_mac;
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

// Obeys the packet_out header and removes it.
control FromController(inout headers_t hdr, inout metadata_t meta) {
    // Out of exactly that place.
    @hidden
    action send() {
        meta.path = path_t.DIRECT;
        meta.bd = hdr.packet_out.bd;
        meta.out_location = hdr.packet_out.location;
    }

    // As if it had come in there.
    @hidden
    action receive() {
        meta.path = path_t.BRIDGE;
        meta.bd = hdr.packet_out.bd;
        meta.in_location = hdr.packet_out.location;
    }

    apply {
        if (!hdr.packet_out.isValid()) {
            meta.drop_reason = drop_reason_t.UNKNOWN_INTERFACE;
        } else if (meta.tagged == 1) {
            meta.drop_reason = drop_reason_t.STACKED_TAG;
        } else if (hdr.packet_out.mode == PACKET_OUT_SEND) {
            send();
        } else if (hdr.packet_out.mode == PACKET_OUT_RECEIVE) {
            receive();
        } else {
            meta.drop_reason = drop_reason_t.BAD_PACKET_OUT;
        }
        hdr.packet_out.setInvalid();
        meta.frame_bytes = meta.frame_bytes - PACKET_OUT_BYTES;
    }
}

#endif
