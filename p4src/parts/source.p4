// SPDX-License-Identifier: Apache-2.0
//
// Is the sender where the table says it is? Asked of every frame from an access interface, and only there: frames from
// tunnels teach nothing, the controllers tell each other.
//
// `source` knows a host at one particular place; it holds the place where the host is, and each place that claims it.
// `recorded_location` knows the host's one place, which counts when `source` has nothing. Nothing is decided here: what
// disagrees goes to the controller.

#ifndef VOUCH_SOURCE_P4
#define VOUCH_SOURCE_P4

control LookUpSource(inout metadata_t meta) {
    // Evidence that a host is alive at a place, for the controller to read.
    DIRECT_COUNTER(source_counter, ".source_counter")

    // The host is recorded here. `watch`: a verification of the host runs, every frame is evidence and a policed copy
    // goes to the controller.
    @name(".source.here")
    action here(bit<1> watch) {
        COUNT(source_counter)
        meta.standing = standing_t.HERE;
        meta.watch = watch;
    }

    // The controller knows that the host was heard here and is verifying it: no second punt. Announcements must not
    // spread before the verdict; what the host asks about others goes to the controller, so that it need not wait; data
    // frames do as the VNI's policy says.
    @name(".source.claim_pending")
    action claim_pending(bit<1> forward) {
        COUNT(source_counter)
        meta.standing = standing_t.CLAIMANT;
        meta.forward_claimant = forward;
    }

    // Repeated refused claims: this place may not speak for the host at all.
    @name(".source.quarantined")
    action quarantined() {
        COUNT(source_counter)
        meta.standing = standing_t.QUARANTINED;
    }

    // Not at this place; `recorded_location` says whether anywhere.
    @name(".source.not_here")
    action not_here() {
        meta.standing = standing_t.NOT_HERE;
    }

    @name(".source")
    table source {
        key = {
            meta.bd : exact @name("bd");
            meta.src_mac : exact @name("mac");
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
        size = SOURCES;
    }

    // The host's one place. `forward`: whether data frames from elsewhere travel on until the controller knows of them.
    @name(".recorded_location.recorded")
    action recorded(location_t location, bit<1> forward) {
        meta.recorded = location;
        meta.elsewhere = location ^ meta.in_location;
        meta.forward_stranger = forward;
    }

    // Nobody knows the host.
    @name(".recorded_location.learn")
    action learn() {
        meta.recorded = 0;
    }

    @name(".recorded_location")
    table recorded_location {
        key = {
            meta.bd : exact @name("bd");
            meta.src_mac : exact @name("mac");
        }
        actions = {
            recorded;
            @defaultonly learn;
        }
        const default_action = learn();
        size = HOSTS;
    }

    apply {
        source.apply();
        recorded_location.apply();
    }
}

// What follows from the lookups: of the source, and of the address that it announces.
control JudgeSource(inout metadata_t meta) {
    // A frame that is where it belongs: a copy, if there is a reason.
    @hidden
    action tell_here(punt_reason_t reason) {
        meta.punt_reason = reason;
        meta.budget = reason;
        meta.recorded = meta.in_location;
    }

    // The same, for the controller only.
    @hidden
    action hold_here(punt_reason_t reason) {
        meta.punt_reason = reason;
        meta.budget = reason;
        meta.recorded = meta.in_location;
        meta.punt_exclusive = 1;
    }

    // A stranger: a copy for the controller.
    @hidden
    action tell(punt_reason_t reason) {
        meta.punt_reason = reason;
        meta.budget = reason;
        meta.stranger = 1;
    }

    // The controller only. It would turn other hosts' and switches' heads before the verdict.
    @hidden
    action hold(punt_reason_t reason) {
        meta.punt_reason = reason;
        meta.budget = reason;
        meta.stranger = 1;
        meta.punt_exclusive = 1;
    }

    // A copy, and the frame itself waits for the verdict.
    @hidden
    action tell_and_withhold() {
        meta.punt_reason = punt_reason_t.MOVE;
        meta.budget = punt_reason_t.MOVE;
        meta.stranger = 1;
        meta.withheld = drop_reason_t.CLAIM_DATA;
    }

    // The controller knows already.
    @hidden
    action withhold(drop_reason_t reason) {
        meta.withheld = reason;
        meta.budget = punt_reason_t.MOVE;
        meta.stranger = 1;
        meta.recorded = 0;
    }

    @hidden
    action refuse() {
        meta.drop_reason = drop_reason_t.QUARANTINED;
    }

    @hidden
    action pass() {
        meta.budget = punt_reason_t.MOVE;
        meta.stranger = 1;
        meta.recorded = 0;
    }

    @hidden
    table judge_source {
        key = {
            meta.standing : ternary;
            meta.watch : ternary;
            meta.suppress : ternary;
            meta.forward_claimant : ternary;
            meta.recorded : ternary;
            meta.elsewhere : ternary;
            meta.forward_stranger : ternary;
            meta.announcement : ternary;
            meta.asks : ternary;
            meta.asks_all : ternary;
            meta.address : ternary;
        }
        actions = {
            tell_here;
            hold_here;
            tell;
            hold;
            tell_and_withhold;
            withhold;
            refuse;
            pass;
        }
        const entries = {
            //              watch suppress claimant recorded elsewhere stranger announcement asks all address
            // Another's address. The controller asks whose it is before anybody believes it.
            (standing_t.HERE, _, _, _, _, _, _, _, _, _, address_t.DISPUTED) : hold_here(punt_reason_t.BINDING);
            (standing_t.HERE, 1, _, _, _, _, _, _, _, _, _) : tell_here(punt_reason_t.ALIVE);
            // The controller answers, or floods it.
            (standing_t.HERE, _, 1, _, _, _, _, _, _, 1, _) : hold_here(punt_reason_t.REQUEST);
            (standing_t.HERE, _, _, _, _, _, _, _, _, _, address_t.NEWS) : tell_here(punt_reason_t.BINDING);
            (standing_t.HERE, _, _, _, _, _, _, _, _, _, _) : tell_here(punt_reason_t.NONE);
            // It would spread the claim; but a host that has really moved need not wait for its answer.
            (standing_t.CLAIMANT, _, _, _, _, _, _, _, 1, _, _) : hold(punt_reason_t.REQUEST);
            // If it has another address by now, it is asked for that.
            (standing_t.CLAIMANT, _, _, _, _, _, _, 1, _, _, address_t.NEWS) : hold(punt_reason_t.BINDING);
            (standing_t.CLAIMANT, _, _, _, _, _, _, 1, _, _, _) : withhold(drop_reason_t.CLAIM_HELD);
            (standing_t.CLAIMANT, _, _, 0, _, _, _, _, _, _, _) : withhold(drop_reason_t.CLAIM_DATA);
            (standing_t.CLAIMANT, _, _, _, _, _, _, _, _, _, _) : pass();
            (standing_t.QUARANTINED, _, _, _, _, _, _, _, _, _, _) : refuse();
            // Nobody knows the host: the controller gets a copy to learn from, the frame goes its way unless it takes
            // another's address.
            (_, _, _, _, 0, _, _, _, _, _, address_t.DISPUTED) : hold(punt_reason_t.BINDING);
            (_, _, _, _, 0, _, _, _, _, _, _) : tell(punt_reason_t.LEARN);
            // Only for the moment between the two writes that record a host here: it stands where it should.
            (_, _, _, _, _, 0, _, _, _, _, address_t.DISPUTED) : hold_here(punt_reason_t.BINDING);
            (_, _, _, _, _, 0, _, _, _, _, address_t.NEWS) : tell_here(punt_reason_t.BINDING);
            (_, _, _, _, _, 0, _, _, _, _, _) : tell_here(punt_reason_t.NONE);
            // Somewhere else, and its claim to be here is new: the controller must hear of it.
            (_, _, _, _, _, _, _, 1, _, _, _) : hold(punt_reason_t.MOVE);
            (_, _, _, _, _, _, 0, _, _, _, _) : tell_and_withhold();
            (_, _, _, _, _, _, _, _, _, _, _) : tell(punt_reason_t.MOVE);
        }
        const default_action = pass();
    }

    apply {
        judge_source.apply();
    }
}

#endif
