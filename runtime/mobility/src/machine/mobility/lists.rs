//! The lists that sessions begin with: ours, pulled one host at a time as the session has room, and the peers'.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::Mobility;
use crate::guards::{Guard, is_out};
use crate::inout::message::{Message, Sync};
use crate::machine::host::Role;
use crate::roles::fact::{Fact, Withdrawn};
use crate::words::ids::{HostKey, VtepAddr};
use crate::words::sequence::Sequence;
use crate::words::time::Instant;

/// How far each list has come, and which hosts the peers' lists left out.
#[derive(Debug, Clone, Default, Hash)]
pub(super) struct Lists {
    ours: BTreeMap<VtepAddr, Stage>,
    /// What a list left out is gone, but not at once: a peer that has restarted learns only from the others' lists what was its own.
    unlisted: BTreeSet<(Instant, HostKey, VtepAddr)>,
}

/// The peer's hosts come before the end of our own: who has heard the end knows all that we could remind it of.
#[derive(Debug, Clone, Copy, Hash)]
enum Stage {
    Start,
    /// Hosts that are the peer's, after this one.
    Yours {
        after: Option<HostKey>,
    },
    /// Our own hosts, after this one.
    Own {
        after: Option<HostKey>,
        listed: u64,
    },
    End,
}

impl Lists {
    pub(super) fn begin(&mut self, peer: VtepAddr) {
        self.ours.insert(peer, Stage::Start);
    }

    pub(super) fn end(&mut self, peer: VtepAddr) {
        self.ours.remove(&peer);
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.unlisted.first().map(|&(due, ..)| due)
    }
}

impl Mobility {
    /// The next message of the lists that the session with `peer` begins with; `None`: all has been said, for now. To be pulled as the session has
    /// room, after [`Event::PeerUp`](crate::Event::PeerUp) and again after each [`Sync::Again`](crate::Sync::Again) from the peer.
    ///
    /// What happens to a host meanwhile is told by itself, before or after its place in the list; the later word counts.
    pub fn poll_sync(&mut self, peer: VtepAddr) -> Option<Message> {
        let stage = *self.lists.ours.get(&peer)?;
        let (sync, next) = match stage {
            Stage::Start => (Sync::Start, Stage::Yours { after: None }),
            Stage::Yours { after } => match self.next_of_peer(peer, after) {
                Some((host, sync)) => (sync, Stage::Yours { after: Some(host) }),
                None => self.own(peer, None, 0),
            },
            Stage::Own { after, listed } => self.own(peer, after, listed),
            Stage::End => {
                self.lists.ours.remove(&peer);
                return None;
            }
        };
        self.lists.ours.insert(peer, next);
        Some(Message::Sync(sync))
    }

    fn own(&self, peer: VtepAddr, after: Option<HostKey>, listed: u64) -> (Sync, Stage) {
        match self.next_own(peer, after) {
            Some((host, sync)) => (sync, Stage::Own { after: Some(host), listed: listed + 1 }),
            None => (Sync::End { hosts: listed, withheld: self.draining }, Stage::End),
        }
    }

    fn shared_with(&self, peer: VtepAddr, host: HostKey) -> bool {
        self.config.vnis.get(&host.vni).is_some_and(|vni| vni.peers.contains(&peer))
    }

    fn next_own(&self, peer: VtepAddr, after: Option<HostKey>) -> Option<(HostKey, Sync)> {
        self.hosts.range(after_key(after)).find_map(|(&host, slot)| {
            let (sequence, bindings) = Self::told_as_ours(slot).filter(|_| self.shared_with(peer, host))?;
            Some((host, Sync::Host { host, bindings, sequence }))
        })
    }

    fn next_of_peer(&self, peer: VtepAddr, after: Option<HostKey>) -> Option<(HostKey, Sync)> {
        self.hosts.range(after_key(after)).find_map(|(&host, slot)| {
            let owner = match &slot.role {
                Role::Observer(remote) => remote.vtep(),
                Role::Claimant(claimant) => claimant.owner(),
                Role::Absent(_) | Role::Owner(_) | Role::Sought(_) => return None,
            };
            if owner != peer {
                return None;
            }
            let sequence = slot.known.routes.of(peer).map_or(Sequence::FIRST, |route| route.sequence);
            Some((host, Sync::Yours { host, bindings: slot.known.addresses.bindings(), sequence }))
        })
    }

    /// The peer has named all it owns: routes by it that it did not name are gone, unless it says otherwise soon.
    pub(super) fn list_ended(&mut self, from: VtepAddr, hosts: u64, withheld: bool, now: Instant) {
        let Some(candidates) = self.peers.list_ends(from, hosts, withheld) else {
            self.counters.broken_syncs += 1;
            return;
        };
        let wait = if is_out(Guard::Wait) { std::time::Duration::ZERO } else { self.config.timers.claim_give_up };
        let due = now + wait;
        for host in candidates {
            if self.is_unlisted(host, from) {
                self.lists.unlisted.insert((due, host, from));
            }
        }
    }

    fn is_unlisted(&self, host: HostKey, from: VtepAddr) -> bool {
        let round = self.peers.round(from);
        self.hosts.get(&host).and_then(|slot| slot.known.routes.of(from)).is_some_and(|route| route.round < round)
    }

    /// Whether we claim the host from a peer that does not say which hosts it has: it decides about claims as ever, and has not given this one up.
    fn may_be_withheld(&self, host: HostKey, from: VtepAddr) -> bool {
        let claimed = self.hosts.get(&host).is_some_and(|slot| match &slot.role {
            Role::Claimant(claimant) => claimant.owner() == from,
            Role::Absent(_) | Role::Observer(_) | Role::Owner(_) | Role::Sought(_) => false,
        });
        claimed && self.peers.withholds(from) && !is_out(Guard::NotGivenUp)
    }

    pub(super) fn unlisted_due(&mut self, now: Instant) {
        while let Some(&(due, host, from)) = self.lists.unlisted.first() {
            if due > now {
                break;
            }
            self.lists.unlisted.pop_first();
            if self.is_unlisted(host, from) && !self.may_be_withheld(host, from) {
                let withdrawn = Withdrawn { from, sequence: Sequence::LAST, moved_to: None };
                self.tell(host, Fact::Withdrawn(withdrawn), now);
            }
        }
    }
}

fn after_key(after: Option<HostKey>) -> (Bound<HostKey>, Bound<HostKey>) {
    (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)
}
