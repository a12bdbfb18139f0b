//! Row 13: what fails while hosts are forged and move.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use vouch_lab::Announcement;

use super::cast::{self, MALLORY, RATE};
use super::{Outcome, Stage, milliseconds};
use crate::linux::Failure;
use crate::linux::cable::Carries;
use crate::linux::node::Part;
use crate::linux::plan::{Access, SPINE};
use crate::linux::world::World;

/// How long the fabric has after the disturbance until no table may be wrong.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a disturbance takes that does not end by itself.
const AWAY: u64 = 6_000;
/// How long a spine's switch may take until it forwards, once its controller can reach it.
const FORWARDS: Duration = Duration::from_millis(200);
/// When everybody says where it is, from when the fabric is whole again, in milliseconds: what is said to a switch that is not there
/// is lost, and hosts say something now and then.
const AGAIN: [u64; 6] = [0, 50, 200, 450, 800, 3_000];
/// The hosts: some are forged, some move.
const HOSTS: u8 = 6;

/// What goes wrong: as told, until the fabric is whole again.
type Disturb = for<'a> fn(&'a mut World, &'a str) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + 'a>>;

pub(super) async fn agent(stage: &Stage) -> Result<Outcome, Failure> {
    rounds(stage, "13a", |world, node| Box::pin(kill(world, node, &[Part::Agent]))).await
}

pub(super) async fn switch(stage: &Stage) -> Result<Outcome, Failure> {
    rounds(stage, "13b", |world, node| Box::pin(kill(world, node, &[Part::Switch]))).await
}

pub(super) async fn both(stage: &Stage) -> Result<Outcome, Failure> {
    rounds(stage, "13c", |world, node| Box::pin(kill(world, node, &[Part::Switch, Part::Agent]))).await
}

pub(super) async fn stopped(stage: &Stage) -> Result<Outcome, Failure> {
    rounds(stage, "13d", |world, node| Box::pin(stop(world, node, Part::Switch))).await
}

pub(super) async fn spine(stage: &Stage) -> Result<Outcome, Failure> {
    rounds(stage, "13e", |world, _| Box::pin(transit(world))).await
}

pub(super) async fn management(stage: &Stage) -> Result<Outcome, Failure> {
    rounds(stage, "13f", |world, node| Box::pin(cut(world, node, World::set_management, Carries::Nothing))).await
}

pub(super) async fn management_outward(stage: &Stage) -> Result<Outcome, Failure> {
    rounds(stage, "13g", |world, node| Box::pin(cut(world, node, World::set_management, Carries::Outward))).await
}

pub(super) async fn management_inward(stage: &Stage) -> Result<Outcome, Failure> {
    rounds(stage, "13h", |world, node| Box::pin(cut(world, node, World::set_management, Carries::Inward))).await
}

pub(super) async fn agent_stopped(stage: &Stage) -> Result<Outcome, Failure> {
    rounds(stage, "13i", |world, node| Box::pin(stop(world, node, Part::Agent))).await
}

pub(super) async fn spine_stopped(stage: &Stage) -> Result<Outcome, Failure> {
    rounds(stage, "13j", |world, _| Box::pin(stop(world, SPINE, Part::Switch))).await
}

pub(super) async fn underlay(stage: &Stage) -> Result<Outcome, Failure> {
    rounds(stage, "13k", |world, node| Box::pin(cut(world, node, World::set_underlay, Carries::Nothing))).await
}

pub(super) async fn underlay_outward(stage: &Stage) -> Result<Outcome, Failure> {
    rounds(stage, "13l", |world, node| Box::pin(cut(world, node, World::set_underlay, Carries::Outward))).await
}

pub(super) async fn underlay_inward(stage: &Stage) -> Result<Outcome, Failure> {
    rounds(stage, "13m", |world, node| Box::pin(cut(world, node, World::set_underlay, Carries::Inward))).await
}

async fn kill(world: &mut World, node: &str, parts: &[Part]) -> Result<(), Failure> {
    let node = world.node(node)?;
    parts.iter().for_each(|part| node.kill(*part));
    parts.iter().try_for_each(|part| node.start(*part))
}

/// Kill the spine's switch; the fabric is whole when its controller can reach the next.
async fn transit(world: &mut World) -> Result<(), Failure> {
    kill(world, SPINE, &[Part::Switch]).await?;
    world.until_reachable(SPINE).await
}

async fn stop(world: &mut World, node: &str, part: Part) -> Result<(), Failure> {
    let start = Instant::now();
    world.node(node)?.freeze(part)?;
    cast::at(start, AWAY - 1_000).await;
    Ok(world.node(node)?.thaw(part)?)
}

/// Cuts a cable, or mends it.
type Cut = fn(&mut World, &str, Carries) -> Result<(), Failure>;

async fn cut(world: &mut World, node: &str, cut: Cut, carries: Carries) -> Result<(), Failure> {
    let start = Instant::now();
    cut(world, node, carries)?;
    cast::at(start, AWAY).await;
    cut(world, node, Carries::Both)
}

/// Each host has a port of its own at each VTEP.
fn place(host: usize, vtep: usize) -> Access {
    Access::red(vtep as u8 + 1, 10 + host as u16)
}

async fn rounds(stage: &Stage, case: &str, disturb: Disturb) -> Result<Outcome, Failure> {
    let names = cast::hosts(HOSTS.into());
    let mut plan = cast::plan(HOSTS);
    // At first, they are spread over the VTEPs.
    let mut places: Vec<usize> = (0..names.len()).map(|host| host % 3).collect();
    for (host, vtep) in places.iter().enumerate() {
        if let Some(resident) = plan.residents.iter_mut().find(|it| it.spec.name == names[host]) {
            resident.access = place(host, *vtep);
        }
    }
    for host in 0..names.len() {
        plan = (0..3).fold(plan, |plan, vtep| plan.free(place(host, vtep)));
    }
    let mut world = stage.world(plan).await?;
    let mut outcome = Outcome::default();
    let streams = cast::streams(&world, names, RATE / 4).await?;
    let (mut bad, mut undecided) = (0, 0);
    let (mut longest, mut back) = (Duration::ZERO, Duration::ZERO);
    for round in 0..stage.extent.rounds as usize {
        let node = ["vtep1", "vtep2", "vtep3"][round % 3];
        let pick = |offset: usize| (2 * round + offset) % names.len();
        for offset in [2, 3] {
            let host = pick(offset);
            places[host] = (places[host] + 1) % 3;
            world.plug(names[host], Some(place(host, places[host])));
        }
        // In the midst of it.
        let forge = |world: &World| -> Result<(), Failure> {
            for offset in [0, 1] {
                world.forge(MALLORY, Announcement::GratuitousReply, names[pick(offset)])?;
            }
            for offset in [2, 3] {
                world.announce(names[pick(offset)], Announcement::GratuitousRequest)?;
            }
            Ok(())
        };
        forge(&world)?;
        disturb(&mut world, node).await?;
        world.until_ready(node).await?;
        let start = Instant::now();
        for time in AGAIN {
            cast::at(start, time).await;
            forge(&world)?;
        }
        // Whoever is behind the third VTEP is reached without the spine.
        let across: Vec<_> = streams.iter().zip(&places).filter(|(_, vtep)| **vtep != 2).collect();
        if !across.is_empty() {
            let first = across.iter().filter_map(|(stream, _)| stream.ledger.first_arrival(start)).min();
            back = back.max(first.map_or_else(|| start.elapsed(), |first| first - start));
        }
        undecided += world.until_right(names, PATIENCE.saturating_sub(start.elapsed())).await?.len();
        longest = longest.max(start.elapsed());
        let mut wrong = Vec::new();
        for name in names {
            wrong.extend(world.taken(name).await?);
        }
        bad += usize::from(!wrong.is_empty());
        outcome.wrong += wrong.len();
        outcome.problems.extend(wrong.into_iter().map(|wrong| format!("round {round}: {wrong}")));
    }
    outcome.note(format!("{bad} of {} rounds with wrong tables", stage.extent.rounds));
    outcome.note(format!(
        "all right after at most {:.1} s, but for {undecided} entries unknown, or both places at once",
        longest.as_secs_f64()
    ));
    outcome.note(format!("traffic across the spine at most {:.0} ms after the fabric was whole", milliseconds(back)));
    outcome.expect(
        case != "13e" || !stage.extent.timed || back <= FORWARDS,
        "a spine's switch does not forward soon after it can be reached",
    );
    // What is lost while a switch is away is not judged; it is shown.
    outcome.add(cast::end(&streams, &[]).await);
    stage.keep(case, &world)?;
    Ok(outcome)
}
