//! Refused claims are remembered for a short while, and repeated ones are an attack (B6). Nothing that falls into the memory is lost (B13).
//!
//! What is remembered is a (host, port) pair, never a host: the rightful owner pays nothing for claims against it. The memory is bounded
//! per port, so a port that claims everything forgets its own past, not that of others; and what still damps is not washed out by new claims.
//!
//! A claim that is heard while it is damped is asked about in passing ([`Admitted::InPassing`]): whether the host has fallen silent since. If it has
//! not, nobody hears of it and nothing is held against the port. What comes too soon even for that is remembered, and taken up by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::words::config::{Limits, Timers};
use crate::words::ids::{AccessId, HostKey};
use crate::words::time::{Instant, Wait};

/// Refusals that follow each other within so many refusal memories count as one: a destination that announces a guest too early says so five times
/// (QEMU, at 0, 50, 200, 450 and 800 ms), and is no attacker.
const EPISODE: u32 = 2;

/// So many of the addresses that a claim named are remembered with it.
const MAX_ADDRESSES: usize = 4;

#[derive(Debug, Default)]
pub(crate) struct Damping {
    ports: BTreeMap<AccessId, PortMemory>,
    /// What is to be taken up again, and when.
    again: BTreeSet<(Instant, HostKey, AccessId)>,
}

#[derive(Debug, Default)]
struct PortMemory {
    claims: BTreeMap<HostKey, Memory>,
    by_expiry: BTreeSet<(Instant, HostKey)>,
}

#[derive(Debug, Clone)]
struct Memory {
    /// Until then the claim is damped.
    damped_until: Instant,
    /// How long that was.
    damped_for: Wait,
    /// How long it was not taken up for a reason that is not the port's.
    paused_for: Wait,
    /// When the host may be asked in passing.
    ask_from: Instant,
    /// How many refusals count towards an attack, since when, and the last of them.
    refusals: u32,
    first_refused: Instant,
    last_refused: Instant,
    /// An attack was reported.
    reported: bool,
    /// It was heard in vain, and is taken up again then.
    again: Option<Instant>,
    /// What the host said there of its addresses, latest first: it may have changed them, and be asked for nothing that it has otherwise.
    addresses: Vec<IpAddr>,
    forgotten_at: Instant,
}

/// What becomes of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// It is made.
    Fully,
    /// It was refused lately: the host is asked, for the case that it has fallen silent since.
    InPassing,
    /// It comes too soon, and is taken up at that time unless something else happens.
    Later(Instant),
}

/// How a refusal counts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It can happen.
    Once,
    /// It happened so often that it is to be reported.
    Attack { refusals: u32 },
    /// There was no room to remember it.
    NotRemembered,
}

impl Damping {
    /// Whether a claim may be made now.
    pub(crate) fn admits(&self, host: HostKey, port: AccessId, now: Instant) -> Admitted {
        match self.ports.get(&port).and_then(|memory| memory.claims.get(&host)) {
            None => Admitted::Fully,
            Some(memory) if now >= memory.damped_until => Admitted::Fully,
            Some(memory) if now >= memory.ask_from => Admitted::InPassing,
            Some(memory) => Admitted::Later(memory.ask_from.min(memory.damped_until)),
        }
    }

    /// The host is being asked in passing: not again at once.
    pub(crate) fn asked_in_passing(&mut self, host: HostKey, port: AccessId, now: Instant, timers: &Timers) {
        if let Some(memory) = self.ports.get_mut(&port).and_then(|memory| memory.claims.get_mut(&host)) {
            memory.ask_from = now + timers.damped_question;
        }
    }

    /// A claim that was heard while it is damped is taken up once more when that is over (B13).
    pub(crate) fn remember_until_over(&mut self, claim: Claim, now: Instant) {
        let memory = self.ports.get(&claim.port).and_then(|memory| memory.claims.get(&claim.host));
        if let Some(over) = memory.map(|memory| memory.damped_until).filter(|&over| over > now) {
            self.remember(claim, over);
        }
    }

    /// A claim came too soon: it is taken up at `when` (B13).
    pub(crate) fn remember(&mut self, claim: Claim, when: Instant) {
        let Claim { host, port, heard: _, addresses } = claim;
        let Some(memory) = self.ports.get_mut(&port).and_then(|memory| memory.claims.get_mut(&host)) else { return };
        memory.names(addresses);
        if memory.again.is_none() {
            memory.again = Some(when);
            self.again.insert((when, host, port));
        }
    }

    /// When the next claim is to be taken up again.
    pub(crate) fn next_again(&self) -> Option<Instant> {
        self.again.first().map(|&(when, _, _)| when)
    }

    /// A claim to take up again now.
    pub(crate) fn take_again(&mut self, now: Instant) -> Option<Claim> {
        let &(when, host, port) = self.again.first().filter(|&&(when, _, _)| when <= now)?;
        self.again.pop_first();
        let memory = self.ports.get_mut(&port).and_then(|memory| memory.claims.get_mut(&host));
        let addresses = memory.map_or_else(Vec::new, |memory| {
            debug_assert_eq!(memory.again, Some(when));
            memory.again = None;
            std::mem::take(&mut memory.addresses)
        });
        Some(Claim { host, port, heard: now, addresses })
    }

    /// Remembers that a claim heard at `heard` was refused.
    ///
    /// The damping counts from when the claim was heard: one that is refused at 0 ms must be able to win with the announcement at 200 ms, however
    /// long the refusal took (rule 5). `counts`: whether it counts towards an attack.
    pub(crate) fn refuse(
        &mut self,
        claim: Claim,
        counts: bool,
        now: Instant,
        timers: &Timers,
        limits: &Limits,
    ) -> Refused {
        let Claim { host, port, heard, addresses } = claim;
        self.forget_expired(port, now);
        let mut memory = self.take(host, port).unwrap_or_else(|| Memory::new(heard));
        memory.names(addresses);
        memory.damped_until = heard + memory.damped_for.longer(timers.refusal_memory, timers.refusal_memory_max);
        memory.ask_from = now + timers.damped_question;
        let mut outcome = Refused::Once;
        if counts {
            if memory.refusals == 0 || now.since(memory.first_refused) >= timers.attack_window {
                memory.refusals = 1;
                memory.first_refused = now;
                memory.last_refused = now;
            } else if now.since(memory.last_refused) >= timers.refusal_memory * EPISODE {
                memory.refusals += 1;
                memory.last_refused = now;
            }
            if memory.refusals >= timers.attack_refusals {
                outcome = Refused::Attack { refusals: memory.refusals };
                memory.reported = true;
                memory.refusals = 0;
            }
        }
        memory.forgotten_at = memory.damped_until.max(now + timers.attack_window);
        if self.put(host, port, memory, now, limits) { outcome } else { Refused::NotRemembered }
    }

    /// Does not take the claim up again for a moment, longer each time, without holding it against the port; then it is taken up by itself.
    /// `false`: there was no room to remember it.
    pub(crate) fn pause(&mut self, claim: Claim, again: bool, now: Instant, timers: &Timers, limits: &Limits) -> bool {
        let Claim { host, port, heard, addresses } = claim;
        self.forget_expired(port, now);
        let mut memory = self.take(host, port).unwrap_or_else(|| Memory::new(heard));
        memory.names(addresses);
        let paused_for = memory.paused_for.longer(timers.refusal_memory, timers.refusal_memory_max);
        memory.damped_until = memory.damped_until.max(now + paused_for);
        memory.ask_from = memory.damped_until;
        memory.forgotten_at = memory.forgotten_at.max(memory.damped_until + timers.refusal_memory_max);
        let when = memory.damped_until;
        let remembered = self.put(host, port, memory, now, limits);
        if remembered && again {
            self.remember(Claim { host, port, heard, addresses: Vec::new() }, when);
        }
        remembered
    }

    /// The claim turned out to be true. Whether it had been reported as an attack.
    pub(crate) fn forget(&mut self, host: HostKey, port: AccessId) -> bool {
        let memory = self.take(host, port);
        if self.ports.get(&port).is_some_and(|memory| memory.claims.is_empty()) {
            self.ports.remove(&port);
        }
        memory.is_some_and(|memory| memory.reported)
    }

    /// Whoever is behind the port after it was down has no past.
    pub(crate) fn forget_port(&mut self, port: AccessId) {
        if let Some(memory) = self.ports.remove(&port) {
            for (host, memory) in memory.claims {
                if let Some(when) = memory.again {
                    self.again.remove(&(when, host, port));
                }
            }
        }
    }

    fn take(&mut self, host: HostKey, port: AccessId) -> Option<Memory> {
        let of_port = self.ports.get_mut(&port)?;
        let mut memory = of_port.claims.remove(&host)?;
        of_port.by_expiry.remove(&(memory.forgotten_at, host));
        if let Some(when) = memory.again.take() {
            self.again.remove(&(when, host, port));
        }
        Some(memory)
    }

    /// `false`: every place is taken by what still damps.
    fn put(&mut self, host: HostKey, port: AccessId, memory: Memory, now: Instant, limits: &Limits) -> bool {
        let full = |of: &PortMemory| of.claims.len() >= limits.refusals_per_port.max(1);
        if self.ports.get(&port).is_some_and(full) {
            let of = &self.ports[&port];
            let over = of.by_expiry.iter().find(|(_, host)| of.claims[host].damped_until <= now).map(|&(_, host)| host);
            let Some(over) = over else { return false };
            self.take(over, port);
        }
        let of_port = self.ports.entry(port).or_default();
        of_port.by_expiry.insert((memory.forgotten_at, host));
        of_port.claims.insert(host, memory);
        true
    }

    fn forget_expired(&mut self, port: AccessId, now: Instant) {
        while let Some(&(at, host)) = self.ports.get(&port).and_then(|memory| memory.by_expiry.first()) {
            if at > now {
                break;
            }
            self.take(host, port);
        }
    }
}

/// Which claim, when it was heard, and which addresses the host said it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) host: HostKey,
    pub(crate) port: AccessId,
    pub(crate) heard: Instant,
    pub(crate) addresses: Vec<IpAddr>,
}

impl Memory {
    fn names(&mut self, addresses: Vec<IpAddr>) {
        let before = std::mem::replace(&mut self.addresses, addresses);
        for address in before {
            if !self.addresses.contains(&address) {
                self.addresses.push(address);
            }
        }
        self.addresses.truncate(MAX_ADDRESSES);
    }

    fn new(heard: Instant) -> Self {
        Self {
            damped_until: heard,
            damped_for: Wait::default(),
            paused_for: Wait::default(),
            ask_from: heard,
            refusals: 0,
            first_refused: heard,
            last_refused: heard,
            reported: false,
            again: None,
            addresses: Vec::new(),
            forgotten_at: heard,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use vouch_net::{MacAddr, Vni};

    fn host(last: u8) -> HostKey {
        HostKey { vni: Vni::new(10).expect("fits"), mac: MacAddr([2, 0, 0, 0, 0, last]) }
    }

    fn ms(millis: u64) -> Instant {
        Instant::EPOCH + Duration::from_millis(millis)
    }

    fn claim(last: u8, port: u16, heard: u64) -> Claim {
        Claim { host: host(last), port: AccessId(port), heard: ms(heard), addresses: Vec::new() }
    }

    #[test]
    fn b6_damping_doubles_up_to_the_maximum_and_counts_from_when_the_claim_was_heard() {
        let (timers, limits) = (Timers::default(), Limits::default());
        let mut damping = Damping::default();
        let mut heard = 0;
        for expected in [200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
            damping.refuse(claim(1, 1, heard), true, ms(heard + 30), &timers, &limits);
            let admits = |at| damping.admits(host(1), AccessId(1), ms(at));
            assert_eq!(admits(heard + 31), Admitted::Later(ms(heard + 50)));
            assert_eq!(admits(heard + expected - 1), Admitted::InPassing);
            assert_eq!(admits(heard + expected), Admitted::Fully);
            heard += expected;
        }
        assert_eq!(damping.admits(host(1), AccessId(2), ms(1)), Admitted::Fully, "another port is not damped");
    }

    #[test]
    fn b6_three_refusals_a_second_apart_within_the_window_are_an_attack() {
        let (timers, limits) = (Timers::default(), Limits::default());
        let mut damping = Damping::default();
        let mut refuse = |at| damping.refuse(claim(1, 1, at), true, ms(at), &timers, &limits);
        assert_eq!(refuse(0), Refused::Once);
        assert_eq!(refuse(200), Refused::Once, "an early announcement comes in several frames");
        assert_eq!(refuse(800), Refused::Once);
        assert_eq!(refuse(1_000), Refused::Once);
        assert_eq!(refuse(2_000), Refused::Attack { refusals: 3 });
        assert_eq!(refuse(3_000), Refused::Once, "reported once, counted anew");
        assert!(damping.forget(host(1), AccessId(1)), "if it was no attack after all, that is said");
    }

    #[test]
    fn b13_what_comes_too_soon_is_taken_up_by_itself() {
        let (timers, limits) = (Timers::default(), Limits::default());
        let mut damping = Damping::default();
        damping.refuse(claim(1, 1, 0), true, ms(1), &timers, &limits);
        let Admitted::Later(when) = damping.admits(host(1), AccessId(1), ms(2)) else { panic!("it is damped") };
        damping.remember(claim(1, 1, 2), when);
        assert_eq!(damping.next_again(), Some(ms(21)));
        assert_eq!(damping.take_again(ms(20)), None);
        assert_eq!(damping.take_again(ms(21)), Some(claim(1, 1, 21)));
        assert_eq!(damping.admits(host(1), AccessId(1), ms(21)), Admitted::InPassing);
        damping.asked_in_passing(host(1), AccessId(1), ms(21), &timers);
        assert_eq!(damping.admits(host(1), AccessId(1), ms(22)), Admitted::Later(ms(41)));
        damping.remember(claim(1, 1, 22), ms(41));
        damping.forget_port(AccessId(1));
        assert_eq!(damping.next_again(), None);
    }

    #[test]
    fn b13_what_was_heard_while_it_was_damped_is_taken_up_when_that_is_over() {
        let (timers, limits) = (Timers::default(), Limits::default());
        let mut damping = Damping::default();
        damping.refuse(claim(1, 1, 0), true, ms(1), &timers, &limits);
        damping.remember_until_over(claim(1, 1, 50), ms(50));
        assert_eq!(damping.next_again(), Some(ms(200)));
        assert_eq!(damping.take_again(ms(200)), Some(claim(1, 1, 200)));
        damping.remember_until_over(claim(1, 1, 200), ms(200));
        assert_eq!(damping.next_again(), None, "it is over");
    }

    #[test]
    fn b13_the_latest_addresses_of_a_claim_are_remembered_with_it() {
        let (timers, limits) = (Timers::default(), Limits::default());
        let mut damping = Damping::default();
        let named = |last: u8| IpAddr::from([10, 0, 0, last]);
        let claim =
            |addresses: &[u8]| Claim { addresses: addresses.iter().copied().map(named).collect(), ..claim(1, 1, 0) };
        damping.refuse(claim(&[1, 2, 3]), true, ms(1), &timers, &limits);
        damping.remember(claim(&[4, 1]), ms(20));
        damping.remember(claim(&[5]), ms(30));
        assert_eq!(damping.take_again(ms(20)), Some(Claim { heard: ms(20), ..claim(&[5, 4, 1, 2]) }));
    }

    #[test]
    fn b13_a_claim_that_nobody_can_decide_is_taken_up_again_less_and_less_often() {
        let (timers, limits) = (Timers::default(), Limits::default());
        let mut damping = Damping::default();
        let mut now = 0;
        for expected in [200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
            assert!(damping.pause(claim(1, 1, now), true, ms(now), &timers, &limits));
            assert_eq!(damping.next_again(), Some(ms(now + expected)));
            now += expected;
            damping.take_again(ms(now));
            assert_eq!(damping.admits(host(1), AccessId(1), ms(now)), Admitted::Fully);
        }
    }

    #[test]
    fn b6_the_memory_of_a_port_is_bounded_and_cannot_be_washed_out() {
        let (timers, limits) = (Timers::default(), Limits { refusals_per_port: 2, ..Limits::default() });
        let mut damping = Damping::default();
        for (last, at) in [(1, 0), (2, 1)] {
            damping.refuse(claim(last, 1, at), true, ms(at), &timers, &limits);
        }
        assert_eq!(damping.refuse(claim(3, 1, 2), true, ms(2), &timers, &limits), Refused::NotRemembered);
        assert_ne!(damping.admits(host(1), AccessId(1), ms(3)), Admitted::Fully, "a third address washes none out");
        assert_eq!(damping.refuse(claim(3, 1, 300), true, ms(300), &timers, &limits), Refused::Once);
        assert_eq!(damping.ports[&AccessId(1)].claims.len(), 2);
        damping.refuse(claim(4, 1, 100_000), true, ms(100_000), &timers, &limits);
        assert_eq!(damping.ports[&AccessId(1)].claims.len(), 1, "what expired is gone");
    }

    #[test]
    fn a_true_claim_and_a_port_that_went_down_have_no_past() {
        let (timers, limits) = (Timers::default(), Limits::default());
        let mut damping = Damping::default();
        for last in [1, 2] {
            damping.refuse(claim(last, 1, 0), true, ms(0), &timers, &limits);
        }
        assert!(!damping.forget(host(1), AccessId(1)), "it was not reported");
        assert_eq!(damping.admits(host(1), AccessId(1), ms(1)), Admitted::Fully);
        assert_ne!(damping.admits(host(2), AccessId(1), ms(1)), Admitted::Fully);
        damping.forget_port(AccessId(1));
        assert_eq!(damping.admits(host(2), AccessId(1), ms(1)), Admitted::Fully);
    }
}
