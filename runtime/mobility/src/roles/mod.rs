//! What a VTEP is to one host, one file for each role: a transition function over the role's own state.
//!
//! | file | role |
//! |---|---|
//! | [`world`] | what every role may read ([`World`](world::World)), and what it may say ([`Out`](world::Out)) |
//! | [`fact`] | what can happen to a host |
//! | [`known`] | what is known of the host whatever the role |
//! | [`admission`] | whether a host that is heard in the wrong place may be claimed at all |
//! | [`claimants`] | who claims a host that is ours, and what asking there has come to |
//! | [`inquiry`] | the owner asks: who is right |
//! | [`owner`] | the owner: who claims its host; its verdicts and its addresses in files of their own |
//! | [`sought`] | the owner of a host whose port a restart has forgotten |
//! | [`claimant`] | the claimant |
//! | [`observer`] | the observer |
//!
//! A role takes its own state and a fact, and returns what it has become. It never makes another role's state: it says that it has given the host
//! up, or won it, and the dispatcher (`machine::host`) makes of that what follows.

pub(crate) mod admission;
pub(crate) mod claimant;
pub(crate) mod claimants;
pub(crate) mod fact;
pub(crate) mod inquiry;
pub(crate) mod known;
pub(crate) mod observer;
pub(crate) mod owner;
pub(crate) mod sought;
pub(crate) mod world;
