//! Refused claims are remembered for a short while, and repeated ones are an attack (B6). Nothing that falls into the memory is lost (B13).
//!
//! What is remembered is a (host, port) pair, never a host: the rightful owner pays nothing for claims against it. The memory is bounded
//! per port, so a port that claims everything forgets its own past, not that of others; and what still damps is not washed out by new claims.
//!
//! A claim that is heard while it is damped is asked about in passing ([`Admitted::InPassing`]): whether the host has fallen silent since. If it has
//! not, nobody hears of it and nothing is held against the port. What comes too soon even for that is remembered, and taken up by itself.
//!
//! What counts towards an attack are not refusals but *episodes* in which there was one. An episode begins with an announcement, and whatever is
//! announced in the [`EPISODE`] from then on belongs to it, refused or damped; what is taken up by itself belongs to the episode of what was heard. So a
//! destination that announces a guest too early is refused once however often it says so, and who goes on for longer than any destination would begins one
//! episode after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::guards::{Guard, is_out};
use crate::inout::detail::RefusedDetail;
use crate::words::config::{Limits, Timers};
use crate::words::ids::{AccessId, HostKey};
use crate::words::time::{Instant, Wait};

/// How long a destination that announces a guest too early may go on with it: QEMU does so five times, at 0, 50, 200, 450 and 800 ms, and those who
/// drive it (kubevirt, harvester) several times over a second or two.
const EPISODE: Duration = Duration::from_secs(2);

/// So many of the addresses that a claim named are remembered with it.
const MAX_ADDRESSES: usize = 4;

#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Damping {
    ports: BTreeMap<AccessId, PortMemory>,
    /// What is to be taken up again, and when.
    again: BTreeSet<(Instant, HostKey, AccessId)>,
}

#[derive(Debug, Clone, Default, Hash)]
struct PortMemory {
    claims: BTreeMap<HostKey, Memory>,
    by_expiry: BTreeSet<(Instant, HostKey)>,
}

#[derive(Debug, Clone, Hash)]
struct Memory {
    /// Until then the claim is damped.
    damped_until: Instant,
    /// How long that was.
    damped_for: Wait,
    /// How long it was not taken up for a reason that is not the port's.
    paused_for: Wait,
    /// When the host may be asked in passing.
    ask_from: Instant,
    /// When the latest episode began, and whether it has been counted.
    episode: Option<Instant>,
    counted: bool,
    /// How many episodes count towards an attack, and since when.
    refusals: u32,
    first_refused: Instant,
    /// An attack was reported.
    reported: bool,
    /// It was heard in vain, and is taken up again then.
    again: Option<Instant>,
    /// When it was taken up last: nobody said anything then.
    taken_up: Option<Instant>,
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
        let Claim { host, port, heard, addresses } = claim;
        let Some(memory) = self.ports.get_mut(&port).and_then(|memory| memory.claims.get_mut(&host)) else { return };
        memory.hears(heard, addresses);
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
            memory.taken_up = Some(now);
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
        memory.hears(heard, addresses);
        memory.damped_until = heard + memory.damped_for.longer(timers.refusal_memory, timers.refusal_memory_max);
        memory.ask_from = now + timers.damped_question;
        let mut outcome = Refused::Once;
        if counts && !memory.counted {
            memory.counted = true;
            if memory.refusals == 0 || now.since(memory.first_refused) >= timers.attack_window {
                memory.refusals = 0;
                memory.first_refused = now;
            }
            memory.refusals += 1;
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
        memory.hears(heard, addresses);
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

    /// Claims of the host that wait at other ports, and that nothing is held against, are taken up now.
    pub(crate) fn hurry(&mut self, host: HostKey, given_to: AccessId, now: Instant) {
        for (&port, memory) in self.ports.iter_mut().filter(|(port, _)| **port != given_to) {
            let Some(memory) = memory.claims.get_mut(&host).filter(|memory| memory.damped_for.is_none()) else {
                continue;
            };
            let Some(when) = memory.again else { continue };
            self.again.remove(&(when, host, port));
            self.again.insert((now, host, port));
            (memory.again, memory.damped_until, memory.ask_from) = (Some(now), now, now);
        }
    }

    /// The claim turned out to be true. Whether it had been reported as an attack.
    pub(crate) fn forget(&mut self, host: HostKey, port: AccessId) -> bool {
        let memory = self.take(host, port);
        if self.ports.get(&port).is_some_and(|memory| memory.claims.is_empty()) {
            self.ports.remove(&port);
        }
        memory.is_some_and(|memory| memory.reported)
    }

    /// Forgets all that was refused of a host.
    pub(crate) fn forget_host(&mut self, host: HostKey) {
        for port in self.ports_of(host) {
            self.forget(host, port);
        }
    }

    /// Forgets that what was refused of a host was an attack; it stays damped.
    pub(crate) fn forget_attack(&mut self, host: HostKey) {
        for memory in self.ports.values_mut().filter_map(|port| port.claims.get_mut(&host)) {
            (memory.reported, memory.refusals) = (false, 0);
        }
    }

    /// All that is remembered, for people.
    pub(crate) fn all(&self, now: Instant) -> impl Iterator<Item = RefusedDetail> {
        let of_port = move |(port, memory): (&AccessId, &PortMemory)| {
            let port = *port;
            let details: Vec<RefusedDetail> =
                memory.claims.iter().map(|(host, memory)| memory.detail(*host, port, now)).collect();
            details
        };
        self.ports.iter().flat_map(of_port)
    }

    /// What is remembered of one host, for people.
    pub(crate) fn of_host(&self, host: HostKey, now: Instant) -> impl Iterator<Item = RefusedDetail> {
        let of_port = move |(port, memory): (&AccessId, &PortMemory)| {
            memory.claims.get(&host).map(|memory| memory.detail(host, *port, now))
        };
        self.ports.iter().filter_map(of_port)
    }

    fn ports_of(&self, host: HostKey) -> Vec<AccessId> {
        self.ports.iter().filter(|(_, memory)| memory.claims.contains_key(&host)).map(|(port, _)| *port).collect()
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
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Claim {
    pub(crate) host: HostKey,
    pub(crate) port: AccessId,
    pub(crate) heard: Instant,
    pub(crate) addresses: Vec<IpAddr>,
}

impl Memory {
    fn detail(&self, host: HostKey, port: AccessId, now: Instant) -> RefusedDetail {
        let (damped_for, refusals, attack) = (self.damped_until - now, self.refusals, self.reported);
        RefusedDetail { host, port, damped_for, refusals, attack }
    }

    /// It was announced, or taken up by itself, and named these addresses.
    fn hears(&mut self, heard: Instant, addresses: Vec<IpAddr>) {
        let announced = self.taken_up != Some(heard) || is_out(Guard::TakenUpIsNotNew);
        if announced && self.episode.is_none_or(|begun| heard.since(begun) >= EPISODE || is_out(Guard::Episodes)) {
            self.episode = Some(heard);
            self.counted = false;
        }
        self.names(addresses);
    }

    fn names(&mut self, addresses: Vec<IpAddr>) {
        let before = std::mem::replace(&mut self.addresses, addresses);
        for address in before {
            if !self.addresses.contains(&address) {
                self.addresses.push(address);
            }
        }
        self.addresses.truncate(if is_out(Guard::AddressesAreKept) { 0 } else { MAX_ADDRESSES });
    }

    fn new(heard: Instant) -> Self {
        Self {
            damped_until: heard,
            damped_for: Wait::default(),
            paused_for: Wait::default(),
            ask_from: heard,
            episode: None,
            counted: false,
            refusals: 0,
            first_refused: heard,
            reported: false,
            again: None,
            taken_up: None,
            addresses: Vec::new(),
            forgotten_at: heard,
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

    /// When an attack is reported on who is refused 5 ms after each of these announcements, or each time that one is taken up again.
    fn reported(announced: &[u64]) -> Vec<u64> {
        let (timers, limits) = (Timers::default(), Limits::default());
        let (mut damping, mut reported) = (Damping::default(), Vec::new());
        let mut announced = announced.iter().copied().map(ms).peekable();
        loop {
            let again = damping.next_again();
            let claim = match (announced.peek().copied(), again) {
                (None, None) => return reported,
                (Some(heard), again) if again.is_none_or(|again| heard <= again) => {
                    announced.next();
                    Claim { heard, ..claim(1, 1, 0) }
                }
                (_, again) => damping.take_again(again.expect("there is one")).expect("it is due"),
            };
            let heard = claim.heard;
            match damping.admits(claim.host, claim.port, heard) {
                Admitted::Fully => {
                    let refused = heard + Duration::from_millis(5);
                    if damping.refuse(claim, true, refused, &timers, &limits) == (Refused::Attack { refusals: 3 }) {
                        reported.push(heard.as_micros() / 1_000);
                    }
                }
                Admitted::InPassing => {
                    damping.asked_in_passing(claim.host, claim.port, heard, &timers);
                    damping.remember_until_over(claim, heard);
                }
                Admitted::Later(when) => damping.remember(claim, when),
            }
        }
    }

    fn every(millis: u64, until: u64) -> Vec<u64> {
        (0..).map(|number| number * millis).take_while(|&at| at < until).collect()
    }

    #[test]
    fn b6_a_destination_that_announces_too_early_is_refused_once_however_often_it_does() {
        let bursts = [
            vec![0],
            vec![0, 50, 200, 450, 800],
            vec![0, 200, 450, 650, 840],
            every(100, 2_000),
            every(200, 2_000),
            every(400, 2_000),
            vec![0, 900, 1_800],
        ];
        for burst in bursts {
            let begun = |times: &[u64]| -> Vec<u64> {
                times.iter().flat_map(|time| burst.iter().map(move |at| time + at)).collect()
            };
            assert_eq!(reported(&begun(&[0, 20_000])), [0; 0], "{burst:?}: it tries twice");
            let third = reported(&begun(&[0, 10_000, 20_000]));
            assert!(matches!(third[..], [at] if (20_000..23_000).contains(&at)), "{burst:?}: three times: {third:?}");
        }
    }

    #[test]
    fn b6_who_repeats_a_refused_claim_for_seconds_is_an_attacker() {
        for (interval, at_most) in
            [(10, 6_500), (100, 6_500), (300, 6_500), (1_000, 5_000), (1_999, 8_000), (5_000, 10_000), (20_000, 40_000)]
        {
            let reported = reported(&every(interval, 60_000));
            let first = reported.first().copied();
            assert!(first.is_some_and(|at| at <= at_most), "every {interval} ms: {reported:?}");
            assert!(
                interval > 5_000 || reported.len() > 2,
                "and again while it goes on, every {interval} ms: {reported:?}"
            );
        }
        assert_eq!(reported(&every(30_000, 600_000)), [0; 0], "three in a minute are an attack");
    }

    #[test]
    fn b6_an_attack_is_reported_once_and_taken_back_if_it_was_none() {
        let (timers, limits) = (Timers::default(), Limits::default());
        let mut damping = Damping::default();
        let mut refuse = |at| damping.refuse(claim(1, 1, at), true, ms(at), &timers, &limits);
        assert_eq!([0, 2_000].map(&mut refuse), [Refused::Once, Refused::Once]);
        assert_eq!(refuse(4_000), Refused::Attack { refusals: 3 });
        assert_eq!([5_999, 6_000, 8_000].map(&mut refuse), [Refused::Once, Refused::Once, Refused::Once]);
        assert_eq!(refuse(10_000), Refused::Attack { refusals: 3 }, "counted anew");
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
