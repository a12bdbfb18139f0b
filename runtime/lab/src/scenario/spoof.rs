//! Attacks: somebody claims to be a host that is where it always was. Nothing must come of it.

use std::collections::BTreeMap;
use std::time::Duration;

use vouch_agent::AgentEventKind;
use vouch_mobility::{Message, Report};

use super::claim::{Claim, VerdictKind, expect_verdict};
use super::{LEAD, Outcome, PATIENCE, acquaint, expect_reachable, expect_untouched};
use crate::error::LabError;
use crate::fabric::Fabric;
use crate::host::{Announcement, Stream};
use crate::tables::{HostEntry, HostTable};
use crate::topology::ATTACKER;

/// How often the attacker repeats a frame that nobody has taken up: a refused claim is remembered for a while.
const REPEAT: Duration = Duration::from_millis(100);
/// How long the attacker keeps at it.
const PERSISTENCE: Duration = Duration::from_secs(6);
/// How long a host that may have been robbed gets for an answer.
const ANSWER: Duration = Duration::from_secs(2);
/// The data rate of a host that does not answer ARP: one packet in 5 ms.
const TALK: u32 = 200;

/// An attacked host, its traffic, and how things were before.
struct Attack<'a> {
    fabric: &'a Fabric,
    victim: &'static str,
    claimant: String,
    streams: Vec<Stream>,
    before: BTreeMap<String, HostTable>,
    outcome: Outcome,
}

/// Forged announcements behind another VTEP.
pub(super) async fn remote(fabric: &Fabric) -> Result<Outcome, LabError> {
    let mut attack = Attack::begin(fabric, "red1", &["red3", "red2"]).await?;
    // Which makes a theft permanent where a fabric falls for it.
    fabric.log().note(format!("{ATTACKER} answers ARP requests for red1 from now on"));
    fabric.host(ATTACKER)?.answer_for(Some(&fabric.guest("red1")?.host)).await?;
    let other = fabric.guest("red3")?.host.clone();
    for (what, forgery) in [
        // As a reply: its victim sees no request in it that it would answer, and so says nothing.
        ("gratuitous ARP", Announcement::GratuitousReply),
        ("ARP request", Announcement::ArpRequest { target: other.ipv4 }),
        ("ARP reply", Announcement::ArpReply { to: other.mac, target: other.ipv4 }),
        ("RARP", Announcement::Rarp),
    ] {
        if !attack.forge(what, forgery).await? {
            break;
        }
    }
    let start = crate::log::Mark::START;
    let reported = attack
        .fabric
        .log()
        .wait(start, ANSWER, |event| match &event.kind {
            AgentEventKind::Report(Report::Attack { refusals, .. }) => Some(*refusals),
            _ => None,
        })
        .await;
    let measured = reported.map_or("no".to_owned(), |_| "yes".to_owned());
    attack.outcome.expectations.judge("the attack is reported", "yes", measured, reported.is_some());
    attack.end(&["red2", "red3", "red4"]).await
}

/// A forged announcement that observers are told of at once, and that is withdrawn.
pub(super) async fn at_once(fabric: &Fabric) -> Result<Outcome, LabError> {
    let mut attack = Attack::begin(fabric, "red1", &["red3", "red2"]).await?;
    let start = fabric.log().mark();
    attack.forge("gratuitous ARP", Announcement::GratuitousRequest).await?;
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
    attack.forge("gratuitous ARP", Announcement::GratuitousRequest).await?;
    attack.end(&["red1", "red3"]).await
}

/// A forged announcement against a host that does not answer ARP, but talks.
pub(super) async fn silent(fabric: &Fabric) -> Result<Outcome, LabError> {
    let mut attack = Attack::begin(fabric, "red1", &["red3"]).await?;
    acquaint(fabric, "red1", "red3").await?;
    let victim = fabric.host("red1")?;
    fabric.log().note("red1 ignores ARP from now on, and sends data");
    victim.set_silent(true).await?;
    let talk = victim.stream(fabric.host("red3")?, TALK).await?;
    talk.ledger().sends(LEAD / 10, PATIENCE).await;
    attack.forge("gratuitous ARP", Announcement::GratuitousRequest).await?;
    let talk = talk.finish().await?;
    attack.outcome.expectations.equal("red1 to red3: lost", 0, talk.lost);
    victim.set_silent(false).await?;
    attack.end(&["red2", "red3"]).await
}

impl<'a> Attack<'a> {
    async fn begin(fabric: &'a Fabric, victim: &'static str, senders: &[&str]) -> Result<Self, LabError> {
        let claimant = fabric.place(ATTACKER)?.switch.clone();
        let before = fabric.tables().await?;
        let mut streams = Vec::new();
        for sender in senders {
            acquaint(fabric, sender, victim).await?;
            let rate = fabric.stream_rate();
            fabric.log().note(format!("a stream of {rate} packets/s runs from {sender} to {victim}"));
            streams.push(fabric.host(sender)?.stream(fabric.host(victim)?, rate).await?);
        }
        let attack = Self { fabric, victim, claimant, streams, before, outcome: Outcome::default() };
        attack.flow().await;
        Ok(attack)
    }

    /// Let the streams run for a while.
    async fn flow(&self) {
        for stream in &self.streams {
            // A stream that stalls shows in its rate.
            stream.ledger().sends(LEAD, PATIENCE).await;
        }
    }

    /// Have the attacker forge, as often as it takes to be heard; whether the victim withstood.
    async fn forge(&mut self, what: &str, forgery: Announcement) -> Result<bool, LabError> {
        let claim = Claim::watch(self.fabric, self.victim, &self.claimant, format!("forged {what}"))?;
        let frame = forgery.frame(&self.fabric.guest(self.victim)?.host);
        self.fabric.log().note(format!("{ATTACKER} sends a forged {what} that claims to be {}", self.victim));
        let deadline = tokio::time::Instant::now() + PERSISTENCE;
        loop {
            self.fabric.host(ATTACKER)?.send(frame.clone()).await?;
            if claim.raised(self.fabric, REPEAT).await || tokio::time::Instant::now() >= deadline {
                break;
            }
        }
        let verdict = claim.verdict(self.fabric, PERSISTENCE).await;
        Ok(expect_verdict(&mut self.outcome, &format!("verdict on the {what}"), VerdictKind::Stayed, verdict))
    }

    /// Stop the streams and check that nothing has changed.
    async fn end(mut self, reachable_by: &[&str]) -> Result<Outcome, LabError> {
        self.flow().await;
        for stream in std::mem::take(&mut self.streams) {
            let report = stream.finish().await?;
            expect_untouched(self.fabric, &mut self.outcome.expectations, &report);
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
