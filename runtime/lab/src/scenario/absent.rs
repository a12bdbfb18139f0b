//! Hosts that cannot be heard for a while, or never: what is claimed meanwhile proves nothing.

use std::time::Duration;

use vouch_agent::AgentEventKind;
use vouch_mobility::Report;

use super::claim::Claim;
use super::moves::expect_interruption;
use super::{LEAD, Outcome, PATIENCE, acquaint, begin_stream, expect_kept};
use crate::error::LabError;
use crate::fabric::Fabric;
use crate::host::{Announcement, Answers, Habits, QEMU_ROUNDS};
use crate::topology::{ATTACKER, PortRef, Topology};

const SENDER: &str = "red3";
const MUTE: &str = "mute";
/// How often the attacker claims to be the host, per second.
const CLAIMS: u32 = 10;

/// One more host, which never answers and never says anything but by broadcast data when it comes.
pub(super) fn with_mute() -> Topology {
    let habits = Habits { answers: Answers::Never, ..Habits::default() };
    Topology::demo().with_guest(MUTE, 9, PortRef::new("vtep1", 8), habits)
}

/// How long a host of which nothing can be expected may be claimed, in milliseconds: far longer than an answer is waited for.
const CLAIMED_MS: u32 = 2_000;
/// The interruption that a move of such a host may cost: until an answer would be overdue, in milliseconds.
const MUTE_MOVE_MS: f64 = 70.0;

/// Nothing is known that a mute host was going to answer: while it is claimed it keeps its traffic, whoever else gets copies.
/// When it really moves it is the other way round, and it has its traffic again.
pub(super) async fn mute(fabric: &mut Fabric) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    let (rate, spec) = (fabric.stream_rate(), fabric.guest(MUTE)?.host.clone());
    fabric.host(SENDER)?.know(&spec).await?;
    fabric.log().note(format!("a stream of {rate} packets/s runs from {SENDER} to {MUTE}, which never answers"));
    let stream = fabric.host(SENDER)?.stream(fabric.host(MUTE)?, rate).await?;
    stream.ledger().sends(LEAD, PATIENCE).await;

    let claim = Claim::watch(fabric, MUTE, &fabric.place(ATTACKER)?.switch, "forged RARP")?;
    fabric.log().note(format!("{ATTACKER} claims to be {MUTE} and answers for it"));
    fabric.host(ATTACKER)?.answer_for(Some(&spec)).await?;
    fabric.host(ATTACKER)?.send(Announcement::Rarp.frame(&spec)).await?;
    stream.ledger().sends(u64::from(rate * CLAIMED_MS / 1_000), PATIENCE).await;
    let claimed = stream.ledger().sent_so_far();
    // What was sent last is still on its way.
    stream.ledger().sends(LEAD, PATIENCE).await;
    outcome.verdicts.extend(claim.standing(fabric));
    let claimed = stream.ledger().report_of(0..claimed);
    expect_kept(fabric, &mut outcome.expectations, &claimed);

    let seat = PortRef::new("vtep3", 4);
    fabric
        .log()
        .note(format!("{ATTACKER} goes away; {MUTE} really moves to {seat}, where its hypervisor announces it"));
    let _wire = fabric.host(ATTACKER)?.unplug().await?;
    let moved = stream.ledger().sent_so_far();
    fabric.transfer(MUTE, &seat).await?;
    fabric.host(MUTE)?.announce_in_rounds(&[Announcement::Rarp], &QEMU_ROUNDS).await?;
    stream.ledger().sends(u64::from(rate), PATIENCE).await;
    let settled = stream.ledger().sent_so_far();
    stream.ledger().sends(LEAD, PATIENCE).await;
    let lost = stream.ledger().report_of(settled..settled + LEAD / 2).lost;
    outcome.expectations.equal("lost a second after the move", 0, lost);
    let after = stream.finish_since(moved).await?;
    expect_interruption(&mut outcome.expectations, MUTE_MOVE_MS, &after);
    outcome.streams.extend([claimed, after]);
    Ok(outcome)
}

const HOST: &str = "red1";
/// How long a host takes to reboot.
const REBOOT: Duration = Duration::from_secs(3);
/// The data rate of the host when it is back.
const TALK: u32 = 200;

/// The host says nothing for as long as a reboot takes; somebody claims to be it from then on and answers for it. When it is
/// back, it has its traffic again, and nobody takes it for the thief.
pub(super) async fn reboot(fabric: &Fabric) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    let (rate, spec, host) = (fabric.stream_rate(), fabric.guest(HOST)?.host.clone(), fabric.host(HOST)?);
    let stream = begin_stream(fabric, SENDER, HOST, rate).await?;
    stream.ledger().sends(LEAD, PATIENCE).await;

    let (start, back) = (fabric.log().mark(), tokio::time::Instant::now() + REBOOT);
    fabric.log().note(format!("{HOST} reboots; {ATTACKER} keeps claiming to be it and answers for it"));
    host.power_off().await?;
    fabric.host(ATTACKER)?.answer_for(Some(&spec)).await?;
    let claim = Claim::watch(fabric, HOST, &fabric.place(ATTACKER)?.switch, "forged ARP")?;
    fabric.host(ATTACKER)?.flood(Announcement::GratuitousReply.frame(&spec), CLAIMS).await?;
    tokio::time::sleep_until(back).await;
    outcome.verdicts.extend(claim.standing(fabric));

    fabric.log().note(format!("{HOST} is back and talks"));
    host.resume().await?;
    host.announce(&[Announcement::GratuitousRequest]).await?;
    let reached = acquaint(fabric, HOST, SENDER).await?;
    outcome.expectations.judge(format!("{HOST} reaches {SENDER}"), "yes", if reached { "yes" } else { "no" }, reached);
    let talk = host.stream(fabric.host(SENDER)?, TALK).await?;
    let first = stream.ledger().sent_so_far();
    stream.ledger().sends(LEAD * 3, PATIENCE).await;
    let report = stream.finish_since(first).await?;
    expect_kept(fabric, &mut outcome.expectations, &report);
    let talk = talk.finish().await?;
    outcome.expectations.equal(format!("{HOST} to {SENDER}: lost"), 0, talk.lost);
    outcome.streams.extend([report, talk]);

    let (key, owner) = (fabric.key(HOST)?, &fabric.place(HOST)?.switch);
    let blamed = fabric.log().count(start, |agent, kind| {
        agent == owner && matches!(kind, AgentEventKind::Report(Report::Attack { host, .. }) if *host == key)
    });
    outcome.expectations.equal("times its own port is reported as the attacker's", 0, blamed);
    Ok(outcome)
}
