//! Figures of the agents in a process, for Prometheus: what was decided, upon what, and how long that took, and how much there is
//! of everything.
//!
//! What happens is counted where it happens, by what each agent's task has of it (`AgentOptions::metrics`). How much there is
//! is asked of the agents ([`Figures`](crate::Figures)) when somebody wants to know: [`Metrics::encode`] puts both together, in the
//! OpenMetrics text format. No label has a value for each host, and those that have one for each peer are as many as are configured.
//!
//! | labels | values |
//! |---|---|
//! | `agent` | the configured name |
//! | `outcome`, `because` | how a claim ended, and upon what: [`Report`], [`Because`](vouch_mobility::Because), [`WhyUnproven`](vouch_mobility::WhyUnproven) in small letters |
//! | `place`, `phase` | `here` or `elsewhere`; [`Phase`](vouch_mobility::Phase) in small letters |
//! | `reason`, `pipeline` | the names in `p4src/parts/metadata.p4` |
//! | `peer` | the tunnel address |

mod tally;
mod verdicts;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use vouch_mobility::Report;

pub use self::tally::Tally;
use self::verdicts::{Labels, Of, Outcome, Reload};

/// The upper bounds of durations, in seconds. A verdict by silence takes 0.3 s, one by an answer as long as the host takes.
const SECONDS: [f64; 16] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.35, 0.5, 1.0, 2.5, 5.0, 10.0];

type Durations<L> = Family<L, Histogram, fn() -> Histogram>;

/// What the agents of a process count. Clones are the same.
#[derive(Clone)]
pub struct Metrics(Arc<Families>);

struct Families {
    verdicts: Family<Labels, Counter>,
    verdict_seconds: Durations<Outcome>,
    convergence_seconds: Durations<Of>,
    write_seconds: Durations<Of>,
    updates: Family<Of, Counter>,
    reloads: Family<Reload, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let durations = || Histogram::new(SECONDS);
        Self(Arc::new(Families {
            verdicts: Family::default(),
            verdict_seconds: Family::new_with_constructor(durations),
            convergence_seconds: Family::new_with_constructor(durations),
            write_seconds: Family::new_with_constructor(durations),
            updates: Family::default(),
            reloads: Family::default(),
        }))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// What an agent of this name counts.
    pub(crate) fn of(&self, agent: &str) -> AgentMetrics {
        let of = Of { agent: agent.to_owned() };
        AgentMetrics {
            convergence_seconds: self.0.convergence_seconds.get_or_create(&of).clone(),
            write_seconds: self.0.write_seconds.get_or_create(&of).clone(),
            updates: self.0.updates.get_or_create(&of).clone(),
            metrics: self.clone(),
            of,
            decided: Vec::new(),
            written: Vec::new(),
        }
    }

    /// The configuration was read again, and taken or not.
    pub fn reloaded(&self, taken: bool) {
        self.0.reloads.get_or_create(&Reload { taken: taken.to_string() }).inc();
    }

    /// All of it, in the text format of OpenMetrics 1.0.
    pub fn encode(&self, tallies: Vec<Tally>) -> String {
        let mut registry = Registry::with_prefix("vouch");
        let it = &self.0;
        registry.register(
            "verdicts",
            "How claims and questions ended, and upon what evidence, as this agent took part in them",
            it.verdicts.clone(),
        );
        registry.register_with_unit(
            "verdict",
            "From hearing of a claim to its verdict",
            Unit::Seconds,
            it.verdict_seconds.clone(),
        );
        registry.register_with_unit(
            "convergence",
            "From hearing of a move to when this agent's switch forwards to the new place",
            Unit::Seconds,
            it.convergence_seconds.clone(),
        );
        registry.register_with_unit(
            "p4runtime_write",
            "How long a round of writes took the switch",
            Unit::Seconds,
            it.write_seconds.clone(),
        );
        registry.register(
            "reloads",
            "How often the configuration was read again, and whether it was taken",
            it.reloads.clone(),
        );
        registry.register("p4runtime_updates", "Updates that the switch was given", it.updates.clone());
        let version = vec![("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "This program", Info::new(version));
        tally::register(&mut registry, tallies);
        let mut text = String::new();
        // Only a writer can fail, and a string does not.
        let _ = encode(&mut text, &registry);
        text
    }
}

/// What one agent counts as it happens.
#[derive(Debug)]
pub(crate) struct AgentMetrics {
    metrics: Metrics,
    of: Of,
    convergence_seconds: Histogram,
    write_seconds: Histogram,
    updates: Counter,
    /// Moves that have been decided and go to the switch with the next round: when they were heard of.
    decided: Vec<tokio::time::Instant>,
    /// Those on their way.
    written: Vec<tokio::time::Instant>,
}

impl AgentMetrics {
    /// The state machine has reported something.
    pub(crate) fn report(&mut self, report: &Report, now: tokio::time::Instant) {
        if let Some(labels) = verdicts::labels(&self.of, report) {
            self.metrics.0.verdicts.get_or_create(&labels).inc();
        }
        if let Some((outcome, took)) = verdicts::duration(report) {
            let outcome = Outcome { agent: self.of.agent.clone(), outcome };
            self.metrics.0.verdict_seconds.get_or_create(&outcome).observe(took.as_secs_f64());
        }
        if let Report::Moved { took, .. } = report
            && let Some(heard) = now.checked_sub(*took)
        {
            self.decided.push(heard);
        }
    }

    /// A round of so many updates goes to the switch.
    pub(crate) fn begin(&mut self, updates: usize) {
        self.updates.inc_by(u64::try_from(updates).unwrap_or(u64::MAX));
        self.written.append(&mut self.decided);
    }

    /// The round is over, and the switch has taken it, or not.
    pub(crate) fn end(&mut self, took: Duration, taken: bool, now: tokio::time::Instant) {
        self.write_seconds.observe(took.as_secs_f64());
        for heard in self.written.drain(..).filter(|_| taken) {
            self.convergence_seconds.observe((now - heard).as_secs_f64());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use vouch_mobility::{Because, HostKey, Location, Phase, VtepAddr};
    use vouch_net::{MacAddr, Vni};
    use vouch_tables::{DropReason, Pipeline, PuntReason};

    use super::*;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/observability")
    }

    fn file(name: &str) -> String {
        std::fs::read_to_string(folder().join(name)).expect("it is there")
    }

    /// Of a fabric in which something of each kind has happened.
    fn figures() -> String {
        let metrics = Metrics::default();
        let now = tokio::time::Instant::now();
        let mut counted = metrics.of("vtep1");
        let host = HostKey { vni: Vni::new(5001).expect("in range"), mac: MacAddr([2, 0, 0, 0, 0, 1]) };
        let [from, to] = [1, 2].map(|number| Location::Remote(VtepAddr([10, 0, 0, number].into())));
        counted.report(&Report::Moved { host, from, to, because: Because::OwnerSaid, took: Duration::ZERO }, now);
        counted.begin(3);
        counted.end(Duration::from_millis(1), true, now);
        let mut tally = Tally { agent: "vtep1".to_owned(), ready: true, ..Tally::default() };
        tally.census.hosts.insert((true, Phase::Contested), 2);
        tally.census.addresses.insert(false, 3);
        tally.peers.insert(VtepAddr([10, 0, 0, 2].into()), true);
        tally.punts.insert(PuntReason::Move, 4);
        tally.policed.insert(PuntReason::ProbeReply, 5);
        tally.drops.push((Pipeline::Egress, DropReason::ExceedsMtu, 6));
        metrics.encode(vec![tally])
    }

    #[test]
    fn what_there_is_is_said_with_labels_and_levels_are_no_counters() {
        let text = figures();
        for line in [
            "vouch_verdicts_total{agent=\"vtep1\",outcome=\"moved\",because=\"owner_said\"} 1",
            "vouch_p4runtime_updates_total{agent=\"vtep1\"} 3",
            "vouch_hosts{agent=\"vtep1\",place=\"here\",phase=\"contested\"} 2",
            "vouch_bindings{agent=\"vtep1\",confirmed=\"false\"} 3",
            "vouch_punts_policed_total{agent=\"vtep1\",reason=\"PROBE_REPLY\"} 5",
            "vouch_drops_total{agent=\"vtep1\",pipeline=\"egress\",reason=\"EXCEEDS_MTU\"} 6",
            "# TYPE vouch_driver_frames_held gauge",
            "# TYPE vouch_driver_frames_dropped counter",
            "# HELP vouch_peering_sessions Sessions begun",
        ] {
            assert!(text.lines().any(|found| found.starts_with(line)), "{line}\n{text}");
        }
    }

    /// The words in a file that begin with `vouch_`.
    fn names(text: &str) -> BTreeSet<&str> {
        let words = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
        words.filter(|word| word.starts_with("vouch_")).collect()
    }

    #[test]
    fn alerts_and_the_dashboard_name_figures_that_there_are() {
        let text = figures();
        let there = names(&text);
        for name in ["alerts.yaml", "alerts-test.yaml", "grafana.json", "README.md"] {
            let file = file(name);
            let missing: Vec<_> = names(&file)
                .into_iter()
                .filter(|name| !there.contains(name) && !there.contains(format!("{name}_bucket").as_str()))
                .collect();
            assert!(missing.is_empty(), "{name}: {missing:?}\n{text}");
        }
    }

    #[test]
    fn each_alert_is_explained_and_tested() {
        let (alerts, page, tests) = (file("alerts.yaml"), file("README.md"), file("alerts-test.yaml"));
        let alerts: Vec<_> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
        assert!(!alerts.is_empty());
        for alert in alerts {
            assert!(page.contains(&format!("| `{alert}` |")), "README.md does not explain {alert}");
            assert!(tests.contains(&format!("alertname: {alert}, exp_alerts")), "nothing fires {alert}");
        }
    }

    #[test]
    fn the_alerts_fire_on_what_they_are_about() {
        let run = Command::new("promtool").args(["test", "rules", "alerts-test.yaml"]).current_dir(folder()).output();
        match run {
            Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => eprintln!("SKIPPED: promtool (package prometheus) cannot be run: {error}"),
        }
    }
}
