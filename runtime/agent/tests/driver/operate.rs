//! What an operator asks, over the socket: before there is a switch, beside one, and faster than he reads.

use vouch_agent::config::RemoteManagement;
use vouch_agent::management::{Client, OperatorFiles, v1};
use vouch_certs::Authority;
use vouch_net::MacAddr;

use crate::bench::*;
use crate::kind::Kind;

/// More events than wait for a watcher, in this process or on its connection.
const HOSTS: u16 = 6_000;

async fn connect(config: &vouch_agent::Config) -> Client {
    Client::connect(config.management.as_ref().expect("there is a socket")).await.expect("the agent listens")
}

fn here(vni: u32, mac: MacAddr) -> v1::Host {
    v1::Host { vni, mac: mac.to_string() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_without_a_switch_says_what_is_wrong_and_one_that_got_it_has_what_it_should_have() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = free_address();
    let mut config = config(Kind::Bmv2, address);
    config.management = Some(folder.path().join("vtep1.sock"));
    let mut agent = start(config.clone());
    let mut client = connect(&config).await;

    let status = client.status().await.expect("it answers");
    let switch = status.switch.expect("it has one");
    assert_eq!((switch.state(), switch.connected, switch.in_charge), (v1::switch_status::State::Away, false, false));
    let problem = status.problems.first().expect("something is wrong");
    assert_eq!(problem.severity(), v1::problem::Severity::Error);
    assert!(problem.what.contains(&address.to_string()) && !problem.remedy.is_empty(), "{problem:?}");
    assert!(status.peers.iter().all(|peer| !peer.up && !peer.reason.is_empty()), "{:?}", status.peers);
    let tables = client.tables().await.expect("it answers");
    assert!(!tables.error.is_empty() && tables.tables.is_empty(), "{tables:?}");
    let counters = client.counters().await.expect("it answers");
    assert!(!counters.error.is_empty() && !counters.counters.is_empty());
    let probed = client.probe(here(5001, HOST)).await.expect("it answers");
    assert!(probed.reason.contains("has not had its switch"), "{probed:?}");

    let bench = switch_of(Kind::Bmv2, Kind::Bmv2.parts(), address).await;
    agent.ready().await;
    bench.cables[0].send(arp(HOST, [192, 168, 1, 1])).expect("the link is up");
    agent.learned(HOST).await;
    let status = client.status().await.expect("it answers");
    let switch = status.switch.expect("it has one");
    assert_eq!((switch.state(), switch.connected, switch.in_charge), (v1::switch_status::State::Ready, true, true));
    assert!(status.problems.iter().all(|problem| problem.severity() == v1::problem::Severity::Warning));
    let tables = client.tables().await.expect("it answers");
    assert!(tables.differences.is_empty() && tables.error.is_empty(), "{tables:?}");
    assert_eq!(tables.tables.iter().map(|table| table.wanted).sum::<u64>(), agent.status().await.entries as u64);
    // Nobody has ever answered for this host: it is asked, and the silence is told.
    let probed = client.probe(here(5001, HOST)).await.expect("it answers");
    assert!(!probed.answered, "{probed:?}");
    let probed = client.probe(here(5001, NEIGHBOR)).await.expect("it answers");
    assert!(probed.reason.contains("is not known here"), "{probed:?}");
    agent.stop().await;
    bench.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_watches_too_slowly_misses_events_is_told_how_many_and_holds_up_nobody() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = free_address();
    let bench = switch(Kind::Bmv2, address).await;
    let mut config = config(Kind::Bmv2, address);
    config.management = Some(folder.path().join("vtep1.sock"));
    let mut agent = start(config.clone());
    agent.ready().await;
    let mut client = connect(&config).await;
    let mut stream = client.watch(v1::WatchRequest::default()).await.expect("it may watch");

    // Nobody reads the stream meanwhile.
    for number in 0..HOSTS {
        let [high, low] = number.to_be_bytes();
        let source = MacAddr([2, 0, 0, 1, high, low]);
        bench.cables[0].send(data(source, NEIGHBOR, 1)).expect("the link is up");
        if number % 256 == 0 {
            agent.learned(source).await;
        }
    }
    let last = MacAddr([2, 0, 0, 1, 0xff, 0xff]);
    bench.cables[0].send(data(last, NEIGHBOR, 1)).expect("the link is up");
    agent.learned(last).await;
    let hosts = client.hosts(v1::ListHostsRequest::default()).await.expect("it answers").hosts;
    assert!(hosts.len() > 1_024, "more than a page");
    let distinct: std::collections::BTreeSet<_> = hosts.iter().map(|entry| &entry.host.as_ref().unwrap().mac).collect();
    assert_eq!(distinct.len(), hosts.len());

    let mut missed = 0;
    let late = MacAddr([2, 0, 0, 2, 0, 0]);
    let about = Some(here(5001, late));
    let told = async {
        loop {
            let response = stream.message().await.expect("the agent runs").expect("the agent goes on");
            match response.what.expect("something is told") {
                v1::watch_response::What::Missed(number) => {
                    missed += number;
                    // Who reads on hears what happens from now on.
                    bench.cables[0].send(data(late, NEIGHBOR, 1)).expect("the link is up");
                }
                v1::watch_response::What::Event(event) if event.host == about => return,
                v1::watch_response::What::Event(_) => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("it hears the end");
    assert!(missed > 0);
    let memory = client.status().await.expect("it answers").memory.expect("it remembers");
    assert!(memory.missed_by_watchers >= missed, "{memory:?}");
    agent.stop().await;
    bench.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_the_network_who_is_known_may_ask_operators_may_order_and_strangers_may_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let day = std::time::Duration::from_secs(86_400);
    let authority = |name: &str| {
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder).expect("the folder is writable");
        let authority = Authority::create(name, day).expect("an authority");
        authority.save(&folder).expect("the folder is writable");
        move |who: &str| {
            let loopback = [std::net::Ipv4Addr::LOCALHOST.into()];
            let identity = authority.issue(who, &loopback, day).expect("a certificate");
            vouch_certs::store(&folder, who, &identity, false).expect("the folder is writable")
        }
    };
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    let revoke = |who: &str| {
        let folder = folder.path().join("ours");
        let file = folder.join(format!("{who}.pem"));
        if !file.exists() {
            ours(who);
        }
        Authority::load(&folder).and_then(|ours| ours.revoke(&folder, &[file])).expect("it is ours")
    };
    let who = |files: vouch_certs::Files| OperatorFiles { ca: files.ca, cert: files.cert, key: files.key };
    let vouch_certs::Files { ca, cert, key, .. } = ours("vtep1");
    let mut config = config(Kind::Bmv2, free_address());
    let listen = free_address();
    let operators = vec!["operator".to_owned()];
    config.remote_management =
        Some(RemoteManagement { listen, ca: ca.clone(), crl: Some(revoke("nobody")), cert, key, operators });
    let agent = start(config);

    let url = format!("https://{listen}");
    let order = async |client: &mut Client| {
        let what = v1::clear_host_request::What::Refusals.into();
        client.clear(v1::ClearHostRequest { host: Some(here(5001, HOST)), what }).await
    };
    let mut operator = Client::connect_remotely(&url, &who(ours("operator"))).await.expect("it is known");
    assert_eq!(operator.status().await.expect("it answers").agent, "vtep1");
    let told = order(&mut operator).await.expect_err("there is no switch yet").to_string();
    assert!(told.contains("has not had its switch"), "it may order: {told}");
    let mut reader = Client::connect_remotely(&url, &who(ours("reader"))).await.expect("it is known");
    assert_eq!(reader.status().await.expect("it answers").agent, "vtep1");
    let refused = order(&mut reader).await.expect_err("it may only ask").to_string();
    assert!(refused.contains("reader") && refused.contains("may ask and not order"), "{refused}");
    let settled = reader.settle_of(here(5001, HOST), "2".parse().expect("a place")).await.map(drop);
    for order in [settled, reader.probe(here(5001, HOST)).await.map(drop)] {
        let refused = order.expect_err("it may only ask").to_string();
        assert!(refused.contains("may ask and not order"), "{refused}");
    }
    // Whose certificate has been revoked is told so, and does not come in again.
    let mut revoked = Client::connect_remotely(&url, &who(ours("late"))).await.expect("it is known");
    assert_eq!(revoked.status().await.expect("it answers").agent, "vtep1");
    revoke("late");
    agent.agent.renew_certificates().await.expect("they are right");
    let refused = revoked.status().await.expect_err("it has been revoked").to_string();
    assert!(refused.contains("has been revoked"), "{refused}");
    let again = ca.parent().expect("a folder");
    let late = OperatorFiles { ca: ca.clone(), cert: again.join("late.pem"), key: again.join("late.key") };
    let asked = match Client::connect_remotely(&url, &late).await {
        Ok(mut client) => client.status().await.map(drop),
        Err(error) => Err(error),
    };
    assert!(asked.is_err(), "it has been revoked");
    assert_eq!(reader.status().await.expect("it answers").agent, "vtep1");
    // Who trusts our agent, and is not trusted by it.
    let stranger = OperatorFiles { ca, ..who(theirs("operator")) };
    let asked = match Client::connect_remotely(&url, &stranger).await {
        Ok(mut client) => client.status().await.map(drop),
        Err(error) => Err(error),
    };
    assert!(asked.is_err(), "its certificate is somebody else's");
    agent.stop().await;
    // Its address is free again.
    std::net::TcpListener::bind(listen).expect("nobody listens there");
}
