//! What an agent says of itself when asked.

use std::collections::BTreeMap;

use vouch_mobility::{Binding, HostKey, HostView, Phase, Sequence};

use super::core::{Core, DriverCounters};
use super::hearing::place_of;
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
    /// Places of which not everything was heard.
    pub unheard: Vec<Unheard>,
    /// Places that sent frames which the underlay does not carry, and how many.
    pub too_long: Vec<(Place, u64)>,
    /// What happened with the peers; `None` before the peering started.
    pub peering: Option<PeeringCounters>,
}

/// One host as an agent knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostStatus {
    /// The host.
    pub host: HostKey,
    /// Where it is recorded; `None`: behind this VTEP, but it is not known where (after a restart).
    pub place: Option<Place>,
    /// The sequence of that.
    pub sequence: Sequence,
    /// Its addresses.
    pub bindings: Vec<Binding>,
    /// What is going on with it.
    pub phase: Phase,
    /// What the switch is to know of it.
    pub view: Option<HostView>,
}

/// A place of which not everything was heard that it sent to the controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unheard {
    /// Which.
    pub place: Place,
    /// What the switch dropped because it was over the place's budget, as last read.
    pub policed: u64,
    /// What came faster than it could be handled here.
    pub dropped: u64,
}

vouch_mobility::counters! {
    /// What was lost around the driver.
    pub struct TaskCounters {
        /// Rounds of writes in which the switch refused something.
        failed_writes,
        /// Packet-ins whose header is none of ours.
        malformed_punts,
        /// Packet-ins that came faster than they could be handled.
        packet_ins_dropped,
        /// Packet-outs dropped because there was no switch to send them.
        packets_dropped,
        /// Packet-outs that the switch refused.
        packets_refused,
        /// Messages dropped because their session was over, or their writes failed.
        messages_dropped,
        /// Messages not sent because the switch has refused entries of the host that they are about.
        messages_in_doubt,
        /// Events that whoever watches was too slow for.
        events_dropped,
        /// Spans of traces that the collector was too slow for, or did not take.
        spans_dropped,
    }
}

impl AgentStatus {
    pub(super) fn new(
        ready: bool,
        core: Option<&mut Core>,
        task: TaskCounters,
        crowd: &BTreeMap<u32, u64>,
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
                unheard: Vec::new(),
                too_long: Vec::new(),
                peering,
            };
        };
        let entries = core.wanted().len();
        let machine = core.machine();
        let hosts = machine.hosts().map(|info| HostStatus {
            host: info.host,
            place: info.location.map(|location| core.place(location)),
            sequence: info.sequence,
            view: machine.view(&info.host).cloned(),
            bindings: info.bindings,
            phase: info.phase,
        });
        Self {
            ready,
            hosts: hosts.collect(),
            entries,
            mobility: machine.counters(),
            driver: core.counters(),
            task,
            unheard: unheard(core, crowd),
            too_long: core.too_long_at().map(|(location, frames)| (core.place(location), frames)).collect(),
            peering,
        }
    }
}

/// What was lost of each place.
pub(super) fn unheard(core: &Core, crowd: &BTreeMap<u32, u64>) -> Vec<Unheard> {
    let mut places: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    for (location, policed) in core.policed_at() {
        places.entry(location).or_default().0 += policed;
    }
    for (source, dropped) in crowd {
        if let Some(location) = place_of(*source).and_then(|place| core.location_of(place)) {
            places.entry(location).or_default().1 += dropped;
        }
    }
    let unheard = |(location, (policed, dropped))| Unheard { place: core.place(location), policed, dropped };
    places.into_iter().map(unheard).collect()
}
