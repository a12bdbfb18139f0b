//! Address theft: somebody keeps its own MAC address and says that another host's IP addresses are there. No move is claimed,
//! and every neighbour that believes it sends the host's packets to the thief.

use std::net::IpAddr;

use super::{LEAD, Outcome, PATIENCE, expect_reachable, expect_untouched};
use crate::error::LabError;
use crate::fabric::Fabric;
use crate::host::{Announcement, HostSpec};
use crate::topology::ATTACKER;

const VICTIM: &str = "red1";
/// Beside the victim, beside the other attacker, and elsewhere.
const SENDERS: [&str; 3] = ["red3", "red2", "red4"];
/// Behind another VTEP than the victim's, and behind the same.
const THIEVES: [&str; 2] = [ATTACKER, "eve"];
/// How often each thief poisons each sender: what a neighbour table forgets or repairs in between does not help.
const ROUNDS: usize = 5;

pub(super) async fn play(fabric: &Fabric) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    let victim = fabric.guest(VICTIM)?.host.clone();
    let addresses: [IpAddr; 2] = [victim.ipv4.into(), victim.ipv6.into()];
    let mut streams = Vec::new();
    for address in addresses {
        for sender in SENDERS {
            fabric.host(sender)?.ping(address, PATIENCE).await?;
            let rate = fabric.stream_rate();
            fabric.log().note(format!("a stream of {rate} packets/s runs from {sender} to {address}"));
            streams.push(fabric.host(sender)?.stream_to(fabric.host(VICTIM)?, address, rate).await?);
        }
    }
    for thief in THIEVES {
        fabric.log().note(format!("{thief} says that {} and {} are at its own MAC address", victim.ipv4, victim.ipv6));
        let (name, mac) = (thief.to_owned(), fabric.guest(thief)?.host.mac);
        let forged = HostSpec { name, mac, ..victim.clone() };
        fabric.host(thief)?.answer_for(Some(&forged)).await?;
        for _ in 0..ROUNDS {
            poison(fabric, thief, &forged).await?;
            streams[0].ledger().sends(LEAD / 3, PATIENCE).await;
        }
    }
    for stream in &streams {
        stream.ledger().sends(LEAD, PATIENCE).await;
    }
    for stream in streams {
        let report = stream.finish().await?;
        expect_untouched(fabric, &mut outcome.expectations, &report);
        outcome.streams.push(report);
    }
    expect_reachable(fabric, &mut outcome.expectations, VICTIM, &SENDERS).await?;
    Ok(outcome)
}

/// In every way that a neighbour may believe.
async fn poison(fabric: &Fabric, thief: &str, forged: &HostSpec) -> Result<(), LabError> {
    let host = fabric.host(thief)?;
    for sender in SENDERS {
        let target = fabric.guest(sender)?.host.clone();
        host.send(Announcement::ArpReply { to: target.mac, target: target.ipv4 }.frame(forged)).await?;
        host.send(Announcement::ArpRequest { target: target.ipv4 }.frame(forged)).await?;
    }
    for announcement in
        [Announcement::GratuitousRequest, Announcement::GratuitousReply, Announcement::UnsolicitedAdvertisement]
    {
        host.send(announcement.frame(forged)).await?;
    }
    Ok(())
}
