//! What is known of a host whatever this VTEP is to it.

use std::time::Duration;

use crate::guards::{Guard, is_out};
use crate::knowledge::addresses::{Addresses, MAX_PATIENCE};
use crate::knowledge::aftermath::Aftermath;
use crate::knowledge::routes::Routes;
use crate::words::config::Timers;
use crate::words::ids::{AccessId, HostKey, Location};
use crate::words::time::Instant;

#[derive(Debug, Clone, Hash)]
pub(crate) struct Known {
    pub(crate) key: HostKey,
    pub(crate) addresses: Addresses,
    /// What the peers say. While we own the host: others that say they do.
    pub(crate) routes: Routes,
    /// What remains of the last move away from here.
    pub(crate) aftermath: Option<Aftermath>,
    /// Ports that are shut for it, and until when.
    pub(crate) quarantine: Vec<(AccessId, Instant)>,
    /// Where it is said to be going, and until when that is believed (B15).
    announced: Option<(Announced, Instant)>,
}

/// Where a host is said to be going.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Announced {
    At(Location),
    /// To this VTEP, it was not said to which port.
    Here,
}

impl Announced {
    pub(crate) fn is(self, place: Location) -> bool {
        match (self, place) {
            (Self::At(announced), place) => announced == place,
            (Self::Here, Location::Local(_)) => true,
            (Self::Here, Location::Remote(_)) => false,
        }
    }
}

impl Known {
    pub(crate) fn new(key: HostKey) -> Self {
        Self {
            key,
            addresses: Addresses::default(),
            routes: Routes::default(),
            aftermath: None,
            quarantine: Vec::new(),
            announced: None,
        }
    }

    pub(crate) fn is_quarantined(&self, port: AccessId) -> bool {
        self.quarantine.iter().any(|&(shut, _)| shut == port)
    }

    /// Whether the host left `port` only just now.
    pub(crate) fn just_left(&self, port: AccessId, now: Instant) -> bool {
        self.aftermath.is_some_and(|after| after.just_left(port, now))
    }

    pub(crate) fn tenure_at(&self, port: AccessId, now: Instant) -> Duration {
        self.aftermath.map_or(Duration::ZERO, |after| after.tenure_at(port, now))
    }

    /// Whether an answer out of `port`, where the host is not recorded, shows that it is where it was before (B12). One that comes soon after it left is
    /// one to the question that was taken to be unanswered: it takes longer than was thought, and is given that time from now on.
    pub(crate) fn answers_after_all(&mut self, port: AccessId, now: Instant, timers: &Timers) -> bool {
        if let Some(after) = self.aftermath.filter(|after| after.just_left(port, now)) {
            let time = timers.verdict_after + after.left_ago(now, timers);
            self.addresses.answered(Some(time.min(MAX_PATIENCE)));
        }
        !self.tenure_at(port, now).is_zero() && !is_out(Guard::AnswersAfterAll)
    }

    /// How long an answer at `port`, which is claimed, is waited for at the least. The host is known to take its time where it was before; who is there
    /// now may be somebody else elsewhere.
    pub(crate) fn patience_at(&self, port: AccessId, now: Instant) -> Option<Duration> {
        let was_there = !self.tenure_at(port, now).is_zero() && !is_out(Guard::Patience);
        self.addresses.patience().filter(|_| was_there)
    }

    /// Whether traffic that comes out of a tunnel is still sent on through another.
    pub(crate) fn passes_on(&self, now: Instant) -> bool {
        self.aftermath.is_some_and(|after| after.passes_on(now))
    }

    pub(crate) fn announce(&mut self, to: Announced, until: Instant) {
        self.announced = Some((to, until));
    }

    /// It has arrived, or will not.
    pub(crate) fn forget_announcement(&mut self) {
        self.announced = None;
    }

    /// Where it is said to be going.
    pub(crate) fn announced(&self, now: Instant) -> Option<Announced> {
        self.announced.filter(|&(_, until)| now < until).map(|(to, _)| to)
    }

    /// The same, and for how much longer that is believed.
    pub(crate) fn announced_until(&self, now: Instant) -> Option<(Announced, Duration)> {
        self.announced.filter(|&(_, until)| now < until).map(|(to, until)| (to, until - now))
    }

    /// Whether it is said to be going to this VTEP, but not to `port`.
    pub(crate) fn is_expected_at_another_port(&self, port: AccessId, now: Instant) -> bool {
        match self.announced(now) {
            Some(Announced::At(Location::Local(announced))) => announced != port,
            Some(Announced::At(Location::Remote(_)) | Announced::Here) | None => false,
        }
    }

    /// Whether it is said to be going to `place`.
    pub(crate) fn is_announced_at(&self, place: Location, now: Instant) -> bool {
        self.announced(now).is_some_and(|announced| announced.is(place))
    }

    /// Lets what is over be over.
    pub(crate) fn expire(&mut self, kept_by: Option<Location>, now: Instant, timers: &Timers) {
        self.aftermath = self.aftermath.filter(|after| !after.is_over(now));
        self.quarantine.retain(|&(_, until)| now < until);
        self.announced = self.announced.filter(|&(_, until)| now < until);
        self.routes.remove_expired(now);
        self.addresses.expire(kept_by, now, timers);
    }

    /// When [`Self::expire`] has something to do.
    pub(crate) fn next_expiry(&self, kept_by: Option<Location>, now: Instant, timers: &Timers) -> Option<Instant> {
        let aftermath = self.aftermath.and_then(|after| after.next_end(now));
        let quarantine = self.quarantine.iter().map(|&(_, until)| until).min();
        let announced = self.announced.map(|(_, until)| until);
        let addresses = self.addresses.next_expiry(kept_by, timers);
        [aftermath, quarantine, announced, addresses, self.routes.next_expiry()].into_iter().flatten().min()
    }
}
