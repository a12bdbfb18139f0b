// What each program of this corpus starts with.
//
// A program declares its headers and metadata after this, then the blocks that it is about, and ends with `pipeline.p4`, which
// brings the others. Frames start with the program's own header rather than with Ethernet: nothing but the program looks at
// them. They have at least 14 bytes, because Linux interfaces take no shorter ones.

#include <core.p4>
#include <v1model.p4>

// A program that has metadata of its own defines OWN_METADATA first.
#ifndef OWN_METADATA
struct metadata_t {}
#endif
