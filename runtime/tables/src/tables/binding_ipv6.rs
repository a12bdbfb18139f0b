//! `binding_ipv6`: whose is an IPv6 address?

use std::net::Ipv6Addr;

use vouch_net::MacAddr;

use crate::codec::table;
use crate::types::Bd;

table! {
    table "binding_ipv6";

    /// An address that neighbour discovery announces. Without entry, a copy of each announcement is punted as
    /// [`Binding`](crate::PuntReason::Binding).
    key BindingIpv6Key {
        /// The bridge domain.
        bd: Bd,
        /// The sender's address: a solicitation's source, an advertisement's target.
        ip: Ipv6Addr,
    }

    /// Who may announce it.
    action BindingIpv6Action as BindingIpv6Action {
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
