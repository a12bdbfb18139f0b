// SPDX-License-Identifier: Apache-2.0
//
// How much a place may say to the controller, and what is counted. The top declares the counters of drops, `drops` in
// ingress and `egress_drops` in egress, by drop_reason_t; replicas that are pruned are not among them.

#ifndef VOUCH_PUNT_P4
#define VOUCH_PUNT_P4

// A budget of a place: punt_reason_t (its low 3 bits: 0, which NONE does not need, is NEIGHBOUR's) ++ tunnel or access interface (1 bit) ++ the low PLACE_BITS of its number.
#define PUNT_BUDGETS (16 << PLACE_BITS)

// Takes `punt_reason` away where the budget is used up, and where what was to be sent was not. The latter depends on more than
// the former, and so comes late enough for hardware that has to be quick.
control Punt(inout metadata_t meta) {
    // Every copy, or frame for the controller only, that was over a budget: what an answer was not heard for.
    PLACE_COUNTER(policed_punts, ".policed_punts", PUNT_BUDGETS)

    // Nobody pays for another's flood: neither another tenant of the same trunk, nor one reason for another.
    PLACE_METER(punt_meter, ".punt_meter", PUNT_BUDGETS)

    apply {
        if (meta.punt_reason == punt_reason_t.SENT) {
            if (meta.drop_reason != drop_reason_t.NONE) {
                // Nothing was sent, so nobody is told so.
                meta.punt_reason = punt_reason_t.NONE;
            }
        } else if (meta.punt_reason != punt_reason_t.NONE) {
            colour_t colour = 0;
            bit<8> budget = (bit<8>) meta.budget;
            EXECUTE_METER(punt_meter, budget[2:0] ++ meta.in_location[15:15] ++ meta.in_location[PLACE_BITS - 1:0], colour)
            if (colour == METER_RED) {
                COUNT_AT(policed_punts, budget[2:0] ++ meta.in_location[15:15] ++ meta.in_location[PLACE_BITS - 1:0])
                meta.punt_reason = punt_reason_t.NONE;
            }
        }
    }
}

#endif
