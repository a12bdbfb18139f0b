//! What remains of a move for a while: where the host was, for how long, and what is still done for it there (B7, B8, B12).
//!
//! A host that has become slower than the verdict is taken for gone, and nothing could have told. But its answer comes after all, out of the port that it
//! is said to have left, and then:
//!
//! - That answer is a claim whose place is known to answer: nothing more is asked before it is made. If the new place answers, too, the host is contested
//!   at once; if it does not, the host is back.
//! - The host is known to be so slow from then on, wherever it is asked where it was before.
//! - The new place hears the old one out, for as long as the slowest of hosts may take: it does not refuse it because its own host was quicker.
//!
//! An honest move pays for that if an answer was left in the queue of the old port: both places get the host's traffic until the old one has been asked
//! once more, a second and a half. Any other frame that was left there only has the old place asked; nothing is copied meanwhile.

use std::time::Duration;

use crate::guards::{Guard, is_out};
use crate::inout::detail::StayDetail;
use crate::words::config::Timers;
use crate::words::ids::{AccessId, Location, VtepAddr};
use crate::words::time::Instant;

/// At the VTEP that the host left, or for the port that it left.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) struct Aftermath {
    /// Where it was, and for how long.
    old: Option<(AccessId, Duration)>,
    /// A frame there is suspicious until then…
    watched_until: Instant,
    /// …and a claim there has that past to its credit until then.
    remembered_until: Instant,
    /// Until when traffic for it that comes out of a tunnel is sent on through another.
    hairpin_until: Instant,
}

impl Aftermath {
    /// The host has left `port` after `tenure` there.
    pub(crate) fn of_move(port: AccessId, tenure: Duration, now: Instant, timers: &Timers) -> Self {
        Self {
            old: Some((port, tenure)),
            watched_until: now + timers.old_port_watch,
            remembered_until: now + timers.probation,
            hairpin_until: now + timers.hairpin,
        }
    }

    /// The host never came, but others may send its traffic here for a while.
    pub(crate) fn of_refusal(before: Option<Self>, now: Instant, timers: &Timers) -> Self {
        let hairpin_until = now + timers.hairpin;
        match before {
            Some(before) => Self { hairpin_until, ..before },
            None => Self { old: None, watched_until: now, remembered_until: now, hairpin_until },
        }
    }

    /// Nothing that comes here is passed on any more.
    pub(crate) fn without_hairpin(self) -> Self {
        Self { hairpin_until: Instant::EPOCH, ..self }
    }

    /// Whether the host left `port` only just now.
    pub(crate) fn just_left(&self, port: AccessId, now: Instant) -> bool {
        self.old.is_some_and(|(old, _)| old == port) && now < self.watched_until
    }

    /// How long ago it left, while its old port is watched.
    pub(crate) fn left_ago(&self, now: Instant, timers: &Timers) -> Duration {
        timers.old_port_watch.saturating_sub(self.watched_until - now)
    }

    /// For how long the host was at `port` before it left; zero if it was not, or too long ago.
    pub(crate) fn tenure_at(&self, port: AccessId, now: Instant) -> Duration {
        match self.old {
            Some((old, tenure)) if old == port && now < self.remembered_until => tenure,
            Some(_) | None => Duration::ZERO,
        }
    }

    pub(crate) fn passes_on(&self, now: Instant) -> bool {
        now < self.hairpin_until
    }

    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now >= self.hairpin_until && now >= self.watched_until && now >= self.remembered_until
    }

    /// When the next of it is over.
    pub(crate) fn next_end(&self, now: Instant) -> Option<Instant> {
        [self.watched_until, self.remembered_until, self.hairpin_until].into_iter().filter(|&end| end > now).min()
    }
}

/// At the place that the host came to: how far it is to be trusted (B12).
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) struct Stay {
    since: Instant,
    /// For how long it was here before, if it has only been away for a while.
    credit: Duration,
    before: Option<(Location, Duration)>,
    settled_at: Instant,
    trusted_at: Instant,
    doubt: Doubt,
    /// It was taken without a word of who had it before, and without evidence (B9).
    by_policy: bool,
    /// It was known to answer then, and has not answered here since.
    awaited: bool,
}

/// Whether the host may have been elsewhere before, which this VTEP does not know: it has forgotten it when it restarted, or was never told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Doubt {
    /// Nothing can have been forgotten, or what was does not matter.
    No,
    /// It was heard before all peers had said what they know. Once they have, and said nothing of this host, there was nothing to forget.
    Unheard,
    /// It was heard while a peer was out of use, which does not say which hosts it has.
    Withheld,
    /// A peer remembers it here, but not at which port.
    Here,
    /// A peer has it, too.
    Anywhere,
}

impl Stay {
    /// Nobody had the host, or it is not known who.
    pub(crate) fn first(now: Instant) -> Self {
        Self {
            since: now,
            credit: Duration::ZERO,
            before: None,
            settled_at: now,
            trusted_at: now,
            doubt: Doubt::No,
            by_policy: false,
            awaited: false,
        }
    }

    /// It may have been elsewhere, which this VTEP does not know.
    pub(crate) fn doubtful(doubt: Doubt, now: Instant, timers: &Timers) -> Self {
        Self { trusted_at: now + timers.probation, doubt, ..Self::first(now) }
    }

    /// Whether it was heard before anybody had said what he knows, and has not been here for long since.
    pub(crate) fn is_unheard_of(&self, now: Instant) -> bool {
        self.doubt == Doubt::Unheard && (now < self.trusted_at || is_out(Guard::OnlyOnProbation))
    }

    /// A peer has said what it remembers of a host of which nobody had yet said anything. What is said when all have told what they know, `all_told`, is
    /// news.
    pub(crate) fn heard_of(&mut self, remembered: Doubt, all_told: impl Fn() -> bool) {
        if self.doubt == Doubt::Unheard {
            self.doubt = if all_told() { Doubt::No } else { remembered };
        }
    }

    /// A peer that was out of use says that it has it: it may have had it all the time.
    pub(crate) fn is_withheld_elsewhere(&mut self) {
        if self.doubt == Doubt::Withheld {
            self.doubt = Doubt::Anywhere;
        }
    }

    /// It came from `before`, where it had been for `tenure`. Before that it was here for `credit`.
    pub(crate) fn after_move(
        before: Location,
        tenure: Duration,
        credit: Duration,
        now: Instant,
        timers: &Timers,
    ) -> Self {
        let (settled_at, trusted_at) = (now + timers.old_port_watch, now + timers.probation);
        Self { credit, before: Some((before, tenure)), settled_at, trusted_at, ..Self::first(now) }
    }

    /// The same, but nobody and nothing said so. `answering`: it was known to answer.
    pub(crate) fn by_policy(self, answering: bool) -> Self {
        Self { by_policy: true, awaited: answering, ..self }
    }

    /// A peer says that it had it, and gives it up: if it was taken from that one, then it has been given now.
    pub(crate) fn given_by(&mut self, by: VtepAddr) {
        if self.taken_from() == Some(by) && !is_out(Guard::GivenAfterwards) {
            self.by_policy = false;
        }
    }

    /// It has answered here.
    pub(crate) fn answered(&mut self) {
        self.awaited = false;
    }

    /// Whether it is by nothing but policy that it is believed to be here, and not for long; or for however long, if it was known to answer and has not
    /// answered here once: that it answers where it was before, or at a VTEP that has been given it since, is proof enough, unless it answers
    /// here, too. A VTEP that was away for hours finds its hosts again.
    pub(crate) fn is_by_policy(&self, now: Instant) -> bool {
        self.by_policy && (now < self.trusted_at || self.awaited) && !is_out(Guard::PolicyGoesBack)
    }

    /// The VTEP that had it, if it was taken without a word of that one.
    pub(crate) fn taken_from(&self) -> Option<VtepAddr> {
        match self.before {
            Some((Location::Remote(vtep), _)) if self.by_policy => Some(vtep),
            Some(_) | None => None,
        }
    }

    /// Whether it was only heard here first when it was not known who had it, and a peer had it before that: if it answers there, and not here, it is
    /// there, and whoever was heard here is silent for being somebody else, not for being a host that does not answer.
    pub(crate) fn may_have_been_anywhere(&self, now: Instant) -> bool {
        self.doubt == Doubt::Anywhere && now < self.trusted_at && !is_out(Guard::AnsweredRival)
    }

    /// Whether it came here from `place`.
    pub(crate) fn came_from(&self, place: Location) -> bool {
        self.before.is_some_and(|(before, _)| before == place)
    }

    /// For people.
    pub(crate) fn detail(&self, now: Instant) -> StayDetail {
        let probation = (now < self.trusted_at).then(|| self.trusted_at - now);
        StayDetail { tenure: self.tenure(now), before: self.before, probation }
    }

    /// For how long it has been here, before it was away for a while included.
    pub(crate) fn tenure(&self, now: Instant) -> Duration {
        self.credit + (now - self.since)
    }

    /// Whether an answer here is not enough against a claim by `place`, which has `tenure` to its credit: it is the place where the host was for
    /// long before, or the move is so fresh that who came first decides nothing; or it may have been there before a restart, `all_told` saying whether
    /// all peers have told what they know.
    pub(crate) fn must_yield_to_answers_of(
        &self,
        place: Location,
        tenure: Duration,
        all_told: impl Fn() -> bool,
        now: Instant,
    ) -> bool {
        let doubted = match (self.doubt, place) {
            (Doubt::No | Doubt::Withheld, _) | (Doubt::Here, Location::Remote(_)) => false,
            (Doubt::Unheard, _) => now < self.trusted_at && !all_told(),
            (Doubt::Anywhere, _) | (Doubt::Here, Location::Local(_)) => now < self.trusted_at,
        };
        let was_there = self.came_from(place) || tenure > Duration::ZERO;
        let for_long = tenure.max(self.earlier_tenure(place)) >= self.credit;
        let unfounded = self.is_by_policy(now) && matches!(place, Location::Remote(_));
        let any = doubted || unfounded || now < self.settled_at || (was_there && for_long && now < self.trusted_at);
        any && !is_out(Guard::Probation)
    }

    /// For how long the host was at `place` before it came here, as far as is known.
    pub(crate) fn earlier_tenure(&self, place: Location) -> Duration {
        self.before.filter(|&(before, _)| before == place).map_or(Duration::ZERO, |(_, tenure)| tenure)
    }
}
