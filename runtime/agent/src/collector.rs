//! Spans on their way to a collector, by OTLP over gRPC. Nobody waits for it: what does not fit is dropped and counted.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How many spans may wait.
const WAITING: usize = 4_096;

/// How many go at a time.
const BATCH: usize = 512;

/// How long the collector may take for them.
const WITHIN: Duration = Duration::from_secs(5);

/// How often it is said that it takes none.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// Begins to send spans of an agent to where the URL says, until nobody has any more.
///
/// # Errors
/// The URL cannot be used.
pub(crate) fn start(url: &str, agent: &str) -> Result<(mpsc::Sender<SpanData>, JoinHandle<()>), String> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(url).with_timeout(WITHIN).build();
    let mut exporter = exporter.map_err(|error| error.to_string())?;
    let who = [
        KeyValue::new("service.name", "vouch"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", agent.to_owned()),
    ];
    exporter.set_resource(&Resource::builder_empty().with_attributes(who).build());
    let (sender, spans) = mpsc::channel(WAITING);
    Ok((sender, tokio::spawn(send(exporter, spans, agent.to_owned(), url.to_owned()))))
}

async fn send(exporter: SpanExporter, mut spans: mpsc::Receiver<SpanData>, agent: String, url: String) {
    let mut said: Option<Instant> = None;
    loop {
        let mut batch = Vec::new();
        if spans.recv_many(&mut batch, BATCH).await == 0 {
            return;
        }
        let count = batch.len();
        if let Err(error) = exporter.export(batch).await
            && said.is_none_or(|said| said.elapsed() >= SAY_EVERY)
        {
            said = Some(Instant::now());
            tracing::warn!(agent, url, count, %error, "the collector takes no spans (`tracing.otlp`): they are lost");
        }
    }
}
