//! A server's worth of hosts moves at once, each of which says so once.

use std::time::Duration;

use tokio::time::Instant;
use vouch_agent::AgentEventKind;
use vouch_net::Vni;

use super::{Outcome, PATIENCE};
use crate::error::LabError;
use crate::fabric::Fabric;
use crate::host::Crowd;
use crate::log::{Entry, Mark};
use crate::topology::{PortRef, Topology, demo_vnis};

const COUNT: u16 = 1_000;
const SENDER: &str = "red3";
/// How long it may take until every VTEP has every host at its new place, in milliseconds.
const LIMIT_MS: f64 = 1_200.0;
/// How long they may take to be learned at all.
const LEARNING: Duration = Duration::from_secs(30);
/// How often the tables are looked at: reading all of them is work for the switches.
const LOOK: Duration = Duration::from_millis(250);

fn seats() -> [PortRef; 2] {
    [PortRef::new("vtep1", 8), PortRef::new("vtep2", 8)]
}

/// Two free seats for crowds.
pub(super) fn with_seats() -> Topology {
    seats().into_iter().fold(Topology::demo(), Topology::with_seat)
}

pub(super) async fn play(fabric: &mut Fabric) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    let ([old, new], [vni, _]) = (seats(), demo_vnis());
    fabric.log().note(format!("{COUNT} hosts are at {old}"));
    let crowd = Crowd::start("crowd", COUNT, fabric.take_seat(&old)?, fabric.traffic().clone());
    let mut unknown: Vec<usize> = (0..COUNT.into()).collect();
    let deadline = Instant::now() + LEARNING;
    while !unknown.is_empty() && Instant::now() < deadline {
        // A few at a time: learning them is not what this is about.
        crowd.announce(unknown.iter().copied().take(200).collect()).await?;
        tokio::time::sleep(LOOK).await;
        unknown = misplaced(fabric, vni, &crowd, &old).await?;
    }
    outcome.expectations.equal("hosts that are not learned", 0, unknown.len());

    fabric.log().note(format!("all of them move to {new}, and each says so once"));
    let wire = fabric.take_seat(&new)?;
    let _old_wire = crowd.transfer(wire).await?;
    let (mark, start) = (fabric.log().mark(), Instant::now());
    crowd.announce((0..COUNT.into()).collect()).await?;
    let mut behind = misplaced(fabric, vni, &crowd, &new).await?;
    while !behind.is_empty() && start.elapsed() < PATIENCE {
        tokio::time::sleep(LOOK).await;
        behind = misplaced(fabric, vni, &crowd, &new).await?;
    }
    let ms = last_write(fabric, mark).map_or(f64::NAN, |at| at.duration_since(start.into_std()).as_secs_f64() * 1e3);
    outcome.expectations.equal("hosts left behind", 0, behind.len());
    outcome.expectations.at_most("until every VTEP has every host", LIMIT_MS, ms, "ms");

    let rate = fabric.stream_rate();
    let stream = fabric.host(SENDER)?.stream_to_crowd(&crowd, rate).await?;
    stream.ledger().sends(COUNT.into(), PATIENCE).await;
    let report = stream.finish().await?;
    outcome.expectations.equal("lost after the move", 0, report.lost);
    outcome.expectations.equal("misdelivered after the move", 0, report.misdelivered);
    outcome.streams.push(report);
    Ok(outcome)
}

/// When a switch last took a change of where frames go.
fn last_write(fabric: &Fabric, since: Mark) -> Option<std::time::Instant> {
    let written = |entry: &Entry| match entry {
        Entry::Agent(event) => match &event.kind {
            AgentEventKind::Written { changes } => changes.iter().any(|change| change.contains(" destination ")),
            _ => false,
        },
        Entry::Lab { .. } => false,
    };
    fabric.log().since(since).iter().filter(|entry| written(entry)).map(Entry::at).max()
}

/// The members that some VTEP does not have there, by index.
async fn misplaced(fabric: &Fabric, vni: Vni, crowd: &Crowd, place: &PortRef) -> Result<Vec<usize>, LabError> {
    let tables = fabric.tables().await?;
    let members = crowd.members();
    let missing = members.iter().enumerate().filter_map(|(index, (mac, _))| {
        let right = tables.iter().all(|(switch, table)| {
            let entry = table.get(&(vni, *mac));
            entry.zip(fabric.reach(switch, place)).is_some_and(|(entry, reach)| entry.is_at(&reach))
        });
        (!right).then_some(index)
    });
    Ok(missing.collect())
}
