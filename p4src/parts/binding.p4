// SPDX-License-Identifier: Apache-2.0
//
// Whose is the address that a host announces? Asked of ARP and neighbour discovery from access interfaces that check
// bindings. What hosts believe of each other they have from these messages, so an address that is bound to one MAC is not
// announced for another before the controller has asked.
//
// The tables hold what the controller knows, one way or the other, and outlive it.

#ifndef VOUCH_BINDING_P4
#define VOUCH_BINDING_P4

// ff-ff-ff-ff-ff-ff, and the addresses of solicited-node groups (RFC 2464, section 7; RFC 4291, section 2.7.1).
#define BROADCAST 0xffffffffffff
#define SOLICITED_NODE 0x3333ff000000 &&& 0xffffff000000

// What an announcement says: whether it binds an address to its sender, and whether it asks for another's.
control ReadAnnouncement(in headers_t hdr, inout metadata_t meta) {
    @hidden
    action compare_arp() {
        meta.other_sender = hdr.arp.sender_mac ^ meta.src_mac;
        meta.other_target = hdr.arp.sender_ip ^ hdr.arp.target_ip;
    }

    @hidden
    action announce_source() {
        meta.announced_ipv6 = hdr.ipv6.src;
    }

    @hidden
    action announce_target() {
        meta.announced_ipv6 = hdr.neighbour_discovery.target;
    }

    @hidden
    action says_nothing() {}

    @hidden
    action binds() {
        meta.binds = 1;
    }

    @hidden
    action binds_and_asks() {
        meta.binds = 1;
        meta.asks = 1;
    }

    @hidden
    action binds_and_asks_all() {
        meta.binds = 1;
        meta.asks = 1;
        meta.asks_all = 1;
    }

    @hidden
    table read_announcement {
        key = {
            hdr.ethernet.ether_type : ternary;
            meta.dst_mac : ternary;
            hdr.arp.operation : ternary;
            hdr.arp.sender_ip : ternary;
            meta.other_target : ternary;
            hdr.icmpv6.message_type : ternary;
            hdr.ipv6.src : ternary;
        }
        actions = {
            says_nothing;
            binds;
            binds_and_asks;
            binds_and_asks_all;
        }
        const entries = {
            // Sender 0.0.0.0 or :: asks whether anybody has the target (RFC 5227, section 2.1.1; RFC 4862, section 5.4.2).
            // That binds nothing, and no one but who has the target may answer.
            (ETHERTYPE_ARP, _, _, 0, _, _, _) : says_nothing();
            (ETHERTYPE_ARP, _, 1, _, 0, _, _) : binds();
            (ETHERTYPE_ARP, BROADCAST, 1, _, _, _, _) : binds_and_asks_all();
            (ETHERTYPE_ARP, _, 1, _, _, _, _) : binds_and_asks();
            (ETHERTYPE_ARP, _, _, _, _, _, _) : binds();
            (ETHERTYPE_IPV6, _, _, _, _, ICMPV6_NEIGHBOUR_SOLICITATION, 0) : says_nothing();
            (ETHERTYPE_IPV6, SOLICITED_NODE, _, _, _, ICMPV6_NEIGHBOUR_SOLICITATION, _) : binds_and_asks_all();
            (ETHERTYPE_IPV6, _, _, _, _, ICMPV6_NEIGHBOUR_SOLICITATION, _) : binds_and_asks();
            (ETHERTYPE_IPV6, _, _, _, _, ICMPV6_NEIGHBOUR_ADVERTISEMENT, _) : binds();
        }
        const default_action = says_nothing();
    }

    apply {
        if (hdr.arp.isValid()) {
            compare_arp();
        } else if (hdr.neighbour_discovery.isValid()) {
            if (hdr.icmpv6.message_type == ICMPV6_NEIGHBOUR_SOLICITATION) {
                announce_source();
            } else {
                announce_target();
            }
        }
        if (meta.announcement == 1) {
            read_announcement.apply();
        }
    }
}

control LookUpBinding(in headers_t hdr, inout metadata_t meta) {
    // The address is that MAC's. `confirmed`: the controller has proof, and need not hear of it again.
    @name(".binding_ipv4.bound")
    action bound_ipv4(mac_t mac, bit<1> confirmed) {
        meta.bound = 1;
        meta.confirmed = confirmed;
        meta.bound_elsewhere = mac ^ meta.src_mac;
    }

    // Any MAC may have it: a pair of routers (VRRP), a load balancer.
    @name(".binding_ipv4.shared")
    action shared_ipv4() {
        meta.shared = 1;
    }

    @name(".binding_ipv4.unbound")
    action unbound_ipv4() {}

    @name(".binding_ipv4")
    table binding_ipv4 {
        key = {
            meta.bd : exact @name("bd");
            hdr.arp.sender_ip : exact @name("ip");
        }
        actions = {
            bound_ipv4;
            shared_ipv4;
            @defaultonly unbound_ipv4;
        }
        const default_action = unbound_ipv4();
        size = BINDINGS_IPV4;
    }

    @name(".binding_ipv6.bound")
    action bound_ipv6(mac_t mac, bit<1> confirmed) {
        meta.bound = 1;
        meta.confirmed = confirmed;
        meta.bound_elsewhere = mac ^ meta.src_mac;
    }

    @name(".binding_ipv6.shared")
    action shared_ipv6() {
        meta.shared = 1;
    }

    @name(".binding_ipv6.unbound")
    action unbound_ipv6() {}

    @name(".binding_ipv6")
    table binding_ipv6 {
        key = {
            meta.bd : exact @name("bd");
            meta.announced_ipv6 : exact @name("ip");
        }
        actions = {
            bound_ipv6;
            shared_ipv6;
            @defaultonly unbound_ipv6;
        }
        const default_action = unbound_ipv6();
        size = BINDINGS_IPV6;
    }

    apply {
        if (hdr.arp.isValid()) {
            binding_ipv4.apply();
        } else if (hdr.neighbour_discovery.isValid()) {
            binding_ipv6.apply();
        }
    }
}

// What follows from the lookup.
control JudgeBinding(inout metadata_t meta) {
    @hidden
    action no_news() {}

    @hidden
    action news() {
        meta.address = address_t.NEWS;
    }

    @hidden
    action disputed() {
        meta.address = address_t.DISPUTED;
    }

    @hidden
    table judge_binding {
        key = {
            meta.bindings : ternary;
            meta.binds : ternary;
            meta.bound : ternary;
            meta.confirmed : ternary;
            meta.shared : ternary;
            meta.bound_elsewhere : ternary;
        }
        actions = {
            no_news;
            news;
            disputed;
        }
        const entries = {
            //       bound confirmed shared elsewhere
            (0, _,   _,    _,        _,     _) : no_news();
            (_, 0,   _,    _,        _,     _) : no_news();
            (_, _,   _,    _,        1,     _) : no_news();
            (_, _,   0,    _,        _,     _) : news();
            (_, _,   _,    1,        _,     0) : no_news();
            (_, _,   _,    _,        _,     0) : news();
            (_, _,   _,    _,        _,     _) : disputed();
        }
        const default_action = no_news();
    }

    apply {
        judge_binding.apply();
    }
}

#endif
