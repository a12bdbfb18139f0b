//! Live migrations as hypervisors make them: the guest is paused at the source, goes on at the destination, and is announced
//! there by the hypervisor, sometimes too early.

use std::time::Duration;

use vouch_agent::AgentEventKind;
use vouch_mobility::Report;

use super::claim::{Claim, VerdictKind, expect_verdict};
use super::moves::{expect_interruption, expect_placed_at};
use super::{LEAD, MOVE_MS, Outcome, PATIENCE, acquaint, begin_stream};
use crate::error::LabError;
use crate::fabric::Fabric;
use crate::host::{Announcement, Habits, QEMU_ROUNDS};
use crate::topology::{ATTACKER, PortRef, Topology};

const SENDER: &str = "red2";
/// Guests, and how long each is paused, in milliseconds.
const GUESTS: [(&str, u64); 4] = [("vm20", 20), ("vm50", 50), ("vm100", 100), ("vm250", 250)];
const SOURCE: &str = "vtep1";
const DESTINATION: &str = "vtep3";
const TRUNK: u16 = 8;
/// How long the attacker takes to notice that a guest is paused.
const NOTICE: Duration = Duration::from_millis(5);

/// How often it claims to be the guest, per second.
const CLAIMS: u32 = 10;

fn seat(switch: &str, number: u8) -> PortRef {
    PortRef::on_trunk(switch, TRUNK, 100 + u16::from(number))
}

/// Guests behind one VTEP, each with a free seat behind another.
pub(super) fn with_guests() -> Topology {
    GUESTS.into_iter().zip(1..).fold(Topology::demo(), |topology, ((name, _), number)| {
        let topology = topology.with_guest(name, 10 + number, seat(SOURCE, number), Habits::default());
        topology.with_seat(seat(DESTINATION, number))
    })
}

/// While a guest is paused, somebody claims to be it and answers for it. Being first decides nothing: where the guest goes on
/// its traffic follows.
pub(super) async fn stunned(fabric: &mut Fabric) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    for ((name, stun), number) in GUESTS.into_iter().zip(1..) {
        let (rate, spec) = (fabric.stream_rate(), fabric.guest(name)?.host.clone());
        acquaint(fabric, SENDER, name).await?;
        let stream = fabric.host(SENDER)?.stream(fabric.host(name)?, rate).await?;
        stream.ledger().sends(LEAD, PATIENCE).await;
        fabric.host(ATTACKER)?.answer_for(Some(&spec)).await?;
        let claim = Claim::watch(fabric, name, DESTINATION, "RARP of the hypervisor")?;

        fabric
            .log()
            .note(format!("{name} is paused for {stun} ms; {ATTACKER} keeps claiming to be it and answers for it"));
        let goes_on = tokio::time::Instant::now() + Duration::from_millis(stun);
        fabric.host(name)?.pause().await?;
        tokio::time::sleep(NOTICE).await;
        fabric.host(ATTACKER)?.flood(Announcement::GratuitousReply.frame(&spec), CLAIMS).await?;
        tokio::time::sleep_until(goes_on).await;
        let moved = go_on(fabric, name, &seat(DESTINATION, number), stream.ledger().sent_so_far()).await?;

        stream.ledger().sends(u64::from(rate), PATIENCE).await;
        outcome.verdicts.extend(claim.standing(fabric));
        let report = stream.finish_since(moved).await?;
        expect_interruption(&mut outcome.expectations, MOVE_MS, &report);
        let limit = (f64::from(rate) * MOVE_MS / 1_000.0).ceil();
        outcome.expectations.at_most(format!("{name}: lost after it went on"), limit, report.lost as f64, "packets");
        outcome.streams.push(report);
        fabric.host(ATTACKER)?.stop_flood().await?;
        fabric.host(ATTACKER)?.answer_for(None).await?;
    }
    Ok(outcome)
}

/// A guest goes on at its destination, where the hypervisor announces it. Gives back what had been sent by then.
async fn go_on(fabric: &mut Fabric, name: &str, seat: &PortRef, sent: u64) -> Result<u64, LabError> {
    fabric.transfer(name, seat).await?;
    fabric.log().note(format!("{name} goes on at {seat}, where it is announced"));
    fabric.host(name)?.resume().await?;
    fabric.host(name)?.announce_in_rounds(&[Announcement::Rarp], &QEMU_ROUNDS).await?;
    Ok(sent)
}

const HOST: &str = "red1";
/// How long before its guest is paused a destination announces it, in milliseconds.
const EARLY: [u64; 5] = [900, 700, 450, 250, 60];
/// How long what was sent before a pause may be on its way, on a machine that stalls.
const IN_FLIGHT: Duration = Duration::from_secs(1);
/// How long the guest is paused.
const PAUSE: Duration = Duration::from_millis(30);

/// The destination announces a guest that is still at its source, again and again. It is refused, rightly; the announcement
/// that is true then wins all the same, and nobody is called an attacker.
pub(super) async fn early(fabric: &mut Fabric) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    let (rate, spec, seat) = (fabric.stream_rate(), fabric.guest(HOST)?.host.clone(), PortRef::new("vtep2", 4));
    let start = fabric.log().mark();
    let stream = begin_stream(fabric, "red3", HOST, rate).await?;
    stream.ledger().sends(LEAD, PATIENCE).await;

    let pause = tokio::time::Instant::now() + Duration::from_millis(EARLY[0]);
    for before in EARLY {
        tokio::time::sleep_until(pause - Duration::from_millis(before)).await;
        fabric.log().note(format!("{seat} announces {HOST}, which is still at its old place"));
        fabric.send_from(&seat, &Announcement::Rarp.frame(&spec))?;
    }
    tokio::time::sleep_until(pause).await;
    let before = stream.ledger().sent_so_far();
    stream.ledger().arrive(before, IN_FLIGHT).await;
    fabric.host(HOST)?.pause().await?;
    tokio::time::sleep(PAUSE).await;
    let claim = Claim::watch(fabric, HOST, &seat.switch, "RARP of the hypervisor")?;
    let moved = go_on(fabric, HOST, &seat, stream.ledger().sent_so_far()).await?;

    let verdict = claim.verdict(fabric, PATIENCE).await;
    expect_verdict(&mut outcome, "verdict on the move", VerdictKind::Moved, verdict);
    expect_placed_at(fabric, &mut outcome.expectations, HOST, &seat, PATIENCE).await?;
    stream.ledger().sends(LEAD, PATIENCE).await;
    let before = stream.ledger().report_of(0..before);
    outcome.expectations.equal("lost before it was paused", 0, before.lost);
    let after = stream.finish_since(moved).await?;
    expect_interruption(&mut outcome.expectations, MOVE_MS, &after);
    outcome.streams.extend([before, after]);
    let attacks = fabric.log().count(start, |_, kind| matches!(kind, AgentEventKind::Report(Report::Attack { .. })));
    outcome.expectations.equal("attacks reported", 0, attacks);
    Ok(outcome)
}

/// The other attacker, behind the guest's own switch.
pub(super) const INSIDER: &str = "eve";
/// How long an announced move is believed to be about to happen.
const ANNOUNCED: Duration = Duration::from_secs(10);
/// How long the announced move takes from its pause on.
const STUN: Duration = Duration::from_millis(60);

/// Somebody who knows says beforehand where the guest is going. Whoever else claims to be it has to prove that it is not there.
pub(super) async fn announced(fabric: &mut Fabric) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    let (rate, spec, seat) = (fabric.stream_rate(), fabric.guest(HOST)?.host.clone(), PortRef::new("vtep2", 4));
    let stream = begin_stream(fabric, "red3", HOST, rate).await?;
    stream.ledger().sends(LEAD, PATIENCE).await;
    fabric.expect_move(HOST, &seat.switch, ANNOUNCED).await?;

    fabric.log().note(format!("{INSIDER} keeps claiming to be {HOST} and answers for it"));
    fabric.host(INSIDER)?.answer_for(Some(&spec)).await?;
    fabric.host(INSIDER)?.flood(Announcement::GratuitousReply.frame(&spec), CLAIMS).await?;
    stream.ledger().sends(LEAD, PATIENCE).await;
    let before = stream.ledger().sent_so_far();
    stream.ledger().arrive(before, IN_FLIGHT).await;
    fabric.log().note(format!("{HOST} is paused for {} ms", STUN.as_millis()));
    fabric.host(HOST)?.pause().await?;
    tokio::time::sleep(STUN).await;
    let claim = Claim::watch(fabric, HOST, &seat.switch, "RARP of the hypervisor")?;
    let moved = go_on(fabric, HOST, &seat, stream.ledger().sent_so_far()).await?;

    let verdict = claim.verdict(fabric, PATIENCE).await;
    expect_verdict(&mut outcome, "verdict on the move", VerdictKind::Moved, verdict);
    expect_placed_at(fabric, &mut outcome.expectations, HOST, &seat, PATIENCE).await?;
    stream.ledger().sends(LEAD, PATIENCE).await;
    let before = stream.ledger().report_of(0..before);
    outcome.expectations.equal("lost before it was paused", 0, before.lost);
    let after = stream.finish_since(moved).await?;
    expect_interruption(&mut outcome.expectations, MOVE_MS, &after);
    outcome.streams.extend([before, after]);
    Ok(outcome)
}
