//! One file for each table, in the order in which a frame meets them.

mod access_tag;
mod bd_vni;
mod binding_ipv4;
mod binding_ipv6;
mod destination;
mod encapsulate;
mod flood;
mod ingress_interface;
mod local_vtep;
mod location_port;
mod neighbour;
mod next_hop;
mod recorded_location;
mod source;
mod underlay_peer;
mod underlay_route;
mod underlay_tag;
mod vni_to_bd;

pub use access_tag::{AccessTagAction, AccessTagKey};
pub use bd_vni::{BdVniAction, BdVniKey};
pub use binding_ipv4::{BindingIpv4Action, BindingIpv4Key};
pub use binding_ipv6::{BindingIpv6Action, BindingIpv6Key};
pub use destination::{DestinationAction, DestinationKey};
pub use encapsulate::{EncapsulateAction, EncapsulateKey};
pub use flood::{FloodAction, FloodKey};
pub use ingress_interface::{IngressInterfaceAction, IngressInterfaceKey};
pub use local_vtep::{LocalVtepAction, LocalVtepKey};
pub use location_port::{LocationPortAction, LocationPortKey};
pub use neighbour::{NeighbourAction, NeighbourKey};
pub use next_hop::{NextHopAction, NextHopKey};
pub use recorded_location::{RecordedLocationAction, RecordedLocationKey};
pub use source::{SourceAction, SourceKey};
pub use underlay_peer::{UnderlayPeerAction, UnderlayPeerKey};
pub use underlay_route::{UnderlayRouteAction, UnderlayRouteKey};
pub use underlay_tag::{UnderlayTagAction, UnderlayTagKey};
pub use vni_to_bd::{VniToBdAction, VniToBdKey};
