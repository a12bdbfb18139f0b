//! Attacks: somebody claims to be a host that is where it always was. Nothing must come of it.

use std::time::Duration;

use vouch_agent::AgentEventKind;
use vouch_mobility::{Message, Report};

use super::attack::{Attack, forge_all};
use super::{LEAD, Outcome, PATIENCE, acquaint};
use crate::error::LabError;
use crate::fabric::Fabric;
use crate::host::{Announcement, Answers};
use crate::topology::ATTACKER;

/// How long what must be heard of may take.
const ANSWER: Duration = Duration::from_secs(2);
/// How often an attacker goes on to forge, and for how long: whoever announces a host for a second or two may only be early.
const EVERY: Duration = Duration::from_millis(500);
const PERSISTENCE: Duration = Duration::from_secs(12);
/// The data rate of a host that does not answer ARP: one packet in 5 ms.
const TALK: u32 = 200;

/// Forged announcements behind another VTEP.
pub(super) async fn remote(fabric: &Fabric) -> Result<Outcome, LabError> {
    let mut attack = Attack::begin(fabric, "red1", &["red3", "red2"]).await?;
    attack.impersonate(ATTACKER).await?;
    let other = fabric.guest("red3")?.host.clone();
    let forgeries = [
        // As a reply: its victim sees no request in it that it would answer, and so says nothing.
        ("gratuitous ARP", Announcement::GratuitousReply),
        ("ARP request", Announcement::ArpRequest { target: other.ipv4 }),
        ("ARP reply", Announcement::ArpReply { to: other.mac, target: other.ipv4 }),
        ("RARP", Announcement::Rarp),
    ];
    forge_all(&mut attack, ATTACKER, &forgeries).await?;
    fabric.log().note(format!("{ATTACKER} goes on"));
    let again = Announcement::Rarp.frame(&fabric.guest("red1")?.host);
    let deadline = tokio::time::Instant::now() + PERSISTENCE;
    let mut reported = None;
    while reported.is_none() && tokio::time::Instant::now() < deadline {
        fabric.host(ATTACKER)?.send(again.clone()).await?;
        let start = crate::log::Mark::START;
        reported = fabric
            .log()
            .wait(start, EVERY, |event| match &event.kind {
                AgentEventKind::Report(Report::Attack { refusals, .. }) => Some(*refusals),
                _ => None,
            })
            .await;
    }
    let measured = reported.map_or("no".to_owned(), |_| "yes".to_owned());
    attack.outcome.expectations.judge("the attack is reported", "yes", measured, reported.is_some());
    attack.end(&["red2", "red3", "red4"]).await
}

/// A forged announcement that observers are told of at once, and that is withdrawn.
pub(super) async fn at_once(fabric: &Fabric) -> Result<Outcome, LabError> {
    let mut attack = Attack::begin(fabric, "red1", &["red3", "red2"]).await?;
    let start = fabric.log().mark();
    attack.forge(ATTACKER, "gratuitous ARP", Announcement::GratuitousRequest).await?;
    let host = fabric.key("red1")?;
    let told = |withdrawn: bool| {
        let log = fabric.log();
        log.wait(start, ANSWER, move |event| match &event.kind {
            AgentEventKind::Received { message: Message::Advertisement(it), .. }
                if !withdrawn && it.host == host && *event.agent == *"vtep3" =>
            {
                Some(())
            }
            AgentEventKind::Received { message: Message::Withdrawal(it), .. }
                if withdrawn && it.host == host && *event.agent == *"vtep3" =>
            {
                Some(())
            }
            _ => None,
        })
    };
    for (name, withdrawn) in [("the observer is told at once", false), ("the observer gets the withdrawal", true)] {
        let held = told(withdrawn).await.is_some();
        attack.outcome.expectations.judge(name, "yes", if held { "yes" } else { "no" }, held);
    }
    attack.end(&["red2", "red3", "red4"]).await
}

/// A forged announcement on another port of the victim's own switch.
pub(super) async fn local(fabric: &Fabric) -> Result<Outcome, LabError> {
    let mut attack = Attack::begin(fabric, "red2", &["red3", "red1"]).await?;
    attack.forge(ATTACKER, "gratuitous ARP", Announcement::GratuitousRequest).await?;
    attack.end(&["red1", "red3"]).await
}

/// A forged announcement against a host that does not answer ARP, but talks.
pub(super) async fn silent(fabric: &Fabric) -> Result<Outcome, LabError> {
    let mut attack = Attack::begin(fabric, "red1", &["red3"]).await?;
    acquaint(fabric, "red1", "red3").await?;
    let victim = fabric.host("red1")?;
    fabric.log().note("red1 ignores ARP from now on, and sends data");
    victim.set_answers(Answers::Never).await?;
    let talk = victim.stream(fabric.host("red3")?, TALK).await?;
    talk.ledger().sends(LEAD / 10, PATIENCE).await;
    attack.forge(ATTACKER, "gratuitous ARP", Announcement::GratuitousRequest).await?;
    let talk = talk.finish().await?;
    attack.outcome.expectations.equal("red1 to red3: lost", 0, talk.lost);
    victim.set_answers(Answers::AtOnce).await?;
    attack.end(&["red2", "red3"]).await
}
