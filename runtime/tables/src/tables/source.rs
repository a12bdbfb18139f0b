//! `source`: what does the controller know of a host at one particular access interface?

use vouch_net::MacAddr;

use crate::codec::{Aged, table};
use crate::types::{Bd, LocationId};

table! {
    table "source" counter "source_counter";

    /// A host at an access interface: the recorded one, or one that a claim names (the second entry, beside the
    /// first). Without entry, `recorded_location` is asked.
    key SourceKey {
        /// The bridge domain.
        bd: Bd,
        /// The host.
        mac: MacAddr,
        /// The access interface where it was heard.
        location: LocationId,
    }

    /// What the host is at that interface.
    action SourceAction as Aged<SourceAction> {
        /// Recorded here: its frames are forwarded, and counted as evidence that it lives.
        "here" Here {
            /// A verification runs: a copy of every frame is punted as [`Alive`](crate::PuntReason::Alive).
            watch: bool,
        },
        /// Claimed here, the verdict outstanding: not punted again, announcements dropped. What it asks about others goes to
        /// the controller, as [`Request`](crate::PuntReason::Request).
        "claim_pending" ClaimPending {
            /// Whether data frames are forwarded meanwhile.
            forward: bool,
        },
        /// Refused here too often: everything dropped.
        "quarantined" Quarantined,
    }
}
