// `log_msg` without values, with one, and with several.
//
// BMv2 puts the values into the text at `{}` and logs it. A packet shows only that its values are read when the message is
// logged and that nothing of it changes. (BMv2 overlooks a `{}` at the very start, misses it later, and ends its process.)

#include "../include/common.p4"

header h_t {
    bit<8> a;
    bit<16> b;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply {
        log_msg("it came");
        hdr.h.a = hdr.h.a + 1;
        log_msg("a is {}", { hdr.h.a });
        log_msg("sum of {} and {}: {}", { hdr.h.a, hdr.h.b, (bit<16>)hdr.h.a + hdr.h.b });
        hdr.h.b = 0;
        standard.egress_spec = 2;
    }
}

#include "../include/pipeline.p4"
