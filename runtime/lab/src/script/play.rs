//! A script on a fabric, step by step.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Script;
use super::document::{Step, Words};
use crate::error::LabError;
use crate::fabric::Fabric;
use crate::host::{Announcement, Stream};
use crate::scenario::claim::{Claim, VerdictKind, expect_verdict};
use crate::scenario::moves::{expect_interruption, expect_placed_at};
use crate::scenario::{LEAD, Outcome, PATIENCE, begin_stream};

impl Script {
    /// Play it.
    pub(crate) async fn play(&self, fabric: &mut Fabric) -> Result<Outcome, LabError> {
        let mut playing = Playing::default();
        for step in &self.steps {
            playing.step(step, fabric).await?;
        }
        Ok(playing.outcome)
    }
}

#[derive(Default)]
struct Playing {
    outcome: Outcome,
    streams: BTreeMap<(String, String), Stream>,
    /// The last of each host.
    claims: BTreeMap<String, Claim>,
}

impl Playing {
    async fn step(&mut self, step: &Step, fabric: &mut Fabric) -> Result<(), LabError> {
        match step {
            Step::Stream { from, to, rate } => self.stream(from, to, *rate, fabric).await?,
            Step::Stop { from, to, .. } => {
                if let Some(stream) = self.streams.remove(&(from.clone(), to.clone())) {
                    self.stop(step, stream).await?;
                }
            }
            Step::Ping { from, to, answered, within } => {
                let address = fabric.host(to)?.address();
                let answer = fabric.host(from)?.ping(address, within.0).await?.is_some();
                let words = |answered| if answered { "answered" } else { "not answered" };
                let name = format!("{from} pings {to}");
                self.outcome.expectations.equal(name, words(*answered), words(answer));
            }
            Step::Forge { by, of, with } => {
                let claim = Claim::forge(fabric, by, of, with.words(), with.announcement()).await?;
                self.claims.insert(of.clone(), claim);
            }
            Step::Impersonate { by, of } => {
                fabric.log().note(format!("{by} answers for {of} from now on"));
                fabric.host(by)?.answer_for(Some(&fabric.guest(of)?.host)).await?;
            }
            Step::Answer { host, how } => {
                fabric.log().note(format!("{host} answers otherwise from now on"));
                fabric.host(host)?.set_answers(how.0).await?;
            }
            Step::Move { host, to } => {
                self.watch(host, &to.0.switch, "ARP and RARP of the host", fabric)?;
                fabric.arrive(host, &to.0).await?;
                fabric.leave(host, &to.0).await?;
            }
            Step::Transfer { host, to } => {
                self.watch(host, &to.0.switch, "what the host says", fabric)?;
                fabric.log().note(format!("{host} moves to {}, and says nothing", to.0));
                fabric.transfer(host, &to.0).await?;
            }
            Step::Pause { host } => {
                fabric.log().note(format!("{host} is paused"));
                fabric.host(host)?.pause().await?;
            }
            Step::Resume { host } => {
                fabric.log().note(format!("{host} goes on"));
                fabric.host(host)?.resume().await?;
            }
            Step::Announce { host, with } => {
                let switch = fabric.place(host)?.switch.clone();
                self.watch(host, &switch, with.words(), fabric)?;
                fabric.log().note(format!("{host} announces itself by {}", with.words()));
                fabric.host(host)?.announce(&[with.announcement()]).await?;
            }
            Step::Link { of, up } => fabric.set_link(&of.0, *up).await?,
            Step::KillAgent { of } => {
                fabric.log().note(format!("the agent of {of} is killed"));
                fabric.kill_agent(of).await?;
            }
            Step::StartAgent { of } => {
                fabric.log().note(format!("the agent of {of} is started"));
                let there = fabric.start_agent(of, PATIENCE).await?;
                self.outcome.expectations.judge(format!("the agent of {of} has its switch"), "yes", yes(there), there);
            }
            Step::RestartSwitch { of } => fabric.restart_switch(of).await?,
            Step::ExpectMove { host, to, within } => fabric.expect_move(host, to, within.0).await?,
            Step::Wait(span) => tokio::time::sleep(span.0).await,
            Step::Verdict { of, is, at, within } => self.verdict(of, *is, at.as_deref(), within.0, fabric).await,
            Step::Placed { host, within } => {
                let place = fabric.place(host)?.clone();
                expect_placed_at(fabric, &mut self.outcome.expectations, host, &place, within.0).await?;
            }
        }
        Ok(())
    }

    fn watch(&mut self, host: &str, claimant: &str, by: &str, fabric: &Fabric) -> Result<(), LabError> {
        self.claims.insert(host.to_owned(), Claim::watch(fabric, host, claimant, by)?);
        Ok(())
    }

    async fn stream(&mut self, from: &str, to: &str, rate: Option<u32>, fabric: &Fabric) -> Result<(), LabError> {
        let stream = begin_stream(fabric, from, to, rate.unwrap_or(fabric.stream_rate())).await?;
        flow(&stream).await;
        self.streams.insert((from.to_owned(), to.to_owned()), stream);
        Ok(())
    }

    async fn stop(&mut self, step: &Step, stream: Stream) -> Result<(), LabError> {
        flow(&stream).await;
        let report = stream.finish().await?;
        let expectations = &mut self.outcome.expectations;
        if let Step::Stop { from, to, lost, misdelivered, copies, interruption } = step {
            let name = |what: &str| format!("{from} to {to}: {what}");
            if let Some(lost) = *lost {
                expectations.equal(name("lost"), lost, report.lost);
            }
            if let Some(misdelivered) = *misdelivered {
                expectations.equal(name("misdelivered"), misdelivered, report.misdelivered);
            }
            if let Some(copies) = *copies {
                expectations.equal_in_time(name("copies"), copies, report.copies);
            }
            if let Some(span) = interruption {
                expect_interruption(expectations, span.0.as_secs_f64() * 1e3, &report);
            }
        }
        self.outcome.streams.push(report);
        Ok(())
    }

    async fn verdict(&mut self, of: &str, is: VerdictKind, at: Option<&str>, within: Duration, fabric: &Fabric) {
        let verdict = match self.claims.get(of) {
            Some(claim) if is.is_open() => claim.open(fabric, is, at, within).await,
            Some(claim) => match at {
                Some(at) => claim.verdict_at(fabric, at, within).await,
                None => claim.verdict(fabric, within).await,
            },
            None => None,
        };
        let place = at.map(|at| format!(" at {at}")).unwrap_or_default();
        expect_verdict(&mut self.outcome, &format!("verdict on {of}{place}"), is, verdict);
    }
}

/// A stream that has not begun, or not gone on, measures nothing. One that stalls shows in what it has come to.
async fn flow(stream: &Stream) {
    stream.ledger().sends(LEAD, PATIENCE).await;
}

fn yes(it: bool) -> &'static str {
    if it { "yes" } else { "no" }
}

impl Words {
    fn announcement(self) -> Announcement {
        match self {
            Self::GratuitousRequest => Announcement::GratuitousRequest,
            Self::GratuitousReply => Announcement::GratuitousReply,
            Self::Rarp => Announcement::Rarp,
            Self::UnsolicitedAdvertisement => Announcement::UnsolicitedAdvertisement,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::GratuitousRequest => "gratuitous ARP request",
            Self::GratuitousReply => "gratuitous ARP reply",
            Self::Rarp => "RARP",
            Self::UnsolicitedAdvertisement => "unsolicited neighbour advertisement",
        }
    }
}
