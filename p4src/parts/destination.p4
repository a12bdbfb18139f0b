// SPDX-License-Identifier: Apache-2.0
//
// Where does the frame go? By (bridge domain, destination MAC), else to the bridge domain's flood group.

#ifndef VOUCH_DESTINATION_P4
#define VOUCH_DESTINATION_P4

control FindDestination(inout headers_t hdr, inout metadata_t meta) {
    // An access interface, or a tunnel for what did not come from a tunnel.
    @name(".destination.unicast")
    action unicast(location_t location) {
        meta.forwarding = forwarding_t.UNICAST;
        meta.out_location = location;
    }

    // As `unicast`, and from tunnel to tunnel as well: the host has just moved on, and not every VTEP knows yet.
    @name(".destination.unicast_hairpin")
    action unicast_hairpin(location_t location) {
        meta.forwarding = forwarding_t.HAIRPIN;
        meta.out_location = location;
    }

    // Recorded place and claimant at once. The group belongs to the pair of places and is shared by its hosts.
    @name(".destination.both")
    action both(group_t group) {
        meta.forwarding = forwarding_t.BOTH;
        meta.group = group;
    }

    // This VTEP is the claimant. From the owner's tunnel comes what the owner has already let go: to the claimed
    // place. Everything else goes to the owner, from tunnels too: an observer that was told early sends here.
    @name(".destination.claimed")
    action claimed(location_t claim_location, location_t owner_location) {
        meta.forwarding = forwarding_t.CLAIMED;
        meta.claim_location = claim_location;
        meta.out_location = owner_location;
    }

    // Our probe address: the controller, and nobody else, whatever the source check said of the sender.
    @name(".destination.probe_reply")
    action probe_reply() {
        meta.forwarding = forwarding_t.PROBE_REPLY;
    }

    // Unknown: flood.
    @name(".destination.unknown")
    action unknown() {
        meta.forwarding = forwarding_t.FLOOD;
    }

    @name(".destination")
    table destination {
        key = {
            meta.bd : exact @name("bd");
            hdr.ethernet.dst : exact @name("mac");
        }
        actions = {
            unicast;
            unicast_hairpin;
            both;
            claimed;
            probe_reply;
            @defaultonly unknown;
        }
        const default_action = unknown();
        size = 131072;
    }

    // Every access interface of the bridge domain and every peer that serves its VNI (head-end replication).
    @name(".flood.flood_to")
    action flood_to(group_t group) {
        meta.group = group;
        meta.flooded = 1;
    }

    @name(".flood.no_flood_group")
    action no_flood_group() {
        meta.drop_reason = drop_reason_t.NO_FLOOD_GROUP;
    }

    @name(".flood")
    table flood {
        key = {
            meta.bd : exact @name("bd");
        }
        actions = {
            flood_to;
            @defaultonly no_flood_group;
        }
        const default_action = no_flood_group();
        size = 16384;
    }

    apply {
        // The group bit: broadcast and multicast have no entry.
        if (hdr.ethernet.dst[40:40] == 0) {
            destination.apply();
        }

        if (meta.forwarding == forwarding_t.PROBE_REPLY) {
            // Somebody answers a probe. It outranks whatever the source check had to say: that would be news of a claim
            // that is being verified with this very probe.
            meta.punt_reason = punt_reason_t.PROBE_REPLY;
            meta.punt_exclusive = 1;
        } else if (meta.withheld != drop_reason_t.NONE) {
            meta.drop_reason = meta.withheld;
        } else if (meta.punt_exclusive == 1) {
            // Held for the controller: nowhere else.
        } else if (meta.forwarding == forwarding_t.FLOOD) {
            flood.apply();
        } else if (meta.forwarding == forwarding_t.CLAIMED) {
            if (meta.in_location == meta.out_location) {
                meta.out_location = meta.claim_location;
            }
            // The claimant's own frames to its own address.
            if (meta.in_location == meta.out_location) {
                meta.drop_reason = drop_reason_t.BACK_TO_ORIGIN;
            }
        } else if (meta.forwarding == forwarding_t.UNICAST || meta.forwarding == forwarding_t.HAIRPIN) {
            if (meta.in_location == meta.out_location) {
                meta.drop_reason = drop_reason_t.BACK_TO_ORIGIN;
            } else if (IS_TUNNEL(meta.in_location) && IS_TUNNEL(meta.out_location)
                       && meta.forwarding == forwarding_t.UNICAST) {
                meta.drop_reason = drop_reason_t.TUNNEL_TO_TUNNEL;
            }
        }
    }
}

// The port that leads to a location: an access interface's own, or the underlay port towards the peer.
control FindPort(inout metadata_t meta) {
    @name(".location_port.port")
    action to_port(port_t port) {
        meta.out_port = port;
    }

    @name(".location_port.no_port")
    action no_port() {
        meta.drop_reason = drop_reason_t.NO_LOCATION_PORT;
    }

    @name(".location_port")
    table location_port {
        key = {
            meta.out_location : exact @name("location");
        }
        actions = {
            to_port;
            @defaultonly no_port;
        }
        const default_action = no_port();
        size = 16384;
    }

    apply {
        location_port.apply();
    }
}

#endif
