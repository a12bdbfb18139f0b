//! The embedded switch as a whole: a P4Runtime and gNMI service, ports, and in-process links around the packet engine.
pub mod capture;
pub mod link;
pub mod port;
mod routes;
pub mod server;

pub use capture::Capture;
pub use link::{Endpoint, LinkConfig, link};
pub use port::{Frame, MAX_FRAME, Port, PortCounters, PortStatus, SendError};
pub use server::{BuildError, Builder, ServeError, ServerHandle, SwitchServer};
pub use tonic::transport::{Certificate, Identity, ServerTlsConfig};
