// SPDX-License-Identifier: Apache-2.0
//
// IPv4 on the underlay: to our own tunnel address it is decapsulated, to any other it is routed, so that a spine can
// run the same program.

#ifndef VOUCH_UNDERLAY_P4
#define VOUCH_UNDERLAY_P4

control Underlay(inout headers_t hdr, inout metadata_t meta) {
    Decapsulate() decapsulate;

    // The packet ends here.
    @name(".local_vtep.terminate")
    action terminate() {}

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
            @defaultonly transit;
        }
        const default_action = transit();
        size = 16;
    }

    // The next hop: the port to it and the MAC addresses of that link. The outer header is rewritten by the control.
    @name(".underlay_route.route")
    action route(port_t port, mac_t src_mac, mac_t dst_mac) {
        meta.routed = 1;
        meta.out_port = port;
        hdr.ethernet.src = src_mac;
        hdr.ethernet.dst = dst_mac;
    }

    // RFC 1812, section 5.2.4.3: no route, no forwarding. No ICMP error is generated.
    @name(".underlay_route.no_route")
    action no_route() {
        meta.drop_reason = drop_reason_t.NO_ROUTE;
    }

    @name(".underlay_route")
    table underlay_route {
        key = {
            hdr.ipv4.dst : lpm @name("dst");
        }
        actions = {
            route;
            @defaultonly no_route;
        }
        const default_action = no_route();
        size = 4096;
    }

    apply {
        if (hdr.ethernet.dst != meta.router_mac) {
            meta.drop_reason = drop_reason_t.NOT_ROUTER_MAC;
        } else if (!hdr.ipv4.isValid()) {
            meta.drop_reason = drop_reason_t.UNDERLAY_NOT_IPV4;
        } else if (hdr.ipv4.version != 4 || hdr.ipv4.header_words < 5) {
            meta.drop_reason = drop_reason_t.UNDERLAY_NOT_IPV4;
        } else if (meta.bad_ipv4_checksum == 1) {
            meta.drop_reason = drop_reason_t.OUTER_CHECKSUM;
        } else if (local_vtep.apply().hit) {
            decapsulate.apply(hdr, meta);
        } else if (hdr.ipv4.ttl <= 1) {
            meta.drop_reason = drop_reason_t.TTL_EXPIRED;
        } else if (underlay_route.apply().hit) {
            hdr.ipv4.ttl = hdr.ipv4.ttl - 1;
            // The word of TTL and protocol is 0x0100 less: ~0x0100 in ones' complement.
            hdr.ipv4.checksum = updated_checksum(hdr.ipv4.checksum, 0xfeff);
        }
    }
}

#endif
