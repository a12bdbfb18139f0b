//! What an agent says of itself when asked.

use std::net::IpAddr;

use vouch_mobility::{HostKey, HostView, Phase, Sequence};

use super::core::{Core, DriverCounters};
use crate::events::Place;
use crate::peering::PeeringCounters;

/// A snapshot of an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentStatus {
    /// The agent controls its switch, and has no doubt about its tables.
    pub ready: bool,
    /// All hosts it knows, by VNI and MAC.
    pub hosts: Vec<HostStatus>,
    /// How many entries (of tables, groups, sessions, meters) the switch is to have.
    pub entries: usize,
    /// What the state machine counted.
    pub mobility: vouch_mobility::Counters,
    /// What the driver refused.
    pub driver: DriverCounters,
    /// What was lost around the driver.
    pub task: TaskCounters,
    /// What happened with the peers; `None` before the peering started.
    pub peering: Option<PeeringCounters>,
}

/// One host as an agent knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostStatus {
    /// The host.
    pub host: HostKey,
    /// Where it is recorded.
    pub place: Place,
    /// The sequence of that.
    pub sequence: Sequence,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// What is going on with it.
    pub phase: Phase,
    /// What the switch is to know of it.
    pub view: Option<HostView>,
}

/// What was lost around the driver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskCounters {
    /// Rounds of writes in which the switch refused something.
    pub failed_writes: u64,
    /// Packet-ins whose header is none of ours.
    pub malformed_punts: u64,
    /// Packet-ins that came faster than they could be handled.
    pub packet_ins_dropped: u64,
    /// Packet-outs dropped because there was no switch to send them.
    pub packets_dropped: u64,
    /// Packet-outs that the switch refused.
    pub packets_refused: u64,
    /// Messages dropped because there was no session with the peer.
    pub messages_dropped: u64,
    /// Events that whoever watches was too slow for.
    pub events_dropped: u64,
}

impl AgentStatus {
    pub(super) fn new(
        ready: bool,
        core: Option<&mut Core>,
        task: TaskCounters,
        peering: Option<PeeringCounters>,
    ) -> Self {
        let Some(core) = core else {
            return Self {
                ready,
                hosts: Vec::new(),
                entries: 0,
                mobility: vouch_mobility::Counters::default(),
                driver: DriverCounters::default(),
                task,
                peering,
            };
        };
        let entries = core.wanted().len();
        let machine = core.machine();
        let hosts = machine.hosts().map(|info| HostStatus {
            host: info.host,
            place: core.place(info.location),
            sequence: info.sequence,
            view: machine.view(&info.host).cloned(),
            addresses: info.addresses,
            phase: info.phase,
        });
        Self {
            ready,
            hosts: hosts.collect(),
            entries,
            mobility: machine.counters(),
            driver: core.counters(),
            task,
            peering,
        }
    }
}
