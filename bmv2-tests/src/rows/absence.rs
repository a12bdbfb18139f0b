//! Rows 1 and 2: hosts that are silent, or seem to be, while somebody claims them.

use std::time::{Duration, Instant};

use vouch_lab::Announcement;

use super::cast::{self, MALLORY, PEER, RATE};
use super::{Outcome, Stage};
use crate::linux::Failure;
use crate::linux::node::Part;

/// A host that is back has said something by then.
const RETURN: Duration = Duration::from_secs(1);
/// What a switch that goes on may need until all that waited has passed.
const RESUME: Duration = Duration::from_millis(500);
const TALK: u32 = 20;

/// Silent for 3 s, claimed, and back.
pub(super) async fn reboot(stage: &Stage) -> Result<Outcome, Failure> {
    let names = cast::hosts(4);
    let mut world = stage.world(cast::plan(4)).await?;
    let mut outcome = Outcome::default();
    // In the end two places have them, and both get what is theirs.
    let rate = stage.copied(4);
    let streams = cast::streams(&world, names, rate).await?;

    let gone = Instant::now();
    names.iter().for_each(|name| world.pause(name, true));
    cast::at(gone, 500).await;
    for name in names {
        world.impersonate(MALLORY, name, true)?;
        world.forge(MALLORY, Announcement::GratuitousReply, name)?;
    }
    cast::at(gone, 3_000).await;
    names.iter().for_each(|name| world.pause(name, false));
    let back = Instant::now();
    let mut talk = Vec::new();
    for name in names {
        talk.push(world.stream(name, PEER, TALK)?);
    }
    cast::flow(&streams, 6 * u64::from(rate)).await;

    cast::none_taken(&mut world, names, &mut outcome).await?;
    let figures =
        cast::end(&streams, &[(gone, back + RETURN)]).await.and(cast::end(&talk, &[(gone, back + RETURN)]).await);
    outcome.add(figures);
    outcome.nothing_lost();
    for stream in &streams {
        let interruption = super::milliseconds(stream.ledger.figures(&[(gone, back)]).interruption);
        let again = if stream.ledger.arrives(back) { "again" } else { "never" };
        outcome.note(format!("{} {again} after {interruption:.0} ms", stream.ledger.to));
    }
    let accused: Vec<_> = world.said("Attack {").into_iter().filter(|line| line.starts_with("vtep1")).collect();
    outcome.expect(accused.is_empty(), format!("the hosts' own ports are reported {} times", accused.len()));
    stage.keep("1", &world)?;
    Ok(outcome)
}

/// The owner's switch stands still for 2 s.
pub(super) async fn stalled(stage: &Stage) -> Result<Outcome, Failure> {
    stall(stage, "2a", 2_000).await
}

/// The owner's switch stands still for 0.6 s.
pub(super) async fn stalled_briefly(stage: &Stage) -> Result<Outcome, Failure> {
    stall(stage, "2b", 600).await
}

async fn stall(stage: &Stage, case: &str, milliseconds: u64) -> Result<Outcome, Failure> {
    let names = cast::hosts(8);
    let mut world = stage.world(cast::plan(8)).await?;
    let mut outcome = Outcome::default();
    let streams = cast::streams(&world, names, RATE / 2).await?;

    let stopped = Instant::now();
    world.node("vtep1")?.freeze(Part::Switch)?;
    cast::at(stopped, 50).await;
    for name in names {
        world.forge(MALLORY, Announcement::GratuitousReply, name)?;
    }
    cast::at(stopped, milliseconds).await;
    world.node("vtep1")?.thaw(Part::Switch)?;
    let resumed = Instant::now();
    cast::flow(&streams, 2 * u64::from(RATE)).await;

    cast::none_taken(&mut world, names, &mut outcome).await?;
    outcome.add(cast::end(&streams, &[(stopped, resumed + RESUME)]).await);
    outcome.nothing_lost();
    stage.keep(case, &world)?;
    Ok(outcome)
}
