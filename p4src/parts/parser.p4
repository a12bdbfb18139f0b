// SPDX-License-Identifier: Apache-2.0
//
// From a frame's first byte to what forwarding and the flow hash need. The top deals with what its architecture puts
// in front.
//
// On v1model a frame too short for a header leaves that header invalid and is judged by the controls, which test validity:
// what a bridge forwards it need not understand. Tofino's parser drops it.

#ifndef VOUCH_PARSER_P4
#define VOUCH_PARSER_P4

// A frame without tag, as it stands behind a VXLAN header: as far as the flow hash and ECN need it.
parser InnerParser(packet_in packet,
                   out ethernet_t ethernet,
                   out ipv4_header_t ipv4,
                   out ipv6_header_t ipv6,
                   out l4_ports_t l4) {
    state start {
        packet.extract(ethernet);
        transition select(ethernet.ether_type) {
            ETHERTYPE_IPV4: parse_ipv4;
            ETHERTYPE_IPV6: parse_ipv6;
            default: accept;
        }
    }

    // Ports only of whole packets: of a fragment only the first piece has them, and the pieces of one packet must
    // share a path.
    state parse_ipv4 {
        packet.extract(ipv4);
        transition select(ipv4.header_words, ipv4.more_fragments, ipv4.fragment_offset, ipv4.protocol) {
            (5, 0, 0, PROTOCOL_TCP): parse_l4;
            (5, 0, 0, PROTOCOL_UDP): parse_l4;
            default: accept;
        }
    }

    // Extension headers are not walked: their packets hash by address alone.
    state parse_ipv6 {
        packet.extract(ipv6);
        transition select(ipv6.next_header) {
            PROTOCOL_TCP: parse_l4;
            PROTOCOL_UDP: parse_l4;
            default: accept;
        }
    }

    state parse_l4 {
        packet.extract(l4);
        transition accept;
    }
}

parser FrameParser(packet_in packet, inout headers_t hdr, inout metadata_t meta) {
    // UDP ports besides 4789 that carry VXLAN, for fabrics that still use a port from before RFC 7348. Where the
    // target's P4Runtime server does not write value sets (BMv2's does not), the set stays empty and the assigned port
    // works all the same.
    @name(".vxlan_ports")
    value_set<bit<16>>(4) vxlan_ports;

    InnerParser() inner_parser;
    IPV4_CHECKSUM_UNIT

    // Bytes 6 to 11, an Ethernet header's source address, are zero in front of a frame from the controller. In two steps,
    // because hardware matches 32 bits at a time.
    state start {
        transition select(packet.lookahead<bit<96>>()[47:16]) {
            0: maybe_from_controller;
            default: frame;
        }
    }

    state maybe_from_controller {
        transition select(packet.lookahead<bit<96>>()[55:48], packet.lookahead<bit<96>>()[15:0]) {
            (0, 0): from_controller;
            default: frame;
        }
    }

    state from_controller {
        packet.extract(hdr.packet_out);
        transition frame;
    }

    state frame {
        packet.extract(hdr.ethernet);
        meta.src_mac = hdr.ethernet.src;
        meta.dst_mac = hdr.ethernet.dst;
        transition select(hdr.ethernet.ether_type) {
            ETHERTYPE_VLAN: vlan;
            ETHERTYPE_ARP: arp;
            ETHERTYPE_RARP: arp;
            ETHERTYPE_IPV4: ipv4;
            ETHERTYPE_IPV6: ipv6;
            default: accept;
        }
    }

    state vlan {
        packet.extract(hdr.vlan);
        meta.tagged = 1;
        meta.vlan_id = hdr.vlan.vlan_id;
        transition select(hdr.vlan.ether_type) {
            ETHERTYPE_ARP: arp;
            ETHERTYPE_RARP: arp;
            ETHERTYPE_IPV4: ipv4;
            ETHERTYPE_IPV6: ipv6;
            default: accept;
        }
    }

    // Announcements decide about hosts, so they must be what they seem: ARP or RARP for Ethernet and IPv4.
    state arp {
        packet.extract(hdr.arp);
        meta.announcement = 1;
        transition select(hdr.arp.hardware_type, hdr.arp.protocol_type) {
            (1, ETHERTYPE_IPV4): ethernet_ipv4_arp;
            default: accept;
        }
    }

    state ethernet_ipv4_arp {
        transition select(hdr.arp.hardware_bytes, hdr.arp.protocol_bytes) {
            (6, 4): well_formed_arp;
            default: accept;
        }
    }

    state well_formed_arp {
        meta.well_formed_arp = 1;
        transition accept;
    }

    state ipv4 {
        packet.extract(hdr.ipv4);
        VERIFY_IPV4_CHECKSUM(hdr, meta)
        transition select(hdr.ipv4.header_words, hdr.ipv4.more_fragments, hdr.ipv4.fragment_offset,
                          hdr.ipv4.protocol) {
            (5, 0, 0, PROTOCOL_TCP): l4;
            (5, 0, 0, PROTOCOL_UDP): udp;
            default: accept;
        }
    }

    // Extension headers are not walked here either: RFC 6980 forbids neighbour discovery behind a fragment header.
    state ipv6 {
        packet.extract(hdr.ipv6);
        transition select(hdr.ipv6.next_header) {
            PROTOCOL_ICMPV6: icmpv6;
            PROTOCOL_TCP: l4;
#ifdef IPV6_UNDERLAY
            PROTOCOL_UDP: udp;
#else
            PROTOCOL_UDP: l4;
#endif
            default: accept;
        }
    }

    state icmpv6 {
        packet.extract(hdr.icmpv6);
        transition select(hdr.icmpv6.message_type) {
            ICMPV6_NEIGHBOUR_SOLICITATION: neighbour_discovery;
            ICMPV6_NEIGHBOUR_ADVERTISEMENT: neighbour_discovery;
            default: accept;
        }
    }

    state neighbour_discovery {
        meta.announcement = 1;
        packet.extract(hdr.neighbour_discovery);
        transition accept;
    }

    state l4 {
        packet.extract(hdr.l4);
        transition accept;
    }

    state udp {
        packet.extract(hdr.l4);
        packet.extract(hdr.udp_rest);
        transition select(hdr.l4.dst) {
            VXLAN_UDP_PORT: vxlan;
            vxlan_ports: vxlan;
            default: accept;
        }
    }

    // Whether it is for us is not known yet. If not, every header is written back as it was.
    state vxlan {
        meta.to_vxlan_port = 1;
        packet.extract(hdr.vxlan);
        inner_parser.apply(packet, hdr.inner_ethernet, hdr.inner_ipv4, hdr.inner_ipv6, hdr.inner_l4);
        transition accept;
    }
}

#endif
