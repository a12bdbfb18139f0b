// SPDX-License-Identifier: Apache-2.0
//
// The other end of bridge.p4: egress takes off what ingress has put in front, and parses what it needs of the frame.

#ifndef VOUCH_BRIDGE_PARSER_P4
#define VOUCH_BRIDGE_PARSER_P4

parser BridgedParser(packet_in packet, inout headers_t hdr, inout metadata_t meta) {
    InnerParser() inner_parser;

    state start {
        transition select(packet.lookahead<bit<8>>()) {
            BRIDGED_COPY: copy;
            default: bridge;
        }
    }

    state bridge {
        packet.extract(hdr.bridge);
        inner_parser.apply(packet, hdr.ethernet, hdr.ipv4, hdr.ipv6, hdr.l4);
        transition accept;
    }

    // A copy is what came in. What stands in front of the frame comes off, of the frame itself nothing is asked.
    state copy {
        packet.extract(hdr.copy);
        transition select(hdr.copy.origin, COPY_OF_IPV6(hdr.copy.over_ipv6) hdr.copy.tagged) {
            ((bit<2>) origin_t.UNDERLAY, COPY_OF_IPV6(0) 0): outer_headers;
            ((bit<2>) origin_t.UNDERLAY, COPY_OF_IPV6(0) 1): tagged_outer_headers;
#ifdef IPV6_UNDERLAY
            ((bit<2>) origin_t.UNDERLAY, 1, 0): outer_ipv6_headers;
            ((bit<2>) origin_t.UNDERLAY, 1, 1): tagged_outer_ipv6_headers;
#endif
            ((bit<2>) origin_t.CONTROLLER, COPY_OF_IPV6(_) _): from_controller;
            default: from_host;
        }
    }

    // 50 bytes: an outer IPv4 header with options is not decapsulated.
    state outer_headers {
        packet.advance(400);
        transition accept;
    }

    state tagged_outer_headers {
        packet.advance(432);
        transition accept;
    }

#ifdef IPV6_UNDERLAY
    state outer_ipv6_headers {
        packet.advance(560);
        transition accept;
    }

    state tagged_outer_ipv6_headers {
        packet.advance(592);
        transition accept;
    }
#endif

    state from_controller {
        packet.extract(hdr.packet_out);
        transition accept;
    }

    state from_host {
        packet.extract(hdr.ethernet);
        transition select(hdr.ethernet.ether_type) {
            ETHERTYPE_VLAN: tag;
            default: accept;
        }
    }

    state tag {
        packet.extract(hdr.vlan);
        transition accept;
    }
}

#endif
