//! An attacked host, its traffic, and how things were before: what all attacks on a host that is there have in common.

use std::collections::BTreeMap;
use std::time::Duration;

use super::claim::{Claim, PERSISTENCE, VerdictKind, expect_verdict};
use super::{LEAD, Outcome, PATIENCE, begin_stream, expect_kept, expect_reachable, expect_untouched};
use crate::error::LabError;
use crate::fabric::Fabric;
use crate::host::{Announcement, Stream};
use crate::tables::{HostEntry, HostTable};

/// How long the tables may take until they are as before.
const ANSWER: Duration = Duration::from_secs(2);

/// Who may see the traffic of an attacked host, beside the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copies {
    /// Nobody: the host answers at once.
    None,
    /// Whoever claims to be it, while the host cannot be heard.
    Allowed,
}

pub(super) struct Attack<'a> {
    fabric: &'a Fabric,
    victim: &'static str,
    copies: Copies,
    streams: Vec<Stream>,
    before: BTreeMap<String, HostTable>,
    pub(super) outcome: Outcome,
}

impl<'a> Attack<'a> {
    /// A stream runs to the victim from each of the senders.
    pub(super) async fn begin(fabric: &'a Fabric, victim: &'static str, senders: &[&str]) -> Result<Self, LabError> {
        let before = settled(fabric).await?;
        let mut streams = Vec::new();
        for sender in senders {
            streams.push(begin_stream(fabric, sender, victim, fabric.stream_rate()).await?);
        }
        let attack = Self { fabric, victim, copies: Copies::None, streams, before, outcome: Outcome::default() };
        attack.flow().await;
        Ok(attack)
    }

    /// Others may get copies.
    pub(super) fn allow_copies(mut self) -> Self {
        self.copies = Copies::Allowed;
        self
    }

    /// Let the streams run for a while.
    async fn flow(&self) {
        for stream in &self.streams {
            // A stream that stalls shows in its rate.
            stream.ledger().sends(LEAD, PATIENCE).await;
        }
    }

    /// Have an attacker answer for the victim, which makes a theft permanent where a fabric falls for it.
    pub(super) async fn impersonate(&self, attacker: &str) -> Result<(), LabError> {
        self.fabric.log().note(format!("{attacker} answers for {} from now on", self.victim));
        self.fabric.host(attacker)?.answer_for(Some(&self.fabric.guest(self.victim)?.host)).await?;
        Ok(())
    }

    /// Have an attacker forge, as often as it takes to be heard; whether the victim withstood.
    pub(super) async fn forge(&mut self, attacker: &str, what: &str, forgery: Announcement) -> Result<bool, LabError> {
        let claim = Claim::forge(self.fabric, attacker, self.victim, what, forgery).await?;
        let verdict = claim.verdict(self.fabric, PERSISTENCE).await;
        let name = format!("verdict on the {what} of {attacker}");
        Ok(expect_verdict(&mut self.outcome, &name, VerdictKind::Stayed, verdict))
    }

    /// Stop the streams and check that nothing has changed.
    pub(super) async fn end(mut self, reachable_by: &[&str]) -> Result<Outcome, LabError> {
        self.flow().await;
        for stream in std::mem::take(&mut self.streams) {
            let report = stream.finish().await?;
            match self.copies {
                Copies::None => expect_untouched(self.fabric, &mut self.outcome.expectations, &report),
                Copies::Allowed => expect_kept(self.fabric, &mut self.outcome.expectations, &report),
            }
            self.outcome.streams.push(report);
        }
        let changed = self.until_as_before().await?;
        let measured = if changed.is_empty() { "yes".to_owned() } else { changed.join("; ") };
        self.outcome.expectations.judge("the tables are as before", "yes", measured, changed.is_empty());
        expect_reachable(self.fabric, &mut self.outcome.expectations, self.victim, reachable_by).await?;
        Ok(self.outcome)
    }

    /// Wait until every switch has what it had; what still differs after a while.
    async fn until_as_before(&self) -> Result<Vec<String>, LabError> {
        let deadline = tokio::time::Instant::now() + ANSWER;
        let mut written = self.fabric.log().written();
        loop {
            written.borrow_and_update();
            let now = self.fabric.tables().await?;
            let changed = self.changes(&now);
            if changed.is_empty() || tokio::time::timeout_at(deadline, written.changed()).await.is_err() {
                return Ok(changed);
            }
        }
    }

    fn changes(&self, now: &BTreeMap<String, HostTable>) -> Vec<String> {
        let nothing = HostEntry::default();
        let mut changes = Vec::new();
        for guest in &self.fabric.topology().guests {
            let host = (guest.vni, guest.host.mac);
            for (switch, table) in now {
                let old = self.before.get(switch).and_then(|table| table.get(&host)).unwrap_or(&nothing);
                let new = table.get(&host).unwrap_or(&nothing);
                if !new.leads_where(old) {
                    changes.push(format!("{switch} has {} at {new}, was {old}", guest.host.name));
                }
            }
        }
        changes
    }
}

/// What the switches have once nobody claims anything, or after a while: a claim from before is taken up again by itself.
async fn settled(fabric: &Fabric) -> Result<BTreeMap<String, HostTable>, LabError> {
    let deadline = tokio::time::Instant::now() + ANSWER;
    let mut written = fabric.log().written();
    loop {
        written.borrow_and_update();
        let tables = fabric.tables().await?;
        let is_settled = tables.values().flat_map(HostTable::values).all(|entry| entry.claims.is_empty());
        if is_settled || tokio::time::timeout_at(deadline, written.changed()).await.is_err() {
            return Ok(tables);
        }
    }
}

/// Forge in one way after the other, until one succeeds.
pub(super) async fn forge_all(
    attack: &mut Attack<'_>,
    attacker: &str,
    forgeries: &[(&str, Announcement)],
) -> Result<(), LabError> {
    for (what, forgery) in forgeries {
        if !attack.forge(attacker, what, *forgery).await? {
            break;
        }
    }
    Ok(())
}
