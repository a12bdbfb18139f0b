//! Rows 7, 8 and 16: floods must cost the attacker, not the others.

use std::time::{Duration, Instant};

use vouch_lab::{Announcement, HostSpec};
use vouch_net::MacAddr;

use super::cast::{self, MALLORY, PEER};
use super::{Outcome, Stage, milliseconds};
use crate::frames::{self, Arp};
use crate::linux::Failure;
use crate::linux::flood::Flood;
use crate::linux::node::Part;
use crate::linux::plan::{self, Access, Plan};
use crate::linux::world::{World, probe_mac};

/// The neighbour on the trunk.
const TENANT: &str = "blue1";
/// Frames per second on the trunk: several times what is punted of one port, and within what the switch can read.
const TRUNK_RATE: u32 = 30_000;
/// A flooded port's frames per second.
const NEW_RATE: u32 = 2_000;
/// Ports that are flooded from.
const PORTS: u8 = 7;
/// The size of the tables of hosts, and a port's share of it: as in the default, seven ports fill it.
const TABLE: u64 = 1_792;
const SHARE: u64 = 256;
/// How long a new host may take until it is known.
const LEARNED: Duration = Duration::from_secs(20);
/// ARP's "reply".
const REPLY: u8 = 2;

/// Another tenant on the same port floods the probe address, so that the hosts' answers do not get through.
pub(super) async fn trunk(stage: &Stage) -> Result<Outcome, Failure> {
    let names = cast::hosts(10);
    let mut plan =
        cast::plan(10).host(TENANT, 101, Access::blue(1, 2)).free(Access::blue(2, 3)).free(Access::blue(3, 3));
    for resident in &mut plan.residents {
        if names.contains(&resident.spec.name.as_str()) {
            resident.access = Access::red(1, 2);
        }
    }
    let mut world = stage.world(plan).await?;
    let mut outcome = Outcome::default();
    let streams = cast::streams(&world, names, 50).await?;
    let tenant = world.spec(TENANT)?.clone();
    let (target, sender) = (probe_mac(1).octets(), (tenant.mac.octets(), tenant.ipv4.octets()));
    let reply = Arp { operation: REPLY, sender, target: (target, [10, 0, 0, 250]) };
    let flood = world.flood(TENANT, TRUNK_RATE, move |_| frames::arp(target, reply))?;
    flood.reaches(u64::from(TRUNK_RATE)).await;
    let start = Instant::now();
    for (second, name) in (0..).zip(names) {
        cast::at(start, second * 1_000).await;
        world.forge(MALLORY, Announcement::GratuitousReply, name)?;
    }
    cast::at(start, 11_000).await;
    outcome.note(format!("{} frames flooded", flood.sent()));
    drop(flood);
    cast::none_taken(&mut world, names, &mut outcome).await?;
    outcome.add(cast::end(&streams, &[]).await);
    outcome.nothing_lost();
    stage.keep("7", &world)?;
    Ok(outcome)
}

/// One tenant fills the tables from seven ports; somebody of another tenant is new.
pub(super) async fn addresses(stage: &Stage) -> Result<Outcome, Failure> {
    let attackers: Vec<String> = (1..=PORTS).map(|number| format!("flood{number}")).collect();
    let mut plan = Plan::default().host(PEER, 130, Access::red(3, 2)).host(MALLORY, 166, Access::red(2, 2));
    for (number, name) in (1..).zip(&attackers) {
        plan = plan.host(name, number, Access::red(1, u16::from(number) + 1));
    }
    let place = Access::blue(3, 4);
    plan = plan.free(place.clone()).free(Access::blue(1, 9)).free(Access::blue(2, 9));
    plan.further = format!("limits:\n  hosts: {TABLE}\n  hosts_per_port: {SHARE}\n");
    let mut world = stage.world(plan).await?;
    let mut outcome = Outcome::default();
    let mut floods = Vec::new();
    for (number, name) in (1..=PORTS).zip(&attackers) {
        floods.push(world.flood(name, NEW_RATE, move |frame| {
            let [.., a, b] = (frame % (4 * SHARE)).to_be_bytes();
            let sender = ([2, 0xbb, 0, number, a, b], [10, 50 + number, a, b]);
            frames::arp(frames::BROADCAST, Arp { operation: 1, sender, target: ([0; 6], sender.1) })
        })?);
    }
    for flood in &floods {
        flood.reaches(16 * SHARE).await;
    }
    outcome.note(format!("{} frames flooded", floods.iter().map(Flood::sent).sum::<u64>()));
    drop(floods);

    let late = HostSpec { mac: MacAddr([2, 0, 0, 0, 9, 9]), ..plan::spec("late", 99) };
    world.crowd("late", std::slice::from_ref(&late), place.clone());
    let wanted = [("late".to_owned(), late.mac, place)];
    let (start, mut said) = (Instant::now(), 0);
    let wrong = loop {
        // It says so once a second, as anybody would who gets no answer.
        if start.elapsed() >= Duration::from_secs(said) {
            said += 1;
            world.send("late", &Announcement::GratuitousRequest.frame(&late));
        }
        let wrong = world.wrong_of(&wanted).await?;
        if wrong.is_empty() || start.elapsed() >= LEARNED {
            break wrong;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    outcome.note(format!("known after {:.0} ms", milliseconds(start.elapsed())));
    outcome.entries(wrong.into_iter().map(|(_, what)| what).collect());
    stage.keep("8", &world)?;
    Ok(outcome)
}

/// Frames a second in a flood, of all ports together: more than the switch and a machine of two cores take in.
const FLOOD_RATE: u32 = 100_000;
/// How long each kind of frame is flooded.
const FLOOD: u64 = 3_000;
/// The access ports of a switch from which it is flooded.
const FLOODED: u8 = 7;
/// The tenant whose host moves meanwhile, from and to these.
const MOVER: &str = "blue1";
/// The most memory that an agent, and a switch, may have had in the end, in bytes. Whatever a stranger can fill has an end: 16,384
/// hosts and as many bindings of a port, its claims, its punts that wait, its packets in the switch's queues.
const AGENT_PEAK: u64 = 512 << 20;
const SWITCH_PEAK: u64 = 512 << 20;

/// What is flooded: a frame by its number and its port's. What goes to nobody in particular is sent to the flooding port itself, from
/// where it goes nowhere: to everybody it would be copied by all switches, and what that costs is another question.
struct Kind {
    what: &'static str,
    frame: fn(&[HostSpec], u64, u8) -> Vec<u8>,
}

const KINDS: [Kind; 7] = [
    Kind { what: "new addresses", frame: |_, frame, port| frames::arp(frames::BROADCAST, stranger(frame, port)) },
    Kind {
        what: "hosts of others, by ARP",
        frame: |hosts, frame, _| Announcement::GratuitousReply.frame(one_of(hosts, frame)),
    },
    Kind { what: "by RARP", frame: |hosts, frame, _| Announcement::Rarp.frame(one_of(hosts, frame)) },
    Kind {
        what: "by neighbour advertisements",
        frame: |hosts, frame, _| Announcement::UnsolicitedAdvertisement.frame(one_of(hosts, frame)),
    },
    Kind {
        what: "forged answers",
        frame: |hosts, frame, _| {
            let (victim, asker) = (one_of(hosts, frame), probe_mac(1 + (frame % 3) as u8).octets());
            let sender = (victim.mac.octets(), victim.ipv4.octets());
            frames::arp(asker, Arp { operation: REPLY, sender, target: (asker, [0; 4]) })
        },
    },
    Kind {
        what: "data from nobody",
        frame: |_, frame, port| {
            let Arp { sender: (from, _), .. } = stranger(frame, port);
            frames::data(frames::BROADCAST, from)
        },
    },
    Kind {
        what: "malformed frames",
        frame: |hosts, frame, port| {
            let mut bytes = (KINDS[(frame % 6) as usize].frame)(hosts, frame / 6, port);
            let length = bytes.len() as u64;
            // What type it has stays; what follows does not, nor its length.
            bytes.truncate(15 + (frame.wrapping_mul(31) % (length - 14)) as usize);
            bytes.iter_mut().skip(14).step_by(3).for_each(|byte| *byte ^= frame as u8);
            bytes
        },
    },
];

fn stranger(frame: u64, port: u8) -> Arp {
    let [.., a, b, c] = frame.to_be_bytes();
    let sender = ([2, 0xbb, port, a, b, c], [10, port, b, c]);
    Arp { operation: 1, sender, target: ([0; 6], sender.1) }
}

fn one_of(hosts: &[HostSpec], frame: u64) -> &HostSpec {
    &hosts[(frame % hosts.len() as u64) as usize]
}

/// From one access interface.
pub(super) async fn one_port(stage: &Stage) -> Result<Outcome, Failure> {
    flooded(stage, "16a", 1).await
}

/// From all of a switch.
pub(super) async fn all_ports(stage: &Stage) -> Result<Outcome, Failure> {
    flooded(stage, "16b", FLOODED).await
}

async fn flooded(stage: &Stage, case: &str, ports: u8) -> Result<Outcome, Failure> {
    let names = cast::hosts(6);
    let attackers: Vec<String> = (1..=ports).map(|number| format!("flood{number}")).collect();
    let mut plan = cast::plan(6);
    // Some hosts are behind the switch that is flooded.
    for resident in &mut plan.residents {
        if let "red5" | "red6" = resident.spec.name.as_str() {
            resident.access = Access::red(2, u16::from(resident.spec.ipv4.octets()[3]) + 10);
        }
    }
    for (number, name) in (1..).zip(&attackers) {
        plan = plan.host(name, 200 + number, Access::red(2, 30 + u16::from(number)));
    }
    let (here, there) = (Access::blue(2, 9), Access::blue(3, 9));
    plan = plan.host(MOVER, 101, here.clone()).free(there.clone()).free(Access::blue(1, 9));
    let mut world = stage.world(plan).await?;
    let hosts: Vec<HostSpec> = names.iter().map(|name| world.spec(name).cloned()).collect::<Result<_, _>>()?;
    let streams = cast::streams(&world, names, stage.rate(names.len()).min(50)).await?;
    let mut outcome = Outcome::default();

    let mut quiet = Duration::ZERO;
    for place in [&there, &here] {
        quiet = quiet.max(moves(&mut world, place).await?.ok_or("a host does not move when all is quiet")?);
    }
    outcome.note(format!("quiet: moved within {:.0} ms", milliseconds(quiet)));
    for (number, kind) in KINDS.iter().enumerate() {
        let before = (world.node("vtep2")?.usage(Part::Agent)?, world.node("vtep2")?.usage(Part::Switch)?);
        let start = Instant::now();
        let mut floods = Vec::new();
        let rate = stage.program().pace().map_or(FLOOD_RATE, |pace| pace.flood);
        for (port, name) in (1..).zip(&attackers) {
            let (hosts, frame, own) = (hosts.clone(), kind.frame, world.spec(name)?.mac.octets());
            floods.push(world.flood(name, rate / u32::from(ports), move |it| {
                let mut bytes = frame(&hosts, it, port);
                if bytes[0] & 1 == 1 {
                    bytes[..6].copy_from_slice(&own);
                }
                bytes
            })?);
        }
        cast::at(start, FLOOD / 3).await;
        let took = moves(&mut world, if number % 2 == 0 { &there } else { &here }).await?;
        cast::at(start, FLOOD).await;
        let (sent, elapsed) = (floods.iter().map(Flood::sent).sum::<u64>(), start.elapsed().as_secs_f64());
        drop(floods);
        let after = (world.node("vtep2")?.usage(Part::Agent)?, world.node("vtep2")?.usage(Part::Switch)?);
        outcome.note(format!(
            "{}: {:.0} frames/s, moved within {}, agent {:.0} %, switch {:.0} %",
            kind.what,
            sent as f64 / elapsed,
            took.map_or("an age".to_owned(), |took| format!("{:.0} ms", milliseconds(took))),
            (after.0.time - before.0.time).as_secs_f64() / elapsed * 1e2,
            (after.1.time - before.1.time).as_secs_f64() / elapsed * 1e2,
        ));
        let limit = if stage.extent.timed { 2 * quiet } else { MOVED };
        outcome.expect(
            took.is_some_and(|took| took <= limit),
            format!("{}: another tenant's move takes more than {:.0} ms", kind.what, milliseconds(limit)),
        );
        cast::none_taken(&mut world, names, &mut outcome).await?;
    }
    for (part, most) in [(Part::Agent, AGENT_PEAK), (Part::Switch, SWITCH_PEAK)] {
        let peak = world.node("vtep2")?.usage(part)?.peak;
        outcome.note(format!("{part:?}: at most {} MB", peak >> 20));
        outcome.expect(peak <= most, format!("{part:?}: {} MB, more than {} MB", peak >> 20, most >> 20));
    }
    outcome.add(cast::end(&streams, &[]).await);
    outcome.nothing_lost();
    stage.keep(case, &world)?;
    Ok(outcome)
}

/// How long a host may take to move at all.
const MOVED: Duration = Duration::from_secs(20);

/// Have the other tenant's host move there; how long it takes until every VTEP knows.
async fn moves(world: &mut World, place: &Access) -> Result<Option<Duration>, Failure> {
    world.plug(MOVER, Some(place.clone()));
    let start = Instant::now();
    world.announce(MOVER, Announcement::GratuitousRequest)?;
    Ok(world.until_right(&[MOVER], MOVED).await?.is_empty().then(|| start.elapsed()))
}
