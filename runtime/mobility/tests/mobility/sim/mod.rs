//! Several machines in virtual time, over a network that misbehaves as a seed commands.
//!
//! ```text
//!   Script ──▶ World ──▶ Mobility (one per VTEP)
//!                │  ▲        │ views, bindings   ▲ punts, Asked, Checked
//!                ▼  │        ▼                   │
//!             network     switch, dataplane (interpret the views) ◀── devices (answer probes, forge, move)
//! ```
//!
//! `check` looks at the world after every step and at the end. A failure names the seed and the script that led to it.

pub(crate) mod check;
pub(crate) mod dataplane;
pub(crate) mod device;
pub(crate) mod network;
pub(crate) mod script;
pub(crate) mod switch;
pub(crate) mod world;
