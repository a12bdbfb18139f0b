// SPDX-License-Identifier: Apache-2.0
//
// Several next hops that share what goes one way: each flow keeps to one of them.
//
// A group has 64 buckets, and each flow a bucket. `next_hop` says which neighbour has a bucket, so that the controller can take a
// neighbour out by rewriting its own buckets: flows of others stay where they are. Ingress chooses the port; what the neighbour's
// link has for addresses is only asked in egress, so that no frame waits for it. Replicas have their port from their group, and
// take no part in this.

#ifndef VOUCH_NEXT_HOP_P4
#define VOUCH_NEXT_HOP_P4

// The bucket of the flow: what FlowEntropy goes by, by another polynomial. CRC-16 puts neighbouring ports into half of the buckets;
// and whoever routes the packet further on finds its flows evenly spread in the source port that FlowEntropy has made.
control FlowBucket(in headers_t hdr, inout metadata_t meta) {
    BUCKET_HASH_UNIT(ipv4_hash)
    BUCKET_HASH_UNIT(ipv6_hash)
    BUCKET_HASH_UNIT(ethernet_hash)

    apply {
        bit<32> ports = 0;
        if (hdr.l4.isValid()) {
            ports = hdr.l4.src ++ hdr.l4.dst;
        }
        if (hdr.ipv4.isValid()) {
            BUCKET_HASH(ipv4_hash, meta.bucket, { hdr.ipv4.src, hdr.ipv4.dst, hdr.ipv4.protocol, ports })
        } else if (hdr.ipv6.isValid()) {
            BUCKET_HASH(ipv6_hash, meta.bucket, { hdr.ipv6.src, hdr.ipv6.dst, hdr.ipv6.next_header, ports })
        } else {
            BUCKET_HASH(ethernet_hash, meta.bucket, { hdr.ethernet.src, hdr.ethernet.dst, hdr.ethernet.ether_type })
        }
    }
}

control ChooseNextHop(inout metadata_t meta) {
    @name(".next_hop.via")
    action via(port_t port, neighbour_t neighbour) {
        meta.out_port = port;
        meta.neighbour = neighbour;
    }

    // No neighbour of the group is there.
    @name(".next_hop.no_next_hop")
    action no_next_hop() {
        meta.no_way = drop_reason_t.NO_NEXT_HOP;
    }

    @name(".next_hop")
    table next_hop {
        key = {
            meta.hop_group : exact @name("group");
            meta.bucket : exact @name("bucket");
        }
        actions = {
            via;
            @defaultonly no_next_hop;
        }
        const default_action = no_next_hop();
        size = HOP_GROUPS * 64;
    }

    apply {
        next_hop.apply();
    }
}

// The addresses of the link to the neighbour.
control FindNeighbour(inout metadata_t meta) {
    @name(".neighbour.link")
    action link(mac_t src_mac, mac_t dst_mac) {
        meta.next_hop_src = src_mac;
        meta.next_hop_dst = dst_mac;
    }

    @name(".neighbour.gone")
    action gone() {
        meta.drop_reason = drop_reason_t.NO_NEXT_HOP;
    }

    @name(".neighbour")
    table neighbour {
        key = {
            meta.neighbour : exact @name("neighbour");
        }
        actions = {
            link;
            @defaultonly gone;
        }
        const default_action = gone();
        size = NEIGHBOURS;
    }

    apply {
        neighbour.apply();
    }
}

#endif
