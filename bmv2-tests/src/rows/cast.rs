//! Who plays: the hosts behind the first VTEP, an attacker behind the second, and somebody behind the third who sends to the hosts.

use std::time::{Duration, Instant};

use crate::linux::Failure;
use crate::linux::floor::Floor;
use crate::linux::host::Stream;
use crate::linux::plan::{Access, Plan};
use crate::linux::traffic::{Excused, Figures};
use crate::linux::world::World;

/// The attacker.
pub(crate) const MALLORY: &str = "mallory";
/// Who sends to everybody.
pub(crate) const PEER: &str = "peer";
/// Packets per second of a stream.
pub(super) const RATE: u32 = 200;
/// The hosts' names.
const NAMES: [&str; 10] = ["red1", "red2", "red3", "red4", "red5", "red6", "red7", "red8", "red9", "red10"];

/// So many hosts' names.
pub(crate) fn hosts(count: usize) -> &'static [&'static str] {
    &NAMES[..count.min(NAMES.len())]
}

/// Hosts at ports 2, 3, ... of the first VTEP, the attacker and the peer each at port 2 of theirs.
pub(crate) fn plan(count: u8) -> Plan {
    let plan = Plan::default().host(PEER, 130, Access::red(3, 2)).host(MALLORY, 166, Access::red(2, 2));
    (1..)
        .zip(hosts(count.into()))
        .fold(plan, |plan, (number, name)| plan.host(name, number, Access::red(1, u16::from(number) + 1)))
}

/// Streams from the peer to each of these hosts, which have met before, and say nothing by themselves from then on.
pub(super) async fn streams(world: &Floor, names: &[&str], rate: u32) -> Result<Vec<Stream>, Failure> {
    let mut streams = Vec::new();
    for name in names {
        world.acquaint(PEER, name).await?;
        quiet(world, name)?;
        streams.push(world.stream(PEER, name, rate)?);
    }
    flow(&streams, u64::from(rate / 2)).await;
    Ok(streams)
}

/// Have a host and the peer not ask for each other: kernels confirm their neighbours from time to time, and who asks is heard.
pub(super) fn quiet(world: &Floor, name: &str) -> Result<(), Failure> {
    let (mac, ip) = (world.spec(name)?.mac, world.spec(name)?.ipv4);
    world.host(PEER)?.ip(&[&format!("neighbour replace {ip} lladdr {mac} dev eth0 nud permanent")])?;
    Ok(world.host(name)?.ip(&["neighbour flush all"])?)
}

/// Let so many packets of the first stream pass; the others run beside it.
pub(super) async fn flow(streams: &[Stream], packets: u64) {
    // They run side by side.
    if let Some(first) = streams.first() {
        first.sends(packets).await;
    }
}

/// End streams, and what became of all packets but those of the excused times.
pub(super) async fn end(streams: &[Stream], excused: &[Excused]) -> Figures {
    let mut figures = Figures::default();
    streams.iter().for_each(Stream::hush);
    for stream in streams {
        stream.stop().await;
        figures = figures.and(stream.ledger.figures(excused));
    }
    figures
}

/// A moment of a scene.
pub(crate) async fn at(start: Instant, milliseconds: u64) {
    tokio::time::sleep_until((start + Duration::from_millis(milliseconds)).into()).await;
}

/// How many of these hosts others have, and that nobody has is expected of `outcome`.
pub(super) async fn none_taken(world: &mut World, names: &[&str], outcome: &mut super::Outcome) -> Result<(), Failure> {
    let mut taken = 0;
    for name in names {
        let entries = world.taken(name).await?;
        taken += usize::from(!entries.is_empty());
        outcome.entries(entries);
    }
    outcome.note(format!("{taken} of {} taken", names.len()));
    Ok(())
}
