//! What must hold in the end, and what must have held all the time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vouch_agent::AgentStatus;
use vouch_mobility::Phase;
use vouch_p4runtime::p4::v1::ReadRequest;
use vouch_p4runtime::p4::v1::p4_runtime_client::P4RuntimeClient;
use vouch_switch_server::ServerHandle;
use vouch_tables::{
    BindingIpv4Action, DestinationAction, EntryAction, EntryKey, IngressInterfaceAction, LocationId, PuntMeter,
    RecordedLocationAction, Tables, UnderlayPeerAction,
};

use crate::hosts::{Answers, Host, Seat, Sent};
use crate::outages::Outages;
use crate::script::Script;
use crate::world::{END, MUTE, NAMES, World, vtep_address};

type Entries = BTreeMap<EntryKey, EntryAction>;

/// What is wrong with the places of hosts, by the switches' own tables.
pub(crate) async fn places(world: &World) -> Vec<String> {
    let mut problems = Vec::new();
    for (site, _, switch) in world.sites() {
        match entries(&world.tables, switch, Vec::new()).await {
            Ok(entries) => problems.extend(misplaced(site, &entries, &world.hosts.all())),
            Err(error) => problems.push(format!("switch {} cannot be read: {error}", site + 1)),
        }
    }
    problems
}

/// What is not as it is to be when everything has been repaired.
pub(crate) async fn settled(world: &World) -> Vec<String> {
    let mut problems = Vec::new();
    for (site, agent, switch) in world.sites() {
        let number = site + 1;
        let (Some(status), Some(wanted)) = (agent.status().await, agent.wanted().await) else {
            problems.push(format!("agent {number} does not answer, or has never known its switch"));
            continue;
        };
        let budgets = wanted.keys().filter_map(|key| match key {
            EntryKey::PuntMeter(cell) => Some(*cell),
            _ => None,
        });
        let actual = match entries(&world.tables, switch, budgets.collect()).await {
            Ok(actual) => actual,
            Err(error) => {
                problems.push(format!("switch {number} cannot be read: {error}"));
                continue;
            }
        };
        problems.extend(differences(site, &wanted, &actual));
        let hosts = world.hosts.all();
        problems.extend(pending(site, &status, &hosts));
        problems.extend(misplaced(site, &actual, &hosts));
        problems.extend(misbound(site, &actual, &hosts));
    }
    problems
}

/// What a switch has, with these budgets, asked without a connection.
async fn entries(tables: &Tables, switch: &ServerHandle, budgets: Vec<PuntMeter>) -> Result<Entries, String> {
    let mut client = P4RuntimeClient::new(switch.routes()).max_decoding_message_size(64 << 20);
    let entities = tables.read_tables().into_iter().chain(tables.read_meters(budgets)).collect();
    let request = ReadRequest { device_id: switch.device_id(), entities, ..ReadRequest::default() };
    let mut answer = client.read(request).await.map_err(|status| status.message().to_owned())?.into_inner();
    let mut entries = Entries::new();
    while let Some(part) = answer.message().await.map_err(|status| status.message().to_owned())? {
        for entity in part.entities {
            match tables.decode(&entity) {
                Ok(Some((key, action))) => drop(entries.insert(key, action)),
                Ok(None) => {}
                Err(error) => return Err(format!("an entry that means nothing: {error}")),
            }
        }
    }
    Ok(entries)
}

fn differences(site: usize, wanted: &Entries, actual: &Entries) -> Vec<String> {
    let keys = wanted.keys().chain(actual.keys().filter(|key| !wanted.contains_key(key)));
    let wrong = keys.filter_map(|key| {
        let (wanted, actual) = (wanted.get(key), actual.get(key));
        let differs = wanted != actual;
        differs.then(|| format!("switch {} has {actual:?} for {key:?}, wanted is {wanted:?}", site + 1))
    });
    wrong.collect()
}

fn pending(site: usize, status: &AgentStatus, hosts: &[Host]) -> Vec<String> {
    let mut problems = Vec::new();
    let number = site + 1;
    if !status.ready {
        problems.push(format!("agent {number} is not ready"));
    }
    if status.driver.frames_held > 0 {
        problems.push(format!("agent {number} still holds {} frames", status.driver.frames_held));
    }
    for host in hosts {
        let found = status.hosts.iter().find(|found| found.host.mac == host.mac);
        let Some(found) = found.filter(|found| found.phase != Phase::Settled) else { continue };
        problems.push(format!("agent {number} is not done with {}: {:?}", host.name, found.phase));
    }
    problems
}

/// The places that a switch's own tables give to its location numbers.
fn locations(entries: &Entries) -> BTreeMap<LocationId, Place> {
    let place = |(key, action): (&EntryKey, &EntryAction)| match (key, action) {
        (
            EntryKey::IngressInterface(key),
            EntryAction::IngressInterface(IngressInterfaceAction::Access { location, .. }),
        ) => Some((*location, Place::Port(key.ingress_port.get()))),
        (EntryKey::UnderlayPeer(key), EntryAction::UnderlayPeer(UnderlayPeerAction::FromTunnel { location })) => {
            Some((*location, Place::Tunnel(key.src.into())))
        }
        _ => None,
    };
    entries.iter().filter_map(place).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Port(u16),
    Tunnel(IpAddr),
}

/// Where a switch is to have what sits there.
fn place_of(site: usize, at: Seat) -> Place {
    if at.site == site { Place::Port(at.port) } else { Place::Tunnel(vtep_address(at.site).into()) }
}

fn misplaced(site: usize, entries: &Entries, hosts: &[Host]) -> Vec<String> {
    let locations = locations(entries);
    let mut problems = Vec::new();
    for host in hosts {
        let right = place_of(site, host.at);
        let mut seen = (None, None);
        for (key, action) in entries {
            match (key, action) {
                (EntryKey::RecordedLocation(key), EntryAction::RecordedLocation(action)) if key.mac == host.mac => {
                    let RecordedLocationAction::Recorded { location, .. } = action;
                    seen.0 = Some(locations.get(location).copied());
                }
                (EntryKey::Destination(key), EntryAction::Destination(action)) if key.mac == host.mac => {
                    seen.1 = Some(match action {
                        DestinationAction::Unicast { location } | DestinationAction::UnicastHairpin { location } => {
                            locations.get(location).copied()
                        }
                        DestinationAction::Both { .. }
                        | DestinationAction::Claimed { .. }
                        | DestinationAction::ProbeReply => None,
                    });
                }
                _ => {}
            }
        }
        if seen != (Some(Some(right)), Some(Some(right))) {
            problems.push(format!("switch {} has {} at {seen:?}, it is at {right:?}", site + 1, host.name));
        }
    }
    problems
}

/// Addresses of hosts that answer for them and are bound to others.
fn misbound(site: usize, entries: &Entries, hosts: &[Host]) -> Vec<String> {
    let mut problems = Vec::new();
    for host in hosts {
        let address = match host.answers {
            Answers::Never => continue,
            Answers::After(_) | Answers::First => host.addresses[0],
        };
        for (key, action) in entries {
            if let (EntryKey::BindingIpv4(key), EntryAction::BindingIpv4(BindingIpv4Action::Bound { mac, .. })) =
                (key, action)
                && key.ip == address
                && *mac != host.mac
            {
                problems.push(format!("switch {} has {address} of {} bound to {mac}", site + 1, host.name));
            }
        }
    }
    problems
}

/// How long what was told of a host may be out of date: twice as long as a claim may take that its owner does not reply to, and a second for the rest.
const RECOVERY: Duration = Duration::from_millis(7_600);

/// How long it may take until a host that was learned elsewhere has been asked where it is, and everybody been told, where nothing is in the way.
const PROMPT: Duration = Duration::from_secs(1);

/// Why a frame that was lost may have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Excuse {
    /// A switch that it had to go through was down, or empty.
    SwitchOut,
    /// The host was claimed elsewhere, and believed there at once; whoever claimed it was to pass its traffic on, and its switch was out.
    ToldAtOnce,
    /// The host was claimed elsewhere while its owner could not be asked, and that is to be accepted.
    Policy,
    /// It was claimed when its VTEP had forgotten everything, and was to be found again; or where it was sent from, and that VTEP had.
    Forgotten,
    /// It was claimed, while its VTEP was out, where everything had been forgotten as well.
    BothForgotten,
    /// It answers nothing, and its VTEP has forgotten everything: nothing tells it from who claims it, until one of them has aged.
    ForgottenMute,
    /// It answers nothing, was claimed while its owner could not be asked, and that is to be accepted.
    PolicyMute,
    /// Its VTEP was out of use, so that others learned it where somebody else was heard, until it had answered.
    Drained,
    /// The same, and it answers nothing.
    DrainedMute,
    /// Its VTEP was out of use, so that others had forgotten it, and then forgot everything as well, when somebody else was heard.
    DrainedForgotten,
}

impl Excuse {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::SwitchOut => "a switch was out",
            Self::ToldAtOnce => "a claim was believed at once, and the claimant's switch was out",
            Self::Policy => "a claim was accepted from an owner that could not be asked",
            Self::Forgotten => "a VTEP had forgotten everything, and heard somebody else first",
            Self::BothForgotten => "its VTEP was out, and the claimant's had forgotten everything",
            Self::ForgottenMute => "its VTEP had forgotten a mute host",
            Self::PolicyMute => "a claim of a mute host was accepted",
            Self::Drained => "somebody else was heard while its VTEP was out of use",
            Self::DrainedMute => "somebody else was heard while the VTEP of a mute host was out of use",
            Self::DrainedForgotten => {
                "somebody else was heard when its VTEP had been out of use, and had forgotten everything"
            }
        }
    }
}

/// Why it may have been lost, if it may.
fn excuse(frame: &Sent, outages: &Outages, script: &Script) -> Option<Excuse> {
    let (from, home) = (frame.from, frame.place.site);
    if outages.cover(from, frame.when) || outages.cover(home, frame.when) {
        return Some(Excuse::SwitchOut);
    }
    let claims: Vec<(Duration, usize)> = script.claims(frame.to).filter(|(when, _)| *when <= frame.when).collect();
    let elsewhere = || claims.iter().map(|(_, site)| *site).filter(|site| *site != home);
    let variant = script.variant();
    if variant.believes_at_once() && elsewhere().any(|site| site != from && outages.within(site, RECOVERY, frame.when))
    {
        return Some(Excuse::ToldAtOnce);
    }
    let cut_off = |site| script.faults_at(home, frame.when) || script.faults_at(site, frame.when);
    let unasked = variant.gives_away_what_nobody_can_ask() && elsewhere().any(cut_off);
    if unasked && frame.to == MUTE {
        return Some(Excuse::PolicyMute);
    }
    if unasked && outages.within(home, RECOVERY, frame.when) {
        return Some(Excuse::Policy);
    }
    let has_just_forgotten =
        |site| outages.has_forgotten(site, frame.when) && outages.within(site, RECOVERY, frame.when);
    if !claims.is_empty() && frame.to == MUTE && outages.has_forgotten(home, frame.when) {
        return Some(Excuse::ForgottenMute);
    }
    let unknown_there =
        |(when, site): &(Duration, usize)| outages.cover(home, *when) && outages.has_forgotten(*site, *when);
    if claims.iter().filter(|(_, site)| *site != home).any(unknown_there) && outages.has_forgotten(home, frame.when) {
        return Some(Excuse::BothForgotten);
    }
    let learned_elsewhere = |(when, site): &(Duration, usize)| {
        let prompt = !cut_off(*site);
        let told = if prompt { PROMPT } else { END };
        *site != home && outages.was_drained(home, told, *when) && (!prompt || frame.when <= *when + PROMPT)
    };
    if from != home && frame.to != MUTE && claims.iter().any(learned_elsewhere) {
        return Some(Excuse::Drained);
    }
    let drained = outages.was_drained(home, END, frame.when) && elsewhere().next().is_some();
    if drained && frame.to == MUTE {
        return Some(Excuse::DrainedMute);
    }
    let unknown_everywhere = |(when, site): &(Duration, usize)| *site != home && outages.has_forgotten(home, *when);
    if drained && claims.iter().any(unknown_everywhere) {
        return Some(Excuse::DrainedForgotten);
    }
    let heard_first = claims.iter().any(|(_, site)| *site == from) && has_just_forgotten(from);
    let sought = !claims.is_empty() && has_just_forgotten(home);
    (heard_first || sought).then_some(Excuse::Forgotten)
}

/// Whether all that was sent to hosts that stay has arrived, but for what may have been lost, which is counted.
pub(crate) fn traffic(
    sent: &[Sent],
    outages: &Outages,
    script: &Script,
) -> (Result<(), String>, BTreeMap<Excuse, u64>) {
    let (mut problems, mut excused) = (Vec::new(), BTreeMap::new());
    for frame in sent.iter().filter(|frame| frame.arrived == 0) {
        if let Some(excuse) = excuse(frame, outages, script) {
            *excused.entry(excuse).or_default() += 1;
            continue;
        }
        let elsewhere = if frame.elsewhere.is_empty() {
            String::new()
        } else {
            let places: Vec<_> = frame.elsewhere.iter().map(ToString::to_string).collect();
            format!(", and was delivered at {}", places.join(" and "))
        };
        problems.push(format!(
            "at {:.3} s a frame from VTEP {} to {} was lost{elsewhere}",
            frame.when.as_secs_f64(),
            frame.from + 1,
            NAMES[frame.to],
        ));
    }
    let more = problems.len().saturating_sub(5);
    problems.truncate(5);
    if more > 0 {
        problems.push(format!("and {more} more"));
    }
    (if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }, excused)
}
