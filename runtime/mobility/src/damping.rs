//! Refused claims are remembered for a short while, and repeated ones are an attack (B6).
//!
//! What is remembered is a (host, port) pair, never a host: the rightful owner pays nothing for claims against it. The memory is bounded
//! per port, so a port that claims everything forgets its own past, not that of others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::config::{Limits, Timers};
use crate::ids::{AccessId, HostKey};
use crate::time::Instant;

#[derive(Debug, Default)]
pub(crate) struct Damping {
    ports: BTreeMap<AccessId, PortMemory>,
}

#[derive(Debug, Default)]
struct PortMemory {
    claims: BTreeMap<HostKey, Memory>,
    by_expiry: BTreeSet<(Instant, HostKey)>,
}

#[derive(Debug)]
struct Memory {
    /// Until then the claim is not taken up again.
    damped_until: Instant,
    /// How long that was.
    damped_for: Duration,
    /// The latest refusals, at most as many as make an attack.
    refusals: VecDeque<Instant>,
    forgotten_at: Instant,
}

impl Damping {
    pub(crate) fn is_damped(&self, host: HostKey, port: AccessId, now: Instant) -> bool {
        let memory = self.ports.get(&port).and_then(|memory| memory.claims.get(&host));
        memory.is_some_and(|memory| now < memory.damped_until)
    }

    /// Remembers that a claim heard at `heard` was refused.
    ///
    /// The damping counts from when the claim was heard: one that is refused at 0 ms must be able to win with the announcement at 200 ms, however
    /// long the refusal took.
    pub(crate) fn refuse(
        &mut self,
        host: HostKey,
        port: AccessId,
        heard: Instant,
        now: Instant,
        timers: &Timers,
        limits: &Limits,
    ) -> Refused {
        let memory = self.ports.entry(port).or_default();
        memory.forget_expired(now);
        let known = memory.take(host);
        let damped_for = match &known {
            Some(known) => (known.damped_for * 2).min(timers.refusal_memory_max),
            None => timers.refusal_memory,
        };
        let mut refusals = known.map(|known| known.refusals).unwrap_or_default();
        refusals.retain(|&at| now.since(at) < timers.attack_window);
        refusals.push_back(now);
        let count = u32::try_from(refusals.len()).unwrap_or(u32::MAX);
        let outcome = if count >= timers.attack_refusals {
            refusals.clear();
            Refused::Attack { refusals: count }
        } else {
            Refused::Once
        };
        let damped_until = heard + damped_for;
        let forgotten_at = damped_until.max(now + timers.attack_window);
        memory.put(host, Memory { damped_until, damped_for, refusals, forgotten_at }, limits.refusals_per_port);
        outcome
    }

    /// Does not take the claim up again for a moment, without holding it against the port.
    pub(crate) fn pause(
        &mut self,
        host: HostKey,
        port: AccessId,
        heard: Instant,
        now: Instant,
        timers: &Timers,
        limits: &Limits,
    ) {
        let memory = self.ports.entry(port).or_default();
        memory.forget_expired(now);
        let mut paused = memory.take(host).unwrap_or_else(|| Memory {
            damped_until: heard,
            damped_for: timers.refusal_memory,
            refusals: VecDeque::new(),
            forgotten_at: heard,
        });
        paused.damped_until = paused.damped_until.max(heard + timers.refusal_memory);
        paused.forgotten_at = paused.forgotten_at.max(paused.damped_until);
        memory.put(host, paused, limits.refusals_per_port);
    }

    /// The claim turned out to be true.
    pub(crate) fn forget(&mut self, host: HostKey, port: AccessId) {
        if let Some(memory) = self.ports.get_mut(&port) {
            memory.take(host);
            if memory.claims.is_empty() {
                self.ports.remove(&port);
            }
        }
    }

    /// Whoever is behind the port after it was down has no past.
    pub(crate) fn forget_port(&mut self, port: AccessId) {
        self.ports.remove(&port);
    }
}

/// How a refusal counts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It can happen.
    Once,
    /// It happened so often that it is to be reported.
    Attack { refusals: u32 },
}

impl PortMemory {
    fn take(&mut self, host: HostKey) -> Option<Memory> {
        let memory = self.claims.remove(&host)?;
        self.by_expiry.remove(&(memory.forgotten_at, host));
        Some(memory)
    }

    fn put(&mut self, host: HostKey, memory: Memory, limit: usize) {
        while self.claims.len() >= limit.max(1) {
            let Some((_, oldest)) = self.by_expiry.pop_first() else { break };
            self.claims.remove(&oldest);
        }
        self.by_expiry.insert((memory.forgotten_at, host));
        self.claims.insert(host, memory);
    }

    fn forget_expired(&mut self, now: Instant) {
        while let Some(&(at, host)) = self.by_expiry.first() {
            if at > now {
                break;
            }
            self.by_expiry.pop_first();
            self.claims.remove(&host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vouch_net::{MacAddr, Vni};

    fn host(last: u8) -> HostKey {
        HostKey { vni: Vni::new(10).expect("fits"), mac: MacAddr([2, 0, 0, 0, 0, last]) }
    }

    fn ms(millis: u64) -> Instant {
        Instant::EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn damping_doubles_up_to_the_maximum_and_counts_from_when_the_claim_was_heard() {
        let (timers, limits) = (Timers::default(), Limits::default());
        let mut damping = Damping::default();
        let mut heard = ms(0);
        for expected in [200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
            let refused = heard + Duration::from_millis(30);
            damping.refuse(host(1), AccessId(1), heard, refused, &timers, &limits);
            let until = heard + Duration::from_millis(expected);
            let just_before = heard + Duration::from_millis(expected - 1);
            assert!(damping.is_damped(host(1), AccessId(1), just_before));
            assert!(!damping.is_damped(host(1), AccessId(1), until));
            heard = until;
        }
        assert!(!damping.is_damped(host(1), AccessId(2), ms(1)), "another port is not damped");
    }

    #[test]
    fn every_third_refusal_within_the_window_is_an_attack() {
        let (timers, limits) = (Timers::default(), Limits::default());
        let mut damping = Damping::default();
        let mut refuse = |at| damping.refuse(host(1), AccessId(1), ms(at), ms(at), &timers, &limits);
        assert_eq!(refuse(0), Refused::Once);
        assert_eq!(refuse(59_000), Refused::Once);
        assert_eq!(refuse(60_500), Refused::Once, "the first one is too long ago");
        assert_eq!(refuse(61_000), Refused::Attack { refusals: 3 });
        assert_eq!(refuse(62_000), Refused::Once, "reported once, counted anew");
    }

    #[test]
    fn the_memory_of_a_port_is_bounded_and_ends() {
        let (timers, limits) = (Timers::default(), Limits { refusals_per_port: 2, ..Limits::default() });
        let mut damping = Damping::default();
        for (last, at) in [(1, 0), (2, 1), (3, 2)] {
            damping.refuse(host(last), AccessId(1), ms(at), ms(at), &timers, &limits);
        }
        assert!(!damping.is_damped(host(1), AccessId(1), ms(3)), "the oldest is forgotten");
        assert!(damping.is_damped(host(2), AccessId(1), ms(3)) && damping.is_damped(host(3), AccessId(1), ms(3)));
        damping.refuse(host(4), AccessId(1), ms(100_000), ms(100_000), &timers, &limits);
        assert_eq!(damping.ports[&AccessId(1)].claims.len(), 1, "what expired is gone");
    }

    #[test]
    fn a_true_claim_and_a_port_that_went_down_have_no_past() {
        let (timers, limits) = (Timers::default(), Limits::default());
        let mut damping = Damping::default();
        for last in [1, 2] {
            damping.refuse(host(last), AccessId(1), ms(0), ms(0), &timers, &limits);
        }
        damping.forget(host(1), AccessId(1));
        assert!(!damping.is_damped(host(1), AccessId(1), ms(1)) && damping.is_damped(host(2), AccessId(1), ms(1)));
        damping.forget_port(AccessId(1));
        assert!(!damping.is_damped(host(2), AccessId(1), ms(1)));
    }
}
