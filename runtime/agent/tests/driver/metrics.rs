//! What the agents' figures say of what happened.

use vouch_agent::AgentEventKind;
use vouch_agent::metrics::Metrics;
use vouch_mobility::Because;

use crate::bench::*;
use crate::evidence::{ADDRESS, answering, trusting, verdict};
use crate::kind::Kind;

/// The value of a line, which is written in full but for the value.
fn value(text: &str, line: &str) -> Option<f64> {
    let rest = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '))?;
    rest.parse().ok()
}

#[tokio::test]
async fn verdicts_are_counted_by_their_evidence_and_timed_until_the_switch_has_them() {
    let kind = Kind::Bmv2;
    let address = free_address();
    let bench = switch(kind, address).await;
    let metrics = Metrics::default();
    let mut agent = start_counted(trusting(kind, address), &metrics);
    agent.ready().await;
    let figures = agent.agent.figures();
    let text = async || metrics.encode(figures.tally().await.into_iter().collect());

    bench.cables[0].send(arp(HOST, ADDRESS)).expect("the link is up");
    tokio::select! {
        () = agent.until(|kind| matches!(kind, AgentEventKind::Answered { .. }).then_some(())) => {}
        () = answering(&bench.cables[0]) => unreachable!("it answers for ever"),
    }
    bench.cables[1].send(arp(HOST, ADDRESS)).expect("the link is up");
    let stayed = tokio::select! {
        verdict = verdict(&mut agent) => verdict,
        () = answering(&bench.cables[0]) => unreachable!("it answers for ever"),
    };
    assert_eq!(stayed, None);
    let before = text().await;
    let of = |text: &str, line: &str| value(text, &line.replace("AGENT", "agent=\"vtep1\""));
    let stayed = "vouch_verdicts_total{AGENT,outcome=\"stayed\",because=\"answered\"}";
    let moved = "vouch_verdicts_total{AGENT,outcome=\"moved\",because=\"silence\"}";
    assert_eq!((of(&before, stayed), of(&before, moved)), (Some(1.0), None), "{before}");
    assert_eq!(of(&before, "vouch_convergence_seconds_count{AGENT}"), Some(0.0), "{before}");
    assert_eq!(of(&before, "vouch_ready{AGENT}"), Some(1.0), "{before}");
    assert_eq!(of(&before, "vouch_hosts{AGENT,place=\"here\",phase=\"settled\"}"), Some(1.0), "{before}");
    assert_eq!(of(&before, "vouch_bindings{AGENT,confirmed=\"true\"}"), Some(1.0), "{before}");
    assert_eq!(of(&before, "vouch_peer_up{AGENT,peer=\"10.0.0.2\"}"), Some(0.0), "{before}");
    assert_eq!(of(&before, "vouch_mobility_refused_total{AGENT}"), Some(1.0), "{before}");

    // It is gone: its silence gives it to who claims it. And a frame that no program likes.
    bench.cables[1].send(vec![1; 64]).expect("the link is up");
    bench.cables[1].send(arp(HOST, ADDRESS)).expect("the link is up");
    loop {
        if verdict(&mut agent).await == Some(Because::Silence) {
            break;
        }
    }
    let mac = HOST.to_string();
    agent
        .until(|kind| match kind {
            AgentEventKind::Written { changes } => changes.iter().any(|change| change.contains(&mac)).then_some(()),
            _ => None,
        })
        .await;
    let after = text().await;
    assert_eq!(of(&after, moved), Some(1.0), "{after}");
    assert_eq!(of(&after, "vouch_verdict_seconds_count{AGENT,outcome=\"moved\"}"), Some(1.0), "{after}");
    assert_eq!(of(&after, "vouch_convergence_seconds_count{AGENT}"), Some(1.0), "{after}");
    let dropped = "vouch_drops_total{AGENT,pipeline=\"ingress\",reason=\"BAD_SOURCE_MAC\"}";
    assert_eq!((of(&before, dropped), of(&after, dropped)), (Some(0.0), Some(1.0)), "{after}");
    let punted = "vouch_punts_total{AGENT,reason=\"MOVE\"}";
    assert!(of(&after, punted) > of(&before, punted), "{after}");
    assert!(after.ends_with("# EOF\n"), "{after}");

    agent.stop().await;
    assert!(figures.tally().await.is_none(), "it has ended");
    bench.server.shutdown().await;
}
