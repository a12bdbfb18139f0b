//! One host as the dispatcher keeps it: its role, what is known of it, and what others have been told.

use std::collections::BTreeMap;

use crate::inout::message::Binding;
use crate::inout::view::HostView;
use crate::knowledge::entry::Absent;
use crate::knowledge::index::Footprint;
use crate::machine::host::Role;
use crate::roles::known::Known;
use crate::words::ids::{HostKey, Location, VtepAddr};
use crate::words::sequence::Sequence;
use crate::words::time::Instant;

#[derive(Debug, Clone, Hash)]
pub(crate) struct Slot {
    pub(crate) role: Role,
    pub(crate) known: Known,
    /// The last view given out.
    pub(crate) installed: Option<HostView>,
    /// What the indices know.
    pub(crate) footprint: Footprint,
    /// The bindings given out, the revision of the addresses that they are of, and whether the host was not known to be one that does not answer.
    pub(crate) bound: Vec<Binding>,
    pub(crate) bound_revision: u32,
    pub(crate) bound_answers: bool,
    /// The deadline that is set for it, and when it is to be asked only to confirm what is known.
    pub(crate) armed: Option<Instant>,
    pub(crate) confirm_armed: Option<Instant>,
    /// Under which peer it is counted, once it is counted.
    pub(crate) counted: Option<Option<VtepAddr>>,
}

/// One host, for inspection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostInfo {
    /// Which host.
    pub host: HostKey,
    /// Where it is recorded; `None`: behind this VTEP, but it is not known where (after a restart).
    pub location: Option<Location>,
    /// The sequence of that.
    pub sequence: Sequence,
    /// Its IP addresses, in ascending order.
    pub bindings: Vec<Binding>,
    /// What is going on with it.
    pub phase: Phase,
    /// It is here, and peers are not told ([`Event::Drain`](crate::Event::Drain)).
    pub withheld: bool,
}

/// How many hosts there are of each kind, and of their addresses; as far as they have been counted ([`Mobility::count`](crate::Mobility::count)).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Census {
    /// Hosts behind this VTEP (`true`) and behind others, by what is going on with them.
    pub hosts: BTreeMap<(bool, Phase), u64>,
    /// Addresses of hosts behind this VTEP, by whether they are confirmed.
    pub addresses: BTreeMap<bool, u64>,
    /// Hosts here that peers are not told of ([`Event::Drain`](crate::Event::Drain)).
    pub withheld: u64,
    /// The first few of the hosts that answer at two places.
    pub contested: Vec<HostKey>,
}

impl Census {
    /// How many of the contested hosts are named.
    const NAMED: usize = 4;

    pub(crate) fn add(&mut self, slot: &Slot) {
        let (ours, phase) = (slot.owned().is_some(), slot.phase());
        *self.hosts.entry((ours, phase)).or_default() += 1;
        for binding in slot.known.addresses.iter().filter(|_| ours) {
            *self.addresses.entry(binding.confirmed).or_default() += 1;
        }
        self.withheld += u64::from(slot.is_withheld());
        if phase == Phase::Contested && self.contested.len() < Self::NAMED {
            self.contested.push(slot.known.key);
        }
    }

    /// How many there are of a kind: here (`true`) or elsewhere, and with this going on; `None`: whatever it is.
    pub fn hosts_of(&self, here: Option<bool>, phase: Option<Phase>) -> u64 {
        let is =
            |&(ours, what): &(bool, Phase)| here.is_none_or(|here| here == ours) && phase.is_none_or(|it| it == what);
        self.hosts.iter().filter(|(kind, _)| is(kind)).map(|(_, count)| count).sum()
    }
}

/// What is going on with a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Nothing: it is where the table has it.
    Settled,
    /// This VTEP owns it and is asking it whether it is still there.
    Verifying,
    /// This VTEP owns it, somebody claims it, and nothing proves who is right.
    Unproven,
    /// This VTEP owns it, and it answers at two places.
    Contested,
    /// It was behind this VTEP before a restart, and is being looked for.
    Sought,
    /// This VTEP claims it and waits for the owner's verdict.
    Claiming,
    /// This VTEP claims it from an unreachable owner and is asking the host through the tunnel.
    ProbingThroughTunnel,
}

/// The tunnel to who has the host, if another VTEP has it.
pub(crate) fn kept_by(role: &Role) -> Option<Location> {
    match role {
        Role::Absent(_) | Role::Sought(_) | Role::Owner(_) => None,
        Role::Observer(remote) => Some(Location::Remote(remote.vtep())),
        Role::Claimant(claimant) => Some(Location::Remote(claimant.owner())),
    }
}

impl Slot {
    pub(crate) fn new(host: HostKey) -> Self {
        Self {
            role: Role::Absent(Absent::new()),
            known: Known::new(host),
            installed: None,
            footprint: Footprint::default(),
            bound: Vec::new(),
            bound_revision: 0,
            bound_answers: true,
            armed: None,
            confirm_armed: None,
            counted: None,
        }
    }

    /// Where the host is recorded.
    pub(crate) fn location(&self) -> Option<Location> {
        match &self.role {
            Role::Absent(_) | Role::Sought(_) => None,
            Role::Owner(owner) => Some(Location::Local(owner.port())),
            Role::Observer(remote) => Some(Location::Remote(remote.vtep())),
            Role::Claimant(claimant) => Some(Location::Remote(claimant.owner())),
        }
    }

    /// The tunnel to who has the host, and so says which addresses it has.
    pub(crate) fn kept_by(&self) -> Option<Location> {
        kept_by(&self.role)
    }

    /// The sequence with which this VTEP owns it.
    pub(crate) fn owned(&self) -> Option<Sequence> {
        match &self.role {
            Role::Owner(owner) => Some(owner.sequence()),
            Role::Sought(sought) => Some(sought.sequence()),
            Role::Absent(_) | Role::Observer(_) | Role::Claimant(_) => None,
        }
    }

    /// Whether peers are not told that it is here.
    pub(crate) fn is_withheld(&self) -> bool {
        match &self.role {
            Role::Owner(owner) => owner.is_withheld(),
            Role::Absent(_) | Role::Sought(_) | Role::Observer(_) | Role::Claimant(_) => false,
        }
    }

    /// What is going on with it.
    pub(crate) fn phase(&self) -> Phase {
        match &self.role {
            Role::Absent(_) | Role::Observer(_) => Phase::Settled,
            Role::Owner(owner) => match owner.inquiry() {
                None => Phase::Settled,
                Some(inquiry) if inquiry.is_contested() => Phase::Contested,
                Some(inquiry) if inquiry.is_unproven() => Phase::Unproven,
                Some(_) => Phase::Verifying,
            },
            Role::Sought(_) => Phase::Sought,
            Role::Claimant(claimant) if claimant.is_probing_through_tunnel() => Phase::ProbingThroughTunnel,
            Role::Claimant(_) => Phase::Claiming,
        }
    }

    pub(crate) fn info(&self) -> HostInfo {
        let of_route = |vtep| self.known.routes.of(vtep).map_or(Sequence::FIRST, |route| route.sequence);
        let sequence = match (self.owned(), self.location()) {
            (Some(sequence), _) => sequence,
            (None, Some(Location::Remote(vtep))) => of_route(vtep),
            (None, Some(Location::Local(_)) | None) => Sequence::FIRST,
        };
        Self::describe(self, sequence, self.phase())
    }

    fn describe(&self, sequence: Sequence, phase: Phase) -> HostInfo {
        HostInfo {
            host: self.known.key,
            location: self.location(),
            sequence,
            bindings: self.known.addresses.bindings(),
            phase,
            withheld: self.is_withheld(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There may be a hundred thousand. What is being decided is boxed.
    #[test]
    fn a_settled_host_is_small() {
        assert!(size_of::<Slot>() <= 736, "{} bytes", size_of::<Slot>());
    }
}
