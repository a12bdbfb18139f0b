//! The driver: between one switch, the peers, and the state machine.
//!
//! | file | what it is |
//! |---|---|
//! | `task` | waits, feeds, flushes: the only part that acts |
//! | `core` | facts in, decisions out, without I/O |
//! | `pace`, `questions`, `checks` | when a question is asked, whether it was, and whether an answer would have been heard |
//! | `wanted`, `ledger`, `numbering` | what the switch is to have, and what of it is not written yet |
//! | `outbox`, `doubts` | what peers are told, never before it is so |
//! | `switch`, `ports`, `ageing`, `policed`, `too_long`, `drops` | bringing the switch to a known level, doing work on it, its link state, its idle hosts, what it dropped |
//! | `hearing` | what of its stream is heard first |
//! | `frames`, `held` | reading punted frames, making ours, keeping those that wait |
//! | `chronicle`, `words` | what is remembered of what happened, and how it is told |
//! | `log` | what of it the log says |
//! | `traces` | what of it traces show, if anybody wants them |
//! | `lasting` | which errors end an agent, and which are tried again |
//! | `sometimes` | lines for the log that others can cause in any number |

mod ageing;
mod checks;
mod chronicle;
mod core;
mod doubts;
mod drops;
mod frames;
mod hearing;
mod held;
mod lasting;
mod ledger;
mod log;
mod numbering;
mod outbox;
mod pace;
mod policed;
mod ports;
mod questions;
mod sometimes;
mod status;
mod switch;
mod task;
mod too_long;
mod traces;
mod wanted;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};
use vouch_mobility::{HostKey, Incarnation};
use vouch_p4runtime::client::Session;
use vouch_tables::{EntryAction, EntryKey};

use self::switch::session_config;
use self::task::{Command, Parts, Tallied};
use crate::collector::{self, Collector};
use crate::config::{Config, Tracing};
use crate::events::{AgentEvent, Place};
use crate::guards::{DriverGuard, is_out};
use crate::management::{self, Identities, Watchers};
use crate::metrics::{self, Metrics};
use crate::network::Network;
use crate::orders::{OrderError, Orders, What};
use crate::supervisor::Supervisor;

pub use self::core::DriverCounters;
pub(crate) use self::drops::read as read_drops;
pub use self::lasting::Lasting;
pub use self::status::{AgentStatus, HostStatus, TaskCounters, Unheard};
pub(crate) use self::switch::Program;
pub use self::switch::SwitchSetupError;
pub(crate) use self::task::{Ask, Filter, Task};
pub(crate) use self::words::KINDS as EVENT_KINDS;

/// How long reading what the switch has dropped may take.
const DROPS: Duration = Duration::from_secs(1);

/// What can be chosen when an agent is started, beside its configuration.
#[derive(Debug, Default)]
pub struct AgentOptions {
    /// Who watches. An agent does not wait for a slow watcher: events that do not fit are dropped and counted.
    pub events: Option<mpsc::Sender<AgentEvent>>,
    /// What its connections are made of: TCP unless told.
    pub network: Network,
    /// What counts what happens; agents may share it.
    pub metrics: Metrics,
    /// Who has its configuration read again, if anybody can.
    pub supervisor: Option<Supervisor>,
}

/// An agent that runs. Dropping it stops it, without waiting.
pub struct Agent {
    name: String,
    commands: mpsc::Sender<Command>,
    orders: Orders,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
    /// What listens for operators, and what sends spans.
    services: Vec<JoinHandle<()>>,
    /// By which operators know us over the network.
    identities: Option<Arc<Identities>>,
    /// Where traces of claims are sent.
    collector: Option<Collector>,
    task: JoinHandle<Option<Lasting>>,
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Agent {
    /// Starts an agent. It connects to its switch and its peers in the background, for as long as that takes.
    ///
    /// Needs a tokio runtime.
    pub fn start(mut config: Config, options: AgentOptions) -> Result<Self, SwitchSetupError> {
        let program = Program::load(&config.switch)?;
        program.check(&config)?;
        fit_hosts(&mut config, &program);
        let AgentOptions { events: watcher, network, metrics, supervisor } = options;
        let (session, events) = Session::connect(session_config(&config, &program, &network)?)?;
        warn_of_probes_from_nobody(&config);
        if let Some((groups, room)) = groups_beyond(&config, &program) {
            tracing::warn!(
                agent = config.name,
                groups,
                room,
                "the switch has no room for so many groups of next hops: some routes have only the first of theirs that is there"
            );
        }
        let (commands, receiver) = mpsc::channel(16);
        let (orders, ordered) = Orders::channel();
        let (ask, asked) = mpsc::channel(16);
        let watchers = Watchers::new();
        let stop = CancellationToken::new();
        let watched = watchers.clone();
        let service = management::Service::new(&config.name, orders.clone(), ask, watched, supervisor, stop.clone());
        let (mut services, mut identities) = (Vec::new(), None);
        if let Some(path) = &config.management {
            let served = management::serve(path, service.clone(), stop.clone());
            let at = path.display().to_string();
            services.push(served.map_err(|error| SwitchSetupError::Management { at, error })?);
        }
        if let Some(remote) = &config.remote_management {
            let served = management::serve_remotely(remote, service, stop.clone());
            let at = remote.listen.to_string();
            let (served, who) = served.map_err(|error| SwitchSetupError::Management { at, error })?;
            services.push(served);
            identities = Some(who);
        }
        let (mut collector, mut spans) = (None, None);
        if let Some(tracing) = &config.tracing {
            let (started, into, sending) = Collector::start(tracing, &config.name).map_err(no_traces(tracing))?;
            services.push(sending);
            (collector, spans) = (Some(started), Some(into));
        }
        let name = config.name.clone();
        let parts = Parts {
            config,
            program,
            session,
            events,
            watcher,
            spans,
            metrics: metrics.of(&name),
            network,
            commands: receiver,
            orders: ordered,
            asked,
            watchers,
            stop: stop.clone(),
        };
        let task = tokio::spawn(Task::new(parts).run());
        let _stop_on_drop = stop.clone().drop_guard();
        Ok(Self { name, commands, orders, services, identities, collector, _stop_on_drop, stop, task })
    }

    /// Whether an agent can be started with this configuration, as far as its files say.
    ///
    /// # Errors
    /// What is wrong with the pipeline that it names, or with what it says of the switch or of where traces go.
    pub fn check(config: &Config) -> Result<(), SwitchSetupError> {
        if let Some(tracing) = &config.tracing {
            collector::check(tracing).map_err(no_traces(tracing))?;
        }
        let program = Program::load(&config.switch)?;
        program.check(config)?;
        session_config(config, &program, &Network::default()).map(drop)
    }

    /// Its configured name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it is; `None` if it has ended.
    pub async fn status(&self) -> Option<AgentStatus> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Status(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Who can be asked for its figures for as long as it runs.
    pub fn figures(&self) -> Figures {
        Figures { name: self.name.as_str().into(), commands: self.commands.clone() }
    }

    /// What its switch is to have by now; `None` before it is known which hosts that one has.
    pub async fn wanted(&self) -> Option<BTreeMap<EntryKey, EntryAction>> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Wanted(reply)).await.ok()?;
        answer.await.ok()?
    }

    /// Reads the certificates for peers, for management and for traces again, and what has been revoked. Sessions go on, but those with who has been, and
    /// the next ones begin with these; with files that are wrong nothing changes.
    ///
    /// # Errors
    /// What is wrong with them.
    pub async fn renew_certificates(&self) -> Result<(), String> {
        if let Some(identities) = &self.identities {
            identities.renew().map_err(|error| format!("`management.remote`: {error}"))?;
        }
        if let Some(collector) = &self.collector {
            collector.renew().map_err(|error| format!("`tracing.tls`: {error}"))?;
        }
        let (reply, answer) = oneshot::channel();
        if self.commands.send(Command::Renew(reply)).await.is_err() {
            return Err("the agent has ended".to_owned());
        }
        answer.await.unwrap_or_else(|_| Err("the agent has ended".to_owned()))
    }

    /// Waits until it has ended by itself, which it does only when something is wrong that time does not heal: that. Cancelling it changes
    /// nothing.
    ///
    /// # Errors
    /// It has panicked.
    pub async fn ended(&mut self) -> Result<Option<Lasting>, JoinError> {
        (&mut self.task).await
    }

    /// Says that a host is about to move, and for how long that is to be believed (B15).
    pub async fn expect_move(&self, host: HostKey, to: Place, within: Duration) -> Result<(), OrderError> {
        self.orders.give(What::ExpectMove { host, to, within }).await
    }

    /// Says where a host belongs that answers at two places (B12).
    pub async fn settle(&self, host: HostKey, keep: Place) -> Result<(), OrderError> {
        self.orders.give(What::Settle { host, keep }).await
    }

    /// Takes the VTEP out of use, or back into it: peers are told no more of the hosts that are here, or of all of them again. Its switch forwards
    /// as before.
    pub async fn drain(&self, on: bool) -> Result<(), OrderError> {
        self.orders.give(What::Drain { on }).await
    }

    /// Stops it and waits until it has stopped. The switch keeps its tables, and traffic goes on.
    pub async fn shutdown(self) -> Result<(), JoinError> {
        self.stop.cancel();
        for service in self.services {
            // It has logged what went wrong with it; its address is free when it has ended.
            let _ = service.await;
        }
        self.task.await.map(drop)
    }
}

/// The figures of an agent. Clones are the same.
#[derive(Debug, Clone)]
pub struct Figures {
    name: Arc<str>,
    commands: mpsc::Sender<Command>,
}

impl Figures {
    /// The name of its agent.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the agent controls its switch and has no doubt about its tables; `None` if it has ended. One that hangs never answers.
    pub async fn ready(&self) -> Option<bool> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Ready(reply)).await.ok()?;
        answer.await.ok()
    }

    /// How much there is of everything; `None` if the agent has ended.
    pub async fn tally(&self) -> Option<metrics::Tally> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Tally(reply)).await.ok()?;
        let Tallied { mut tally, drops } = answer.await.ok()?;
        if let Some((session, program)) = drops {
            // Whoever asks can do without, where the switch does not answer.
            let read = tokio::time::timeout(DROPS, read_drops(&session, &program)).await;
            tally.drops = read.ok().and_then(Result::ok).unwrap_or_default();
        }
        let mut after = None;
        loop {
            let (reply, answer) = oneshot::channel();
            self.commands.send(Command::Count(std::mem::take(&mut tally.census), after, reply)).await.ok()?;
            (tally.census, after) = answer.await.ok()?;
            if after.is_none() {
                return Some(tally);
            }
        }
    }
}

/// Traces cannot be sent as they are configured.
fn no_traces(tracing: &Tracing) -> impl FnOnce(String) -> SwitchSetupError {
    |why| SwitchSetupError::Tracing { url: tracing.otlp.clone(), why }
}

/// Which life of the agent it is: the time, so that it is higher in each later one as long as nobody sets the clock back.
pub(crate) fn incarnation() -> Incarnation {
    if is_out(DriverGuard::Incarnations) {
        return Incarnation(1);
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Incarnation(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Whoever floods addresses must meet our limit before the switch has to refuse entries of others, and a Tofino's tables
/// are smaller than those of a software switch.
fn fit_hosts(config: &mut Config, program: &Program) {
    let Some(vtep) = &mut config.vtep else { return };
    let (limit, room) = (vtep.limits.hosts, program.room_for_hosts(vtep.vnis.len()));
    if limit > room {
        tracing::info!(agent = config.name, limit, room, "the switch has room for fewer hosts than `limits.hosts`");
        vtep.limits.hosts = room;
    }
}

/// A probe from 0.0.0.0 is misunderstood by some hosts: Windows takes it for a conflict, some systems do not answer it.
fn warn_of_probes_from_nobody(config: &Config) {
    let vnis = config.vtep.iter().flat_map(|vtep| &vtep.vnis);
    for vni in vnis.filter(|vni| vni.probe_as.arp_from_nobody() && !vni.access.is_empty()) {
        tracing::warn!(
            agent = config.name,
            vni = vni.vni.get(),
            "no `probe_as` for IPv4: ARP probes have sender 0.0.0.0, which some hosts take for a conflict or do not answer"
        );
    }
}

/// Several next hops share a route as a group, of which a switch has room for some: how many there are to be, and that, where it is too
/// few. Of those that come one after the other, a switch that shares nothing needs no group.
fn groups_beyond(config: &Config, program: &Program) -> Option<(usize, usize)> {
    let shared = config.underlay.routes.iter().filter(|route| route.has_several_hops());
    let groups: BTreeSet<_> = shared.map(|route| (&route.next_hops, &route.backup)).collect();
    let (groups, room) = (groups.len(), usize::from(program.room_for_hops()?.groups));
    (groups > room).then_some((groups, room))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{PipelineFiles, SwitchKind, TofinoServer};

    const ONE: &str = "via: {port: 9, mac: \"02:00:00:00:fe:01\"}";

    /// The demo's first VTEP, with these ways to all others.
    fn config(ways: &str) -> Config {
        let text = include_str!("../../../../configs/demo/vtep1.yaml");
        Config::parse("vtep1.yaml", &text.replace(ONE, ways)).expect("it is right").config
    }

    /// The same on a Tofino 1.
    fn on_tofino(mut config: Config) -> Config {
        let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../p4src/build/tofino");
        config.switch.kind = SwitchKind::Tofino(TofinoServer::Sde);
        config.switch.pipeline = Some(PipelineFiles::Tofino {
            name: "vtep".to_owned(),
            p4info: files.join("vtep.p4info.txtpb"),
            binary: files.join("tofino.bin"),
            context: files.join("context.json"),
            bfrt: None,
        });
        config
    }

    #[test]
    fn several_next_hops_want_a_pipeline_that_has_tables_for_them() {
        let on_tofino = |config| Agent::check(&on_tofino(config));
        const TWO: &str = "[{port: 9, mac: \"02:00:00:00:fe:02\"}, {port: 9, mac: \"02:00:00:00:fe:03\"}]";
        on_tofino(config(ONE)).expect("one next hop");
        let with_backup = format!("{ONE}\n      backup: {{port: 9, mac: \"02:00:00:00:fe:02\"}}");
        on_tofino(config(&with_backup)).expect("one at a time");
        let several = [format!("via: {TWO}"), format!("{ONE}\n      backup: {TWO}")];
        for ways in several {
            Agent::check(&config(&ways)).expect("the pipeline that comes with the agent has them");
            let refused = on_tofino(config(&ways)).expect_err("it has no tables for them");
            assert!(!refused.may_heal());
            let (text, of) =
                (refused.to_string(), "vtep.p4info.txtpb has a route use one next hop at a time, and that to ");
            assert!(
                text.contains(of) && text.contains(" has 2 in `via` or in `backup` that share. Give it one in each"),
                "{text}"
            );
        }
    }

    #[test]
    fn an_underlay_of_ipv6_wants_a_pipeline_that_has_tables_for_it() {
        let text = include_str!("../../../../configs/two-rack-ipv6/rack1.yaml");
        let rack = Config::parse("rack1.yaml", text).expect("it is right").config;
        let spine = include_str!("../../../../configs/two-rack-ipv6/spine1.yaml");
        let spine = Config::parse("spine1.yaml", spine).expect("it is right").config;
        let route =
            config(&format!("{ONE}\n    - {{prefix: 2001:db8::/64, via: {{port: 9, mac: \"02:00:00:00:fe:01\"}}}}"));
        let wants = [
            "`vtep.address`, 2001:db8::1,",
            "the address of a link, 2001:db8:ffff::1,",
            "the prefix of a route, 2001:db8::,",
        ];
        for (config, wants) in [rack, spine, route].into_iter().zip(wants) {
            Agent::check(&config).expect("the pipeline that comes with the agent has them");
            let refused = Agent::check(&on_tofino(config)).expect_err("it has no tables for it");
            assert!(!refused.may_heal());
            let expected = format!(
                "vtep.p4info.txtpb has an underlay of IPv4 only, and {wants} is one of IPv6. Give it one of IPv4"
            );
            assert!(refused.to_string().contains(&expected), "{refused}");
        }
        // A tag is no matter of the pipeline.
        Agent::check(&on_tofino(tagged())).expect("all pipelines have tags");
    }

    /// The demo's first VTEP, with a tag on its uplink.
    fn tagged() -> Config {
        let text = include_str!("../../../../configs/demo/vtep1.yaml");
        let tagged =
            text.replace("{port: 9, mac: \"02:00:00:00:01:09\"}", "{port: 9, mac: \"02:00:00:00:01:09\", vlan: 30}");
        assert_ne!(tagged, text);
        Config::parse("vtep1.yaml", &tagged).expect("it is right").config
    }

    #[test]
    fn groups_that_have_no_room_are_told_where_groups_are_needed() {
        let beyond = |config: &Config| groups_beyond(config, &Program::load(&config.switch).expect("it is there"));
        let routes = |count: u16| {
            let hop =
                |number: u16| format!("{{port: 9, mac: \"02:00:00:01:{:02x}:{:02x}\"}}", number >> 8, number & 0xff);
            let each = |number| {
                let [a, b] = [number / 256, number % 256];
                format!("\n    - prefix: 10.9.{a}.{b}/32\n      via: [{}, {}]", hop(number), hop(number + 1))
            };
            config(&format!("{ONE}{}", (0..count).map(each).collect::<String>()))
        };
        assert_eq!(beyond(&routes(1_024)), None);
        assert_eq!(beyond(&routes(1_025)), Some((1_025, 1_024)));
        // One after the other needs no group where there are none.
        let with_backup = config(&format!("{ONE}\n      backup: {{port: 9, mac: \"02:00:00:00:fe:02\"}}"));
        assert_eq!(beyond(&with_backup), None);
        assert_eq!(beyond(&on_tofino(with_backup)), None);
    }

    #[test]
    fn no_more_hosts_are_learned_than_the_tables_have_room_for() {
        let text = include_str!("../../../../configs/demo/vtep1.yaml");
        let mut config = Config::parse("vtep1.yaml", text).expect("the demo's is right").config;
        let program = Program::load(&config.switch).expect("it comes with the agent");
        let hosts = |config: &Config| config.vtep.as_ref().map(|vtep| vtep.limits.hosts);
        let default = hosts(&config);
        fit_hosts(&mut config, &program);
        assert_eq!(hosts(&config), default, "it fits the program that comes with the agent");

        let room = program.room_for_hosts(2);
        config.vtep.as_mut().expect("it is a VTEP").limits.hosts = room + 1;
        fit_hosts(&mut config, &program);
        assert_eq!(hosts(&config), Some(room));
    }
}
