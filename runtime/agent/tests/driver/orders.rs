//! What an orchestrator says, over the socket and from within.

use std::time::Duration;

use vouch_agent::management::{Client, ManagementError};
use vouch_agent::{Agent, AgentOptions, OrderError, Place};
use vouch_mobility::HostKey;
use vouch_net::Vni;

use crate::bench::*;
use crate::kind::Kind;

const WITHIN: Duration = Duration::from_secs(30);

fn place(text: &str) -> Place {
    text.parse().expect("a place")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b15_moves_are_announced_over_the_socket_and_only_to_places_that_there_are() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = folder.path().join("vtep1.sock");
    let address = free_address();
    let bench = switch(Kind::Bmv2, address).await;
    let mut config = config(Kind::Bmv2, address);
    config.management = Some(socket.clone());
    let mut agent = start(config);
    let host = HostKey { vni: Vni::new(5001).expect("24 bits"), mac: HOST };
    agent.ready().await;
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&socket).expect("it is there").permissions());
    assert_eq!(mode & 0o777, 0o600, "for its owner only");

    let mut client = Client::connect(&socket).await.expect("the agent listens");
    for right in ["1", "2", "10.0.0.2"] {
        client.expect_move(host, place(right), WITHIN).await.expect("there is such a place");
        agent.agent.expect_move(host, place(right), WITHIN).await.expect("there is such a place");
    }
    let refused = |result: Result<(), ManagementError>| result.expect_err("it is wrong").to_string();
    let nowhere = "the agent has no such access interface or peer in this VNI";
    // Port 3 is another VNI's.
    for wrong in ["3", "1.100", "10.0.0.9"] {
        assert_eq!(refused(client.expect_move(host, place(wrong), WITHIN).await), nowhere);
    }
    let elsewhere = HostKey { vni: Vni::new(7).expect("24 bits"), ..host };
    assert_eq!(refused(client.expect_move(elsewhere, place("1"), WITHIN).await), "the agent has no such VNI");
    assert_eq!(agent.agent.settle(elsewhere, place("1")).await, Err(OrderError::UnknownVni));
    let soon = "`within_ms` is from 1 to a day";
    assert_eq!(refused(client.expect_move(host, place("1"), Duration::ZERO).await), soon);
    assert_eq!(refused(client.expect_move(host, place("1"), 2_880 * WITHIN * 2).await), soon);
    let mac = "`mac` is the address of one machine, as `02:00:00:00:00:01`";
    for wrong in ["", "ff:ff:ff:ff:ff:ff", "2"] {
        assert_eq!(refused(client.expect_move_of(5001, wrong, place("1"), WITHIN).await), mac);
    }
    client.settle(host, place("1")).await.expect("a host that is nowhere is settled at once");
    agent.stop().await;
    bench.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_a_dead_agent_left_is_taken_over_and_one_that_is_in_use_is_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = folder.path().join("vtep1.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("the folder is writable"));
    let config = || {
        let mut config = config(Kind::Bmv2, free_address());
        config.management = Some(socket.clone());
        config
    };
    let first = Agent::start(config(), AgentOptions::default()).expect("nobody listens there");
    let error = Agent::start(config(), AgentOptions::default()).expect_err("somebody listens there").to_string();
    assert!(error.starts_with("cannot serve management at "), "{error}");
    // An agent that has not had its switch knows no places yet.
    let host = HostKey { vni: Vni::new(5001).expect("24 bits"), mac: HOST };
    assert_eq!(first.expect_move(host, place("1"), WITHIN).await, Err(OrderError::NotReady));
    first.shutdown().await.expect("the agent does not panic");
    let error = Client::connect(&folder.path().join("nothing.sock")).await.expect_err("nobody is there").to_string();
    assert!(error.contains("cannot reach an agent at"), "{error}");
}
