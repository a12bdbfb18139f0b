//! The embedded switch as a whole: a P4Runtime and gNMI service, ports, and in-process links around the packet engine.
//!
//! ```no_run
//! use vouch_switch_server::{LinkConfig, SwitchServer, link};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let (host, port) = link(LinkConfig::default());
//! let switch = SwitchServer::builder().device_id(1).port(1, port).build()?.listen("127.0.0.1:0").await?;
//! println!("a controller can now push a pipeline to {}", switch.local_addr());
//! host.send(vec![0; 64])?;
//! let answer = host.recv().await;
//! switch.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! A frame that a [`Port`] receives is carried by that port's task through the engine of `vouch-switch` and straight into the
//! ports it leaves by (`dataplane`), or waits where a port takes less than it is given (`drain`); what leaves by the CPU port
//! becomes a packet-in (`packet_io`) for the primary controller. These tasks have threads of their own where frames must never
//! wait for requests (`forwarding`). Ports can also be a gRPC service (`packet_stream`). Requests come in by the services
//! (`service`, `stream`, `gnmi`), which check device and election (`arbitration`) and hand entities to `entity`: pure mapping
//! and validation between protobuf and engine, by way of the `schema` that joins P4Info and program once per pipeline. Everything
//! is shared through `device`. Services of another protocol reach the same state by `control`, and hear what happens by
//! `notices`; for their receivers `learning` gathers digests as BMv2 does.
//!
//! This crate may use tokio and tonic; the engine below it does not. It knows no P4 program in particular.

mod answer;
mod arbitration;
pub mod capture;
mod control;
pub mod convert;
mod counters;
mod dataplane;
mod device;
mod dialect;
mod digest;
mod drain;
mod entity;
mod fault;
mod forwarding;
mod frames;
mod gnmi;
mod learning;
pub mod link;
mod notices;
mod outbox;
mod packet_io;
mod packet_stream;
mod pipeline;
pub mod port;
mod ports;
mod reconcile;
mod role;
mod routes;
mod schema;
pub mod server;
mod service;
mod stream;
mod tasks;
mod timers;
mod tracer;
mod translation;
mod wrapped;

pub use capture::Capture;
pub use control::{Control, NoSuchPriority, PlugError, Running};
pub use counters::SwitchCounters;
pub use frames::Frames;
pub use learning::LearnRequest;
pub use link::{Endpoint, LinkConfig, link};
pub use notices::{Notice, Samples};
pub use port::{Frame, MAX_FRAME, Port, PortCounters, PortStatus, SendError};
pub use routes::Routes;
pub use server::{BuildError, Builder, ServeError, ServerHandle, SwitchServer};
pub use tonic::transport::{Certificate, Identity, ServerTlsConfig};
pub use translation::Translation;
