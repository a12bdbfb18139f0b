//! `binding_ipv4`: whose is an IPv4 address?

use std::net::Ipv4Addr;

use vouch_net::MacAddr;

use crate::codec::table;
use crate::types::Bd;

table! {
    table "binding_ipv4";

    /// An address that ARP announces. Without entry, a copy of each announcement is punted as
    /// [`Binding`](crate::PuntReason::Binding).
    key BindingIpv4Key {
        /// The bridge domain.
        bd: Bd,
        /// The sender's address.
        ip: Ipv4Addr,
    }

    /// Who may announce it.
    action BindingIpv4Action as BindingIpv4Action {
        /// One host. From any other an announcement is held, as [`Binding`](crate::PuntReason::Binding).
        "bound" Bound {
            /// The host.
            mac: MacAddr,
            /// Whether it has proved it; if not, a copy of each of its announcements is punted.
            confirmed: bool,
        },
        /// Any host: a pair of routers (VRRP), a load balancer.
        "shared" Shared,
    }
}
