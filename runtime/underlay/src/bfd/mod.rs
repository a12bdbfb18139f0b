//! Bidirectional forwarding detection (RFC 5880) over one hop (RFC 5881), asynchronous mode: both ends say at an agreed pace that they
//! hear each other, and who hears nothing for a few of those times knows that the way between them is broken.
//!
//! `packet` codes, `session` is the state machine. There is no authentication, no echo function, and no demand mode of our own.

mod packet;
mod session;

pub use packet::{ControlPacket, Diagnostic, PacketError, State};
pub use session::{BfdTimers, Session};
