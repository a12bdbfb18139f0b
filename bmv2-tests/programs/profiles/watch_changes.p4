// An action selector whose actions watch ports that go down and come up.
//
// An action falls out when the port goes down, and comes back with its share when it comes up, without anything being
// written. The port is another than the one that the action sends to, which need not be the same. Where no action is left,
// the table hits and nothing runs.

#include "../include/common.p4"
#include "../include/spread.p4"
#include "../include/pipeline.p4"
