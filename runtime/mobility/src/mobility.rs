//! The state machine of one VTEP.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::action::Action;
use crate::config::Config;
use crate::counters::Counters;
use crate::event::Event;
use crate::ids::{HostKey, Location};
use crate::sequence::Sequence;
use crate::time::Instant;
use crate::view::HostView;

/// The state machine of one VTEP: facts and time in, decisions out.
#[derive(Debug)]
pub struct Mobility {
    config: Config,
    actions: VecDeque<Action>,
    counters: Counters,
}

impl Mobility {
    /// A machine that knows no host yet.
    pub fn new(config: Config) -> Self {
        Self { config, actions: VecDeque::new(), counters: Counters::default() }
    }

    /// Takes in a fact. `now` never goes back.
    pub fn handle(&mut self, event: Event, now: Instant) {
        let _ = (event, now);
    }

    /// Does what is due at `now`. Calling it too early or too often does no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// When [`Self::handle_timeout`] is to be called next, unless something happens before.
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// The next decision. To be called until it returns `None` after each call of a `handle` function.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The configuration it was made with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What has been counted so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What the switch is to know about the host: the last view that was given out as [`Action::Install`].
    pub fn view(&self, host: &HostKey) -> Option<HostView> {
        let _ = host;
        None
    }

    /// What is known about the host.
    pub fn host(&self, host: &HostKey) -> Option<HostInfo> {
        let _ = host;
        None
    }

    /// All hosts, in ascending order.
    pub fn hosts(&self) -> impl Iterator<Item = HostInfo> {
        std::iter::empty()
    }
}

/// One host, for inspection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostInfo {
    /// Which host.
    pub host: HostKey,
    /// Where it is recorded.
    pub location: Location,
    /// The sequence of that.
    pub sequence: Sequence,
    /// Its IP addresses, in ascending order.
    pub addresses: Vec<IpAddr>,
    /// What is going on with it.
    pub phase: Phase,
}

/// What is going on with a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Nothing: it is where the table has it.
    Settled,
    /// This VTEP owns it and is asking it whether it is still there.
    Verifying,
    /// This VTEP claims it and waits for the owner's verdict.
    Claiming,
    /// This VTEP claims it from an unreachable owner and is asking the host through the tunnel.
    ProbingThroughTunnel,
}
