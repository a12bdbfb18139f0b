//! Cables between namespaces that can be cut, one way or both, without anybody losing the link.
//!
//! A cable goes through a bridge in the namespace of its nearer end, which floods and learns nothing: `name` ⇄ `name-in` | bridge |
//! `name-out` ⇄ the other end. An end that is not flooded to is cut off.

use std::io;

use super::netns::Namespace;

/// What a cut cable still carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// It is not cut.
    Both,
    /// Only what the nearer end sends.
    Outward,
    /// Only what the other end sends.
    Inward,
    /// Nothing.
    Nothing,
}

impl Carries {
    fn outward(self) -> bool {
        matches!(self, Self::Both | Self::Outward)
    }

    fn inward(self) -> bool {
        matches!(self, Self::Both | Self::Inward)
    }
}

/// Lay a cable from an interface of this name and MTU here to one of another name there.
pub(super) fn lay(here: &Namespace, name: &str, mtu: u16, (there, other): (&str, &str)) -> io::Result<()> {
    here.ip(&[
        format!("link add {name}-br mtu {mtu} type bridge mcast_snooping 0"),
        format!("link add {name} mtu {mtu} type veth peer name {name}-in mtu {mtu}"),
        format!("link add {name}-out mtu {mtu} type veth peer name {other} mtu {mtu} netns {there}"),
        format!("link set {name}-in master {name}-br up"),
        format!("link set {name}-out master {name}-br up"),
        format!("link set {name}-in type bridge_slave learning off"),
        format!("link set {name}-out type bridge_slave learning off"),
        format!("link set {name}-br up"),
        format!("link set {name} up"),
    ])
}

/// Cut it, or mend it.
pub(super) fn cut(here: &Namespace, name: &str, carries: Carries) -> io::Result<()> {
    let flood = |end: &str, on: bool| {
        let word = if on { "on" } else { "off" };
        format!("link set {name}-{end} type bridge_slave flood {word} mcast_flood {word} bcast_flood {word}")
    };
    here.ip(&[flood("out", carries.outward()), flood("in", carries.inward())])
}
