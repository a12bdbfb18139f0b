// SPDX-License-Identifier: Apache-2.0
//
// All headers of a frame, in the order they have on the wire.

#ifndef VOUCH_FRAME_P4
#define VOUCH_FRAME_P4

// `emit` of the whole writes what is valid, in this order.
//
// In egress, `ethernet` and what follows it is always the tenant's frame without VLAN tag (or a transit packet).
// Decapsulation moves the `inner_` headers there; encapsulation fills the `outer_` ones. ARCHITECTURE_HEADERS are what the
// architecture itself puts in front between ingress and egress.
struct headers_t {
    ARCHITECTURE_HEADERS
    packet_in_header_t packet_in;
    packet_out_header_t packet_out;
    ethernet_t outer_ethernet;
    vlan_tag_t outer_vlan;
    ipv4_header_t outer_ipv4;
#ifdef IPV6_UNDERLAY
    ipv6_header_t outer_ipv6;
#endif
    udp_t outer_udp;
    vxlan_t outer_vxlan;
    ethernet_t ethernet;
    vlan_tag_t vlan;
    arp_t arp;
    ipv4_header_t ipv4;
    ipv6_header_t ipv6;
    icmpv6_t icmpv6;
    neighbour_discovery_t neighbour_discovery;
    l4_ports_t l4;
    udp_rest_t udp_rest;
    vxlan_t vxlan;
    ethernet_t inner_ethernet;
    ipv4_header_t inner_ipv4;
    ipv6_header_t inner_ipv6;
    l4_ports_t inner_l4;
}

#endif
