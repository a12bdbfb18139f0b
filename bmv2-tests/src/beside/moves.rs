//! Hosts that really move.

use std::time::{Duration, Instant};

use vouch_lab::Announcement;

use super::{CLIENTS, Contender, Outcome, RATE, names, plan};
use crate::linux::Failure;
use crate::linux::plan::Access;
use crate::linux::traffic::Figures;
use crate::linux::world::Site;

/// How a host moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Its old port keeps its link.
    Plain,
    /// Its old port loses it.
    PortDown,
    /// It knows no neighbours when it arrives, as after a restart, and announces nothing: it asks for whom it wants to send to.
    EmptyCache,
}

/// More packets than by any default.
const STREAM: u32 = 4 * RATE;
/// How long a move is watched.
const WATCHED: Duration = Duration::from_secs(5);

/// One host after the other moves to the second VTEP. What is sent while it is nowhere is not counted: that is an instant.
pub(super) async fn honest(site: &Site, on: Contender, hosts: usize, way: Way) -> Result<Vec<Outcome>, Failure> {
    let names = names(hosts);
    let mut plan = plan(names);
    let place = |number: u16| Access::red(2, 10 + number);
    for number in (1..).take(names.len()) {
        plan = plan.free(place(number));
    }
    let fabric = on.start(site, plan).await?;
    let mut outcomes = Vec::new();
    for (number, name) in (1..).zip(names) {
        let client = CLIENTS[2];
        fabric.acquaint(client, name).await?;
        let (mac, ip) = (fabric.spec(name)?.mac, fabric.spec(name)?.ipv4);
        fabric.host(client)?.ip(&[&format!("neighbour replace {ip} lladdr {mac} dev eth0 nud permanent")])?;
        let mut streams = vec![fabric.stream(client, name, STREAM)?];
        if way == Way::EmptyCache {
            streams.push(fabric.stream(name, client, STREAM)?);
        }
        // Fabrics that ask have asked it by then.
        streams[0].sends(u64::from(STREAM)).await;
        let old = Access::red(1, number + 10);
        let gone = Instant::now();
        fabric.plug(name, None);
        if way == Way::PortDown {
            fabric.set_link(&old.at, false)?;
        }
        if way == Way::EmptyCache {
            fabric.host(name)?.ip(&["neighbour flush all"])?;
        }
        fabric.plug(name, Some(place(number)));
        let arrived = Instant::now();
        if way != Way::EmptyCache {
            fabric.announce(name, Announcement::GratuitousRequest)?;
        }
        tokio::time::sleep(WATCHED).await;
        let mut figures = Figures::default();
        for stream in &streams {
            stream.stop().await;
            figures = figures.and(stream.ledger.figures(&[(gone, arrived)]));
        }
        outcomes.push(Outcome::Packets(figures));
    }
    Ok(outcomes)
}
