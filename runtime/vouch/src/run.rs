//! `vouch run`: agents in this process until a signal ends them.
//!
//! SIGINT and SIGTERM stop the agents; the switches keep their tables. SIGHUP has the files read again ([`Service::reload`]): all of
//! them are taken, or none. An agent that ends by itself, or a panic anywhere, ends the process with an error, so that whoever
//! supervises it sees it and starts it anew. systemd hears when all has been started, and as long as all agents answer.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::task::Poll;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use vouch_agent::config::Checked;
use vouch_agent::metrics::Metrics;
use vouch_agent::{Agent, AgentOptions, Config, Figures};

use crate::metrics;

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
    if let Err(problems) = service.start() {
        problems.iter().for_each(|problem| eprintln!("{problem}"));
        return ExitCode::FAILURE;
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
    config: Config,
    agent: Agent,
}

/// The agents, and what they were made from.
struct Service {
    files: Vec<PathBuf>,
    metrics: Metrics,
    agents: Vec<Running>,
    /// Those of the agents that there are.
    figures: watch::Sender<Vec<Figures>>,
}

impl Service {
    fn new(files: &[PathBuf]) -> Self {
        let figures = watch::Sender::default();
        Self { files: files.to_owned(), metrics: Metrics::default(), agents: Vec::new(), figures }
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

    fn start(&mut self) -> Result<(), Vec<String>> {
        for checked in self.read()? {
            self.start_one(checked).map_err(|problem| vec![problem])?;
        }
        self.show();
        Ok(())
    }

    fn start_one(&mut self, Checked { config, warnings, .. }: Checked) -> Result<(), String> {
        for warning in &warnings {
            tracing::warn!("{warning}");
        }
        let options = AgentOptions { metrics: self.metrics.clone(), ..AgentOptions::default() };
        let agent = Agent::start(config.clone(), options).map_err(|error| format!("{}: {error}", config.name))?;
        self.agents.push(Running { config, agent });
        Ok(())
    }

    fn show(&self) {
        self.figures.send_replace(self.agents.iter().map(|running| running.agent.figures()).collect());
    }

    /// Until something ends the process.
    async fn until_told(&mut self, signals: &mut Signals) -> ExitCode {
        loop {
            tokio::select! {
                told = signals.next() => match told {
                    Told::Stop(name) => {
                        tracing::info!("{name}: stopping; the switches keep their tables");
                        return ExitCode::SUCCESS;
                    }
                    Told::Reload => {
                        let now = NotifyState::monotonic_usec_now().ok();
                        notify(&[Some(NotifyState::Reloading), now].into_iter().flatten().collect::<Vec<_>>());
                        let result = self.reload().await;
                        notify(&[NotifyState::Ready]);
                        if let Err(Broken) = result {
                            return ExitCode::FAILURE;
                        }
                    }
                },
                name = first_to_end(&mut self.agents) => {
                    tracing::error!(agent = name, "it has ended by itself");
                    self.agents.retain(|running| running.config.name != name);
                    return ExitCode::FAILURE;
                }
            }
        }
    }

    /// Reads all files again. If anything is wrong with them nothing changes. An agent whose configuration is another one is stopped and
    /// started with it: its switch keeps forwarding, its hosts are found in the switch, and the difference is written. The others
    /// go on, and read their certificates again.
    async fn reload(&mut self) -> Result<(), Broken> {
        let checked = match self.read() {
            Ok(checked) => checked,
            Err(problems) => {
                self.metrics.reloaded(false);
                for problem in problems {
                    tracing::error!(problem, "the configuration is not taken, and the one before stays");
                }
                return Ok(());
            }
        };
        let (same, other): (Vec<_>, Vec<_>) = std::mem::take(&mut self.agents)
            .into_iter()
            .partition(|it| checked.iter().any(|new| new.config == it.config));
        self.agents = same;
        for Running { agent, config } in other {
            if let Err(error) = agent.shutdown().await {
                tracing::error!(agent = config.name, %error, "it ended badly");
            }
        }
        for running in &self.agents {
            if let Err(problem) = running.agent.renew_certificates().await {
                tracing::error!(
                    agent = running.config.name,
                    problem,
                    "the certificates are not taken, and those before stay"
                );
            }
        }
        let new: Vec<_> =
            checked.into_iter().filter(|it| !self.agents.iter().any(|is| is.config == it.config)).collect();
        let changed = new.len();
        for checked in new {
            if let Err(problem) = self.start_one(checked) {
                tracing::error!(problem, "an agent cannot be started with the configuration that was just read");
                return Err(Broken);
            }
        }
        self.show();
        self.metrics.reloaded(true);
        tracing::info!(changed, unchanged = self.agents.len() - changed, "the configuration has been read again");
        Ok(())
    }

    /// Stops the agents. Whether all of them ended well.
    async fn stop(self) -> bool {
        let mut well = true;
        for Running { agent, config } in self.agents {
            if let Err(error) = agent.shutdown().await {
                eprintln!("{} ended badly: {error}", config.name);
                well = false;
            }
        }
        well
    }
}

/// Some agent is missing.
struct Broken;

/// The name of an agent that has ended by itself.
async fn first_to_end(agents: &mut [Running]) -> String {
    poll_fn(|context| {
        for Running { agent, config } in agents.iter_mut() {
            if pin!(agent.ended()).poll(context).is_ready() {
                return Poll::Ready(config.name.clone());
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

/// What a signal says.
enum Told {
    Stop(&'static str),
    Reload,
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
            _ = self.hangup.recv() => Told::Reload,
        }
    }
}
