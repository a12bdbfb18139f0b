//! What is known of a host, and what it takes to believe something else.
//!
//! | file | what it knows |
//! |---|---|
//! | [`addresses`] | which addresses a host has, and which of them it was heard to have, where and when |
//! | [`question`] | whether a host was asked so that its silence means something |
//! | [`entry`] | where it is recorded, and the proof that it takes to change that |
//! | [`routes`] | what the peers say |
//! | [`aftermath`] | what remains of the last move, and how long a place has had the host |
//! | [`index`] | who is where: ports, peers, and the hosts that depend on them |
//! | [`damping`] | which claims were refused lately |
//! | [`shares`] | how much of everything each port, VNI and peer may have |

pub(crate) mod addresses;
pub(crate) mod aftermath;
pub(crate) mod damping;
pub(crate) mod entry;
pub(crate) mod index;
pub(crate) mod question;
pub(crate) mod routes;
pub(crate) mod shares;
