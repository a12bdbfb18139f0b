//! Sessions with the agents of the other VTEPs.
//!
//! Each pair of VTEPs has one bidirectional gRPC stream: the VTEP with the lower address dials, the other one listens.
//! Under TLS both show a certificate; whoever cannot prove to be the peer it says it is gets no session.
//!
//! The story of a session: connect → both say hello → [`PeerEvent::Up`] → messages both ways, heartbeats when there
//! are none → [`PeerEvent::Down`]. A session delivers in order or ends. What a session could not deliver is made good by
//! the full state that both sides send after the next `Up`, so nothing here is ever stored for a peer that is away.

mod api;

/// The version of the peer protocol; both sides must speak the same.
pub const VERSION: u32 = 1;

pub use api::{DownReason, PeerEvent, PeeringCounters, PeeringError, PeeringSetup, Refusal, RefusalReason, SendError};
