//! Honest moves: the host is really gone from its old place and really at the new one.

use std::time::Duration;

use vouch_agent::AgentEventKind;
use vouch_mobility::{During, HostKey};

use super::claim::{Claim, VerdictKind, expect_verdict};
use super::{LEAD, MOVE_MS, Outcome, PATIENCE, acquaint, begin_stream, expect_private, expect_reachable};
use crate::error::LabError;
use crate::expect::Expectations;
use crate::fabric::{Fabric, Variant};
use crate::topology::PortRef;
use crate::traffic::StreamReport;

const HOST: &str = "red1";
const SENDER: &str = "red3";
/// With both places served from the start, the old place is given up only when the new one is served: make before break. A
/// hypervisor that hands a guest over has this much time at least, from its queues alone.
const HANDOVER: Duration = Duration::from_millis(150);
/// The verdict of a host whose port is down, counted from its ARP, in milliseconds.
const AT_ONCE_MS: f64 = 50.0;

/// A move to another VTEP.
pub(super) async fn remote(fabric: &mut Fabric, variant: Variant) -> Result<Outcome, LabError> {
    relocate(fabric, variant, &PortRef::new("vtep2", 4)).await
}

/// A move to another port of the same switch.
pub(super) async fn local(fabric: &mut Fabric, variant: Variant) -> Result<Outcome, LabError> {
    relocate(fabric, variant, &PortRef::new("vtep1", 4)).await
}

async fn relocate(fabric: &mut Fabric, variant: Variant, seat: &PortRef) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    let stream = begin_stream(fabric, SENDER, HOST, fabric.stream_rate()).await?;
    stream.ledger().sends(LEAD, PATIENCE).await;

    let claim = Claim::watch(fabric, HOST, &seat.switch, "ARP and RARP of the host")?;
    let owner = fabric.place(HOST)?.switch.clone();
    let (log, mark) = (fabric.log().clone(), fabric.log().mark());
    fabric.arrive(HOST, seat).await?;
    match variant.during {
        During::Both => {
            let key = fabric.key(HOST)?;
            log.wait(mark, HANDOVER, |event| (*event.agent == *owner && serves_both(&event.kind, key)).then_some(()))
                .await;
        }
        During::Hold | During::Escalate => {}
    }
    fabric.leave(HOST, seat).await?;

    let verdict = claim.verdict(fabric, PATIENCE).await;
    expect_verdict(&mut outcome, "verdict on the move", VerdictKind::Moved, verdict);
    expect_placed(fabric, &mut outcome.expectations, seat).await?;
    stream.ledger().sends(LEAD, PATIENCE).await;
    let report = stream.finish().await?;
    expect_private(fabric, &mut outcome.expectations, &report);
    expect_brief(&mut outcome.expectations, variant, &report);
    outcome.streams.push(report);
    expect_reachable(fabric, &mut outcome.expectations, HOST, &["red2", "red3", "red4"]).await?;
    Ok(outcome)
}

/// A move after the link of the old place went down, which is all the evidence it takes.
pub(super) async fn link_down(fabric: &mut Fabric) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    let (old, seat) = (fabric.place(HOST)?.clone(), PortRef::new("vtep2", 4));
    acquaint(fabric, SENDER, HOST).await?;
    let mark = fabric.log().mark();
    fabric.set_link(&old, false).await?;
    let noticed = fabric
        .log()
        .wait(mark, PATIENCE, |event| match event.kind {
            AgentEventKind::Port { port, up: false } if port == old.port && *event.agent == *old.switch => Some(()),
            _ => None,
        })
        .await;
    let measured = if noticed.is_some() { "yes" } else { "no" };
    outcome.expectations.judge("the agent hears of the link", "yes", measured, noticed.is_some());

    let claim = Claim::watch(fabric, HOST, &seat.switch, "ARP and RARP of the host")?;
    fabric.arrive(HOST, &seat).await?;
    fabric.leave(HOST, &seat).await?;
    let stream = fabric.host(SENDER)?.stream(fabric.host(HOST)?, fabric.stream_rate()).await?;
    let verdict = claim.verdict(fabric, PATIENCE).await;
    let owner = claim.verdict_at(fabric, &old.switch, PATIENCE).await;
    let because = owner.and_then(|verdict| verdict.because).unwrap_or("no reason");
    let ms = verdict.as_ref().map_or(f64::NAN, |verdict| verdict.ms);
    expect_verdict(&mut outcome, "verdict on the move", VerdictKind::Moved, verdict);
    outcome.expectations.equal("the owner's reason", "its port was down", because);
    outcome.expectations.at_most("from ARP to verdict", AT_ONCE_MS, ms, "ms");
    expect_placed(fabric, &mut outcome.expectations, &seat).await?;
    stream.ledger().sends(LEAD, PATIENCE).await;
    let report = stream.finish().await?;
    expect_private(fabric, &mut outcome.expectations, &report);
    expect_interruption(&mut outcome.expectations, AT_ONCE_MS, &report);
    outcome.streams.push(report);
    fabric.set_link(&old, true).await?;
    expect_reachable(fabric, &mut outcome.expectations, HOST, &["red2", "red3", "red4"]).await?;
    Ok(outcome)
}

/// Whether an agent has just made its switch serve two places.
fn serves_both(kind: &AgentEventKind, host: HostKey) -> bool {
    let AgentEventKind::Written { changes } = kind else { return false };
    let mac = host.mac.to_string();
    changes.iter().any(|change| change.contains(&mac) && change.contains("both("))
}

/// Expect that every VTEP finds the host at its new place.
pub(super) async fn expect_placed(
    fabric: &Fabric,
    expectations: &mut Expectations,
    seat: &PortRef,
) -> Result<(), LabError> {
    expect_placed_at(fabric, expectations, HOST, seat, PATIENCE).await
}

/// Expect that every VTEP finds this host at its new place, after a while.
pub(crate) async fn expect_placed_at(
    fabric: &Fabric,
    expectations: &mut Expectations,
    host: &str,
    seat: &PortRef,
    patience: Duration,
) -> Result<(), LabError> {
    let wrong = fabric.until_placed(host, seat, patience).await?;
    let measured = if wrong.is_empty() { "yes".to_owned() } else { wrong.join("; ") };
    expectations.judge(format!("every VTEP has {host} at {seat}"), "yes", measured, wrong.is_empty());
    Ok(())
}

/// How long a verification may interrupt: with `hold` what the configuration says, and 20 ms for everything else.
fn expect_brief(expectations: &mut Expectations, variant: Variant, report: &StreamReport) {
    let limit = match variant.during {
        During::Hold => 320.0,
        During::Escalate => MOVE_MS,
        During::Both => return expectations.equal_in_time("lost", 0, report.lost),
    };
    expect_interruption(expectations, limit, report);
}

/// Expect that no more was lost in a row than is sent in `limit_ms`.
pub(crate) fn expect_interruption(expectations: &mut Expectations, limit_ms: f64, report: &StreamReport) {
    expectations.at_most("longest interruption", limit_ms, report.longest_loss_ms, "ms");
}
