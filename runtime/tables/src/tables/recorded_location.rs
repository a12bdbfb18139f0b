//! `recorded_location`: where is a host, when it is not where the frame came in?

use vouch_net::MacAddr;

use crate::codec::table;
use crate::types::{Bd, LocationId};

table! {
    table "recorded_location";

    /// A host. Without entry, a frame is unknown: a copy is punted as [`Learn`](crate::PuntReason::Learn).
    key RecordedLocationKey {
        /// The bridge domain.
        bd: Bd,
        /// The host.
        mac: MacAddr,
    }

    /// The host's first entry.
    action RecordedLocationAction as RecordedLocationAction {
        /// It is there; a frame from elsewhere is punted as [`Move`](crate::PuntReason::Move).
        "recorded" Recorded {
            /// An access interface or a tunnel.
            location: LocationId,
            /// Whether data frames from elsewhere are forwarded meanwhile. Announcements never are.
            forward: bool,
        },
    }
}
