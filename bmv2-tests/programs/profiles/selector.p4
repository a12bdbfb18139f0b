// An action selector: an entry has several actions, and a hash of the selector fields says which.
//
// Equal selector fields give equal choices, and an action of weight 3 is chosen three times as often as one of weight 1. Which
// value leads to which action differs, so the test has every remainder once and counts.

#include "../include/common.p4"
#include "../include/spread.p4"
#include "../include/pipeline.p4"
