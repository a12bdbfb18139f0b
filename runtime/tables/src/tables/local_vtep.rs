//! `local_vtep`: is an underlay packet for this VTEP?

use std::net::Ipv4Addr;

use crate::codec::table;

table! {
    table "local_vtep";

    /// An own tunnel address. Without entry, a packet is transit: see `underlay_route`.
    key LocalVtepKey {
        /// Outer destination.
        dst: Ipv4Addr,
    }

    /// What becomes of the packet.
    action LocalVtepAction as LocalVtepAction {
        /// It is decapsulated, if it is valid VXLAN.
        "terminate" Terminate,
    }
}
