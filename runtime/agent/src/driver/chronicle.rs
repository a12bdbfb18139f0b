//! What the agent remembers of what it saw and did: the story of each host, and the verdicts.
//!
//! Everything is bounded. A host keeps so many events, and all hosts together so many; what has to make room is the oldest, and counted. What
//! is routine is told once, with how often it happened: a question that only confirms what is known and its answer, minute for minute. Verdicts are kept
//! by themselves, so that routine does not make them forgotten. Nothing here decides anything.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant as Clock;
use vouch_mobility::{HostKey, Message, Migration, Report, Sync};
use vouch_tables::Change;

use crate::events::AgentEventKind;

/// How much is remembered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Events of one host.
    pub(crate) per_host: usize,
    /// Events of all hosts.
    pub(crate) in_all: usize,
    /// Verdicts.
    pub(crate) verdicts: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { per_host: 64, in_all: 65_536, verdicts: 4_096 }
    }
}

/// How far back an answer can be what a verdict rests on.
const GROUNDS: usize = 16;

/// Questions to a host that does not answer are routine if they are so far apart.
const ROUTINE: Duration = Duration::from_secs(10);

/// Verdicts are counted by the minute, for so many.
const MINUTES: usize = 60;

/// See the module.
#[derive(Debug)]
pub(crate) struct Chronicle {
    bounds: Bounds,
    began: Clock,
    next: u64,
    stories: HashMap<HostKey, Story>,
    /// Whose each event is, oldest first; one that two hosts have is there twice. Some have made room in their story since.
    order: VecDeque<(u64, HostKey)>,
    /// How many have not.
    kept: usize,
    forgotten: u64,
    verdicts: VecDeque<Verdict>,
    verdicts_forgotten: u64,
    minutes: VecDeque<(u64, Counts)>,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Ascending.
    pub(crate) number: u64,
    pub(crate) at: Clock,
    /// How often it happened in a row.
    pub(crate) times: u32,
    pub(crate) what: What,
}

/// What happened.
#[derive(Debug, Clone)]
pub(crate) enum What {
    Event(AgentEventKind),
    /// The switch took these changes, which are about one host.
    Written(Vec<Change>),
}

/// What happened to one host.
#[derive(Debug, Default)]
pub(crate) struct Story {
    entries: VecDeque<Arc<Entry>>,
    /// Earlier ones that had to make room.
    forgotten: u64,
}

/// What became of a claim.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) entry: Arc<Entry>,
    /// What the host said or a peer told just before.
    pub(crate) grounds: Option<Arc<Entry>>,
}

/// How often what was decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) moved: u64,
    pub(crate) refused: u64,
    pub(crate) unproven: u64,
    pub(crate) contested: u64,
    pub(crate) attacks: u64,
    pub(crate) addresses_moved: u64,
    pub(crate) addresses_refused: u64,
}

impl Story {
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.iter()
    }

    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

impl Chronicle {
    pub(crate) fn new(bounds: Bounds, now: Clock) -> Self {
        Self {
            bounds,
            began: now,
            next: 1,
            stories: HashMap::new(),
            order: VecDeque::new(),
            kept: 0,
            forgotten: 0,
            verdicts: VecDeque::new(),
            verdicts_forgotten: 0,
            minutes: VecDeque::new(),
        }
    }

    /// Takes down an event. Its number.
    pub(crate) fn event(&mut self, kind: &AgentEventKind, now: Clock) -> u64 {
        let number = self.number();
        let hosts = subjects(kind);
        let verdict = match kind {
            AgentEventKind::Report(report) if is_verdict(report) => Some(report),
            _ => None,
        };
        if hosts == [None, None] && verdict.is_none() {
            return number;
        }
        let entry = Arc::new(Entry { number, at: now, times: 1, what: What::Event(kind.clone()) });
        if let Some(report) = verdict {
            self.count(report, now);
            let grounds = hosts[0].and_then(|host| self.grounds(host));
            if self.verdicts.len() >= self.bounds.verdicts.max(1) {
                self.verdicts.pop_front();
                self.verdicts_forgotten += 1;
            }
            self.verdicts.push_back(Verdict { entry: entry.clone(), grounds });
        }
        for host in hosts.into_iter().flatten() {
            self.tell(host, entry.clone());
        }
        number
    }

    /// Takes down what the switch has taken of one host.
    pub(crate) fn written(&mut self, host: HostKey, changes: Vec<Change>, now: Clock) {
        let number = self.number();
        self.tell(host, Arc::new(Entry { number, at: now, times: 1, what: What::Written(changes) }));
    }

    /// What is remembered of a host.
    pub(crate) fn story(&self, host: &HostKey) -> Option<&Story> {
        self.stories.get(host)
    }

    /// Hosts of which something is remembered, in no order.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = &HostKey> {
        self.stories.keys()
    }

    /// The verdicts that are remembered, oldest first.
    pub(crate) fn verdicts(&self) -> impl DoubleEndedIterator<Item = &Verdict> + ExactSizeIterator {
        self.verdicts.iter()
    }

    /// Verdicts that had to make room.
    pub(crate) fn verdicts_forgotten(&self) -> u64 {
        self.verdicts_forgotten
    }

    /// Events that are kept.
    pub(crate) fn len(&self) -> usize {
        self.kept
    }

    /// Events that had to make room.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// What was decided in the last hour.
    pub(crate) fn last_hour(&self, now: Clock) -> Counts {
        let minute = self.minute(now);
        let recent = self.minutes.iter().filter(|(of, _)| minute - of < MINUTES as u64);
        recent.fold(Counts::default(), |sum, (_, counts)| sum + *counts)
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    fn minute(&self, now: Clock) -> u64 {
        now.saturating_duration_since(self.began).as_secs() / 60
    }

    fn tell(&mut self, host: HostKey, mut entry: Arc<Entry>) {
        let story = self.stories.entry(host).or_default();
        let routine = routine(&story.entries, &entry);
        if routine > 0 {
            let mut times = 1;
            for _ in 0..routine {
                if let Some(before) = story.entries.pop_back() {
                    self.kept -= 1;
                    times = times.max(before.times.saturating_add(1));
                }
            }
            entry = Arc::new(Entry { times, ..Entry::clone(&entry) });
        }
        if story.entries.len() >= self.bounds.per_host.max(1) && story.entries.pop_front().is_some() {
            self.kept -= 1;
            story.forgotten += 1;
            self.forgotten += 1;
        }
        self.order.push_back((entry.number, host));
        story.entries.push_back(entry);
        self.kept += 1;
        self.make_room();
    }

    fn make_room(&mut self) {
        while self.kept > self.bounds.in_all.max(1)
            && let Some((number, host)) = self.order.pop_front()
        {
            // The oldest of all is the oldest of its host, if it is still there.
            let Some(story) = self.stories.get_mut(&host) else { continue };
            if story.entries.front().is_some_and(|oldest| oldest.number == number) {
                story.entries.pop_front();
                self.kept -= 1;
                story.forgotten += 1;
                self.forgotten += 1;
                if story.entries.is_empty() {
                    self.stories.remove(&host);
                }
            }
        }
        if self.order.len() > 2 * self.bounds.in_all.max(1) {
            let stories = &self.stories;
            self.order.retain(|(number, host)| {
                let story = stories.get(host).map(|story| &story.entries);
                story.is_some_and(|story| story.binary_search_by_key(number, |entry| entry.number).is_ok())
            });
        }
    }

    /// What the host said, or a peer told, since the claim was raised.
    fn grounds(&self, host: HostKey) -> Option<Arc<Entry>> {
        let story = self.stories.get(&host)?;
        for entry in story.entries.iter().rev().take(GROUNDS) {
            match &entry.what {
                What::Event(
                    AgentEventKind::Answered { .. }
                    | AgentEventKind::SeenAlive { .. }
                    | AgentEventKind::Received {
                        message: Message::Reply(_) | Message::Standing(_) | Message::Withdrawal(_),
                        ..
                    },
                ) => return Some(entry.clone()),
                What::Event(AgentEventKind::Received { message: Message::Advertisement(said), .. })
                    if !matches!(said.migration, Some(Migration::Asked { .. })) =>
                {
                    return Some(entry.clone());
                }
                What::Event(AgentEventKind::Report(report)) if is_verdict(report) || is_beginning(report) => {
                    return None;
                }
                What::Event(_) | What::Written(_) => {}
            }
        }
        None
    }

    fn count(&mut self, report: &Report, now: Clock) {
        let minute = self.minute(now);
        if self.minutes.back().is_none_or(|(last, _)| *last != minute) {
            self.minutes.push_back((minute, Counts::default()));
            while self.minutes.len() > MINUTES {
                self.minutes.pop_front();
            }
        }
        let Some((_, counts)) = self.minutes.back_mut() else { return };
        match report {
            Report::Moved { .. } => counts.moved += 1,
            Report::Stayed { .. } => counts.refused += 1,
            Report::Unproven { .. } => counts.unproven += 1,
            Report::Contested { .. } => counts.contested += 1,
            Report::Attack { .. } => counts.attacks += 1,
            Report::AddressMoved { .. } => counts.addresses_moved += 1,
            Report::AddressKept { .. } => counts.addresses_refused += 1,
            _ => {}
        }
    }
}

impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            moved: self.moved + other.moved,
            refused: self.refused + other.refused,
            unproven: self.unproven + other.unproven,
            contested: self.contested + other.contested,
            attacks: self.attacks + other.attacks,
            addresses_moved: self.addresses_moved + other.addresses_moved,
            addresses_refused: self.addresses_refused + other.addresses_refused,
        }
    }
}

/// How many of the last entries say the same as this one and what follows it will say: a question and its answer out of routine, a question to a host
/// that never answers, or the same line of a list.
fn routine(before: &VecDeque<Arc<Entry>>, entry: &Entry) -> usize {
    let mut last = before.iter().rev();
    let (Some(one), two) = (last.next(), last.next()) else { return 0 };
    let What::Event(now) = &entry.what else { return 0 };
    let What::Event(last) = &one.what else { return 0 };
    match (now, last) {
        (AgentEventKind::Asked { via, .. }, AgentEventKind::Asked { via: before, .. })
            if via == before && entry.at.saturating_duration_since(one.at) >= ROUTINE =>
        {
            1
        }
        (AgentEventKind::Asked { via, .. }, AgentEventKind::Answered { from, .. }) if via == from => {
            // The answer keeps the count of its question.
            match two.map(|two| &two.what) {
                Some(What::Event(AgentEventKind::Asked { via: before, .. })) if before == via => 2,
                _ => 0,
            }
        }
        (
            AgentEventKind::Received { from, message: Message::Sync(Sync::Host { .. } | Sync::Yours { .. }) },
            AgentEventKind::Received { from: before, message: Message::Sync(Sync::Host { .. } | Sync::Yours { .. }) },
        ) if from == before => 1,
        (
            AgentEventKind::Sent { to, message: Message::Sync(Sync::Host { .. } | Sync::Yours { .. }) },
            AgentEventKind::Sent { to: before, message: Message::Sync(Sync::Host { .. } | Sync::Yours { .. }) },
        ) if to == before => 1,
        (AgentEventKind::SeenAlive { interface, .. }, AgentEventKind::SeenAlive { interface: before, .. })
            if interface == before =>
        {
            1
        }
        _ => 0,
    }
}

/// Whether it ends a claim, or says how it stands.
fn is_verdict(report: &Report) -> bool {
    match report {
        Report::Stayed { .. }
        | Report::Moved { .. }
        | Report::Attack { .. }
        | Report::AttackOver { .. }
        | Report::Unproven { .. }
        | Report::Contested { .. }
        | Report::Settled { .. }
        | Report::AddressKept { .. }
        | Report::AddressMoved { .. }
        | Report::Duplicate { .. } => true,
        Report::Learned { .. }
        | Report::ClaimRaised { .. }
        | Report::VerificationStarted { .. }
        | Report::Removed { .. }
        | Report::AddressClaimed { .. }
        | Report::HeardAtOldPort { .. }
        | Report::OwnerUnreachable { .. }
        | Report::SequenceExhausted { .. }
        | Report::Full { .. }
        | Report::RoomAgain { .. } => false,
    }
}

fn is_beginning(report: &Report) -> bool {
    matches!(report, Report::ClaimRaised { .. } | Report::VerificationStarted { .. })
}

/// The hosts that an event is about.
pub(crate) fn subjects(kind: &AgentEventKind) -> [Option<HostKey>; 2] {
    match kind {
        AgentEventKind::Heard { host, .. }
        | AgentEventKind::Asked { host, .. }
        | AgentEventKind::Answered { host, .. }
        | AgentEventKind::SeenAlive { host, .. } => [Some(*host), None],
        AgentEventKind::Sent { message, .. } | AgentEventKind::Received { message, .. } => {
            let host = match message {
                Message::Advertisement(it) => Some(it.host),
                Message::Reply(it) => Some(it.host),
                Message::Standing(it) => Some(it.host),
                Message::Withdrawal(it) => Some(it.host),
                Message::Expect(it) => Some(it.host),
                Message::AddressClaim(it) => Some(it.holder),
                Message::AddressReply(it) => Some(it.holder),
                Message::Sync(Sync::Host { host, .. } | Sync::Yours { host, .. }) => Some(*host),
                Message::Sync(Sync::Start | Sync::End { .. } | Sync::Again) => None,
            };
            [host, None]
        }
        AgentEventKind::Report(report) => match report {
            Report::Learned { host, .. }
            | Report::ClaimRaised { host, .. }
            | Report::VerificationStarted { host, .. }
            | Report::Stayed { host, .. }
            | Report::Moved { host, .. }
            | Report::Removed { host, .. }
            | Report::Attack { host, .. }
            | Report::AttackOver { host, .. }
            | Report::Unproven { host, .. }
            | Report::Contested { host, .. }
            | Report::Settled { host, .. }
            | Report::Duplicate { host, .. }
            | Report::HeardAtOldPort { host, .. }
            | Report::OwnerUnreachable { host, .. }
            | Report::SequenceExhausted { host } => [Some(*host), None],
            Report::AddressClaimed { holder, claimant, .. } | Report::AddressKept { holder, claimant, .. } => {
                [Some(*holder), Some(*claimant)]
            }
            Report::AddressMoved { from, to, .. } => [Some(*from), Some(*to)],
            Report::Full { .. } | Report::RoomAgain { .. } => [None, None],
        },
        AgentEventKind::SwitchReady { .. }
        | AgentEventKind::SwitchLost { .. }
        | AgentEventKind::PeerUp { .. }
        | AgentEventKind::PeerDown { .. }
        | AgentEventKind::Port { .. }
        | AgentEventKind::ExceedsMtu { .. }
        | AgentEventKind::PortsUnknown
        | AgentEventKind::Draining { .. }
        | AgentEventKind::NextHop { .. }
        | AgentEventKind::Written { .. } => [None, None],
    }
}

#[cfg(test)]
mod tests {
    use vouch_mobility::{AccessId, Evidence, Location};
    use vouch_net::{MacAddr, Vni};

    use super::*;
    use crate::config::{AccessInterface, Port};
    use crate::events::Place;

    const BOUNDS: Bounds = Bounds { per_host: 4, in_all: 6, verdicts: 2 };

    fn host(last: u8) -> HostKey {
        HostKey { vni: Vni::MAX, mac: MacAddr([2, 0, 0, 0, 0, last]) }
    }

    fn interface() -> AccessInterface {
        AccessInterface { port: Port::new(1).expect("in range"), vlan: None }
    }

    fn heard(last: u8) -> AgentEventKind {
        let addresses = Vec::new();
        AgentEventKind::Heard { host: host(last), interface: interface(), evidence: Evidence::Arp, addresses }
    }

    fn asked(last: u8) -> AgentEventKind {
        AgentEventKind::Asked { host: host(last), via: Place::Interface(interface()), targets: Vec::new() }
    }

    fn answered(last: u8) -> AgentEventKind {
        let address = "10.0.0.1".parse().expect("an address");
        AgentEventKind::Answered { host: host(last), from: Place::Interface(interface()), address }
    }

    fn stayed(last: u8) -> AgentEventKind {
        let (kept, claimed) = (Location::Local(AccessId(1)), Location::Local(AccessId(2)));
        AgentEventKind::Report(Report::Stayed { host: host(last), kept, claimed, took: Duration::ZERO })
    }

    fn kept(chronicle: &Chronicle, last: u8) -> usize {
        chronicle.story(&host(last)).map_or(0, |story| story.entries.len())
    }

    #[test]
    fn a_host_keeps_its_latest_events_and_no_more() {
        let now = Clock::now();
        let mut chronicle = Chronicle::new(BOUNDS, now);
        for _ in 0..7 {
            chronicle.event(&heard(1), now);
        }
        let story = chronicle.story(&host(1)).expect("it was heard");
        assert_eq!((story.entries.len(), story.forgotten(), chronicle.forgotten()), (4, 3, 3));
        assert_eq!(story.entries().map(|entry| entry.number).collect::<Vec<_>>(), [4, 5, 6, 7]);
        // What has made room takes up none.
        for _ in 0..100 {
            chronicle.event(&heard(1), now);
            assert!(chronicle.len() == 4 && chronicle.order.len() <= 2 * BOUNDS.in_all);
        }
        chronicle.event(&heard(2), now);
        assert_eq!((kept(&chronicle, 1), kept(&chronicle, 2)), (4, 1));
    }

    #[test]
    fn all_hosts_together_are_bounded_and_the_oldest_event_makes_room() {
        let now = Clock::now();
        let mut chronicle = Chronicle::new(BOUNDS, now);
        for number in 0..100 {
            chronicle.event(&heard(number), now);
            assert!(chronicle.len() <= BOUNDS.in_all);
        }
        assert_eq!((chronicle.len(), chronicle.stories.len(), chronicle.forgotten()), (6, 6, 94));
        assert_eq!((kept(&chronicle, 93), kept(&chronicle, 94)), (0, 1));
    }

    #[test]
    fn verdicts_outlive_routine_and_rest_on_what_was_heard() {
        let now = Clock::now();
        let mut chronicle = Chronicle::new(BOUNDS, now);
        chronicle.event(&asked(1), now);
        chronicle.event(&answered(1), now);
        chronicle.event(&stayed(1), now);
        for number in 2..50 {
            chronicle.event(&heard(number), now);
        }
        assert_eq!(kept(&chronicle, 1), 0);
        let verdict = chronicle.verdicts().next().expect("it is kept");
        let grounds = verdict.grounds.as_ref().expect("it answered");
        assert!(matches!(grounds.what, What::Event(AgentEventKind::Answered { .. })));
        for _ in 0..3 {
            chronicle.event(&stayed(1), now);
        }
        assert_eq!((chronicle.verdicts().len(), chronicle.verdicts_forgotten()), (2, 2));
        // The second of two rests on nothing that was heard before the first.
        assert!(chronicle.verdicts().next_back().is_some_and(|verdict| verdict.grounds.is_none()));
    }

    #[test]
    fn the_last_hour_is_counted_by_the_minute() {
        let began = Clock::now();
        let mut chronicle = Chronicle::new(BOUNDS, began);
        for minute in 0..90 {
            chronicle.event(&stayed(1), began + Duration::from_secs(60 * minute));
        }
        let now = began + Duration::from_secs(60 * 89);
        assert_eq!(chronicle.last_hour(now).refused, 60);
        assert_eq!(chronicle.last_hour(now + Duration::from_secs(3_600)), Counts::default());
    }

    #[test]
    fn routine_is_told_once_with_how_often_it_happened() {
        let began = Clock::now();
        let mut chronicle = Chronicle::new(Bounds::default(), began);
        chronicle.event(&heard(1), began);
        for minute in 1..=30 {
            let now = began + Duration::from_secs(60 * minute);
            chronicle.event(&asked(1), now);
            chronicle.event(&answered(1), now);
        }
        let story = chronicle.story(&host(1)).expect("it was heard");
        assert_eq!(story.entries().map(|entry| entry.times).collect::<Vec<_>>(), [1, 30, 1]);
        // The questions of a verification are told one by one.
        for _ in 0..3 {
            chronicle.event(&asked(2), began);
        }
        assert_eq!(kept(&chronicle, 2), 3);
    }
}
