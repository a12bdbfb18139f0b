//! `access_tag`: with what tag does a frame leave an access interface?

use crate::codec::table;
use crate::types::{LocationId, VlanId};

table! {
    table "access_tag";

    /// An access interface. Without entry, a frame is dropped as `NO_ACCESS_TAG`.
    key AccessTagKey {
        /// The access interface.
        location: LocationId,
    }

    /// Its frames on the wire.
    action AccessTagAction as AccessTagAction {
        /// As they are.
        "untagged" Untagged,
        /// Behind a tag.
        "tagged" Tagged {
            /// The interface's VLAN.
            vlan_id: VlanId,
        },
    }
}
