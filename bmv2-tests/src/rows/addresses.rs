//! Rows 3, 4 and 12: what becomes of addresses.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use vouch_lab::{Announcement, HostSpec};

use super::cast::{self, MALLORY, PEER, RATE};
use super::{Outcome, Stage};
use crate::frames::{self, Arp};
use crate::linux::Failure;
use crate::linux::floor::arrives;
use crate::linux::plan::{self, Access, Plan, Probe};
use crate::linux::world::World;

const GATEWAY: &str = "gateway";
/// ARP's "reply".
const REPLY: u8 = 2;
/// How long whoever was claimed is watched.
const WATCH: u64 = 4;
/// How long the last forged frames may be asked about.
const CALM: Duration = Duration::from_secs(5);

/// Probes that come from the gateway must not take it away.
pub(super) async fn gateway(stage: &Stage) -> Result<Outcome, Failure> {
    let gateway = plan::spec(GATEWAY, 254);
    let probe = Probe::Gateway { ip: gateway.ipv4, mac: gateway.mac };
    let plan = Plan { probe, ..cast::plan(1) }.host(GATEWAY, 254, Access::red(3, 3));
    let mut world = stage.world(plan).await?;
    let mut outcome = Outcome::default();
    world.acquaint("red1", GATEWAY).await?;
    let stream = world.stream("red1", GATEWAY, RATE)?;
    let start = Instant::now();
    for second in 1..=8 {
        cast::at(start, second * 1_000).await;
        world.forge(MALLORY, Announcement::GratuitousReply, "red1")?;
    }
    stream.sends(2 * u64::from(RATE)).await;
    outcome.add(stream.finish().await);
    outcome.nothing_lost();
    outcome.nothing_strayed();
    let known = world.host("red1")?.neighbour(gateway.ipv4)?;
    let right = known.as_deref() == Some(gateway.mac.to_string().as_str());
    outcome.expect(right, format!("red1 has the gateway at {known:?}"));
    outcome.entries(world.until_right(&["red1", GATEWAY], CALM).await?);
    stage.keep("3", &world)?;
    Ok(outcome)
}

/// The second address of a host.
fn second(world: &World, name: &str) -> Result<IpAddr, Failure> {
    let [a, b, _, d] = world.spec(name)?.ipv4.octets();
    Ok([a, b, 1, d].into())
}

/// Another address instead; claimed by RARP.
pub(super) async fn changed(stage: &Stage) -> Result<Outcome, Failure> {
    readdressed(stage, "4a", 4, false, Announcement::Rarp).await
}

/// One of two addresses less; claimed by RARP.
pub(super) async fn removed(stage: &Stage) -> Result<Outcome, Failure> {
    readdressed(stage, "4b", 2, true, Announcement::Rarp).await
}

/// Another address instead; claimed with the old one.
pub(super) async fn outdated(stage: &Stage) -> Result<Outcome, Failure> {
    readdressed(stage, "4c", 4, false, Announcement::GratuitousReply).await
}

async fn readdressed(
    stage: &Stage,
    case: &str,
    count: u8,
    had_both: bool,
    forgery: Announcement,
) -> Result<Outcome, Failure> {
    let names = cast::hosts(count.into());
    let mut world = stage.world(cast::plan(count)).await?;
    let mut outcome = Outcome::default();
    let mut streams = Vec::new();
    for name in names {
        let (old, new) = (world.spec(name)?.ipv4, second(&world, name)?);
        let host = world.host(name)?;
        // Otherwise the kernel takes all others of the network away with the first.
        host.set("ipv4/conf/all/promote_secondaries", "1")?;
        world.acquaint(PEER, name).await?;
        let (add, delete) = (format!("address add {new}/16 dev eth0"), format!("address delete {old}/16 dev eth0"));
        if had_both {
            host.ip(&[&add])?;
            arrives(&world.stream_to(PEER, name, new, 100)?).await?;
            host.ip(&[&delete])?;
        } else {
            host.ip(&[&delete, &add])?;
        }
        let stream = world.stream_to(PEER, name, new, RATE)?;
        arrives(&stream).await?;
        // It says something from its new address, and is quiet from then on.
        arrives(&world.stream(name, PEER, 100)?).await?;
        streams.push(stream);
    }
    cast::flow(&streams, u64::from(RATE)).await;
    let claimed = Instant::now();
    for name in names {
        world.forge(MALLORY, forgery, name)?;
    }
    cast::flow(&streams, WATCH * u64::from(RATE)).await;
    cast::none_taken(&mut world, names, &mut outcome).await?;
    // Before that, a stream's first packets wait for a neighbour.
    let before = claimed - Duration::from_secs(60);
    outcome.add(cast::end(&streams, &[(before, claimed)]).await);
    outcome.nothing_lost();
    stage.keep(case, &world)?;
    Ok(outcome)
}

/// Hosts that have nothing but IPv6; claimed by RARP and by neighbour advertisement.
pub(super) async fn ipv6_only(stage: &Stage) -> Result<Outcome, Failure> {
    let names = cast::hosts(4);
    let mut world = stage.world(cast::plan(4).with_ipv6()).await?;
    let mut outcome = Outcome::default();
    let mut streams = Vec::new();
    for name in names {
        let spec = world.spec(name)?.clone();
        world.host(name)?.ip(&[&format!("address delete {}/16 dev eth0", spec.ipv4)])?;
        let stream = world.stream_to(PEER, name, spec.ipv6.into(), RATE)?;
        arrives(&stream).await?;
        let peer = world.spec(PEER)?.ipv6.into();
        arrives(&world.stream_to(name, PEER, peer, 100)?).await?;
        streams.push(stream);
    }
    cast::flow(&streams, u64::from(RATE)).await;
    let claimed = Instant::now();
    for (name, forgery) in names.iter().zip([Announcement::Rarp, Announcement::UnsolicitedAdvertisement].iter().cycle())
    {
        world.forge(MALLORY, *forgery, name)?;
    }
    cast::flow(&streams, WATCH * u64::from(RATE)).await;
    cast::none_taken(&mut world, names, &mut outcome).await?;
    outcome.add(cast::end(&streams, &[(claimed - Duration::from_secs(60), claimed)]).await);
    outcome.nothing_lost();
    stage.keep("4d", &world)?;
    Ok(outcome)
}

/// The same with neighbour advertisements.
pub(super) async fn poisoned_ipv6(stage: &Stage) -> Result<Outcome, Failure> {
    let mut world = stage.world(cast::plan(1).with_ipv6()).await?;
    let mut outcome = Outcome::default();
    let (victim, peer) = (world.spec("red1")?.clone(), world.spec(PEER)?.ipv6.into());
    let stream = world.stream_to(PEER, "red1", victim.ipv6.into(), RATE)?;
    arrives(&stream).await?;
    arrives(&world.stream_to("red1", PEER, peer, 100)?).await?;
    let poison = Announcement::UnsolicitedAdvertisement.frame(&HostSpec { mac: world.spec(MALLORY)?.mac, ..victim });
    let before = Instant::now();
    for round in 0..20 {
        cast::at(before, round * 500).await;
        world.send(MALLORY, &poison);
    }
    outcome.add(cast::end(&[stream], &[(before - Duration::from_secs(60), before)]).await);
    outcome.nothing_lost();
    outcome.nothing_strayed();
    outcome.entries(world.until_right(&["red1", PEER, MALLORY], CALM).await?);
    stage.keep("12b", &world)?;
    Ok(outcome)
}

/// An attacker that says that a host's address is at its own MAC address, to everybody and to the peer.
pub(super) async fn poisoned(stage: &Stage) -> Result<Outcome, Failure> {
    let mut world = stage.world(cast::plan(2)).await?;
    let mut outcome = Outcome::default();
    // Also one behind the same switch as the victim.
    world.acquaint("red2", "red1").await?;
    world.acquaint(PEER, "red1").await?;
    let streams = [world.stream(PEER, "red1", RATE)?, world.stream("red2", "red1", RATE)?];
    let (attacker, victim) = (world.spec(MALLORY)?.mac.octets(), world.spec("red1")?.ipv4.octets());
    let start = Instant::now();
    for round in 0..20 {
        cast::at(start, round * 500).await;
        for listener in [PEER, "red2"] {
            let (mac, ip) = (world.spec(listener)?.mac.octets(), world.spec(listener)?.ipv4.octets());
            let reply = |target| Arp { operation: REPLY, sender: (attacker, victim), target };
            world.send(MALLORY, &frames::arp(mac, reply((mac, ip))));
            world.send(MALLORY, &frames::arp(frames::BROADCAST, reply((frames::BROADCAST, victim))));
        }
    }
    cast::flow(&streams, u64::from(RATE)).await;
    outcome.add(cast::end(&streams, &[]).await);
    outcome.nothing_lost();
    outcome.nothing_strayed();
    outcome.entries(world.until_right(&["red1", "red2", PEER, MALLORY], CALM).await?);
    stage.keep("12a", &world)?;
    Ok(outcome)
}
