//! A host that moves back and forth: each move is honest, and each must win, however many came before.

use vouch_agent::AgentEventKind;
use vouch_mobility::Report;

use super::claim::{Claim, VerdictKind, expect_verdict};
use super::{LEAD, MOVE_MS, Outcome, PATIENCE, begin_stream, expect_private, expect_reachable, moves};
use crate::error::LabError;
use crate::fabric::Fabric;
use crate::topology::PortRef;

const HOST: &str = "red1";
const SENDER: &str = "red3";
const MOVES: usize = 10;

pub(super) async fn play(fabric: &mut Fabric) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    let start = fabric.log().mark();
    let rate = fabric.stream_rate();
    let stream = begin_stream(fabric, SENDER, HOST, rate).await?;
    let mut here = fabric.place(HOST)?.clone();
    let mut there = PortRef::new("vtep2", 4);
    for number in 1..=MOVES {
        stream.ledger().sends(LEAD, PATIENCE).await;
        let claim = Claim::watch(fabric, HOST, &there.switch, format!("move {number}"))?;
        fabric.arrive(HOST, &there).await?;
        fabric.leave(HOST, &there).await?;
        let verdict = claim.verdict(fabric, PATIENCE).await;
        expect_verdict(&mut outcome, &format!("verdict on move {number}"), VerdictKind::Moved, verdict);
        let wrong = fabric.until_placed(HOST, &there, PATIENCE).await?;
        if !wrong.is_empty() {
            break;
        }
        std::mem::swap(&mut here, &mut there);
    }
    moves::expect_placed(fabric, &mut outcome.expectations, &here).await?;
    stream.ledger().sends(LEAD, PATIENCE).await;
    let report = stream.finish().await?;
    expect_private(fabric, &mut outcome.expectations, &report);
    moves::expect_interruption(&mut outcome.expectations, MOVE_MS, &report);
    outcome.streams.push(report);
    let attacks = fabric.log().count(start, |_, kind| matches!(kind, AgentEventKind::Report(Report::Attack { .. })));
    outcome.expectations.equal("attacks reported", 0, attacks);
    expect_reachable(fabric, &mut outcome.expectations, HOST, &["red2", "red3", "red4"]).await?;
    Ok(outcome)
}
