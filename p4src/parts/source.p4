// SPDX-License-Identifier: Apache-2.0
//
// Is the sender where the table says it is? Asked of every frame from an access interface, and only there: frames from
// tunnels teach nothing, the controllers tell each other.
//
// `source` knows a host at one particular place; it holds the place where the host is, and each place that claims it.
// `recorded_location` knows the host's one place and is asked when `source` has nothing. Nothing is decided here: what
// disagrees goes to the controller.

#ifndef VOUCH_SOURCE_P4
#define VOUCH_SOURCE_P4

control CheckSource(inout headers_t hdr, inout metadata_t meta) {
    // Evidence that a host is alive at a place, for the controller to read.
    DIRECT_COUNTER(source_counter, ".source_counter")

    // The host is recorded here. `watch`: a verification of the host runs, every frame is evidence and a policed copy
    // goes to the controller. `learn_addresses`: its IP addresses are still wanted, so ARP and ND go there as copies.
    @name(".source.here")
    action here(bit<1> watch, bit<1> learn_addresses) {
        COUNT(source_counter)
        meta.recorded = meta.in_location;
        if (watch == 1) {
            meta.punt_reason = punt_reason_t.ALIVE;
        } else if (learn_addresses == 1 && meta.announcement == 1) {
            meta.punt_reason = punt_reason_t.LEARN;
        }
    }

    // The controller knows that the host was heard here and is verifying it: no second punt. Announcements must not
    // spread before the verdict; data frames do as the VNI's policy says.
    @name(".source.claim_pending")
    action claim_pending(bit<1> forward) {
        COUNT(source_counter)
        if (meta.announcement == 1) {
            meta.withheld = drop_reason_t.CLAIM_HELD;
        } else if (forward == 0) {
            meta.withheld = drop_reason_t.CLAIM_DATA;
        }
    }

    // Repeated refused claims: this place may not speak for the host at all.
    @name(".source.quarantined")
    action quarantined() {
        COUNT(source_counter)
        meta.drop_reason = drop_reason_t.QUARANTINED;
    }

    // Not at this place; `recorded_location` says whether anywhere.
    @name(".source.not_here")
    action not_here() {}

    @name(".source")
    table source {
        key = {
            meta.bd : exact @name("bd");
            hdr.ethernet.src : exact @name("mac");
            meta.in_location : exact @name("location");
        }
        actions = {
            here;
            claim_pending;
            quarantined;
            @defaultonly not_here;
        }
        const default_action = not_here();
        COUNTERS(source_counter)
        IDLE_TIMEOUT
        size = 262144;
    }

    // The host is somewhere else, and its claim to be here is new: the controller must hear of it. `forward`: whether
    // data frames travel on meanwhile.
    @name(".recorded_location.recorded")
    action recorded(location_t location, bit<1> forward) {
        meta.recorded = location;
        // Equal only for the moment between the two writes that record a host here: then there is nothing to punt.
        if (location != meta.in_location) {
            meta.punt_reason = punt_reason_t.MOVE;
            if (meta.announcement == 1) {
                // Held: it would turn other hosts' and switches' heads before the verdict. The controller has it.
                meta.punt_exclusive = 1;
            } else if (forward == 0) {
                meta.withheld = drop_reason_t.CLAIM_DATA;
            }
        }
    }

    // Nobody knows the host: the controller gets a copy to learn from, the frame goes its way.
    @name(".recorded_location.learn")
    action learn() {
        meta.punt_reason = punt_reason_t.LEARN;
    }

    @name(".recorded_location")
    table recorded_location {
        key = {
            meta.bd : exact @name("bd");
            hdr.ethernet.src : exact @name("mac");
        }
        actions = {
            recorded;
            @defaultonly learn;
        }
        const default_action = learn();
        size = 131072;
    }

    apply {
        if (hdr.arp.isValid()) {
            meta.announcement = 1;
        } else if (hdr.icmpv6.isValid()) {
            if (hdr.icmpv6.message_type == ICMPV6_NEIGHBOUR_SOLICITATION
                || hdr.icmpv6.message_type == ICMPV6_NEIGHBOUR_ADVERTISEMENT) {
                meta.announcement = 1;
            }
        }
        if (source.apply().miss) {
            recorded_location.apply();
        }
    }
}

#endif
