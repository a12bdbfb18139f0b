//! `vouch run`: agents in this process until a signal ends them.
//!
//! SIGINT and SIGTERM stop the agents; the switches keep their tables. SIGHUP and `vouch reload` have the files read again
//! ([`Service::plan`], [`Service::apply`]): all of them are taken, or none. An agent that ends by itself, or a panic anywhere, ends the
//! process with an error, so that whoever supervises it sees it and starts it anew; with the status [`LASTING`] if that would do no good. systemd
//! hears when all has been started, and as long as all agents answer.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::task::Poll;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use vouch_agent::config::{Checked, Difference};
use vouch_agent::management::v1;
use vouch_agent::metrics::Metrics;
use vouch_agent::{Agent, AgentOptions, Config, Figures, Reload, Supervised, Supervisor};

use crate::metrics;

/// The exit status where something is wrong that time does not heal: what `sysexits.h` calls a configuration error.
const LASTING: u8 = 78;

/// Starts an agent for each configuration and stops them all at SIGINT or SIGTERM.
pub(crate) async fn run(files: &[PathBuf], show: Option<SocketAddr>) -> ExitCode {
    end_at_panics();
    let mut service = Service::new(files);
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            eprintln!("cannot wait for signals: {error}");
            return ExitCode::FAILURE;
        }
    };
    if let Err(NotStarted { problems, status }) = service.start() {
        problems.iter().for_each(|problem| eprintln!("{problem}"));
        return status;
    }
    if let Some(address) = show {
        match metrics::serve(address, service.metrics.clone(), service.figures.subscribe()).await {
            Ok(address) => tracing::info!("metrics at http://{address}/metrics"),
            Err(error) => {
                eprintln!("cannot serve metrics at {address}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    notify(&[NotifyState::Ready]);
    tokio::spawn(watchdog(service.figures.subscribe()));
    let status = service.until_told(&mut signals).await;
    notify(&[NotifyState::Stopping]);
    if service.stop().await { status } else { ExitCode::FAILURE }
}

/// A task that panics would be missing from then on, and nobody would know.
fn end_at_panics() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        tracing::error!("a part of this process has panicked, and the rest is of no use without it");
        std::process::exit(101);
    }));
}

struct Running {
    checked: Checked,
    agent: Agent,
}

impl Running {
    fn name(&self) -> &str {
        &self.checked.config.name
    }
}

/// What the files say now, and what comes of it.
struct Plan {
    checked: Vec<Checked>,
    changes: Vec<v1::AgentChange>,
}

/// Why there are no agents, and the exit status.
struct NotStarted {
    problems: Vec<String>,
    status: ExitCode,
}

/// The agents, and what they were made from.
struct Service {
    files: Vec<PathBuf>,
    metrics: Metrics,
    agents: Vec<Running>,
    /// Those of the agents that there are.
    figures: watch::Sender<Vec<Figures>>,
    /// Where the agents say that they are asked to have the files read again.
    supervisor: Supervisor,
    supervised: Supervised,
}

impl Service {
    fn new(files: &[PathBuf]) -> Self {
        let figures = watch::Sender::default();
        let (supervisor, supervised) = Supervisor::channel();
        Self {
            files: files.to_owned(),
            metrics: Metrics::default(),
            agents: Vec::new(),
            figures,
            supervisor,
            supervised,
        }
    }

    /// What the files say, with which agents can be started; or all that is wrong with them.
    fn read(&self) -> Result<Vec<Checked>, Vec<String>> {
        let checked = Config::load(&self.files).map_err(|errors| vec![errors.to_string()])?;
        let mut problems: Vec<String> =
            crate::certs::problems(&self.files, &checked).iter().map(ToString::to_string).collect();
        let unusable =
            |it: &Checked| Agent::check(&it.config).err().map(|error| format!("{}: {error}", it.config.name));
        problems.extend(checked.iter().filter_map(unusable));
        if problems.is_empty() { Ok(checked) } else { Err(problems) }
    }

    fn start(&mut self) -> Result<(), NotStarted> {
        let wrong = |problems| NotStarted { problems, status: ExitCode::from(LASTING) };
        for checked in self.read().map_err(wrong)? {
            self.start_one(checked)?;
        }
        self.show();
        Ok(())
    }

    fn start_one(&mut self, checked: Checked) -> Result<(), NotStarted> {
        for warning in &checked.warnings {
            tracing::warn!("{warning}");
        }
        let (metrics, supervisor) = (self.metrics.clone(), Some(self.supervisor.clone()));
        let options = AgentOptions { metrics, supervisor, ..AgentOptions::default() };
        let agent = Agent::start(checked.config.clone(), options).map_err(|error| NotStarted {
            problems: vec![format!("{}: {error}", checked.config.name)],
            status: if error.may_heal() { ExitCode::FAILURE } else { ExitCode::from(LASTING) },
        })?;
        self.agents.push(Running { checked, agent });
        Ok(())
    }

    fn show(&self) {
        self.figures.send_replace(self.agents.iter().map(|running| running.agent.figures()).collect());
    }

    /// Until something ends the process.
    async fn until_told(&mut self, signals: &mut Signals) -> ExitCode {
        loop {
            let told = tokio::select! {
                told = signals.next() => told,
                asked = self.supervised.next() => Told::Reload(Some(asked)),
                (name, why) = first_to_end(&mut self.agents) => {
                    self.agents.retain(|running| running.name() != name);
                    let Some(why) = why else {
                        tracing::error!(agent = name, "it has ended by itself");
                        return ExitCode::FAILURE;
                    };
                    tracing::error!(agent = name, "{why}. No time heals this: stopping; the switches keep their tables");
                    return ExitCode::from(LASTING);
                }
            };
            match told {
                Told::Stop(name) => {
                    tracing::info!("{name}: stopping; the switches keep their tables");
                    return ExitCode::SUCCESS;
                }
                Told::Reload(asked) => {
                    if let Err(status) = self.reload(asked).await {
                        return status;
                    }
                }
            }
        }
    }

    /// Reads all files again, and does what they say, unless that is only to be told; if anything is wrong with them nothing changes. Who
    /// asked for it hears of it first: his agent may be among those that are stopped.
    async fn reload(&mut self, asked: Option<Reload>) -> Result<(), ExitCode> {
        let (dry_run, reply) = asked.map_or((false, None), |Reload { dry_run, reply }| (dry_run, Some(reply)));
        if !dry_run {
            let now = NotifyState::monotonic_usec_now().ok();
            notify(&[Some(NotifyState::Reloading), now].into_iter().flatten().collect::<Vec<_>>());
        }
        let plan = self.plan();
        if let Some(reply) = reply {
            let mut answer = v1::ReloadResponse { taken: plan.is_ok(), ..v1::ReloadResponse::default() };
            match &plan {
                Ok(plan) => {
                    answer.agents.clone_from(&plan.changes);
                    let warnings = plan.checked.iter().flat_map(|checked| &checked.warnings);
                    answer.warnings = warnings.map(ToString::to_string).collect();
                }
                Err(problems) => {
                    answer.problems.clone_from(problems);
                    let unchanged = |running: &Running| v1::AgentChange {
                        agent: running.name().to_owned(),
                        what: v1::agent_change::What::Unchanged.into(),
                        fields: Vec::new(),
                    };
                    answer.agents = self.agents.iter().map(unchanged).collect();
                }
            }
            // Who asked may have gone.
            let _ = reply.send(answer);
        }
        if dry_run {
            return Ok(());
        }
        self.metrics.reloaded(plan.is_ok());
        self.supervised.read(plan.as_ref().err().cloned());
        let result = match plan {
            Ok(plan) => self.apply(plan).await,
            Err(problems) => {
                for problem in problems {
                    tracing::error!(problem, "the configuration is not taken, and the one before stays");
                }
                Ok(())
            }
        };
        notify(&[NotifyState::Ready]);
        result
    }

    /// What would come of the files as they are now; or all that is wrong with them.
    fn plan(&self) -> Result<Plan, Vec<String>> {
        use v1::agent_change::What;
        let checked = self.read()?;
        let mut changes = Vec::new();
        let mut change = |name: &str, what: What, fields: Vec<Difference>| {
            let field = |it: Difference| v1::FieldChange {
                field: it.field,
                before: it.before.unwrap_or_default(),
                after: it.after.unwrap_or_default(),
            };
            let fields = fields.into_iter().map(field).collect();
            changes.push(v1::AgentChange { agent: name.to_owned(), what: what.into(), fields });
        };
        for running in &self.agents {
            match checked.iter().find(|new| new.config.name == running.name()) {
                Some(new) if new.config == running.checked.config => {
                    change(running.name(), What::Unchanged, Vec::new())
                }
                Some(new) => change(running.name(), What::Changed, running.checked.differences(new)),
                None => change(running.name(), What::Stopped, Vec::new()),
            }
        }
        for new in checked.iter().filter(|new| !self.agents.iter().any(|is| is.name() == new.config.name)) {
            change(&new.config.name, What::Started, Vec::new());
        }
        Ok(Plan { checked, changes })
    }

    /// Does what the files say. An agent whose configuration is another one is stopped and started with it: its switch keeps forwarding,
    /// its hosts are found in the switch, and the difference is written. The others go on, and read their certificates again.
    async fn apply(&mut self, Plan { checked, .. }: Plan) -> Result<(), ExitCode> {
        let (same, other): (Vec<_>, Vec<_>) = std::mem::take(&mut self.agents)
            .into_iter()
            .partition(|it| checked.iter().any(|new| new.config == it.checked.config));
        self.agents = same;
        for running in other {
            let name = running.name().to_owned();
            if let Err(error) = running.agent.shutdown().await {
                tracing::error!(agent = name, %error, "it ended badly");
            }
        }
        for running in &self.agents {
            if let Err(problem) = running.agent.renew_certificates().await {
                tracing::error!(
                    agent = running.name(),
                    problem,
                    "the certificates are not taken, and those before stay"
                );
            }
        }
        let new: Vec<_> =
            checked.into_iter().filter(|it| !self.agents.iter().any(|is| is.checked.config == it.config)).collect();
        let changed = new.len();
        for checked in new {
            if let Err(NotStarted { problems, status }) = self.start_one(checked) {
                for problem in problems {
                    tracing::error!(problem, "an agent cannot be started with the configuration that was just read");
                }
                return Err(status);
            }
        }
        self.show();
        tracing::info!(changed, unchanged = self.agents.len() - changed, "the configuration has been read again");
        Ok(())
    }

    /// Stops the agents. Whether all of them ended well.
    async fn stop(self) -> bool {
        let mut well = true;
        for running in self.agents {
            let name = running.name().to_owned();
            if let Err(error) = running.agent.shutdown().await {
                eprintln!("{name} ended badly: {error}");
                well = false;
            }
        }
        well
    }
}

/// The name of an agent that has ended by itself, and why, if it is known.
async fn first_to_end(agents: &mut [Running]) -> (String, Option<String>) {
    poll_fn(|context| {
        for running in agents.iter_mut() {
            let polled = pin!(running.agent.ended()).poll(context);
            if let Poll::Ready(ended) = polled {
                let why = ended.ok().flatten().map(|lasting| lasting.to_string());
                return Poll::Ready((running.name().to_owned(), why));
            }
        }
        Poll::Pending
    })
    .await
}

/// Tells systemd that all agents answer, as often as it wants to hear it.
async fn watchdog(agents: watch::Receiver<Vec<Figures>>) {
    let Some(within) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval(within / 2);
    loop {
        ticks.tick().await;
        let agents = agents.borrow().clone();
        for agent in agents {
            // One that has ended is none of the watchdog's business; one that hangs never answers, and systemd hears nothing more.
            let _ = agent.ready().await;
        }
        notify(&[NotifyState::Watchdog]);
    }
}

/// Where nobody listens, nothing is said.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}

/// What this process is told.
enum Told {
    Stop(&'static str),
    /// By a signal, or by who waits to hear of it.
    Reload(Option<Reload>),
}

/// What this process listens to. From when it is made, signals wait for it.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let [terminate, interrupt, hangup] =
            [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        Ok(Self { terminate: terminate?, interrupt: interrupt?, hangup: hangup? })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Told::Stop("SIGINT"),
            _ = self.hangup.recv() => Told::Reload(None),
        }
    }
}
