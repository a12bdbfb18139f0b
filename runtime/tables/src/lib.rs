//! The VTEP program's tables, typed.
//!
//! One P4 table, one file, one name: `tables/source.rs` is the table `source` of `p4src/parts/source.p4`, as a key struct
//! and an action enum. Numbers and byte strings exist only inside this crate; outside there are hosts, places and
//! addresses.
//!
//! The story of one entry: [`Tables::bind`] resolves every name once against the P4Info of the switch and says all that
//! differs, if anything does. What a switch should hold is a `BTreeMap<EntryKey, EntryAction>`; [`Tables::update`] turns
//! one difference into a write, [`Tables::decode`] turns what was read back into the same two types. Frames to and from
//! the controller are [`PacketIn`] and [`PacketOut`].
//!
//! The crate depends on the protocol's messages and does no I/O.

mod artifacts;
mod bind;
mod codec;
mod counters;
mod entry;
mod error;
mod packet;
mod punt;
mod replication;
mod tables;
mod types;
mod value;

pub use artifacts::{DEVICE_CONFIG, P4INFO_TEXT, TOFINO_MODEL, TOFINO_P4INFO_TEXT, p4info, tofino_p4info};
pub use bind::Tables;
pub use codec::Aged;
pub use counters::{Count, Counted, DropReason, Pipeline};
pub use entry::{Change, EntryAction, EntryKey};
pub use error::{BindError, DecodeError, EntryError, Mismatch};
pub use packet::{PacketIn, PacketOut, Punt};
pub use punt::{MeterRate, PuntMeter, PuntReason};
pub use replication::{CPU_SESSION, CloneSession, Replica};
pub use tables::*;
pub use types::{Bd, Bucket, Dscp, Group, HopGroup, LocationId, NeighbourId, Port, Tag, VlanId};
pub use value::ValueError;
