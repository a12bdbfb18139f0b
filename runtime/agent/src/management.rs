//! What an orchestrator and an operator may ask and tell an agent, over a Unix socket or by mutual TLS.
//!
//! Whoever can open the socket is believed. It is made for its owner only. Over the network, whoever has a certificate of the configured
//! authority may ask, and orders are taken of those whose names are configured.
//!
//! Questions are answered by the agent's task between two other things, some hosts at a time; whoever watches and is too slow misses events,
//! and the agent does not wait for him. The service is in `proto/vouch/management/v1/management.proto`, where each part is explained; [`v1`] is
//! its generated form, [`Client`] speaks to it, and [`json()`] prints any of its messages.
//!
//! | file | what it is |
//! |---|---|
//! | `management` | the service |
//! | `management/remote` | connections over the network |
//! | `management/watchers` | who is told what happens |
//! | `management/compare` | what the switch has, and what it should have |
//! | `management/copy` | what the switch has, for another switch |
//! | `management/client` | the other side |
//! | `management/json` | messages as JSON |

mod client;
mod compare;
mod copy;
mod json;
mod remote;
mod watchers;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant as Clock, timeout_at};
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use vouch_mobility::{Census, Clear, HostKey, Phase, VtepAddr};
use vouch_net::{MacAddr, Vni};

use self::compare::{Look, drops};
use self::v1::management_server::{Management, ManagementServer};
use self::watchers::Wanted;
use crate::config::{AccessInterface, Port, RemoteManagement, VlanId};
use crate::driver::{Ask, EVENT_KINDS, Filter, Task};
use crate::events::Place;
use crate::orders::{OrderError, Orders, What};
use crate::supervisor::Supervisor;

pub use self::client::{Client, ManagementError, OperatorFiles};
pub use self::json::json;
pub(crate) use self::remote::Identities;
pub(crate) use self::watchers::Watchers;

/// The generated form of `proto/vouch/management/v1/management.proto`, where each part is explained.
pub mod v1 {
    #![allow(missing_docs, unreachable_pub, clippy::all, rustdoc::all)]

    tonic::include_proto!("vouch.management.v1");
}

/// How long an announcement may hold at most.
const LONGEST: Duration = Duration::from_secs(86_400);

/// How long a host is waited for that is asked by order: as long as the slowest of hosts is.
const ANSWER: Duration = Duration::from_secs(2);

/// How many hosts are named in place of one that is not known.
const NEAR: usize = 3;

/// Serves until `stop`. Takes the place of a socket that nobody listens on any more, and makes the folder that it is to be in.
pub(crate) fn serve(path: &Path, service: Service, stop: CancellationToken) -> io::Result<JoinHandle<()>> {
    let stale = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
        && std::os::unix::net::UnixStream::connect(path).is_err();
    if stale {
        std::fs::remove_file(path)?;
    }
    // On most systems what is below /run is gone after a reboot.
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        match std::fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            // Another agent may make it at the same time.
            Ok(()) | Err(_) => {}
        }
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    let path = path.to_owned();
    Ok(tokio::spawn(async move {
        let serving = Server::builder()
            .add_service(ManagementServer::new(service))
            .serve_with_incoming_shutdown(UnixListenerStream::new(listener), stop.cancelled());
        until_stopped(serving, &stop).await;
        // Somebody may have removed it already.
        let _ = std::fs::remove_file(&path);
    }))
}

/// The same over the network; with it, who reads its certificates again.
pub(crate) fn serve_remotely(
    remote: &RemoteManagement,
    service: Service,
    stop: CancellationToken,
) -> io::Result<(JoinHandle<()>, Arc<Identities>)> {
    let identities = Arc::new(Identities::read(remote)?);
    let listener = std::net::TcpListener::bind(remote.listen)?;
    listener.set_nonblocking(true)?;
    let (connections, incoming) = mpsc::channel(1);
    let accepting = identities.clone().accept(TcpListener::from_std(listener)?, connections, stop.clone());
    let access = Access { operators: remote.operators.clone().into(), identities: identities.clone() };
    let service = Service { access: Some(access), ..service };
    let served = tokio::spawn(async move {
        let check = service.clone();
        let known = move |request: Request<()>| check.may_ask(&request).map(|()| request);
        let serving = Server::builder()
            .add_service(ManagementServer::with_interceptor(service, known))
            .serve_with_incoming_shutdown(ReceiverStream::new(incoming), stop.cancelled());
        tokio::join!(accepting, until_stopped(serving, &stop));
    });
    Ok((served, identities))
}

/// Whoever reads nothing must not keep a service from ending.
async fn until_stopped(serving: impl Future<Output = Result<(), tonic::transport::Error>>, stop: &CancellationToken) {
    let served = tokio::select! {
        served = serving => served,
        () = async { stop.cancelled().await; tokio::time::sleep(FAREWELL).await } => Ok(()),
    };
    if let Err(error) = served {
        tracing::error!(%error, "the management service stopped");
    }
}

/// How long an answer may take that was begun before the agent stopped. Among them is the one to whoever had it stopped, by `vouch reload`.
const FAREWELL: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Clone)]
pub(crate) struct Service {
    agent: String,
    orders: Orders,
    ask: mpsc::Sender<Ask>,
    watchers: Watchers,
    /// Who may do what; `None`: whoever can reach it may do all.
    access: Option<Access>,
    supervisor: Option<Supervisor>,
    /// When the agent stops, there is nothing more to watch.
    stop: CancellationToken,
}

/// Who may do what, over the network.
#[derive(Clone)]
struct Access {
    /// Who may give orders, by the names in certificates.
    operators: Arc<[String]>,
    identities: Arc<Identities>,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Service {
    pub(crate) fn new(
        agent: &str,
        orders: Orders,
        ask: mpsc::Sender<Ask>,
        watchers: Watchers,
        supervisor: Option<Supervisor>,
        stop: CancellationToken,
    ) -> Self {
        Self { agent: agent.to_owned(), orders, ask, watchers, access: None, supervisor, stop }
    }

    /// Whether whoever asks may go on asking: his certificate may have been revoked since he came.
    fn may_ask(&self, request: &Request<()>) -> Result<(), Status> {
        let Some(Access { identities, .. }) = &self.access else { return Ok(()) };
        match request.peer_certs() {
            Some(shown) if !identities.is_revoked(&shown) => Ok(()),
            Some(_) | None => Err(Status::unauthenticated("the certificate has been revoked")),
        }
    }

    /// Whether whoever asks for this may give orders.
    fn may_order<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let Some(Access { operators, .. }) = &self.access else { return Ok(()) };
        let certificates = request.peer_certs();
        let names = certificates.iter().flat_map(|it| it.iter()).next().map(|it| vouch_certs::names(it));
        let names = names.unwrap_or_default();
        if names.iter().any(|name| operators.iter().any(|operator| operator.eq_ignore_ascii_case(name))) {
            return Ok(());
        }
        tracing::warn!(
            agent = self.agent,
            ?names,
            "an order was refused: `management.remote.operators` has none of these names"
        );
        Err(Status::permission_denied(format!(
            "{} may ask and not order: `management.remote.operators` of {} has no such name",
            names.join(", "),
            self.agent
        )))
    }

    /// Asks the agent's task.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Task) -> T + Send + 'static,
    ) -> Result<T, Status> {
        ask(&self.ask, question).await
    }

    /// The hosts that are written most nearly so.
    async fn near(&self, mac: &str, ip: &str) -> Result<Vec<v1::HostEntry>, Status> {
        let meant = if mac.is_empty() { ip } else { mac }.to_lowercase();
        let (mut near, mut after) = (Vec::new(), None);
        loop {
            let page = self.ask(move |task| task.hosts(&Filter::default(), after)).await?;
            for entry in page.hosts {
                let macs = entry.host.iter().map(|host| host.mac.as_str()).filter(|_| !mac.is_empty());
                let ips = entry.addresses.iter().map(|address| address.ip.as_str()).filter(|_| mac.is_empty());
                let distance = macs.chain(ips).map(|name| strsim::damerau_levenshtein(name, &meant)).min();
                near.extend(distance.filter(|distance| *distance <= meant.len() / 3).map(|distance| (distance, entry)));
            }
            near.sort_by_key(|(distance, _)| *distance);
            near.truncate(NEAR);
            after = page.next;
            if after.is_none() {
                return Ok(near.into_iter().map(|(_, entry)| entry).collect());
            }
        }
    }
}

/// Asks the task of an agent.
async fn ask<T: Send + 'static>(
    to: &mpsc::Sender<Ask>,
    question: impl FnOnce(&mut Task) -> T + Send + 'static,
) -> Result<T, Status> {
    let (reply, answer) = oneshot::channel();
    // Whoever asked may have gone.
    let asked: Ask = Box::new(move |task| _ = reply.send(question(task)));
    let stopped = || Status::unavailable(OrderError::Stopped.to_string());
    to.send(asked).await.map_err(|_| stopped())?;
    answer.await.map_err(|_| stopped())
}

/// A stream of what comes by pages.
fn pages<T: Send + 'static, F>(
    ask_to: mpsc::Sender<Ask>,
    page: impl Fn(Option<HostKey>) -> F + Send + 'static,
) -> Answers<T>
where
    F: FnOnce(&mut Task) -> (T, Option<HostKey>) + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut after = None;
        loop {
            let (answer, next) = match ask(&ask_to, page(after)).await {
                Ok((answer, next)) => (Ok(answer), next),
                Err(status) => (Err(status), None),
            };
            if sender.send(answer).await.is_err() || next.is_none() {
                return;
            }
            after = next;
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

#[tonic::async_trait]
impl Management for Service {
    type ListHostsStream = Answers<v1::HostList>;
    type ListClaimsStream = Answers<v1::ClaimList>;
    type ExplainHostStream = Answers<v1::Story>;
    type WatchStream = Answers<v1::WatchResponse>;
    type CopySwitchStream = Answers<v1::SwitchCopy>;

    async fn expect_move(
        &self,
        request: Request<v1::ExpectMoveRequest>,
    ) -> Result<Response<v1::ExpectMoveResponse>, Status> {
        self.may_order(&request)?;
        let v1::ExpectMoveRequest { host, to, within_ms } = request.into_inner();
        let (host, to, within) = (self::host(host)?, place(to)?, Duration::from_millis(within_ms));
        if within.is_zero() || within > LONGEST {
            return Err(Status::invalid_argument("`within_ms` is from 1 to a day"));
        }
        self.orders.give(What::ExpectMove { host, to, within }).await.map_err(status)?;
        Ok(Response::new(v1::ExpectMoveResponse {}))
    }

    async fn settle_host(
        &self,
        request: Request<v1::SettleHostRequest>,
    ) -> Result<Response<v1::SettleHostResponse>, Status> {
        self.may_order(&request)?;
        let v1::SettleHostRequest { host, keep } = request.into_inner();
        let what = What::Settle { host: self::host(host)?, keep: place(keep)? };
        self.orders.give(what).await.map_err(status)?;
        Ok(Response::new(v1::SettleHostResponse {}))
    }

    async fn get_status(&self, _: Request<v1::GetStatusRequest>) -> Result<Response<v1::AgentStatus>, Status> {
        let mut status = self.ask(Task::agent_status).await?;
        let (mut census, mut after) = (Census::default(), None);
        loop {
            (census, after) = self
                .ask(move |task| {
                    let mut census = census;
                    let next = task.count(&mut census, after);
                    (census, next)
                })
                .await?;
            if after.is_none() {
                break;
            }
        }
        let counts = host_counts(&census);
        let mut warn = |what: String, remedy: &str| {
            let (severity, remedy) = (v1::problem::Severity::Warning.into(), remedy.to_owned());
            status.problems.push(v1::Problem { severity, what, remedy });
        };
        for host in &census.contested {
            warn(
                format!("{host} answers at two places; both receive."),
                "`vouch why` says where. It ends when one falls silent; `vouch settle` decides.",
            );
        }
        let more = counts.contested - u64::try_from(census.contested.len()).unwrap_or(u64::MAX).min(counts.contested);
        if more > 0 {
            warn(format!("{more} more hosts answer at two places."), "`vouch claims` lists them.");
        }
        if counts.unproven > 0 {
            warn(
                format!("Of {} hosts that are claimed nothing proves where they are.", counts.unproven),
                "`vouch claims` lists them with the reason. They are asked again by themselves.",
            );
        }
        if status.draining {
            let told = counts.here - counts.withheld.min(counts.here);
            let of_those = match told {
                0 => String::new(),
                told => format!(" Peers are told of {told}, as somebody else said he has them, and they answer here."),
            };
            warn(
                format!(
                    "It is out of use: {} hosts are here, and peers are not told of them.{of_those}",
                    counts.withheld
                ),
                "Stop the agent when its hosts are gone. `vouch drain --undo` takes it back into use, as a restart does.",
            );
        }
        if let Some(refused) = self.supervisor.as_ref().and_then(Supervisor::refused) {
            warn(
                format!(
                    "The configuration that was read {} s ago is not taken: {}.",
                    refused.at.elapsed().as_secs(),
                    refused.problems.join("; ")
                ),
                "What was in use before stays. Correct the files (`vouch check`), and have them read again (`vouch reload`).",
            );
        }
        status.hosts = Some(counts);
        status.problems.sort_by_key(|problem| std::cmp::Reverse(problem.severity));
        Ok(Response::new(status))
    }

    async fn list_hosts(
        &self,
        request: Request<v1::ListHostsRequest>,
    ) -> Result<Response<Self::ListHostsStream>, Status> {
        let filter = Arc::new(filter(request.into_inner())?);
        let agent = self.agent.clone();
        Ok(Response::new(pages(self.ask.clone(), move |after| {
            let (filter, agent) = (filter.clone(), agent.clone());
            move |task: &mut Task| {
                let page = task.hosts(&filter, after);
                (v1::HostList { agent, hosts: page.hosts }, page.next)
            }
        })))
    }

    async fn list_claims(&self, _: Request<v1::ListClaimsRequest>) -> Result<Response<Self::ListClaimsStream>, Status> {
        let agent = self.agent.clone();
        Ok(Response::new(pages(self.ask.clone(), move |after| {
            let agent = agent.clone();
            move |task: &mut Task| {
                let page = task.claims(after);
                (v1::ClaimList { agent, claims: page.hosts }, page.next)
            }
        })))
    }

    async fn list_moves(&self, request: Request<v1::ListMovesRequest>) -> Result<Response<v1::MoveList>, Status> {
        let last = usize::try_from(request.into_inner().last).unwrap_or(usize::MAX);
        Ok(Response::new(self.ask(move |task| task.moves(last)).await?))
    }

    async fn explain_host(
        &self,
        request: Request<v1::ExplainHostRequest>,
    ) -> Result<Response<Self::ExplainHostStream>, Status> {
        let v1::ExplainHostRequest { mac, vni, ip } = request.into_inner();
        if mac.is_empty() == ip.is_empty() {
            return Err(Status::invalid_argument("either `mac` or `ip` says which host"));
        }
        let vni = vni.map(self::vni).transpose()?;
        let meant = (vni, mac_if_given(&mac)?, ip_if_given(&ip)?);
        let hosts = self.ask(move |task| task.meant(meant.0, meant.1, meant.2)).await?;
        let mut stories = Vec::new();
        for host in hosts {
            // It may have been forgotten since.
            stories.extend(self.ask(move |task| task.story(host)).await?);
        }
        if stories.is_empty() {
            let near = self.near(&mac, &ip).await?;
            stories.push(v1::Story { agent: self.agent.clone(), near, ..v1::Story::default() });
        }
        Ok(Response::new(Box::pin(futures::stream::iter(stories.into_iter().map(Ok)))))
    }

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let v1::WatchRequest { host, kinds } = request.into_inner();
        let host = host.map(|host| self::host(Some(host))).transpose()?.map(host_to_wire);
        if let Some(unknown) = kinds.iter().find(|kind| !EVENT_KINDS.contains(&kind.as_str())) {
            let known = EVENT_KINDS.join(", ");
            return Err(Status::invalid_argument(format!("`{unknown}` is no kind of event: there are {known}")));
        }
        let follower = self.watchers.follow(Wanted { host, kinds })?;
        let until = self.stop.clone().cancelled_owned();
        Ok(Response::new(Box::pin(ReceiverStream::new(follower).take_until(until))))
    }

    async fn list_peers(&self, _: Request<v1::ListPeersRequest>) -> Result<Response<v1::PeerList>, Status> {
        let peers = self.ask(|task| task.peer_list(Clock::now())).await?;
        Ok(Response::new(v1::PeerList { agent: self.agent.clone(), peers }))
    }

    async fn list_ports(&self, _: Request<v1::ListPortsRequest>) -> Result<Response<v1::PortList>, Status> {
        Ok(Response::new(self.ask(|task| task.ports()).await?))
    }

    async fn list_attacks(&self, _: Request<v1::ListAttacksRequest>) -> Result<Response<v1::AttackList>, Status> {
        Ok(Response::new(self.ask(|task| task.attacks()).await?))
    }

    async fn read_counters(&self, _: Request<v1::ReadCountersRequest>) -> Result<Response<v1::CounterList>, Status> {
        let (mut counters, access) = self.ask(|task| (task.counters(), task.access_to_switch())).await?;
        let dropped = match access {
            Ok((session, program)) => drops(&session, &program).await.map_err(|error| error.to_string()),
            Err(why) => Err(why),
        };
        let mut error = String::new();
        match dropped {
            Ok(dropped) => counters.extend(dropped.into_iter().map(|(reason, packets)| v1::Counter {
                group: "switch".to_owned(),
                name: format!("dropped.{reason}"),
                meaning: reason.meaning().to_owned(),
                value: packets,
                place: None,
            })),
            Err(why) => error = why,
        }
        Ok(Response::new(v1::CounterList { agent: self.agent.clone(), counters, error }))
    }

    async fn compare_tables(
        &self,
        _: Request<v1::CompareTablesRequest>,
    ) -> Result<Response<v1::TableComparison>, Status> {
        let agent = self.agent.clone();
        let (session, program) = match self.ask(|task| task.access_to_switch()).await? {
            Ok(access) => access,
            Err(error) => return Ok(Response::new(v1::TableComparison { agent, error, ..Default::default() })),
        };
        let mut before = None;
        loop {
            let look = Look::at(&session, &program, self.wanted().await?).await;
            let look = match look {
                Ok(look) => look,
                Err(error) => {
                    let error = error.to_string();
                    return Ok(Response::new(v1::TableComparison { agent, error, ..Default::default() }));
                }
            };
            if look.is_same() || before.is_some() {
                return Ok(Response::new(look.compare(agent, before.as_ref())));
            }
            before = Some(look);
        }
    }

    async fn copy_switch(&self, _: Request<v1::CopySwitchRequest>) -> Result<Response<Self::CopySwitchStream>, Status> {
        let agent = self.agent.clone();
        let (sender, receiver) = mpsc::channel(1);
        match self.ask(|task| task.access_to_switch()).await? {
            Ok(access) => _ = tokio::spawn(copy::copy(agent, access, sender)),
            // There is room for one.
            Err(error) => _ = sender.try_send(Ok(v1::SwitchCopy { agent, error, ..v1::SwitchCopy::default() })),
        }
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn probe_host(
        &self,
        request: Request<v1::ProbeHostRequest>,
    ) -> Result<Response<v1::ProbeHostResponse>, Status> {
        self.may_order(&request)?;
        let host = self::host(request.into_inner().host)?;
        let (agent, watchers) = (self.agent.clone(), self.watchers.clone());
        // Watched from just before it is asked: a routine question of a moment ago is not the one that was ordered.
        let order = move |task: &mut Task| watchers.watch().map(|events| task.probe_now(host).map(|()| events));
        let mut events = match self.ask(order).await?? {
            Ok(events) => events,
            Err(reason) => return Ok(Response::new(v1::ProbeHostResponse { agent, reason, ..Default::default() })),
        };
        let (deadline, about) = (Clock::now() + ANSWER, Some(host_to_wire(host)));
        let mut response = v1::ProbeHostResponse { agent, ..Default::default() };
        let mut asked = None;
        loop {
            let event = match timeout_at(deadline, events.recv()).await {
                Ok(Ok(event)) => event,
                Ok(Err(broadcast::error::RecvError::Lagged(_))) => continue,
                Ok(Err(broadcast::error::RecvError::Closed)) => return Err(status(OrderError::Stopped)),
                Err(_) if asked.is_none() => {
                    response.reason = "the question has not gone out: too many others wait".to_owned();
                    return Ok(Response::new(response));
                }
                Err(_) => return Ok(Response::new(response)),
            };
            if event.host != about {
                continue;
            }
            match (event.kind.as_str(), asked) {
                ("asked", None) => {
                    asked = Some(Clock::now());
                    (response.place, response.targets) = (event.place.clone(), event.addresses.clone());
                }
                ("answered" | "seen", Some(since)) => {
                    (response.answered, response.took) = (true, span(since.elapsed()));
                    return Ok(Response::new(response));
                }
                _ => {}
            }
        }
    }

    async fn clear_host(
        &self,
        request: Request<v1::ClearHostRequest>,
    ) -> Result<Response<v1::ClearHostResponse>, Status> {
        use v1::clear_host_request::What as Wire;
        self.may_order(&request)?;
        let request = request.into_inner();
        let what = match request.what() {
            Wire::Refusals => Clear::Refusals,
            Wire::Attack => Clear::Attack,
            Wire::Quarantine => Clear::Quarantine,
            Wire::Unspecified => return Err(Status::invalid_argument("`what` is missing")),
        };
        let host = self::host(request.host)?;
        let cleared = self.ask(move |task| task.clear(host, what)).await?.map_err(status)?;
        Ok(Response::new(v1::ClearHostResponse { agent: self.agent.clone(), cleared }))
    }

    async fn drain(&self, request: Request<v1::DrainRequest>) -> Result<Response<v1::DrainResponse>, Status> {
        self.may_order(&request)?;
        let v1::DrainRequest { undo } = request.into_inner();
        self.orders.give(What::Drain { on: !undo }).await.map_err(status)?;
        let hosts = self.get_status(Request::new(v1::GetStatusRequest {})).await?.into_inner().hosts;
        Ok(Response::new(v1::DrainResponse { agent: self.agent.clone(), draining: !undo, hosts }))
    }

    async fn reload(&self, request: Request<v1::ReloadRequest>) -> Result<Response<v1::ReloadResponse>, Status> {
        self.may_order(&request)?;
        let Some(supervisor) = &self.supervisor else {
            return Err(Status::unimplemented("this agent was not started from files that could be read again"));
        };
        let v1::ReloadRequest { dry_run } = request.into_inner();
        let reloaded = supervisor.reload(dry_run).await.ok_or_else(|| status(OrderError::Stopped))?;
        Ok(Response::new(v1::ReloadResponse { agent: self.agent.clone(), ..reloaded }))
    }
}

impl Service {
    /// All that the switch is to have.
    async fn wanted(&self) -> Result<BTreeMap<vouch_tables::EntryKey, vouch_tables::EntryAction>, Status> {
        let (mut wanted, mut after) = (BTreeMap::new(), None);
        loop {
            let some = self.ask(move |task| task.wanted_after(after)).await?;
            let Some((last, _)) = some.last() else { return Ok(wanted) };
            after = Some(*last);
            wanted.extend(some);
        }
    }
}

fn host_counts(census: &Census) -> v1::HostCounts {
    let of = |phase| census.hosts_of(None, Some(phase));
    v1::HostCounts {
        total: census.hosts_of(None, None),
        here: census.hosts_of(Some(true), None),
        elsewhere: census.hosts_of(Some(false), None),
        settled: of(Phase::Settled),
        verifying: of(Phase::Verifying),
        unproven: of(Phase::Unproven),
        contested: of(Phase::Contested),
        sought: of(Phase::Sought),
        claiming: of(Phase::Claiming),
        probing_through_tunnel: of(Phase::ProbingThroughTunnel),
        withheld: census.withheld,
    }
}

fn status(error: OrderError) -> Status {
    match error {
        OrderError::Stopped | OrderError::NotReady => Status::unavailable(error.to_string()),
        OrderError::UnknownVni | OrderError::UnknownPlace => Status::not_found(error.to_string()),
    }
}

fn host(wire: Option<v1::Host>) -> Result<HostKey, Status> {
    let wire = wire.ok_or_else(|| Status::invalid_argument("`host` is missing"))?;
    Ok(HostKey { vni: vni(wire.vni)?, mac: mac(&wire.mac)? })
}

fn vni(number: u32) -> Result<Vni, Status> {
    Vni::new(number).map_err(|error| Status::invalid_argument(error.to_string()))
}

fn mac(text: &str) -> Result<MacAddr, Status> {
    let mac = text.parse::<MacAddr>().ok().filter(|mac| mac.is_host());
    mac.ok_or_else(|| Status::invalid_argument("`mac` is the address of one machine, as `02:00:00:00:00:01`"))
}

fn mac_if_given(text: &str) -> Result<Option<MacAddr>, Status> {
    if text.is_empty() { Ok(None) } else { mac(text).map(Some) }
}

fn ip_if_given(text: &str) -> Result<Option<IpAddr>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = |_| Status::invalid_argument("`ip` is an IPv4 or IPv6 address, as `192.168.1.1`");
    text.parse().map(Some).map_err(wrong)
}

fn filter(wire: v1::ListHostsRequest) -> Result<Filter, Status> {
    let phase = match wire.state() {
        v1::HostState::Unspecified => None,
        v1::HostState::Settled => Some(Phase::Settled),
        v1::HostState::Verifying => Some(Phase::Verifying),
        v1::HostState::Unproven => Some(Phase::Unproven),
        v1::HostState::Contested => Some(Phase::Contested),
        v1::HostState::Sought => Some(Phase::Sought),
        v1::HostState::Claiming => Some(Phase::Claiming),
        v1::HostState::ProbingThroughTunnel => Some(Phase::ProbingThroughTunnel),
    };
    let v1::ListHostsRequest { vni, mac, ip, port, state: _ } = wire;
    let port = port.map(|port| u16::try_from(port).ok().and_then(Port::new).map(Port::get));
    let port = port.map(|port| port.ok_or_else(|| Status::invalid_argument("`port` is a port of the switch")));
    Ok(Filter {
        vni: vni.map(self::vni).transpose()?,
        mac: mac_if_given(&mac)?,
        ip: ip_if_given(&ip)?,
        port: port.transpose()?,
        phase,
    })
}

fn place(wire: Option<v1::Place>) -> Result<Place, Status> {
    use v1::place::Kind;
    match wire.and_then(|wire| wire.kind) {
        None => Err(Status::invalid_argument("it is not said where: `access` or `vtep`")),
        Some(Kind::Vtep(address)) => match address.parse() {
            Ok(address) => Ok(Place::Vtep(VtepAddr(address))),
            Err(_) => Err(Status::invalid_argument("`vtep` is the tunnel address of a VTEP, as `10.0.0.2`")),
        },
        Some(Kind::Access(access)) => {
            let small = |number: u32| u16::try_from(number).ok();
            let port = small(access.port).and_then(Port::new);
            let port = port.ok_or_else(|| Status::invalid_argument("`port` is a port of the switch"))?;
            let vlan = match access.vlan {
                None => None,
                Some(vlan) => {
                    let vlan = small(vlan).and_then(VlanId::new);
                    Some(vlan.ok_or_else(|| Status::invalid_argument("`vlan` is from 1 to 4094"))?)
                }
            };
            Ok(Place::Interface(AccessInterface { port, vlan }))
        }
    }
}

pub(crate) fn host_to_wire(host: HostKey) -> v1::Host {
    v1::Host { vni: host.vni.get(), mac: host.mac.to_string() }
}

pub(crate) fn place_to_wire(place: Place) -> v1::Place {
    use v1::place::Kind;
    let kind = match place {
        Place::Vtep(vtep) => Kind::Vtep(vtep.0.to_string()),
        Place::Interface(AccessInterface { port, vlan }) => {
            Kind::Access(v1::AccessInterface { port: port.get().into(), vlan: vlan.map(|vlan| vlan.get().into()) })
        }
    };
    v1::Place { kind: Some(kind) }
}

/// A time span; none that is too long for anybody.
pub(crate) fn span(span: Duration) -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(span).ok()
}
