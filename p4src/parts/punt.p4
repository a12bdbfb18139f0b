// SPDX-License-Identifier: Apache-2.0
//
// How much a port may say to the controller, and what is counted. The top declares the counters of drops, `drops` in
// ingress and `egress_drops` in egress, by drop_reason_t; replicas that are pruned are not among them.

#ifndef VOUCH_PUNT_P4
#define VOUCH_PUNT_P4

// Takes `punt_reason` away where the budget of port and reason is used up.
control Punt(inout metadata_t meta) {
    // By punt_reason_t: every copy, or frame for the controller only, that was over budget.
    COUNTER(policed_punts, ".policed_punts", PUNT_REASONS)

    // One port's flood costs no other port, and one reason's none of another: index = reason (3 bits) ++ port (9 bits).
    METER(punt_meter, ".punt_meter", 4096)

    apply {
        if (meta.punt_reason != punt_reason_t.NONE) {
            colour_t colour = 0;
            bit<8> reason = (bit<8>) meta.punt_reason;
            EXECUTE_METER(punt_meter, reason[2:0] ++ meta.ingress_port, colour)
            if (colour == METER_RED) {
                COUNT_AT(policed_punts, reason)
                meta.punt_reason = punt_reason_t.NONE;
            }
        }
    }
}

#endif
