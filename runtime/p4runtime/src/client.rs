//! A controller's session with one switch.
//!
//! [`Session::connect`] gives a handle and a stream of [`Event`]s and starts the one task behind them. The task dials,
//! opens the stream channel, claims the device with its election id, passes on what the switch says, and when the
//! connection ends waits a little (exponentially, with jitter) and dials again. So a session outlives its connections:
//! each connection begins with [`Event::Connected`], then tells [`Event::Primary`] or [`Event::Backup`], and ends with
//! [`Event::Disconnected`]. What the switch held before may be gone by then; who cares for its tables reconciles on each
//! `Primary`.
//!
//! **Cancellation.** Dropping the future of a request drops the request: a read or an unsent packet-out is then void, but
//! a write or pipeline push may still be carried out, or carried out in part. Read back what matters.
//!
//! **Slow consumers.** The event queue is bounded. Near its end packet-ins are dropped, and counted in
//! [`Session::dropped_packets`]; every other event waits for room, and while it waits nothing more is read from the
//! switch, which gRPC's flow control passes on to it. Requests and answers do not pass through the queue. Packets that
//! anybody can cause in any number may be kept apart, with a queue for each source: see [`Crowd`].
//!
//! **End.** The session ends when all handles or the [`EventReceiver`] are dropped.
//!
//! Who only reads needs no session: a [`Reader`] takes no part in arbitration, so that it is in no controller's way.
//!
//! It works with a switch that follows the specification and with BMv2's server (PI), whose deviations are named where
//! they are dealt with. What the servers of Tofino switches need is a [`ServerTraits`].

mod backoff;
mod config;
mod connection;
mod crowd;
mod dial;
mod error;
mod events;
mod packets;
mod pipeline;
mod ports;
mod read;
mod reader;
mod replication;
mod resources;
mod server;
mod session;
mod write;

pub use backoff::BackoffConfig;
pub use config::{ConfigError, SessionConfig, Timeouts, TlsConfig};
pub use crowd::{Crowd, CrowdLimits, PacketClass, PacketSorter};
pub use dial::{ByteStream, Dialler, Dialling};
pub use error::RpcError;
pub use events::{DisconnectReason, Event, EventReceiver};
pub use pipeline::{Pipeline, PushOutcome};
pub use ports::{PortEvent, PortStream};
pub use read::ReadStream;
pub use reader::{ConnectError, Reader};
pub use replication::{Replica, clone_session, multicast_group};
pub use server::{PortNames, ReplicaPort, ServerTraits};
pub use session::{Session, Standing};
pub use write::{UpdateError, WriteError, delete, insert, modify};
