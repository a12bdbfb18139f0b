//! Spans on their way to a collector, by OTLP over gRPC. Nobody waits for it: what does not fit, or is not taken, is dropped and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tonic::transport::Endpoint;

use crate::config::Tracing;
use crate::tls;

/// How many spans may wait.
const WAITING: usize = 4_096;

/// How many go at a time.
const BATCH: usize = 512;

/// How long the collector may take for them.
const WITHIN: Duration = Duration::from_secs(5);

/// How often it is said that it takes none.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// Where the spans of an agent go in.
#[derive(Debug)]
pub(crate) struct Spans {
    waiting: mpsc::Sender<SpanData>,
    dropped: Arc<AtomicU64>,
}

impl Spans {
    /// Hands one on, if there is room.
    pub(crate) fn send(&self, span: SpanData) {
        self.dropped.fetch_add(self.waiting.try_send(span).is_err().into(), Ordering::Relaxed);
    }

    /// How many have not arrived.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// A collector that is sent spans.
#[derive(Debug)]
pub(crate) struct Collector {
    config: Tracing,
    agent: String,
    exporter: watch::Sender<Arc<SpanExporter>>,
}

impl Collector {
    /// Begins to send spans of an agent, until nobody has any more. Needs a tokio runtime.
    ///
    /// # Errors
    /// What is wrong with the URL or the files.
    pub(crate) fn start(config: &Tracing, agent: &str) -> Result<(Self, Spans, JoinHandle<()>), String> {
        let (exporter, exporters) = watch::channel(Arc::new(exporter(config, agent)?));
        let (waiting, spans) = mpsc::channel(WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let collector = Self { config: config.clone(), agent: agent.to_owned(), exporter };
        let sending = Sending { exporters, spans, dropped: dropped.clone(), said: None };
        let sending = tokio::spawn(sending.run(collector.agent.clone(), config.otlp.clone()));
        Ok((collector, Spans { waiting, dropped }, sending))
    }

    /// Reads the certificates again, for the spans that come next; with files that are wrong nothing changes.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn renew(&self) -> Result<(), String> {
        if self.config.tls.is_some() {
            self.exporter.send_replace(Arc::new(exporter(&self.config, &self.agent)?));
        }
        Ok(())
    }
}

/// Whether spans can be sent, as far as the URL and the files say.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn check(config: &Tracing) -> Result<(), String> {
    endpoint(config).map(drop)
}

fn endpoint(Tracing { otlp, tls }: &Tracing) -> Result<Endpoint, String> {
    let endpoint = Endpoint::from_shared(otlp.clone()).map_err(|error| error.to_string())?.timeout(WITHIN);
    match tls {
        None => Ok(endpoint),
        Some(files) => tls::client(files).map_err(|error| error.to_string())?.apply(endpoint),
    }
}

fn exporter(config: &Tracing, agent: &str) -> Result<SpanExporter, String> {
    let channel = endpoint(config)?.connect_lazy();
    let exporter = SpanExporter::builder().with_tonic().with_channel(channel).with_timeout(WITHIN).build();
    let mut exporter = exporter.map_err(|error| error.to_string())?;
    let who = [
        KeyValue::new("service.name", "vouch"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", agent.to_owned()),
    ];
    exporter.set_resource(&Resource::builder_empty().with_attributes(who).build());
    Ok(exporter)
}

struct Sending {
    exporters: watch::Receiver<Arc<SpanExporter>>,
    spans: mpsc::Receiver<SpanData>,
    dropped: Arc<AtomicU64>,
    /// When it was said last that it takes none.
    said: Option<Instant>,
}

impl Sending {
    async fn run(mut self, agent: String, url: String) {
        loop {
            let mut batch = Vec::new();
            let count = self.spans.recv_many(&mut batch, BATCH).await;
            if count == 0 {
                return;
            }
            let exporter = self.exporters.borrow().clone();
            let Err(error) = exporter.export(batch).await else { continue };
            self.dropped.fetch_add(count as u64, Ordering::Relaxed);
            if self.said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
                self.said = Some(Instant::now());
                tracing::warn!(agent, url, count, %error, "the collector takes no spans (`tracing`): they are lost");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::path::Path;
    use std::time::SystemTime;

    use opentelemetry::InstrumentationScope;
    use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status};
    use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
    use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};
    use tempfile::TempDir;
    use tokio_stream::wrappers::TcpListenerStream;
    use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
    use tonic::{Request, Response};
    use vouch_certs::{Authority, Files, store};

    use super::*;
    use crate::config::ClientTls;

    const DAY: Duration = Duration::from_secs(86_400);

    /// Hands on the names of the spans that it is sent.
    struct Taken(mpsc::UnboundedSender<String>);

    #[tonic::async_trait]
    impl TraceService for Taken {
        async fn export(
            &self,
            request: Request<ExportTraceServiceRequest>,
        ) -> Result<Response<ExportTraceServiceResponse>, tonic::Status> {
            let scopes = request.into_inner().resource_spans.into_iter().flat_map(|agent| agent.scope_spans);
            for span in scopes.flat_map(|scope| scope.spans) {
                self.0.send(span.name).expect("the test waits for it");
            }
            Ok(Response::new(ExportTraceServiceResponse::default()))
        }
    }

    /// Authorities in a folder, each with a certificate `collector` and one `vtep1`.
    struct Scene {
        folder: TempDir,
        taken: mpsc::UnboundedReceiver<String>,
        address: SocketAddr,
    }

    impl Scene {
        /// The collector has a certificate of the one authority, and takes those of the other.
        async fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            for name in ["servers", "clients"] {
                let folder = folder.path().join(name);
                std::fs::create_dir(&folder).expect("the folder is writable");
                let authority = Authority::create(name, DAY).expect("an authority");
                authority.save(&folder).expect("the folder is writable");
                for (who, addresses) in [("collector", &[][..]), ("vtep1", &[Ipv4Addr::LOCALHOST.into()])] {
                    let identity = authority.issue(who, addresses, DAY).expect("a certificate");
                    store(&folder, who, &identity, false).expect("the folder is writable");
                }
            }
            let text = |path: &Path| std::fs::read(path).expect("it was written");
            let own = Files::of(&folder.path().join("servers"), "collector");
            let clients = Files::of(&folder.path().join("clients"), "vtep1");
            let tls = ServerTlsConfig::new()
                .identity(Identity::from_pem(text(&own.cert), text(&own.key)))
                .client_ca_root(Certificate::from_pem(text(&clients.ca)));
            let listening = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has ports");
            let address = listening.local_addr().expect("it listens");
            let (sender, taken) = mpsc::unbounded_channel();
            let mut served = Server::builder().tls_config(tls).expect("they are right");
            let served = served.add_service(TraceServiceServer::new(Taken(sender)));
            tokio::spawn(served.serve_with_incoming(TcpListenerStream::new(listening)));
            Self { folder, taken, address }
        }

        fn files(&self, authority: &str) -> Files {
            Files::of(&self.folder.path().join(authority), "vtep1")
        }

        /// Who believes the authority of servers, and shows the certificate of the one of clients.
        fn right(&self) -> ClientTls {
            let Files { cert, key, .. } = self.files("clients");
            let server_name = Some("collector".to_owned());
            ClientTls { ca: self.files("servers").ca, cert: Some(cert), key: Some(key), server_name }
        }

        fn config(&self, tls: ClientTls) -> Tracing {
            Tracing { otlp: format!("https://{}", self.address), tls: Some(tls) }
        }

        /// How many of one span are dropped by who has these files.
        async fn dropped(&self, tls: ClientTls) -> u64 {
            let (_collector, spans, sending) = Collector::start(&self.config(tls), "vtep1").expect("it can be read");
            let dropped = spans.dropped.clone();
            spans.send(span("one"));
            drop(spans);
            sending.await.expect("it ends when nobody has any more");
            dropped.load(Ordering::Relaxed)
        }
    }

    fn span(name: &'static str) -> SpanData {
        SpanData {
            span_context: SpanContext::empty_context(),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: SystemTime::UNIX_EPOCH,
            end_time: SystemTime::UNIX_EPOCH,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        }
    }

    #[tokio::test]
    async fn over_mutual_tls_spans_reach_who_is_believed_from_whom_he_believes_and_others_are_counted() {
        let mut scene = Scene::new().await;
        assert_eq!(scene.dropped(scene.right()).await, 0);
        assert_eq!(scene.taken.recv().await.as_deref(), Some("one"));
        let right = scene.right();
        let Files { ca, cert, key } = scene.files("servers");
        for (tls, why) in [
            (ClientTls { ca: scene.files("clients").ca, ..right.clone() }, "another authority"),
            (ClientTls { server_name: None, ..right.clone() }, "it is not for the address"),
            (ClientTls { cert: None, key: None, ..right.clone() }, "nothing to show"),
            (ClientTls { ca, cert: Some(cert), key: Some(key), ..right }, "the collector believes another authority"),
        ] {
            assert_eq!(scene.dropped(tls).await, 1, "{why}");
            assert_eq!(scene.taken.try_recv().ok(), None, "{why}");
        }
    }

    #[tokio::test]
    async fn certificates_are_read_again_and_those_that_are_wrong_change_nothing() {
        let mut scene = Scene::new().await;
        let right = scene.right();
        let [cert, key] = [right.cert.clone(), right.key.clone()].map(|file| file.expect("it has both"));
        // It begins with those that the collector does not believe.
        let [believed, not] = [scene.files("clients"), scene.files("servers")];
        let [was, other] = [believed.cert, not.cert].map(|file| std::fs::read(file).expect("it was written"));
        let [was_key, other_key] = [believed.key, not.key].map(|file| std::fs::read(file).expect("it was written"));
        let write = |certificate: &[u8], of: &[u8]| {
            std::fs::write(&cert, certificate).and_then(|()| std::fs::write(&key, of)).expect("the folder is writable");
        };
        write(&other, &other_key);
        let (collector, spans, _sending) = Collector::start(&scene.config(right), "vtep1").expect("it can be read");
        write(&was, &was_key);
        collector.renew().expect("they are right");
        write(&was, &other_key);
        let wrong = collector.renew().expect_err("the key is of another certificate");
        assert!(wrong.contains("keys may not be consistent"), "{wrong}");
        spans.send(span("two"));
        assert_eq!(scene.taken.recv().await.as_deref(), Some("two"));
    }
}
