//! The method's state machine, model-checked: the very code of `vouch-mobility`, in every order of events that a scene allows.
//!
//! ```text
//!   Scene ──▶ World ──act──▶ World ──act──▶ …      three machines, their switches, devices, messages on the way, a budget of deeds
//!               │                                  stateright tries every act in every state, once for each different state
//!               ▼
//!             watch     compares what the machines do with what the world knows, after every act
//! ```
//!
//! # One way through
//!
//! A [`scene`] begins where everybody knows everybody. An impostor at B announces the host by ARP; its switch punts that, B's machine claims the host, and
//! a message to A is on its way. Now anything may be next: the message arrives, or ten milliseconds pass, or the host moves, or the agent of A dies. A is
//! told, and asks; the question leaves at once, and the host's answer is on its way. Time passes to the next moment at which something is due, but not past
//! the time by which an answer or a message has arrived. When the budget is spent and all is quiet, or the horizon is reached, the last act is
//! fair weather: what is broken is repaired, everything arrives, and after some seconds everybody has to agree.
//!
//! # Why it ends, and what "all" means
//!
//! Every deed takes something from a budget, and time ends at a horizon: so there are finitely many states, and all of them are visited, however they
//! are reached. There is no bound on the depth, which would leave out states that were first reached by a detour. States that differ only in
//! when they are reached, or in the numbers of claims, questions and frames, are one (`canonical`). What is not tried: events between the moments at which
//! something is due, which no machine could tell from events at them but by a longer or shorter measure of how long something took; and more of
//! anything than the budgets name.
//!
//! *Eventually* is not asked of stateright, whose search may miss it where ways join: each way ends in fair weather, and what must be in the end is looked
//! at there, so it holds on every way.
//!
//! # Why a crate of its own
//!
//! A model needs the machines' states to be cloned and hashed, which they are, and guards to be taken out of them, for which there is a feature that
//! the product never has. So `vouch-mobility` keeps its own few dependencies, its tests stay as quick as they are, and what is slow is here.
//!
//! # Which file has what
//!
//! | | |
//! |---|---|
//! | [`scene`], [`scenes`] | what may happen and how often; the scenes that are checked |
//! | `world`, `vtep`, `fair` | the state, what a switch makes of what it is told, fair weather |
//! | `act`, `step` | what can happen next, and what comes of it |
//! | `watch` | what must hold, and what must have happened somewhere |
//! | `canonical` | when two states are one |
//! | `model`, `check` | a scene for stateright; all of it, or the shortest way to something that is wrong |
//! | [`guards`] | which scene and which property notices that a guard is missing |
//! | `words` | what happened, in words |

mod act;
mod canonical;
mod check;
#[allow(dead_code, reason = "the worlds of `vouch-mobility` use more of it")]
#[path = "../../mobility/tests/mobility/sim/dataplane.rs"]
mod dataplane;
mod fair;
pub mod guards;
mod model;
pub mod scene;
pub mod scenes;
mod step;
mod vtep;
mod watch;
mod words;
mod world;

pub use act::Act;
pub use check::{Failure, Outcome, exhaust, shortest};
pub use model::Play;
pub use watch::{Ghost, Ghosts, Happening, Property, Violation};
pub use world::{Device, Parcel, Pending, World};
