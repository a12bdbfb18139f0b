//! The world: VTEPs with their machines and switches, the network, the devices on the ports, and the time.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use vouch_mobility::{
    AccessId, Action, BindingView, Config, Event, Evidence, FrameId, Heard, HostKey, Instant, Location, Message,
    Mobility, Phase, Probe, QuestionId, Sync, VtepAddr,
};
use vouch_net::MacAddr;

use super::check::Checker;
use super::dataplane::{Ingress, Punt, Trace, source_check, trace};
use super::device::{Device, Habit};
use super::network::{Network, Weather};
use super::script::{DEEDS_END, Deed, Script, first_ip, key};
use super::switch::Switch;

pub(crate) const PORTS: [AccessId; 4] = [AccessId(1), AccessId(2), AccessId(3), AccessId(4)];

pub(crate) struct Vtep {
    pub(crate) machine: Mobility,
    pub(crate) switch: Switch,
    /// Frames that the driver holds, and those that it was told what to do with.
    pub(crate) held: BTreeMap<FrameId, Option<bool>>,
}

enum Happening {
    Deliver { from: usize, to: usize, epoch: u64, message: Message },
    Punted { at: usize, life: u64, event: Event },
    Leaves { at: usize, life: u64, probe: Probe },
    Probed { device: usize, by: usize, at: (usize, AccessId), via: Location, recorded: bool },
    Answered { device: usize, by: usize, at: (usize, AccessId), via: Location, recorded: bool },
    Check { at: usize, life: u64, question: QuestionId, host: HostKey },
    Pull { at: usize, peer: usize, epoch: u64 },
    Reconnected { at: usize, life: u64 },
    Do(Deed),
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) vteps: Vec<Vtep>,
    pub(crate) devices: Vec<Device>,
    pub(crate) network: Network,
    pub(crate) checker: Checker,
    incarnation: u64,
    weather: Weather,
    rng: StdRng,
    queue: BTreeMap<(Instant, u64), Happening>,
    counter: u64,
    config: Box<dyn Fn(usize, u64) -> Config>,
    /// `SIM_LOG=1` shows every event and action, to find out what a failing script does.
    verbose: bool,
}

pub(crate) fn address(vtep: usize) -> VtepAddr {
    VtepAddr(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1 + u8::try_from(vtep).expect("few VTEPs"))))
}

pub(crate) fn number(location: Location) -> Option<usize> {
    match location {
        Location::Remote(VtepAddr(IpAddr::V4(vtep))) => Some(usize::from(vtep.octets()[3]) - 1),
        Location::Remote(VtepAddr(IpAddr::V6(_))) | Location::Local(_) => None,
    }
}

impl World {
    pub(crate) fn new(script: &Script) -> Self {
        let config = script.config();
        let vteps = (0..script.vteps)
            .map(|vtep| Vtep {
                machine: Mobility::new(config(vtep, 1)),
                switch: Switch::default(),
                held: BTreeMap::new(),
            })
            .collect();
        let mut world = Self {
            now: Instant::EPOCH,
            vteps,
            devices: script.devices(),
            network: Network::default(),
            checker: Checker::new(script),
            incarnation: 1,
            weather: script.weather,
            rng: StdRng::seed_from_u64(script.seed),
            queue: BTreeMap::new(),
            counter: 0,
            config: Box::new(config),
            verbose: std::env::var_os("SIM_LOG").is_some(),
        };
        for (at, deed) in script.deeds() {
            world.schedule(at, Happening::Do(deed));
        }
        world
    }

    /// Runs until `end`, looking at everything after every step.
    pub(crate) fn run_until(&mut self, end: Instant) {
        // Ten times what the busiest of scripts needs.
        let mut steps = 0;
        loop {
            let event = self.queue.first_key_value().map(|(&(at, _), _)| at);
            let timer = self.vteps.iter().filter_map(|vtep| vtep.machine.next_deadline()).min();
            let Some(next) = event.into_iter().chain(timer).min().filter(|&next| next <= end) else { break };
            steps += 1;
            assert!(steps < 200_000, "{:?}: they do not come to rest", self.now);
            self.now = self.now.max(next);
            if event.is_some_and(|at| at <= self.now) {
                let (_, happening) = self.queue.pop_first().expect("there is one");
                self.happen(happening);
            } else {
                for at in 0..self.vteps.len() {
                    self.vteps[at].machine.handle_timeout(self.now);
                    self.carry_out(at);
                }
            }
            let mut checker = std::mem::take(&mut self.checker);
            checker.after_step(self);
            self.checker = checker;
        }
        self.now = end;
    }

    /// Whether somebody has forgotten where a host of his was, and has not found it yet.
    pub(crate) fn somebody_seeks(&self) -> bool {
        self.vteps.iter().any(|vtep| vtep.machine.hosts().any(|info| info.phase == Phase::Sought))
    }

    fn schedule(&mut self, at: Instant, happening: Happening) {
        self.counter += 1;
        self.queue.insert((at, self.counter), happening);
    }

    fn after(&mut self, millis: std::ops::RangeInclusive<u64>) -> Instant {
        let micros = self.rng.random_range(millis.start() * 1_000..=millis.end() * 1_000);
        self.now + Duration::from_micros(micros)
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Deliver { from, to, epoch, message } => {
                if self.network.is_up(from, to) && self.network.epoch(from, to) == epoch {
                    if message == Message::Sync(Sync::Again) {
                        self.schedule(self.now, Happening::Pull { at: to, peer: from, epoch });
                    }
                    self.feed(to, Event::Message { from: address(from), message });
                }
            }
            Happening::Punted { at, life, event } => {
                let switch = &self.vteps[at].switch;
                if switch.life == life && !switch.is_lost(self.now) {
                    self.feed(at, event);
                } else {
                    let again = switch.lost_until;
                    if let Event::Heard(Heard { frame: Some(frame), .. }) | Event::Requested { frame, .. } = event {
                        self.vteps[at].held.remove(&frame);
                    }
                    if let Event::Heard(Heard { host, port, addresses, .. }) = event {
                        self.unheard(at, port, host, &addresses, again);
                    }
                }
            }
            Happening::Leaves { at, life, probe } => self.leaves(at, life, &probe),
            Happening::Probed { device, by, at, via, recorded } => {
                let asked = &self.devices[device];
                if asked.at == Some(at) && asked.silent_until <= self.now {
                    let when = match asked.habit {
                        Habit::Answers { within_ms } => self.after(0..=within_ms),
                        Habit::Late { after_ms } => self.after(after_ms..=after_ms + after_ms / 10),
                        Habit::AnswersGateway => self.after(0..=2),
                        Habit::Mute => return,
                    };
                    self.schedule(when, Happening::Answered { device, by, at, via, recorded });
                }
            }
            Happening::Answered { device, by, at, via, recorded } => self.answers(device, by, at, via, recorded),
            Happening::Check { at, life, question, host } => {
                let switch = &self.vteps[at].switch;
                if switch.life == life {
                    let complete = switch.has_heard_all_since(question) && !switch.is_lost(self.now);
                    self.feed(at, Event::Checked { host, question, complete });
                }
            }
            Happening::Pull { at, peer, epoch } => {
                if self.network.is_up(at, peer)
                    && self.network.epoch(at, peer) == epoch
                    && let Some(message) = self.vteps[at].machine.poll_sync(address(peer))
                {
                    self.send(at, peer, message);
                    let next = self.after(0..=3);
                    self.schedule(next, Happening::Pull { at, peer, epoch });
                }
            }
            Happening::Reconnected { at, life } => {
                if self.vteps[at].switch.life == life {
                    self.reconnected(at);
                }
            }
            Happening::Do(deed) => self.perform(deed),
        }
    }

    /// A host that has another address says so until it is heard.
    fn unheard(&mut self, at: usize, port: AccessId, host: HostKey, addresses: &[IpAddr], again: Instant) {
        let says_so = |device: &Device| {
            device.at == Some((at, port))
                && device.key == host
                && [device.ip] == *addresses
                && device.ip != first_ip(host)
        };
        if let Some(device) = self.devices.iter().position(says_so) {
            let announce = Deed::Announce { device, evidence: Evidence::Arp };
            self.schedule(again.max(self.now), Happening::Do(announce));
        }
    }

    fn perform(&mut self, deed: Deed) {
        match deed {
            Deed::Session { a, b, up } => self.set_session(a, b, up),
            Deed::Port { at, port, up } => {
                let event = if up { Event::PortUp { port } } else { Event::PortDown { port } };
                self.punt(at, event);
            }
            Deed::Announce { device, evidence } => {
                let Device { at, key, ip, silent_until, .. } = self.devices[device];
                if let Some((at, port)) = at.filter(|_| silent_until <= self.now) {
                    self.frame_from(at, port, key, evidence, ip);
                } else if at.is_some() && silent_until <= self.now + Duration::from_secs(5) {
                    // It announces itself when it is awake.
                    self.schedule(silent_until, Happening::Do(deed));
                }
            }
            Deed::Move { device, at, port, stunned_ms } => {
                self.devices[device].at = Some((at, port));
                self.devices[device].silent_until = self.now + Duration::from_millis(stunned_ms);
            }
            Deed::Silent { device, millis } => {
                self.devices[device].silent_until = self.now + Duration::from_millis(millis);
                self.schedule(
                    self.now + Duration::from_millis(millis),
                    Happening::Do(Deed::Announce { device, evidence: Evidence::Arp }),
                );
            }
            Deed::Vanish { device } => self.devices[device].at = None,
            Deed::Habit { device, habit } => self.devices[device].habit = habit,
            Deed::Readdress { device } => {
                let Device { ip, key, at, .. } = self.devices[device];
                // It announces its new address more than once.
                if let Some((at, _)) = at
                    && self.vteps[at].switch.is_lost(self.now)
                {
                    return self.schedule(self.vteps[at].switch.lost_until, Happening::Do(deed));
                }
                let other = Ipv4Addr::new(192, 168, 1, key.mac.octets()[5]).into();
                self.devices[device].ip = if ip == first_ip(key) { other } else { first_ip(key) };
                self.perform(Deed::Announce { device, evidence: Evidence::Arp });
            }
            Deed::Idle { device } => {
                let host = self.devices[device].key;
                for at in 0..self.vteps.len() {
                    let Some(Location::Local(port)) = self.location(at, &host) else { continue };
                    let talks = self.devices[device].at == Some((at, port)) && device == super::script::STEADFAST;
                    if !talks || self.now < Instant::EPOCH + DEEDS_END {
                        self.punt(at, Event::Idle { host });
                    }
                }
            }
            Deed::Poison { at, port, victim } => {
                let ip = self.devices[victim].ip;
                self.frame_from(at, port, key(0xbb), Evidence::Arp, ip);
            }
            Deed::Flood { at, port, count } => {
                for last in 0..count {
                    let host = HostKey { mac: MacAddr([2, 0, 0, 0, 1, last]), ..key(1) };
                    let ip = Ipv4Addr::new(192, 168, 2, last + 1).into();
                    self.frame_from(at, port, host, Evidence::Arp, ip);
                }
            }
            Deed::Expect { device, at, port, told } => {
                let to = if told == at { Location::Local(port) } else { Location::Remote(address(at)) };
                let (host, until) = (self.devices[device].key, self.now + Duration::from_secs(5));
                self.feed(told, Event::MoveExpected { host, to, until });
            }
            Deed::Restart { at } => {
                // A switch that has just restarted itself remembers nothing either.
                if self.vteps[at].switch.is_lost(self.now) {
                    self.checker.rebooted(at);
                }
                self.restart(at, true);
            }
            Deed::Reboot { at } => {
                self.checker.rebooted(at);
                self.restart(at, false);
                for host in self.devices.iter().map(|device| device.key).collect::<Vec<_>>() {
                    self.checker.changed(host);
                }
            }
            Deed::SwitchRestart { at } => {
                let now = self.now;
                let switch = &mut self.vteps[at].switch;
                (switch.views, switch.bindings) = Default::default();
                switch.life += 1;
                switch.lost_at = Some(now);
                switch.lost_until = now + Duration::from_millis(100);
                switch.is_empty = true;
                let (until, life) = (switch.lost_until, switch.life);
                self.vteps[at].held.retain(|_, fate| fate.is_none());
                for port in PORTS {
                    self.feed(at, Event::PortUnknown { port });
                }
                self.schedule(until, Happening::Reconnected { at, life });
            }
            Deed::Stall { at, millis, loses } => {
                let switch = &mut self.vteps[at].switch;
                switch.stalled_until = self.now + Duration::from_millis(millis);
                switch.loses = loses;
            }
            Deed::Police { at, millis } => {
                self.vteps[at].switch.policed_until = self.now + Duration::from_millis(millis);
            }
        }
    }

    /// The driver writes what the switch should have.
    fn reconnected(&mut self, at: usize) {
        let Vtep { machine, switch, .. } = &mut self.vteps[at];
        switch.is_empty = false;
        for info in machine.hosts() {
            if let Some(view) = machine.view(&info.host) {
                switch.views.insert(info.host, view.clone());
            }
            for binding in info.bindings {
                if let Some(view) = machine.binding(info.host.vni, binding.address) {
                    switch.bindings.insert(binding.address, view);
                }
            }
        }
        for host in self.devices.iter().map(|device| device.key).collect::<Vec<_>>() {
            self.checker.changed(host);
        }
    }

    fn set_session(&mut self, a: usize, b: usize, up: bool) {
        if a != b && self.network.set_up(a, b, up) {
            let epoch = self.network.epoch(a, b);
            for (at, peer) in [(a, b), (b, a)] {
                let address = address(peer);
                let event = Event::PeerUp { peer: address, probe_mac: None };
                self.feed(at, if up { event } else { Event::PeerDown { peer: address } });
                if up {
                    self.schedule(self.now, Happening::Pull { at, peer, epoch });
                }
            }
        }
    }

    /// The agent dies and is started again; the switch forwards meanwhile.
    fn restart(&mut self, at: usize, remembers: bool) {
        let others: Vec<_> =
            (0..self.vteps.len()).filter(|&other| other != at && self.network.is_up(at, other)).collect();
        for &other in &others {
            self.set_session(at, other, false);
        }
        self.incarnation += 1;
        let vtep = &mut self.vteps[at];
        vtep.machine = Mobility::new((self.config)(at, self.incarnation));
        vtep.held.clear();
        vtep.switch.life += 1;
        vtep.switch.lost_until = self.now;
        vtep.switch.is_empty = false;
        vtep.switch.lost_at = Some(self.now);
        vtep.switch.asked_at.clear();
        let views = std::mem::take(&mut vtep.switch.views);
        let bindings = std::mem::take(&mut vtep.switch.bindings);
        if remembers {
            let restored: Vec<_> =
                views.iter().map(|(&host, view)| (host, view.location, view.destination.passes_on())).collect();
            let bindings: Vec<_> = bindings.iter().map(|(&address, &view)| (address, view)).collect();
            for (host, location, passed_on) in restored {
                self.feed(at, Event::Restored { host, location, passed_on });
            }
            for (address, BindingView { mac, confirmed }) in bindings {
                self.feed(at, Event::RestoredBinding { host: HostKey { mac, ..key(1) }, address, confirmed });
            }
        }
        for other in others {
            self.set_session(at, other, true);
        }
    }

    fn frame_from(&mut self, at: usize, port: AccessId, host: HostKey, evidence: Evidence, ip: std::net::IpAddr) {
        let addresses = match evidence {
            Evidence::Arp | Evidence::Neighbour => vec![ip],
            Evidence::Rarp | Evidence::Data | Evidence::Dad => Vec::new(),
        };
        let switch = &self.vteps[at].switch;
        let bound = addresses.first().and_then(|address| switch.bindings.get(address)).copied();
        let punt = source_check(switch.views.get(&host), port, &host, !addresses.is_empty(), bound);
        let hold = match punt {
            Punt::Nothing => return,
            Punt::Alive => {
                let address = addresses.first().copied();
                return self.punt_answer(at, Event::SeenAtRecordedPort { host, port, address });
            }
            Punt::Learn => false,
            Punt::Binding => true,
            Punt::Move => evidence != Evidence::Data,
        };
        let frame = hold.then(|| {
            self.counter += 1;
            FrameId(self.counter)
        });
        if let Some(frame) = frame {
            self.vteps[at].held.insert(frame, None);
        }
        self.punt(at, Event::Heard(Heard { host, port, evidence, addresses, target: None, frame }));
    }

    /// Punts of one switch arrive in order, a moment later; those of one that stalls, when it goes on.
    fn punt(&mut self, at: usize, event: Event) {
        let when = self.after(0..=2);
        let switch = &mut self.vteps[at].switch;
        let when = when.max(switch.last_punt).max(switch.stalled_until);
        switch.last_punt = when;
        let life = switch.life;
        self.schedule(when, Happening::Punted { at, life, event });
    }

    /// The same for what may be an answer, which may be policed away.
    fn punt_answer(&mut self, at: usize, event: Event) {
        let now = self.now;
        let switch = &mut self.vteps[at].switch;
        if now < switch.policed_until {
            switch.lost_at = Some(now);
        } else {
            self.punt(at, event);
        }
    }

    fn location(&self, at: usize, host: &HostKey) -> Option<Location> {
        self.vteps[at].machine.host(host).and_then(|info| info.location)
    }

    fn feed(&mut self, at: usize, event: Event) {
        if self.verbose {
            eprintln!("{:?} VTEP {at} <- {event:?}", self.now);
        }
        self.vteps[at].machine.handle(event, self.now);
        self.carry_out(at);
    }

    fn carry_out(&mut self, at: usize) {
        while let Some(action) = self.vteps[at].machine.poll_action() {
            if self.verbose {
                eprintln!("{:?} VTEP {at} -> {action:?}", self.now);
            }
            let lost = self.vteps[at].switch.is_lost(self.now);
            match action {
                Action::Install { host, view } => {
                    let views = &mut self.vteps[at].switch.views;
                    match view.filter(|_| !lost) {
                        Some(view) => drop(views.insert(host, view)),
                        None => drop(views.remove(&host)),
                    }
                    self.checker.changed(host);
                }
                Action::Bind { address, binding, .. } => {
                    let bindings = &mut self.vteps[at].switch.bindings;
                    match binding.filter(|_| !lost) {
                        Some(binding) => drop(bindings.insert(address, binding)),
                        None => drop(bindings.remove(&address)),
                    }
                }
                Action::Probe(probe) => self.probe(at, probe),
                Action::Check { question, host, .. } => {
                    // A round trip behind everything that the switch had to tell.
                    let when = self.after(0..=2);
                    let switch = &mut self.vteps[at].switch;
                    let when = when.max(switch.last_punt).max(switch.stalled_until);
                    switch.last_punt = when;
                    let life = switch.life;
                    self.schedule(when, Happening::Check { at, life, question, host });
                }
                Action::Send { to, message } => {
                    let to = number(Location::Remote(to)).expect("a VTEP");
                    self.send(at, to, message);
                }
                Action::Release { frame } | Action::Answer { frame, .. } => self.resolve(at, frame, true),
                Action::Drop { frame } => self.resolve(at, frame, false),
                Action::Report(report) => self.checker.reported(at, &report),
            }
        }
    }

    fn resolve(&mut self, at: usize, frame: FrameId, released: bool) {
        let before = self.vteps[at].held.insert(frame, Some(released));
        assert_eq!(before, Some(None), "{frame:?} of VTEP {at} was not held, or already dealt with");
    }

    fn send(&mut self, from: usize, to: usize, message: Message) {
        if !self.network.is_up(from, to) {
            return;
        }
        let epoch = self.network.epoch(from, to);
        let max_delay_ms = self.weather.max_delay_ms;
        let improved = self.now >= Instant::EPOCH + DEEDS_END;
        let weather = if improved { Weather { max_delay_ms, ..Weather::FAIR } } else { self.weather };
        for at in self.network.arrivals(from, to, self.now, weather, &mut self.rng) {
            self.schedule(at, Happening::Deliver { from, to, epoch, message: message.clone() });
        }
    }

    fn probe(&mut self, at: usize, probe: Probe) {
        let now = self.now;
        let when = self.after(0..=1);
        let switch = &mut self.vteps[at].switch;
        switch.asked_at.entry(probe.question).or_insert(now);
        if switch.is_lost(now) || (switch.is_stalled(now) && switch.loses) {
            return;
        }
        let (when, life) = (when.max(switch.stalled_until), switch.life);
        self.schedule(when, Happening::Leaves { at, life, probe });
    }

    /// The switch has handed the frame to the port, and says so.
    fn leaves(&mut self, at: usize, life: u64, probe: &Probe) {
        if self.vteps[at].switch.life != life {
            return;
        }
        let Probe { question, round, host, via, recorded, .. } = *probe;
        self.punt(at, Event::Asked { host, question, round });
        let reached = match via {
            Location::Local(port) => vec![(at, port)],
            Location::Remote(_) => {
                let to = number(via).expect("a tunnel leads to a VTEP");
                self.trace(&host, to, Ingress::Tunnel(at)).delivered
            }
        };
        for (device, place) in self.devices.iter().map(|device| device.at).enumerate().collect::<Vec<_>>() {
            let its = self.devices[device].key == host && probe.targets.contains(&self.devices[device].ip);
            if let Some(place) = place.filter(|place| its && reached.contains(place)) {
                let when = self.after(0..=1);
                self.schedule(when, Happening::Probed { device, by: at, at: place, via, recorded });
            }
        }
    }

    fn answers(&mut self, device: usize, by: usize, at: (usize, AccessId), via: Location, recorded: bool) {
        let Device { key: host, ip: address, habit, at: place, silent_until, .. } = self.devices[device];
        if place != Some(at) || silent_until > self.now {
            return;
        }
        if habit == Habit::AnswersGateway && recorded {
            return self.frame_from(at.0, at.1, host, Evidence::Arp, address);
        }
        let from = match via {
            Location::Local(_) => Location::Local(at.1),
            Location::Remote(_) => Location::Remote(super::world::address(at.0)),
        };
        self.punt_answer(by, Event::ProbeAnswered { host, from, address });
    }

    /// Whether there are messages on the way that may change what anybody makes of the host.
    pub(crate) fn is_being_discussed(&self, host: &HostKey) -> bool {
        self.queue.values().any(|happening| match happening {
            Happening::Deliver { message, .. } => match message {
                Message::Advertisement(advertisement) => advertisement.host == *host,
                Message::Reply(reply) => reply.host == *host,
                Message::Withdrawal(withdrawal) => withdrawal.host == *host,
                Message::Sync(_) | Message::Standing(_) | Message::Expect(_) => true,
                Message::AddressClaim(_) | Message::AddressReply(_) => false,
            },
            Happening::Punted { .. }
            | Happening::Leaves { .. }
            | Happening::Probed { .. }
            | Happening::Answered { .. }
            | Happening::Check { .. }
            | Happening::Pull { .. }
            | Happening::Reconnected { .. }
            | Happening::Do(_) => false,
        })
    }

    pub(crate) fn trace(&self, host: &HostKey, start: usize, ingress: Ingress) -> Trace {
        let views: Vec<_> = self.vteps.iter().map(|vtep| &vtep.switch.views).collect();
        trace(&views, &number, &PORTS, host, start, ingress)
    }
}
