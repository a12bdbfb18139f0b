//! What a fabric says as it grows, by simulation of its state machines alone: no switches, no connections, virtual time.
//!
//! All VTEPs serve one VNI, and any two have a session. The first has hosts, which answer where they are. What is counted are messages between agents and their bytes on
//! the wire, without what HTTP/2 and TLS add: of the lists with which a session begins, of a host that moves, and of somebody who forges.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use vouch_agent::peering::wire_size;
use vouch_mobility::{
    AccessId, Action, Advertise, Config, Event, Evidence, FrameId, Heard, HostKey, Instant, Location, Message,
    Mobility, VniConfig, VtepAddr,
};
use vouch_net::Vni;

use crate::Result;
use crate::hosts::mac;

/// Where hosts are at their VTEPs.
const PORT: AccessId = AccessId(1);
/// How many the first VTEP has.
const HOSTS: u32 = 100;
/// How long a message takes, and an answer.
const WAY: Duration = Duration::from_millis(1);
/// By then everything that follows from a claim has been said.
const SETTLED: Duration = Duration::from_secs(15);

/// Messages and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Said {
    messages: u64,
    bytes: u64,
}

struct Fabric {
    machines: Vec<Mobility>,
    now: Instant,
    /// What is on its way: when it arrives, in which order it left, where.
    coming: BinaryHeap<Reverse<(Instant, u64, usize)>>,
    events: HashMap<u64, Event>,
    left: u64,
    /// When which machine may have something to do.
    due: BTreeSet<(Instant, usize)>,
    /// Where each host is.
    places: Vec<usize>,
    said: Said,
}

fn address(vtep: usize) -> VtepAddr {
    let [high, low] = (vtep as u16).to_be_bytes();
    VtepAddr(IpAddr::V4(Ipv4Addr::new(10, 200, high, low)))
}

fn number(vtep: VtepAddr) -> usize {
    match vtep.0 {
        IpAddr::V4(address) => {
            let [_, _, high, low] = address.octets();
            usize::from(u16::from_be_bytes([high, low]))
        }
        IpAddr::V6(_) => usize::MAX,
    }
}

fn key(host: u32) -> HostKey {
    HostKey { vni: Vni::MAX, mac: mac(host) }
}

fn ip(host: u32) -> IpAddr {
    let [_, top, high, low] = host.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(10, top + 1, high, low))
}

impl Fabric {
    fn new(vteps: usize, advertise: Advertise) -> Self {
        let machine = |vtep| {
            let mut config = Config::new(address(vtep));
            let peers = (0..vteps).filter(|peer| *peer != vtep).map(address).collect();
            config.vnis.insert(Vni::MAX, VniConfig { access: [PORT].into(), peers, advertise, ..VniConfig::default() });
            Mobility::new(config)
        };
        Self {
            machines: (0..vteps).map(machine).collect(),
            now: Instant::EPOCH + Duration::from_secs(1),
            coming: BinaryHeap::new(),
            events: HashMap::new(),
            left: 0,
            due: BTreeSet::new(),
            places: vec![0; HOSTS as usize + 1],
            said: Said::default(),
        }
    }

    fn place(&self, host: HostKey) -> Option<usize> {
        let [_, _, _, top, high, low] = host.mac.octets();
        self.places.get(u32::from_be_bytes([0, top, high, low]) as usize).copied()
    }

    /// Has a machine hear something, and does what it decides.
    fn feed(&mut self, at: usize, event: Event) {
        self.machines[at].handle(event, self.now);
        self.carry_out(at);
    }

    fn carry_out(&mut self, at: usize) {
        while let Some(action) = self.machines[at].poll_action() {
            match action {
                Action::Send { to, message } => self.send(at, to, message),
                Action::Probe(probe) => {
                    let (host, question, round) = (probe.host, probe.question, probe.round);
                    self.machines[at].handle(Event::Asked { host, question, round }, self.now);
                    let there = match probe.via {
                        Location::Local(_) => at,
                        Location::Remote(vtep) => number(vtep),
                    };
                    if self.place(host) == Some(there)
                        && let Some(target) = probe.targets.first()
                    {
                        self.later(at, Event::ProbeAnswered { host, from: probe.via, address: *target });
                    }
                }
                Action::Check { question, host, .. } => {
                    self.machines[at].handle(Event::Checked { host, question, complete: true }, self.now);
                }
                Action::Install { .. }
                | Action::Bind { .. }
                | Action::Release { .. }
                | Action::Answer { .. }
                | Action::Drop { .. }
                | Action::Report(_) => {}
            }
        }
        if let Some(due) = self.machines[at].next_deadline() {
            self.due.insert((due, at));
        }
    }

    fn send(&mut self, from: usize, to: VtepAddr, message: Message) {
        self.said.messages += 1;
        self.said.bytes += wire_size(&message) as u64;
        self.later(number(to), Event::Message { from: address(from), message });
    }

    fn later(&mut self, at: usize, event: Event) {
        self.left += 1;
        self.coming.push(Reverse((self.now + WAY, self.left, at)));
        self.events.insert(self.left, event);
    }

    /// Lets time pass.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let arrival = self.coming.peek().map(|Reverse((when, _, _))| *when);
            let due = self.due.first().map(|(when, _)| *when);
            let Some(next) = arrival.into_iter().chain(due).min().filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let Some(Reverse((_, left, at))) = self.coming.pop() else { break };
                if let Some(event) = self.events.remove(&left) {
                    self.feed(at, event);
                }
            } else if let Some((_, at)) = self.due.pop_first()
                && self.machines[at].next_deadline().is_some_and(|due| due <= self.now)
            {
                self.machines[at].handle_timeout(self.now);
                self.carry_out(at);
            }
        }
        self.now = end;
    }

    /// A session between two begins; both say their lists. What they say.
    fn meet(&mut self, a: usize, b: usize) -> Said {
        let before = self.said;
        for (here, there) in [(a, b), (b, a)] {
            self.feed(here, Event::PeerUp { peer: address(there), probe_mac: None });
        }
        for (here, there) in [(a, b), (b, a)] {
            while let Some(message) = self.machines[here].poll_sync(address(there)) {
                self.send(here, address(there), message);
            }
        }
        self.since(before)
    }

    fn since(&self, before: Said) -> Said {
        Said { messages: self.said.messages - before.messages, bytes: self.said.bytes - before.bytes }
    }

    /// A host is heard at a VTEP. What is said of it until all is settled.
    fn heard(&mut self, at: usize, host: u32) -> Said {
        let before = self.said;
        let heard = Heard {
            host: key(host),
            port: PORT,
            evidence: Evidence::Arp,
            addresses: vec![ip(host)],
            target: Some(ip(host)),
            frame: Some(FrameId(host.into())),
        };
        self.feed(at, Event::Heard(heard));
        self.wait(SETTLED);
        self.since(before)
    }

    /// Where each VTEP has a host.
    fn all_have(&self, host: u32, there: usize) -> bool {
        self.machines.iter().enumerate().all(|(here, machine)| {
            let location = if here == there { Location::Local(PORT) } else { Location::Remote(address(there)) };
            machine.host(&key(host)).and_then(|info| info.location) == Some(location)
        })
    }
}

/// What a fabric of so many VTEPs says.
struct Grown {
    /// The lists of a session with the VTEP that has the hosts.
    list: Said,
    /// One more host is heard there.
    learned: Said,
    /// A host moves.
    moved: Said,
    /// Somebody at the second VTEP announces a host which stays where it is.
    forged: Said,
}

fn grow(vteps: usize, advertise: Advertise) -> Result<Grown> {
    let mut fabric = Fabric::new(vteps, advertise);
    // The first has its hosts before it meets anybody.
    for host in 0..HOSTS {
        fabric.heard(0, host);
    }
    let mut list = Said::default();
    for a in 0..vteps {
        for b in a + 1..vteps {
            let said = fabric.meet(a, b);
            if a == 0 {
                list = said;
            }
        }
        fabric.wait(4 * WAY);
    }
    fabric.wait(SETTLED);
    let learned = fabric.heard(0, HOSTS);
    let (moving, staying) = (0, 1);
    fabric.places[moving as usize] = 1;
    let moved = fabric.heard(1, moving);
    let forged = fabric.heard(1, staying);
    if fabric.all_have(HOSTS, 0) && fabric.all_have(moving, 1) && fabric.all_have(staying, 0) {
        Ok(Grown { list, learned, moved, forged })
    } else {
        Err(format!("of {vteps} VTEPs some do not have a host where it is").into())
    }
}

/// One table.
pub(crate) fn print(all: &[u16]) -> Result<()> {
    println!(
        "| VTEPs | sessions: all, of a VTEP | list of {HOSTS} hosts | learned | moved | the same, `at-once` | forged | the same, `at-once` |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for vteps in all.iter().map(|vteps| usize::from(*vteps)) {
        let Grown { list, learned, moved, forged } = grow(vteps, Advertise::AfterVerdict)?;
        let at_once = grow(vteps, Advertise::AtOnce)?;
        let figures = [list, learned, moved, at_once.moved, forged, at_once.forged].map(told).join(" | ");
        println!("| {vteps} | {}, {} | {figures} |", vteps * (vteps - 1) / 2, vteps - 1);
    }
    Ok(())
}

fn told(said: Said) -> String {
    let bytes = said.bytes;
    if bytes < 10_000 {
        format!("{}, {bytes} B", said.messages)
    } else {
        format!("{}, {:.1} kB", said.messages, bytes as f64 / 1e3)
    }
}
