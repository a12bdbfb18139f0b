//! What the operator asks and says.

use std::collections::BTreeMap;

use tokio::sync::oneshot;
use vouch_mobility::{Census, Clear, HostKey, Location, Phase};
use vouch_p4runtime::client::Session;
use vouch_tables::{EntryAction, EntryKey};

use super::super::status::{AgentStatus, TaskCounters};
use super::super::switch::Program;
use super::{Switch, Task};
use crate::events::Place;
use crate::metrics;
use crate::orders::{Order, OrderError, What};

/// What the operator may ask.
pub(crate) enum Command {
    /// How are things?
    Status(oneshot::Sender<AgentStatus>),
    /// Is the switch ours, and its tables as wanted?
    Ready(oneshot::Sender<bool>),
    /// How much is there of everything but hosts?
    Tally(oneshot::Sender<Tallied>),
    /// How many hosts are there after this one? Those are added, some at a time; and after whom to go on.
    Count(Census, Option<HostKey>, oneshot::Sender<(Census, Option<HostKey>)>),
    /// Read the certificates again.
    Renew(oneshot::Sender<Result<(), String>>),
    /// What is the switch to have?
    Wanted(oneshot::Sender<Option<BTreeMap<EntryKey, EntryAction>>>),
}

/// How much there is, and where to ask what the switch has dropped, if it can be asked.
pub(crate) struct Tallied {
    pub(crate) tally: metrics::Tally,
    pub(crate) drops: Option<(Session, Program)>,
}

impl Task {
    pub(super) fn on_command(&mut self, command: Command) {
        match command {
            Command::Status(reply) => {
                // Whoever asked may have gone.
                let _ = reply.send(self.status());
            }
            Command::Ready(reply) => {
                let _ = reply.send(self.is_ready());
            }
            Command::Tally(reply) => {
                let _ = reply.send(self.figures());
            }
            Command::Count(mut census, after, reply) => {
                let next = self.count(&mut census, after);
                let _ = reply.send((census, next));
            }
            Command::Renew(reply) => {
                let renewed = self.peers.as_ref().map_or(Ok(()), |peers| peers.handle.renew());
                let _ = reply.send(renewed.map_err(|error| error.to_string()));
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
            What::Drain { on } => self.drain(on),
        };
        // Whoever ordered it may have gone.
        let _ = reply.send(followed);
    }

    /// Has a host asked now; why not, if it is not.
    pub(crate) fn probe_now(&mut self, host: HostKey) -> Result<(), String> {
        let core = self.core.as_ref().ok_or_else(|| OrderError::NotReady.to_string())?;
        if !matches!(self.switch, Switch::Ready { .. }) || self.paused.is_some() {
            return Err("the agent does not have its switch now, and can ask nobody".to_owned());
        }
        let info = core.machine().host(&host).ok_or_else(|| format!("{host} is not known here"))?;
        match (info.location, info.phase) {
            (Some(Location::Remote(vtep)), _) => {
                let name = core.vtep_name(vtep);
                Err(format!("{host} is behind {name}: ask the agent there"))
            }
            (None, _) | (_, Phase::Sought) => Err(format!("{host} is being looked for at all ports already")),
            (Some(Location::Local(_)), Phase::Settled) => {
                self.feed(|core, now| core.ask_now(host, now));
                Ok(())
            }
            (Some(Location::Local(_)), _) => Err(format!("{host} is being asked already, as it is claimed")),
        }
    }

    /// Has something of a host's past forgotten. Of how many ports.
    pub(crate) fn clear(&mut self, host: HostKey, what: Clear) -> Result<u32, OrderError> {
        let now = self.now();
        let core = self.core.as_mut().ok_or(OrderError::NotReady)?;
        if !core.machine().config().vnis.contains_key(&host.vni) {
            return Err(OrderError::UnknownVni);
        }
        let cleared = match what {
            Clear::Refusals => core.machine().refused(now).filter(|refused| refused.host == host).count(),
            Clear::Attack => core.machine().refused(now).filter(|it| it.host == host && it.attack).count(),
            Clear::Quarantine => core.machine().detail(&host, now).map_or(0, |detail| detail.quarantined.len()),
        };
        core.clear(host, what, now);
        Ok(u32::try_from(cleared).unwrap_or(u32::MAX))
    }

    /// Takes the VTEP out of use, or back into it.
    fn drain(&mut self, on: bool) -> Result<(), OrderError> {
        if self.core.is_none() {
            return Err(OrderError::NotReady);
        }
        self.feed(|core, now| core.drain(on, now));
        Ok(())
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

    pub(super) fn status(&mut self) -> AgentStatus {
        let (ready, crowd) = (self.is_ready(), self.crowd.all_dropped());
        let counters = self.task_counters(&crowd);
        let peering = self.peers.as_ref().map(|peers| peers.handle.counters());
        AgentStatus::new(ready, self.core.as_mut(), counters, &crowd, peering)
    }

    fn is_ready(&self) -> bool {
        matches!(self.switch, Switch::Ready { .. })
            && self.paused.is_none()
            && !self.stalled
            && self.read_back.is_none()
            && self.core.is_some()
    }

    fn task_counters(&self, crowd: &BTreeMap<u32, u64>) -> TaskCounters {
        let mut counters = self.counters;
        counters.packet_ins_dropped = self.session.dropped_packets() + crowd.values().sum::<u64>();
        counters.packets_dropped += self.outbox.frames_dropped();
        counters.spans_dropped = self.traces.as_ref().map_or(0, |(_, spans)| spans.dropped());
        counters
    }

    fn figures(&mut self) -> Tallied {
        let ready = self.is_ready();
        let mut tally = metrics::Tally {
            agent: self.config.name.clone(),
            ready,
            task: self.task_counters(&self.crowd.all_dropped()),
            peering: self.peers.as_ref().map(|peers| peers.handle.counters()).unwrap_or_default(),
            ..metrics::Tally::default()
        };
        let peers = self.config.vtep.iter().flat_map(|vtep| &vtep.peers);
        tally.peers = peers.map(|peer| (peer.address, false)).collect();
        if let Some(core) = &mut self.core {
            core.tally(&mut tally);
        }
        Tallied { tally, drops: ready.then(|| (self.session.clone(), self.program.clone())) }
    }
}
