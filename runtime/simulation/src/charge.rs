//! Who speaks to peers, and is in charge of its switch: who is not speaks for nobody (METHOD, section 5).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use vouch_agent::AgentEventKind;
use vouch_mobility::VtepAddr;

/// How long an agent that has lost its switch may take to end its sessions.
const GRACE: Duration = Duration::from_secs(1);

/// What the agents say of themselves. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Charge {
    shared: Arc<Mutex<BTreeMap<usize, Known>>>,
}

#[derive(Default)]
struct Known {
    /// Since when it has not been in charge.
    lost: Option<Duration>,
    sessions: BTreeSet<VtepAddr>,
}

impl Charge {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Known>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An agent is gone.
    pub(crate) fn ends(&self, site: usize) {
        self.lock().remove(&site);
    }

    /// An agent says what has happened.
    pub(crate) fn event(&self, site: usize, event: &AgentEventKind, when: Duration) {
        let mut all = self.lock();
        let known = all.entry(site).or_default();
        match event {
            AgentEventKind::SwitchLost { .. } => {
                known.lost.get_or_insert(when);
            }
            AgentEventKind::SwitchReady { .. } => known.lost = None,
            AgentEventKind::PeerUp { peer } => {
                known.sessions.insert(*peer);
            }
            AgentEventKind::PeerDown { peer, .. } => {
                known.sessions.remove(peer);
            }
            _ => {}
        }
    }

    /// Whether somebody speaks who is not in charge.
    pub(crate) fn look(&self, now: Duration) -> Result<(), String> {
        for (site, known) in self.lock().iter() {
            if let (Some(since), Some(peer)) = (known.lost, known.sessions.first())
                && now > since + GRACE
            {
                let since = since.as_secs_f64();
                return Err(format!("agent {} lost its switch at {since:.3} s, and still speaks to {peer}", site + 1));
            }
        }
        Ok(())
    }
}
