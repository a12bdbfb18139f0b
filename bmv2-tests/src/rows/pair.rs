//! Row 17: two agents of one switch, of which one is in charge.

use std::time::{Duration, Instant};

use vouch_lab::Announcement;

use super::cast::{self, MALLORY, RATE};
use super::{Outcome, Stage, milliseconds};
use crate::linux::Failure;
use crate::linux::node::Part;
use crate::linux::plan::Access;
use crate::linux::world::World;

/// The VTEP with two agents.
const VTEP: &str = "vtep1";
/// The hosts there: those that stay are forged, the others move in turn.
const STAY: usize = 4;
const HOSTS: u8 = 6;
/// How long a succession may take. The goal is a second; the machine may be busy.
const SUCCESSION: Duration = Duration::from_secs(1);
/// How long an agent that was started may take until it waits.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the fabric has after a succession until no table may be wrong.
const SETTLED: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(2);

/// What an agent says when it has the switch, and when it has seen that another one has.
const IN_CHARGE: &str = "the switch is ready";
const WAITS: &str = "another controller is primary";

pub(super) async fn killed(stage: &Stage) -> Result<Outcome, Failure> {
    let names = cast::hosts(HOSTS.into());
    let mut plan = cast::plan(HOSTS);
    plan.standby = Some(VTEP);
    for (host, name) in (0..).zip(names).skip(STAY) {
        if let Some(resident) = plan.residents.iter_mut().find(|it| it.spec.name == *name) {
            resident.access = place(host, 1);
        }
        plan = plan.free(place(host, 2));
    }
    let mut world = stage.world(plan).await?;
    let mut outcome = Outcome::default();
    let streams = cast::streams(&world, &names[..STAY], RATE / 2).await?;
    // The one with the higher election id, whichever came first.
    let (mut primary, mut backup) = (Part::Standby, Part::Agent);
    said(&mut world, primary, IN_CHARGE, 0).await?;
    let (mut successions, mut undecided) = (Vec::new(), 0);
    for round in 0..stage.extent.successions as usize {
        let mover = STAY + round % (names.len() - STAY);
        let to = place(mover, [2, 1][round / (names.len() - STAY) % 2]);
        for name in &names[..STAY] {
            world.forge(MALLORY, Announcement::GratuitousReply, name)?;
        }
        world.plug(names[mover], Some(to));
        world.announce(names[mover], Announcement::GratuitousRequest)?;
        let before = count(&mut world, backup, IN_CHARGE)?;
        let start = Instant::now();
        world.node(VTEP)?.kill(primary);
        said(&mut world, backup, IN_CHARGE, before).await?;
        successions.push(start.elapsed());
        let before = [count(&mut world, primary, WAITS)?, count(&mut world, primary, IN_CHARGE)?];
        world.node(VTEP)?.start(primary)?;
        // What was said while nobody listened was not heard.
        for name in &names[..STAY] {
            world.forge(MALLORY, Announcement::GratuitousReply, name)?;
        }
        world.announce(names[mover], Announcement::GratuitousRequest)?;
        // A host that moves while nobody is in charge may have to be asked for longer: both places have its traffic then.
        undecided += world.until_right(names, SETTLED).await?.len();
        outcome.entries(world.taken(names[mover]).await?);
        // BMv2 leaves the switch to whoever has the highest election id, and that may be the one that was killed.
        if waits(&mut world, primary, before).await? {
            (primary, backup) = (backup, primary);
        }
    }
    cast::none_taken(&mut world, &names[..STAY], &mut outcome).await?;
    outcome.add(cast::end(&streams, &[]).await);
    outcome.nothing_lost();
    successions.sort_unstable();
    let [shortest, middle, longest] =
        [0, successions.len() / 2, successions.len().saturating_sub(1)].map(|at| milliseconds(successions[at]));
    outcome.note(format!(
        "{} successions, in charge {shortest:.0}, {middle:.0}, {longest:.0} ms after the kill (shortest, median, longest); {undecided} entries in both places at once, or unknown, 5 s after",
        successions.len()
    ));
    outcome.expect(
        !stage.extent.timed || longest <= milliseconds(SUCCESSION),
        format!("a succession takes {longest:.0} ms"),
    );
    stage.keep("17", &world)?;
    Ok(outcome)
}

/// Each host has a port of its own at each VTEP.
fn place(host: usize, vtep: u8) -> Access {
    Access::red(vtep, 10 + host as u16)
}

fn count(world: &mut World, part: Part, words: &str) -> Result<usize, Failure> {
    let log = std::fs::read(world.node(VTEP)?.log(part)).unwrap_or_default();
    Ok(String::from_utf8_lossy(&log).matches(words).count())
}

/// Wait until an agent that was started waits, or is in charge; whether it waits. `before`: how often it had said either.
async fn waits(world: &mut World, part: Part, [waits, in_charge]: [usize; 2]) -> Result<bool, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if count(world, part, IN_CHARGE)? > in_charge {
            return Ok(false);
        }
        if count(world, part, WAITS)? > waits {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Err(format!("the {part:?} of {VTEP} neither waits nor is in charge").into());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Wait until an agent has said this more often than `before`.
async fn said(world: &mut World, part: Part, words: &str, before: usize) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    while count(world, part, words)? <= before {
        if Instant::now() >= deadline {
            return Err(format!("the {part:?} of {VTEP} does not say that {words}").into());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
