// Entries that the program brings along: exact, prefixes, and masks and ranges in order or with priorities.
//
// Without priorities the first entry that matches wins. With them the largest number does, or the smallest if the program says
// so. Only entries that are not constant may have them.

#include "../include/common.p4"

header h_t {
    bit<8> a;
    bit<16> b;
    bit<8> by_exact;
    bit<8> by_prefix;
    bit<8> by_order;
    bit<8> by_smallest;
    bit<8> by_largest;
    bit<48> padding;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action exact_is(bit<8> value) {
        hdr.h.by_exact = value;
    }

    action prefix_is(bit<8> value) {
        hdr.h.by_prefix = value;
    }

    action order_is(bit<8> value) {
        hdr.h.by_order = value;
    }

    action smallest_is(bit<8> value) {
        hdr.h.by_smallest = value;
    }

    action largest_is(bit<8> value) {
        hdr.h.by_largest = value;
    }

    table by_exact {
        key = {
            hdr.h.a: exact;
        }
        actions = { exact_is; }
        const default_action = exact_is(0);
        const entries = {
            0x11: exact_is(1);
            0xff: exact_is(2);
        }
    }

    table by_prefix {
        key = {
            hdr.h.b: lpm;
        }
        actions = { prefix_is; }
        const default_action = prefix_is(0);
        const entries = {
            0x1200 &&& 0xff00: prefix_is(1);
            0x1230 &&& 0xfff0: prefix_is(2);
            _: prefix_is(3);
        }
    }

    table by_order {
        key = {
            hdr.h.a: ternary;
            hdr.h.b: range;
        }
        actions = { order_is; }
        const default_action = order_is(0);
        const entries = {
            (0x10 &&& 0xf0, 0x1000 .. 0x1fff): order_is(1);
            (0x11, _): order_is(2);
            (_, 0x1234): order_is(3);
        }
    }

    table by_smallest {
        key = {
            hdr.h.b: ternary;
        }
        actions = { smallest_is; }
        const default_action = smallest_is(0);
        largest_priority_wins = false;
        entries = {
            priority = 30: 0x1234: smallest_is(1);
            priority = 10: 0x1200 &&& 0xff00: smallest_is(2);
            priority = 20: _: smallest_is(3);
        }
    }

    table by_largest {
        key = {
            hdr.h.b: ternary;
        }
        actions = { largest_is; }
        const default_action = largest_is(0);
        entries = {
            priority = 10: 0x1200 &&& 0xff00: largest_is(2);
            priority = 30: 0x1234: largest_is(1);
            priority = 20: _: largest_is(3);
        }
    }

    apply {
        standard.egress_spec = 2;
        by_exact.apply();
        by_prefix.apply();
        by_order.apply();
        by_smallest.apply();
        by_largest.apply();
    }
}

#include "../include/pipeline.p4"
