//! What people may ask the state machine, and what they may have it forget.

use std::ops::Bound;
use std::time::Duration;

use crate::inout::detail::{AddressDetail, ClaimDetail, Clear, ExpectedAt, PortDetail, RefusedDetail, StayDetail};
use crate::inout::report::WhyUnproven;
use crate::machine::host::Role;
use crate::machine::mobility::Mobility;
use crate::machine::slot::{Census, HostInfo};
use crate::roles::fact::Fact;
use crate::roles::known::Announced;
use crate::words::ids::{AccessId, HostKey, Location, VtepAddr};
use crate::words::time::Instant;

/// One host, with the reasons: why it is where it is, and what would become of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostDetail {
    /// Where it is, and what goes on.
    pub info: HostInfo,
    /// Its addresses, in ascending order.
    pub addresses: Vec<AddressDetail>,
    /// It is known to answer where it is recorded: its silence there would prove that it is gone (4a).
    pub answers: bool,
    /// It left questions unanswered that it should have answered, or never answered one: its silence proves nothing.
    pub mute: bool,
    /// An answer that takes longer than this is overdue by this host's own habits; `None`: it is not known how quickly it answers.
    pub overdue_after: Option<Duration>,
    /// If this VTEP owns it: how it came here.
    pub stay: Option<StayDetail>,
    /// Who claims it, first come first.
    pub claims: Vec<ClaimDetail>,
    /// Why its silence has proved nothing to the claims that are open.
    pub unproven: Option<WhyUnproven>,
    /// Ports that are shut for it, and for how much longer.
    pub quarantined: Vec<(AccessId, Duration)>,
    /// Ports that have claimed it in vain lately.
    pub refused: Vec<RefusedDetail>,
    /// Where it is said to be going, and for how much longer that is believed.
    pub expected: Option<(ExpectedAt, Duration)>,
    /// Other VTEPs that say they have it.
    pub others: Vec<VtepAddr>,
    /// The port where it is recorded is known to have no link.
    pub no_link: bool,
}

impl Mobility {
    /// The hosts after `after`, in ascending order; all of them for `None`.
    pub fn hosts_after(&self, after: Option<HostKey>) -> impl Iterator<Item = HostInfo> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.hosts.range((from, Bound::Unbounded)).map(|(_, slot)| slot.info())
    }

    /// Counts up to `most` of the hosts after `after`; after whom to go on, if there are more.
    pub fn count(&self, census: &mut Census, after: Option<HostKey>, most: usize) -> Option<HostKey> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut hosts = self.hosts.range((from, Bound::Unbounded));
        let mut last = None;
        for (host, slot) in hosts.by_ref().take(most) {
            census.add(slot);
            last = Some(*host);
        }
        last.filter(|_| hosts.next().is_some())
    }

    /// All that is known of a host.
    pub fn detail(&self, host: &HostKey, now: Instant) -> Option<HostDetail> {
        let slot = self.hosts.get(host)?;
        let (known, timers) = (&slot.known, &self.config.timers);
        let place = slot.location();
        let stay = match &slot.role {
            Role::Owner(owner) => Some(owner.stay_detail(now)),
            Role::Absent(_) | Role::Sought(_) | Role::Observer(_) | Role::Claimant(_) => None,
        };
        let (claims, unproven): (Vec<ClaimDetail>, Option<WhyUnproven>) = match &slot.role {
            Role::Owner(owner) => owner.inquiry().map(|inquiry| inquiry.detail(now)).unwrap_or_default(),
            Role::Claimant(claimant) => (vec![claimant.detail(now)], None),
            Role::Absent(_) | Role::Sought(_) | Role::Observer(_) => Default::default(),
        };
        let expected = known.announced_until(now).map(|(to, left)| match to {
            Announced::At(place) => (ExpectedAt::At(place), left),
            Announced::Here => (ExpectedAt::Here, left),
        });
        let no_link = match place {
            Some(Location::Local(port)) => self.ports.down(port).is_some(),
            Some(Location::Remote(_)) | None => false,
        };
        Some(HostDetail {
            info: slot.info(),
            addresses: known.addresses.details(now),
            answers: place.is_some_and(|place| known.addresses.expected_at(place, now, timers).is_some()),
            mute: known.addresses.is_mute(),
            overdue_after: known.addresses.overdue_after(),
            stay,
            claims,
            unproven,
            quarantined: known.quarantine.iter().map(|&(port, until)| (port, until - now)).collect(),
            refused: self.damping.of_host(*host, now).collect(),
            expected,
            others: known.routes.vteps().filter(|vtep| place != Some(Location::Remote(*vtep))).collect(),
            no_link,
        })
    }

    /// All ports that have claimed hosts in vain lately.
    pub fn refused(&self, now: Instant) -> impl Iterator<Item = RefusedDetail> {
        self.damping.all(now)
    }

    /// What there is at an access interface.
    pub fn port(&self, port: AccessId) -> PortDetail {
        self.ports.detail(port)
    }

    pub(super) fn ask_now(&mut self, host: HostKey, now: Instant) {
        self.may_confirm = self.may_confirm.min(now);
        self.tell_known(host, Fact::AskNow, now);
    }

    pub(super) fn clear(&mut self, host: HostKey, what: Clear, now: Instant) {
        match what {
            Clear::Refusals => self.damping.forget_host(host),
            Clear::Attack => self.damping.forget_attack(host),
            Clear::Quarantine => {
                if let Some(mut slot) = self.hosts.remove(&host) {
                    slot.known.quarantine.clear();
                    self.put_back(host, slot, now);
                }
            }
        }
    }
}
