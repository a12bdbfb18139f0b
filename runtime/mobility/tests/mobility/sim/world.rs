//! The world: VTEPs with their machines and switches, the network, the devices on the ports, and the time.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use vouch_mobility::{
    AccessId, Action, Config, Event, Evidence, FrameId, Heard, HostKey, Instant, Location, Message, Mobility, VtepAddr,
};

use super::check::Checker;
use super::dataplane::{Ingress, Punt, Views, source_check, trace};
use super::network::{Network, Weather};
use super::script::{DEEDS_END, Deed, Script};

pub(crate) const PORTS: [AccessId; 4] = [AccessId(1), AccessId(2), AccessId(3), AccessId(4)];

/// Something with a MAC address on a port: the real host, or one that pretends to be it.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) key: HostKey,
    pub(crate) at: Option<(usize, AccessId)>,
    pub(crate) answers: bool,
    pub(crate) stunned_until: Instant,
}

pub(crate) struct Vtep {
    pub(crate) machine: Mobility,
    pub(crate) views: Views,
    /// Frames that the driver holds, and those that it was told what to do with.
    pub(crate) held: BTreeMap<FrameId, Option<bool>>,
    last_punt: Instant,
}

enum Happening {
    Deliver { from: usize, to: usize, epoch: u64, message: Message },
    Punted { at: usize, incarnation: u64, event: Event },
    Probed { device: usize, by: usize, at: (usize, AccessId), via: Location },
    Answered { device: usize, by: usize, at: (usize, AccessId), via: Location },
    Do(Deed),
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) vteps: Vec<Vtep>,
    pub(crate) devices: Vec<Device>,
    pub(crate) network: Network,
    pub(crate) checker: Checker,
    incarnations: Vec<u64>,
    weather: Weather,
    rng: StdRng,
    queue: BTreeMap<(Instant, u64), Happening>,
    counter: u64,
    config: Box<dyn Fn(usize) -> Config>,
    /// `SIM_LOG=1` shows every event and action, to find out what a failing script does.
    verbose: bool,
}

pub(crate) fn address(vtep: usize) -> VtepAddr {
    VtepAddr(Ipv4Addr::new(10, 0, 0, 1 + u8::try_from(vtep).expect("few VTEPs")))
}

pub(crate) fn number(location: Location) -> Option<usize> {
    match location {
        Location::Remote(vtep) => Some(usize::from(vtep.0.octets()[3]) - 1),
        Location::Local(_) => None,
    }
}

pub(crate) fn ip_of(key: HostKey) -> IpAddr {
    Ipv4Addr::new(192, 168, 0, key.mac.octets()[5]).into()
}

impl World {
    pub(crate) fn new(script: &Script) -> Self {
        let config = script.config();
        let vteps = (0..script.vteps)
            .map(|vtep| Vtep {
                machine: Mobility::new(config(vtep)),
                views: Views::new(),
                held: BTreeMap::new(),
                last_punt: Instant::EPOCH,
            })
            .collect();
        let mut world = Self {
            now: Instant::EPOCH,
            vteps,
            devices: script.devices(),
            network: Network::default(),
            checker: Checker::new(script),
            incarnations: vec![0; script.vteps],
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
            assert!(steps < 50_000, "{:?}: they do not come to rest", self.now);
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
                    self.feed(to, Event::Message { from: address(from), message });
                }
            }
            Happening::Punted { at, incarnation, event } => {
                if self.incarnations[at] == incarnation {
                    self.feed(at, event);
                }
            }
            Happening::Probed { device, by, at, via } => {
                let answering = &self.devices[device];
                if answering.at == Some(at) && answering.answers && answering.stunned_until <= self.now {
                    let when = self.after(0..=60);
                    self.schedule(when, Happening::Answered { device, by, at, via });
                }
            }
            Happening::Answered { device, by, at, via } => {
                let answering = &self.devices[device];
                if answering.at == Some(at) {
                    let host = answering.key;
                    let from = match via {
                        Location::Local(_) => Location::Local(at.1),
                        Location::Remote(_) => Location::Remote(address(at.0)),
                    };
                    self.punt(by, Event::ProbeAnswered { host, from, address: ip_of(host) });
                }
            }
            Happening::Do(deed) => self.perform(deed),
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
                if let Some((at, port)) = self.devices[device].at {
                    self.frame_from(at, port, self.devices[device].key, evidence);
                }
            }
            Deed::Move { device, at, port, stunned_ms } => {
                self.devices[device].at = Some((at, port));
                self.devices[device].stunned_until = self.now + Duration::from_millis(stunned_ms);
            }
            Deed::Vanish { device } => self.devices[device].at = None,
            Deed::Answer { device, answers } => self.devices[device].answers = answers,
            Deed::Idle { device } => {
                if let Some((at, _)) = self.devices[device].at {
                    let host = self.devices[device].key;
                    self.punt(at, Event::Idle { host });
                }
            }
            Deed::Restart { at } => self.restart(at),
        }
    }

    fn set_session(&mut self, a: usize, b: usize, up: bool) {
        if a != b && self.network.set_up(a, b, up) {
            for (at, peer) in [(a, address(b)), (b, address(a))] {
                self.feed(at, if up { Event::PeerUp { peer } } else { Event::PeerDown { peer } });
            }
        }
    }

    /// The agent dies and is started again; the switch forwards meanwhile.
    fn restart(&mut self, at: usize) {
        let others: Vec<_> =
            (0..self.vteps.len()).filter(|&other| other != at && self.network.is_up(at, other)).collect();
        for &other in &others {
            self.set_session(at, other, false);
        }
        self.incarnations[at] += 1;
        let vtep = &mut self.vteps[at];
        vtep.machine = Mobility::new((self.config)(at));
        vtep.held.clear();
        let restored: Vec<_> = vtep.views.iter().map(|(&host, view)| (host, view.location)).collect();
        for (host, location) in restored {
            self.feed(at, Event::Restored { host, location, addresses: Vec::new() });
        }
        for other in others {
            self.set_session(at, other, true);
        }
    }

    fn frame_from(&mut self, at: usize, port: AccessId, host: HostKey, evidence: Evidence) {
        let addresses = match evidence {
            Evidence::Arp | Evidence::Neighbour => vec![ip_of(host)],
            Evidence::Rarp | Evidence::Data | Evidence::Dad => Vec::new(),
        };
        let heard = |frame| Event::Heard(Heard { host, port, evidence, addresses: addresses.clone(), frame });
        match source_check(self.vteps[at].views.get(&host), port) {
            Punt::Nothing => {}
            Punt::Learn => self.punt(at, heard(None)),
            Punt::Alive => self.punt(at, Event::SeenAtRecordedPort { host, port }),
            Punt::Move => {
                let frame = (evidence != Evidence::Data).then(|| {
                    self.counter += 1;
                    FrameId(self.counter)
                });
                if let Some(frame) = frame {
                    self.vteps[at].held.insert(frame, None);
                }
                self.punt(at, heard(frame));
            }
        }
    }

    /// Punts of one switch arrive in order, a moment later.
    fn punt(&mut self, at: usize, event: Event) {
        let when = self.after(0..=2).max(self.vteps[at].last_punt);
        self.vteps[at].last_punt = when;
        self.schedule(when, Happening::Punted { at, incarnation: self.incarnations[at], event });
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
            match action {
                Action::Install { host, view: Some(view) } => {
                    self.vteps[at].views.insert(host, view);
                    self.checker.changed(host);
                }
                Action::Install { host, view: None } => {
                    self.vteps[at].views.remove(&host);
                    self.checker.changed(host);
                }
                Action::Probe(probe) => self.probe(at, probe.host, probe.via),
                Action::Send { to, message } => {
                    let to = number(Location::Remote(to)).expect("a VTEP");
                    self.send(at, to, message);
                }
                Action::Release { frame } => self.resolve(at, frame, true),
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

    fn probe(&mut self, by: usize, host: HostKey, via: Location) {
        let reached = match via {
            Location::Local(port) => vec![(by, port)],
            Location::Remote(_) => {
                let to = number(via).expect("a tunnel leads to a VTEP");
                self.trace(&host, to, Ingress::Tunnel(by)).delivered
            }
        };
        for (device, place) in self.devices.iter().map(|device| device.at).enumerate().collect::<Vec<_>>() {
            if let Some(place) = place.filter(|place| self.devices[device].key == host && reached.contains(place)) {
                let when = self.after(0..=2);
                self.schedule(when, Happening::Probed { device, by, at: place, via });
            }
        }
    }

    /// Whether there are messages on the way that may change what anybody makes of the host.
    pub(crate) fn is_being_discussed(&self, host: &HostKey) -> bool {
        self.queue.values().any(|happening| match happening {
            Happening::Deliver { message, .. } => match message {
                Message::Advertisement(advertisement) => advertisement.host == *host,
                Message::Reply(reply) => reply.host == *host,
                Message::Withdrawal(withdrawal) => withdrawal.host == *host,
                Message::Sync(_) => true,
            },
            Happening::Punted { .. } | Happening::Probed { .. } | Happening::Answered { .. } | Happening::Do(_) => {
                false
            }
        })
    }

    pub(crate) fn trace(&self, host: &HostKey, start: usize, ingress: Ingress) -> super::dataplane::Trace {
        let views: Vec<_> = self.vteps.iter().map(|vtep| &vtep.views).collect();
        trace(&views, &number, &PORTS, host, start, ingress)
    }
}
