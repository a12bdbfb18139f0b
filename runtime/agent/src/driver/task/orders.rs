//! What the operator asks and says.

use std::collections::BTreeMap;

use tokio::sync::oneshot;
use vouch_mobility::{HostKey, Location};
use vouch_tables::{EntryAction, EntryKey};

use super::super::status::AgentStatus;
use super::{Switch, Task};
use crate::events::Place;
use crate::orders::{Order, OrderError, What};

/// What the operator may ask.
pub(crate) enum Command {
    /// How are things?
    Status(oneshot::Sender<AgentStatus>),
    /// What is the switch to have?
    Wanted(oneshot::Sender<Option<BTreeMap<EntryKey, EntryAction>>>),
}

impl Task {
    pub(super) fn on_command(&mut self, command: Command) {
        match command {
            Command::Status(reply) => {
                // Whoever asked may have gone.
                let _ = reply.send(self.status());
            }
            Command::Wanted(reply) => {
                let wanted = self.core.as_mut().map(|core| core.wanted().all().clone());
                let _ = reply.send(wanted);
            }
        }
    }

    pub(super) fn on_order(&mut self, order: Order) {
        let Order { what, reply } = order;
        let followed = match what {
            What::ExpectMove { host, to, within } => {
                self.place(host, to).map(|to| self.feed(|core, now| core.expect_move(host, to, within, now)))
            }
            What::Settle { host, keep } => {
                self.place(host, keep).map(|keep| self.feed(|core, now| core.settle(host, keep, now)))
            }
        };
        // Whoever ordered it may have gone.
        let _ = reply.send(followed);
    }

    /// Where the operator means, if the host can be there.
    fn place(&self, host: HostKey, place: Place) -> Result<Location, OrderError> {
        let core = self.core.as_ref().ok_or(OrderError::NotReady)?;
        let vni = core.machine().config().vnis.get(&host.vni).ok_or(OrderError::UnknownVni)?;
        let location = core.location(place).ok_or(OrderError::UnknownPlace)?;
        let there = match &location {
            Location::Local(access) => vni.access.contains(access),
            Location::Remote(vtep) => vni.peers.contains(vtep),
        };
        if there { Ok(location) } else { Err(OrderError::UnknownPlace) }
    }

    fn status(&mut self) -> AgentStatus {
        let ready = matches!(self.switch, Switch::Ready { .. })
            && self.paused.is_none()
            && !self.stalled
            && self.read_back.is_none()
            && self.core.is_some();
        let mut counters = self.counters;
        let crowd = self.crowd.all_dropped();
        counters.packet_ins_dropped = self.session.dropped_packets() + crowd.values().sum::<u64>();
        counters.packets_dropped += self.outbox.frames_dropped();
        let peering = self.peers.as_ref().map(|peers| peers.handle.counters());
        AgentStatus::new(ready, self.core.as_mut(), counters, &crowd, peering)
    }
}
