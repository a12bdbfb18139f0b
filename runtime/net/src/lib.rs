//! The addresses that every part of Vouch speaks of.
//!
//! A value of one of these types has been checked where it entered the system (configuration, packet, peer message);
//! nothing inside checks it again. This crate depends on nothing that does I/O and knows no packet formats.

mod mac;
mod vni;
mod written;

pub use mac::{MacAddr, ParseMacError};
pub use vni::{Vni, VniError};
pub use written::Span;
