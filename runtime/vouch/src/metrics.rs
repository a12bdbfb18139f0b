//! `vouch run --metrics`: the agents' figures over HTTP, for Prometheus.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use vouch_agent::Figures;
use vouch_agent::metrics::Metrics;

/// What the text is.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

struct Shown {
    metrics: Metrics,
    agents: watch::Receiver<Vec<Figures>>,
}

impl Shown {
    /// Those that there are now.
    fn agents(&self) -> Vec<Figures> {
        self.agents.borrow().clone()
    }
}

/// Serves `/metrics`, and `/ready`, which is 200 while all agents control their switches, until this process ends.
pub(crate) async fn serve(
    address: SocketAddr,
    metrics: Metrics,
    agents: watch::Receiver<Vec<Figures>>,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let shown = Arc::new(Shown { metrics, agents });
    let router = Router::new().route("/metrics", get(figures)).route("/ready", get(ready)).with_state(shown);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "metrics are served no longer");
        }
    });
    Ok(address)
}

async fn figures(State(shown): State<Arc<Shown>>) -> impl IntoResponse {
    let mut tallies = Vec::new();
    for agent in shown.agents() {
        // One that has ended has none.
        tallies.extend(agent.tally().await);
    }
    ([(header::CONTENT_TYPE, OPEN_METRICS)], shown.metrics.encode(tallies))
}

async fn ready(State(shown): State<Arc<Shown>>) -> impl IntoResponse {
    let agents = shown.agents();
    let mut waiting = Vec::new();
    for agent in &agents {
        match agent.ready().await {
            Some(true) => {}
            Some(false) => waiting.push(agent.name()),
            None => return (StatusCode::SERVICE_UNAVAILABLE, "an agent has ended\n".to_owned()),
        }
    }
    if waiting.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("not in charge of its switch: {}\n", waiting.join(", ")))
    }
}
