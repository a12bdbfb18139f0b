// Parameters of actions: in, out and inout, which the program gives, and data, which an entry gives, of narrow, odd and wide widths.
//
// An out parameter is copied back when the action ends: aliases of one field see each other's old values until then.

#include "../include/common.p4"

header h_t {
    bit<8> op;
    bit<8> a;
    bit<8> b;
    bit<7> odd;
    bool flag;
    bit<96> wide;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action exchange(inout bit<8> one, inout bit<8> other) {
        bit<8> kept = one;
        one = other;
        other = kept;
    }

    action add_twice(in bit<8> what, inout bit<8> to, out bit<8> last) {
        last = what;
        to = to + what;
        to = to + what;
    }

    action write(bit<8> b, bit<7> odd, bit<1> flag, bit<96> wide) {
        hdr.h.b = b;
        hdr.h.odd = odd;
        hdr.h.flag = (bool)flag;
        hdr.h.wide = wide;
    }

    table data {
        key = {
            hdr.h.a: exact;
        }
        actions = { write; NoAction; }
        default_action = NoAction;
    }

    apply {
        standard.egress_spec = 2;
        if (hdr.h.op == 0) {
            exchange(hdr.h.a, hdr.h.b);
        } else if (hdr.h.op == 1) {
            add_twice(hdr.h.a, hdr.h.a, hdr.h.b);
        } else {
            data.apply();
        }
    }
}

#include "../include/pipeline.p4"
