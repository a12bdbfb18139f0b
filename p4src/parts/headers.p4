// SPDX-License-Identifier: Apache-2.0
//
// Header formats, and the identifiers the tables speak of.
//
// The parts in this folder know no architecture. An architecture's top file (vtep.p4 for v1model, vtep_tna.p4 for Tofino)
// includes them and binds them: it copies to the controller, meters, counts drops, replicates and computes checksums.

#ifndef VOUCH_HEADERS_P4
#define VOUCH_HEADERS_P4

typedef bit<48> mac_t;
typedef bit<32> ipv4_t;
typedef bit<128> ipv6_t;
typedef bit<9> port_t;
typedef bit<12> vlan_id_t;
typedef bit<24> vni_t;

// Bridge domain: this switch's own number for a VNI.
typedef bit<16> bd_t;

// Where a host is reached. 0 is none (or the controller), 0x0001..0x7fff are access interfaces (a port and a VLAN or
// untagged), 0x8001..0xfffe are tunnels (one per peer). The top bit alone says which. From 0x7e00 on, they are links of the
// underlay: no host is there, but the controller speaks and listens.
typedef bit<16> location_t;

// The top bit of a location, as a condition and as a ternary match.
#define IS_TUNNEL(location) ((location)[15:15] == 1)
#define TUNNEL 0x8000 &&& 0x8000

// A multicast group of the packet replication engine. The instance of each replica is its location.
typedef bit<16> group_t;

// Next hops that share what they carry, and one of them. 0 is none.
typedef bit<16> hop_group_t;
typedef bit<16> neighbour_t;

const bit<16> ETHERTYPE_IPV4 = 0x0800;
const bit<16> ETHERTYPE_ARP = 0x0806;
const bit<16> ETHERTYPE_RARP = 0x8035;
const bit<16> ETHERTYPE_VLAN = 0x8100;
const bit<16> ETHERTYPE_SERVICE_VLAN = 0x88a8;
const bit<16> ETHERTYPE_IPV6 = 0x86dd;

const bit<8> PROTOCOL_TCP = 6;
const bit<8> PROTOCOL_UDP = 17;
const bit<8> PROTOCOL_FRAGMENT = 44;
const bit<8> PROTOCOL_ICMPV6 = 58;

// RFC 4861, sections 4.3 and 4.4.
const bit<8> ICMPV6_NEIGHBOUR_SOLICITATION = 135;
const bit<8> ICMPV6_NEIGHBOUR_ADVERTISEMENT = 136;

// RFC 7348, section 5: the port that IANA assigned, and the I flag.
const bit<16> VXLAN_UDP_PORT = 4789;
const bit<8> VXLAN_I_FLAG = 0x08;

// Bytes, for lengths that are reckoned from the frame's own.
const bit<16> ETHERNET_BYTES = 14;
const bit<16> VLAN_TAG_BYTES = 4;
const bit<16> IPV4_BYTES = 20;
const bit<16> IPV6_BYTES = 40;
const bit<16> UDP_BYTES = 8;
const bit<16> VXLAN_BYTES = 8;
const bit<16> PACKET_OUT_BYTES = 12;

header ethernet_t {
    mac_t dst;
    mac_t src;
    bit<16> ether_type;
}

// IEEE 802.1Q, section 9.3, with the type of what follows, so that removing a tag is one assignment.
header vlan_tag_t {
    bit<3> priority;
    bit<1> drop_eligible;
    vlan_id_t vlan_id;
    bit<16> ether_type;
}

// RFC 826 for Ethernet and IPv4; RARP (RFC 903) has the same form.
header arp_t {
    bit<16> hardware_type;
    bit<16> protocol_type;
    bit<8> hardware_bytes;
    bit<8> protocol_bytes;
    bit<16> operation;
    mac_t sender_mac;
    ipv4_t sender_ip;
    mac_t target_mac;
    ipv4_t target_ip;
}

// RFC 791, with the type of service as DSCP (RFC 2474) and ECN (RFC 3168). Options stay in the payload.
header ipv4_header_t {
    bit<4> version;
    bit<4> header_words;
    bit<6> dscp;
    bit<2> ecn;
    bit<16> total_bytes;
    bit<16> identification;
    bit<1> reserved;
    bit<1> dont_fragment;
    bit<1> more_fragments;
    bit<13> fragment_offset;
    bit<8> ttl;
    bit<8> protocol;
    bit<16> checksum;
    ipv4_t src;
    ipv4_t dst;
}

// RFC 8200, section 3.
header ipv6_header_t {
    bit<4> version;
    bit<6> dscp;
    bit<2> ecn;
    bit<20> flow_label;
    bit<16> payload_bytes;
    bit<8> next_header;
    bit<8> hop_limit;
    ipv6_t src;
    ipv6_t dst;
}

// RFC 4443, section 2.1.
header icmpv6_t {
    bit<8> message_type;
    bit<8> code;
    bit<16> checksum;
}

// RFC 4861, sections 4.3 and 4.4: what solicitation and advertisement have behind the ICMPv6 header. Options stay in the
// payload.
header neighbour_discovery_t {
    bit<32> flags;
    ipv6_t target;
}

// What TCP and UDP have in common, and all that a flow hash needs of them.
header l4_ports_t {
    bit<16> src;
    bit<16> dst;
}

// The rest of a UDP header (RFC 768) after its ports.
header udp_rest_t {
    bit<16> total_bytes;
    bit<16> checksum;
}

header udp_t {
    bit<16> src;
    bit<16> dst;
    bit<16> total_bytes;
    bit<16> checksum;
}

// RFC 7348, section 5.
header vxlan_t {
    bit<8> flags;
    bit<24> reserved;
    vni_t vni;
    bit<8> reserved_2;
}

// In front of every frame that goes to the controller. The frame itself is without VLAN tag and decapsulated.
@controller_header("packet_in")
header packet_in_header_t {
    // Where the frame came in, as a physical port.
    bit<16> ingress_port;
    bd_t bd;
    // punt_reason_t
    bit<8> reason;
    // Where the frame came in, as a location.
    location_t location;
    // Where the table said the source was; 0: the table does not know it.
    location_t recorded;
}

// What a frame from the controller is to be done with.
const bit<8> PACKET_OUT_SEND = 0;
const bit<8> PACKET_OUT_RECEIVE = 1;
const bit<8> PACKET_OUT_ASK = 2;
const bit<8> PACKET_OUT_ECHO = 3;

// In front of every frame that comes from the controller. The frame itself is without VLAN tag.
//
// The parser knows it by its zeroes, which lie where an Ethernet header has its source address: a frame of a host can
// look like that only by naming no source, and is dropped for it. So the controller's port is an entry of a table, as any
// other interface, and no number in the program.
@controller_header("packet_out")
header packet_out_header_t {
    // SEND: out of exactly `location`, an access interface or a tunnel. RECEIVE: as if it had come in at `location`,
    // past the source check. ASK: as SEND, and a copy back, reason SENT. ECHO: back and nowhere else, reason SENT.
    bit<8> mode;
    bd_t bd;
    location_t location;
    bit<56> zero;
}

#endif
