//! `destination`: where do frames to a host go?

use vouch_net::MacAddr;

use crate::codec::table;
use crate::types::{Bd, Group, LocationId};

table! {
    table "destination";

    /// A host as destination. Without entry, frames are flooded.
    key DestinationKey {
        /// The bridge domain.
        bd: Bd,
        /// The host, or this VTEP's probe address.
        mac: MacAddr,
    }

    /// How its frames are forwarded.
    action DestinationAction as DestinationAction {
        /// To one place, but not from tunnel to tunnel.
        "unicast" Unicast {
            /// An access interface or a tunnel.
            location: LocationId,
        },
        /// To one place, from other tunnels too: the host has just moved on.
        "unicast_hairpin" UnicastHairpin {
            /// A tunnel.
            location: LocationId,
        },
        /// To the recorded place and to the claimant.
        "both" Both {
            /// The group of that pair of places.
            group: Group,
        },
        /// This VTEP is the claimant: from the owner's tunnel to the claimed place, everything else to the owner.
        "claimed" Claimed {
            /// An access interface.
            claim_location: LocationId,
            /// A tunnel.
            owner_location: LocationId,
        },
        /// To the controller alone, as [`ProbeReply`](crate::PuntReason::ProbeReply).
        "probe_reply" ProbeReply,
    }
}
