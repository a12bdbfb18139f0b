//! The IP addresses of a host: what it can be asked for, and what its silence is worth.
//!
//! An address is *confirmed* at a place where the host was heard to have it: by an answer, or by an ARP or neighbour advertisement of its own.
//! Only an address that was confirmed at the place that is asked, and not too long ago, makes an answer to be expected (4a); and not of a host that
//! announces itself but leaves routine questions unanswered: such hosts exist (`arp_ignore`), and their silence is their habit.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use vouch_net::MacAddr;

use crate::guards::{Guard, is_out};
use crate::inout::detail::AddressDetail;
use crate::inout::message::Binding;
use crate::words::config::Timers;
use crate::words::ids::Location;
use crate::words::time::Instant;

/// A bounded set, in ascending order.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Addresses {
    list: Vec<Known>,
    answer_time: AnswerTime,
    /// How long its answers take was known once, and is forgotten.
    restored: bool,
    /// Where it used to answer before a restart, and until when that counts.
    answered_before: Option<(Location, Instant)>,
    /// Whether it ever answered a question, and how many routine ones in a row it has not.
    has_answered: bool,
    unanswered: u8,
    /// When the host was last asked for an address that is not known of it.
    asked: Option<Instant>,
    /// The last address that it said it has, if it is another's: an answer for it shows no less that the host is there.
    disputed: Option<Box<IpAddr>>,
    /// Grows with every change that others are told of.
    revision: u32,
}

#[derive(Debug, Clone, Hash)]
struct Known {
    address: IpAddr,
    confirmed: Option<(Location, Instant)>,
    /// When the host was last asked for it only to confirm it.
    asked: Option<Instant>,
}

/// How long the slowest of hosts is waited for. It is less than what a claimant waits for its owner.
pub(crate) const MAX_PATIENCE: Duration = Duration::from_secs(2);

/// For how long after a restart it counts that a host had been answering before.
const ANSWERED_BEFORE: Duration = Duration::from_secs(30);

/// So many routine questions in a row make a host that used to answer one that does not.
const MUTE_AFTER: u8 = 3;

/// At its place, the host is known to answer. Only [`Addresses::expected_at`] makes one.
#[derive(Debug, Clone, Copy, Hash)]
pub(crate) struct Expected(());

/// The host answers somewhere, or did not long ago. Only [`Addresses::answering`] makes one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answering(());

/// How long a host's answers take: the mean and the mean deviation of RFC 6298.
#[derive(Debug, Clone, Copy, Default, Hash)]
struct AnswerTime {
    known: Option<(Duration, Duration)>,
}

impl Addresses {
    /// The host says that it has these addresses, where it is. Of too many, the one that has gone unconfirmed for longest makes room.
    pub(crate) fn confirm(&mut self, addresses: &[IpAddr], place: Location, now: Instant, limit: usize) {
        for &address in addresses.iter().filter(|address| is_host_address(address)) {
            match self.list.binary_search_by_key(&address, |known| known.address) {
                Ok(at) => {
                    let before = self.list[at].confirmed.replace((place, now));
                    if before.is_none() {
                        self.revision += 1;
                    }
                    // That it was asked in vain before it was known to have the address there said nothing of whether it answers: it is asked anew.
                    if before.is_none_or(|(at, _)| at != place) && !is_out(Guard::MuteIsFoundOut) {
                        self.list[at].asked = None;
                    }
                }
                Err(_) => {
                    self.make_room(limit);
                    self.insert(Known { address, confirmed: Some((place, now)), asked: None });
                }
            }
        }
    }

    /// Somebody says that the host has, or had, this address. It takes nobody's place.
    pub(crate) fn add_unconfirmed(&mut self, address: IpAddr, limit: usize) {
        let known = self.list.binary_search_by_key(&address, |known| known.address).is_ok();
        if !known && is_host_address(&address) && self.list.len() < limit {
            self.insert(Known { address, confirmed: None, asked: None });
        }
    }

    /// Who has the host says which addresses it has. Whether that is news.
    pub(crate) fn told(&mut self, bindings: &[Binding], by: Location, now: Instant, limit: usize) {
        let same = bindings.len() == self.list.len()
            && bindings
                .iter()
                .zip(&self.list)
                .all(|(told, known)| told.address == known.address && told.confirmed == known.confirmed.is_some());
        if same {
            for known in &mut self.list {
                known.confirmed = known.confirmed.map(|_| (by, now));
            }
            return;
        }
        self.list.clear();
        for told in bindings.iter().filter(|told| is_host_address(&told.address)).take(limit) {
            if let Err(at) = self.list.binary_search_by_key(&told.address, |known| known.address) {
                self.list.insert(
                    at,
                    Known { address: told.address, confirmed: told.confirmed.then_some((by, now)), asked: None },
                );
            }
        }
        self.revision += 1;
    }

    pub(crate) fn remove(&mut self, address: IpAddr) {
        let before = self.list.len();
        self.list.retain(|known| known.address != address);
        self.revision += u32::from(before != self.list.len());
    }

    pub(crate) fn has(&self, address: IpAddr) -> bool {
        self.list.binary_search_by_key(&address, |known| known.address).is_ok()
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn revision(&self) -> u32 {
        self.revision
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Binding> {
        self.list.iter().map(|known| Binding { address: known.address, confirmed: known.confirmed.is_some() })
    }

    /// For people.
    pub(crate) fn details(&self, now: Instant) -> Vec<AddressDetail> {
        let detail = |known: &Known| AddressDetail {
            address: known.address,
            confirmed: known.confirmed.map(|(at, when)| (at, now - when)),
        };
        self.list.iter().map(detail).collect()
    }

    pub(crate) fn bindings(&self) -> Vec<Binding> {
        self.iter().collect()
    }

    /// Whether an answer is to be expected from the host if it is asked at `place`.
    pub(crate) fn expected_at(&self, place: Location, now: Instant, timers: &Timers) -> Option<Expected> {
        let confirmed = self.list.iter().any(|known| known.is_confirmed(Some(place), now, timers));
        ((confirmed && !self.is_mute()) || self.answered_before(Some(place), now)).then_some(Expected(()))
    }

    /// Whether the host would answer for this very address at `place`.
    pub(crate) fn expected_for(
        &self,
        address: IpAddr,
        place: Location,
        now: Instant,
        timers: &Timers,
    ) -> Option<Expected> {
        let known = self.list.iter().find(|known| known.address == address)?;
        (known.is_confirmed(Some(place), now, timers) && !self.is_mute()).then_some(Expected(()))
    }

    /// Whether it is a host that answers, wherever it is.
    pub(crate) fn answering(&self, now: Instant, timers: &Timers) -> Option<Answering> {
        let confirmed = self.list.iter().any(|known| known.is_confirmed(None, now, timers));
        ((confirmed && !self.is_mute()) || self.answered_before(None, now)).then_some(Answering(()))
    }

    /// What to ask `mac` for: these and the `claimed` addresses. A host of which no address is known is asked for the link-local address that
    /// its MAC address forms (RFC 4291, appendix A); if it does not use that, only a frame of its own shows that it is there.
    pub(crate) fn targets(&self, claimed: &[IpAddr], mac: MacAddr) -> Vec<IpAddr> {
        let mut targets: Vec<IpAddr> = self.list.iter().map(|known| known.address).collect();
        targets.extend(claimed.iter().filter(|address| is_host_address(address) && !self.has(**address)));
        let disputed = self.disputed.as_deref().copied().filter(|address| !targets.contains(address));
        targets.extend(disputed);
        if targets.is_empty() {
            targets.push(link_local(mac));
        }
        targets
    }

    /// It said that it has these addresses, and one that is another's.
    pub(crate) fn said(&mut self, its: &[IpAddr], disputed: Option<IpAddr>) {
        if disputed.is_some() || !its.is_empty() {
            self.disputed = disputed.map(Box::new);
        }
    }

    /// What the host should be asked for next to stay known at `place`, and from when on. `None`: for whatever it may have, as no address is known.
    ///
    /// An address that is not confirmed there is asked for as soon as may be, and if that is in vain, a few times before its age makes it useless. So is
    /// one of a host whose answering time is not known yet.
    pub(crate) fn next_to_confirm(&self, place: Location, timers: &Timers) -> Option<(Option<IpAddr>, Instant)> {
        let often = timers.confirm_every / 4;
        let due = |known: &Known| {
            let fresh = known.confirmed.filter(|&(at, _)| at == place);
            let asked_in_vain = known.asked.is_some() && !self.has_answered;
            let known_well = fresh.filter(|_| self.answer_time.known.is_some() || asked_in_vain);
            let due = known_well.map_or(Instant::EPOCH, |(_, when)| when + timers.confirm_every);
            let pause = match fresh {
                // What it answered was not known to be the answer to that question.
                Some(_) if self.has_answered && self.answer_time.known.is_none() => MAX_PATIENCE,
                Some(_) => often,
                None => timers.confirm_every,
            };
            known.asked.map_or(due, |asked| due.max(asked + pause))
        };
        if self.list.is_empty() {
            return Some((None, self.asked.map_or(Instant::EPOCH, |asked| asked + timers.confirm_every)));
        }
        self.list.iter().map(|known| (Some(known.address), due(known))).min_by_key(|&(_, due)| due)
    }

    /// The host is being asked for that, only to confirm it.
    pub(crate) fn asked_for(&mut self, address: Option<IpAddr>, now: Instant) {
        match address {
            None => self.asked = Some(now),
            Some(address) => {
                for known in self.list.iter_mut().filter(|known| known.address == address) {
                    known.asked = Some(now);
                }
            }
        }
    }

    /// Forgets confirmations that are too old. What was is then only known. What the VTEP that has the host has said, `kept_by`, holds until it says
    /// otherwise.
    ///
    /// An address for which a host that answers for another has not answered all that time is no longer its own.
    pub(crate) fn expire(&mut self, kept_by: Option<Location>, now: Instant, timers: &Timers) {
        let mut expired = false;
        for known in &mut self.list {
            let too_old = |(at, when)| Some(at) != kept_by && now.since(when) > timers.confirm_max_age;
            if known.confirmed.is_some_and(too_old) {
                known.confirmed = None;
                self.revision += 1;
                expired = true;
            }
        }
        if expired && self.answering(now, timers).is_some() {
            self.list.retain(|known| known.confirmed.is_some());
        }
    }

    /// The host comes here from `kept_by`, where all that is confirmed was so until now.
    pub(crate) fn handed_over(&mut self, kept_by: Location, now: Instant) {
        for (at, when) in self.list.iter_mut().filter_map(|known| known.confirmed.as_mut()) {
            if *at == kept_by {
                *when = now;
            }
        }
    }

    /// When [`Self::expire`] has something to do.
    pub(crate) fn next_expiry(&self, kept_by: Option<Location>, timers: &Timers) -> Option<Instant> {
        let age = timers.confirm_max_age + Duration::from_micros(1);
        let ageing = |known: &Known| known.confirmed.filter(|&(at, _)| Some(at) != kept_by);
        self.list.iter().filter_map(|known| ageing(known).map(|(_, when)| when + age)).min()
    }

    /// An answer came to a question; after so long, if it is known when that had left.
    pub(crate) fn answered(&mut self, after: Option<Duration>) {
        self.has_answered = true;
        self.unanswered = 0;
        if let Some(time) = after {
            self.answer_time.observe(time);
        }
    }

    /// A routine question has left, and was not answered, though no answer can have been lost.
    pub(crate) fn left_unanswered(&mut self) {
        self.unanswered = self.unanswered.saturating_add(1);
    }

    /// Whether it is one of those that do not answer.
    pub(crate) fn is_mute(&self) -> bool {
        !is_out(Guard::MuteIsKnown) && self.unanswered >= if self.has_answered { MUTE_AFTER } else { 1 }
    }

    /// How long after a question has left an answer is overdue, as far as this host is known: some of its own answering times.
    pub(crate) fn overdue_after(&self) -> Option<Duration> {
        self.answer_time.known.map(|(mean, deviation)| 2 * mean + 4 * deviation)
    }

    /// The host was known before a restart.
    pub(crate) fn restored(&mut self) {
        self.restored = !is_out(Guard::SlowAfterRestart);
    }

    /// The switch had kept an address of its as confirmed at `place`, over a restart of ours: it was going to answer for it there.
    ///
    /// How old that is is not known. When the agent was killed it was no older than `confirm_max_age`, and of no host that was known to be mute; but nobody
    /// has looked since. A host that has changed all its addresses while there was no agent, or stopped answering, and says nothing at all in the
    /// [`MAX_PATIENCE`] for which it is asked, is taken for gone if somebody claims it just then. So it counts only for the first
    /// moments of the new agent, in which moves are made up for that happened while there was none, and what follows is a move like any other: the old
    /// place is watched and may contest it (B7, B12).
    pub(crate) fn was_confirmed(&mut self, place: Location, now: Instant) {
        self.answered_before = Some((place, now + ANSWERED_BEFORE));
        self.unanswered = 0;
    }

    /// The switch had kept an address of its, and not as one that it was going to answer for: as long as nothing else is known of it, it is one of those that
    /// announce themselves and do not answer, until it does.
    pub(crate) fn was_unconfirmed(&mut self) {
        if self.answered_before.is_none() && !self.has_answered {
            self.unanswered = self.unanswered.max(1);
        }
    }

    fn answered_before(&self, place: Option<Location>, now: Instant) -> bool {
        self.answered_before.is_some_and(|(at, until)| now < until && place.is_none_or(|place| place == at))
    }

    /// How long its answer is waited for at the least. A host that has answered, it is not known to which question, or that was known before a restart,
    /// may be a slow one.
    pub(crate) fn patience(&self) -> Option<Duration> {
        match self.overdue_after() {
            None if self.has_answered || self.restored => Some(Duration::MAX),
            usual => usual,
        }
    }

    fn insert(&mut self, known: Known) {
        if let Err(at) = self.list.binary_search_by_key(&known.address, |other| other.address) {
            self.list.insert(at, known);
            self.revision += 1;
        }
    }

    fn make_room(&mut self, limit: usize) {
        while self.list.len() >= limit.max(1) {
            let age = |known: &Known| known.confirmed.map(|(_, when)| when);
            let Some(oldest) = (0..self.list.len()).min_by_key(|&at| age(&self.list[at])) else { return };
            self.list.remove(oldest);
            self.revision += 1;
        }
    }
}

impl Known {
    fn is_confirmed(&self, place: Option<Location>, now: Instant, timers: &Timers) -> bool {
        self.confirmed.is_some_and(|(at, when)| {
            place.is_none_or(|place| place == at) && now.since(when) <= timers.confirm_max_age
        })
    }
}

impl AnswerTime {
    fn observe(&mut self, time: Duration) {
        self.known = Some(match self.known {
            None => (time, time / 2),
            Some((mean, deviation)) => {
                let error = mean.abs_diff(time);
                ((mean * 7 + time) / 8, (deviation * 3 + error) / 4)
            }
        });
    }
}

pub(crate) fn is_host_address(address: &IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !address.is_loopback() && !broadcast
}

fn link_local(mac: MacAddr) -> IpAddr {
    let [a, b, c, d, e, f] = mac.octets();
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f]).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::ids::AccessId;

    const HERE: Location = Location::Local(AccessId(1));
    const THERE: Location = Location::Local(AccessId(2));

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn at(seconds: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(seconds)
    }

    fn list(addresses: &Addresses) -> Vec<IpAddr> {
        addresses.iter().map(|binding| binding.address).collect()
    }

    #[test]
    fn only_host_addresses_are_kept_and_the_one_unconfirmed_for_longest_makes_room() {
        let mut addresses = Addresses::default();
        addresses.confirm(&[ip("0.0.0.0"), ip("::"), ip("224.0.0.1"), ip("255.255.255.255")], HERE, at(0), 2);
        assert_eq!(addresses.len(), 0);
        addresses.confirm(&[ip("10.0.0.2")], HERE, at(1), 2);
        addresses.add_unconfirmed(ip("10.0.0.9"), 2);
        addresses.confirm(&[ip("10.0.0.1")], HERE, at(2), 2);
        assert_eq!(list(&addresses), [ip("10.0.0.1"), ip("10.0.0.2")]);
        addresses.confirm(&[ip("fe80::1")], HERE, at(3), 2);
        assert_eq!(list(&addresses), [ip("10.0.0.1"), ip("fe80::1")]);
        addresses.add_unconfirmed(ip("10.0.0.7"), 2);
        assert_eq!(addresses.len(), 2, "hearsay takes nobody's place");
    }

    #[test]
    fn an_answer_is_expected_only_where_and_while_an_address_is_confirmed() {
        let timers = Timers::default();
        let mut addresses = Addresses::default();
        addresses.add_unconfirmed(ip("10.0.0.1"), 4);
        assert!(addresses.expected_at(HERE, at(0), &timers).is_none());
        addresses.confirm(&[ip("10.0.0.1")], HERE, at(0), 4);
        assert!(addresses.expected_at(HERE, at(180), &timers).is_some());
        assert!(addresses.expected_at(HERE, at(181), &timers).is_none());
        assert!(addresses.expected_at(THERE, at(1), &timers).is_none(), "it was never heard there");
        assert!(addresses.answering(at(1), &timers).is_some());
        addresses.expire(Some(HERE), at(181), &timers);
        assert!(addresses.iter().all(|binding| binding.confirmed), "who has it has not said otherwise");
        addresses.expire(None, at(181), &timers);
        assert!(addresses.iter().all(|binding| !binding.confirmed));
    }

    #[test]
    fn evidence_a_host_that_announces_itself_but_does_not_answer_is_not_expected_to() {
        let timers = Timers::default();
        let mut addresses = Addresses::default();
        addresses.confirm(&[ip("10.0.0.1")], HERE, at(0), 4);
        assert!(addresses.expected_at(HERE, at(0), &timers).is_some());
        addresses.left_unanswered();
        assert!(addresses.expected_at(HERE, at(0), &timers).is_none());
        addresses.answered(None);
        for _ in 1..MUTE_AFTER {
            addresses.left_unanswered();
        }
        assert!(addresses.expected_at(HERE, at(0), &timers).is_some(), "questions get lost, too");
        addresses.left_unanswered();
        assert!(addresses.expected_at(HERE, at(0), &timers).is_none());
    }

    #[test]
    fn a_host_without_known_addresses_is_asked_for_its_link_local_one() {
        let none = Addresses::default();
        let mac = MacAddr([0x02, 0, 0, 0, 0, 7]);
        assert_eq!(none.targets(&[], mac), [ip("fe80::ff:fe00:7")]);
        assert_eq!(none.targets(&[ip("10.0.0.9")], mac), [ip("10.0.0.9")]);
    }

    #[test]
    fn an_answer_is_overdue_after_a_few_of_the_hosts_own_answering_times() {
        let mut addresses = Addresses::default();
        assert_eq!(addresses.overdue_after(), None);
        for _ in 0..50 {
            addresses.answered(Some(Duration::from_millis(1)));
        }
        assert_eq!(addresses.overdue_after().map(|time| time.as_millis()), Some(2));
        addresses.answered(Some(Duration::from_millis(20)));
        assert!(addresses.overdue_after() > Some(Duration::from_millis(20)));
    }
}
