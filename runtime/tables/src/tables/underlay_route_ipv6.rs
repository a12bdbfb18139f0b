//! `underlay_route_ipv6`: where does a transit packet over IPv6 go?

use ipnet::Ipv6Net;
use vouch_net::MacAddr;

use crate::codec::table;
use crate::types::{HopGroup, Port};

table! {
    table "underlay_route_ipv6" [Ipv6Underlay];

    /// A destination prefix; the longest wins. Without entry, a packet is dropped as `NO_ROUTE`.
    key UnderlayRouteIpv6Key {
        /// Outer destination.
        dst: Ipv6Net,
    }

    /// What is done with the packet.
    action UnderlayRouteIpv6Action as UnderlayRouteIpv6Action {
        /// On to the next hop, with one hop less to go.
        "route" Route {
            /// The port of the next hop's link.
            port: Port,
            /// Our address on that link.
            src_mac: MacAddr,
            /// The next hop's.
            dst_mac: MacAddr,
        },
        /// The same, to one of several next hops, each flow to its own.
        "balance" [NextHops] Balance {
            /// The next hops.
            group: HopGroup,
        },
    }
}
