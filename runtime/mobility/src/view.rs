//! The level that the switch is to be at: everything it knows about one host.
//!
//! A view says how things are to be, not what changed. The driver compares it with what the switch has and writes the
//! difference, so a view may be repeated, skipped (if a newer one follows) or applied after a restart with the same result.

use crate::ids::{AccessId, Location, VtepAddr};

/// All that a switch is to know about one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostView {
    /// The recorded location (the *first entry*): frames from the host are expected from there.
    pub location: Location,
    /// Copy frames that come from the recorded port to the controller, as evidence of life. Only with a local location.
    pub watch: bool,
    /// Copy the host's ARP and neighbour discovery to the controller, because no address is known yet. Only with a local location.
    pub learn_addresses: bool,
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

/// What the switch does with frames that a host sends where it is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimView {
    /// A claim is being decided: nothing is punted again, ARP, RARP and neighbour discovery are dropped.
    Pending {
        /// Whether other frames are forwarded, or dropped too.
        forward: bool,
    },
    /// Every frame is dropped and counted.
    Quarantined,
}
