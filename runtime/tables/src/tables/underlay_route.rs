//! `underlay_route`: where does a transit packet go?

use ipnet::Ipv4Net;
use vouch_net::MacAddr;

use crate::codec::table;
use crate::types::{HopGroup, Port};

table! {
    table "underlay_route";

    /// A destination prefix; the longest wins. Without entry, a packet is dropped as `NO_ROUTE`.
    key UnderlayRouteKey {
        /// Outer destination.
        dst: Ipv4Net,
    }

    /// What is done with the packet.
    action UnderlayRouteAction as UnderlayRouteAction {
        /// On to the next hop, with one less to live.
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
