//! `underlay_peer_ipv6`: which tunnel does a VXLAN packet over IPv6 come by?

use std::net::Ipv6Addr;

use crate::codec::table;
use crate::types::LocationId;

table! {
    table "underlay_peer_ipv6" [Ipv6Underlay];

    /// A peer's tunnel address. Without entry, a packet is dropped as `UNKNOWN_PEER`.
    key UnderlayPeerIpv6Key {
        /// Outer source.
        src: Ipv6Addr,
    }

    /// Who the peer is.
    action UnderlayPeerIpv6Action as UnderlayPeerIpv6Action {
        /// The peer at the other end of a tunnel.
        "from_tunnel" FromTunnel {
            /// A tunnel.
            location: LocationId,
        },
    }
}
