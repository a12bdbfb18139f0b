//! What the agent makes of other controllers, of foreign entries, and of a switch that refuses.

use std::net::SocketAddr;
use std::time::Duration;

use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use vouch_agent::management::Client;
use vouch_agent::{AgentEventKind, Place};
use vouch_mobility::Report;
use vouch_net::MacAddr;
use vouch_p4runtime::client::{Event, EventReceiver, Session, SessionConfig};
use vouch_tables::{
    Bd, Change, DestinationAction, DestinationKey, EntryAction, EntryKey, LocationId, RecordedLocationAction,
    RecordedLocationKey, Tables,
};

use crate::bench::*;
use crate::kind::{Kind, on_each_kind};

on_each_kind! {
    an_agent_that_was_replaced_takes_over_again_and_undoes_what_is_not_wanted,
    silence_while_nobody_could_be_asked_is_no_verdict,
    an_entry_that_the_switch_refuses_holds_up_no_other_and_is_tried_again,
    a_peering_whose_address_is_still_taken_starts_once_it_is_free,
    an_agent_that_is_not_in_charge_of_its_switch_is_silent_towards_its_peers,
    a_host_whose_entries_the_switch_refused_is_announced_once_it_has_taken_them,
    one_of_a_pair_takes_over_what_the_other_has_done,
}

const FOREIGNER: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x66]);

/// Another controller, with a higher election id than the agent's configured one.
struct Rival {
    session: Session,
    tables: Tables,
    // The session lasts as long as its events are wanted.
    _events: EventReceiver,
}

impl Rival {
    async fn connect(kind: Kind, switch: SocketAddr) -> Self {
        let info = kind.p4info();
        let tables = Tables::bind(&info).expect("our own program");
        let config =
            SessionConfig { p4info: Some(info.into()), ..SessionConfig::new(format!("http://{switch}"), 1, 99) };
        let (session, mut events) = Session::connect(config).expect("a valid address");
        let answered =
            async { while !matches!(events.recv().await, Some(Event::Primary { .. } | Event::Backup { .. })) {} };
        tokio::time::timeout(PATIENCE, answered).await.expect("the switch answers");
        Self { session, tables, _events: events }
    }

    async fn write(&self, changes: &[Change]) {
        let updates = changes.iter().map(|change| self.tables.update(change).expect("they belong together")).collect();
        self.session.write(updates).await.expect("the switch takes them");
    }

    /// What the switch has for a host.
    async fn read(&self, mac: MacAddr) -> Vec<(EntryKey, EntryAction)> {
        let mut found = Vec::new();
        let mut entities = self.session.read(self.tables.read_all()).await.expect("a backup may read");
        while let Some(entity) = entities.next().await {
            let decoded = self.tables.decode(&entity.expect("the read goes on")).expect("only our entries");
            found.extend(decoded.filter(|(key, _)| key.to_string().contains(&mac.to_string())));
        }
        found
    }
}

async fn an_agent_that_was_replaced_takes_over_again_and_undoes_what_is_not_wanted(kind: Kind) {
    let address = free_address();
    let bench = switch(kind, address).await;
    let mut agent = start(config(kind, address));
    agent.ready().await;
    bench.cables[0].send(arp(HOST, [192, 168, 1, 1])).expect("the link is up");
    agent.learned(HOST).await;
    let entries = agent.status().await.entries;

    let rival = Rival::connect(kind, address).await;
    agent.lost().await;
    assert!(!agent.status().await.ready);
    let hosts = rival.read(HOST).await;
    assert_eq!(hosts.len(), 3, "who has the switch changes nothing in it");
    let bd = Bd::new(1).expect("in range");
    let (elsewhere, location) = (LocationId::access(2).expect("in range"), LocationId::access(1).expect("in range"));
    let foreign =
        RecordedLocationKey { bd, mac: FOREIGNER }.with(RecordedLocationAction::Recorded { location, forward: true });
    let redirected = DestinationKey { bd, mac: HOST }.with(DestinationAction::Unicast { location: elsewhere });
    let recorded = RecordedLocationKey { bd, mac: HOST };
    rival
        .write(&[
            Change::Insert(foreign.0, foreign.1),
            Change::Modify(redirected.0, redirected.1),
            Change::Delete(recorded.into()),
        ])
        .await;
    drop(rival);

    let (installed, restored, written) = agent.ready().await;
    assert_eq!((installed, restored, written), (false, 0, 3), "no more than the difference");
    assert_eq!(agent.status().await.entries, entries);
    let reader = Rival::connect(kind, address).await;
    assert_eq!(reader.read(HOST).await, hosts);
    assert_eq!(reader.read(FOREIGNER).await, []);
    agent.stop().await;
    bench.server.shutdown().await;
}

async fn silence_while_nobody_could_be_asked_is_no_verdict(kind: Kind) {
    let verdict_after = Duration::from_millis(2500);
    let address = free_address();
    let bench = switch(kind, address).await;
    let mut config = config(kind, address);
    let vtep = config.vtep.as_mut().expect("the demo's is a VTEP");
    vtep.timers.probes = vec![Duration::ZERO, Duration::from_secs(2)];
    vtep.timers.verdict_after = verdict_after;
    // The agent has only just started: the host's place has yet to earn its trust.
    vtep.timers.probation = Duration::ZERO;
    let mut agent = start(config);
    agent.ready().await;
    bench.cables[0].send(arp(HOST, [192, 168, 1, 1])).expect("the link is up");
    agent.learned(HOST).await;

    bench.cables[1].send(arp(HOST, [192, 168, 1, 1])).expect("the link is up");
    agent
        .until(|kind| match kind {
            AgentEventKind::Report(Report::VerificationStarted { .. }) => Some(()),
            _ => None,
        })
        .await;
    let rival = Rival::connect(kind, address).await;
    agent.lost().await;
    // No synchronisation: it is the time itself in which a verdict would be given.
    tokio::time::sleep(verdict_after).await;
    drop(rival);
    agent.ready().await;
    let talking = async {
        loop {
            bench.cables[0].send(data(HOST, NEIGHBOR, 1)).expect("the link is up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let stayed = agent.until(|kind| match kind {
        AgentEventKind::Report(Report::Stayed { .. }) => Some(true),
        AgentEventKind::Report(Report::Moved { .. }) => Some(false),
        _ => None,
    });
    tokio::select! {
        stayed = stayed => assert!(stayed, "the host had no chance to answer"),
        () = talking => unreachable!("it talks for ever"),
    }
    agent.stop().await;
    bench.server.shutdown().await;
}

async fn an_entry_that_the_switch_refuses_holds_up_no_other_and_is_tried_again(kind: Kind) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let address = free_address();
    // Room for the probe address of both VNIs, and one host.
    let (parts, pipeline) = kind.small(directory.path(), 3);
    let bench = switch_of(kind, parts, address).await;
    let mut config = config(kind, address);
    config.switch.pipeline = pipeline.or(config.switch.pipeline);
    config.vtep.as_mut().expect("the demo's is a VTEP").timers.host_ageing = Duration::from_secs(2);
    let mut agent = start(config);
    agent.ready().await;
    bench.cables[0].send(arp(HOST, [192, 168, 1, 1])).expect("the link is up");
    agent.learned(HOST).await;

    bench.cables[1].send(arp(NEIGHBOR, [192, 168, 1, 2])).expect("the link is up");
    while agent.status().await.task.failed_writes == 0 {
        tokio::task::yield_now().await;
    }
    assert!(!agent.status().await.ready, "there is a doubt about the tables");
    // What is there works on, and goes when its time comes: then there is room.
    bench.cables[1].send(data(NEIGHBOR, HOST, 1)).expect("the link is up");
    received(&bench.cables[0], &data(NEIGHBOR, HOST, 1)).await;
    agent.ready().await;
    let status = agent.status().await;
    assert!(status.ready && status.hosts.len() <= 1, "{status:?}");
    agent.stop().await;
    bench.server.shutdown().await;
}

async fn a_peering_whose_address_is_still_taken_starts_once_it_is_free(kind: Kind) {
    let address = free_address();
    let bench = switch(kind, address).await;
    let config = config(kind, address);
    let listen = config.vtep.as_ref().expect("the demo's is a VTEP").peering.listen;
    let predecessor = std::net::TcpListener::bind(listen).expect("it was free");
    let mut agent = start(config);
    agent.ready().await;
    assert_eq!(agent.status().await.peering, None);
    drop(predecessor);
    while agent.status().await.peering.is_none() {
        tokio::task::yield_now().await;
    }
    agent.stop().await;
    bench.server.shutdown().await;
}

/// Whoever lost its switch to another controller speaks for nobody: its hosts may be anywhere by now.
async fn an_agent_that_is_not_in_charge_of_its_switch_is_silent_towards_its_peers(kind: Kind) {
    let addresses = [free_address(), free_address()];
    let (one, two) = (switch(kind, addresses[0]).await, switch(kind, addresses[1]).await);
    let [mut first, mut second] = configs_of(kind, addresses).map(start);
    first.ready().await;
    second.ready().await;
    first.peer_up().await;
    second.peer_up().await;
    one.cables[0].send(arp(HOST, [192, 168, 1, 1])).expect("the link is up");
    first.learned(HOST).await;
    second.knows(HOST).await;

    let rival = Rival::connect(kind, addresses[0]).await;
    first.lost().await;
    assert_eq!(second.peer_down().await, "closed: not in charge of the switch");
    // No synchronisation: it is the time in which it would call again.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(second.status().await.peering.map(|counters| counters.sessions), Some(1));
    // What it knew is not forgotten meanwhile.
    second.knows(HOST).await;

    drop(rival);
    first.ready().await;
    second.peer_up().await;
    second.knows(HOST).await;
    first.stop().await;
    second.stop().await;
    one.server.shutdown().await;
    two.server.shutdown().await;
}

/// Whoever takes the switch's place for a while is not the one that the configuration is for, which has been right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_whose_switch_was_ready_outlasts_what_no_time_would_heal() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = free_address();
    // It knows no P4Runtime, and says so to everything.
    let another = |stop: CancellationToken| {
        let listening = std::net::TcpListener::bind(address).expect("the address is free");
        listening.set_nonblocking(true).expect("it is a socket");
        let listening = tokio::net::TcpListener::from_std(listening).expect("it listens");
        let served = Server::builder().add_routes(Routes::default());
        tokio::spawn(served.serve_with_incoming_shutdown(TcpListenerStream::new(listening), stop.cancelled_owned()))
    };
    let stop = CancellationToken::new();
    let stranger = another(stop.clone());
    let mut config = config(Kind::Bmv2, address);
    let mut new = start(config.clone());
    let ended = tokio::time::timeout(PATIENCE, new.agent.ended()).await.expect("it ends");
    let why = ended.expect("it does not panic").expect("it says why").to_string();
    assert!(why.contains("refuses the session"), "{why}");
    drop(new);
    stop.cancel();
    stranger.await.expect("no panic").expect("it served");

    config.management = Some(folder.path().join("vtep1.sock"));
    let bench = switch(Kind::Bmv2, address).await;
    let mut agent = start(config.clone());
    agent.ready().await;
    bench.server.shutdown().await;
    agent.lost().await;
    let stop = CancellationToken::new();
    let stranger = another(stop.clone());
    let mut operator = Client::connect(config.management.as_deref().expect("set")).await.expect("it listens");
    let refused = async {
        loop {
            let status = operator.status().await.expect("the agent goes on");
            let reason = status.switch.expect("it has one").reason;
            if reason.contains("Unimplemented") {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.expect("it hears of it");
    stop.cancel();
    stranger.await.expect("no panic").expect("it served");
    let bench = switch(Kind::Bmv2, address).await;
    agent.ready().await;
    agent.stop().await;
    bench.server.shutdown().await;
}

/// Messages never follow writes that failed: a peer would send a host's traffic to where nobody knows it.
async fn a_host_whose_entries_the_switch_refused_is_announced_once_it_has_taken_them(kind: Kind) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let addresses = [free_address(), free_address()];
    // Room for the probe address of both VNIs, and one host.
    let (parts, pipeline) = kind.small(directory.path(), 3);
    let one = switch_of(kind, parts, addresses[0]).await;
    let two = switch(kind, addresses[1]).await;
    let [mut small, large] = configs_of(kind, addresses);
    small.switch.pipeline = pipeline.or(small.switch.pipeline);
    small.vtep.as_mut().expect("the demo's is a VTEP").timers.host_ageing = Duration::from_secs(2);
    let (mut first, mut second) = (start(small), start(large));
    first.ready().await;
    second.ready().await;
    first.peer_up().await;
    second.peer_up().await;
    one.cables[0].send(arp(HOST, [192, 168, 1, 1])).expect("the link is up");
    first.learned(HOST).await;
    second.knows(HOST).await;

    one.cables[1].send(arp(NEIGHBOR, [192, 168, 1, 2])).expect("the link is up");
    while first.status().await.task.messages_in_doubt == 0 {
        tokio::task::yield_now().await;
    }
    let told = |status: &vouch_agent::AgentStatus| status.hosts.iter().any(|host| host.host.mac == NEIGHBOR);
    assert!(told(&first.status().await) && !told(&second.status().await));
    // The one grows old while the other talks; then there is room.
    let talking = async {
        loop {
            one.cables[1].send(data(NEIGHBOR, MacAddr::BROADCAST, 1)).expect("the link is up");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = second.knows(NEIGHBOR) => {}
        () = talking => unreachable!("it talks for ever"),
    }
    assert!(
        first.status().await.peering.is_some_and(|counters| counters.unwritten >= 1),
        "by the lists of a new session"
    );
    first.stop().await;
    second.stop().await;
    one.server.shutdown().await;
    two.server.shutdown().await;
}

/// Where an agent has the host.
async fn place(agent: &Watched) -> Option<Place> {
    agent.status().await.hosts.iter().find(|host| host.host.mac == HOST).and_then(|host| host.place)
}

async fn one_of_a_pair_takes_over_what_the_other_has_done(kind: Kind) {
    let address = free_address();
    let bench = switch(kind, address).await;
    let paired = |election_id| {
        let mut config = config(kind, address);
        (config.switch.pair, config.switch.election_id) = (true, election_id);
        config.vtep.as_mut().expect("the demo's is a VTEP").verify = false;
        config
    };
    let mut first = start(paired(1));
    first.ready().await;
    bench.cables[0].send(arp(HOST, [192, 168, 1, 1])).expect("the link is up");
    first.learned(HOST).await;
    let before = place(&first).await;
    assert!(before.is_some());

    let mut second = start(paired(2));
    assert_eq!(second.ready().await, (false, 1, 0), "it finds the host, and has nothing to write");
    first.lost().await;
    assert_eq!(place(&first).await, None, "what it knew will be out of date");
    assert_eq!(place(&second).await, before);
    // While the second is in charge the host moves.
    bench.cables[1].send(arp(HOST, [192, 168, 1, 1])).expect("the link is up");
    second.until(|kind| matches!(kind, AgentEventKind::Report(Report::Moved { .. })).then_some(())).await;
    let moved = place(&second).await;
    assert_ne!(moved, before);
    second
        .until(|kind| match kind {
            AgentEventKind::Written { changes } => {
                changes.iter().any(|change| change.contains(&HOST.to_string())).then_some(())
            }
            _ => None,
        })
        .await;
    drop(second);

    let (installed, restored, _) = first.ready().await;
    assert_eq!((installed, restored), (false, 1));
    assert_eq!(place(&first).await, moved, "it undoes nothing of what the other has done");
    first.stop().await;
    bench.server.shutdown().await;
}
