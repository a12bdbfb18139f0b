//! `next_hop`: which of several next hops does a flow take?

use crate::codec::table;
use crate::types::{Bucket, HopGroup, NeighbourId, Port};

table! {
    table "next_hop" [NextHops];

    /// A bucket of a group. Without entry, a packet is dropped as `NO_NEXT_HOP`.
    key NextHopKey {
        /// The next hops that share what goes one way.
        group: HopGroup,
        /// The flows whose hash it is.
        bucket: Bucket,
    }

    /// Who has the bucket.
    action NextHopAction as NextHopAction {
        /// A neighbour.
        "via" Via {
            /// The port of its link.
            port: Port,
            /// Who it is.
            neighbour: NeighbourId,
        },
    }
}
