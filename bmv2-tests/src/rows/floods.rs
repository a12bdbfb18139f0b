//! Rows 7 and 8: floods must cost the attacker, not the others.

use std::time::{Duration, Instant};

use vouch_lab::{Announcement, HostSpec};
use vouch_net::MacAddr;

use super::cast::{self, MALLORY, PEER};
use super::{Outcome, Stage};
use crate::frames::{self, Arp};
use crate::linux::Failure;
use crate::linux::plan::{self, Access, Plan};
use crate::linux::world::probe_mac;

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
    outcome.note(format!("{} frames flooded", floods.iter().map(crate::linux::flood::Flood::sent).sum::<u64>()));
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
    outcome.note(format!("known after {:.0} ms", super::milliseconds(start.elapsed())));
    outcome.entries(wrong.into_iter().map(|(_, what)| what).collect());
    stage.keep("8", &world)?;
    Ok(outcome)
}
