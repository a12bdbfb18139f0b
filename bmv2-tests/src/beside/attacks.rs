//! Who claims what is not his.

use std::time::Instant;

use vouch_lab::Announcement;

use super::{CLIENTS, Contender, Fabric, Outcome, RATE, names, plan};
use crate::linux::Failure;
use crate::linux::host::Stream;
use crate::linux::traffic::{Excused, Figures};
use crate::linux::world::Site;
use crate::rows::cast::{MALLORY, at};

/// What a host does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// Nothing, and nobody asks for it.
    Receives,
    /// It answers, and is asked for every second or so.
    Answers,
    /// It sends.
    Talks,
}

/// Packets per second of a host that talks.
const TALK: u32 = 20;
/// How long it is watched, in milliseconds.
const WATCHED: u64 = 10_000;
/// The time between two hosts.
const APART: u64 = 100;

/// A host's streams.
struct Watched {
    name: &'static str,
    to: Vec<Stream>,
    _from: Option<Stream>,
}

/// Streams from all clients to each host, and from the host if it talks.
async fn watch(fabric: &Fabric, names: &[&'static str], host: Host) -> Result<Vec<Watched>, Failure> {
    let mut watched = Vec::new();
    for name in names {
        let (mac, ip) = (fabric.spec(name)?.mac, fabric.spec(name)?.ipv4);
        let mut to = Vec::new();
        for client in CLIENTS {
            fabric.acquaint(client, name).await?;
            if host == Host::Answers {
                // The client's kernel asks again and again whether the host is still there.
                fabric.host(client)?.set("ipv4/neigh/eth0/base_reachable_time_ms", "500")?;
                fabric.host(client)?.set("ipv4/neigh/eth0/delay_first_probe_time", "1")?;
            } else {
                let permanent = format!("neighbour replace {ip} lladdr {mac} dev eth0 nud permanent");
                fabric.host(client)?.ip(&[&permanent])?;
            }
            to.push(fabric.stream(client, name, RATE)?);
        }
        if host == Host::Receives {
            // Whoever knows nobody asks nobody.
            fabric.host(name)?.ip(&["neighbour flush all"])?;
        }
        let from = if host == Host::Talks { Some(fabric.stream(name, CLIENTS[2], TALK)?) } else { None };
        watched.push(Watched { name, to, _from: from });
    }
    if let Some(first) = watched.first().and_then(|it| it.to.first()) {
        first.sends(u64::from(RATE)).await;
    }
    Ok(watched)
}

/// What became of each host's packets, but for those of the excused times.
async fn account(watched: Vec<Watched>, excused: impl Fn(&str) -> Vec<Excused>) -> Vec<Outcome> {
    watched.iter().flat_map(|it| &it.to).for_each(Stream::hush);
    let mut outcomes = Vec::new();
    for Watched { name, to, _from } in watched {
        let mut figures = Figures::default();
        for stream in &to {
            stream.stop().await;
            figures = figures.and(stream.ledger.figures(&excused(name)));
        }
        outcomes.push(Outcome::Packets(figures));
    }
    outcomes
}

/// A forged announcement for each host.
pub(super) async fn once(
    site: &Site,
    on: Contender,
    hosts: usize,
    host: Host,
    impersonated: bool,
) -> Result<Vec<Outcome>, Failure> {
    let names = names(hosts);
    let fabric = on.start(site, plan(names)).await?;
    let watched = watch(&fabric, names, host).await?;
    let (before, start) = (far_back(), Instant::now());
    for (number, name) in (0..).zip(names) {
        at(start, number * APART).await;
        if impersonated {
            fabric.impersonate(MALLORY, name, true)?;
        }
        fabric.forge(MALLORY, Announcement::GratuitousReply, name)?;
    }
    at(start, WATCHED).await;
    Ok(account(watched, |_| vec![(before, start)]).await)
}

/// Ten a second, for 20 s, and the time after that.
pub(super) async fn again_and_again(site: &Site, on: Contender, hosts: usize) -> Result<Vec<Outcome>, Failure> {
    let names = names(hosts);
    let fabric = on.start(site, plan(names)).await?;
    let watched = watch(&fabric, names, Host::Talks).await?;
    let (before, start) = (far_back(), Instant::now());
    for round in 0..200 {
        at(start, round * 100).await;
        for name in names {
            fabric.forge(MALLORY, Announcement::GratuitousReply, name)?;
        }
    }
    at(start, 20_000 + WATCHED).await;
    Ok(account(watched, |_| vec![(before, start)]).await)
}

/// What is sent to a host while it is not there is not counted.
pub(super) async fn reboot(site: &Site, on: Contender, hosts: usize) -> Result<Vec<Outcome>, Failure> {
    let names = names(hosts);
    let fabric = on.start(site, plan(names)).await?;
    let watched = watch(&fabric, names, Host::Talks).await?;
    let (before, start) = (far_back(), Instant::now());
    names.iter().for_each(|name| fabric.pause(name, true));
    at(start, 500).await;
    for name in names {
        fabric.impersonate(MALLORY, name, true)?;
        fabric.forge(MALLORY, Announcement::GratuitousReply, name)?;
    }
    at(start, 3_000).await;
    names.iter().for_each(|name| fabric.pause(name, false));
    let back = Instant::now();
    at(start, 3_000 + WATCHED).await;
    Ok(account(watched, |_| vec![(before, back)]).await)
}

/// Before anything was sent.
fn far_back() -> Instant {
    let now = Instant::now();
    now.checked_sub(std::time::Duration::from_secs(3_600)).unwrap_or(now)
}
