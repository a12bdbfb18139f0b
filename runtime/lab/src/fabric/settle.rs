//! When a fabric is ready to be played on: every agent controls its switch and has its peers, every VTEP knows every host.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use vouch_agent::AgentEventKind;

use super::Fabric;
use crate::error::LabError;
use crate::host::Announcement;
use crate::log::{Entry, Mark};

/// How long a fabric may take to settle, on a machine with better things to do.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a host that nobody has learned yet announces itself again: a punt may have been policed away.
const ANNOUNCE_AGAIN: Duration = Duration::from_millis(500);

impl Fabric {
    /// Wait until the fabric is ready.
    pub(super) async fn settle(&self) -> Result<(), LabError> {
        let deadline = Instant::now() + PATIENCE;
        self.agents_ready(deadline).await?;
        self.hosts_known(deadline).await
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
            let session = |peer: std::net::Ipv4Addr| {
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
                    let ways = [Announcement::GratuitousRequest, Announcement::UnsolicitedAdvertisement];
                    self.host(name)?.announce(&ways).await?;
                }
            }
            // Something is written, or it is time to announce again: both lead to another look.
            let _ = tokio::time::timeout_at(announce_at.min(deadline), written.changed()).await;
        }
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
