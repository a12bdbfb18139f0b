//! `local_vtep`: is an underlay packet for this VTEP?

use std::net::Ipv4Addr;

use crate::codec::table;

table! {
    table "local_vtep";

    /// An own address: that of the tunnels, or of a link. Without entry, a packet is transit: see `underlay_route`.
    key LocalVtepKey {
        /// Outer destination.
        dst: Ipv4Addr,
    }

    /// What becomes of the packet.
    action LocalVtepAction as LocalVtepAction {
        /// It is decapsulated, if it is valid VXLAN.
        "terminate" Terminate,
        /// If it comes in by a link, it is punted as [`Neighbour`](crate::PuntReason::Neighbour).
        "hand_over" HandOver,
    }
}
