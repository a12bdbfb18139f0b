//! One claim to a host, watched from the first frame to the verdict.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use vouch_agent::AgentEventKind;
use vouch_mobility::{HostKey, Report};

use crate::error::LabError;
use crate::fabric::Fabric;
use crate::host::Announcement;
use crate::log::Mark;
use crate::show::because_word;

/// How a claim ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictKind {
    /// The host is where it was.
    Stayed,
    /// The host is where it was claimed to be.
    Moved,
    /// Nothing proves either; it may be in both places.
    Unproven,
    /// It answers in both places.
    Contested,
}

impl VerdictKind {
    /// Whether the claim is still open.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Unproven | Self::Contested)
    }
}

impl std::fmt::Display for VerdictKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            VerdictKind::Stayed => "stayed",
            VerdictKind::Moved => "moved",
            VerdictKind::Unproven => "unproven",
            VerdictKind::Contested => "contested",
        })
    }
}

/// A verdict as one VTEP saw it.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The host.
    pub host: String,
    /// What it was claimed with.
    pub claimed_by: String,
    /// What came of it.
    pub verdict: VerdictKind,
    /// What made a move credible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<&'static str>,
    /// From the first frame of the claim to the verdict, both at the claimant; milliseconds.
    pub ms: f64,
}

/// How often the attacker repeats a frame that nobody has taken up: a refused claim is remembered for a while.
const REPEAT: Duration = Duration::from_millis(100);
/// How long the attacker keeps at it.
pub(crate) const PERSISTENCE: Duration = Duration::from_secs(6);

/// A claim that is about to be made.
pub(crate) struct Claim {
    host: String,
    key: HostKey,
    claimed_by: String,
    claimant: String,
    since: Mark,
}

impl Claim {
    /// Watch for claims to `host` at the VTEP `claimant` from now on.
    pub(crate) fn watch(
        fabric: &Fabric,
        host: &str,
        claimant: &str,
        claimed_by: impl Into<String>,
    ) -> Result<Self, LabError> {
        Ok(Self {
            host: host.to_owned(),
            key: fabric.key(host)?,
            claimed_by: claimed_by.into(),
            claimant: claimant.to_owned(),
            since: fabric.log().mark(),
        })
    }

    /// Have an attacker forge, as often as it takes to be heard.
    pub(crate) async fn forge(
        fabric: &Fabric,
        attacker: &str,
        victim: &str,
        what: &str,
        forgery: Announcement,
    ) -> Result<Self, LabError> {
        let claimant = &fabric.place(attacker)?.switch;
        let claim = Self::watch(fabric, victim, claimant, format!("forged {what}"))?;
        let frame = forgery.frame(&fabric.guest(victim)?.host);
        fabric.log().note(format!("{attacker} sends a forged {what} that claims to be {victim}"));
        let deadline = tokio::time::Instant::now() + PERSISTENCE;
        loop {
            fabric.host(attacker)?.send(frame.clone()).await?;
            if claim.raised(fabric, REPEAT).await || tokio::time::Instant::now() >= deadline {
                return Ok(claim);
            }
        }
    }

    /// Wait until the claim stands like this, as one VTEP reports it, or any.
    pub(crate) async fn open(
        &self,
        fabric: &Fabric,
        wanted: VerdictKind,
        agent: Option<&str>,
        patience: Duration,
    ) -> Option<Verdict> {
        let at = fabric.log().wait(self.since, patience, |event| {
            if agent.is_some_and(|agent| *event.agent != *agent) {
                return None;
            }
            match event.kind {
                AgentEventKind::Report(Report::Unproven { host, .. }) if wanted == VerdictKind::Unproven => {
                    (host == self.key).then_some(event.at)
                }
                AgentEventKind::Report(Report::Contested { host, .. }) if wanted == VerdictKind::Contested => {
                    (host == self.key).then_some(event.at)
                }
                _ => None,
            }
        });
        let at = at.await?;
        Some(self.reached(wanted, None, self.heard(fabric), at))
    }

    /// Wait until the claimant has taken the claim up; whether it did.
    pub(crate) async fn raised(&self, fabric: &Fabric, patience: Duration) -> bool {
        let raised = fabric.log().wait(self.since, patience, |event| match &event.kind {
            AgentEventKind::Report(Report::ClaimRaised { host, .. } | Report::Moved { host, .. })
                if *host == self.key && *event.agent == *self.claimant =>
            {
                Some(())
            }
            _ => None,
        });
        raised.await.is_some()
    }

    /// Wait for the verdict as the claimant learns it.
    pub(crate) async fn verdict(&self, fabric: &Fabric, patience: Duration) -> Option<Verdict> {
        self.verdict_at(fabric, &self.claimant, patience).await
    }

    /// Wait for the verdict as the VTEP `agent` reports it.
    pub(crate) async fn verdict_at(&self, fabric: &Fabric, agent: &str, patience: Duration) -> Option<Verdict> {
        let (at, verdict, because) = fabric
            .log()
            .wait(self.since, patience, |event| {
                if *event.agent != *agent {
                    return None;
                }
                match &event.kind {
                    AgentEventKind::Report(Report::Stayed { host, .. }) if *host == self.key => {
                        Some((event.at, VerdictKind::Stayed, None))
                    }
                    AgentEventKind::Report(Report::Moved { host, because, .. }) if *host == self.key => {
                        Some((event.at, VerdictKind::Moved, Some(because_word(*because))))
                    }
                    _ => None,
                }
            })
            .await?;
        Some(self.reached(verdict, because, self.heard(fabric), at))
    }

    /// What has come of the claim so far, as the first VTEP that says so sees it: where nothing proves anything there is no
    /// verdict to wait for.
    pub(crate) fn standing(&self, fabric: &Fabric) -> Option<Verdict> {
        let (mut heard, mut last) = (None, None);
        for entry in fabric.log().since(self.since) {
            let crate::log::Entry::Agent(event) = entry else { continue };
            let kind = match event.kind {
                AgentEventKind::Heard { host, .. } if host == self.key && heard.is_none() => {
                    heard = Some(event.at);
                    continue;
                }
                AgentEventKind::Report(Report::Stayed { host, .. }) if host == self.key => VerdictKind::Stayed,
                AgentEventKind::Report(Report::Moved { host, .. }) if host == self.key => VerdictKind::Moved,
                AgentEventKind::Report(Report::Unproven { host, .. }) if host == self.key => VerdictKind::Unproven,
                AgentEventKind::Report(Report::Contested { host, .. }) if host == self.key => VerdictKind::Contested,
                _ => continue,
            };
            if last.is_none_or(|(_, known)| known != kind) {
                last = Some((event.at, kind));
            }
        }
        let (at, verdict) = last?;
        Some(self.reached(verdict, None, heard, at))
    }

    /// What came of it at `at`, counted from when it was heard, if it was.
    fn reached(
        &self,
        verdict: VerdictKind,
        because: Option<&'static str>,
        heard: Option<Instant>,
        at: Instant,
    ) -> Verdict {
        let ms = heard.map_or(0.0, |heard| at.saturating_duration_since(heard).as_secs_f64() * 1e3);
        let (host, claimed_by) = (self.host.clone(), self.claimed_by.clone());
        Verdict { host, claimed_by, verdict, because, ms: (ms * 100.0).round() / 100.0 }
    }

    /// When the claimant heard the frame that it took the claim up for: the last one before the claim was raised.
    fn heard(&self, fabric: &Fabric) -> Option<Instant> {
        let mut heard = None;
        for entry in fabric.log().since(self.since) {
            let crate::log::Entry::Agent(event) = entry else { continue };
            if *event.agent != *self.claimant {
                continue;
            }
            match event.kind {
                AgentEventKind::Heard { host, .. } if host == self.key => heard = Some(event.at),
                AgentEventKind::Report(
                    Report::ClaimRaised { host, .. } | Report::Stayed { host, .. } | Report::Moved { host, .. },
                ) if host == self.key => return heard,
                _ => {}
            }
        }
        heard
    }
}

/// Expect a verdict, and keep it.
pub(crate) fn expect_verdict(
    outcome: &mut super::Outcome,
    name: &str,
    expected: VerdictKind,
    verdict: Option<Verdict>,
) -> bool {
    let measured = verdict.as_ref().map_or("none".to_owned(), |verdict| verdict.verdict.to_string());
    let held = verdict.as_ref().is_some_and(|verdict| verdict.verdict == expected);
    outcome.expectations.judge(name, &expected.to_string(), measured, held);
    outcome.verdicts.extend(verdict);
    held
}
