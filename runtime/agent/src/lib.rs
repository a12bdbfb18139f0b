//! The agent of one switch: what it is told (configuration), whom it talks to (peering), and what it does (the driver
//! between the switch and the state machine of `vouch-mobility`).
//!
//! [`Config`] is what the YAML said, checked. [`peering`] keeps one authenticated session with each configured peer and
//! turns it into events. The rest of the agent sees only those two surfaces: past them nothing is re-checked.

pub mod config;
mod driver;
mod events;
pub mod peering;

pub use config::Config;
pub use driver::{Agent, AgentOptions, AgentStatus, DriverCounters, HostStatus, SwitchSetupError, TaskCounters};
pub use events::{AgentEvent, AgentEventKind, Place};
pub use peering::{PeerEvent, Peering, PeeringHandle, PeeringSetup};
