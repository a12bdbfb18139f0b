//! Row 13: what fails while hosts are forged and move.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use vouch_lab::Announcement;

use super::cast::{self, MALLORY, RATE};
use super::{Outcome, Stage};
use crate::linux::Failure;
use crate::linux::node::Part;
use crate::linux::plan::{Access, SPINE};
use crate::linux::world::World;

/// How long the fabric has after the disturbance until every table is to be right.
const PATIENCE: Duration = Duration::from_secs(10);
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
    rounds(stage, "13d", |world, node| Box::pin(stop(world, node))).await
}

pub(super) async fn spine(stage: &Stage) -> Result<Outcome, Failure> {
    rounds(stage, "13e", |world, _| Box::pin(kill(world, SPINE, &[Part::Switch]))).await
}

pub(super) async fn management(stage: &Stage) -> Result<Outcome, Failure> {
    rounds(stage, "13f", |world, node| Box::pin(cut(world, node))).await
}

async fn kill(world: &mut World, node: &str, parts: &[Part]) -> Result<(), Failure> {
    let node = world.node(node)?;
    parts.iter().for_each(|part| node.kill(*part));
    parts.iter().try_for_each(|part| node.start(*part))
}

async fn stop(world: &mut World, node: &str) -> Result<(), Failure> {
    let start = Instant::now();
    world.node(node)?.freeze(Part::Switch)?;
    cast::at(start, 5_000).await;
    Ok(world.node(node)?.thaw(Part::Switch)?)
}

async fn cut(world: &mut World, node: &str) -> Result<(), Failure> {
    let start = Instant::now();
    world.set_management(node, false)?;
    cast::at(start, 6_000).await;
    world.set_management(node, true)
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
        undecided += world.until_right(names, PATIENCE).await?.len();
        let mut wrong = Vec::new();
        for name in names {
            wrong.extend(world.taken(name).await?);
        }
        bad += usize::from(!wrong.is_empty());
        outcome.wrong += wrong.len();
        outcome.problems.extend(wrong.into_iter().map(|wrong| format!("round {round}: {wrong}")));
    }
    outcome.note(format!("{bad} of {} rounds with wrong tables", stage.extent.rounds));
    outcome.note(format!("{undecided} entries unknown, or both places at once, 10 s later"));
    // What is lost while a switch is away is not judged; it is shown.
    outcome.add(cast::end(&streams, &[]).await);
    stage.keep(case, &world)?;
    Ok(outcome)
}
