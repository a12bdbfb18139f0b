//! When a fabric is ready to be played on: every agent controls its switch and has its peers, every VTEP knows every host.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use vouch_agent::AgentEventKind;

use super::Fabric;
use crate::error::LabError;
use crate::host::{Answers, Introduction};
use crate::log::{Entry, Mark};

/// How long a fabric may take to settle, on a machine with better things to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long hosts may take to be asked for the first time.
const ACQUAINTANCE: Duration = Duration::from_secs(4);
/// How often a host that nobody has learned yet announces itself again: a punt may have been policed away.
const ANNOUNCE_AGAIN: Duration = Duration::from_millis(500);

impl Fabric {
    /// Wait until the fabric is ready.
    pub(super) async fn settle(&self) -> Result<(), LabError> {
        let deadline = Instant::now() + PATIENCE;
        self.agents_ready(deadline).await?;
        self.hosts_known(deadline).await?;
        self.hosts_asked().await
    }

    /// Wait until each host that answers has been asked once, so that it is known how quickly it does. Agents that trust
    /// everybody ask nobody.
    async fn hosts_asked(&self) -> Result<(), LabError> {
        let deadline = Instant::now() + ACQUAINTANCE;
        for guest in self.topology.guests.iter().filter(|guest| guest.habits.answers != Answers::Never) {
            self.answered(&guest.host.name, Mark::START, deadline - Instant::now()).await?;
        }
        Ok(())
    }

    /// Wait until a host is asked by its VTEP after `mark`, at most `patience`; whether it is.
    pub async fn asked(&self, name: &str, mark: Mark, patience: Duration) -> Result<bool, LabError> {
        let (key, owner) = (self.key(name)?, &self.place(name)?.switch);
        let asked = self.log.wait(mark, patience, |event| match event.kind {
            AgentEventKind::Asked { host, .. } if host == key && *event.agent == **owner => Some(()),
            _ => None,
        });
        Ok(asked.await.is_some())
    }

    /// Wait until a host has answered a question of its VTEP's after `mark`, at most `patience`; whether it has.
    pub async fn answered(&self, name: &str, mark: Mark, patience: Duration) -> Result<bool, LabError> {
        let (key, owner) = (self.key(name)?, &self.place(name)?.switch);
        let answered = self.log.wait(mark, patience, |event| match event.kind {
            AgentEventKind::Answered { host, .. } if host == key && *event.agent == **owner => Some(()),
            _ => None,
        });
        Ok(answered.await.is_some())
    }

    async fn agents_ready(&self, deadline: Instant) -> Result<(), LabError> {
        let mut written = self.log.written();
        loop {
            written.borrow_and_update();
            let missing = self.missing_sessions();
            if missing.is_empty() {
                return Ok(());
            }
            if tokio::time::timeout_at(deadline, written.changed()).await.is_err() {
                return Err(LabError::NotSettled { seconds: PATIENCE.as_secs(), missing });
            }
        }
    }

    /// The sessions that are not there: agents without their switch, VTEPs without a peer.
    fn missing_sessions(&self) -> Vec<String> {
        let mut missing = BTreeSet::new();
        for switch in &self.topology.switches {
            missing.insert(format!("{} has no control of its switch", switch.name));
        }
        for (switch, _) in self.topology.vteps() {
            for (peer, _) in self.topology.vteps().filter(|(peer, _)| peer.name != switch.name) {
                missing.insert(format!("{} has no session with {}", switch.name, peer.name));
            }
        }
        for entry in self.log.since(Mark::START) {
            let Entry::Agent(event) = entry else { continue };
            let session = |peer: std::net::IpAddr| {
                let peer = self.topology.vtep_at(peer).map_or("somebody", |peer| &peer.name);
                format!("{} has no session with {peer}", event.agent)
            };
            match event.kind {
                AgentEventKind::SwitchReady { .. } => {
                    missing.remove(&format!("{} has no control of its switch", event.agent));
                }
                AgentEventKind::SwitchLost { .. } => {
                    missing.insert(format!("{} has no control of its switch", event.agent));
                }
                AgentEventKind::PeerUp { peer } => {
                    missing.remove(&session(peer.0));
                }
                AgentEventKind::PeerDown { peer, .. } => {
                    missing.insert(session(peer.0));
                }
                _ => {}
            }
        }
        missing.into_iter().collect()
    }

    async fn hosts_known(&self, deadline: Instant) -> Result<(), LabError> {
        let mut written = self.log.written();
        let mut announce_at = Instant::now();
        loop {
            written.borrow_and_update();
            let unknown = self.unknown_hosts().await?;
            if unknown.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let missing = unknown.into_values().flatten().collect();
                return Err(LabError::NotSettled { seconds: PATIENCE.as_secs(), missing });
            }
            if Instant::now() >= announce_at {
                announce_at = Instant::now() + ANNOUNCE_AGAIN;
                for name in unknown.keys() {
                    self.introduce(name).await?;
                }
            }
            // Something is written, or it is time to announce again: both lead to another look.
            let _ = tokio::time::timeout_at(announce_at.min(deadline), written.changed()).await;
        }
    }

    async fn introduce(&self, name: &str) -> Result<(), LabError> {
        let host = self.host(name)?;
        match self.guest(name)?.habits.introduction() {
            Introduction::Announcements(announcements) => host.announce(announcements).await?,
            Introduction::Greeting => host.greet().await?,
        }
        Ok(())
    }

    /// The hosts that some VTEP does not have where they are.
    async fn unknown_hosts(&self) -> Result<std::collections::BTreeMap<String, Vec<String>>, LabError> {
        let tables = self.tables().await?;
        let mut unknown = std::collections::BTreeMap::<String, Vec<String>>::new();
        for guest in &self.topology.guests {
            let name = &guest.host.name;
            let place = self.place(name)?;
            for (switch, table) in &tables {
                let entry = table.get(&(guest.vni, guest.host.mac));
                let right = self.reach(switch, place);
                if !entry.zip(right).is_some_and(|(entry, reach)| entry.is_at(&reach)) {
                    unknown.entry(name.clone()).or_default().push(format!("{switch} does not know {name}"));
                }
            }
        }
        Ok(unknown)
    }
}
