//! A move as an OpenTelemetry collector sees it, which three agents send their spans to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::mpsc;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use vouch_agent::AgentEventKind;
use vouch_agent::config::Tracing;

use crate::bench::*;
use crate::evidence::{ADDRESS, answering};
use crate::kind::Kind;

/// Hands on what it is sent, with the agent that it is from.
struct Collector(mpsc::UnboundedSender<(String, Span)>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for of_agent in request.into_inner().resource_spans {
            let resource = of_agent.resource.expect("who it is from");
            let agent = text(&resource.attributes, "service.instance.id");
            for span in of_agent.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                self.0.send((agent.clone(), span)).expect("the test waits for it");
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn text(attributes: &[KeyValue], name: &str) -> String {
    let value = attributes.iter().find(|it| it.key == name).and_then(|it| it.value.clone());
    match value {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => text,
        other => panic!("{name} is {other:?} among {attributes:?}"),
    }
}

async fn collector() -> (SocketAddr, mpsc::UnboundedReceiver<(String, Span)>) {
    let listening = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has ports");
    let address = listening.local_addr().expect("it listens");
    let (sender, spans) = mpsc::unbounded_channel();
    let served = Server::builder().add_service(TraceServiceServer::new(Collector(sender)));
    tokio::spawn(served.serve_with_incoming(TcpListenerStream::new(listening)));
    (address, spans)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_is_one_trace_with_spans_of_claimant_owner_and_observer() {
    let (address, mut spans) = collector().await;
    let addresses = [free_address(), free_address(), free_address()];
    let mut benches = Vec::new();
    for address in addresses {
        benches.push(switch(Kind::Bmv2, address).await);
    }
    let mut agents: Vec<Watched> = configs_of(Kind::Bmv2, addresses)
        .into_iter()
        .map(|mut config| {
            config.tracing = Some(Tracing { otlp: format!("http://{address}"), tls: None });
            config.vtep.as_mut().expect("the demo's is a VTEP").timers.probation = Duration::ZERO;
            start(config)
        })
        .collect();
    for agent in &mut agents {
        agent.peer_up().await;
        agent.peer_up().await;
    }
    benches[0].cables[0].send(arp(HOST, ADDRESS)).expect("the link is up");
    tokio::select! {
        () = agents[0].until(|kind| matches!(kind, AgentEventKind::Answered { .. }).then_some(())) => {}
        () = answering(&benches[0].cables[0]) => unreachable!("it answers for ever"),
    }
    agents[1].knows(HOST).await;
    agents[2].knows(HOST).await;
    // It is gone from there, and heard here.
    benches[1].cables[0].send(arp(HOST, ADDRESS)).expect("the link is up");

    let wanted = [("vtep1", "converge"), ("vtep1", "verify"), ("vtep2", "claim"), ("vtep3", "follow")];
    let mut seen: BTreeMap<(String, String), Span> = BTreeMap::new();
    let all = async {
        while seen.len() < wanted.len() {
            let (agent, span) = spans.recv().await.expect("the collector runs");
            assert!(seen.insert((agent, span.name.clone()), span).is_none(), "each of them once");
        }
    };
    tokio::time::timeout(PATIENCE, all).await.expect("all agents tell");
    let of = |agent: &str, name: &str| &seen[&(agent.to_owned(), name.to_owned())];
    let [converge, verify, claim, follow] = wanted.map(|(agent, name)| of(agent, name));
    assert_eq!(claim.parent_span_id, [0_u8; 0], "it begins with the claim");
    for (span, parent) in [(verify, claim), (follow, claim), (converge, verify)] {
        assert_eq!(span.trace_id, claim.trace_id, "one trace");
        assert_eq!(span.parent_span_id, parent.span_id, "{}", span.name);
        assert!(span.start_time_unix_nano >= parent.start_time_unix_nano, "{} before {}", span.name, parent.name);
    }
    assert_eq!(
        [text(&claim.attributes, "vouch.outcome"), text(&verify.attributes, "vouch.outcome")],
        ["moved", "moved"]
    );
    let asked = verify.events.iter().filter(|event| event.name == "asked").count();
    assert!(asked >= 1, "{:?}", verify.events);
    let took = Duration::from_nanos(verify.end_time_unix_nano - verify.start_time_unix_nano);
    assert!(took >= Duration::from_millis(300), "its silence takes so long: {took:?}");
    assert_eq!(text(&follow.attributes, "vouch.host"), HOST.to_string());
    for (agent, bench) in agents.into_iter().zip(benches) {
        agent.stop().await;
        bench.server.shutdown().await;
    }
}
