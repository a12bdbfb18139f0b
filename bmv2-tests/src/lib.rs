//! The lab's fabric on switches that are processes of their own, on veth pairs, in a network namespace that the tests make
//! for themselves: on BMv2, the check that our P4 program and our client work with a switch that is not ours, and on
//! `p4-switch`, the check that it can take BMv2's place.
//!
//! A test binary has a `main` that calls [`harness::run`]; a test gets [`Processes`], which is a
//! [`Target`](vouch_lab::target::Target) like the embedded switch. Where BMv2, `ip` or the right to make a namespace is
//! missing, the tests that need it are skipped and say why.
//!
//! [`corpus`] has programs of our own with tests, which the STF player of [`p4_switch::stf`] plays; [`compare`] measures switches
//! side by side.

#[cfg(target_os = "linux")]
pub mod beside;
#[cfg(target_os = "linux")]
pub mod compare;
pub mod corpus;
pub mod frames;
#[cfg(target_os = "linux")]
pub mod harness;
#[cfg(target_os = "linux")]
pub mod linux;
#[cfg(target_os = "linux")]
pub mod live;
#[cfg(target_os = "linux")]
pub mod namespace;
#[cfg(target_os = "linux")]
pub mod process;
pub mod rig;
#[cfg(target_os = "linux")]
pub mod rows;
#[cfg(target_os = "linux")]
pub mod scenarios;
#[cfg(target_os = "linux")]
pub mod stand;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
mod target;
#[cfg(target_os = "linux")]
pub mod uplinks;

#[cfg(target_os = "linux")]
pub use p4_switch::interface::InterfacePort;
#[cfg(target_os = "linux")]
pub use process::SwitchProgram;
#[cfg(target_os = "linux")]
pub use target::Processes;
