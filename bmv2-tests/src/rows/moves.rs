//! Rows 9 to 11: honest moves.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use vouch_lab::{Announcement, HostSpec};

use super::cast::{self, MALLORY, PEER, RATE};
use super::{Outcome, Stage, milliseconds};
use crate::linux::Failure;
use crate::linux::plan::{self, Access, Plan};
use crate::linux::traffic::Figures;
use crate::linux::world::World;

/// How long a move may take until every VTEP knows.
const KNOWN: Duration = Duration::from_secs(12);
/// What a move with an empty cache may lose more than one with a full one: the time of a few packets.
const MORE: u64 = 10;
/// How many hosts of a crowd are looked at, and how often, and then how many more, until all are worth being looked at.
const FEW: usize = 32;
const SOME: usize = 256;
const LOOK: Duration = Duration::from_millis(20);
/// How long a server's worth of hosts may take.
const CROWD: Duration = Duration::from_secs(60);

/// One move, one announcement; five hosts, one after the other.
pub(super) async fn honest(stage: &Stage) -> Result<Outcome, Failure> {
    let names = cast::hosts(5);
    let mut world = stage.world(cast::plan(5).free(Access::red(2, 3))).await?;
    let mut outcome = Outcome::default();
    let rate = stage.rate(names.len());
    let streams = cast::streams(&world, names, rate).await?;
    let mut interruptions = Vec::new();
    for (name, stream) in names.iter().zip(&streams) {
        let gone = Instant::now();
        world.plug(name, Some(Access::red(2, 3)));
        world.announce(name, Announcement::GratuitousRequest)?;
        let arrived = Instant::now();
        outcome.entries(world.until_right(&[name], KNOWN).await?);
        stream.sends(u64::from(rate) / 2).await;
        stream.stop().await;
        let figures = stream.ledger.figures(&[(gone, arrived)]);
        interruptions.push(figures.interruption);
        outcome.add(figures);
    }
    outcome.brief(stage.extent.timed, interruptions);
    stage.keep("0", &world)?;
    Ok(outcome)
}

/// To a port from which they were forged until the claims were damped.
pub(super) async fn forged_before(stage: &Stage) -> Result<Outcome, Failure> {
    let names = cast::hosts(3);
    let place = Access::red(2, 2);
    let mut world = stage.world(cast::plan(3)).await?;
    let mut outcome = Outcome::default();
    let streams = cast::streams(&world, names, RATE).await?;
    let start = Instant::now();
    for round in 0..12 {
        cast::at(start, round * 250).await;
        for name in names {
            world.forge(MALLORY, Announcement::GratuitousReply, name)?;
        }
    }
    cast::at(start, 3_000).await;
    let gone = Instant::now();
    for name in names {
        world.plug(name, Some(place.clone()));
        world.announce(name, Announcement::GratuitousRequest)?;
    }
    let wrong = world.until_right(names, KNOWN).await?;
    outcome.note(format!("known after {:.0} ms", milliseconds(gone.elapsed())));
    outcome.entries(wrong);
    let known = Instant::now();
    cast::flow(&streams, u64::from(RATE)).await;
    // How long a move from there may take is what the damping is; it has to end.
    let figures = cast::end(&streams, &[(gone, known)]).await;
    outcome.add(figures);
    outcome.nothing_lost();
    stage.keep("9", &world)?;
    Ok(outcome)
}

/// As a restart elsewhere: the host's kernel knows no neighbours, and asks for them.
pub(super) async fn empty_cache(stage: &Stage) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    let full = restarted(stage, &mut outcome, false).await?;
    let empty = restarted(stage, &mut outcome, true).await?;
    for (cache, it) in [("a full", full), ("an empty", empty)] {
        let interruption = milliseconds(it.interruption);
        outcome.note(format!("{} lost with {cache} cache, interrupted for {interruption:.0} ms", it.lost));
    }
    outcome.add(full);
    outcome.add(empty);
    let more = empty.lost.saturating_sub(full.lost);
    outcome.expect(more <= MORE, format!("the empty cache costs {more} packets"));
    Ok(outcome)
}

async fn restarted(stage: &Stage, outcome: &mut Outcome, empty: bool) -> Result<Figures, Failure> {
    let mut world = stage.world(cast::plan(1).free(Access::red(2, 3))).await?;
    world.acquaint(PEER, "red1").await?;
    let streams = [world.stream(PEER, "red1", RATE)?, world.stream("red1", PEER, RATE)?];
    cast::flow(&streams, u64::from(RATE)).await;
    let gone = Instant::now();
    world.plug("red1", None);
    if empty {
        world.host("red1")?.ip(&["neighbour flush all"])?;
    }
    world.plug("red1", Some(Access::red(2, 3)));
    let arrived = Instant::now();
    outcome.entries(world.until_right(&["red1"], KNOWN).await?);
    cast::flow(&streams, 2 * u64::from(RATE)).await;
    let figures = cast::end(&streams, &[(gone, arrived)]).await;
    stage.keep(if empty { "10-empty" } else { "10-full" }, &world)?;
    Ok(figures)
}

/// A server's worth of hosts.
pub(super) async fn crowd(stage: &Stage) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    let most = stage.program().pace().map_or(u32::MAX, |pace| pace.hosts);
    for count in stage.extent.crowds {
        if *count > most {
            outcome.note(format!("{count} not played: more than {} takes in", stage.program().name()));
            continue;
        }
        crowd_of(stage, *count, &mut outcome).await?;
    }
    Ok(outcome)
}

async fn crowd_of(stage: &Stage, count: u32, outcome: &mut Outcome) -> Result<(), Failure> {
    let (from, to) = (Access::red(1, 3), Access::red(2, 3));
    let plan = Plan::default().host(PEER, 130, Access::red(3, 2)).host(MALLORY, 166, Access::red(2, 2));
    let mut world = stage.world(plan.host("red1", 1, Access::red(1, 2)).free(from.clone()).free(to.clone())).await?;
    let members: Vec<HostSpec> = (0..count).map(plan::member).collect();
    // Of those who announce themselves before they move, and after.
    let pace = stage.program().pace().map(|pace| (pace.announcements, pace.pause));
    let wanted = |access: &Access| -> Vec<_> {
        members.iter().map(|member| (member.name.clone(), member.mac, access.clone())).collect()
    };
    world.crowd("server", &members, from.clone());
    // Whoever is not known says so again.
    let (start, before) = (Instant::now(), wanted(&from));
    let mut missing: BTreeSet<String> = members.iter().map(|member| member.name.clone()).collect();
    while !missing.is_empty() && start.elapsed() < CROWD {
        let unknown: Vec<&HostSpec> = members.iter().filter(|member| missing.contains(&member.name)).collect();
        let (at_once, pause) = pace.unwrap_or((200, Duration::from_millis(50)));
        announce(&world, &unknown, at_once, pause).await;
        missing = world.wrong_of(&before).await?.into_iter().map(|(name, _)| name).collect();
    }
    if !missing.is_empty() {
        return Err(format!("{} of {count} hosts were not learned before they moved", missing.len()).into());
    }
    // A host that announces itself and leaves the first question after that unanswered is one that does not answer; these have
    // been there for longer.
    while world.answered("server") < members.len() {
        if start.elapsed() >= CROWD {
            let asked = world.answered("server");
            return Err(
                format!("only {asked} of {count} hosts were asked whether they are there, before they moved").into()
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    world.plug("server", Some(to.clone()));
    let start = Instant::now();
    let (at_once, pause) = pace.unwrap_or((members.len(), Duration::ZERO));
    announce(&world, &members.iter().collect::<Vec<_>>(), at_once, pause).await;
    let sent = start.elapsed();
    let after = wanted(&to);
    // To read tables takes time that the switches have other uses for: at first those of the VTEP that hears of moves last are
    // asked for a few hosts, among them those that were last found behind; then all, for some more; then for everybody.
    let (mut few, some) = (sample(&after, FEW), sample(&after, SOME));
    let (wrong, took) = loop {
        let in_time = start.elapsed() < CROWD;
        if in_time && !world.wrong_at("vtep3", &few).await?.is_empty() {
            tokio::time::sleep(LOOK).await;
            continue;
        }
        let mut wrong = world.wrong_of(&some).await?;
        let took = start.elapsed();
        if wrong.is_empty() || !in_time {
            wrong = world.wrong_of(&after).await?;
        }
        if wrong.is_empty() || !in_time {
            break (wrong, took);
        }
        let behind: BTreeSet<&str> = wrong.iter().map(|(name, _)| name.as_str()).collect();
        let behind: Vec<_> = after.iter().filter(|(name, ..)| behind.contains(name.as_str())).cloned().collect();
        few = sample(&behind, FEW);
    };

    let mut behind: Vec<&str> = wrong.iter().map(|(name, _)| name.as_str()).collect();
    behind.sort_unstable();
    behind.dedup();
    outcome.note(format!(
        "{} of {count} moved within {:.2} s, announced within {:.0} ms",
        members.len() - behind.len(),
        took.as_secs_f64(),
        milliseconds(sent)
    ));
    outcome.expect(behind.is_empty(), format!("{} of {count} stay behind", behind.len()));
    outcome.wrong += wrong.len();
    stage.keep(&format!("11-{count}"), &world)?;
    Ok(())
}

/// So many of them, or a few less, from the first to the last.
fn sample<T: Clone>(of: &[T], count: usize) -> Vec<T> {
    let step = of.len().div_ceil(count).max(1);
    of.iter().rev().step_by(step).cloned().collect()
}

/// Each announces itself once, so many at a time.
async fn announce(world: &World, members: &[&HostSpec], at_once: usize, pause: Duration) {
    for chunk in members.chunks(at_once) {
        for member in chunk {
            world.send("server", &Announcement::GratuitousRequest.frame(member));
        }
        tokio::time::sleep(pause).await;
    }
}
