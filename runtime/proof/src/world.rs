//! The state that is explored: three VTEPs, the devices on their ports, what is on its way between them, and what may still happen.
//!
//! Whatever takes no time in a fabric that is not disturbed takes none here: views reach the switch, questions leave and are confirmed, frames are punted,
//! checks are answered as soon as the machine says so. What takes time is on its way until it is chosen to arrive: messages, each for at most
//! [`Scene::delay`], and answers, as the habit of who answers says. Time passes from one moment at which something is due to the next, and not before all
//! that has to have arrived by then has.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use vouch_mobility::{
    AccessId, Action, Event, Evidence, Heard, HostKey, Instant, Location, Message, Mobility, Probe, Report, Sync,
};
use vouch_net::Vni;

use crate::canonical::Canonical;
use crate::dataplane::{self, Ingress, Punt, Trace};
use crate::scene::{Budget, Habit, IN_TIME, LATE, PORTS, Place, Scene, VTEPS, address, host, number};
use crate::vtep::{Asked, Vtep};
use crate::watch::{Before, Ghosts};

/// Somebody on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Device {
    /// Whose MAC address it uses.
    pub host: HostKey,
    /// Where it is.
    pub place: Place,
    /// Since when, and since when it answers as it does.
    pub since: Instant,
    /// Which addresses it has, one bit each.
    pub addresses: u8,
    /// How it answers.
    pub habit: Habit,
    /// It is the host, and not somebody who pretends to be it.
    pub genuine: bool,
}

/// An address by its number.
pub(crate) fn ip(number: u8) -> IpAddr {
    Ipv4Addr::new(192, 168, 0, number).into()
}

impl Device {
    /// Whether it has the address.
    pub fn has(&self, address: IpAddr) -> bool {
        (1..8).any(|bit| self.addresses & (1 << bit) != 0 && ip(bit) == address)
    }

    /// The lowest of its addresses: the one that it announces.
    pub fn first(&self) -> Option<IpAddr> {
        (1..8).find(|bit| self.addresses & (1 << bit) != 0).map(ip)
    }

    /// Whether it answers, in time, for the address.
    pub fn answers_for(&self, address: IpAddr) -> bool {
        match self.habit {
            Habit::InTime => self.has(address),
            Habit::OnlySecond => self.has(address) && Some(address) != self.first(),
            Habit::Late | Habit::Never => false,
        }
    }
}

/// A message on its way.
#[derive(Debug, Clone, Hash)]
pub struct Parcel {
    /// From which VTEP.
    pub from: usize,
    /// To which.
    pub to: usize,
    /// Until when it has arrived.
    pub until: Instant,
    /// What it says. The lists at the begin of a session are one parcel.
    pub content: Vec<Message>,
}

/// An answer on its way, or one that somebody will give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pending {
    /// Whose.
    pub device: usize,
    /// To which VTEP.
    pub to: usize,
    /// Where it was asked, as that sees it.
    pub via: Location,
    /// For which address.
    pub address: IpAddr,
    /// Not before then.
    pub from: Instant,
    /// And no later.
    pub until: Instant,
}

/// Everything.
#[derive(Debug, Clone)]
pub struct World {
    /// What time it is.
    pub now: Instant,
    /// When it began.
    pub begun: Instant,
    /// The VTEPs.
    pub vteps: [Arc<Vtep>; VTEPS],
    /// The hosts, then the impostors of the first of them, then the stranger.
    pub devices: Vec<Device>,
    /// Messages, in the order in which they were sent.
    pub parcels: Vec<Parcel>,
    /// Answers.
    pub answers: Vec<Pending>,
    /// Which sessions are broken, by the number of the VTEP that is not part of it.
    pub broken: [bool; VTEPS],
    /// What may still happen.
    pub left: Budget,
    /// It is over.
    pub ended: bool,
    /// What the properties need to know of what has happened.
    pub ghosts: Ghosts,
    /// A view was changed by what happened last.
    pub(crate) changed: bool,
    /// Tells what is said, in words.
    pub(crate) told: Option<Vec<String>>,
}

impl Hash for World {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { now, begun, vteps, devices, parcels, answers, broken, left, ended, ghosts, changed: _, told: _ } =
            self;
        let mut canonical = Canonical::at(*now);
        begun.hash(&mut canonical);
        for vtep in vteps {
            vtep.hash(&mut canonical);
        }
        (devices, parcels, answers, broken, left, ended, ghosts).hash(&mut canonical);
        state.write_u64(canonical.finish());
    }
}

impl PartialEq for World {
    /// As the checker sees it, which compares states by their hashes.
    fn eq(&self, other: &Self) -> bool {
        let hash = |world: &Self| {
            let mut hasher = std::hash::DefaultHasher::new();
            world.hash(&mut hasher);
            hasher.finish()
        };
        hash(self) == hash(other)
    }
}

impl Eq for World {}

/// Something that a machine is told.
#[allow(clippy::large_enum_variant, reason = "handed over at once")]
pub(crate) enum Input {
    Event(Event),
    Timeout,
}

impl World {
    /// Before anything has happened: everybody knows everybody, and nobody has just started.
    pub(crate) fn settled(scene: &Scene) -> Self {
        let begun = Instant::from_micros(10_000_000_000);
        let vteps = std::array::from_fn(|vtep| Arc::new(Vtep::new(Mobility::new(scene.config(vtep, 1)))));
        let device =
            |host, place, addresses, habit, genuine| Device { host, place, since: begun, addresses, habit, genuine };
        let mut devices = Vec::new();
        for (number, &(place, addresses, habit)) in (1_u8..).zip(scene.hosts) {
            devices.push(device(host(number), place, addresses, habit, true));
        }
        let victims = devices[0].addresses;
        devices.extend(scene.impostors.iter().map(|&(place, habit)| device(host(1), place, victims, habit, false)));
        devices.extend(scene.stranger.map(|place| device(host(9), place, 0b100_0000, Habit::InTime, false)));
        let mut world = Self {
            now: begun,
            begun,
            vteps,
            devices,
            parcels: Vec::new(),
            answers: Vec::new(),
            broken: [true; VTEPS],
            left: Budget::default(),
            ended: false,
            ghosts: Ghosts::new(scene),
            changed: false,
            told: None,
        };
        world.prelude(scene);
        world.begun = world.now;
        world.left = scene.budget;
        world
    }

    /// The agent dies, if it lives, and is started again.
    pub(crate) fn start(&mut self, at: usize, remembers: bool, scene: &Scene) {
        if self.vteps[at].alive {
            self.kill(scene, at);
        }
        let vtep = Arc::make_mut(&mut self.vteps[at]);
        vtep.incarnation += 1;
        vtep.alive = true;
        vtep.machine = Mobility::new(scene.config(at, vtep.incarnation));
        vtep.deaf = false;
        let views = std::mem::take(&mut vtep.views);
        let bindings = std::mem::take(&mut vtep.bindings);
        if remembers {
            for (&host, view) in &views {
                self.feed(
                    scene,
                    at,
                    Event::Restored { host, location: view.location, passed_on: view.destination.passes_on() },
                );
            }
            for (&address, binding) in &bindings {
                let host = HostKey { mac: binding.mac, vni: crate::scene::vni() };
                self.feed(scene, at, Event::RestoredBinding { host, address, confirmed: binding.confirmed });
            }
        } else {
            Arc::make_mut(&mut self.vteps[at]).forgetful = true;
            self.ghosts.forgotten(at, &self.devices);
        }
        for port in self.vteps[at].unlinked.clone() {
            self.feed(scene, at, Event::PortDown { port });
        }
        for other in 0..VTEPS {
            if other != at && self.is_up(at, other) {
                self.greet(scene, at, other);
            }
        }
    }

    /// An agent dies. Its peers notice.
    pub(crate) fn kill(&mut self, scene: &Scene, at: usize) {
        let peers: Vec<usize> = (0..VTEPS).filter(|&peer| peer != at && self.is_up(at, peer)).collect();
        let vtep = Arc::make_mut(&mut self.vteps[at]);
        vtep.alive = false;
        vtep.held.clear();
        vtep.asked.clear();
        self.answers.retain(|answer| answer.to != at);
        self.parcels.retain(|parcel| parcel.from != at && parcel.to != at);
        for peer in peers {
            self.feed(scene, peer, Event::PeerDown { peer: address(at) });
        }
    }

    pub(crate) fn is_up(&self, a: usize, b: usize) -> bool {
        self.vteps[a].alive && self.vteps[b].alive && !self.broken[VTEPS - a - b]
    }

    pub(crate) fn set_session(&mut self, scene: &Scene, a: usize, b: usize, up: bool) {
        let before = self.is_up(a, b);
        self.broken[VTEPS - a - b] = !up;
        if before && !up {
            self.part(scene, a, b);
        } else if !before && self.is_up(a, b) {
            self.greet(scene, a, b);
        }
    }

    pub(crate) fn part(&mut self, scene: &Scene, a: usize, b: usize) {
        self.parcels.retain(|parcel| (parcel.from, parcel.to) != (a, b) && (parcel.from, parcel.to) != (b, a));
        for (at, peer) in [(a, b), (b, a)] {
            if self.vteps[at].alive {
                self.feed(scene, at, Event::PeerDown { peer: address(peer) });
            }
        }
    }

    fn greet(&mut self, scene: &Scene, a: usize, b: usize) {
        for (at, peer) in [(a, b), (b, a)] {
            self.feed(scene, at, Event::PeerUp { peer: address(peer), probe_mac: None });
        }
        for (at, peer) in [(a, b), (b, a)] {
            self.list(scene, at, peer);
        }
    }

    /// Sends the lists that a session begins with.
    fn list(&mut self, scene: &Scene, from: usize, to: usize) {
        let machine = &mut Arc::make_mut(&mut self.vteps[from]).machine;
        let content: Vec<_> = std::iter::from_fn(|| machine.poll_sync(address(to))).collect();
        // Where messages are lost, those of a list are lost one by one.
        let size = if scene.is_lossy() { 1 } else { content.len().max(1) };
        for content in content.chunks(size).map(<[Message]>::to_vec) {
            self.parcels.push(Parcel { from, to, until: self.now + scene.delay, content });
        }
    }

    /// A VTEP is taken out of use, or back into it: its peers get another list.
    pub(crate) fn drain(&mut self, scene: &Scene, at: usize, on: bool) {
        self.feed(scene, at, Event::Drain { on });
        self.ghosts.drained |= on;
        for peer in (0..VTEPS).filter(|&peer| peer != at) {
            if self.is_up(at, peer) {
                self.list(scene, at, peer);
            }
        }
    }

    /// Whether a VTEP is out of use.
    pub(crate) fn is_draining(&self, at: usize) -> bool {
        self.vteps[at].alive && self.vteps[at].machine.is_draining()
    }

    /// A message arrives.
    pub(crate) fn deliver(&mut self, scene: &Scene, parcel: Parcel) {
        let Parcel { from, to, content, .. } = parcel;
        for message in content {
            let again = message == Message::Sync(Sync::Again);
            self.feed(scene, to, Event::Message { from: address(from), message });
            if again {
                self.list(scene, to, from);
            }
        }
    }

    /// An answer arrives, or what is one.
    pub(crate) fn answer(&mut self, scene: &Scene, pending: Pending) {
        let Device { host, place, .. } = self.devices[pending.device];
        let from = match pending.via {
            Location::Local(_) => Location::Local(place.port),
            Location::Remote(_) => Location::Remote(address(place.vtep)),
        };
        self.ghosts.heard(host, place);
        if self.vteps[pending.to].alive {
            self.feed(scene, pending.to, Event::ProbeAnswered { host, from, address: pending.address });
        }
    }

    /// A frame comes in at a port. Whether anybody hears of it.
    pub(crate) fn frame(
        &mut self,
        scene: &Scene,
        place: Place,
        host: HostKey,
        evidence: Evidence,
        ip: Option<IpAddr>,
    ) -> bool {
        let vtep = &self.vteps[place.vtep];
        if !vtep.alive {
            return false;
        }
        let named = ip.filter(|_| matches!(evidence, Evidence::Arp | Evidence::Neighbour));
        let bound = named.and_then(|address| vtep.bindings.get(&address)).copied();
        let port = place.port;
        let punt = dataplane::source_check(vtep.views.get(&host), port, &host, named.is_some(), bound);
        let hold = match punt {
            Punt::Nothing => return false,
            Punt::Alive => {
                self.feed(scene, place.vtep, Event::SeenAtRecordedPort { host, port, address: named });
                return true;
            }
            Punt::Learn => false,
            Punt::Binding => true,
            Punt::Move => evidence != Evidence::Data,
        };
        if named.is_some() {
            self.ghosts.heard(host, place);
        }
        if evidence != Evidence::Dad {
            self.ghosts.spoke(place);
        }
        let frame = hold.then(|| Arc::make_mut(&mut self.vteps[place.vtep]).new_frame());
        let addresses = named.into_iter().collect();
        self.feed(scene, place.vtep, Event::Heard(Heard { host, port, evidence, addresses, target: None, frame }));
        true
    }

    /// A machine is told something, and does what it makes of it.
    pub(crate) fn feed(&mut self, scene: &Scene, at: usize, event: Event) {
        self.run(scene, at, Input::Event(event));
    }

    pub(crate) fn run(&mut self, scene: &Scene, at: usize, input: Input) {
        let mut inbox = VecDeque::from([input]);
        let mut steps = 0;
        while let Some(input) = inbox.pop_front() {
            steps += 1;
            if steps > 200 {
                return self.ghosts.never_rests(at);
            }
            let before = Before::of(&self.vteps[at], &input);
            let machine = &mut Arc::make_mut(&mut self.vteps[at]).machine;
            match input {
                Input::Event(event) => machine.handle(event, self.now),
                Input::Timeout => machine.handle_timeout(self.now),
            }
            let mut reports = Vec::new();
            while let Some(action) = Arc::make_mut(&mut self.vteps[at]).machine.poll_action() {
                self.carry_out(scene, at, action, &mut inbox, &mut reports);
            }
            self.look_at(scene, at, &before, &reports);
            if let Some(told) = &mut self.told {
                told.extend(reports.iter().map(|report| crate::words::report(at, report)));
            }
        }
    }

    fn carry_out(
        &mut self,
        scene: &Scene,
        at: usize,
        action: Action,
        inbox: &mut VecDeque<Input>,
        reports: &mut Vec<Report>,
    ) {
        let vtep = Arc::make_mut(&mut self.vteps[at]);
        match action {
            Action::Install { host, view } => {
                self.changed = true;
                match view {
                    Some(view) => drop(vtep.views.insert(host, view)),
                    None => drop(vtep.views.remove(&host)),
                }
            }
            Action::Bind { address, binding, .. } => match binding {
                Some(binding) => drop(vtep.bindings.insert(address, binding)),
                None => drop(vtep.bindings.remove(&address)),
            },
            Action::Probe(probe) => self.probe(scene, at, &probe, inbox),
            Action::Check { question, host, .. } => {
                let lost = vtep.asked.iter().any(|asked| asked.question == question && asked.lost);
                inbox.push_back(Input::Event(Event::Checked { host, question, complete: !lost }));
            }
            Action::Send { to, message } => {
                let to = number(to);
                if self.is_up(at, to) {
                    self.parcels.push(Parcel { from: at, to, until: self.now + scene.delay, content: vec![message] });
                }
            }
            Action::Release { frame } | Action::Answer { frame, .. } | Action::Drop { frame } => {
                if !vtep.held.remove(&frame) {
                    self.ghosts.resolved_twice(at);
                }
            }
            Action::Report(report) => reports.push(report),
        }
    }

    /// A round of questions leaves, unless the switch takes none.
    fn probe(&mut self, scene: &Scene, at: usize, probe: &Probe, inbox: &mut VecDeque<Input>) {
        let Probe { question, round, host, via, .. } = *probe;
        let vtep = Arc::make_mut(&mut self.vteps[at]);
        vtep.forget_questions();
        let asked = &mut vtep.asked;
        if !asked.iter().any(|asked| asked.question == question) {
            // Of questions at one place only the latest matters, once it is over.
            asked.retain(|other| {
                (other.host, other.via) != (host, via) || vtep.machine.is_asking(&host, other.question)
            });
            asked.push(Asked { question, host, via, rounds: 0, last: self.now, lost: false });
        }
        if vtep.deaf {
            return;
        }
        for asked in asked.iter_mut().filter(|asked| asked.question == question) {
            asked.rounds += 1;
            asked.last = self.now;
        }
        for _ in 0..scene.confirmations {
            inbox.push_back(Input::Event(Event::Asked { host, question, round }));
        }
        let reached = match via {
            Location::Local(port) => vec![Place { vtep: at, port }],
            Location::Remote(to) => {
                let delivered = self.trace(&host, number(to), Ingress::Tunnel(at)).delivered;
                delivered.into_iter().map(|(vtep, port)| Place { vtep, port }).collect()
            }
        };
        for (number, device) in self.devices.iter().enumerate() {
            if device.host != host || !reached.contains(&device.place) {
                continue;
            }
            for &address in &probe.targets {
                let (from, until) = match device.habit {
                    Habit::Late if device.has(address) => (self.now + LATE, self.now + LATE),
                    _ if device.answers_for(address) => (self.now, self.now + IN_TIME),
                    _ => continue,
                };
                let pending = Pending { device: number, to: at, via, address, from, until };
                // Two answers on their way at once are one, unless it matters that they are two.
                let same = |other: &&Pending| Pending { from, until, ..**other } == pending;
                let most = if scene.echoes { 2 } else { 1 };
                if self.answers.iter().filter(same).count() < most {
                    self.answers.push(pending);
                }
            }
        }
    }

    /// Where a frame to the host comes out.
    pub(crate) fn trace(&self, host: &HostKey, start: usize, ingress: Ingress) -> Trace {
        let views: Vec<_> = self.vteps.iter().map(|vtep| &vtep.views).collect();
        let number_of = |location| match location {
            Location::Remote(vtep) => Some(number(vtep)),
            Location::Local(_) => None,
        };
        dataplane::trace(&views, &number_of, &PORTS, host, start, ingress)
    }

    /// When something is due by itself.
    pub(crate) fn next_time(&self) -> Option<Instant> {
        let machines = self.vteps.iter().filter(|vtep| vtep.alive).filter_map(|vtep| vtep.machine.next_deadline());
        let answers = self.answers.iter().map(|answer| answer.from).filter(|&from| from > self.now);
        machines.chain(answers).min().map(|next| next.max(self.now))
    }

    /// Whether nothing has to arrive before then.
    pub(crate) fn may_wait_until(&self, then: Instant) -> bool {
        self.parcels.iter().all(|parcel| parcel.until >= then) && self.answers.iter().all(|answer| answer.until >= then)
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, scene: &Scene, then: Instant) {
        self.now = then;
        for at in 0..VTEPS {
            let due = self.vteps[at].alive && self.vteps[at].machine.next_deadline().is_some_and(|due| due <= then);
            if due {
                self.run(scene, at, Input::Timeout);
            }
        }
    }

    /// A host of the VNI in which nobody is.
    pub(crate) fn other_host() -> HostKey {
        HostKey { vni: Vni::new(11).expect("fits"), ..host(8) }
    }

    /// A port that is said to be down, or up.
    pub(crate) fn link(&mut self, scene: &Scene, place: Place, up: bool) {
        let Place { vtep, port } = place;
        let unlinked = &mut Arc::make_mut(&mut self.vteps[vtep]).unlinked;
        let event = if up {
            unlinked.remove(&port);
            Event::PortUp { port }
        } else {
            unlinked.insert(port);
            Event::PortDown { port }
        };
        if self.vteps[vtep].alive {
            self.feed(scene, vtep, event);
        }
    }

    /// Nobody knows whether the port has a link.
    pub(crate) fn link_unknown(&mut self, scene: &Scene, vtep: usize, port: AccessId) {
        Arc::make_mut(&mut self.vteps[vtep]).unlinked.remove(&port);
        if self.vteps[vtep].alive {
            self.feed(scene, vtep, Event::PortUnknown { port });
        }
    }
}
