//! The stream from the switch: what waits in front of what, and what was dropped of it.
//!
//! What decides about hosts (answers, signs of life, confirmations of questions) comes first, and so do neighbours in the underlay. What anybody can cause in any number
//! waits by the place it came from, so that nobody's announcements wait behind somebody else's flood.

use std::sync::Arc;

use vouch_p4runtime::client::{Crowd, PacketClass, PacketSorter, Session};
use vouch_tables::{LocationId, Punt, PuntReason, Tables};

use super::checks::Hearing;

/// Sorts punts by what they are.
pub(crate) fn sorter(tables: Arc<Tables>) -> PacketSorter {
    PacketSorter::new(move |packet| match tables.packet_in(packet) {
        Ok(Punt::Neighbour { .. }) => PacketClass::Event,
        Ok(Punt::Host(header)) => match header.reason {
            PuntReason::ProbeReply | PuntReason::Alive | PuntReason::Sent | PuntReason::Neighbour => PacketClass::Event,
            PuntReason::Learn | PuntReason::Move | PuntReason::Binding | PuntReason::Request => {
                PacketClass::Crowd(header.location.id().into())
            }
        },
        // One that cannot be read is nobody's; it is counted when its turn comes.
        Err(_) => PacketClass::Crowd(0),
    })
}

/// The place that a queue is for.
pub(crate) fn place_of(source: u32) -> Option<LocationId> {
    u16::try_from(source).ok().and_then(LocationId::from_id)
}

/// A session's stream.
pub(crate) struct Stream {
    pub(crate) session: Session,
    pub(crate) crowd: Crowd,
}

impl Hearing for Stream {
    fn dropped(&self, place: LocationId) -> u64 {
        self.session.dropped_packets() + self.crowd.dropped(place.id().into())
    }

    fn waiting(&self, place: LocationId) -> (u64, u64) {
        let source = place.id().into();
        (self.crowd.arrived(source), self.crowd.left(source))
    }
}
