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
use vouch_agent::metrics::{Metrics, Tally};

/// What the text is.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

struct Shown {
    metrics: Metrics,
    agents: watch::Receiver<Vec<Figures>>,
}

impl Shown {
    /// How many agents there are, and the tallies of those that have not ended.
    async fn tallies(&self) -> (usize, Vec<Tally>) {
        let agents = self.agents.borrow().clone();
        let mut tallies = Vec::new();
        for agent in &agents {
            tallies.extend(agent.tally().await);
        }
        (agents.len(), tallies)
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
    ([(header::CONTENT_TYPE, OPEN_METRICS)], shown.metrics.encode(shown.tallies().await.1))
}

async fn ready(State(shown): State<Arc<Shown>>) -> impl IntoResponse {
    let (agents, tallies) = shown.tallies().await;
    let waiting: Vec<_> = tallies.iter().filter(|tally| !tally.ready).map(|tally| tally.agent.as_str()).collect();
    if tallies.len() < agents {
        (StatusCode::SERVICE_UNAVAILABLE, "an agent has ended\n".to_owned())
    } else if waiting.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("not in charge of its switch: {}\n", waiting.join(", ")))
    }
}
