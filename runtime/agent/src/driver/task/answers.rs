//! What the operator asks, and how it is answered: a look at what there is, never more than a part of the hosts at a time.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use tokio::time::Instant as Clock;
use vouch_mobility::{Census, HostInfo, HostKey, Location, Phase, RefusedDetail};
use vouch_net::{MacAddr, Vni};
use vouch_p4runtime::client::{Session, Standing};
use vouch_tables::{Change, EntryAction, EntryKey, PuntReason};

use super::super::chronicle::{Entry, What};
use super::super::core::Core;
use super::super::switch::Program;
use super::super::words::{Line, unproven_word};
use super::{State, Switch, Task};
use crate::config::LinkStatus;
use crate::events::Place;
use crate::management::v1;
use crate::management::{host_to_wire, place_to_wire, span};

/// A question to the task, which it answers between two other things.
pub(crate) type Ask = Box<dyn FnOnce(&mut Task) + Send>;

/// How many hosts are looked at before something else is done.
const PAGE: usize = 1_024;

/// How many verdicts are told at the most.
const MOVES: usize = 4_096;

/// How many refused claims are listed at the most.
const LISTED: usize = 1_024;

/// How long something that the switch refused to send is still a problem.
const LATELY: Duration = Duration::from_secs(60);

/// Which hosts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) vni: Option<Vni>,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) port: Option<u16>,
    pub(crate) phase: Option<Phase>,
}

/// Some of the hosts.
#[derive(Debug, Default)]
pub(crate) struct HostPage<T> {
    pub(crate) hosts: Vec<T>,
    /// After whom to go on.
    pub(crate) next: Option<HostKey>,
}

impl Filter {
    fn takes(&self, core: &Core, info: &HostInfo) -> bool {
        let at_port = |port: u16| match info.location.map(|location| core.place(location)) {
            Some(Place::Interface(interface)) => interface.port.get() == port,
            Some(Place::Vtep(_)) | None => false,
        };
        self.vni.is_none_or(|vni| info.host.vni == vni)
            && self.mac.is_none_or(|mac| info.host.mac == mac)
            && self.ip.is_none_or(|ip| info.bindings.iter().any(|binding| binding.address == ip))
            && self.port.is_none_or(at_port)
            && self.phase.is_none_or(|phase| info.phase == phase)
    }
}

impl Task {
    /// All but the hosts, which are counted by and by ([`Self::count`]).
    pub(crate) fn agent_status(&mut self) -> v1::AgentStatus {
        let now = Clock::now();
        let counts = self.chronicle.last_hour(now);
        let mut status = v1::AgentStatus {
            agent: self.name.to_string(),
            vtep: self.config.vtep.as_ref().map_or_else(String::new, |vtep| vtep.address.to_string()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            up_for: span(now - self.began),
            switch: Some(self.switch_status(now)),
            peers: self.peer_list(now),
            hosts: None,
            draining: self.core.as_ref().is_some_and(|core| core.machine().is_draining()),
            last_hour: Some(v1::Verdicts {
                moved: counts.moved,
                refused: counts.refused,
                unproven: counts.unproven,
                contested: counts.contested,
                attacks: counts.attacks,
                addresses_moved: counts.addresses_moved,
                addresses_refused: counts.addresses_refused,
            }),
            problems: Vec::new(),
            memory: Some(v1::Memory {
                events: number(self.chronicle.len()),
                stories: number(self.chronicle.hosts().count()),
                forgotten: self.chronicle.forgotten(),
                missed_by_watchers: self.counters.events_dropped + self.watchers.missed(),
            }),
        };
        status.problems = self.problems(&status);
        status
    }

    /// Counts some of the hosts, after `after`. After whom to go on.
    pub(crate) fn count(&self, census: &mut Census, after: Option<HostKey>) -> Option<HostKey> {
        self.core.as_ref()?.machine().count(census, after, PAGE)
    }

    /// Some of the hosts that the filter takes, after `after`.
    pub(crate) fn hosts(&self, filter: &Filter, after: Option<HostKey>) -> HostPage<v1::HostEntry> {
        self.page(after, |core, info| filter.takes(core, &info).then(|| host_entry(core, &info)))
    }

    /// Some of the hosts whose place is in question, after `after`.
    pub(crate) fn claims(&self, after: Option<HostKey>) -> HostPage<v1::OpenClaim> {
        let now = self.now();
        self.page(after, |core, info| {
            if info.phase == Phase::Settled {
                return None;
            }
            let detail = core.machine().detail(&info.host, now)?;
            Some(v1::OpenClaim {
                host: Some(host_entry(core, &info)),
                claims: detail.claims.iter().map(|claim| claim_to_wire(core, claim)).collect(),
                unproven: detail.unproven.map_or_else(String::new, |why| unproven_word(why).to_owned()),
            })
        })
    }

    fn page<T>(&self, after: Option<HostKey>, mut pick: impl FnMut(&Core, HostInfo) -> Option<T>) -> HostPage<T> {
        let Some(core) = &self.core else { return HostPage { hosts: Vec::new(), next: None } };
        let (mut hosts, mut last, mut seen) = (Vec::new(), None, 0);
        for info in core.machine().hosts_after(after).take(PAGE) {
            (last, seen) = (Some(info.host), seen + 1);
            hosts.extend(pick(core, info));
        }
        HostPage { hosts, next: last.filter(|_| seen == PAGE) }
    }

    /// The verdicts that are remembered, the latest so many.
    pub(crate) fn moves(&self, last: usize) -> v1::MoveList {
        let verdicts = self.chronicle.verdicts();
        let skipped = verdicts.len().saturating_sub(if last == 0 { MOVES } else { last });
        let wall = WallClock::read();
        let wire = |entry: &Entry| self.entry(entry, wall);
        let moves = verdicts.skip(skipped).map(|verdict| v1::Move {
            verdict: wire(&verdict.entry),
            because_of: verdict.grounds.as_ref().and_then(|grounds| wire(grounds)),
        });
        v1::MoveList {
            agent: self.name.to_string(),
            moves: moves.collect(),
            forgotten: self.chronicle.verdicts_forgotten() + number(skipped),
        }
    }

    /// The hosts that somebody means by a MAC or an IP address.
    pub(crate) fn meant(&self, vni: Option<Vni>, mac: Option<MacAddr>, ip: Option<IpAddr>) -> Vec<HostKey> {
        let Some(core) = &self.core else { return Vec::new() };
        let vnis = core.machine().config().vnis.keys().copied().filter(|of| vni.is_none_or(|vni| vni == *of));
        let meant = vnis.filter_map(|vni| {
            let mac = mac.or_else(|| Some(core.machine().binding(vni, ip?)?.mac))?;
            let host = HostKey { vni, mac };
            let known = core.machine().host(&host).is_some() || self.chronicle.story(&host).is_some();
            known.then_some(host)
        });
        meant.collect()
    }

    /// All that is known of a host.
    pub(crate) fn story(&self, host: HostKey) -> Option<v1::Story> {
        let core = self.core.as_ref()?;
        let story = self.chronicle.story(&host);
        let detail = core.machine().detail(&host, self.now());
        if story.is_none() && detail.is_none() {
            return None;
        }
        let wall = WallClock::read();
        let events = story.into_iter().flat_map(|story| story.entries());
        let unknown = || v1::HostEntry { host: Some(host_to_wire(host)), ..v1::HostEntry::default() };
        let up = |vtep| self.peers.as_ref().is_some_and(|peers| peers.handle.is_up(vtep));
        Some(v1::Story {
            agent: self.name.to_string(),
            host: Some(detail.as_ref().map_or_else(unknown, |detail| host_entry(core, &detail.info))),
            knowledge: detail.as_ref().map(|detail| knowledge(core, detail)),
            events: events.filter_map(|entry| self.entry(entry, wall)).collect(),
            forgotten: story.map_or(0, |story| story.forgotten()),
            forecast: match &detail {
                Some(detail) => core.forecast(detail, up),
                None => vec!["Nobody has it now: whoever is heard with its address first would have it.".to_owned()],
            },
            entries: core.entries_of(&host),
            near: Vec::new(),
        })
    }

    /// How it stands with each peer.
    pub(crate) fn peer_list(&self, now: Clock) -> Vec<v1::Peer> {
        let Some(peers) = &self.peers else {
            let configured = self.config.vtep.iter().flat_map(|vtep| &vtep.peers);
            let reason = "there are no sessions before the switch is ready";
            return configured
                .map(|peer| v1::Peer {
                    name: peer.name.clone(),
                    vtep: peer.address.to_string(),
                    endpoint: peer.endpoint.clone(),
                    since: span(now - self.began),
                    reason: reason.to_owned(),
                    ..v1::Peer::default()
                })
                .collect();
        };
        let in_charge = matches!(self.switch, Switch::Ready { .. }) && !self.stalled;
        let peers = peers.handle.peers().into_iter().map(|peer| v1::Peer {
            reason: match peer.reason {
                _ if peer.up => String::new(),
                _ if !in_charge => "the agent does not have its switch, and speaks for nobody".to_owned(),
                Some(reason) => reason,
                None => "it has not called so far".to_owned(),
            },
            name: peer.name,
            vtep: peer.address.to_string(),
            endpoint: peer.endpoint,
            up: peer.up,
            since: span(now - peer.since.unwrap_or(self.began)),
            unsent: number(peer.unsent + self.outbox.waiting_for(peer.address)),
            sent: peer.sent,
            received: peer.received,
            dropped: peer.dropped,
            sessions: peer.sessions,
        });
        peers.collect()
    }

    pub(crate) fn ports(&self) -> v1::PortList {
        let agent = self.name.to_string();
        let Some(core) = &self.core else { return v1::PortList { agent, ports: Vec::new() } };
        let unheard = super::super::status::unheard(core, &self.crowd.all_dropped());
        let too_long: Vec<(Place, u64)> =
            core.too_long_at().map(|(location, frames)| (core.place(location), frames)).collect();
        let access = self.config.vtep.iter().flat_map(|vtep| &vtep.vnis).flat_map(|vni| {
            vni.access.iter().filter_map(|interface| {
                let place = Place::Interface(*interface);
                let port = core.machine().port(core.access(*interface)?);
                let lost = unheard.iter().find(|lost| lost.place == place);
                Some(v1::Port {
                    interface: access_to_wire(place),
                    vni: Some(vni.vni.get()),
                    link: link(port.link).into(),
                    hosts: number(port.hosts),
                    claims: number(port.claims),
                    addresses: number(port.addresses),
                    policed: lost.map_or(0, |lost| lost.policed),
                    dropped: lost.map_or(0, |lost| lost.dropped),
                    too_long: too_long.iter().find(|(at, _)| *at == place).map_or(0, |(_, frames)| *frames),
                })
            })
        });
        let underlay = self.config.underlay.ports.iter().map(|port| {
            let told = matches!(self.config.switch.link_status, LinkStatus::Gnmi) && self.state.0 == State::Ready;
            let up = told.then(|| !core.underlay_is_down(port.port.get()));
            v1::Port {
                interface: Some(v1::AccessInterface { port: port.port.get().into(), vlan: None }),
                link: link(up).into(),
                ..v1::Port::default()
            }
        });
        v1::PortList { agent, ports: access.chain(underlay).collect() }
    }

    /// Ports that claim hosts in vain.
    pub(crate) fn attacks(&self) -> v1::AttackList {
        let agent = self.name.to_string();
        let Some(core) = &self.core else { return v1::AttackList { agent, ..v1::AttackList::default() } };
        let now = self.now();
        // Somebody may claim as many as there is room to remember: attacks first, and not more than can be read.
        let of = |attack: bool| core.machine().refused(now).filter(move |refused| refused.attack == attack);
        let refused: Vec<RefusedDetail> = of(true).chain(of(false)).take(LISTED).collect();
        let more = core.machine().refused(now).count() - refused.len();
        // Only ports that were refused are ever shut.
        let mut hosts: Vec<HostKey> = refused.iter().map(|refused| refused.host).collect();
        hosts.sort_unstable();
        hosts.dedup();
        let details = hosts.iter().filter_map(|host| core.machine().detail(host, now));
        let shut = details.flat_map(|detail| shut(core, &detail)).collect();
        let wall = WallClock::read();
        let reports = self.chronicle.verdicts().filter(|verdict| is_attack(&verdict.entry));
        v1::AttackList {
            agent,
            refused: refused.iter().map(|refused| refused_to_wire(core, refused)).collect(),
            shut,
            reports: reports.filter_map(|verdict| self.entry(&verdict.entry, wall)).collect(),
            more: number(more),
        }
    }

    /// What was counted here.
    pub(crate) fn counters(&mut self) -> Vec<v1::Counter> {
        let status = self.status();
        let mut counters = Vec::new();
        let mut add = |group, (name, meaning, value)| counters.push(counter(group, name, meaning, value));
        status.mobility.each().for_each(|each| add("machine", each));
        status.driver.each().for_each(|each| add("agent", each));
        status.task.each().for_each(|each| add("agent", each));
        status.peering.iter().flat_map(|peering| peering.each()).for_each(|each| add("peering", each));
        for (reason, place, value) in self.core.iter().flat_map(|core| core.policed_by_reason()) {
            let meaning = over_budget("the place's", reason);
            let name = format!("policed.{reason}");
            counters
                .push(v1::Counter { place: Some(place_to_wire(place)), ..counter("switch", &name, &meaning, value) });
        }
        // Reasons of which nothing was dropped are named, too: what can happen is as much of interest as what has.
        for reason in PuntReason::ALL.iter().filter(|reason| **reason != PuntReason::Sent) {
            let name = format!("policed.{reason}");
            if !counters.iter().any(|counter| counter.name == name) {
                let meaning = over_budget("a place's", *reason);
                counters.push(counter("switch", &name, &meaning, 0));
            }
        }
        counters
    }

    /// The switch, for whoever reads it himself; why not, if it cannot be read.
    pub(crate) fn access_to_switch(&self) -> Result<(Session, Program), String> {
        match self.session.standing() {
            Standing::Offline | Standing::Undecided => Err(self.reason.clone()),
            Standing::Primary | Standing::Backup { .. } => Ok((self.session.clone(), self.program.clone())),
        }
    }

    /// Some of what the switch is to have, after `after`; and the budgets among it.
    pub(crate) fn wanted_after(&mut self, after: Option<EntryKey>) -> Vec<(EntryKey, EntryAction)> {
        self.core.as_mut().map_or_else(Vec::new, |core| core.wanted().some_after(after, PAGE))
    }

    /// Takes down what the switch has taken, by host.
    pub(super) fn note_written(&mut self, changes: &[Change], began: Clock) {
        let Some(core) = &self.core else { return };
        let now = Clock::now();
        let mut by_host: Vec<(HostKey, Vec<Change>)> = Vec::new();
        // Changes of one host come in several places of a round.
        let mut places = std::collections::HashMap::new();
        for change in changes {
            let Some(host) = core.host_of_change(change) else { continue };
            let at = *places.entry(host).or_insert_with(|| {
                by_host.push((host, Vec::new()));
                by_host.len() - 1
            });
            by_host[at].1.push(change.clone());
        }
        for (host, changes) in by_host {
            self.chronicle.written(host, changes, now);
            let took = now - began;
            self.trace(now, |traces, at| traces.written(host, at.checked_sub(took).unwrap_or(at), at));
        }
    }

    /// Remembers since when the switch is how it is.
    pub(super) fn note_state(&mut self) {
        let state = match &self.switch {
            Switch::Away { .. } => State::Away,
            Switch::Synchronising(_) => State::Synchronising,
            Switch::Ready { .. } if self.fresh => State::Synchronising,
            Switch::Ready { .. } if self.stalled => State::Stalled,
            Switch::Ready { .. } if self.read_back.is_some() => State::InDoubt,
            Switch::Ready { .. } => State::Ready,
        };
        if self.state.0 != state {
            self.state = (state, Clock::now());
        }
    }

    fn switch_status(&mut self, now: Clock) -> v1::SwitchStatus {
        let (state, since) = self.state;
        let standing = self.session.standing();
        let (wanted, waiting) = match &mut self.core {
            Some(core) => (core.wanted().len(), core.wanted().unwritten()),
            None => (0, 0),
        };
        v1::SwitchStatus {
            target: self.config.switch.target.clone(),
            device_id: self.config.switch.device_id,
            state: state.into(),
            since: span(now - since),
            reason: if state == State::Ready { String::new() } else { self.reason.clone() },
            connected: standing != Standing::Offline,
            in_charge: standing == Standing::Primary,
            election_id: self.session.election_id().max(self.session.highest_election_id()).to_string(),
            program: self.program_name(),
            entries_wanted: number(wanted),
            changes_waiting: number(waiting),
            failed_writes: self.counters.failed_writes,
        }
    }

    fn program_name(&self) -> String {
        match &self.config.switch.pipeline {
            None => "built in".to_owned(),
            Some(files) => files.p4info().display().to_string(),
        }
    }

    /// What is wrong, and what to do about it.
    fn problems(&self, status: &v1::AgentStatus) -> Vec<v1::Problem> {
        let mut problems = Vec::new();
        let mut error = |what: String, remedy: &str| problems.push(problem(v1::problem::Severity::Error, what, remedy));
        let target = &self.config.switch.target;
        match self.state.0 {
            State::Away => error(
                format!("The switch at {target} is not under control: {}.", self.reason),
                "See that it runs, that `switch.target` is right, and that no other controller has a higher election id. The agent goes on trying.",
            ),
            State::Stalled => error(
                format!("The switch at {target} does not react."),
                "See what it is doing. Peers hear nothing until it goes on; traffic goes on as it is.",
            ),
            State::InDoubt => error(
                format!("The switch has refused entries: {}.", self.reason),
                "It is read back soon by itself. `vouch tables` says what differs.",
            ),
            State::Synchronising | State::Ready | State::Unspecified => {}
        }
        if let Some((why, _)) = self.refused_out.as_ref().filter(|(_, at)| at.elapsed() < LATELY) {
            error(
                format!("The switch refuses to send what it is given: {why}."),
                &format!(
                    "No host and no next hop can be asked like that. See that the switch was started with `--cpu-port {}`, as BMv2's kind has to be.",
                    self.config.switch.cpu_port
                ),
            );
        }
        let mut warn =
            |what: String, remedy: &str| problems.push(problem(v1::problem::Severity::Warning, what, remedy));
        if self.state.0 == State::Synchronising {
            warn("The switch is being brought to what is wanted.".to_owned(), "Wait a moment.");
        }
        if matches!(self.state.0, State::Ready | State::InDoubt) {
            for peer in status.peers.iter().filter(|peer| !peer.up) {
                warn(
                    format!("No session with {}: {}.", peer.name, peer.reason),
                    "See that its agent runs and has its switch, and that the endpoint and the certificates are right (`vouch check`).",
                );
            }
        }
        let Some(core) = &self.core else { return problems };
        let attacks: Vec<RefusedDetail> = core.machine().refused(self.now()).filter(|refused| refused.attack).collect();
        for refused in attacks.iter().take(4) {
            let place = core.words(core.place(Location::Local(refused.port)));
            warn(
                format!("{place} goes on claiming {}, which answers elsewhere.", refused.host),
                "See who is behind that port (`vouch attacks`). `vouch clear attack` forgets it; `quarantine` shuts such ports.",
            );
        }
        if attacks.len() > 4 {
            warn(format!("{} more hosts are claimed like that.", attacks.len() - 4), "`vouch attacks` lists them.");
        }
        let beyond = core.counters().bindings_beyond;
        if beyond > 0 {
            warn(
                format!("The switch has no room for {beyond} addresses of hosts: they are not checked there."),
                "Lower `limits.hosts` or `limits.addresses_per_host`, or use a switch with larger tables.",
            );
        }
        let stranded: Vec<_> = core.next_hops().filter(|(_, mac)| mac.is_none()).collect();
        for (hop, _) in stranded.iter().take(4) {
            warn(
                format!("Next hop {hop} cannot be used."),
                "See that it is there and has that address, and that it speaks BFD where `bfd` is given. Others of its routes carry what it would.",
            );
        }
        if stranded.len() > 4 {
            warn(format!("Nor can {} more.", stranded.len() - 4), "The log has named each (`next-hop-down`).");
        }
        for (location, frames) in core.too_long_at().take(4) {
            let place = core.words(core.place(location));
            warn(
                format!("{frames} frames from {place} did not fit the underlay."),
                "Lower the MTU of the hosts there, or raise the underlay's (its links, and `underlay.mtu`).",
            );
        }
        problems
    }

    fn entry(&self, entry: &Entry, wall: WallClock) -> Option<v1::Event> {
        let line = self.core.as_ref()?.line(&entry.what);
        Some(event(&self.name, entry.number, wall.at(entry.at), entry.times, line))
    }
}

/// What people's clocks say when the agent's says something. One reading is for one answer, so that its events keep their order.
#[derive(Debug, Clone, Copy)]
pub(super) struct WallClock {
    people: SystemTime,
    agent: Clock,
}

impl WallClock {
    /// Reads both, as nearly at the same time as a busy machine lets us.
    pub(super) fn read() -> Self {
        let reading = || {
            let agent = Clock::now();
            (Self { people: SystemTime::now(), agent }, agent.elapsed())
        };
        let mut best = reading();
        for _ in 0..3 {
            let next = reading();
            if next.1 < best.1 {
                best = next;
            }
        }
        best.0
    }

    /// When that was.
    pub(super) fn at(self, at: Clock) -> Option<SystemTime> {
        match at.checked_duration_since(self.agent) {
            Some(later) => self.people.checked_add(later),
            None => self.people.checked_sub(self.agent - at),
        }
    }
}

/// A line as watchers get it.
pub(super) fn event(agent: &str, number: u64, at: Option<SystemTime>, times: u32, line: Line) -> v1::Event {
    let Line { kind, host, place, other, addresses, peer, evidence, took, text } = line;
    v1::Event {
        number,
        at: at.map(Into::into),
        agent: agent.to_owned(),
        kind: kind.to_owned(),
        host: host.map(host_to_wire),
        place: place.map(place_to_wire),
        other: other.map(place_to_wire),
        addresses: addresses.iter().map(IpAddr::to_string).collect(),
        peer: peer.unwrap_or_default(),
        evidence: evidence.unwrap_or_default().to_owned(),
        took: took.and_then(span),
        text,
        times,
    }
}

fn host_entry(core: &Core, info: &HostInfo) -> v1::HostEntry {
    let place = info.location.map(|location| core.place(location));
    let at = match info.location {
        Some(Location::Remote(vtep)) => core.vtep_name(vtep),
        Some(Location::Local(_)) | None => core.vtep_name(core.machine().config().me),
    };
    let address = |binding: &vouch_mobility::Binding| v1::Address {
        ip: binding.address.to_string(),
        confirmed: binding.confirmed,
    };
    v1::HostEntry {
        host: Some(host_to_wire(info.host)),
        place: place.map(place_to_wire),
        at,
        state: state(info.phase).into(),
        sequence: info.sequence.0,
        addresses: info.bindings.iter().map(address).collect(),
        withheld: info.withheld,
    }
}

fn knowledge(core: &Core, detail: &vouch_mobility::HostDetail) -> v1::Knowledge {
    let place = |location: Location| place_to_wire(core.place(location));
    v1::Knowledge {
        answers: detail.answers,
        mute: detail.mute,
        overdue_after: detail.overdue_after.and_then(span),
        tenure: detail.stay.and_then(|stay| span(stay.tenure)),
        before: detail.stay.and_then(|stay| stay.before).map(|(before, _)| place(before)),
        probation: detail.stay.and_then(|stay| stay.probation).and_then(span),
        addresses: detail
            .addresses
            .iter()
            .map(|known| v1::KnownAddress {
                ip: known.address.to_string(),
                confirmed_at: known.confirmed.map(|(at, _)| place(at)),
                confirmed_ago: known.confirmed.and_then(|(_, ago)| span(ago)),
            })
            .collect(),
        claims: detail.claims.iter().map(|claim| claim_to_wire(core, claim)).collect(),
        refused: detail.refused.iter().map(|refused| refused_to_wire(core, refused)).collect(),
        shut: shut(core, detail),
        others: detail.others.iter().map(|vtep| core.vtep_name(*vtep)).collect(),
    }
}

fn claim_to_wire(core: &Core, claim: &vouch_mobility::ClaimDetail) -> v1::Claim {
    let place = core.place(claim.place);
    v1::Claim {
        place: Some(place_to_wire(place)),
        at: core.words(place),
        open_for: span(claim.open_for),
        answers: claim.answers,
        damped: claim.damped,
    }
}

fn refused_to_wire(core: &Core, refused: &RefusedDetail) -> v1::Refused {
    v1::Refused {
        host: Some(host_to_wire(refused.host)),
        place: Some(place_to_wire(core.place(Location::Local(refused.port)))),
        damped_for: span(refused.damped_for),
        refusals: refused.refusals,
        attack: refused.attack,
    }
}

fn shut(core: &Core, detail: &vouch_mobility::HostDetail) -> Vec<v1::Shut> {
    let shut = detail.quarantined.iter().map(|(port, left)| v1::Shut {
        host: Some(host_to_wire(detail.info.host)),
        place: Some(place_to_wire(core.place(Location::Local(*port)))),
        remaining: span(*left),
    });
    shut.collect()
}

fn is_attack(entry: &Entry) -> bool {
    use vouch_mobility::Report;
    matches!(
        entry.what,
        What::Event(crate::events::AgentEventKind::Report(Report::Attack { .. } | Report::AttackOver { .. }))
    )
}

pub(crate) fn state(phase: Phase) -> v1::HostState {
    match phase {
        Phase::Settled => v1::HostState::Settled,
        Phase::Verifying => v1::HostState::Verifying,
        Phase::Unproven => v1::HostState::Unproven,
        Phase::Contested => v1::HostState::Contested,
        Phase::Sought => v1::HostState::Sought,
        Phase::Claiming => v1::HostState::Claiming,
        Phase::ProbingThroughTunnel => v1::HostState::ProbingThroughTunnel,
    }
}

pub(crate) fn problem(severity: v1::problem::Severity, what: String, remedy: &str) -> v1::Problem {
    v1::Problem { severity: severity.into(), what, remedy: remedy.to_owned() }
}

pub(crate) fn counter(group: &str, name: &str, meaning: &str, value: u64) -> v1::Counter {
    let (group, name, meaning) = (group.to_owned(), name.to_owned(), meaning.trim().to_owned());
    v1::Counter { group, name, meaning, value, place: None }
}

fn access_to_wire(place: Place) -> Option<v1::AccessInterface> {
    match place_to_wire(place).kind {
        Some(v1::place::Kind::Access(access)) => Some(access),
        Some(v1::place::Kind::Vtep(_)) | None => None,
    }
}

/// What is counted of frames that a place had no budget left for.
fn over_budget(whose: &str, reason: PuntReason) -> String {
    let rate = match reason {
        PuntReason::Neighbour => "underlay.neighbours.punt_rate",
        PuntReason::Learn
        | PuntReason::Move
        | PuntReason::ProbeReply
        | PuntReason::Alive
        | PuntReason::Binding
        | PuntReason::Request
        | PuntReason::Sent => "punt_rates",
    };
    format!("Over {whose} budget (`{rate}`), and not handed to the agent: {}", reason.meaning())
}

fn link(up: Option<bool>) -> v1::port::Link {
    match up {
        Some(true) => v1::port::Link::Up,
        Some(false) => v1::port::Link::Down,
        None => v1::port::Link::Unknown,
    }
}

fn number(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
