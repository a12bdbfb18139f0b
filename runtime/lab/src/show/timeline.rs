//! The timeline: each entry of a fabric's log as one line, in the words of the topology.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;
use vouch_agent::{AgentEvent, AgentEventKind, Place};
use vouch_mobility::{
    Because, Evidence, Full, HostKey, Location, Message, Migration, Open, Report, Verdict as Ruling, VtepAddr,
    WhyUnproven,
};

use super::Style;
use crate::log::Entry;
use crate::topology::{Guest, Topology};

/// More changes than these are not told one by one.
const MANY: usize = 12;

/// What kind of thing a line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineKind {
    /// The scenario did something.
    Scenario,
    /// A session, a switch or a port came or went.
    Session,
    /// A host was heard.
    Heard,
    /// A host was asked.
    Asked,
    /// A host answered, or was seen.
    Answered,
    /// A message went to a peer.
    Sent,
    /// A message came from a peer.
    Received,
    /// A switch took changes.
    Written,
    /// Something was decided.
    Decided,
    /// Something is wrong with somebody.
    Alarm,
}

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Since the timeline began, milliseconds.
    pub ms: f64,
    /// Whose doing it was: an agent, or the scenario.
    pub who: String,
    /// What kind of thing it was.
    pub kind: LineKind,
    /// What it was.
    pub text: String,
    /// It is about one of a crowd, or a question that is asked out of routine.
    #[serde(skip)]
    pub routine: bool,
}

/// Puts a fabric's log into words.
pub struct Timeline {
    topology: Topology,
    start: Instant,
    /// The hosts whose place is in question. Whoever is asked without that is asked out of routine.
    doubted: Mutex<BTreeSet<HostKey>>,
}

impl Timeline {
    /// A timeline that begins now.
    pub fn new(topology: Topology) -> Self {
        Self { topology, start: Instant::now(), doubted: Mutex::default() }
    }

    /// One entry of the log as a line.
    pub fn line(&self, entry: &Entry) -> Line {
        let ms = entry.at().saturating_duration_since(self.start).as_secs_f64() * 1e3;
        let ms = (ms * 100.0).round() / 100.0;
        match entry {
            Entry::Lab { text, .. } => {
                let who = "scenario".to_owned();
                Line { ms, who, kind: LineKind::Scenario, text: text.clone(), routine: false }
            }
            Entry::Agent(event) => {
                let (kind, text) = self.event(event);
                let routine = subject(&event.kind).is_some_and(|host| self.is_routine(host, &event.kind));
                Line { ms, who: event.agent.to_string(), kind, text, routine }
            }
        }
    }

    /// Whether nobody need be told of this, which happened to `host`.
    fn is_routine(&self, host: HostKey, kind: &AgentEventKind) -> bool {
        let mut doubted = self.doubted.lock().unwrap_or_else(PoisonError::into_inner);
        match kind {
            AgentEventKind::Report(Report::ClaimRaised { .. } | Report::VerificationStarted { .. }) => {
                doubted.insert(host);
            }
            AgentEventKind::Report(Report::Stayed { .. } | Report::Moved { .. } | Report::Settled { .. }) => {
                doubted.remove(&host);
            }
            _ => {}
        }
        let asked = matches!(kind, AgentEventKind::Asked { .. } | AgentEventKind::Answered { .. });
        self.guest(host).is_none() || asked && !doubted.contains(&host)
    }

    fn event(&self, event: &AgentEvent) -> (LineKind, String) {
        match &event.kind {
            AgentEventKind::SwitchReady { entries_written, .. } => {
                (LineKind::Session, format!("controls its switch, {entries_written} entries written"))
            }
            AgentEventKind::SwitchLost { reason } => (LineKind::Alarm, format!("lost its switch: {reason}")),
            AgentEventKind::PeerUp { peer } => (LineKind::Session, format!("has a session with {}", self.vtep(*peer))),
            AgentEventKind::PeerDown { peer, reason } => {
                (LineKind::Alarm, format!("lost the session with {}: {reason}", self.vtep(*peer)))
            }
            AgentEventKind::Port { port, up } => {
                (LineKind::Session, format!("port {port} went {}", if *up { "up" } else { "down" }))
            }
            AgentEventKind::ExceedsMtu { place, frames, mtu } => (
                LineKind::Alarm,
                format!("drops frames from {}: {frames} do not fit the underlay's {mtu} bytes", self.place(*place)),
            ),
            AgentEventKind::Draining { on, hosts } => {
                (LineKind::Session, format!("is {} use with {hosts} hosts", if *on { "out of" } else { "back in" }))
            }
            AgentEventKind::NextHop { port, address, mac: Some(_), .. } => {
                (LineKind::Session, format!("next hop {address} at port {port} is there"))
            }
            AgentEventKind::NextHop { port, address, mac: None, .. } => {
                (LineKind::Alarm, format!("next hop {address} at port {port} is gone"))
            }
            AgentEventKind::PortsUnknown => {
                (LineKind::Session, "does not know any more which ports have links".to_owned())
            }
            AgentEventKind::Heard { host, interface, evidence, .. } => {
                (LineKind::Heard, format!("heard {} on {interface} ({})", self.host(*host), evidence_word(*evidence)))
            }
            AgentEventKind::Asked { host, via, targets } => {
                let text =
                    format!("asks {} on {}: who has {}?", self.host(*host), self.place(*via), addresses(targets));
                (LineKind::Asked, text)
            }
            AgentEventKind::Answered { host, from, address } => {
                (LineKind::Answered, format!("{} answers on {}: {address}", self.host(*host), self.place(*from)))
            }
            AgentEventKind::SeenAlive { host, interface } => {
                (LineKind::Answered, format!("{} is seen sending on {interface}", self.host(*host)))
            }
            AgentEventKind::Sent { to, message } => {
                (LineKind::Sent, format!("to {}: {}", self.vtep(*to), self.message(message)))
            }
            AgentEventKind::Received { from, message } => {
                (LineKind::Received, format!("from {}: {}", self.vtep(*from), self.message(message)))
            }
            AgentEventKind::Written { changes } if changes.is_empty() => (LineKind::Written, String::new()),
            AgentEventKind::Written { changes } if changes.len() > MANY => {
                (LineKind::Written, format!("writes {} changes", changes.len()))
            }
            AgentEventKind::Written { changes } => (LineKind::Written, format!("writes {}", changes.join("; "))),
            AgentEventKind::Report(report) => self.report(report),
        }
    }

    fn message(&self, message: &Message) -> String {
        match message {
            Message::Advertisement(it) => {
                let host = self.host(it.host);
                let sequence = it.sequence.0;
                match it.migration {
                    None => format!("{host} is with me (sequence {sequence})"),
                    Some(Migration::Asked { taken: true, .. }) => {
                        format!("{host} has been taken here without your word, ask it (sequence {sequence})")
                    }
                    Some(Migration::Asked { taken: false, .. }) => {
                        format!("{host} was heard here, ask it (sequence {sequence})")
                    }
                    Some(Migration::AtOnce) => format!("{host} is with me, it is being asked (sequence {sequence})"),
                    Some(Migration::Verified { .. }) => format!("{host} moved to me, verified (sequence {sequence})"),
                }
            }
            Message::Reply(it) => {
                let host = self.host(it.host);
                match it.verdict {
                    Ruling::Stayed => format!("{host} STAYED (sequence {})", it.sequence.0),
                    Ruling::Moved { .. } => format!("{host} MOVED (sequence {})", it.sequence.0),
                    Ruling::Open(Open::Overdue) => format!("{host} has not answered yet"),
                    Ruling::Open(Open::Unproven) => format!("{host} is UNPROVEN"),
                    Ruling::Open(Open::Contested) => format!("{host} is CONTESTED"),
                    Ruling::Elsewhere(vtep) => format!("{host} is not mine, ask {}", self.vtep(vtep)),
                }
            }
            Message::Withdrawal(it) => {
                let host = self.host(it.host);
                match it.moved_to {
                    Some(to) => format!("{host} is not with me, it moved to {}", self.vtep(to)),
                    None => format!("{host} is not with me, I take it back (sequence {})", it.sequence.0),
                }
            }
            Message::Standing(it) => {
                let answers = if it.answers { "answers" } else { "does not answer" };
                format!("{} {answers} here", self.host(it.host))
            }
            Message::Sync(_) => "list of hosts".to_owned(),
            Message::Expect(it) => format!("{} is about to move to {}", self.host(it.host), self.vtep(it.to)),
            Message::AddressClaim(it) => {
                format!("somebody says that it has {}, ask {}", it.address, self.host(it.holder))
            }
            Message::AddressReply(it) if it.given_up => {
                format!("{} has given {} up", self.host(it.holder), it.address)
            }
            Message::AddressReply(it) => format!("{} KEEPS {}", self.host(it.holder), it.address),
        }
    }

    fn report(&self, report: &Report) -> (LineKind, String) {
        match report {
            Report::Learned { host, .. } => (LineKind::Heard, format!("learned {}", self.host(*host))),
            Report::ClaimRaised { host, recorded, .. } => {
                let text =
                    format!("{} is recorded at {}: that has to be checked", self.host(*host), self.location(*recorded));
                (LineKind::Heard, text)
            }
            Report::VerificationStarted { host, recorded, .. } => (
                LineKind::Asked,
                format!("verifies whether {} is still at {}", self.host(*host), self.location(*recorded)),
            ),
            Report::Stayed { host, kept, .. } => {
                (LineKind::Decided, format!("{} STAYED at {}", self.host(*host), self.location(*kept)))
            }
            Report::Moved { host, to, because, .. } => {
                let text = format!("{} MOVED to {}: {}", self.host(*host), self.location(*to), because_word(*because));
                (LineKind::Decided, text)
            }
            Report::Removed { host, .. } => (LineKind::Decided, format!("forgot {}", self.host(*host))),
            Report::Attack { host, refusals, quarantined, .. } => {
                let mut text = format!("ATTACK on {}: {refusals} claims refused", self.host(*host));
                if *quarantined {
                    text.push_str(", the port is shut for its address");
                }
                (LineKind::Alarm, text)
            }
            Report::Unproven { host, why, .. } => {
                (LineKind::Decided, format!("{} is UNPROVEN: {}", self.host(*host), unproven_word(*why)))
            }
            Report::Contested { host, recorded, claimed } => {
                let [(here, long), (there, short)] = [recorded, claimed];
                let text = format!(
                    "{} is CONTESTED: it answers at {} ({:.0} s) and at {} ({:.0} s)",
                    self.host(*host),
                    self.location(*here),
                    long.as_secs_f64(),
                    self.location(*there),
                    short.as_secs_f64()
                );
                (LineKind::Alarm, text)
            }
            Report::Settled { host, kept } => {
                (LineKind::Decided, format!("{} is SETTLED at {}", self.host(*host), self.location(*kept)))
            }
            Report::AttackOver { host, .. } => {
                (LineKind::Decided, format!("what was reported of {} was its own way", self.host(*host)))
            }
            Report::AddressClaimed { address, holder, claimant, .. } => {
                let text = format!(
                    "{} says that it has {address}, which is {}'s: that has to be checked",
                    self.host(*claimant),
                    self.host(*holder)
                );
                (LineKind::Heard, text)
            }
            Report::AddressKept { address, holder, claimant, .. } => {
                let text = format!("{} KEEPS {address}, not {}", self.host(*holder), self.host(*claimant));
                (LineKind::Decided, text)
            }
            Report::AddressMoved { address, from, to } => {
                let text = format!("{address} MOVED from {} to {}", self.host(*from), self.host(*to));
                (LineKind::Decided, text)
            }
            Report::Duplicate { host, other, .. } => {
                (LineKind::Alarm, format!("{} answers here and at {}", self.host(*host), self.vtep(*other)))
            }
            Report::HeardAtOldPort { host, .. } => {
                (LineKind::Alarm, format!("{} was heard at its old port", self.host(*host)))
            }
            Report::OwnerUnreachable { host, owner } => {
                (LineKind::Alarm, format!("{} cannot be asked about {}", self.vtep(*owner), self.host(*host)))
            }
            Report::SequenceExhausted { host } => {
                (LineKind::Alarm, format!("{} has moved too often to count", self.host(*host)))
            }
            Report::Full { what } => (LineKind::Alarm, format!("no room {}", self.room(*what))),
            Report::RoomAgain { what } => (LineKind::Session, format!("room again {}", self.room(*what))),
        }
    }

    fn host(&self, key: HostKey) -> String {
        self.guest(key).map_or_else(|| key.to_string(), |guest| guest.host.name.clone())
    }

    fn guest(&self, key: HostKey) -> Option<&Guest> {
        self.topology.guests.iter().find(|guest| guest.vni == key.vni && guest.host.mac == key.mac)
    }

    fn room(&self, what: Full) -> String {
        match what {
            Full::Hosts(port) => format!("for hosts at access interface {port}"),
            Full::Claims(port) => format!("for claims at access interface {port}"),
            Full::Bindings(port) => format!("for addresses at access interface {port}"),
            Full::Vni(vni) => format!("for hosts in VNI {vni}"),
            Full::Peer(peer) => format!("for hosts of {}", self.vtep(peer)),
        }
    }

    fn vtep(&self, vtep: VtepAddr) -> String {
        self.topology.vtep_at(vtep.0).map_or_else(|| vtep.to_string(), |switch| switch.name.clone())
    }

    fn place(&self, place: Place) -> String {
        match place {
            Place::Interface(interface) => interface.to_string(),
            Place::Vtep(vtep) => format!("the tunnel to {}", self.vtep(vtep)),
        }
    }

    fn location(&self, location: Location) -> String {
        match location {
            Location::Local(_) => "its port here".to_owned(),
            Location::Remote(vtep) => self.vtep(vtep),
        }
    }
}

impl Line {
    /// Whether a person needs this line to follow the story. What was received has been sent, and is told there.
    pub fn is_news(&self) -> bool {
        if self.routine {
            return false;
        }
        match self.kind {
            LineKind::Received => false,
            // A write that turned out not to change anything.
            LineKind::Written if self.text.is_empty() => false,
            LineKind::Scenario
            | LineKind::Session
            | LineKind::Heard
            | LineKind::Asked
            | LineKind::Answered
            | LineKind::Sent
            | LineKind::Written
            | LineKind::Decided
            | LineKind::Alarm => true,
        }
    }

    /// The line for a terminal.
    pub fn text(&self, style: Style) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = write!(text, "{:>10.2} ms  {:<9} ", self.ms, self.who);
        text.push_str(&match self.kind {
            LineKind::Scenario => style.bold(&self.text),
            LineKind::Decided => style.decided(&self.text),
            LineKind::Alarm => style.bad(&self.text),
            LineKind::Answered => style.good(&self.text),
            LineKind::Written | LineKind::Session | LineKind::Received => style.dim(&self.text),
            LineKind::Heard | LineKind::Asked | LineKind::Sent => self.text.clone(),
        });
        text
    }
}

/// The host that something happened to, where there is one.
fn subject(kind: &AgentEventKind) -> Option<HostKey> {
    match kind {
        AgentEventKind::Heard { host, .. }
        | AgentEventKind::Asked { host, .. }
        | AgentEventKind::Answered { host, .. }
        | AgentEventKind::SeenAlive { host, .. } => Some(*host),
        AgentEventKind::Sent { message, .. } | AgentEventKind::Received { message, .. } => match message {
            Message::Advertisement(it) => Some(it.host),
            Message::Reply(it) => Some(it.host),
            Message::Standing(it) => Some(it.host),
            Message::Withdrawal(it) => Some(it.host),
            Message::Expect(it) => Some(it.host),
            Message::AddressClaim(it) => Some(it.holder),
            Message::AddressReply(it) => Some(it.holder),
            Message::Sync(_) => None,
        },
        AgentEventKind::Report(report) => match report {
            Report::Learned { host, .. }
            | Report::ClaimRaised { host, .. }
            | Report::VerificationStarted { host, .. }
            | Report::Stayed { host, .. }
            | Report::Moved { host, .. }
            | Report::Unproven { host, .. }
            | Report::Settled { host, .. }
            | Report::OwnerUnreachable { host, .. }
            | Report::Removed { host, .. } => Some(*host),
            // Alarms are told, whoever they are about.
            _ => None,
        },
        AgentEventKind::SwitchReady { .. }
        | AgentEventKind::SwitchLost { .. }
        | AgentEventKind::PeerUp { .. }
        | AgentEventKind::PeerDown { .. }
        | AgentEventKind::Port { .. }
        | AgentEventKind::PortsUnknown
        | AgentEventKind::Draining { .. }
        | AgentEventKind::NextHop { .. }
        | AgentEventKind::ExceedsMtu { .. }
        | AgentEventKind::Written { .. } => None,
    }
}

fn evidence_word(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Arp => "ARP",
        Evidence::Rarp => "RARP",
        Evidence::Neighbour => "neighbour discovery",
        Evidence::Data => "data",
        Evidence::Dad => "duplicate address detection",
    }
}

/// Why a move is believed.
pub(crate) fn because_word(because: Because) -> &'static str {
    match because {
        Because::Silence => "it did not answer",
        Because::OnlyAnswer => "it answers there alone",
        Because::Aged => "it was not heard for long",
        Because::Expected => "the move was announced",
        Because::Decided => "somebody decided",
        Because::PortDown => "its port was down",
        Because::OwnerSaid => "the owner gave it up",
        Because::Told => "the VTEPs concerned said so",
        Because::TrustedMove => "such addresses move unasked",
        Because::Policy => "the owner was unreachable",
        Because::Unverified => "nobody was asked",
    }
}

fn unproven_word(why: WhyUnproven) -> &'static str {
    match why {
        WhyUnproven::NoConfirmedAddress => "it was not going to answer",
        WhyUnproven::NotAsked => "the questions may not have left",
        WhyUnproven::AnswersLost => "its answers may have been lost",
        WhyUnproven::NobodyAnswers => "it answers nowhere",
        WhyUnproven::ExpectedElsewhere => "it was announced elsewhere",
        WhyUnproven::PortUnknown => "it is not known where it was",
    }
}

fn addresses(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use vouch_agent::config::{AccessInterface, Port};
    use vouch_net::{MacAddr, Vni};

    use super::*;

    fn line(kind: AgentEventKind) -> Line {
        let timeline = Timeline::new(Topology::demo());
        timeline.line(&Entry::Agent(AgentEvent { agent: Arc::from("vtep2"), at: Instant::now(), kind }))
    }

    #[test]
    fn hosts_and_vteps_go_by_their_names() {
        let host = HostKey { vni: Vni::new(5001).unwrap(), mac: MacAddr([2, 0, 0, 0, 0, 1]) };
        let interface = AccessInterface { port: Port::new(3).unwrap(), vlan: None };
        let heard = line(AgentEventKind::Heard { host, interface, evidence: Evidence::Rarp, addresses: Vec::new() });
        assert_eq!((heard.who.as_str(), heard.text.as_str()), ("vtep2", "heard red1 on port 3 untagged (RARP)"));
        let blue = HostKey { vni: Vni::new(5002).unwrap(), ..host };
        let owner = VtepAddr(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));
        let unreachable = line(AgentEventKind::Report(Report::OwnerUnreachable { host: blue, owner }));
        assert_eq!(unreachable.text, "vtep1 cannot be asked about blue1");
        assert_eq!(unreachable.kind, LineKind::Alarm);
    }

    #[test]
    fn colours_appear_only_where_they_are_wanted() {
        let alarm = line(AgentEventKind::SwitchLost { reason: "gone".to_owned() });
        assert!(alarm.text(Style { color: true }).contains("\x1b[31m"));
        assert!(!alarm.text(Style { color: false }).contains('\x1b'));
    }
}
