//! A switch that does what the test says: streams are handed to the test, other requests are answered from a script and
//! recorded.

use std::{
    collections::VecDeque,
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{Stream, stream};
use prost::Message;
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{
    Code, Request, Response, Status, Streaming,
    codegen::BoxStream,
    service::Routes,
    transport::{Server, ServerTlsConfig},
};
use vouch_p4runtime::{
    Event, EventReceiver, Session, SessionConfig,
    client::BackoffConfig,
    gnmi::g_nmi_server::{GNmi, GNmiServer},
    google::rpc,
    p4::v1::{
        self, CapabilitiesRequest, CapabilitiesResponse, ForwardingPipelineConfig, GetForwardingPipelineConfigRequest,
        GetForwardingPipelineConfigResponse, MasterArbitrationUpdate, ReadRequest, ReadResponse,
        SetForwardingPipelineConfigRequest, SetForwardingPipelineConfigResponse, StreamMessageRequest,
        StreamMessageResponse, Uint128, WriteRequest, WriteResponse,
        get_forwarding_pipeline_config_request::ResponseType,
        p4_runtime_server::{P4Runtime, P4RuntimeServer},
        stream_message_request, stream_message_response,
    },
};

pub(crate) const MAX_MESSAGE: usize = 64 << 20;

/// What the switch knows and has seen.
#[derive(Default)]
pub(crate) struct Script {
    /// Answers to writes, in order; then everything succeeds.
    pub(crate) write_answers: VecDeque<Status>,
    /// The messages that answer each read.
    pub(crate) read_answer: Vec<ReadResponse>,
    /// The running program.
    pub(crate) pipeline: Option<ForwardingPipelineConfig>,
    pub(crate) writes: Vec<WriteRequest>,
    pub(crate) reads: Vec<ReadRequest>,
    pub(crate) pushes: Vec<SetForwardingPipelineConfigRequest>,
}

/// A running fake.
pub(crate) struct FakeSwitch {
    pub(crate) address: SocketAddr,
    pub(crate) script: Arc<Mutex<Script>>,
    streams: mpsc::Receiver<Controller>,
    /// For further servers on the same script.
    service: Service,
    server: JoinHandle<()>,
}

/// The switch's end of one stream channel.
pub(crate) struct Controller {
    requests: Streaming<StreamMessageRequest>,
    responses: mpsc::Sender<Result<StreamMessageResponse, Status>>,
}

#[derive(Clone)]
struct Service {
    script: Arc<Mutex<Script>>,
    streams: mpsc::Sender<Controller>,
}

impl FakeSwitch {
    pub(crate) async fn start() -> Self {
        Self::launch(Server::builder(), Routes::default()).await
    }

    /// One that serves something else too.
    pub(crate) async fn start_with(gnmi: GNmiServer<impl GNmi>) -> Self {
        Self::launch(Server::builder(), Routes::new(gnmi)).await
    }

    pub(crate) async fn start_tls(tls: ServerTlsConfig) -> Self {
        Self::launch(Server::builder().tls_config(tls).expect("the settings are valid"), Routes::default()).await
    }

    async fn launch(builder: Server, routes: Routes) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (sender, streams) = mpsc::channel(16);
        let script = Arc::<Mutex<Script>>::default();
        let service = Service { script: script.clone(), streams: sender };
        let server = tokio::spawn(serve(builder, routes, service.clone(), listener));
        Self { address, script, streams, service, server }
    }

    /// The process dies: the port closes, connections break.
    pub(crate) async fn stop(&mut self) {
        self.server.abort();
        let _ = (&mut self.server).await;
    }

    /// Another process at the same address.
    pub(crate) async fn restart(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("the port of the stopped server");
        self.server = tokio::spawn(serve(Server::builder(), Routes::default(), self.service.clone(), listener));
    }

    /// The next controller that opens a stream.
    pub(crate) async fn controller(&mut self) -> Controller {
        soon(self.streams.recv()).await.expect("the service is running")
    }

    pub(crate) fn config(&self) -> SessionConfig {
        let quick = BackoffConfig {
            first: Duration::from_millis(1),
            longest: Duration::from_millis(5),
            ..BackoffConfig::default()
        };
        SessionConfig { backoff: quick, ..SessionConfig::new(self.address.to_string(), 7, 1 << 64 | 5) }
    }

    /// A session that is primary; its first two events are consumed.
    pub(crate) async fn primary(&mut self, config: SessionConfig) -> (Session, EventReceiver, Controller) {
        let (session, mut events) = Session::connect(config).expect("the configuration is valid");
        let mut controller = self.controller().await;
        let asked = controller.arbitration().await;
        controller.arbitrate(Code::Ok, asked.election_id).await;
        assert!(matches!(next(&mut events).await, Event::Connected { .. }));
        assert!(matches!(next(&mut events).await, Event::Primary { .. }));
        (session, events, controller)
    }
}

impl Drop for FakeSwitch {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(mut builder: Server, routes: Routes, service: Service, listener: TcpListener) {
    let service =
        P4RuntimeServer::new(service).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE);
    let incoming = TcpListenerStream::new(listener);
    builder.add_routes(routes.add_service(service)).serve_with_incoming(incoming).await.expect("serving does not fail");
}

impl Controller {
    pub(crate) async fn receive(&mut self) -> stream_message_request::Update {
        let message = soon(self.requests.message()).await.expect("the stream works").expect("the stream is open");
        message.update.expect("messages have a content")
    }

    pub(crate) async fn arbitration(&mut self) -> MasterArbitrationUpdate {
        match self.receive().await {
            stream_message_request::Update::Arbitration(update) => update,
            other => panic!("not an arbitration: {other:?}"),
        }
    }

    pub(crate) async fn send(&self, update: stream_message_response::Update) {
        let message = StreamMessageResponse { update: Some(update) };
        self.responses.send(Ok(message)).await.expect("the session is there");
    }

    pub(crate) async fn arbitrate(&self, code: Code, primary: Option<Uint128>) {
        let status = Some(rpc::Status { code: code.into(), ..rpc::Status::default() });
        let update = MasterArbitrationUpdate { device_id: 7, election_id: primary, status, role: None };
        self.send(stream_message_response::Update::Arbitration(update)).await;
    }

    pub(crate) async fn fail(self, status: Status) {
        self.responses.send(Err(status)).await.expect("the session is there");
    }

    /// Until the session hangs up.
    pub(crate) async fn hung_up(mut self) {
        while let Ok(Some(_)) = soon(self.requests.message()).await {}
    }
}

#[tonic::async_trait]
impl P4Runtime for Service {
    async fn write(&self, request: Request<WriteRequest>) -> Result<Response<WriteResponse>, Status> {
        let mut script = self.script.lock().expect("no test panics in the lock");
        script.writes.push(request.into_inner());
        match script.write_answers.pop_front() {
            Some(status) if status.code() != Code::Ok => Err(status),
            _ => Ok(Response::new(WriteResponse {})),
        }
    }

    type ReadStream = BoxStream<ReadResponse>;

    async fn read(&self, request: Request<ReadRequest>) -> Result<Response<Self::ReadStream>, Status> {
        let mut script = self.script.lock().expect("no test panics in the lock");
        script.reads.push(request.into_inner());
        Ok(Response::new(boxed(stream::iter(script.read_answer.clone().into_iter().map(Ok)))))
    }

    async fn set_forwarding_pipeline_config(
        &self,
        request: Request<SetForwardingPipelineConfigRequest>,
    ) -> Result<Response<SetForwardingPipelineConfigResponse>, Status> {
        let mut script = self.script.lock().expect("no test panics in the lock");
        let request = request.into_inner();
        script.pipeline = request.config.clone();
        script.pushes.push(request);
        Ok(Response::new(SetForwardingPipelineConfigResponse {}))
    }

    async fn get_forwarding_pipeline_config(
        &self,
        request: Request<GetForwardingPipelineConfigRequest>,
    ) -> Result<Response<GetForwardingPipelineConfigResponse>, Status> {
        let script = self.script.lock().expect("no test panics in the lock");
        let mut config = script
            .pipeline
            .clone()
            .ok_or_else(|| Status::failed_precondition("No forwarding pipeline config set for this device"))?;
        if request.into_inner().response_type() == ResponseType::CookieOnly {
            config = ForwardingPipelineConfig { cookie: config.cookie, ..ForwardingPipelineConfig::default() };
        }
        Ok(Response::new(GetForwardingPipelineConfigResponse { config: Some(config) }))
    }

    type StreamChannelStream = BoxStream<StreamMessageResponse>;

    async fn stream_channel(
        &self,
        request: Request<Streaming<StreamMessageRequest>>,
    ) -> Result<Response<Self::StreamChannelStream>, Status> {
        let (responses, answers) = mpsc::channel(16);
        let controller = Controller { requests: request.into_inner(), responses };
        self.streams.send(controller).await.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(boxed(ReceiverStream::new(answers))))
    }

    async fn capabilities(&self, _: Request<CapabilitiesRequest>) -> Result<Response<CapabilitiesResponse>, Status> {
        let p4runtime_api_version = "1.5.0".to_owned();
        Ok(Response::new(CapabilitiesResponse { p4runtime_api_version, experimental: None }))
    }
}

fn boxed<T>(stream: impl Stream<Item = Result<T, Status>> + Send + 'static) -> BoxStream<T> {
    Box::pin(stream)
}

/// A failed batch's status, with one outcome per update.
pub(crate) fn failed_batch(code: Code, outcomes: &[(Code, &str)]) -> Status {
    let detail = |(code, message): &(Code, &str)| {
        let error =
            v1::Error { canonical_code: i32::from(*code), message: (*message).to_owned(), ..v1::Error::default() };
        prost_types::Any { type_url: "type.googleapis.com/p4.v1.Error".into(), value: error.encode_to_vec() }
    };
    let status =
        rpc::Status { code: code.into(), message: "batch".into(), details: outcomes.iter().map(detail).collect() };
    Status::with_details(code, "batch", status.encode_to_vec().into())
}

/// The next event; there must be one.
pub(crate) async fn next(events: &mut EventReceiver) -> Event {
    soon(events.recv()).await.expect("the session lives")
}

/// Fails a test that waits for something that does not happen.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it happens within a minute")
}

pub(crate) fn election_id(value: u128) -> Option<Uint128> {
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).expect("64 bits");
    Some(Uint128 { high: half(value >> 64), low: half(value) })
}
