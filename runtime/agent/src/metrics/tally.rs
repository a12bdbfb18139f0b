//! How much there is of everything, at the moment when somebody asks.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use vouch_mobility::{Census, Counters, Phase, VtepAddr};
use vouch_tables::{DropReason, Pipeline, PuntReason};

use crate::driver::{DriverCounters, TaskCounters};
use crate::peering::PeeringCounters;

/// An agent in numbers.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Its name.
    pub agent: String,
    /// Whether it controls its switch and has no doubt about its tables.
    pub ready: bool,
    /// Whether it has been taken out of use.
    pub draining: bool,
    /// Its hosts and their addresses.
    pub census: Census,
    /// How many entries its switch is to have,
    pub entries: u64,
    /// and how many changes of them wait to be written.
    pub unwritten: u64,
    /// What the state machine counted.
    pub mobility: Counters,
    /// What the driver refused.
    pub driver: DriverCounters,
    /// What was lost around the driver.
    pub task: TaskCounters,
    /// What happened with the peers.
    pub peering: PeeringCounters,
    /// The configured peers, and whether there is a session.
    pub peers: BTreeMap<VtepAddr, bool>,
    /// Frames handled that the switch punted, by reason.
    pub punts: BTreeMap<PuntReason, u64>,
    /// Punts that were over their budget, as far as they have been read.
    pub policed: BTreeMap<PuntReason, u64>,
    /// What the program dropped. Empty where the switch cannot be read.
    pub drops: Vec<(Pipeline, DropReason, u64)>,
}

/// Counts of the driver that also fall.
const LEVELS: [&str; 2] = ["frames_held", "bindings_beyond"];

/// What a struct of counts has: names, meanings and numbers.
type Each = Vec<(&'static str, &'static str, u64)>;

pub(super) fn register(registry: &mut Registry, tallies: Vec<Tally>) {
    registry.register_collector(Box::new(Tallies(tallies)));
}

/// Each family once, with a line for each agent.
#[derive(Debug)]
struct Tallies(Vec<Tally>);

impl Collector for Tallies {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let encoder = &mut encoder;
        self.gauge(
            encoder,
            "ready",
            "Whether the agent controls its switch and has no doubt about its tables",
            |it| vec![([("", ""); 0], u64::from(it.ready))],
        )?;
        self.gauge(encoder, "draining", "Whether an operator has taken the VTEP out of use", |it| {
            vec![([("", ""); 0], u64::from(it.draining))]
        })?;
        self.gauge(
            encoder,
            "hosts_withheld",
            "Hosts here that peers are not told of, as the VTEP is out of use",
            |it| vec![([("", ""); 0], it.census.withheld)],
        )?;
        self.gauge(encoder, "hosts", "Hosts by where they are and what is going on with them", |it| {
            let labels = |(ours, phase): &(bool, Phase)| {
                [("place", if *ours { "here" } else { "elsewhere" }), ("phase", self::phase(*phase))]
            };
            it.census.hosts.iter().map(|(kind, count)| (labels(kind), *count)).collect()
        })?;
        self.gauge(encoder, "bindings", "Addresses of hosts behind this VTEP, by whether they are confirmed", |it| {
            let labels = |confirmed| [("confirmed", if confirmed { "true" } else { "false" })];
            it.census.addresses.iter().map(|(confirmed, count)| (labels(*confirmed), *count)).collect()
        })?;
        self.gauge(encoder, "switch_entries", "Entries that the switch is to have", |it| {
            vec![([("", ""); 0], it.entries)]
        })?;
        self.gauge(encoder, "switch_unwritten", "Changes of them that wait to be written", |it| {
            vec![([("", ""); 0], it.unwritten)]
        })?;
        self.gauge(encoder, "peer_up", "Whether there is a session with the peer", |it| {
            it.peers.iter().map(|(peer, up)| ([("peer", peer.0.to_string())], u64::from(*up))).collect()
        })?;
        let by_reason = |counts: &BTreeMap<PuntReason, u64>| -> Vec<_> {
            counts.iter().map(|(reason, count)| ([("reason", reason.to_string())], *count)).collect()
        };
        self.counter(encoder, "punts", "Frames that the switch handed over and the agent handled", |it| {
            by_reason(&it.punts)
        })?;
        self.counter(
            encoder,
            "punts_policed",
            "Frames that the switch did not hand over, because their place was over its budget",
            |it| by_reason(&it.policed),
        )?;
        self.counter(encoder, "drops", "Frames that the P4 program dropped", |it| {
            let labels =
                |pipeline, reason: DropReason| [("pipeline", pipeline_name(pipeline)), ("reason", reason.name())];
            it.drops.iter().map(|(pipeline, reason, count)| (labels(*pipeline, *reason), *count)).collect()
        })?;
        self.each(encoder, "mobility", |it| it.mobility.each().collect())?;
        self.each(encoder, "driver", |it| it.driver.each().collect())?;
        self.each(encoder, "task", |it| it.task.each().collect())?;
        self.each(encoder, "peering", |it| it.peering.each().collect())
    }
}

impl Tallies {
    /// The counts of a struct, each a family by its name.
    fn each(&self, encoder: &mut DescriptorEncoder<'_>, part: &str, each: impl Fn(&Tally) -> Each) -> fmt::Result {
        for (place, (name, meaning, _)) in each(&Tally::default()).into_iter().enumerate() {
            let counts =
                |it: &Tally| each(it).get(place).map(|(.., count)| ([("", ""); 0], *count)).into_iter().collect();
            let (family, meaning) = (format!("{part}_{name}"), meaning.trim().trim_end_matches('.'));
            if LEVELS.contains(&name) {
                self.gauge(encoder, &family, meaning, counts)?;
            } else {
                self.counter(encoder, &family, meaning, counts)?;
            }
        }
        Ok(())
    }

    fn gauge<const N: usize, V>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        meaning: &str,
        values: impl Fn(&Tally) -> Vec<([(&'static str, V); N], u64)>,
    ) -> fmt::Result
    where
        V: AsRef<str>,
    {
        self.family(encoder, (name, meaning, MetricType::Gauge), values, ConstGauge::new)
    }

    fn counter<const N: usize, V>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        meaning: &str,
        values: impl Fn(&Tally) -> Vec<([(&'static str, V); N], u64)>,
    ) -> fmt::Result
    where
        V: AsRef<str>,
    {
        self.family(encoder, (name, meaning, MetricType::Counter), values, ConstCounter::new)
    }

    fn family<const N: usize, V: AsRef<str>, M: EncodeMetric>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, meaning, kind): (&str, &str, MetricType),
        values: impl Fn(&Tally) -> Vec<([(&'static str, V); N], u64)>,
        metric: impl Fn(u64) -> M,
    ) -> fmt::Result {
        let mut family = encoder.encode_descriptor(name, meaning, None, kind)?;
        for tally in &self.0 {
            for (labels, value) in values(tally) {
                let of = [("agent", tally.agent.as_str())];
                let labels: Vec<_> =
                    of.into_iter().chain(labels.iter().map(|(name, value)| (*name, value.as_ref()))).collect();
                metric(value).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

fn pipeline_name(pipeline: Pipeline) -> &'static str {
    match pipeline {
        Pipeline::Ingress => "ingress",
        Pipeline::Egress => "egress",
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Settled => "settled",
        Phase::Verifying => "verifying",
        Phase::Unproven => "unproven",
        Phase::Contested => "contested",
        Phase::Sought => "sought",
        Phase::Claiming => "claiming",
        Phase::ProbingThroughTunnel => "probing_through_tunnel",
    }
}
