//! Rows 5 and 6: what must not be forgotten, and what must be.

use std::time::Instant;

use vouch_lab::Announcement;

use super::cast::{self, MALLORY, RATE};
use super::{Outcome, Stage};
use crate::linux::Failure;
use crate::linux::host::Stream;
use crate::linux::node::Part;
use crate::linux::plan::{Access, at};
use crate::linux::world::World;

/// An attacker behind the owner itself.
const NEIGHBOUR: &str = "neighbour";
/// How often a forged frame is sent, a second apart: the agent that is to hear it may still be starting.
const TIMES: u64 = 4;

/// The owner's agent.
pub(super) async fn owner(stage: &Stage) -> Result<Outcome, Failure> {
    let plan = cast::plan(4).host(NEIGHBOUR, 167, Access::red(1, 12));
    let mut world = stage.world(plan).await?;
    let streams = cast::streams(&world, cast::hosts(4), RATE).await?;
    restart(&mut world, "vtep1", &[Part::Agent])?;
    let outcome = claimed(&mut world, &streams, NEIGHBOUR, &[Announcement::Rarp], None).await?;
    stage.keep("5a", &world)?;
    Ok(outcome)
}

/// The owner's and the claimant's.
pub(super) async fn agents(stage: &Stage) -> Result<Outcome, Failure> {
    let mut world = stage.world(cast::plan(4)).await?;
    let streams = cast::streams(&world, cast::hosts(4), RATE).await?;
    restart(&mut world, "vtep1", &[Part::Agent])?;
    restart(&mut world, "vtep2", &[Part::Agent])?;
    let outcome = claimed(&mut world, &streams, MALLORY, &[Announcement::Rarp], None).await?;
    stage.keep("5b", &world)?;
    Ok(outcome)
}

/// The owner's switch and agent.
pub(super) async fn reboot(stage: &Stage) -> Result<Outcome, Failure> {
    let mut world = stage.world(cast::plan(8)).await?;
    // Claimed where its owner has forgotten it, a host gets what is its in both places.
    let streams = cast::streams(&world, cast::hosts(8), stage.copied(8).min(RATE / 2)).await?;
    let gone = Instant::now();
    restart(&mut world, "vtep1", &[Part::Switch, Part::Agent])?;
    world.until_ready("vtep1").await?;
    let forgeries = [Announcement::Rarp, Announcement::GratuitousReply];
    let outcome = claimed(&mut world, &streams, MALLORY, &forgeries, Some((gone, Instant::now()))).await?;
    stage.keep("5c", &world)?;
    Ok(outcome)
}

/// A link that went down before its switch died, and is up again when it comes back.
pub(super) async fn link(stage: &Stage) -> Result<Outcome, Failure> {
    link_and_switch(stage, "6a", false).await
}

/// The same, and the hosts are claimed while the switch is away, too.
pub(super) async fn link_claimed_early(stage: &Stage) -> Result<Outcome, Failure> {
    link_and_switch(stage, "6b", true).await
}

async fn link_and_switch(stage: &Stage, case: &str, early: bool) -> Result<Outcome, Failure> {
    // All of one server.
    let mut plan = cast::plan(8);
    for resident in &mut plan.residents {
        if resident.access.at.switch == "vtep1" {
            resident.access = Access::red(1, 2);
        }
    }
    let mut world = stage.world(plan).await?;
    // While two VTEPs have them, both get what is theirs.
    let rate = stage.copied(8).min(RATE / 2);
    let streams = cast::streams(&world, cast::hosts(8), rate).await?;
    let gone = Instant::now();
    world.set_link(&at(1, 2), false)?;
    // The agent has been told by then.
    cast::at(gone, 1_500).await;
    world.node("vtep1")?.kill(Part::Switch);
    world.set_link(&at(1, 2), true)?;
    world.node("vtep1")?.start(Part::Switch)?;
    // As soon as anybody hears it, which may be before the new switch has said that the link is up.
    let started = Instant::now();
    for round in (0..50).filter(|_| early) {
        cast::at(started, round * 30).await;
        for name in cast::hosts(8) {
            world.forge(MALLORY, Announcement::GratuitousReply, name)?;
        }
    }
    world.until_ready("vtep1").await?;
    let outcome =
        claimed(&mut world, &streams, MALLORY, &[Announcement::GratuitousReply], Some((gone, Instant::now()))).await?;
    stage.keep(case, &world)?;
    Ok(outcome)
}

fn restart(world: &mut World, node: &str, parts: &[Part]) -> Result<(), Failure> {
    let node = world.node(node)?;
    parts.iter().for_each(|part| node.kill(*part));
    parts.iter().try_for_each(|part| node.start(*part))
}

/// Claim each host in one of these ways in turn; nothing may come of it. Where the hosts were `gone`, what was sent before they
/// were back is not judged, nor before their switch was ready: one that is being given its tables has some, and not others.
async fn claimed(
    world: &mut World,
    streams: &[Stream],
    attacker: &str,
    forgeries: &[Announcement],
    gone: Option<(Instant, Instant)>,
) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::default();
    let names: Vec<String> = streams.iter().map(|stream| stream.ledger.to.clone()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let start = Instant::now();
    for round in 0..TIMES {
        cast::at(start, round * 1_000).await;
        for (name, forgery) in names.iter().zip(forgeries.iter().cycle()) {
            world.forge(attacker, *forgery, name)?;
        }
    }
    cast::at(start, TIMES * 1_000).await;
    cast::none_taken(world, &names, &mut outcome).await?;
    streams.iter().for_each(Stream::hush);
    for stream in streams {
        stream.stop().await;
        let back = gone.and_then(|(gone, ready)| Some((gone, stream.ledger.returned(gone)?.max(ready))));
        outcome.add(stream.ledger.figures(back.as_slice()));
        if let Some((gone, back)) = back {
            let after = back.saturating_duration_since(gone);
            outcome.note(format!("{} back after {:.0} ms", stream.ledger.to, super::milliseconds(after)));
        }
    }
    outcome.nothing_lost();
    Ok(outcome)
}
