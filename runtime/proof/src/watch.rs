//! What must hold, looked at after everything that happens.
//!
//! The machines are not asked whether they were right: the world knows where everybody is, who answers, which questions have left and which answers
//! were lost, and what is done to an entry is compared with that.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use vouch_mobility::{
    Advertisement, Because, Destination, During, Event, HostKey, Instant, Location, Message, Phase, Report, Sequence,
    Sync, Verdict,
};

use crate::dataplane::Ingress;
use crate::scene::{Habit, Place, Scene, VTEPS, address, host, letter, number, vni};
use crate::vtep::Vtep;
use crate::world::{Device, Input, World, ip};

/// Announcements that follow each other within this time are one episode.
const EPISODE: std::time::Duration = std::time::Duration::from_secs(2);

macro_rules! properties {
    ($($name:ident, $letter:literal, $words:literal;)*) => {
        /// What must hold.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Property {
            $(#[doc = $words] $name,)*
        }

        impl Property {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What it says.
            pub const fn words(self) -> &'static str {
                match self {
                    $(Self::$name => $words,)*
                }
            }

            /// What it is called for short.
            pub const fn letter(self) -> &'static str {
                match self {
                    $(Self::$name => $letter,)*
                }
            }
        }
    };
}

properties! {
    KeepsEntry, "entry", "who has a host that is there keeps its entry";
    KeepsTraffic, "traffic", "what is sent to a host that is there reaches it, once, from everywhere";
    HoldShowsNobody, "hold", "in `hold` nobody else sees it";
    NoLoops, "loops", "no frame goes round";
    OneOwner, "one owner", "no two VTEPs keep one host unreported";
    Evidence, "evidence", "an entry is re-pointed only with evidence, or by news that outrank it";
    Bounds, "bounds", "every frame is dealt with once, everything comes to rest, and there is room for others";
    KeepsAddress, "address", "no address passes to another while its holder answers for it";
    Blameless, "blameless", "nobody is reported as an attacker for one episode, or for a host that moved there";
    Reached, "reached", "in the end what is sent to a host that answers reaches it, also where others answer in its name";
    Agreement, "agreement", "in the end every VTEP points to where the host is";
    Rest, "rest", "in the end nothing is pending, and each switch has what its machine wants";
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which property does not hold.
    pub property: Property,
    /// What there is to say.
    pub what: String,
}

macro_rules! happenings {
    ($($name:ident, $words:literal;)*) => {
        /// What the world is able to bring about: if it never did, the properties would say nothing.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Happening {
            $(#[doc = $words] $name,)*
        }

        impl Happening {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What it is.
            pub const fn words(self) -> &'static str {
                match self {
                    $(Self::$name => $words,)*
                }
            }

            /// Its bit.
            pub const fn bit(self) -> u32 {
                1 << self as u32
            }
        }
    };
}

happenings! {
    Refused, "a claim is refused";
    MovedAway, "a host is handed over to a peer that claims it";
    MovedHere, "a host moves between ports of one VTEP";
    Followed, "an observer follows";
    Unproven, "a claim is unproven";
    Contested, "a host is contested";
    OnlyAnswered, "of several places the one that answers gets the host";
    Attack, "an attacker is reported";
    OldPort, "a host is heard at its old port";
    PortDown, "a host moves because its port is down";
    ByPolicy, "a host is taken by policy";
    Expected, "an announced move is believed";
    Aged, "a host that is gone is forgotten";
    AddressKept, "a claim of an address is refused";
    AddressMoved, "an address passes to another host";
    Sought, "a host is looked for";
    Duplicate, "a host that is at two places is reported";
    Copied, "the claimed place gets copies";
    Full, "something is full";
    Forgot, "a host of a VTEP that is out of use is forgotten elsewhere";
    MovedAgain, "a host that has moved has settled at its new place";
}

/// What is remembered of what has happened, for the properties.
#[derive(Debug, Clone)]
pub struct Ghosts {
    /// Of each host.
    pub hosts: Vec<Ghost>,
    /// What does not hold.
    pub violation: Option<Violation>,
    /// What has happened in the last step.
    pub happened: u32,
    /// For each place, when the last episode of announcements there began, and how many there were.
    episodes: [Option<(Instant, u8)>; 6],
    /// At which places anything was heard but duplicate address detection, one bit each.
    spoken: u8,
    /// Where the first host was said to be going, and until when.
    expected: Option<(Place, Instant)>,
    /// A VTEP has been out of use: others may have learned a host where somebody else was heard.
    pub(crate) drained: bool,
}

/// Of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ghost {
    /// The VTEP where it is has it at the right port, or had since it came.
    pub settled: bool,
    /// It has become slower than it was known to be, lost its link, or was said to be gone.
    pub excused: bool,
    /// It has been somewhere else.
    pub moved: bool,
    /// It has said where it is since it came there, and somebody heard it.
    pub announced: bool,
    /// It was reported to be at two places.
    pub reported: bool,
    /// Places at which somebody was heard to have one of its addresses, one bit each.
    pub heard: u8,
}

impl Hash for Ghosts {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        let Self { hosts, violation, happened: _, episodes, spoken, expected, drained } = self;
        (hosts, episodes, spoken, expected, drained).hash(state);
        violation.as_ref().map(|violation| violation.property).hash(state);
    }
}

fn number_of(place: Place) -> usize {
    place.vtep * 2 + usize::from(place.port.0 - 1)
}

fn bit(place: Place) -> u8 {
    1 << number_of(place)
}

impl Ghosts {
    pub(crate) fn new(scene: &Scene) -> Self {
        let ghost = Ghost { settled: false, excused: false, moved: false, announced: true, reported: false, heard: 0 };
        Self {
            hosts: vec![ghost; scene.hosts.len()],
            violation: None,
            happened: 0,
            episodes: [None; 6],
            spoken: 0,
            expected: None,
            drained: false,
        }
    }

    fn fail(&mut self, property: Property, what: String) {
        if self.violation.is_none() {
            self.violation = Some(Violation { property, what });
        }
    }

    pub(crate) fn panicked(&mut self, what: &str) {
        self.fail(Property::Bounds, format!("a machine panicked: {what}"));
    }

    pub(crate) fn never_rests(&mut self, at: usize) {
        self.fail(Property::Bounds, format!("{} does not come to rest", letter(at)));
    }

    pub(crate) fn resolved_twice(&mut self, at: usize) {
        self.fail(Property::Bounds, format!("{} deals with a frame that it does not hold", letter(at)));
    }

    /// Somebody was heard to have one of its addresses there.
    pub(crate) fn heard(&mut self, who: HostKey, place: Place) {
        for (number, ghost) in (1_u8..).zip(&mut self.hosts) {
            if host(number) == who {
                ghost.heard |= bit(place);
            }
        }
    }

    /// Somebody said something there.
    pub(crate) fn spoke(&mut self, place: Place) {
        self.spoken |= bit(place);
    }

    /// Whether anybody was heard at another VTEP.
    fn spoke_elsewhere(&self, home: usize) -> bool {
        self.spoken & !(0b11 << (home * 2)) != 0
    }

    /// The first host is said to be going there.
    pub(crate) fn expects(&mut self, place: Place, until: Instant) {
        self.expected = Some((place, until));
    }

    /// Somebody announces himself there: another episode, if the last one is long over.
    pub(crate) fn announces(&mut self, place: Place, now: Instant) {
        let last = &mut self.episodes[number_of(place)];
        *last = match *last {
            Some((begun, count)) if now - begun < EPISODE => Some((begun, count)),
            Some((_, count)) => Some((now, count.saturating_add(1))),
            None => Some((now, 1)),
        };
    }

    /// A VTEP has forgotten everything: nothing holds there before it has found its hosts again.
    pub(crate) fn forgotten(&mut self, at: usize, devices: &[Device]) {
        for (ghost, device) in self.hosts.iter_mut().zip(devices) {
            if device.place.vtep == at {
                ghost.settled = false;
            }
        }
    }

    /// What was being found out of hosts when an agent died may have been forgotten with it.
    pub(crate) fn unheard(&mut self) {
        for ghost in &mut self.hosts {
            ghost.announced = false;
        }
    }

    fn happens(&mut self, happening: Happening) {
        self.happened |= happening.bit();
    }
}

/// How things were before a machine was told something.
pub(crate) struct Before {
    hosts: Vec<(HostKey, Option<Location>, Sequence)>,
    holders: Vec<Option<vouch_net::MacAddr>>,
    /// Ports that claim a host.
    claims: Vec<(HostKey, vouch_mobility::AccessId)>,
    /// Claimed places that get copies.
    copies: Vec<(HostKey, Location)>,
    said: Option<Said>,
}

/// What a peer said.
struct Said {
    from: usize,
    message: Message,
}

fn holders(vtep: &Vtep) -> Vec<Option<vouch_net::MacAddr>> {
    (1..8).map(|bit| vtep.machine.binding(vni(), ip(bit)).map(|binding| binding.mac)).collect()
}

impl Before {
    pub(crate) fn of(vtep: &Vtep, input: &Input) -> Self {
        let hosts = vtep.machine.hosts().map(|info| (info.host, info.location, info.sequence)).collect();
        let said = match input {
            Input::Event(Event::Message { from, message }) => {
                Some(Said { from: number(*from), message: message.clone() })
            }
            Input::Event(_) | Input::Timeout => None,
        };
        let claims = vtep.views.iter().flat_map(|(&host, view)| view.claims.iter().map(move |&(port, _)| (host, port)));
        let copies = vtep.views.iter().flat_map(|(&host, view)| {
            let places = match view.destination {
                Destination::Both { with, and } => [Some(with), and],
                Destination::Recorded | Destination::Hairpin | Destination::Claimed { .. } => [None, None],
            };
            places.into_iter().flatten().map(move |place| (host, place))
        });
        let (claims, copies) = (claims.collect(), copies.collect());
        Self { hosts, holders: holders(vtep), claims, copies, said }
    }

    fn of_host(&self, host: &HostKey) -> Option<(Option<Location>, Sequence)> {
        self.hosts.iter().find(|(known, ..)| known == host).map(|&(_, location, sequence)| (location, sequence))
    }
}

impl World {
    /// Looks at what a machine has made of what it was told.
    pub(crate) fn look_at(&mut self, scene: &Scene, at: usize, before: &Before, reports: &[Report]) {
        for report in reports {
            self.look_at_report(scene, at, before, report);
        }
        self.addresses_are_kept(at, before);
        let vtep = &self.vteps[at];
        if vtep.machine.hosts().count() > scene.room {
            self.ghosts.fail(Property::Bounds, format!("{} has more hosts than it has room for", letter(at)));
        } else if vtep.held.len() > 12 {
            self.ghosts.fail(Property::Bounds, format!("{} holds more than a dozen frames", letter(at)));
        } else if self.parcels.len() > 60 {
            self.ghosts.fail(Property::Bounds, "more and more messages are on their way".to_owned());
        }
    }

    fn look_at_report(&mut self, scene: &Scene, at: usize, before: &Before, report: &Report) {
        match *report {
            Report::Stayed { .. } => self.ghosts.happens(Happening::Refused),
            Report::Moved { host, from, to, because, .. } => self.look_at_move(at, before, host, from, to, because),
            Report::Unproven { .. } => self.ghosts.happens(Happening::Unproven),
            Report::Contested { host, claimed, .. } => {
                self.ghosts.happens(Happening::Contested);
                self.reported(host);
                self.look_at_contest(scene, at, host, claimed.0);
            }
            Report::Duplicate { host, .. } => {
                self.ghosts.happens(Happening::Duplicate);
                self.reported(host);
            }
            Report::Attack { host, port, .. } => {
                self.ghosts.happens(Happening::Attack);
                self.look_at_attack(host, Place { vtep: at, port });
            }
            Report::HeardAtOldPort { .. } => self.ghosts.happens(Happening::OldPort),
            Report::Removed { host, last: Location::Local(port) } => {
                self.ghosts.happens(Happening::Aged);
                self.not_given_away(at, host, port, "is forgotten");
            }
            Report::AddressKept { .. } => self.ghosts.happens(Happening::AddressKept),
            Report::AddressMoved { .. } => self.ghosts.happens(Happening::AddressMoved),
            Report::Full { .. } => self.ghosts.happens(Happening::Full),
            Report::Learned { port, .. } | Report::ClaimRaised { port, .. } => {
                let place = Place { vtep: at, port };
                if self.ghosts.spoken & bit(place) == 0 && !self.answers_at(place) {
                    let what = format!("nobody at {place} has said that he is the host");
                    self.ghosts.fail(Property::Evidence, what);
                }
            }
            Report::Removed { host, last: Location::Remote(owner) } => {
                self.look_at_loss(at, before, host, number(owner))
            }
            Report::VerificationStarted { .. }
            | Report::Settled { .. }
            | Report::AttackOver { .. }
            | Report::AddressClaimed { .. }
            | Report::OwnerUnreachable { .. }
            | Report::SequenceExhausted { .. }
            | Report::RoomAgain { .. } => {}
        }
    }

    fn answers_at(&self, place: Place) -> bool {
        self.devices.iter().any(|device| device.place == place && device.habit != Habit::Never)
    }

    /// Whoever is said to answer does.
    fn look_at_contest(&mut self, scene: &Scene, at: usize, who: HostKey, claimed: Location) {
        let there = |place: Place| match claimed {
            Location::Local(port) => place == Place { vtep: at, port },
            Location::Remote(vtep) => place.vtep == number(vtep),
        };
        let answers = |device: &Device| device.host == who && there(device.place) && device.habit != Habit::Never;
        // Who answered may have gone since.
        let constant = scene.budget.habits == 0 && scene.budget.moves == 0;
        if constant && !self.devices.iter().any(answers) {
            let what = format!("{} finds the host contested by a place where nobody answers", letter(at));
            self.ghosts.fail(Property::Evidence, what);
        }
    }

    /// Nobody forgets a host that its owner has, and has had all the time.
    fn look_at_loss(&mut self, at: usize, before: &Before, who: HostKey, owner: usize) {
        let keeps = |(device, ghost): (&Device, &Ghost)| {
            let kept = self.vteps[owner].alive && !self.vteps[owner].forgetful;
            let has = self.vteps[owner].location(&who) == Some(Location::Local(device.place.port));
            device.host == who && device.place.vtep == owner && ghost.settled && !ghost.excused && kept && has
        };
        // What the owner itself has said it may have learned better since.
        let by_owner = before.said.as_ref().is_some_and(|said| said.from == owner);
        // Who was told no more of it forgets it, and is told again if need be.
        if !by_owner && !self.ghosts.drained && self.devices.iter().zip(&self.ghosts.hosts).any(keeps) {
            let what = format!("{} forgets a host that {} has", letter(at), letter(owner));
            self.ghosts.fail(Property::Evidence, what);
        }
    }

    /// Who claims it and answers is not passed over for somebody who is an impostor, once his claim is known.
    fn not_passed_over(&mut self, at: usize, before: &Before, who: HostKey, to: Location) {
        let device = self.devices[0];
        let place = device.place;
        let vtep = &self.vteps[place.vtep];
        let claimed = before.claims.iter().any(|&(host, port)| host == who && Place { vtep: at, port } == place)
            || (place.vtep != at
                && vtep.machine.host(&who).is_some_and(|info| info.phase == Phase::Claiming)
                && vtep.views.get(&who).is_some_and(|view| view.claims.iter().any(|&(port, _)| port == place.port))
                && before.copies.iter().any(|&(host, to)| host == who && to == Location::Remote(address(place.vtep))));
        let right = match to {
            Location::Local(port) => Place { vtep: at, port } == place,
            Location::Remote(vtep) => number(vtep) == place.vtep,
        };
        let long = self.now - device.since >= crate::scene::timers().verdict_after;
        if device.host == who && device.habit == Habit::InTime && claimed && !right && long {
            let what = format!("{} gives the host to {to}, and it answers at {place}, which is claimed", letter(at));
            self.ghosts.fail(Property::Evidence, what);
        }
        if let Some((expected, until)) = self.ghosts.expected
            && self.now < until
            && !match to {
                Location::Local(port) => Place { vtep: at, port } == expected,
                Location::Remote(vtep) => number(vtep) == expected.vtep,
            }
            && self.devices[0].host == who
        {
            let what = format!("{} gives the host to {to}, and it is expected at {expected}", letter(at));
            self.ghosts.fail(Property::Evidence, what);
        }
    }

    fn reported(&mut self, who: HostKey) {
        for (number, ghost) in (1_u8..).zip(&mut self.ghosts.hosts) {
            ghost.reported |= host(number) == who;
        }
    }

    /// Blame needs more than one episode, and falls on no place where the host is.
    fn look_at_attack(&mut self, who: HostKey, place: Place) {
        let there = self.devices.iter().any(|device| device.genuine && device.host == who && device.place == place);
        let episodes = self.ghosts.episodes[number_of(place)].map_or(0, |(_, count)| count);
        if there || u32::from(episodes) < crate::scene::timers().attack_refusals {
            self.ghosts.fail(Property::Blameless, format!("{place} is reported as an attacker"));
        }
    }

    fn look_at_move(
        &mut self,
        at: usize,
        before: &Before,
        who: HostKey,
        from: Location,
        to: Location,
        because: Because,
    ) {
        let happening = match (from, to, because) {
            (_, _, Because::OnlyAnswer) => Happening::OnlyAnswered,
            (_, _, Because::PortDown) => Happening::PortDown,
            (_, _, Because::Policy) => Happening::ByPolicy,
            (_, _, Because::Expected) => Happening::Expected,
            (Location::Local(_), Location::Local(_), _) => Happening::MovedHere,
            (Location::Local(_), Location::Remote(_), _) => Happening::MovedAway,
            (Location::Remote(_), Location::Remote(_), _) => Happening::Followed,
            (Location::Remote(_), Location::Local(_), _) => Happening::MovedAgain,
        };
        self.ghosts.happens(happening);
        let vtep = &self.vteps[at];
        let name = letter(at);
        match (from, because) {
            (Location::Local(port), Because::PortDown) => {
                if !vtep.unlinked.contains(&port) {
                    let what = format!("{name} takes a port that has its link for one that is down");
                    self.ghosts.fail(Property::Evidence, what);
                }
            }
            (Location::Local(port), Because::Silence) => {
                let place = Place { vtep: at, port };
                let via = Location::Local(port);
                let asked = vtep.asked.iter().rev().find(|asked| asked.host == who && asked.via == via);
                let wrong = if !self.was_heard(who, place) {
                    Some("of a host that was never heard there to have an address")
                } else if asked.is_none_or(|asked| usize::from(asked.rounds) < crate::scene::timers().probes.len()) {
                    Some("though not every question has left")
                } else if asked.is_some_and(|asked| asked.lost) {
                    Some("though an answer may have been lost")
                } else {
                    None
                };
                if let Some(wrong) = wrong {
                    self.ghosts.fail(Property::Evidence, format!("{name} takes silence for a proof {wrong}"));
                }
                self.not_given_away(at, who, port, "is given away");
                self.not_passed_over(at, before, who, to);
            }
            (Location::Local(port), Because::OnlyAnswer) => {
                self.not_given_away(at, who, port, "is given away");
                self.not_passed_over(at, before, who, to);
                let there = |place: Place| match to {
                    Location::Local(port) => place == Place { vtep: at, port },
                    Location::Remote(vtep) => place.vtep == number(vtep),
                };
                let ever = |device: &Device| there(device.place) && (device.habit != Habit::Never || device.genuine);
                if !self.ghosts.hosts.iter().any(|ghost| ghost.moved) && !self.devices.iter().any(ever) {
                    let what = format!("{name} gives the host to {to}, where nobody answers");
                    self.ghosts.fail(Property::Evidence, what);
                }
            }
            (Location::Remote(owner), Because::OwnerSaid) => {
                if before.said.as_ref().is_none_or(|said| address(said.from) != owner) {
                    let what = format!("{name} takes the host on the word of somebody who does not have it");
                    self.ghosts.fail(Property::Evidence, what);
                }
            }
            (Location::Remote(_), Because::Told) => self.look_at_news(at, before, who, from, to),
            (Location::Local(_) | Location::Remote(_), _) => {}
        }
    }

    fn was_heard(&self, who: HostKey, place: Place) -> bool {
        (1_u8..).zip(&self.ghosts.hosts).any(|(number, ghost)| host(number) == who && ghost.heard & bit(place) != 0)
    }

    /// Who answers in time where the host is recorded, and has for as long as a verdict takes, is not silent.
    fn not_given_away(&mut self, at: usize, who: HostKey, port: vouch_mobility::AccessId, what: &str) {
        let place = Place { vtep: at, port };
        let via = Location::Local(port);
        let asked = self.vteps[at].asked.iter().rev().find(|asked| asked.host == who && asked.via == via);
        let last = asked.map(|asked| asked.last);
        let answers = |device: &&Device| {
            (device.host, device.place) == (who, place)
                && device.habit == Habit::InTime
                && last.is_some_and(|last| device.since < last)
        };
        if self.devices.iter().any(|device| answers(&device)) {
            let what = format!("{} answers at {place}, and {what}", "the host");
            self.ghosts.fail(Property::Evidence, what);
        }
    }

    /// An observer turns to whoever outranks what it had, or is told by who has it.
    fn look_at_news(&mut self, at: usize, before: &Before, who: HostKey, from: Location, to: Location) {
        let Some(said) = &before.said else { return };
        let Some((_, known)) = before.of_host(&who) else { return };
        let (speaker, name) = (Location::Remote(address(said.from)), letter(at));
        let wrong = match &said.message {
            Message::Advertisement(Advertisement { sequence, .. }) | Message::Sync(Sync::Host { sequence, .. })
                if to == speaker =>
            {
                *sequence <= known && known != Sequence::LAST
            }
            Message::Withdrawal(withdrawal) => speaker != from && withdrawal.sequence < known,
            Message::Reply(reply) => !matches!(reply.verdict, Verdict::Elsewhere(_)) && speaker != from,
            Message::Advertisement(_)
            | Message::Sync(_)
            | Message::Standing(_)
            | Message::Expect(_)
            | Message::AddressClaim(_)
            | Message::AddressReply(_) => false,
        };
        if wrong {
            let what = format!("{name} turns from {from} to {to} by news that do not outrank what it had");
            self.ghosts.fail(Property::Evidence, what);
        }
    }

    fn addresses_are_kept(&mut self, at: usize, before: &Before) {
        let after = holders(&self.vteps[at]);
        for (number, (before, after)) in (1_u8..).zip(before.holders.iter().zip(&after)) {
            let (Some(before), Some(after)) = (before, after) else { continue };
            if before == after {
                continue;
            }
            let address: IpAddr = ip(number);
            let keeps = |(device, ghost): (&Device, &Ghost)| {
                // Of one that never answers, nothing proves that it has given an address up.
                let keeps = match device.habit {
                    Habit::InTime | Habit::OnlySecond => device.answers_for(address),
                    Habit::Late | Habit::Never => device.has(address) && !ghost.excused,
                };
                device.host.mac == *before && ghost.settled && keeps
            };
            if self.devices.iter().zip(&self.ghosts.hosts).any(keeps) {
                let what = format!("{} binds {address} to another, and its holder answers for it", letter(at));
                self.ghosts.fail(Property::KeepsAddress, what);
            }
        }
    }

    /// Looks at the whole fabric, after something has happened in it.
    pub(crate) fn look_around(&mut self, scene: &Scene) {
        for number in 0..self.ghosts.hosts.len() {
            self.entry_is_kept(number);
        }
        if self.vteps.iter().any(|vtep| vtep.machine.hosts().any(|info| info.phase == Phase::Sought)) {
            self.ghosts.happens(Happening::Sought);
        }
        let forgot = |vtep: &Arc<Vtep>| vtep.alive && vtep.location(&host(1)).is_none();
        if self.is_draining(self.devices[0].place.vtep) && self.vteps.iter().any(forgot) {
            self.ghosts.happens(Happening::Forgot);
        }
        if std::mem::take(&mut self.changed) {
            self.traffic_arrives(scene);
        }
    }

    fn entry_is_kept(&mut self, number: usize) {
        let device = self.devices[number];
        let ghost = self.ghosts.hosts[number];
        let vtep = &self.vteps[device.place.vtep];
        if !vtep.alive {
            return;
        }
        let location = vtep.location(&device.host);
        if location == Some(Location::Local(device.place.port)) {
            // A question that began before it came may still end against it.
            let asked = vtep.machine.host(&device.host).is_some_and(|info| info.phase != Phase::Settled);
            if !ghost.settled && !asked {
                self.ghosts.hosts[number].settled = true;
                if ghost.moved {
                    self.ghosts.happens(Happening::MovedAgain);
                }
            }
            return;
        }
        let forgotten = vtep.forgetful && location.is_none();
        // Whose switch and agent have forgotten everything still has peers that remember.
        let given_away = vtep.forgetful && !ghost.moved && matches!(location, Some(Location::Remote(_)));
        if given_away && !ghost.excused {
            let what =
                format!("{} has forgotten the host, which is there, and gives it away", letter(device.place.vtep));
            self.ghosts.fail(Property::KeepsEntry, what);
        }
        if ghost.settled && !ghost.excused && !forgotten {
            let has = location.map_or("nothing".to_owned(), |location| format!("{location}"));
            let what = format!("the host is at {}, and {} has {has} for it", device.place, letter(device.place.vtep));
            self.ghosts.fail(Property::KeepsEntry, what);
        }
    }

    fn traffic_arrives(&mut self, scene: &Scene) {
        for number in 0..self.ghosts.hosts.len() {
            let device = self.devices[number];
            let ghost = self.ghosts.hosts[number];
            let place = (device.place.vtep, device.place.port);
            for start in 0..VTEPS {
                let trace = self.trace(&device.host, start, Ingress::Access(vouch_mobility::AccessId(99)));
                let loops = (0..VTEPS).filter(|&from| from != start).find_map(|from| {
                    let trace = self.trace(&device.host, start, Ingress::Tunnel(from));
                    trace.looped.map(|_| from)
                });
                if trace.looped.is_some() || loops.is_some() {
                    let what = format!("what is sent to the host at {} goes round", letter(start));
                    self.ghosts.fail(Property::NoLoops, what);
                }
                let others = trace.delivered.iter().any(|&delivered| delivered != place);
                if others && self.vteps[start].views.contains_key(&device.host) {
                    self.ghosts.happens(Happening::Copied);
                }
                if !ghost.settled || ghost.excused || !scene.is_undisturbed() {
                    continue;
                }
                if start != place.0 && self.ghosts.drained && self.ghosts.spoke_elsewhere(place.0) {
                    continue;
                }
                let copies = trace.copies(place);
                if copies != 1 {
                    let what = format!("what is sent at {} arrives {copies} times", letter(start));
                    self.ghosts.fail(Property::KeepsTraffic, what);
                }
                if others && !ghost.moved && scene.during == During::Hold {
                    let what = format!("what is sent at {} arrives elsewhere, too", letter(start));
                    self.ghosts.fail(Property::HoldShowsNobody, what);
                }
            }
        }
    }

    /// Looks at everything in the end.
    pub(crate) fn look_back(&mut self, scene: &Scene) {
        for number in 0..self.ghosts.hosts.len() {
            self.all_agree(scene, number);
        }
        for at in 0..VTEPS {
            let vtep = Arc::clone(&self.vteps[at]);
            let name = letter(at);
            for (host, view) in &vtep.views {
                if vtep.machine.view(host) != Some(view) {
                    self.ghosts
                        .fail(Property::Rest, format!("the switch of {name} has what its machine does not want"));
                }
            }
            let unsettled = vtep.machine.hosts().any(|info| info.phase != Phase::Settled);
            if !unsettled && !vtep.held.is_empty() {
                self.ghosts.fail(Property::Rest, format!("{name} holds a frame for ever"));
            }
            if scene.other_vni && at == 0 && !vtep.machine.hosts().any(|info| info.host == Self::other_host()) {
                self.ghosts.fail(Property::Bounds, format!("{name} has no room for a host of another VNI"));
            }
        }
    }

    /// Before anything has aged: whoever says that he has a host which answers at a VTEP that is out of use, and does not answer himself, does not keep it.
    pub(crate) fn nobody_is_misled(&mut self) {
        let Device { host: who, place, habit, .. } = self.devices[0];
        if !self.is_draining(place.vtep) || habit != Habit::InTime {
            return;
        }
        for at in (0..VTEPS).filter(|&at| at != place.vtep) {
            if let Some(location) = self.vteps[at].location(&who)
                && location != Location::Remote(address(place.vtep))
            {
                let what = format!("the host is at {place}, and {} has {location} for it", letter(at));
                self.ghosts.fail(Property::Agreement, what);
            }
        }
    }

    /// One VTEP has the host, the one where it is, and the others follow.
    fn all_agree(&mut self, scene: &Scene, number: usize) {
        let device = self.devices[number];
        let who = device.host;
        let infos: Vec<_> = self.vteps.iter().map(|vtep| vtep.machine.host(&who)).collect();
        let locations: Vec<_> = infos.iter().map(|info| info.as_ref().and_then(|info| info.location)).collect();
        let owners = locations.iter().filter(|location| matches!(location, Some(Location::Local(_)))).count();
        if owners > 1 && !self.ghosts.hosts[number].reported {
            self.ghosts.fail(Property::OneOwner, format!("{owners} VTEPs have the host, and none has said so"));
        }
        let answers = matches!(device.habit, Habit::InTime | Habit::Late | Habit::OnlySecond);
        if answers && scene.is_cunning() {
            for start in 0..VTEPS {
                let trace = self.trace(&who, start, Ingress::Access(vouch_mobility::AccessId(99)));
                if trace.copies((device.place.vtep, device.place.port)) == 0 {
                    let what = format!("what is sent at {} does not reach the host at {}", letter(start), device.place);
                    self.ghosts.fail(Property::Reached, what);
                }
            }
        }
        if !answers || scene.is_cunning() {
            return;
        }
        // What nobody knows is flooded, and learned when it speaks.
        if scene.budget.idles > 0 && locations.iter().all(Option::is_none) {
            return;
        }
        for (at, location) in locations.iter().enumerate() {
            let right = if at == device.place.vtep {
                Location::Local(device.place.port)
            } else {
                Location::Remote(address(device.place.vtep))
            };
            // Who was told no more of it floods what is sent to it.
            let untold = self.is_draining(device.place.vtep) && location.is_none();
            if *location != Some(right) && !(untold && at != device.place.vtep) {
                let has = location.map_or("nothing".to_owned(), |location| format!("{location}"));
                let what = format!("the host is at {}, and {} has {has} for it", device.place, letter(at));
                self.ghosts.fail(Property::Agreement, what);
            }
        }
        for (at, info) in infos.iter().enumerate() {
            if info.as_ref().is_some_and(|info| info.phase != Phase::Settled) {
                self.ghosts.fail(Property::Rest, format!("{} is still busy with the host", letter(at)));
            }
        }
    }
}
