//! A fabric of three VTEPs with a tunnel between any two, its agents, its hosts, and what happens to them.
//!
//! At each VTEP port 1 has a host that sends to others all the time, so that whatever is lost is seen. The hosts that all this is
//! about sit at the other ports; at two of them is an attacker, who can send anything and answers nothing.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use vouch_agent::{Agent, AgentEventKind, AgentOptions, Config};
use vouch_net::MacAddr;
use vouch_switch_server::{Endpoint, LinkConfig, ServerHandle, SwitchServer, link};
use vouch_tables::Tables;

use crate::charge::Charge;
use crate::check::{self, Excuse};
use crate::frames::Announcement;
use crate::hosts::{Answers, Host, HostId, Hosts, Seat};
use crate::kernel;
use crate::log::Log;
use crate::network::{Net, Node};
use crate::outages::Outages;
use crate::script::{DEEDS, Deed, Script};
use crate::variant::Variant;

/// How many VTEPs there are.
pub(crate) const SITES: usize = 3;
/// The access ports of each.
pub(crate) const ACCESS: [u16; 5] = [1, 2, 3, 4, 5];
/// The port of the host that sends.
const WATCH: u16 = 1;
/// The hosts that scripts are about.
pub(crate) const HOSTS: usize = 4;
/// At which VTEP each of them is in the beginning.
pub(crate) const HOMES: [usize; HOSTS] = [0, 0, 1, 1];
/// The one that goes about.
pub(crate) const WANDERER: HostId = 1;
/// The one that answers nothing.
pub(crate) const MUTE: HostId = 2;
/// All hosts by name: the last ones send.
pub(crate) const NAMES: [&str; HOSTS + SITES] = ["steady", "wanderer", "mute", "picky", "watch1", "watch2", "watch3"];
/// Where the attacker sits.
pub(crate) const ATTACKERS: [Seat; 2] = [Seat { site: 0, port: 4 }, Seat { site: 2, port: 4 }];
/// Where the host that goes about can go.
pub(crate) const FREE_SEATS: [Seat; 6] = [
    Seat { site: 0, port: 3 },
    Seat { site: 0, port: 5 },
    Seat { site: 1, port: 4 },
    Seat { site: 1, port: 5 },
    Seat { site: 2, port: 2 },
    Seat { site: 2, port: 3 },
];

/// How often somebody sends to each host that stays.
const EVERY: Duration = Duration::from_millis(25);
/// How long everybody has to settle in the beginning.
const BEGINNING: Duration = Duration::from_secs(12);
/// How long everybody has to agree in the end.
pub(crate) const END: Duration = Duration::from_secs(120);
/// How often the hosts say where they are in the end.
const SPEAK_EVERY: Duration = Duration::from_secs(5);

/// The tunnel address of a VTEP.
pub(crate) fn vtep_address(site: usize) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, site as u8 + 1)
}

/// The port of one VTEP that leads to another.
pub(crate) fn underlay_port(site: usize, to: usize) -> u16 {
    8 + to as u16 + u16::from(site == to)
}

/// The MAC address of that port.
pub(crate) fn underlay_mac(site: usize, to: usize) -> MacAddr {
    MacAddr([2, 0xfe, 0, 0, site as u8 + 1, to as u8 + 1])
}

fn hosts() -> Vec<Host> {
    let seats = [(0, 2), (0, 3), (1, 2), (1, 3), (0, WATCH), (1, WATCH), (2, WATCH)];
    let hosts = NAMES.into_iter().zip(seats).enumerate().map(|(number, (name, (site, port)))| {
        let last = number as u8 + 1;
        let answers = match number {
            0 | WANDERER => Answers::After(Duration::from_millis(5)),
            MUTE => Answers::Never,
            3 => Answers::First,
            _ => Answers::After(Duration::ZERO),
        };
        let second = (number == 3).then(|| Ipv4Addr::new(10, 0, 1, last));
        Host {
            name,
            mac: MacAddr([2, 0, 0, 0, 0, last]),
            addresses: [Ipv4Addr::new(10, 0, 0, last)].into_iter().chain(second).collect(),
            answers,
            at: Seat { site, port },
            silent_until: Instant::now(),
        }
    });
    hosts.collect()
}

/// A switch and its agent.
struct Site {
    config: Config,
    ports: Vec<(u16, Endpoint)>,
    switch: Option<ServerHandle>,
    agent: Option<Agent>,
    /// How many deeds keep it down.
    agent_down: usize,
    switch_down: usize,
    /// By how many milliseconds the clock was set.
    clock: i64,
}

/// See the module.
pub(crate) struct World {
    pub(crate) log: Log,
    net: Net,
    pub(crate) hosts: Hosts,
    sites: Vec<Site>,
    pub(crate) tables: Tables,
    pub(crate) outages: Outages,
    charge: Charge,
    began: Instant,
    /// How many deeds block each direction.
    blocked: BTreeMap<(Node, Node), usize>,
    /// How long an agent that dies by an armed fault is away.
    away: BTreeMap<usize, u64>,
    schedule: BTreeMap<(Duration, u64), Step>,
    scheduled: u64,
    ticks: usize,
}

enum Step {
    Begin(Deed),
    Forge { at: Seat, host: HostId, how: Announcement },
    Arrive { host: HostId, how: Option<Announcement> },
    Speak { host: HostId },
    Plug { at: Seat },
    Open { from: Node, to: Node },
    Quick { site: usize },
    StartAgent { site: usize },
    StartSwitch { site: usize },
    InUse { site: usize },
    Send,
}

impl World {
    /// Brings a fabric up, and waits until everybody knows everybody.
    pub(crate) async fn new(variant: Variant) -> Result<Self, String> {
        let log = Log::new();
        let mut ports: Vec<Vec<(u16, Endpoint)>> = vec![Vec::new(); SITES];
        let mut wires = BTreeMap::new();
        for site in 0..SITES {
            for port in ACCESS {
                let (inside, outside) = link(LinkConfig::default());
                ports[site].push((port, inside));
                wires.insert(Seat { site, port }, outside);
            }
            for other in site + 1..SITES {
                let (a, b) = link(LinkConfig::default());
                ports[site].push((underlay_port(site, other), a));
                ports[other].push((underlay_port(other, site), b));
            }
        }
        let site = |(site, ports)| {
            Ok(Site {
                config: variant.config(site)?,
                ports,
                switch: None,
                agent: None,
                agent_down: 0,
                switch_down: 0,
                clock: 0,
            })
        };
        let mut world = Self {
            net: Net::new(log.clone()),
            hosts: Hosts::new(hosts(), wires, log.clone()),
            sites: ports.into_iter().enumerate().map(site).collect::<Result<_, String>>()?,
            tables: Tables::bind(&vouch_tables::p4info()).map_err(|error| error.to_string())?,
            outages: Outages::default(),
            charge: Charge::default(),
            began: Instant::now(),
            blocked: BTreeMap::new(),
            away: BTreeMap::new(),
            schedule: BTreeMap::new(),
            scheduled: 0,
            ticks: 0,
            log,
        };
        for site in 0..SITES {
            world.start_switch(site)?;
            world.start_agent(site)?;
        }
        sleep(Duration::from_secs(1)).await;
        let all: Vec<HostId> = (0..NAMES.len()).collect();
        for round in 0.. {
            all.iter().for_each(|host| world.hosts.announce(*host, Announcement::Request));
            sleep(BEGINNING / 4).await;
            let problems = check::places(&world).await;
            if problems.is_empty() && round > 2 {
                return Ok(world);
            }
            if round > 20 {
                return Err(format!("the fabric does not come up: {problems:?}"));
            }
        }
        unreachable!("the rounds do not end")
    }

    /// Plays a script, repairs everything, and waits until everybody agrees. What was wrong, if anything.
    pub(crate) async fn play(&mut self, script: &Script, lines: bool) -> Result<BTreeMap<Excuse, u64>, String> {
        kernel::seed(script.seed).await;
        self.log.begin(lines);
        self.outages.begin();
        for (when, deed) in &script.deeds {
            self.at(*when, Step::Begin(deed.clone()));
        }
        self.at(Duration::ZERO, Step::Send);
        self.run(DEEDS).await?;
        self.repair().await?;
        let agreed = self.settle().await;
        let (arrived, excused) = check::traffic(&self.hosts.take_sent(), &self.outages, script);
        agreed.and(arrived)?;
        self.end().await?;
        Ok(excused)
    }

    fn at(&mut self, when: Duration, step: Step) {
        self.scheduled += 1;
        self.schedule.insert((when, self.scheduled), step);
    }

    fn after(&mut self, millis: u64, step: Step) {
        self.at(self.log.time() + Duration::from_millis(millis), step);
    }

    /// Takes the steps that are due until then.
    async fn run(&mut self, until: Duration) -> Result<(), String> {
        loop {
            let next = self.schedule.keys().next().copied().filter(|(when, _)| *when < until);
            let due = next.map_or(until, |(when, _)| when);
            let wake = Instant::now() + due.saturating_sub(self.log.time());
            let net = self.net.clone();
            tokio::select! {
                biased;
                dead = net.deaths() => {
                    for node in dead {
                        self.died(node)?;
                    }
                }
                () = sleep_until(wake) => match next.and_then(|key| self.schedule.remove(&key)) {
                    Some(step) => self.step(step).await?,
                    None => return Ok(()),
                },
            }
        }
    }

    async fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Begin(deed) => {
                self.log.note(|| deed.to_string());
                self.begin(deed).await;
            }
            Step::Forge { at, host, how } => {
                let host = self.hosts.get(host);
                self.hosts.send(at, how.frame(host.mac, host.addresses[0]));
            }
            Step::Arrive { host, how } => {
                if let Some(how) = how {
                    self.hosts.announce(host, how);
                }
            }
            Step::Speak { host } => self.hosts.announce(host, Announcement::Request),
            Step::Plug { at } => self.hosts.set_link(at, true),
            Step::Open { from, to } => {
                let blocked = self.blocked.entry((from, to)).or_default();
                *blocked = blocked.saturating_sub(1);
                if *blocked == 0 {
                    self.net.block(from, to, false);
                }
            }
            Step::Quick { site } => {
                self.net.delay(Node::Switch(site), Node::Agent(site), Duration::from_millis(1));
            }
            Step::StartAgent { site } => {
                self.sites[site].agent_down -= 1;
                if self.sites[site].agent_down == 0 {
                    self.start_agent(site)?;
                }
            }
            Step::StartSwitch { site } => {
                self.sites[site].switch_down -= 1;
                if self.sites[site].switch_down == 0 {
                    self.start_switch(site)?;
                }
            }
            Step::InUse { site } => self.drain(site, false).await,
            Step::Send => {
                self.charge.look(self.log.time())?;
                self.send();
                self.after(EVERY.as_millis() as u64, Step::Send);
            }
        }
        Ok(())
    }

    /// The watching hosts send to one of the hosts that stay, each in its turn.
    fn send(&mut self) {
        let stay = [0, MUTE, 3];
        self.ticks += 1;
        let to = stay[self.ticks % stay.len()];
        for site in 0..SITES {
            let from = self.hosts.get(HOSTS + site);
            self.hosts.send_data(from.at, from.mac, to);
        }
        // The mute one would be unknown if it said nothing either.
        if self.ticks.is_multiple_of(120) {
            self.hosts.announce(MUTE, Announcement::Data);
        }
    }

    async fn begin(&mut self, deed: Deed) {
        match deed {
            Deed::Forge { at, host, how, times, every } => {
                for time in 0..times {
                    self.after(time * every, Step::Forge { at, host, how });
                }
            }
            Deed::Poison { at, host } => {
                let victim = self.hosts.get(host);
                let mac = MacAddr([2, 0x66, 0, 0, at.site as u8, 0]);
                self.hosts.send(at, Announcement::Reply.frame(mac, victim.addresses[0]));
            }
            Deed::Flood { at, count } => {
                for number in 0..count {
                    let mac = MacAddr([2, 0x66, 1, 0, at.site as u8, number]);
                    self.hosts.send(at, Announcement::Request.frame(mac, Ipv4Addr::new(10, 0, 2, number)));
                }
            }
            Deed::Garbage { at, seed } => {
                let mut dice = StdRng::seed_from_u64(seed);
                for _ in 0..4 {
                    let mut frame = Announcement::Request.frame(self.hosts.get(0).mac, Ipv4Addr::new(10, 0, 0, 1));
                    for _ in 0..dice.random_range(1..20) {
                        let byte = dice.random_range(6..frame.len());
                        frame[byte] = dice.random();
                    }
                    frame.truncate(dice.random_range(0..80));
                    self.hosts.send(at, frame);
                }
            }
            Deed::Speak { host, how } => self.hosts.announce(host, how),
            Deed::Move { host, to, stunned, how } => {
                let until = Instant::now() + Duration::from_millis(stunned);
                self.hosts.change(host, |host| {
                    host.at = to;
                    host.silent_until = host.silent_until.max(until);
                });
                self.after(stunned, Step::Arrive { host, how });
            }
            Deed::Silent { host, for_ms, reboot } => {
                let until = Instant::now() + Duration::from_millis(for_ms);
                self.hosts.change(host, |host| host.silent_until = host.silent_until.max(until));
                if reboot {
                    self.after(for_ms, Step::Speak { host });
                }
            }
            Deed::Habit { host, answers } => self.hosts.change(host, |host| host.answers = answers),
            Deed::Readdress { host } => self.hosts.change(host, |host| {
                for address in &mut host.addresses {
                    let [a, b, c, d] = address.octets();
                    *address = Ipv4Addr::new(a, b, c + 16, d);
                }
            }),
            Deed::Unplug { at, for_ms } => {
                self.hosts.set_link(at, false);
                self.after(for_ms, Step::Plug { at });
            }
            Deed::Reset { a, b } => self.net.reset(a, b),
            Deed::Strike { node, after, strike, away } => {
                if let Node::Agent(site) = node {
                    self.away.insert(site, away);
                }
                self.net.arm(node, after, strike);
            }
            Deed::Partition { a, b, both, for_ms } => {
                self.block(a, b, for_ms);
                if both {
                    self.block(b, a, for_ms);
                }
            }
            Deed::Isolate { site, for_ms } => {
                let me = Node::Agent(site);
                let others = (0..SITES).filter(|other| *other != site).map(Node::Agent).chain([Node::Switch(site)]);
                for other in others {
                    self.block(me, other, for_ms);
                    self.block(other, me, for_ms);
                }
            }
            Deed::Slow { site, delay, for_ms } => {
                self.net.delay(Node::Switch(site), Node::Agent(site), Duration::from_millis(delay));
                self.after(for_ms, Step::Quick { site });
            }
            Deed::KillAgent { site, away, clock } => {
                self.kill_agent(site);
                self.sites[site].clock += clock;
                self.after(away, Step::StartAgent { site });
            }
            Deed::KillSwitch { site, away } => {
                self.kill_switch(site);
                self.after(away, Step::StartSwitch { site });
            }
            Deed::KillSite { site, away } => {
                self.kill_agent(site);
                self.kill_switch(site);
                self.after(away, Step::StartAgent { site });
                self.after(away, Step::StartSwitch { site });
            }
            Deed::Drain { site, for_ms } => {
                self.drain(site, true).await;
                self.after(for_ms, Step::InUse { site });
            }
        }
    }

    /// Takes a VTEP out of use, or back into it. An agent that is not there does not hear of it, and begins in use.
    async fn drain(&mut self, site: usize, on: bool) {
        let Some(agent) = &self.sites[site].agent else { return };
        match agent.drain(on).await {
            Ok(()) if on => self.outages.drained(site, self.log.time()),
            Ok(()) => self.outages.in_use(site, self.log.time()),
            Err(error) => self.log.note(|| format!("VTEP {} stays as it is: {error}", site + 1)),
        }
    }

    fn block(&mut self, from: Node, to: Node, for_ms: u64) {
        *self.blocked.entry((from, to)).or_default() += 1;
        self.net.block(from, to, true);
        self.after(for_ms, Step::Open { from, to });
    }

    fn died(&mut self, node: Node) -> Result<(), String> {
        let Node::Agent(site) = node else { return Ok(()) };
        self.kill_agent(site);
        let away = self.away.get(&site).copied().unwrap_or_default();
        self.after(away, Step::StartAgent { site });
        Ok(())
    }

    fn kill_agent(&mut self, site: usize) {
        self.net.kill(Node::Agent(site));
        self.outages.agent_ends(site, self.log.time());
        self.charge.ends(site);
        self.sites[site].agent_down += 1;
        self.sites[site].agent = None;
    }

    fn kill_switch(&mut self, site: usize) {
        self.net.kill(Node::Switch(site));
        self.outages.begins(site, false, self.log.time());
        let site = &mut self.sites[site];
        site.switch_down += 1;
        site.switch = None;
    }

    fn start_switch(&mut self, number: usize) -> Result<(), String> {
        let node = Node::Switch(number);
        self.net.start(node);
        self.outages.begins(number, true, self.log.time());
        let site = &mut self.sites[number];
        let mut builder = SwitchServer::builder().device_id(number as u64 + 1);
        for (port, end) in &site.ports {
            builder = builder.port((*port).into(), end.clone());
        }
        let switch = builder.build().map_err(|error| error.to_string())?;
        let listening = self.net.listen(node, node.address()).map_err(|error| error.to_string())?;
        let served = switch.serve_connections(node.address(), listening.into_stream());
        site.switch = Some(served.map_err(|error| error.to_string())?);
        self.log.note(|| format!("{node} begins"));
        Ok(())
    }

    fn start_agent(&mut self, number: usize) -> Result<(), String> {
        let node = Node::Agent(number);
        self.net.start(node);
        let site = &mut self.sites[number];
        kernel::set_time_of_day(self.began.elapsed(), site.clock * 1_000_000);
        let (events, mut happening) = mpsc::channel(65_536);
        let network = self.net.of_agent(node);
        let options = AgentOptions { events: Some(events), network, ..AgentOptions::default() };
        site.agent = Some(Agent::start(site.config.clone(), options).map_err(|error| error.to_string())?);
        self.log.note(|| format!("{node} begins"));
        let (log, outages, charge) = (self.log.clone(), self.outages.clone(), self.charge.clone());
        tokio::spawn(async move {
            while let Some(event) = happening.recv().await {
                log.event(number, &event.kind);
                charge.event(number, &event.kind, log.time());
                if matches!(event.kind, AgentEventKind::SwitchReady { .. }) {
                    outages.ends(number, log.time());
                }
            }
        });
        Ok(())
    }

    /// Ends everything that is wrong.
    async fn repair(&mut self) -> Result<(), String> {
        self.log.note(|| "everything is repaired".to_owned());
        self.schedule.clear();
        self.blocked.clear();
        self.net.repair();
        for seat in ACCESS.iter().flat_map(|port| (0..SITES).map(|site| Seat { site, port: *port })) {
            self.hosts.set_link(seat, true);
        }
        for host in 0..NAMES.len() {
            self.hosts.change(host, |host| host.silent_until = Instant::now());
        }
        for site in 0..SITES {
            if self.sites[site].switch.is_none() {
                self.start_switch(site)?;
            }
            if self.sites[site].agent.is_none() {
                self.start_agent(site)?;
            }
            (self.sites[site].agent_down, self.sites[site].switch_down) = (0, 0);
            self.drain(site, false).await;
        }
        Ok(())
    }

    /// Waits until everybody agrees on what is so.
    async fn settle(&mut self) -> Result<(), String> {
        let end = self.log.time() + END;
        let mut speak = self.log.time();
        self.after(0, Step::Send);
        loop {
            if self.log.time() >= speak {
                (0..HOSTS).for_each(|host| self.hosts.announce(host, Announcement::Request));
                speak += SPEAK_EVERY;
            }
            self.run(self.log.time() + Duration::from_secs(1)).await?;
            let mut problems = check::settled(self).await;
            let connections = self.net.connections();
            if connections != 2 * SITES {
                problems.push(format!("there are {connections} connections, {} are needed", 2 * SITES));
            }
            if problems.is_empty() {
                return Ok(());
            }
            if self.log.time() >= end {
                return Err(problems.join("\n"));
            }
        }
    }

    /// Stops everything; nothing may be left.
    async fn end(&mut self) -> Result<(), String> {
        self.schedule.clear();
        for site in &mut self.sites {
            if let Some(agent) = site.agent.take() {
                agent.shutdown().await.map_err(|error| format!("an agent ended badly: {error}"))?;
            }
            if let Some(switch) = site.switch.take() {
                switch.shutdown().await;
            }
            site.ports.clear();
        }
        sleep(Duration::from_secs(30)).await;
        let (tasks, connections) =
            (tokio::runtime::Handle::current().metrics().num_alive_tasks(), self.net.connections());
        if (tasks, connections) == (0, 0) {
            Ok(())
        } else {
            Err(format!("after everything has been stopped, {tasks} tasks and {connections} connections are left"))
        }
    }

    /// The agent and the switch of each site that has both.
    pub(crate) fn sites(&self) -> impl Iterator<Item = (usize, &Agent, &ServerHandle)> {
        let sites = self.sites.iter().enumerate();
        sites.filter_map(|(number, site)| Some((number, site.agent.as_ref()?, site.switch.as_ref()?)))
    }
}
