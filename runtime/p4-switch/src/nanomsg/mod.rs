//! The publishing side of nanomsg's pub/sub, in as much of its protocol as that takes: messages to whoever subscribes.
//!
//! # The protocol
//!
//! Both ends begin with a header of 8 bytes: `\0SP\0`, the number of their end of the protocol (publisher 0x20, subscriber
//! 0x21) and 16 bits of zero. Then come messages: on a TCP connection 64 bits of length, on a local socket a byte of 1 before
//! these, all numbers big endian, and the message. Subscriptions are the subscriber's own business: it gets every message and
//! drops what it did not ask for, and after its header it never says anything. (nanomsg.org's `sp-protocol-ids-01`,
//! `sp-tcp-mapping-01` and `sp-ipc-mapping-01`, and libnanomsg, which is what they are tried with.)
//!
//! # What a subscriber can do
//!
//! Nobody waits for one. Each has a queue, bounded in bytes; what does not fit is dropped and counted, as the protocol wants
//! it. There are [`MAX_SUBSCRIBERS`], each of which has a moment to say its header and is let go if it says anything else or more.

mod address;
mod publisher;

pub use address::{Address, BadAddress};
pub use publisher::{MAX_SUBSCRIBERS, Publisher};
