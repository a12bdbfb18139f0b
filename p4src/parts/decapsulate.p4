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

const bit<16> OUTER_BYTES = ETHERNET_BYTES + IPV4_BYTES + UDP_BYTES + VXLAN_BYTES;
const bit<16> MIN_VXLAN_UDP_BYTES = UDP_BYTES + VXLAN_BYTES + ETHERNET_BYTES;

// RFC 6040, section 4.2, figure 4. `inner` becomes what the frame leaves with; `refused` is set where no mark may
// reach a transport that is not ECN-capable.
//
//   inner \ outer | Not-ECT  ECT(0)  ECT(1)  CE
//   Not-ECT       | Not-ECT  Not-ECT Not-ECT drop
//   ECT(0)        | ECT(0)   ECT(0)  ECT(1)  CE
//   ECT(1)        | ECT(1)   ECT(1)  ECT(1)  CE
//   CE            | CE       CE      CE      CE
//
// `change` is what was added to the 16-bit word that ends in the field, in ones' complement, for the IPv4 checksum.
control CombineEcn(in bit<2> outer, inout bit<2> inner, out bit<16> change, out bit<1> refused) {
    apply {
        change = 0;
        refused = 0;
        if (outer == ECN_CE) {
            if (inner == ECN_NOT_ECT) {
                refused = 1;
            } else {
                change = (bit<16>) (ECN_CE - inner);
                inner = ECN_CE;
            }
        } else if (outer == ECN_ECT_1 && inner == ECN_ECT_0) {
            // One less: -1 in ones' complement.
            change = 0xfffe;
            inner = ECN_ECT_1;
        }
    }
}

control Decapsulate(inout headers_t hdr, inout metadata_t meta) {
    CombineEcn() combine_ecn;

    // The peer behind this source address; its tunnel is where the frame came in.
    @name(".underlay_peer.from_tunnel")
    action from_tunnel(location_t location) {
        meta.in_location = location;
    }

    // Anybody can write a VXLAN header. Only configured peers are believed (RFC 7348, section 7).
    @name(".underlay_peer.unknown_peer")
    action unknown_peer() {
        meta.drop_reason = drop_reason_t.UNKNOWN_PEER;
    }

    @name(".underlay_peer")
    table underlay_peer {
        key = {
            hdr.ipv4.src : exact @name("src");
        }
        actions = {
            from_tunnel;
            @defaultonly unknown_peer;
        }
        const default_action = unknown_peer();
        size = 4096;
    }

    @name(".vni_to_bd.bridge")
    action bridge(bd_t bd) {
        meta.bd = bd;
    }

    // RFC 7348, section 4.1: a frame is delivered only within its VNI; one that we do not serve has no receiver here.
    @name(".vni_to_bd.unknown_vni")
    action unknown_vni() {
        meta.drop_reason = drop_reason_t.UNKNOWN_VNI;
    }

    @name(".vni_to_bd")
    table vni_to_bd {
        key = {
            hdr.vxlan.vni : exact @name("vni");
        }
        actions = {
            bridge;
            @defaultonly unknown_vni;
        }
        const default_action = unknown_vni();
        size = 16384;
    }

    // The inner frame becomes the frame. An assignment carries validity with it, so of the outer headers nothing stays.
    @hidden
    action take_inner_frame() {
        hdr.ethernet = hdr.inner_ethernet;
        hdr.ipv4 = hdr.inner_ipv4;
        hdr.ipv6 = hdr.inner_ipv6;
        hdr.l4 = hdr.inner_l4;
        hdr.udp_rest.setInvalid();
        hdr.vxlan.setInvalid();
        hdr.inner_ethernet.setInvalid();
        hdr.inner_ipv4.setInvalid();
        hdr.inner_ipv6.setInvalid();
        hdr.inner_l4.setInvalid();
        meta.frame_bytes = meta.frame_bytes - OUTER_BYTES;
    }

    apply {
        // The outer UDP checksum is not looked at: any is acceptable (RFC 7348, section 5).
        if (hdr.ipv4.more_fragments == 1 || hdr.ipv4.fragment_offset != 0) {
            meta.drop_reason = drop_reason_t.OUTER_FRAGMENT;
        } else if (hdr.ipv4.protocol != PROTOCOL_UDP || meta.to_vxlan_port == 0) {
            meta.drop_reason = drop_reason_t.NOT_VXLAN;
        } else if (!hdr.vxlan.isValid() || !hdr.inner_ethernet.isValid()) {
            meta.drop_reason = drop_reason_t.VXLAN_TOO_SHORT;
        } else if (hdr.udp_rest.total_bytes < MIN_VXLAN_UDP_BYTES
                   || hdr.ipv4.total_bytes < IPV4_BYTES + MIN_VXLAN_UDP_BYTES
                   || hdr.udp_rest.total_bytes > hdr.ipv4.total_bytes - IPV4_BYTES
                   || hdr.ipv4.total_bytes > meta.frame_bytes - ETHERNET_BYTES) {
            meta.drop_reason = drop_reason_t.VXLAN_TOO_SHORT;
        } else if (hdr.vxlan.flags & VXLAN_I_FLAG == 0) {
            meta.drop_reason = drop_reason_t.VXLAN_FLAGS;
        } else if (underlay_peer.apply().hit) {
            if (vni_to_bd.apply().hit) {
                // A frame that is not IP has no ECN field and never made an outer header ECN-capable: nothing to do.
                bit<1> refused = 0;
                bit<16> change = 0;
                if (hdr.inner_ipv4.isValid()) {
                    combine_ecn.apply(hdr.ipv4.ecn, hdr.inner_ipv4.ecn, change, refused);
                    if (change != 0) {
                        hdr.inner_ipv4.checksum = updated_checksum(hdr.inner_ipv4.checksum, change);
                    }
                } else if (hdr.inner_ipv6.isValid()) {
                    combine_ecn.apply(hdr.ipv4.ecn, hdr.inner_ipv6.ecn, change, refused);
                }

                if (hdr.inner_ethernet.ether_type == ETHERTYPE_VLAN
                    || hdr.inner_ethernet.ether_type == ETHERTYPE_SERVICE_VLAN) {
                    meta.drop_reason = drop_reason_t.INNER_TAG;
                } else if (refused == 1) {
                    meta.drop_reason = drop_reason_t.ECN_NOT_CAPABLE;
                } else {
                    take_inner_frame();
                }
            }
        }
    }
}

#endif
