//! Rows 14 and 15: live migrations, with a script in place of the hypervisors.

use std::time::{Duration, Instant};

use vouch_lab::Announcement;

use super::cast::{self, MALLORY};
use super::{Outcome, Stage};
use crate::linux::Failure;
use crate::linux::plan::Access;
use crate::linux::world::World;

/// When QEMU has a guest announced, in milliseconds after it goes on.
const ROUNDS: [u64; 5] = [0, 50, 200, 450, 800];
/// How long a machine is paused, in milliseconds.
const PAUSE: u64 = 150;
/// For how long the machines have been where they are, in seconds: who has just come is not yet known well (`old_port_watch`).
const SETTLED: u64 = 6;
/// Until when a machine that was forged while it was paused has to have its traffic, from its first announcement.
const RECOVERED: Duration = Duration::from_secs(2);

/// Where the machine goes.
fn destination() -> Access {
    Access::red(3, 3)
}

/// Somebody claims each machine while it is paused, and answers for it.
pub(super) async fn forged(stage: &Stage) -> Result<Outcome, Failure> {
    let names = cast::hosts(5);
    let mut world = stage.world(cast::plan(5).free(destination())).await?;
    let mut outcome = Outcome::default();
    let rate = stage.rate(names.len());
    let streams = cast::streams(&world, names, rate).await?;
    cast::flow(&streams, SETTLED * u64::from(rate)).await;
    for (name, stream) in names.iter().zip(&streams) {
        let paused = Instant::now();
        world.pause(name, true);
        cast::at(paused, 20).await;
        world.impersonate(MALLORY, name, true)?;
        world.forge(MALLORY, Announcement::GratuitousReply, name)?;
        cast::at(paused, PAUSE).await;
        let resumed = arrive(&world, name).await?;
        cast::at(resumed, 4_000).await;
        stream.stop().await;
        outcome.add(stream.ledger.figures(&[(paused, resumed + RECOVERED)]));
        let interruption = stream.ledger.figures(&[(paused, resumed)]).interruption;
        outcome.note(format!("{name}: {:.0} ms", super::milliseconds(interruption)));
    }
    outcome.nothing_lost();
    cast::none_taken(&mut world, names, &mut outcome).await?;
    let accused = world.said("Attack {").into_iter().filter(|line| line.starts_with("vtep3")).count();
    outcome.expect(accused == 0, format!("the machines' own port is reported {accused} times"));
    stage.keep("14", &world)?;
    Ok(outcome)
}

/// The destination announces the machine three times while it still runs at the source.
pub(super) async fn early(stage: &Stage) -> Result<Outcome, Failure> {
    announced_early(stage, "15a", &[0, 300, 600]).await
}

/// Once.
pub(super) async fn early_once(stage: &Stage) -> Result<Outcome, Failure> {
    announced_early(stage, "15b", &[600]).await
}

async fn announced_early(stage: &Stage, case: &str, times: &[u64]) -> Result<Outcome, Failure> {
    let names = cast::hosts(3);
    // The destination: its cable is the machines' later.
    let plan = cast::plan(3).host("destination", 140, destination());
    let mut world = stage.world(plan).await?;
    let mut outcome = Outcome::default();
    let rate = stage.rate(names.len());
    let streams = cast::streams(&world, names, rate).await?;
    cast::flow(&streams, SETTLED * u64::from(rate)).await;
    let mut interruptions = Vec::new();
    for (name, stream) in names.iter().zip(&streams) {
        let start = Instant::now();
        for time in times {
            cast::at(start, *time).await;
            world.forge("destination", Announcement::Rarp, name)?;
        }
        cast::at(start, 700).await;
        let paused = Instant::now();
        world.pause(name, true);
        cast::at(paused, PAUSE).await;
        let resumed = arrive(&world, name).await?;
        outcome.entries(world.until_right(&[name], Duration::from_secs(10)).await?);
        stream.sends(u64::from(rate) / 2).await;
        stream.stop().await;
        let figures = stream.ledger.figures(&[(paused, resumed)]);
        interruptions.push(figures.interruption);
        outcome.add(figures);
    }
    outcome.brief(stage.extent.timed, interruptions);
    let accused = world.said("Attack {").len();
    outcome.expect(accused == 0, format!("an attack is reported {accused} times"));
    stage.keep(case, &world)?;
    Ok(outcome)
}

/// The machine goes on at its destination, which announces it as QEMU does. When it went on.
async fn arrive(world: &World, name: &str) -> Result<Instant, Failure> {
    world.plug(name, Some(destination()));
    world.pause(name, false);
    let resumed = Instant::now();
    for round in ROUNDS {
        cast::at(resumed, round).await;
        world.announce(name, Announcement::Rarp)?;
    }
    Ok(resumed)
}
