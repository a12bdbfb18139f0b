//! What does not fit together in a file.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_yaml::Location;
use vouch_agent::config::{Mark, Problem};

use super::document::{Document, FabricDocument, HostDocument, Step};
use super::{Script, ScriptErrors};
use crate::fabric::{SEASONED, Variant};
use crate::host::Habits;
use crate::topology::{Guest, PROBE_IPV4, PROBE_IPV6, PortRef, Seat, SwitchSpec, Topology, host};

/// How many switches a fabric may have, all of which run here.
const MAX_SWITCHES: usize = 32;
/// How many hosts: each has a task and a stack.
const MAX_HOSTS: usize = 128;

/// What is wrong with a file as a whole.
pub(super) fn whole(file: &str, what: String, help: &str) -> ScriptErrors {
    let (file, help) = (file.to_owned(), help.to_owned());
    ScriptErrors(vec![Problem { file, at: Mark::START, path: String::new(), what, help }])
}

/// What a file says, if nothing is wrong with it.
pub(super) fn script(file: &str, document: Document) -> Result<Script, ScriptErrors> {
    let mut notes = Notes { file, problems: Vec::new() };
    let name = document.scenario.value;
    if name.is_empty() || !name.chars().all(|it| it.is_ascii_alphanumeric() || it == '-') {
        let help = "letters, digits and `-`, as it names a folder, too";
        notes.add(document.scenario.referenced, "scenario", format!("`{name}` is no name"), help);
    }
    let mut during = Vec::new();
    if let Some(listed) = document.during_verification {
        if listed.value.is_empty() {
            let help = "list some of `hold`, `escalate`, `both`, or leave it out";
            notes.add(listed.referenced, "during_verification", "nothing is listed".to_owned(), help);
        }
        during = listed.value;
    }
    if during.is_empty() {
        during.push(Variant::default().during);
    }
    during.dedup();
    let variants = during.into_iter().map(|during| Variant { advertise: document.advertise, during }).collect();
    let topology = match document.fabric {
        Some(fabric) => notes.topology(fabric),
        None => Topology::demo(),
    };
    let mut state = State::of(&topology);
    let mut steps = Vec::new();
    for (at, step) in document.steps.into_iter().enumerate() {
        state.step(&topology, &step.value, &mut |what, help| {
            notes.add(step.referenced, &format!("steps[{at}]"), what, help);
        });
        steps.push(step.value);
    }
    for (from, to) in &state.streams {
        let what = format!("the stream from {from} to {to} is not stopped");
        notes.note(Mark::START, "steps", what, "add `stop`, with what is to have come of it");
    }
    if !state.expects {
        let help = "add `verdict`, `placed`, `ping`, or a `stop` with figures";
        notes.note(Mark::START, "steps", "nothing is expected".to_owned(), help);
    }
    if !notes.problems.is_empty() {
        return Err(ScriptErrors(notes.problems));
    }
    let probation = document.probation.map_or(SEASONED, |span| span.0);
    Ok(Script { name, about: document.about, variants, probation, topology, steps })
}

/// What is wrong so far.
struct Notes<'a> {
    file: &'a str,
    problems: Vec<Problem>,
}

impl Notes<'_> {
    fn add(&mut self, at: Location, path: &str, what: String, help: &str) {
        self.note(at.into(), path, what, help);
    }

    fn note(&mut self, at: Mark, path: &str, what: String, help: &str) {
        let (file, path, help) = (self.file.to_owned(), path.to_owned(), help.to_owned());
        self.problems.push(Problem { file, at, path, what, help });
    }

    fn topology(&mut self, fabric: FabricDocument) -> Topology {
        let mut topology = Topology { switches: Vec::new(), cables: Vec::new(), seats: Vec::new(), guests: Vec::new() };
        for (at, switch) in fabric.switches.into_iter().enumerate() {
            let (place, path) = (switch.referenced, format!("fabric.switches[{at}]"));
            let name = switch.value.name;
            let taken =
                |other: &SwitchSpec| other.name == name || other.vtep.is_some() && other.vtep == switch.value.vtep;
            if topology.switches.len() == MAX_SWITCHES {
                self.add(place, &path, "there are too many switches".to_owned(), "at most 32 run in one process");
                break;
            }
            if let Some(other) = topology.switches.iter().find(|other| taken(other)) {
                let what = format!("{} has this name or address already", other.name);
                self.add(place, &path, what, "each switch has its own");
            }
            if switch.value.vtep.is_some_and(|it| it.is_multicast() || it.is_unspecified() || it.is_loopback()) {
                let help = "the address of one machine, as `192.0.2.1`";
                self.add(place, &path, "no tunnel can end there".to_owned(), help);
            }
            topology.switches.push(SwitchSpec { name, device_id: at as u64 + 1, vtep: switch.value.vtep });
        }
        let mut ports = BTreeSet::new();
        for (at, cable) in fabric.cables.into_iter().enumerate() {
            let (place, path) = (cable.referenced, format!("fabric.cables[{at}]"));
            let [near, far] = cable.value.map(|end| end.0);
            for end in [&near, &far] {
                self.port(&topology, end, &mut ports, place, &path);
            }
            let help = "the underlay of a scenario is a tree";
            if near.switch == far.switch || topology.toward(&near.switch, &far.switch).is_some() {
                self.add(place, &path, format!("{} and {} are connected already", near.switch, far.switch), help);
                // A way round would never be found to its end.
                continue;
            }
            topology.cables.push([near, far]);
        }
        if let [first, others @ ..] = &*topology.switches {
            let apart = others.iter().filter(|other| topology.toward(&first.name, &other.name).is_none());
            let apart: Vec<_> = apart.map(|other| other.name.as_str()).collect();
            if !apart.is_empty() {
                let what = format!("no cables lead from {} to {}", first.name, apart.join(", "));
                self.note(Mark::START, "fabric.cables", what, "connect all switches");
            }
        }
        for (at, seat) in fabric.seats.into_iter().enumerate() {
            let (place, path) = (seat.referenced, format!("fabric.seats[{at}]"));
            let seat = Seat { at: seat.value.at.0, vni: seat.value.vni };
            self.seat(&topology, &seat, &mut ports, place, &path);
            topology.seats.push(seat);
        }
        for (at, found) in fabric.hosts.into_iter().enumerate() {
            let (place, path) = (found.referenced, format!("fabric.hosts[{at}]"));
            if at == MAX_HOSTS {
                self.add(place, &path, "there are too many hosts".to_owned(), "at most 128 run in one process");
                break;
            }
            let guest = guest(found.value, at);
            let seat = Seat { at: guest.seat.clone(), vni: guest.vni };
            self.seat(&topology, &seat, &mut ports, place, &path);
            topology.seats.push(seat);
            if let Err((what, help)) = fits(&guest, &topology.guests) {
                self.add(place, &path, what, help);
            }
            topology.guests.push(guest);
        }
        topology
    }

    /// A port that is used once.
    fn port(&mut self, topology: &Topology, at: &PortRef, ports: &mut BTreeSet<PortRef>, place: Location, path: &str) {
        if !topology.switches.iter().any(|switch| switch.name == at.switch) {
            self.add(place, path, format!("there is no switch {}", at.switch), "name one of `fabric.switches`");
        }
        let shared = at.vlan.is_some() && ports.iter().any(|other| other.cable() == at.cable() && other.vlan.is_some());
        let whole = ports.iter().any(|other| other.cable() == at.cable());
        if !ports.insert(at.clone()) || (whole && !shared) {
            self.add(place, path, format!("{at} is taken"), "a port leads to one place, or each VLAN of it does");
        }
    }

    fn seat(&mut self, topology: &Topology, seat: &Seat, ports: &mut BTreeSet<PortRef>, place: Location, path: &str) {
        self.port(topology, &seat.at, ports, place, path);
        if topology.switches.iter().any(|switch| switch.name == seat.at.switch && switch.vtep.is_none()) {
            let what = format!("{} only routes", seat.at.switch);
            self.add(place, path, what, "hosts sit at switches with a `vtep` address");
        }
    }
}

/// The host, with what follows from its place in the list.
fn guest(document: HostDocument, at: usize) -> Guest {
    let number = u8::try_from(at + 1).unwrap_or(u8::MAX);
    let mut spec = host(&document.name, number);
    spec.mac = document.mac.unwrap_or(spec.mac);
    spec.ipv4 = document.ipv4.unwrap_or(spec.ipv4);
    spec.ipv6 = document.ipv6.unwrap_or(spec.ipv6);
    let habits = Habits { answers: document.answers.0, ipv6_only: document.ipv6_only };
    Guest { host: spec, vni: document.vni, seat: document.at.0, habits }
}

/// Whether the host can be one of the lab's, beside the others.
fn fits(guest: &Guest, others: &[Guest]) -> Result<(), (String, &'static str)> {
    let spec = &guest.host;
    if spec.name.is_empty() || spec.name.contains(char::is_whitespace) {
        return Err((format!("`{}` is no name", spec.name), "a word"));
    }
    if let Some(other) = others.iter().find(|other| other.host.name == spec.name) {
        return Err((format!("{} is named twice", other.host.name), "each host has a name of its own"));
    }
    let same = |other: &&Guest| {
        let theirs = &other.host;
        other.vni == guest.vni && (theirs.mac == spec.mac || theirs.ipv4 == spec.ipv4 || theirs.ipv6 == spec.ipv6)
    };
    if let Some(other) = others.iter().find(same) {
        let what = format!("{} of the same VNI has an address of {}", other.host.name, spec.name);
        return Err((what, "each host of a VNI has its own `mac`, `ipv4` and `ipv6`"));
    }
    let network = |it: Ipv4Addr| it.octets()[..3].to_vec();
    let prefix = |it: Ipv6Addr| it.segments()[..4].to_vec();
    if network(spec.ipv4) != network(PROBE_IPV4) || prefix(spec.ipv6) != prefix(PROBE_IPV6) {
        return Err(("its addresses are of another subnet".to_owned(), "all are of 10.0.0.0/24 and fd00::/64"));
    }
    if spec.ipv4 == PROBE_IPV4 || spec.ipv6 == PROBE_IPV6 {
        return Err(("this is the address that probes are sent from".to_owned(), "it is nobody's"));
    }
    if spec.mac.is_multicast() {
        return Err((format!("{} is the address of a group", spec.mac), "the address of one host"));
    }
    Ok(())
}

/// Whether there is such a host.
fn known(topology: &Topology, name: &str, wrong: &mut dyn FnMut(String, &str)) -> bool {
    let found = topology.guest(name).is_some();
    if !found {
        let known: Vec<_> = topology.guests.iter().map(|guest| guest.host.name.as_str()).collect();
        wrong(format!("there is no host {name}"), &format!("there are {}", known.join(", ")));
    }
    found
}

/// How far a script has come.
struct State {
    /// Who sits where.
    seats: BTreeMap<PortRef, Option<String>>,
    streams: BTreeSet<(String, String)>,
    /// Hosts of which there has been a claim.
    claimed: BTreeSet<String>,
    expects: bool,
}

impl State {
    fn of(topology: &Topology) -> Self {
        let mut seats: BTreeMap<_, _> = topology.seats.iter().map(|seat| (seat.at.clone(), None)).collect();
        for guest in &topology.guests {
            seats.insert(guest.seat.clone(), Some(guest.host.name.clone()));
        }
        Self { seats, streams: BTreeSet::new(), claimed: BTreeSet::new(), expects: false }
    }

    fn step(&mut self, topology: &Topology, step: &Step, wrong: &mut dyn FnMut(String, &str)) {
        let switch = |name: &str| topology.switches.iter().any(|switch| switch.name == name);
        match step {
            Step::Stream { from, to, rate } => {
                let both = known(topology, from, wrong) & known(topology, to, wrong);
                if from == to || *rate == Some(0) {
                    wrong("nothing would be sent".to_owned(), "from one host to another, at least 1 packet a second");
                } else if both && !self.streams.insert((from.clone(), to.clone())) {
                    wrong(format!("a stream runs from {from} to {to} already"), "stop it first");
                }
            }
            Step::Stop { from, to, lost, misdelivered, copies, interruption } => {
                if known(topology, from, wrong) & known(topology, to, wrong)
                    && !self.streams.remove(&(from.clone(), to.clone()))
                {
                    wrong(format!("no stream runs from {from} to {to}"), "begin it by `stream`");
                }
                self.expects |= [lost, misdelivered, copies].iter().any(|it| it.is_some()) || interruption.is_some();
            }
            Step::Ping { from, to, .. } => {
                known(topology, from, wrong);
                known(topology, to, wrong);
                self.expects = true;
            }
            Step::Forge { by, of, .. } => {
                let both = known(topology, by, wrong) & known(topology, of, wrong);
                if both && by == of {
                    wrong(format!("{by} cannot forge itself"), "`announce` is for that");
                }
                self.claimed.insert(of.clone());
            }
            Step::Impersonate { by, of } => {
                known(topology, by, wrong);
                known(topology, of, wrong);
            }
            Step::Answer { host: name, .. } | Step::Pause { host: name } | Step::Resume { host: name } => {
                known(topology, name, wrong);
            }
            Step::Announce { host: name, .. } => {
                known(topology, name, wrong);
                self.claimed.insert(name.clone());
            }
            Step::Move { host: name, to } | Step::Transfer { host: name, to } => {
                let there = known(topology, name, wrong);
                self.claimed.insert(name.clone());
                match self.seats.get(&to.0) {
                    None => wrong(format!("there is no seat at {}", to.0), "name it in `fabric.seats`"),
                    Some(Some(who)) => wrong(format!("{who} sits at {}", to.0), "a free seat"),
                    Some(None) if there => {
                        for seat in self.seats.values_mut().filter(|seat| seat.as_ref() == Some(name)) {
                            *seat = None;
                        }
                        self.seats.insert(to.0.clone(), Some(name.clone()));
                    }
                    Some(None) => {}
                }
            }
            Step::Link { of, .. } => {
                if !self.seats.keys().any(|seat| seat.cable() == of.0.cable()) {
                    wrong(format!("there is no seat at {}", of.0), "the port of a seat");
                }
            }
            Step::KillAgent { of } | Step::StartAgent { of } | Step::RestartSwitch { of } => {
                if !switch(of) {
                    wrong(format!("there is no switch {of}"), "name one of `fabric.switches`");
                }
            }
            Step::ExpectMove { host: name, to, .. } => {
                known(topology, name, wrong);
                if !topology.vteps().any(|(switch, _)| switch.name == *to) {
                    wrong(format!("there is no VTEP {to}"), "name a switch with a `vtep` address");
                }
            }
            Step::Wait(_) => {}
            Step::Verdict { of, at, .. } => {
                if known(topology, of, wrong) && !self.claimed.contains(of) {
                    wrong(format!("nobody has claimed {of}"), "`forge`, `move` or `announce` goes before");
                }
                if let Some(at) = at.as_ref().filter(|at| !switch(at)) {
                    wrong(format!("there is no switch {at}"), "name one of `fabric.switches`");
                }
                self.expects = true;
            }
            Step::Placed { host: name, .. } => {
                known(topology, name, wrong);
                self.expects = true;
            }
        }
    }
}
