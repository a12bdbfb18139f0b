// SPDX-License-Identifier: Apache-2.0
//
// Where does the frame go? By (bridge domain, destination MAC), else to the bridge domain's flood group.

#ifndef VOUCH_DESTINATION_P4
#define VOUCH_DESTINATION_P4

control LookUpDestination(inout metadata_t meta) {
    // An access interface, or a tunnel for what did not come from a tunnel.
    @name(".destination.unicast")
    action unicast(location_t location) {
        meta.forwarding = forwarding_t.UNICAST;
        meta.out_location = location;
        meta.back = location ^ meta.in_location;
    }

    // As `unicast`, and from tunnel to tunnel as well: the host has just moved on, and not every VTEP knows yet.
    @name(".destination.unicast_hairpin")
    action unicast_hairpin(location_t location) {
        meta.forwarding = forwarding_t.HAIRPIN;
        meta.out_location = location;
        meta.back = location ^ meta.in_location;
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
        meta.back = owner_location ^ meta.in_location;
        meta.back_to_claim = claim_location ^ meta.in_location;
    }

    // Our probe address: the controller, and nobody else, whatever the source check said of the sender.
    @name(".destination.probe_reply")
    action probe_reply() {
        meta.forwarding = forwarding_t.PROBE_REPLY;
    }

    // Unknown, broadcast or multicast: flood.
    @name(".destination.unknown")
    action unknown() {
        meta.forwarding = forwarding_t.FLOOD;
    }

    @name(".destination")
    table destination {
        key = {
            meta.bd : exact @name("bd");
            meta.dst_mac : exact @name("mac");
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
        size = HOSTS;
    }

    // Every access interface of the bridge domain and every peer that serves its VNI (head-end replication).
    @name(".flood.flood_to")
    action flood_to(group_t group) {
        meta.flood_group = group;
    }

    @name(".flood.no_flood_group")
    action no_flood_group() {
        meta.flood_group = 0;
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
        size = BRIDGE_DOMAINS;
    }

    apply {
        destination.apply();
        flood.apply();
    }
}

// What follows from the lookups, and from where the frame came in.
control JudgeDestination(inout metadata_t meta) {
    @hidden
    action deliver() {}

    @hidden
    action flood_frame() {
        meta.group = meta.flood_group;
        meta.flooded = 1;
    }

    @hidden
    action deliver_to_claimant() {
        meta.out_location = meta.claim_location;
    }

    @hidden
    action undeliverable(drop_reason_t reason) {
        meta.undeliverable = reason;
        meta.group = 0;
    }

    @hidden
    table judge_destination {
        key = {
            meta.forwarding : ternary;
            meta.back : ternary;
            meta.back_to_claim : ternary;
            meta.in_location : ternary;
            meta.out_location : ternary;
            meta.flood_group : ternary;
        }
        actions = {
            deliver;
            flood_frame;
            deliver_to_claimant;
            undeliverable;
        }
        const entries = {
            //                     back claim from    to      group
            (forwarding_t.FLOOD,   _,   _,    _,      _,      0) : undeliverable(drop_reason_t.NO_FLOOD_GROUP);
            (forwarding_t.FLOOD,   _,   _,    _,      _,      _) : flood_frame();
            (forwarding_t.CLAIMED, 0,   0,    _,      _,      _) : undeliverable(drop_reason_t.BACK_TO_ORIGIN);
            (forwarding_t.CLAIMED, 0,   _,    _,      _,      _) : deliver_to_claimant();
            (forwarding_t.UNICAST, 0,   _,    _,      _,      _) : undeliverable(drop_reason_t.BACK_TO_ORIGIN);
            (forwarding_t.HAIRPIN, 0,   _,    _,      _,      _) : undeliverable(drop_reason_t.BACK_TO_ORIGIN);
            (forwarding_t.UNICAST, _,   _,    TUNNEL, TUNNEL, _) : undeliverable(drop_reason_t.TUNNEL_TO_TUNNEL);
        }
        const default_action = deliver();
    }

    apply {
        judge_destination.apply();
    }
}

// The port that leads to a location: an access interface's own, or the underlay port towards the peer. Whatever the underlay
// knows of the packet that a frame came in is of no account.
control FindPort(inout metadata_t meta) {
    @name(".location_port.port")
    action to_port(port_t port) {
        meta.out_port = port;
#ifdef NEXT_HOPS
        meta.hop_group = 0;
#endif
    }

#ifdef NEXT_HOPS
    // One of several next hops towards the peer, by flow.
    @name(".location_port.balance")
    action balance(hop_group_t group) {
        meta.hop_group = group;
    }
#endif

    @name(".location_port.no_port")
    action no_port() {
        meta.no_way = drop_reason_t.NO_LOCATION_PORT;
#ifdef NEXT_HOPS
        meta.hop_group = 0;
#endif
    }

    @name(".location_port")
    table location_port {
        key = {
            meta.out_location : exact @name("location");
        }
        actions = {
            to_port;
#ifdef NEXT_HOPS
            balance;
#endif
            @defaultonly no_port;
        }
        const default_action = no_port();
        size = LOCATIONS;
    }

    apply {
        location_port.apply();
    }
}

#endif
