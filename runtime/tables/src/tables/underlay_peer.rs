//! `underlay_peer`: which tunnel does a VXLAN packet come by?

use std::net::Ipv4Addr;

use crate::codec::table;
use crate::types::LocationId;

table! {
    table "underlay_peer";

    /// A peer's tunnel address. Without entry, a packet is dropped as `UNKNOWN_PEER`.
    key UnderlayPeerKey {
        /// Outer source.
        src: Ipv4Addr,
    }

    /// Who the peer is.
    action UnderlayPeerAction as UnderlayPeerAction {
        /// The peer at the other end of a tunnel.
        "from_tunnel" FromTunnel {
            /// A tunnel.
            location: LocationId,
        },
    }
}
