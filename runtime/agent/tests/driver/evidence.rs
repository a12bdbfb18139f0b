//! Hosts that answer, hosts that are gone, and thousands of either, on the real pipeline.

use std::collections::BTreeSet;
use std::time::Duration;

use vouch_agent::{AgentEventKind, Config};
use vouch_mobility::{Because, Report};
use vouch_net::MacAddr;
use vouch_switch_server::Endpoint;

use crate::bench::*;
use crate::kind::{Kind, on_each_kind};

on_each_kind! {
    m4_a_host_that_answers_stays_in_whosever_name_it_is_asked,
    m5_a_host_that_is_gone_moves_and_its_silence_is_the_reason,
    b10_an_address_that_is_anothers_goes_nowhere,
}

pub(crate) const ADDRESS: [u8; 4] = [192, 168, 1, 1];
const GATEWAY: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xfe]);

/// A host with one address that answers who asks for it, for as long as it is polled.
pub(crate) async fn answering(cable: &Endpoint) {
    loop {
        let frame = cable.recv().await.expect("the switch runs");
        if frame[12..14] == [8, 6] && frame[20..22] == [0, 1] && frame[38..42] == ADDRESS {
            let mut reply = [&frame[22..28], &HOST.octets()[..], &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2]].concat();
            reply.extend(HOST.octets());
            reply.extend(ADDRESS);
            reply.extend(&frame[22..32]);
            cable.send(reply).expect("the link is up");
        }
    }
}

/// The first verdict about the host, and why if it moved.
pub(crate) async fn verdict(agent: &mut Watched) -> Option<Because> {
    agent
        .until(|kind| match kind {
            AgentEventKind::Report(Report::Stayed { .. }) => Some(None),
            AgentEventKind::Report(Report::Moved { because, .. }) => Some(Some(*because)),
            _ => None,
        })
        .await
}

/// An agent that trusts places at once, and not only after it has run for a while.
pub(crate) fn trusting(kind: Kind, address: std::net::SocketAddr) -> Config {
    let mut config = config(kind, address);
    config.vtep.as_mut().expect("the demo's is a VTEP").timers.probation = Duration::ZERO;
    config
}

async fn m4_a_host_that_answers_stays_in_whosever_name_it_is_asked(kind: Kind) {
    for as_gateway in [false, true] {
        let address = free_address();
        let bench = switch(kind, address).await;
        let mut config = trusting(kind, address);
        if as_gateway {
            let vnis = &mut config.vtep.as_mut().expect("the demo's is a VTEP").vnis;
            let ip = [192, 168, 1, 254].into();
            vnis[0].probe_as = vouch_agent::config::ProbeAs::Gateway { ip, mac: GATEWAY, ipv6: None };
        }
        let mut agent = start(config);
        agent.ready().await;
        bench.cables[0].send(arp(HOST, ADDRESS)).expect("the link is up");
        agent.learned(HOST).await;
        bench.cables[1].send(arp(HOST, ADDRESS)).expect("the link is up");
        let stayed = tokio::select! {
            verdict = verdict(&mut agent) => verdict,
            () = answering(&bench.cables[0]) => unreachable!("it answers for ever"),
        };
        assert_eq!(stayed, None);
        agent.stop().await;
        bench.server.shutdown().await;
    }
}

async fn m5_a_host_that_is_gone_moves_and_its_silence_is_the_reason(kind: Kind) {
    let address = free_address();
    let bench = switch(kind, address).await;
    let mut agent = start(trusting(kind, address));
    agent.ready().await;
    bench.cables[0].send(arp(HOST, ADDRESS)).expect("the link is up");
    // A host that has never answered is not expected to: its silence would prove nothing.
    tokio::select! {
        () = agent.until(|kind| matches!(kind, AgentEventKind::Answered { .. }).then_some(())) => {}
        () = answering(&bench.cables[0]) => unreachable!("it answers for ever"),
    }
    bench.cables[1].send(arp(HOST, ADDRESS)).expect("the link is up");
    assert_eq!(verdict(&mut agent).await, Some(Because::Silence));
    agent.stop().await;
    bench.server.shutdown().await;
}

/// Row 12: plain ARP poisoning.
async fn b10_an_address_that_is_anothers_goes_nowhere(kind: Kind) {
    let address = free_address();
    let bench = switch(kind, address).await;
    let mut agent = start(trusting(kind, address));
    agent.ready().await;
    bench.cables[0].send(arp(HOST, ADDRESS)).expect("the link is up");
    agent.learned(HOST).await;
    bench.cables[1].send(arp(NEIGHBOR, [192, 168, 1, 2])).expect("the link is up");
    agent.learned(NEIGHBOR).await;
    received(&bench.cables[0], &arp(NEIGHBOR, [192, 168, 1, 2])).await;

    let poison = arp(NEIGHBOR, ADDRESS);
    bench.cables[1].send(poison.clone()).expect("the link is up");
    let kept = agent.until(|kind| match kind {
        AgentEventKind::Report(Report::AddressKept { .. }) => Some(true),
        AgentEventKind::Report(Report::AddressMoved { .. }) => Some(false),
        _ => None,
    });
    let kept = tokio::select! {
        kept = kept => kept,
        () = answering(&bench.cables[0]) => unreachable!("it answers for ever"),
    };
    assert!(kept);
    // Whatever comes next comes before nothing: the poison is not on its way.
    bench.cables[1].send(data(NEIGHBOR, HOST, 1)).expect("the link is up");
    loop {
        let frame = bench.cables[0].recv().await.expect("the switch runs");
        assert_ne!(frame[..], poison[..]);
        if frame[..] == data(NEIGHBOR, HOST, 1)[..] {
            break;
        }
    }
    agent.stop().await;
    bench.server.shutdown().await;
}

/// Row 11: many hosts announce themselves, one ARP each, behind one port; and then behind another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b13_none_of_many_hosts_that_announce_themselves_at_once_is_left_behind() {
    const HOSTS: u16 = 64;
    let address = free_address();
    let bench = switch(Kind::Bmv2, address).await;
    let mut agent = start(trusting(Kind::Bmv2, address));
    agent.ready().await;
    let host = |number: u16| {
        let [high, low] = number.to_be_bytes();
        (MacAddr([2, 0, 0, 1, high, low]), [192, 168, high + 2, low])
    };
    for (cable, moved) in [(0, false), (1, true)] {
        for number in 0..HOSTS {
            let (mac, address) = host(number);
            bench.cables[cable].send(arp(mac, address)).expect("the link is up");
        }
        let mut missing: BTreeSet<MacAddr> = (0..HOSTS).map(|number| host(number).0).collect();
        while !missing.is_empty() {
            let mac = agent.until(|kind| match kind {
                AgentEventKind::Report(Report::Learned { host, .. }) if !moved => Some(host.mac),
                AgentEventKind::Report(Report::Moved { host, .. }) if moved => Some(host.mac),
                _ => None,
            });
            missing.remove(&mac.await);
        }
    }
    let status = agent.status().await;
    assert_eq!((status.task.packet_ins_dropped, status.driver.frames_not_held), (0, 0), "{status:?}");
    assert_eq!(status.unheard, []);
    agent.stop().await;
    bench.server.shutdown().await;
}
