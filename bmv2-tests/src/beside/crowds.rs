//! A server's worth of hosts.

use std::time::{Duration, Instant};

use vouch_lab::{Announcement, HostSpec};

use super::{Contender, Fabric, Outcome, names, plan};
use crate::linux::Failure;
use crate::linux::node::Part;
use crate::linux::plan::{Access, member};
use crate::linux::world::Site;
use crate::rows::cast::at;

/// The crowd's name at the patch panel.
const SERVER: &str = "server";
/// How long a crowd may take until it is known, and until it has moved.
const PATIENCE: Duration = Duration::from_secs(90);
const LOOK: Duration = Duration::from_millis(20);
/// How many announcements are sent at once before the hosts move, and how many milliseconds lie between them.
const AT_ONCE: usize = 100;
const APART: u64 = 50;

/// Bring a fabric up that knows so many hosts behind a port of the first VTEP.
async fn known(site: &Site, on: Contender, count: u32) -> Result<(Fabric, Vec<HostSpec>), Failure> {
    let plan = plan(names(1)).free(from()).free(to());
    let mut fabric = on.start(site, plan).await?;
    let members: Vec<HostSpec> = (0..count).map(member).collect();
    fabric.crowd(SERVER, &members, from());
    let start = Instant::now();
    while fabric.behind(&members, &from()).await? > 0 {
        if start.elapsed() >= PATIENCE {
            return Err(format!("{} of {count} hosts are not known", fabric.behind(&members, &from()).await?).into());
        }
        let begun = Instant::now();
        for (chunk, time) in members.chunks(AT_ONCE).zip((0..).step_by(APART as usize)) {
            at(begun, time).await;
            announce(&fabric, chunk);
        }
    }
    // Who asks hosts from time to time has asked each of them by then: those that were never asked are no hosts that answer.
    while matches!(fabric, Fabric::Vouch(_)) && fabric.answered(SERVER) < members.len() && start.elapsed() < PATIENCE {
        tokio::time::sleep(LOOK).await;
    }
    Ok((fabric, members))
}

/// All of them move to the second VTEP, and announce themselves once.
pub(super) async fn all_at_once(site: &Site, on: Contender, goes: usize, count: u32) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    for _ in 0..goes.max(1) {
        let (mut fabric, members) = known(site, on, count).await?;
        fabric.plug(SERVER, Some(to()));
        let start = Instant::now();
        announce(&fabric, &members);
        // Reading whole tables takes the time of who is measured: at first only a few are looked at.
        let few: Vec<HostSpec> = members.iter().rev().step_by(members.len().div_ceil(32)).cloned().collect();
        let took = loop {
            if fabric.behind(&few, &to()).await? == 0 {
                let took = start.elapsed();
                if fabric.behind(&members, &to()).await? == 0 {
                    break Some(took);
                }
            }
            if start.elapsed() >= PATIENCE / 3 {
                break None;
            }
            tokio::time::sleep(LOOK).await;
        };
        let behind = if took.is_some() { 0 } else { fabric.behind(&members, &to()).await? };
        outcomes.push(Outcome::Moved { took, behind });
    }
    Ok(outcomes)
}

/// What the agent, or zebra and bgpd, of the first VTEP have had at most once so many hosts are known.
pub(super) async fn memory(site: &Site, on: Contender, count: u32) -> Result<Vec<Outcome>, Failure> {
    let (mut fabric, _members) = known(site, on, count).await?;
    Ok(vec![Outcome::Memory(match &mut fabric {
        Fabric::Vouch(world) => world.node("vtep1")?.usage(Part::Agent)?.peak,
        Fabric::Frr(evpn) => evpn.memory()?,
    })])
}

fn announce(fabric: &Fabric, members: &[HostSpec]) {
    for member in members {
        fabric.send(SERVER, &Announcement::GratuitousRequest.frame(member));
    }
}

fn from() -> Access {
    Access::red(1, 3)
}

fn to() -> Access {
    Access::red(2, 3)
}
