//! The lab's fabric on BMv2: `simple_switch_grpc` processes on veth pairs, in a network namespace that the tests make for
//! themselves. The check that our P4 program and our client work with a switch that is not ours.
//!
//! A test binary has a `main` that calls [`harness::run`]; a test gets a [`Bmv2`], which is a
//! [`Target`](vouch_lab::target::Target) like the embedded switch. Where BMv2, `ip` or the right to make a namespace is
//! missing, the tests are skipped and say why.
//!
//! [`stf`] plays tests that others wrote, for any program.

#[cfg(target_os = "linux")]
pub mod harness;
#[cfg(target_os = "linux")]
mod namespace;
#[cfg(target_os = "linux")]
mod process;
pub mod rig;
#[cfg(target_os = "linux")]
mod socket;
pub mod stf;
#[cfg(target_os = "linux")]
mod target;
#[cfg(target_os = "linux")]
mod wire;

#[cfg(target_os = "linux")]
pub use target::Bmv2;
#[cfg(target_os = "linux")]
pub use wire::InterfacePort;
