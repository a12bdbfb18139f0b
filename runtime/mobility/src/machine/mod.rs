//! The dispatcher: from an event to the hosts it is about, to their roles, and from there to what the switch and the peers are told.

pub(crate) mod disputes;
pub(crate) mod host;
pub(crate) mod inspect;
pub(crate) mod level;
pub(crate) mod mobility;
pub(crate) mod slot;
