//! Verify a move, then update: the method as a pure state machine.
//!
//! A VTEP has one [`Mobility`]. It is told facts ([`Event`]) and the time, and answers with decisions ([`Action`]). It does no I/O, reads no
//! clock, spawns nothing and depends on nothing that does; a driver carries its decisions out:
//!
//! ```text
//!   switch ──▶ Heard, Requested, ProbeAnswered, SeenAtRecordedPort,  ─┐              ┌─▶ Install, Bind ─────────────▶ switch
//!              Asked, Checked, PortDown, Idle, Restored               ├─▶ Mobility ──┼─▶ Probe, Check, Release,
//!   peers  ──▶ PeerUp, PeerDown, Message ─────────────────────────────┤              │   Answer, Drop ─────────────▶ switch
//!   people ──▶ MoveExpected, Settle, AskNow, Clear, Drain ────────────┤              ├─▶ Send, poll_sync(peer) ────▶ peers
//!   clock  ──▶ handle_timeout(now) at next_deadline() ────────────────┘              └─▶ Report ───────────────────▶ operator
//! ```
//!
//! # The story of one claim
//!
//! A host owned by VTEP A is heard on a port of VTEP C, whose table says "tunnel to A". C does not believe it: it records the port *beside*
//! its entry, and sends A an [`Advertisement`] with the migration attribute. A asks the host, out of exactly the port it has on record. Any
//! sign of life there and A replies [`Verdict::Stayed`], with a sequence that outranks the claim. Silence of a host that was going to answer, and A
//! re-points its own entry at C and replies [`Verdict::Moved`]. Silence that proves nothing, or an answer at both places, and A replies
//! [`Verdict::Open`]: the claim waits for evidence, and the host's traffic goes to both places. C drops the second entry or makes it the first.
//! Observers hear of it after the verdict, or at once with the possibility of a withdrawal, as configured per VNI.
//!
//! # In which order to read it
//!
//! Each layer uses those before it, and none of them those after it:
//!
//! | layer | what it has |
//! |---|---|
//! | `words` | names, time, sequences, what can be chosen |
//! | `inout` | what goes in and what comes out: events, messages, actions, views, reports |
//! | `knowledge` | what is known of a host, and what it takes to believe something else: addresses, questions, proofs |
//! | `roles` | what a VTEP is to one host: a transition function for each role, over its own state |
//! | `machine` | the dispatcher: which role answers which fact, and who has to be told what came of it |
//!
//! # Rules of the house
//!
//! - An entry changes its location only by a proof, and each way to a proof names its evidence. *Silence* is one only where an answer was to be
//!   expected: its type can be made of nothing else.
//! - Each role's answer to each fact is written out; no `_` hides a forgotten pair.
//! - A role reads the world and writes to a list of decisions; nothing that it could change is handed to it but what is known of the host.
//! - What the switch and the peers are told are levels: a [`HostView`] is all the switch is to know of a host, a [`Sync`] all a VTEP owns.
//! - Every wait ends, every buffer is bounded, everything refused is counted, and what can be remembered of it is tried again.
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
//! | B9 | If the owner cannot be reached, the claimant asks through the tunnel, and then the configuration decides. The owner is asked for its word when it is back. |
//! | B10 | An address passes from one host to another only on proof that the first has given it up. |
//! | B11 | Requests are answered from verified bindings only. |
//! | B12 | A place that the host has only just come to does not outweigh the place where it was for long: both receive until one falls silent. |
//! | B13 | What was damped, or refused for want of room, is tried again by itself. |
//! | B14 | Of several places that claim a silent host, the one that answers has it, whichever came first. |
//! | B15 | A move that was announced is believed as soon as an answer at the old place is overdue. |
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
//!             Action::Install { .. } | Action::Bind { .. } => { /* write the difference to the switch */ }
//!             Action::Probe(_) => { /* packet-out; tell when the switch has confirmed it */ }
//!             Action::Check { .. } => { /* find out whether all has been heard, and tell */ }
//!             Action::Release { .. } | Action::Answer { .. } | Action::Drop { .. } => { /* packet-out, or nothing */ }
//!             Action::Send { .. } => { /* to the peer's session */ }
//!             Action::Report(_) => { /* log */ }
//!         }
//!     }
//!     // then wait for the next event, or for mobility.next_deadline() and call handle_timeout
//! }
//! ```

mod guards;
mod inout;
mod knowledge;
mod machine;
mod roles;
mod words;

#[cfg(feature = "broken-guards")]
pub use guards::{Guard, without};
pub use inout::action::{Action, Probe};
pub use inout::counters::Counters;
pub use inout::detail::{AddressDetail, ClaimDetail, Clear, ExpectedAt, PortDetail, RefusedDetail, StayDetail};
pub use inout::event::{Event, Evidence, Heard};
pub use inout::message::{
    AddressClaim, AddressReply, Advertisement, Binding, Expect, Message, Migration, Open, Reply, Standing, Sync,
    Verdict, Withdrawal,
};
pub use inout::report::{Because, Full, Report, WhyUnproven};
pub use inout::view::{BindingView, ClaimView, Destination, HostView};
pub use machine::inspect::HostDetail;
pub use machine::mobility::{Census, HostInfo, Mobility, Phase};
pub use words::config::{
    Advertise, Config, Contested, During, Escalation, Limits, MacPrefix, PortLimits, Timers, Unproven,
    UnreachableOwner, VniConfig,
};
pub use words::ids::{AccessId, ClaimId, FrameId, HostKey, Incarnation, Location, QuestionId, VtepAddr};
pub use words::sequence::Sequence;
pub use words::time::Instant;
