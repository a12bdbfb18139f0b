//! `local_vtep_ipv6`: is an underlay packet over IPv6 for this VTEP?

use std::net::Ipv6Addr;

use crate::codec::table;

table! {
    table "local_vtep_ipv6" [Ipv6Underlay];

    /// An own address: that of the tunnels, or of a link. Without entry, a packet is transit: see `underlay_route_ipv6`.
    key LocalVtepIpv6Key {
        /// Outer destination.
        dst: Ipv6Addr,
    }

    /// What becomes of the packet.
    action LocalVtepIpv6Action as LocalVtepIpv6Action {
        /// It is decapsulated, if it is valid VXLAN.
        "terminate" Terminate,
        /// If it comes in by a link, it is punted as [`Neighbour`](crate::PuntReason::Neighbour).
        "hand_over" HandOver,
    }
}
