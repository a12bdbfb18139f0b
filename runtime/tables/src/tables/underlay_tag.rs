//! `underlay_tag`: with what tag do packets leave an underlay port?

use crate::codec::table;
use crate::types::{Port, VlanId};

table! {
    table "underlay_tag";

    /// An underlay port. Without entry, its packets have no tag.
    key UnderlayTagKey {
        /// The port.
        port: Port,
    }

    /// Its packets on the wire. What comes in is told apart by `ingress_interface`.
    action UnderlayTagAction as UnderlayTagAction {
        /// Behind a tag.
        "tagged" Tagged {
            /// The link's VLAN.
            vlan_id: VlanId,
        },
    }
}
