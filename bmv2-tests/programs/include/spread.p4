// What programs about selectors have in common: a table that spreads flows over actions.

header h_t {
    bit<8> a;
    bit<16> flow;
    bit<8> chosen;
    bit<80> padding;
}

struct headers_t {
    h_t h;
}

#define OWN_INGRESS
control ingress(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    action_selector(HashAlgorithm.identity, 16, 16) spread;

    action out_of(bit<9> port, bit<8> mark) {
        standard.egress_spec = port;
        hdr.h.chosen = mark;
    }

    table forward {
        key = {
            hdr.h.a: exact;
            hdr.h.flow: selector;
        }
        actions = { out_of; NoAction; }
        default_action = NoAction;
        implementation = spread;
    }

    apply {
        standard.egress_spec = 9;
        forward.apply();
    }
}
