//! `location_port`: which port leads to a place?

use crate::codec::table;
use crate::types::{HopGroup, LocationId, Port};

table! {
    table "location_port";

    /// An access interface or a tunnel. Without entry, a frame is dropped as `NO_LOCATION_PORT`.
    key LocationPortKey {
        /// The place.
        location: LocationId,
    }

    /// The way there.
    action LocationPortAction as LocationPortAction {
        /// Out of this port.
        "port" Port {
            /// The access interface's own, or that of the next hop towards the peer.
            port: Port,
        },
        /// By one of several next hops towards the peer, each flow by its own.
        "balance" [NextHops] Balance {
            /// The next hops.
            group: HopGroup,
        },
    }
}
