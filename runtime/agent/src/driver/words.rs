//! What happened, in words and in fields with stable names: for the log, for stories, and for whoever watches.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use vouch_mobility::{
    Because, Binding, Evidence, Full, HostKey, Location, Message, Migration, Open, Report, Sync, Verdict, VtepAddr,
    WhyUnproven,
};

use super::chronicle::{What, subjects};
use super::core::Core;
use crate::events::{AgentEventKind, Place};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// A stable word.
    pub(crate) kind: &'static str,
    pub(crate) host: Option<HostKey>,
    /// Where it happened; of a verdict: where the host is now.
    pub(crate) place: Option<Place>,
    /// Of a claim or a verdict: the other place.
    pub(crate) other: Option<Place>,
    pub(crate) addresses: Vec<IpAddr>,
    /// The peer, by name.
    pub(crate) peer: Option<String>,
    /// By what it is known, or why it is believed.
    pub(crate) evidence: Option<&'static str>,
    pub(crate) took: Option<Duration>,
    /// The whole in words, without the host.
    pub(crate) text: String,
}

impl Line {
    fn new(kind: &'static str, text: impl Into<String>) -> Self {
        Self {
            kind,
            host: None,
            place: None,
            other: None,
            addresses: Vec::new(),
            peer: None,
            evidence: None,
            took: None,
            text: text.into(),
        }
    }

    fn at(self, place: Place) -> Self {
        Self { place: Some(place), ..self }
    }

    fn and(self, other: Place) -> Self {
        Self { other: Some(other), ..self }
    }

    fn with(self, addresses: &[IpAddr]) -> Self {
        Self { addresses: addresses.to_vec(), ..self }
    }

    fn by(self, evidence: &'static str) -> Self {
        Self { evidence: Some(evidence), ..self }
    }

    fn peer(self, peer: String) -> Self {
        Self { peer: Some(peer), ..self }
    }

    fn took(self, took: Duration) -> Self {
        Self { took: Some(took), ..self }
    }
}

/// Every kind of [`Line`], for whoever wants only some.
pub(crate) const KINDS: &[&str] = &[
    "switch-ready",
    "switch-lost",
    "peer-up",
    "peer-down",
    "port-up",
    "port-down",
    "ports-unknown",
    "next-hop-up",
    "next-hop-down",
    "exceeds-mtu",
    "draining",
    "heard",
    "asked",
    "answered",
    "seen",
    "sent",
    "received",
    "written",
    "learned",
    "claimed",
    "verifying",
    "stayed",
    "moved",
    "removed",
    "attack",
    "attack-over",
    "unproven",
    "contested",
    "settled",
    "address-claimed",
    "address-stayed",
    "address-moved",
    "duplicate",
    "heard-at-old-port",
    "owner-unreachable",
    "sequence-exhausted",
    "full",
    "room-again",
];

impl Core {
    /// What happened, in words.
    pub(crate) fn line(&self, what: &What) -> Line {
        match what {
            What::Written(changes) => {
                let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
                Line::new("written", format!("the switch took: {}", changes.join("; ")))
            }
            What::Event(kind) => self.line_of(kind),
        }
    }

    /// An event, in words.
    pub(crate) fn line_of(&self, kind: &AgentEventKind) -> Line {
        Line { host: subjects(kind)[0], ..self.line_about(kind) }
    }

    fn line_about(&self, kind: &AgentEventKind) -> Line {
        match kind {
            AgentEventKind::SwitchReady { program_installed, hosts_restored, entries_written } => {
                let program = if *program_installed { "program installed, " } else { "" };
                let text = format!(
                    "the switch is ready: {program}{hosts_restored} hosts found there, {entries_written} entries written"
                );
                Line::new("switch-ready", text)
            }
            AgentEventKind::SwitchLost { reason } => Line::new("switch-lost", format!("the switch is lost: {reason}")),
            AgentEventKind::PeerUp { peer } => {
                let name = self.vtep_name(*peer);
                Line::new("peer-up", format!("session with {name} up")).peer(name)
            }
            AgentEventKind::PeerDown { peer, reason } => {
                let name = self.vtep_name(*peer);
                Line::new("peer-down", format!("session with {name} down: {reason}")).peer(name)
            }
            AgentEventKind::Port { port, up: true } => Line::new("port-up", format!("port {port} has its link")),
            AgentEventKind::Port { port, up: false } => Line::new("port-down", format!("port {port} lost its link")),
            AgentEventKind::NextHop { port, address, mac: Some(mac), routes, .. } => {
                let part = match routes.as_slice() {
                    [] => "no route is by it".to_owned(),
                    routes => format!("it takes part in {}", prefixes(routes)),
                };
                let text = format!("next hop {address} at port {port} is there, at {mac}: {part}");
                Line::new("next-hop-up", text).with(&[*address])
            }
            AgentEventKind::NextHop { port, address, mac: None, why, routes, without } => {
                let why = why.as_deref().unwrap_or("it is gone");
                let mut text = format!("next hop {address} at port {port} cannot be used: {why}");
                let others: Vec<_> = routes.iter().filter(|route| !without.contains(route)).copied().collect();
                if !others.is_empty() {
                    let _ = write!(text, "; others carry all of {}", prefixes(&others));
                }
                if !without.is_empty() {
                    let _ = write!(text, "; no next hop is left to {}", prefixes(without));
                }
                Line::new("next-hop-down", text).with(&[*address])
            }
            AgentEventKind::PortsUnknown => {
                Line::new("ports-unknown", "it is not known any more which ports have links")
            }
            AgentEventKind::Draining { on: true, hosts } => {
                Line::new("draining", format!("out of use: peers are told no more of the {hosts} hosts that are here"))
            }
            AgentEventKind::Draining { on: false, hosts } => {
                Line::new("draining", format!("back in use: peers are told of the {hosts} hosts that are here"))
            }
            AgentEventKind::ExceedsMtu { place, frames, mtu } => {
                let text = format!("{frames} frames from {} do not fit the underlay's {mtu} bytes", self.words(*place));
                Line::new("exceeds-mtu", text).at(*place)
            }
            AgentEventKind::Heard { interface, evidence, addresses, .. } => {
                let word = evidence_word(*evidence);
                let mut text = format!("heard on {} by {word}", self.words(Place::Interface(*interface)));
                if !addresses.is_empty() {
                    let _ = write!(text, ", saying it has {}", list(addresses));
                }
                Line::new("heard", text).at(Place::Interface(*interface)).with(addresses).by(word)
            }
            AgentEventKind::Asked { via, targets, .. } => {
                let text = format!("asked on {} for {}", self.words(*via), list(targets));
                Line::new("asked", text).at(*via).with(targets)
            }
            AgentEventKind::Answered { from, address, .. } => {
                let text = format!("answered on {} for {address}", self.words(*from));
                Line::new("answered", text).at(*from).with(&[*address])
            }
            AgentEventKind::SeenAlive { interface, .. } => {
                let place = Place::Interface(*interface);
                Line::new("seen", format!("seen sending on {}", self.words(place))).at(place)
            }
            AgentEventKind::Sent { to, message } => {
                let name = self.vtep_name(*to);
                Line::new("sent", format!("told {name}: {}", self.message(message))).peer(name)
            }
            AgentEventKind::Received { from, message } => {
                let name = self.vtep_name(*from);
                Line::new("received", format!("{name} says: {}", self.message(message))).peer(name)
            }
            AgentEventKind::Written { changes } => {
                Line::new("written", format!("the switch took {} changes", changes.len()))
            }
            AgentEventKind::Report(report) => self.report_line(report),
        }
    }

    fn report_line(&self, report: &Report) -> Line {
        match report {
            Report::Learned { port, .. } => {
                let place = self.place(Location::Local(*port));
                Line::new("learned", format!("learned on {}: nobody had it", self.words(place))).at(place)
            }
            Report::ClaimRaised { port, recorded, .. } => {
                let (place, recorded) = (self.place(Location::Local(*port)), self.place(*recorded));
                let text = format!(
                    "claimed for {}, recorded at {}: it has to be asked",
                    self.words(place),
                    self.words(recorded)
                );
                Line::new("claimed", text).at(place).and(recorded)
            }
            Report::VerificationStarted { recorded, claimed, .. } => {
                let recorded = self.place(*recorded);
                match claimed.map(|claimed| self.place(claimed)) {
                    Some(claimed) => {
                        let text =
                            format!("is it still at {}? {} claims it", self.words(recorded), self.words(claimed));
                        Line::new("verifying", text).at(recorded).and(claimed)
                    }
                    None => Line::new("verifying", format!("is it still at {}?", self.words(recorded))).at(recorded),
                }
            }
            Report::Stayed { kept, claimed, took, .. } => {
                let (kept, claimed) = (self.place(*kept), self.place(*claimed));
                let text = format!(
                    "STAYED at {}: the claim of {} is refused after {}",
                    self.words(kept),
                    self.words(claimed),
                    time(*took)
                );
                Line::new("stayed", text).at(kept).and(claimed).took(*took)
            }
            Report::Moved { from, to, because, took, .. } => {
                let (from, to, why) = (self.place(*from), self.place(*to), because_word(*because));
                let text =
                    format!("MOVED from {} to {} after {}: {why}", self.words(from), self.words(to), time(*took));
                Line::new("moved", text).at(to).and(from).by(why).took(*took)
            }
            Report::Removed { last, .. } => {
                let last = self.place(*last);
                Line::new("removed", format!("forgotten: it does not answer at {} any more", self.words(last))).at(last)
            }
            Report::Attack { port, refusals, quarantined, .. } => {
                let place = self.place(Location::Local(*port));
                let shut = if *quarantined { "; the port is shut for it" } else { "" };
                let text = format!("ATTACK: {} goes on claiming it, refused {refusals} times{shut}", self.words(place));
                Line::new("attack", text).at(place)
            }
            Report::AttackOver { port, .. } => {
                let place = self.place(Location::Local(*port));
                Line::new("attack-over", format!("no attack after all: it has moved to {}", self.words(place)))
                    .at(place)
            }
            Report::Unproven { recorded, claimed, why, .. } => {
                let (recorded, claimed, why) = (self.place(*recorded), self.place(*claimed), unproven_word(*why));
                let text = format!(
                    "UNPROVEN: recorded at {}, claimed for {}, and {why}",
                    self.words(recorded),
                    self.words(claimed)
                );
                Line::new("unproven", text).at(recorded).and(claimed).by(why)
            }
            Report::Contested { recorded: (recorded, long), claimed: (claimed, short), .. } => {
                let (recorded, claimed) = (self.place(*recorded), self.place(*claimed));
                let text = format!(
                    "CONTESTED: it answers at {} (there for {}) and at {} (there for {} before)",
                    self.words(recorded),
                    time(*long),
                    self.words(claimed),
                    time(*short)
                );
                Line::new("contested", text).at(recorded).and(claimed)
            }
            Report::Settled { kept, .. } => {
                let kept = self.place(*kept);
                Line::new(
                    "settled",
                    format!("SETTLED at {}: the other place fell silent, or somebody decided", self.words(kept)),
                )
                .at(kept)
            }
            Report::AddressClaimed { address, holder, claimant, port, .. } => {
                let place = self.place(Location::Local(*port));
                let text = format!("{claimant} on {} says that it has {address} of {holder}", self.words(place));
                Line::new("address-claimed", text).at(place).with(&[*address])
            }
            Report::AddressKept { address, holder, claimant, port, refusals } => {
                let place = self.place(Location::Local(*port));
                let text = format!(
                    "{holder} KEEPS {address}: the claim of {claimant} on {} is refused, the {} in a row",
                    self.words(place),
                    ordinal(*refusals)
                );
                Line::new("address-stayed", text).at(place).with(&[*address])
            }
            Report::AddressMoved { address, from, to } => {
                Line::new("address-moved", format!("{address} MOVED from {from} to {to}")).with(&[*address])
            }
            Report::Duplicate { port, other, .. } => {
                let (place, other) = (self.place(Location::Local(*port)), Place::Vtep(*other));
                let text = format!("DUPLICATE: it answers on {} and at {}", self.words(place), self.words(other));
                Line::new("duplicate", text).at(place).and(other)
            }
            Report::HeardAtOldPort { port, .. } => {
                let place = self.place(Location::Local(*port));
                Line::new("heard-at-old-port", format!("heard on {}, which it had left", self.words(place))).at(place)
            }
            Report::OwnerUnreachable { owner, .. } => {
                let name = self.vtep_name(*owner);
                Line::new("owner-unreachable", format!("{name} does not reply: it is asked through the tunnel"))
                    .peer(name)
            }
            Report::SequenceExhausted { .. } => {
                Line::new("sequence-exhausted", "its sequence has reached its end: let it age out to start anew")
            }
            Report::Full { what } => Line::new("full", format!("no room {}", self.room(*what))),
            Report::RoomAgain { what } => Line::new("room-again", format!("room again {}", self.room(*what))),
        }
    }

    fn message(&self, message: &Message) -> String {
        match message {
            Message::Advertisement(it) => {
                let has = bindings(&it.bindings);
                match it.migration {
                    None => format!("it is here{has} (sequence {})", it.sequence),
                    Some(Migration::Asked { taken: true, .. }) => {
                        format!(
                            "it has been taken here{has}, without a word of yours: ask it (sequence {})",
                            it.sequence
                        )
                    }
                    Some(Migration::Asked { damped: false, .. }) => {
                        format!("it was heard here{has}: ask it (sequence {})", it.sequence)
                    }
                    Some(Migration::Asked { damped: true, .. }) => {
                        format!("it was heard here again{has}: has it fallen silent? (sequence {})", it.sequence)
                    }
                    Some(Migration::AtOnce) => format!("it may be here{has} (sequence {})", it.sequence),
                    Some(Migration::Verified { by }) => {
                        let by = self.vtep_name(by);
                        format!("it has moved here{has}, by the word of {by} (sequence {})", it.sequence)
                    }
                }
            }
            Message::Reply(it) => match it.verdict {
                Verdict::Stayed => format!("STAYED (sequence {})", it.sequence),
                Verdict::Moved { .. } => format!("MOVED: it is yours (sequence {})", it.sequence),
                Verdict::Open(Open::Overdue) => "no verdict yet: an answer is overdue".to_owned(),
                Verdict::Open(Open::Unproven) => "no verdict yet: nothing proves that it is gone".to_owned(),
                Verdict::Open(Open::Contested) => "no verdict yet: it answers here, too".to_owned(),
                Verdict::Elsewhere(vtep) => format!("it is not here: ask {}", self.vtep_name(vtep)),
            },
            Message::Standing(it) if it.answers => "it answers here".to_owned(),
            Message::Standing(_) => "it does not answer here".to_owned(),
            Message::Withdrawal(it) => match it.moved_to {
                Some(to) => format!("it has moved from here to {} (sequence {})", self.vtep_name(to), it.sequence),
                None => format!("it is not here (sequence {})", it.sequence),
            },
            Message::Sync(Sync::Start) => "my list begins".to_owned(),
            Message::Sync(Sync::Host { bindings: of, sequence, .. }) => {
                format!("it is here{} (sequence {sequence}), as listed", bindings(of))
            }
            Message::Sync(Sync::End { hosts, withheld: false }) => format!("my list ends, with {hosts} hosts"),
            Message::Sync(Sync::End { hosts, withheld: true }) => {
                format!("my list ends, with {hosts} hosts, and I have others: I am out of use")
            }
            Message::Sync(Sync::Yours { sequence, .. }) => format!("it was yours (sequence {sequence}), as listed"),
            Message::Sync(Sync::Again) => "there is room again: list your hosts".to_owned(),
            Message::Expect(it) => format!("it will move to {}, within {}", self.vtep_name(it.to), time(it.within)),
            Message::AddressClaim(it) => format!("somebody else says that it has {}: ask it", it.address),
            Message::AddressReply(it) if it.given_up => format!("{} is given up", it.address),
            Message::AddressReply(it) => format!("{} is kept", it.address),
        }
    }

    fn room(&self, what: Full) -> String {
        match what {
            Full::Hosts(port) => format!("for hosts on {}", self.words(self.place(Location::Local(port)))),
            Full::Claims(port) => format!("for claims on {}", self.words(self.place(Location::Local(port)))),
            Full::Bindings(port) => format!("for addresses on {}", self.words(self.place(Location::Local(port)))),
            Full::Vni(vni) => format!("for hosts in VNI {vni}"),
            Full::Peer(peer) => format!("for hosts of {}", self.vtep_name(peer)),
        }
    }

    /// A place in words: `port 2`, `port 2 VLAN 100`, `vtep2`.
    pub(crate) fn words(&self, place: Place) -> String {
        match place {
            Place::Interface(interface) => match interface.vlan {
                Some(vlan) => format!("port {} VLAN {vlan}", interface.port),
                None => format!("port {}", interface.port),
            },
            Place::Vtep(vtep) => self.vtep_name(vtep),
        }
    }
}

/// A time as people read it.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

fn ordinal(number: u32) -> String {
    let suffix = match (number % 10, number % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

fn bindings(bindings: &[Binding]) -> String {
    if bindings.is_empty() {
        return String::new();
    }
    let addresses: Vec<IpAddr> = bindings.iter().map(|binding| binding.address).collect();
    format!(", with {}", list(&addresses))
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}

/// The first few, and how many more.
fn prefixes(prefixes: &[IpNet]) -> String {
    const SHOWN: usize = 4;
    let mut shown: Vec<String> = prefixes.iter().take(SHOWN).map(IpNet::to_string).collect();
    if let Some(more) = prefixes.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        shown.push(format!("{more} more"));
    }
    shown.join(", ")
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

fn because_word(because: Because) -> &'static str {
    match because {
        Because::Silence => "it was going to answer, and did not",
        Because::OnlyAnswer => "it answers there, and nowhere else",
        Because::Aged => "it had not been heard for the ageing time",
        Because::Expected => "the move was announced, and an answer was overdue",
        Because::Decided => "it answered at both, and somebody decided",
        Because::PortDown => "its port lost its link",
        Because::OwnerSaid => "its owner gave it up",
        Because::Told => "the VTEPs concerned said so",
        Because::TrustedMove => "such addresses move unasked (trusted_moves)",
        Because::Policy => "nobody could be asked, and the configuration accepts that",
        Because::Unverified => "verification is switched off",
    }
}

pub(crate) fn unproven_word(why: WhyUnproven) -> &'static str {
    match why {
        WhyUnproven::NoConfirmedAddress => "it was not known to answer, so its silence proves nothing",
        WhyUnproven::NotAsked => "the questions may not have left the switch",
        WhyUnproven::AnswersLost => "its answers may have been lost on the way",
        WhyUnproven::NobodyAnswers => "it answers nowhere",
        WhyUnproven::ExpectedElsewhere => "its move elsewhere has been announced",
        WhyUnproven::PortUnknown => "it is not known at which port it was before a restart",
    }
}

impl Core {
    /// What a VTEP is called; its address, if it is none that we know.
    pub(crate) fn vtep_name(&self, vtep: VtepAddr) -> String {
        self.configured_name(vtep).map_or_else(|| vtep.to_string(), str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_read_them() {
        let told = [(300, "300.0 ms"), (1_500, "1.5 s"), (90_000, "1 min 30 s"), (7_260_000, "2 h 1 min")];
        for (millis, words) in told {
            assert_eq!(time(Duration::from_millis(millis)), words);
        }
        assert_eq!([1, 2, 3, 4, 11, 22].map(ordinal), ["1st", "2nd", "3rd", "4th", "11th", "22nd"]);
    }
}
