//! `neighbour`: what are the addresses of the link to one of several next hops?

use vouch_net::MacAddr;

use crate::codec::table;
use crate::types::NeighbourId;

table! {
    table "neighbour" [NextHops];

    /// A neighbour that groups name. Without entry, a packet is dropped as `NO_NEXT_HOP`, in egress.
    key NeighbourKey {
        /// The neighbour.
        neighbour: NeighbourId,
    }

    /// What packets to it carry.
    action NeighbourAction as NeighbourAction {
        /// The addresses of its link.
        "link" Link {
            /// Ours.
            src_mac: MacAddr,
            /// The neighbour's.
            dst_mac: MacAddr,
        },
    }
}
