//! The level that the switch is to be at: everything it knows about one host.
//!
//! A view says how things are to be, not what changed. The driver compares it with what the switch has and writes the
//! difference, so a view may be repeated, skipped (if a newer one follows) or applied after a restart with the same result.

use vouch_net::MacAddr;

use crate::words::ids::{AccessId, Location, VtepAddr};

/// All that a switch is to know about one host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostView {
    /// The recorded location (the *first entry*): frames from the host are expected from there.
    pub location: Location,
    /// Copy frames that come from the recorded port to the controller, as evidence of life. Only with a local location.
    pub watch: bool,
    /// Where frames to the host go.
    pub destination: Destination,
    /// Access interfaces where the host was heard although it is recorded elsewhere (*second entries*), in ascending order,
    /// each at most once.
    pub claims: Vec<(AccessId, ClaimView)>,
}

/// Where frames to a host go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// To the recorded location. What came out of a tunnel does not go into another.
    Recorded,
    /// To the recorded location, a tunnel, also for what came out of another tunnel: the host just moved there from here.
    Hairpin,
    /// To the recorded location and to `with`, also from tunnel to tunnel; but never back to where a frame came from.
    ///
    /// At the owner one of the two is its own port, the old place. At a claimant it is the claimed port, and the recorded location is the
    /// owner: what comes from the owner's tunnel goes to the claimed port only, since the owner has seen to the old place, and everything else
    /// goes to both; the owner passes it to the old place, and not back here.
    Both {
        /// The place that has been claimed.
        with: Location,
        /// Another place that has been claimed, if there is one; higher than `with`.
        and: Option<Location>,
    },
    /// At a claimant, while the claimed port gets no copies: what comes from the owner's tunnel goes to the claimed port; everything else goes
    /// to the owner, also out of other tunnels.
    Claimed {
        /// Where the host was just heard.
        port: AccessId,
        /// The VTEP that the recorded location leads to.
        owner: VtepAddr,
    },
}

impl Destination {
    /// Whether what comes out of one tunnel may go into another.
    #[must_use]
    pub fn passes_on(self) -> bool {
        match self {
            Self::Recorded => false,
            Self::Hairpin | Self::Both { .. } | Self::Claimed { .. } => true,
        }
    }
}

/// What the switch does with frames that a host sends where it is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimView {
    /// A claim is being decided: nothing is punted again but requests for others; announcements are dropped.
    Pending {
        /// Whether other frames are forwarded, or dropped too.
        forward: bool,
    },
    /// The host may be here as well as where it is recorded, until one of the places falls silent: frames travel as if it were recorded here, and
    /// copies go to the controller as evidence.
    Shared,
    /// Every frame is dropped and counted.
    Quarantined,
}

/// Whose an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BindingView {
    /// The host that has it, in the same VNI.
    pub mac: MacAddr,
    /// Whether the host has been heard to have it, and is not known to leave questions unanswered: if not, its next announcement of the address is
    /// wanted as a copy, and its silence proves nothing after a restart.
    pub confirmed: bool,
}
