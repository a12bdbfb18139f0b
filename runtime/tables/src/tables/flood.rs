//! `flood`: who gets broadcast, multicast and unknown unicast?

use crate::codec::table;
use crate::types::{Bd, Group};

table! {
    table "flood";

    /// A bridge domain. Without entry, such frames are dropped as `NO_FLOOD_GROUP`.
    key FloodKey {
        /// The bridge domain.
        bd: Bd,
    }

    /// To whom.
    action FloodAction as FloodAction {
        /// To all members of a group, but for the place it came from, and but for tunnels if it came from one.
        "flood_to" FloodTo {
            /// By convention [`Group::flood`] of the bridge domain.
            group: Group,
        },
    }
}
