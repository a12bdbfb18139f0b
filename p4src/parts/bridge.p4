// SPDX-License-Identifier: Apache-2.0
//
// Where metadata ends with ingress (TNA): what travels in front of a frame between ingress and egress. One header for
// frames on their way, another for copies to the controller; the first byte says which.

#ifndef VOUCH_BRIDGE_P4
#define VOUCH_BRIDGE_P4

// What of a copy is there only where the underlay may be IPv6.
#ifdef IPV6_UNDERLAY
#define COPY_OF_IPV6(over_ipv6) over_ipv6,
#else
#define COPY_OF_IPV6(over_ipv6)
#endif

const bit<8> BRIDGED_FRAME = 1;
const bit<8> BRIDGED_COPY = 2;

header bridge_t {
    bit<8> kind;
    @padding bit<5> reserved;
    bit<1> flooded;
    // path_t
    bit<2> path;
    bd_t bd;
    location_t in_location;
    // 0 of a replica: its instance is the location.
    location_t out_location;
#ifdef NEXT_HOPS
    neighbour_t neighbour;
#endif
    // Less than zero: what ingress has stripped.
    bit<16> frame_bytes;
}

header copy_t {
    bit<8> kind;
    // punt_reason_t
    bit<8> reason;
#ifdef IPV6_UNDERLAY
    @padding bit<3> reserved;
    // It came in over IPv6.
    bit<1> over_ipv6;
#else
    @padding bit<4> reserved;
#endif
    // It came in behind a tag.
    bit<1> tagged;
    // origin_t: what stands in front of the frame.
    bit<2> origin;
    port_t ingress_port;
    bd_t bd;
    location_t in_location;
    location_t recorded;
}

#endif
