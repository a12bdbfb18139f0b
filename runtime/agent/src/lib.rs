//! The agent of one switch: what it is told (configuration), whom it talks to (peering), and what it does (the driver
//! between the switch and the state machine of `vouch-mobility`).
//!
//! [`Config`] is what the YAML said, checked. [`peering`] keeps one authenticated session with each configured peer and
//! turns it into events. The rest of the agent sees only those two surfaces: past them nothing is re-checked. [`management`] answers
//! an operator's questions, and takes orders of his and of an orchestrator; [`metrics`] are its figures. What connections are made of is a [`network`].

mod collector;
pub mod config;
mod driver;
mod events;
mod guards;
pub mod management;
pub mod metrics;
pub mod network;
mod orders;
pub mod peering;
mod supervisor;
mod tls;

pub use config::Config;
pub use driver::{
    Agent, AgentOptions, AgentStatus, DriverCounters, Figures, HostStatus, Lasting, SwitchSetupError, TaskCounters,
    Unheard,
};
pub use events::{AgentEvent, AgentEventKind, NoPlace, Place};
#[cfg(feature = "broken-guards")]
pub use guards::{DriverGuard, take_out};
pub use network::Network;
pub use orders::OrderError;
pub use peering::{PeerEvent, PeerMisbehaved, Peering, PeeringHandle, PeeringSetup};
pub use supervisor::{RefusedFiles, Reload, Supervised, Supervisor};
