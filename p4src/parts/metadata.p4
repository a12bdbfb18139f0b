// SPDX-License-Identifier: Apache-2.0
//
// What the parts decide about a frame, in terms that no architecture owns; the top file carries it out.

#ifndef VOUCH_METADATA_P4
#define VOUCH_METADATA_P4

// Why a frame was dropped; the index into the counters `drops` (ingress) and `egress_drops` (egress).
// The numbers are part of the interface: append, never renumber.
enum bit<8> drop_reason_t {
    NONE = 0,

    // Shorter than its own Ethernet or ARP header, or an ARP that is not Ethernet/IPv4.
    MALFORMED = 1,
    // Longer than an outer IPv4 header can account for.
    TOO_LONG = 2,
    // No interface is configured for the port and VLAN. Also a frame from the controller without a packet_out header.
    UNKNOWN_INTERFACE = 3,
    // A source address that no host can have: multicast (IEEE 802.3, 3.2.3) or all zero.
    BAD_SOURCE_MAC = 4,
    // Sent to an address that a bridge never forwards (IEEE 802.1Q, table 8-1): LACP, LLDP, spanning tree.
    LINK_LOCAL = 5,
    // A second VLAN tag on an access interface, or a tag on a frame from the controller. It would leave as a tag of its
    // own elsewhere: VLAN hopping, and RFC 7348, section 6.1, wants no tag inside VXLAN.
    STACKED_TAG = 6,

    // On the underlay, but not addressed to this router's MAC.
    NOT_ROUTER_MAC = 7,
    // On the underlay, and not a well-formed IPv4 packet; where it may be IPv6, nor such a one.
    UNDERLAY_NOT_IP = 8,
    // The outer IPv4 header checksum is wrong (RFC 1812, section 5.2.2).
    OUTER_CHECKSUM = 9,
    // To our tunnel address in fragments. RFC 7348, section 4.3: a VTEP may discard them, and the pieces after the
    // first carry no VNI.
    OUTER_FRAGMENT = 10,
    // To our tunnel address, but not VXLAN: another protocol or port, or IPv4 options or IPv6 extension headers before UDP.
    NOT_VXLAN = 11,
    // Too short for the VXLAN header and an Ethernet header, or shorter than its outer lengths say.
    VXLAN_TOO_SHORT = 12,
    // The I flag is not set: the VNI is not valid (RFC 7348, section 5).
    VXLAN_FLAGS = 13,
    // The outer source is not the address of a configured peer.
    UNKNOWN_PEER = 14,
    // The VNI has no bridge domain here.
    UNKNOWN_VNI = 15,
    // The inner frame carries a VLAN tag (RFC 7348, section 6.1).
    INNER_TAG = 16,
    // Congestion was marked on a packet whose transport cannot see marks (RFC 6040, section 4.2).
    ECN_NOT_CAPABLE = 17,
    // A transit packet whose time to live has run out (RFC 1812, section 5.3.1). No ICMP error is generated.
    TTL_EXPIRED = 18,
    // A transit packet that no route covers.
    NO_ROUTE = 19,

    // From a host and port that the controller has quarantined for repeated refused claims.
    QUARANTINED = 20,
    // An announcement (ARP, RARP, neighbour discovery) of a claimant whose claim is being verified already.
    CLAIM_HELD = 21,
    // A data frame of a claimant, where the VNI's policy is to drop those until the verdict.
    CLAIM_DATA = 22,

    // A location with no port: removed while the frame was on its way, or a packet_out that names a wrong one.
    NO_LOCATION_PORT = 23,
    // A frame to flood in a bridge domain without flood group.
    NO_FLOOD_GROUP = 24,
    // Known unicast whose destination is where it came from.
    BACK_TO_ORIGIN = 25,
    // Known unicast from one tunnel to another without permission to hairpin: it would loop.
    TUNNEL_TO_TUNNEL = 26,
    // A packet_out mode that does not exist.
    BAD_PACKET_OUT = 27,
    // An ARP whose sender is not the frame's: it would teach its readers an address that its Ethernet source has no part
    // in.
    ARP_SENDER = 28,

    // Its way has a group of next hops, and none of them is there. In egress: the next hop went while the frame was on its way.
    NO_NEXT_HOP = 29,

    // 30 and 31 are not used.

    // Egress: the tunnel has no encapsulation, the bridge domain no VNI, the access interface no tag rule.
    NO_ENCAPSULATION = 32,
    NO_VNI = 33,
    NO_ACCESS_TAG = 34,
    // Longer, with its outer headers, than the underlay carries. The Don't Fragment bit is set (RFC 7348, section 4.3), so
    // that it would be lost on the way, where nobody counts it.
    EXCEEDS_MTU = 35
}

// Indices of the drop counters; more than there are reasons, so that one can be added to a running fleet.
#define DROP_REASONS 64

// Why a frame goes to the controller, and whose budget pays for it.
enum bit<8> punt_reason_t {
    NONE = 0,
    // A host that no table knows. A copy.
    LEARN = 1,
    // A host that is recorded elsewhere. An announcement goes to the controller only; of other frames, a copy.
    MOVE = 2,
    // A frame to our probe address: somebody answers a probe. The controller only.
    PROBE_REPLY = 3,
    // A frame from the recorded place of a host under verification: evidence that it is there. A copy.
    ALIVE = 4,
    // An announcement that binds an address to its sender, where the binding table does not know that for sure: a copy.
    // Where the address is another's: the controller only.
    BINDING = 5,
    // A question about an address: what a host here asks everybody, where the interface suppresses that, and what a
    // claimant asks. The controller only.
    REQUEST = 6,
    // What the controller itself sent (ASK, ECHO), back. Not metered.
    SENT = 7,
    // On a link of the underlay: ARP, neighbour discovery, or a packet for our own address there. The controller only, as it came.
    NEIGHBOUR = 8
}

// The kinds of place that a frame can come from.
enum bit<2> origin_t {
    NONE = 0,
    ACCESS = 1,
    UNDERLAY = 2,
    CONTROLLER = 3
}

// What is to be done with a frame, once it is clear where it came from.
enum bit<2> path_t {
    // Nothing: refused.
    NONE = 0,
    // Through the bridge: the source check where it comes from a host, then by destination.
    BRIDGE = 1,
    // Out of the place that the controller named.
    DIRECT = 2,
    // A transit packet, complete as it is.
    ROUTE = 3
}

// What `source` says of a sender at the place where it was heard.
enum bit<2> standing_t {
    NOT_HERE = 0,
    HERE = 1,
    CLAIMANT = 2,
    QUARANTINED = 3
}

// What an announced address means, once the tables were asked.
enum bit<2> address_t {
    // Nothing: none is announced, or it is the sender's for sure.
    NONE = 0,
    // The controller does not know for sure that it is the sender's.
    NEWS = 1,
    // It is bound to another MAC.
    DISPUTED = 2
}

// How the destination table wants the frame forwarded.
enum bit<3> forwarding_t {
    // Unknown, broadcast or multicast.
    FLOOD = 0,
    // Known unicast; never from tunnel to tunnel.
    UNICAST = 1,
    // Known unicast that may pass from tunnel to tunnel, but never back into the one it came from.
    HAIRPIN = 2,
    // Known unicast to two places at once, while a verification runs.
    BOTH = 3,
    // A claim is pending: what comes from the owner's tunnel goes to the claimed place, all else to the owner.
    CLAIMED = 4,
    // For the controller.
    PROBE_REPLY = 5
}

// A new packet's metadata is all zero: v1model's target guarantees that, Tofino's compiler by the annotation.
@pa_auto_init_metadata
struct metadata_t {
    // Set by the top before the parts run.
    @field_list(1)
    port_t ingress_port;
    // Bytes of the frame as it stands: what was stripped is subtracted. No inner header is asked for its length. Where the
    // architecture knows the length in egress only, ingress counts from zero, and egress adds.
    bit<16> frame_bytes;
    bit<1> too_long;
    // The outermost IPv4 header failed its checksum.
    bit<1> bad_ipv4_checksum;

    // Set by the parser: the frame's tag, its addresses, UDP to the VXLAN port (whole enough or not), and whether it
    // announces its sender: ARP, RARP, neighbour solicitation or advertisement.
    @field_list(1)
    bit<1> tagged;
    vlan_id_t vlan_id;
    mac_t src_mac;
    mac_t dst_mac;
    bit<1> well_formed_arp;
    bit<1> to_vxlan_port;
    bit<1> announcement;

    // Of an announcement: the ARP sender's MAC and the frame's, and the two IP addresses of the ARP, each zero where they are
    // the same; whether it binds an address to its sender, and whether it asks for another's, of everybody. For IPv6 the
    // address itself: a solicitation's source, an advertisement's target.
    mac_t other_sender;
    ipv4_t other_target;
    bit<1> binds;
    bit<1> asks;
    bit<1> asks_all;
    ipv6_t announced_ipv6;

    @field_list(1)
    origin_t origin;
    path_t path;
    @field_list(1)
    bd_t bd;
    @field_list(1)
    location_t in_location;

    // Of the underlay: zero for a packet to this router's MAC, what the lookups found, and how the outer lengths differ.
    mac_t not_to_router;
    bit<1> on_link;
    bit<1> terminates;
#ifdef IPV6_UNDERLAY
    // The outermost IP header is one of IPv6.
    @field_list(1)
    bit<1> over_ipv6;
#endif
    bit<1> for_controller;
    // It is to be decapsulated, if it is valid.
    bit<1> for_us;
    bit<1> vni_known;
    bd_t vni_bd;
    location_t peer_location;
    bit<1> has_route;
    // The addresses of the next hop's link.
    mac_t next_hop_src;
    mac_t next_hop_dst;
    bit<1> ecn_refused;
    bit<16> short_by;
    bit<16> ipv4_bytes_wanted;
    bit<16> udp_beyond;
    bit<1> too_short;

    // Of the access interface.
    bit<1> bindings;
    bit<1> suppress;

    // Of the announced address: what the table knows, its MAC and the frame's (zero where they are the same), and what that
    // means.
    bit<1> bound;
    bit<1> confirmed;
    bit<1> shared;
    mac_t bound_elsewhere;
    address_t address;

    // Of the source: what the two tables know.
    standing_t standing;
    bit<1> watch;
    bit<1> forward_claimant;
    bit<1> forward_stranger;
    @field_list(1)
    location_t recorded;
    // `recorded` and `in_location`, zero where they are the same.
    location_t elsewhere;
    // The frame waits for a verdict: dropped for this reason unless it answers a probe.
    drop_reason_t withheld;

    // Of the destination: what the table knows, and how that differs from where the frame came from.
    forwarding_t forwarding;
    location_t claim_location;
    location_t out_location;
    location_t back;
    location_t back_to_claim;
    group_t flood_group;
    // Why it cannot go there.
    drop_reason_t undeliverable;

    // Where it goes: to a group if there is one, else to the port; in egress, the port that it or its replica leaves by. Where several next hops lead there, which of them.
    port_t out_port;
#ifdef NEXT_HOPS
    hop_group_t hop_group;
    bit<6> bucket;
    neighbour_t neighbour;
#endif
    group_t group;
    // Why no port leads there.
    drop_reason_t no_way;
    // Sent to a flood group: replicas are pruned between tunnels.
    bit<1> flooded;

    drop_reason_t drop_reason;
    // The tag that the underlay port wants.
    bit<1> underlay_tagged;
    vlan_id_t underlay_vlan;
    // A replica that must not leave. Not a loss, so not counted.
    bit<1> pruned;

    @field_list(1)
    punt_reason_t punt_reason;
    // Whose budget of the place pays for it. Who does not stand where the host is recorded pays for answers to a probe what
    // it pays for anything else, so that nobody uses up the budget of those that were asked.
    punt_reason_t budget;
    bit<1> stranger;
    // The controller only, no forwarding.
    bit<1> punt_exclusive;

    bit<2> ecn;
    bit<14> entropy;
    // The longest frame that its tunnel takes, and by how much this one is longer.
    bit<16> max_frame_bytes;
    bit<16> excess_bytes;

    ARCHITECTURE_METADATA
}

#endif
