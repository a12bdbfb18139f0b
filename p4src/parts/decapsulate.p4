// SPDX-License-Identifier: Apache-2.0
//
// A packet to our own tunnel address: is it VXLAN from a peer, for a VNI that we have? If so, the inner frame takes the
// place of the outer packet.

#ifndef VOUCH_DECAPSULATE_P4
#define VOUCH_DECAPSULATE_P4

const bit<2> ECN_NOT_ECT = 0;
const bit<2> ECN_ECT_1 = 1;
const bit<2> ECN_ECT_0 = 2;
const bit<2> ECN_CE = 3;

// What taking off the outer headers adds to the length: less than zero, because hardware adds what an entry says, and subtracts nothing
// of it.
const bit<16> LESS_OUTER = 0 - (ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES + VXLAN_BYTES);
const bit<16> LESS_OUTER_IPV6 = 0 - (ETHERNET_BYTES + IPV6_BYTES + UDP_BYTES + VXLAN_BYTES);
const bit<16> MIN_VXLAN_UDP_BYTES = UDP_BYTES + VXLAN_BYTES + ETHERNET_BYTES;

// The outer mark, and in tables the columns that only IPv6 has.
#ifdef IPV6_UNDERLAY
#define OUTER_ECN(hdr, meta) meta.ecn
#define OF_IPV6(is_ipv6, next_header) is_ipv6, next_header,
#else
#define OUTER_ECN(hdr, meta) hdr.ipv4.ecn
#define OF_IPV6(is_ipv6, next_header)
#endif

// RFC 6040, section 4.2, figure 4: what the inner frame leaves with.
//
//   inner \ outer | Not-ECT  ECT(0)  ECT(1)  CE
//   Not-ECT       | Not-ECT  Not-ECT Not-ECT drop
//   ECT(0)        | ECT(0)   ECT(0)  ECT(1)  CE
//   ECT(1)        | ECT(1)   ECT(1)  ECT(1)  CE
//   CE            | CE       CE      CE      CE
//
// A frame that is not IP has no ECN field and never made an outer header ECN-capable: nothing to do.
control CombineEcn(inout headers_t hdr, inout metadata_t meta) {
    // Congestion was marked, and no mark may reach a transport that is not ECN-capable.
    @hidden
    action refuse() {
        meta.ecn_refused = 1;
    }

    // `add` keeps the checksum right (RFC 1624): the old mark less the new in ones' complement, with its carry.
    @hidden
    action mark_ipv4(bit<2> mark, bit<16> add) {
        hdr.inner_ipv4.ecn = mark;
        hdr.inner_ipv4.checksum = hdr.inner_ipv4.checksum + add;
    }

    @hidden
    action mark_ipv6(bit<2> mark) {
        hdr.inner_ipv6.ecn = mark;
    }

    @hidden
    action leave() {}

    @hidden
    table combine_ecn {
        key = {
            OUTER_ECN(hdr, meta) : ternary;
            hdr.inner_ipv4.isValid() : ternary;
            hdr.inner_ipv4.ecn : ternary;
            hdr.inner_ipv4.checksum : ternary;
            hdr.inner_ipv6.isValid() : ternary;
            hdr.inner_ipv6.ecn : ternary;
        }
        actions = {
            refuse;
            mark_ipv4;
            mark_ipv6;
            leave;
        }
        const entries = {
            (ECN_CE, true, ECN_NOT_ECT, _, _, _) : refuse();
            (ECN_CE, _, _, _, true, ECN_NOT_ECT) : refuse();
            // One more in the field is one less in the checksum; 0 and 0xffff are both zero.
            (ECN_CE, true, ECN_ECT_0, 0, _, _) : mark_ipv4(ECN_CE, 0xfffe);
            (ECN_CE, true, ECN_ECT_0, _, _, _) : mark_ipv4(ECN_CE, 0xffff);
            (ECN_CE, true, ECN_ECT_1, 0 &&& 0xfffe, _, _) : mark_ipv4(ECN_CE, 0xfffd);
            (ECN_CE, true, ECN_ECT_1, _, _, _) : mark_ipv4(ECN_CE, 0xfffe);
            (ECN_ECT_1, true, ECN_ECT_0, 0xfffe &&& 0xfffe, _, _) : mark_ipv4(ECN_ECT_1, 2);
            (ECN_ECT_1, true, ECN_ECT_0, _, _, _) : mark_ipv4(ECN_ECT_1, 1);
            (ECN_CE, _, _, _, true, _) : mark_ipv6(ECN_CE);
            (ECN_ECT_1, _, _, _, true, ECN_ECT_0) : mark_ipv6(ECN_ECT_1);
        }
        const default_action = leave();
    }

    apply {
        combine_ecn.apply();
    }
}

// The outer lengths against each other, as saturating differences: hardware compares a field with a constant only.
control CheckOuterLengths(in headers_t hdr, inout metadata_t meta) {
    @hidden
    action measure() {
        meta.short_by = MIN_VXLAN_UDP_BYTES |-| hdr.udp_rest.total_bytes;
        meta.ipv4_bytes_wanted = hdr.udp_rest.total_bytes |+| IPV4_BYTES;
    }

    @hidden
    action compare() {
        meta.udp_beyond = meta.ipv4_bytes_wanted |-| hdr.ipv4.total_bytes;
    }

#ifdef IPV6_UNDERLAY
    @hidden
    action compare_ipv6() {
        meta.udp_beyond = hdr.udp_rest.total_bytes |-| hdr.ipv6.payload_bytes;
    }
#endif

    apply {
        measure();
#ifdef IPV6_UNDERLAY
        if (hdr.ipv6.isValid()) {
            compare_ipv6();
        } else {
            compare();
        }
#else
        compare();
#endif
    }
}

control Decapsulate(inout headers_t hdr, inout metadata_t meta) {
    // The inner frame becomes the frame. Of the outer headers nothing stays.
    @hidden
    action take_inner_frame(bit<16> less_outer) {
        meta.path = path_t.BRIDGE;
        meta.bd = meta.vni_bd;
        meta.in_location = meta.peer_location;
        meta.src_mac = hdr.inner_ethernet.src;
        meta.dst_mac = hdr.inner_ethernet.dst;
        meta.frame_bytes = meta.frame_bytes + less_outer;
        TAKE_INNER_HEADERS(hdr)
    }

    @hidden
    action refuse(drop_reason_t reason) {
        meta.drop_reason = reason;
    }

    // The outer UDP checksum is not looked at: zero must be accepted, and whether another is right may be left open (RFC 7348, section 5;
    // over IPv6, RFC 6935, section 5). What RFC 6936, section 5, asks for instead is asked: both addresses and the port are those of a
    // tunnel. The parser goes on to VXLAN with whole packets only.
    @hidden
    table judge_vxlan {
        key = {
#ifdef IPV6_UNDERLAY
            hdr.ipv6.isValid() : ternary;
            hdr.ipv6.next_header : ternary;
#endif
            hdr.ipv4.more_fragments : ternary;
            hdr.ipv4.fragment_offset : ternary;
            meta.to_vxlan_port : ternary;
            hdr.vxlan.isValid() : ternary;
            hdr.inner_ethernet.isValid() : ternary;
            meta.too_short : ternary;
            meta.short_by : ternary;
            meta.udp_beyond : ternary;
            hdr.vxlan.flags : ternary;
            meta.peer_location : ternary;
            meta.vni_known : ternary;
            hdr.inner_ethernet.ether_type : ternary;
            meta.ecn_refused : ternary;
        }
        actions = {
            refuse;
            take_inner_frame;
        }
        const entries = {
#ifdef IPV6_UNDERLAY
            (true, PROTOCOL_FRAGMENT, _, _, 0, _, _, _, _, _, _, _, _, _, _) : refuse(drop_reason_t.OUTER_FRAGMENT);
            (true, _, _, _, 0, _, _, _, _, _, _, _, _, _, _) : refuse(drop_reason_t.NOT_VXLAN);
#endif
            (OF_IPV6(_, _) 1, _, 0, _, _, _, _, _, _, _, _, _, _) : refuse(drop_reason_t.OUTER_FRAGMENT);
            (OF_IPV6(_, _) _, 0, 0, _, _, _, _, _, _, _, _, _, _) : refuse(drop_reason_t.NOT_VXLAN);
            (OF_IPV6(_, _) _, _, 0, _, _, _, _, _, _, _, _, _, _) : refuse(drop_reason_t.OUTER_FRAGMENT);
            (OF_IPV6(_, _) _, _, _, false, _, _, _, _, _, _, _, _, _) : refuse(drop_reason_t.VXLAN_TOO_SHORT);
            (OF_IPV6(_, _) _, _, _, _, false, _, _, _, _, _, _, _, _) : refuse(drop_reason_t.VXLAN_TOO_SHORT);
            (OF_IPV6(_, _) _, _, _, _, _, 1, _, _, _, _, _, _, _) : refuse(drop_reason_t.VXLAN_TOO_SHORT);
            // Lengths that agree, and the I flag.
            (OF_IPV6(_, _) _, _, _, _, _, _, 0, 0, VXLAN_I_FLAG &&& VXLAN_I_FLAG, 0, _, _, _) : refuse(drop_reason_t.UNKNOWN_PEER);
            (OF_IPV6(_, _) _, _, _, _, _, _, 0, 0, VXLAN_I_FLAG &&& VXLAN_I_FLAG, _, 0, _, _) : refuse(drop_reason_t.UNKNOWN_VNI);
            (OF_IPV6(_, _) _, _, _, _, _, _, 0, 0, VXLAN_I_FLAG &&& VXLAN_I_FLAG, _, _, ETHERTYPE_VLAN, _) : refuse(drop_reason_t.INNER_TAG);
            (OF_IPV6(_, _) _, _, _, _, _, _, 0, 0, VXLAN_I_FLAG &&& VXLAN_I_FLAG, _, _, ETHERTYPE_SERVICE_VLAN, _) : refuse(drop_reason_t.INNER_TAG);
            (OF_IPV6(_, _) _, _, _, _, _, _, 0, 0, VXLAN_I_FLAG &&& VXLAN_I_FLAG, _, _, _, 1) : refuse(drop_reason_t.ECN_NOT_CAPABLE);
#ifdef IPV6_UNDERLAY
            (true, _, _, _, _, _, _, _, 0, 0, VXLAN_I_FLAG &&& VXLAN_I_FLAG, _, _, _, _) : take_inner_frame(LESS_OUTER_IPV6);
#endif
            (OF_IPV6(_, _) _, _, _, _, _, _, 0, 0, VXLAN_I_FLAG &&& VXLAN_I_FLAG, _, _, _, _) : take_inner_frame(LESS_OUTER);
            (OF_IPV6(_, _) _, _, _, _, _, _, 0, 0, _, _, _, _, _) : refuse(drop_reason_t.VXLAN_FLAGS);
        }
        const default_action = refuse(drop_reason_t.VXLAN_TOO_SHORT);
    }

    apply {
#ifdef IPV6_UNDERLAY
        if (hdr.ipv6.isValid()) {
            if (SHORTER_THAN_IPV6(hdr.ipv6, meta.frame_bytes)) {
                meta.too_short = 1;
            }
        } else if (SHORTER_THAN(hdr.ipv4, meta.frame_bytes)) {
#else
        if (SHORTER_THAN(hdr.ipv4, meta.frame_bytes)) {
#endif
            meta.too_short = 1;
        }
        judge_vxlan.apply();
    }
}

#endif
