// SPDX-License-Identifier: Apache-2.0
//
// Where does the frame come in? A port and a VLAN name an access interface or the underlay; the controller names the
// place itself.

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
    StripTag() strip_tag;

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
        meta.router_mac = router_mac;
    }

    // Nobody configured this port and VLAN: nothing may come in by accident.
    @name(".ingress_interface.unknown_interface")
    action unknown_interface() {
        meta.drop_reason = drop_reason_t.UNKNOWN_INTERFACE;
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
            @defaultonly unknown_interface;
        }
        const default_action = unknown_interface();
        COUNTERS(ingress_interface_counter)
        size = 4096;
    }

    apply {
        if (hdr.vlan.isValid()) {
            meta.vlan_id = hdr.vlan.vlan_id;
        }
        strip_tag.apply(hdr, meta);
        ingress_interface.apply();
    }
}

// Obeys the packet_out header and removes it.
control FromController(inout headers_t hdr, inout metadata_t meta) {
    apply {
        meta.origin = origin_t.CONTROLLER;
        meta.bd = hdr.packet_out.bd;
        if (hdr.vlan.isValid()) {
            meta.drop_reason = drop_reason_t.STACKED_TAG;
        } else if (hdr.packet_out.mode == PACKET_OUT_SEND) {
            meta.forwarding = forwarding_t.DIRECT;
            meta.out_location = hdr.packet_out.location;
        } else if (hdr.packet_out.mode == PACKET_OUT_RECEIVE) {
            meta.in_location = hdr.packet_out.location;
        } else {
            meta.drop_reason = drop_reason_t.BAD_PACKET_OUT;
        }
        hdr.packet_out.setInvalid();
    }
}

#endif
