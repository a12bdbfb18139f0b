// An action selector whose actions watch ports, one of which is down when the entry is written.
//
// An action that watches a port is not chosen while the port is down, and its share falls to the others, however heavy it is.
// BMv2's P4Runtime server looks at the ports when an entry is written. Of a change afterwards it learns in a thread of its own,
// so that packets may come before, and where no action is left BMv2 ends: see `watch_changes`.

#include "../include/common.p4"
#include "../include/spread.p4"
#include "../include/pipeline.p4"
