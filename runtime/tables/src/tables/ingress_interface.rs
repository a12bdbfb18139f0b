//! `ingress_interface`: where does a frame come in?

use vouch_net::MacAddr;

use crate::codec::table;
use crate::types::{Bd, LocationId, Port, Tag};

table! {
    table "ingress_interface" counter "ingress_interface_counter";

    /// A port, and a tag or none. Without entry, a frame is dropped as `UNKNOWN_INTERFACE`.
    key IngressInterfaceKey {
        /// The physical port.
        ingress_port: Port,
        /// The frame's VLAN.
        vlan_id: Tag,
    }

    /// What an interface is.
    action IngressInterfaceAction as IngressInterfaceAction {
        /// Hosts are behind it.
        "access" Access {
            /// The bridge domain of its frames.
            bd: Bd,
            /// The interface's own id: an access interface.
            location: LocationId,
            /// What its hosts announce is checked against `binding_ipv4` and `binding_ipv6`.
            bindings: bool,
            /// What its hosts ask everybody about an address is punted as [`Request`](crate::PuntReason::Request), and not
            /// flooded.
            suppress: bool,
        },
        /// Other VTEPs and routers are behind it.
        "underlay" Underlay {
            /// The address that packets for this router carry.
            router_mac: MacAddr,
        },
        /// The same, where we have an address: ARP, and packets for the address, are punted as
        /// [`Neighbour`](crate::PuntReason::Neighbour).
        "link" Link {
            /// The address that packets for this router carry.
            router_mac: MacAddr,
            /// The link's own id: see [`LocationId::link`].
            location: LocationId,
        },
        /// The controller is behind it: frames carry a `packet_out` header.
        "controller" Controller,
    }
}
