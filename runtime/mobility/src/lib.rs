//! Verify a move, then update: the method as a pure state machine.
//!
//! A VTEP has one [`Mobility`]. It is told facts ([`Event`]) and the time, and answers with decisions ([`Action`]). It does no I/O, reads no
//! clock, spawns nothing and depends on nothing that does; a driver carries its decisions out:
//!
//! ```text
//!   switch ──▶ Heard, ProbeAnswered, SeenAtRecordedPort, PortDown, Idle ─┐              ┌─▶ Install ───────────▶ switch
//!   peers  ──▶ PeerUp, PeerDown, Message ────────────────────────────────┼─▶ Mobility ──┼─▶ Probe, Release, Drop ▶ switch
//!   clock  ──▶ handle_timeout(now) at next_deadline() ───────────────────┘              ├─▶ Send ──────────────▶ peers
//!                                                                                       └─▶ Report ────────────▶ operator
//! ```
//!
//! # The story of one claim
//!
//! A host owned by VTEP A is heard on a port of VTEP C, whose table says "tunnel to A". C does not believe it: it records the port *beside*
//! its entry, and sends A an [`Advertisement`] with the migration attribute. A asks the host, out of exactly the port it has on record. Any
//! sign of life there and A replies [`Verdict::Stayed`], with a sequence that outranks the claim; silence, and A re-points its own entry
//! at C and replies [`Verdict::Moved`]. C drops the second entry or makes it the first. Observers hear of it after the verdict, or at
//! once with the possibility of a withdrawal, as configured per VNI.
//!
//! # Rules of the house
//!
//! - An entry changes its location only by a value that a finished verification (or one of the documented other proofs) has produced.
//! - Each state's answer to each event is written out; no `_` hides a forgotten pair.
//! - What the switch and the peers are told are levels: a [`HostView`] is all the switch is to know of a host, a [`Sync`] all a VTEP owns.
//! - Every wait ends, every buffer is bounded, everything refused is counted.
//!
//! # Behaviours by number
//!
//! Comments and tests name the behaviour that they are about by these numbers.
//!
//! | | |
//! |---|---|
//! | M1 | A claimant that hears a host which its table has elsewhere records the port beside the entry (the *second entry*). |
//! | M2 | It sends the owner an advertisement with the migration attribute and the host's addresses. |
//! | M3 | The owner asks the host out of the port on record. |
//! | M4 | An answer: the entry stays, the reply is `Stayed`. |
//! | M5 | None: the entry turns to the claimant, the reply is `Moved`. |
//! | M6 | `Stayed` removes the second entry; `Moved` makes it the first. |
//! | M7 | Advertise after the verdict: observers turn to the claimant, and do not ask. |
//! | M8 | Advertise at once: they do so before the verdict, and go back on a withdrawal. |
//! | M9 | Without the migration attribute, or for a host nobody knows: ordinary learning. |
//! | M10 | Hosts of a VNI reach each other over VXLAN, hosts of different VNIs never (the data plane). |
//! | M11 | The data plane recognises a migration ARP; ordinary ARP stays in it (the data plane). |
//! | B1 | RARP, unsolicited neighbour advertisements and data frames raise the same claim. |
//! | B2 | Any frame from the recorded port proves that the host is there, the port going down that it is not. |
//! | B3 | Until the verdict the old place receives; the claimed one nothing, copies, or copies once an answer is overdue. |
//! | B4 | The verdict outranks the claim, and the owner itself tells the observers that the host stayed. |
//! | B5 | Moves between ports of one switch get the same check. |
//! | B6 | Refused claims are damped per host and port, repeated ones reported, and the port can be shut for the host. |
//! | B7 | After a move a frame at the old port opens a new check. |
//! | B8 | After a move the old VTEP passes traffic on; a claimant passes on what comes early; nothing loops. |
//! | B9 | If the owner cannot be reached, the claimant asks through the tunnel, and then the configuration decides. |
//!
//! # Driving it
//!
//! ```
//! # use vouch_mobility::{Action, Config, Event, Instant, Mobility, VtepAddr};
//! # let mut inbox: Vec<(Instant, Event)> = Vec::new();
//! let mut mobility = Mobility::new(Config::new(VtepAddr([10, 0, 0, 1].into())));
//! for (now, event) in inbox.drain(..) {
//!     mobility.handle(event, now);
//!     while let Some(action) = mobility.poll_action() {
//!         match action {
//!             Action::Install { .. } => { /* write the difference to the switch */ }
//!             Action::Probe(_) | Action::Release { .. } | Action::Drop { .. } => { /* packet-out */ }
//!             Action::Send { .. } => { /* to the peer's session */ }
//!             Action::Report(_) => { /* log */ }
//!         }
//!     }
//!     // then wait for the next event, or for mobility.next_deadline() and call handle_timeout
//! }
//! ```

mod action;
mod addresses;
mod asking;
mod claim;
mod claimant;
mod config;
mod context;
mod counters;
mod damping;
mod entry;
mod event;
mod gate;
mod host;
mod ids;
mod index;
mod level;
mod message;
mod mobility;
mod observer;
mod outcome;
mod owner;
mod report;
mod routes;
mod sequence;
mod time;
mod verdict;
mod verification;
mod view;

pub use action::{Action, Probe};
pub use config::{Advertise, Config, During, Limits, MacPrefix, Timers, UnreachableOwner, VniConfig};
pub use counters::Counters;
pub use event::{Event, Evidence, Heard};
pub use ids::{AccessId, ClaimId, FrameId, HostKey, Location, VtepAddr};
pub use message::{Advertisement, Message, Migration, Reply, Sync, Verdict, Withdrawal};
pub use mobility::{HostInfo, Mobility, Phase};
pub use report::{Because, Report};
pub use sequence::Sequence;
pub use time::Instant;
pub use view::{ClaimView, Destination, HostView};
