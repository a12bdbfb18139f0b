//! The service in front of the embedded switch. It hands on what it is asked, in the same process, and changes what the
//! [`TofinoServer`] would have otherwise.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, oneshot};
use tokio_stream::StreamExt;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status, Streaming};
use vouch_p4runtime::google::rpc;
use vouch_p4runtime::p4::config::v1::{P4Info, Preamble};
use vouch_p4runtime::p4::v1::p4_runtime_client::P4RuntimeClient;
use vouch_p4runtime::p4::v1::p4_runtime_server::{P4Runtime, P4RuntimeServer};
use vouch_p4runtime::p4::v1::set_forwarding_pipeline_config_request::Action;
use vouch_p4runtime::p4::v1::write_request::Atomicity;
use vouch_p4runtime::p4::v1::*;
use vouch_switch_server::{Routes, ServerHandle};

use super::TofinoServer;
use super::server::Deviations;

/// How often silent connections are tried, as the switch does.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// The largest message that is taken, as of the switch.
const MAX_MESSAGE: usize = 64 * 1024 * 1024;
/// What the compiler for Tofino puts in front of every name of a program with one pipeline.
const PIPE: &str = "pipe.";

/// The P4Runtime service of a switch with a Tofino. When it is dropped, it takes no more connections, and ends those that there
/// are as their streams end.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Front {
    /// Serve on `listener` as `server` would, for a switch that runs `model`, the JSON of the Tofino's program compiled for
    /// BMv2. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn serve(switch: &ServerHandle, server: TofinoServer, model: &[u8], listener: TcpListener) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let service = Tofino {
            switch: P4RuntimeClient::new(switch.routes())
                .max_decoding_message_size(MAX_MESSAGE)
                .max_encoding_message_size(MAX_MESSAGE),
            server: Deviations(server),
            model: model.into(),
            pushed: Arc::default(),
        };
        let service =
            P4RuntimeServer::new(service).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE);
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = Server::builder()
            .http2_keepalive_interval(Some(KEEPALIVE))
            .add_service(service)
            .add_service(Gnmi(switch.routes()))
            .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), async {
                // Dropped, rather than used.
                let _ = stopped.await;
            });
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(%error, "the P4Runtime service of a Tofino ended");
            }
        });
        Ok(Self { address, _stop: stop })
    }

    /// Where it is served.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

/// What the controller has pushed, as it has written it.
#[derive(Default)]
struct Pushed {
    saved: Option<ForwardingPipelineConfig>,
    active: Option<ForwardingPipelineConfig>,
}

struct Tofino {
    switch: P4RuntimeClient<Routes>,
    server: Deviations,
    model: Arc<[u8]>,
    pushed: Arc<Mutex<Pushed>>,
}

#[tonic::async_trait]
impl P4Runtime for Tofino {
    async fn write(&self, request: Request<WriteRequest>) -> Result<Response<WriteResponse>, Status> {
        let mut request = request.into_inner();
        let updates = std::mem::take(&mut request.updates);
        let admitted: Vec<Result<Update, Status>> = updates.iter().map(|update| self.server.admit(update)).collect();
        let some = admitted.iter().any(Result::is_err);
        let mut refused: Vec<Option<Error>> = admitted.iter().map(|it| it.as_ref().err().map(told)).collect();
        if !some || request.atomicity == Atomicity::ContinueOnError as i32 {
            request.updates = admitted.into_iter().filter_map(Result::ok).collect();
        } else {
            // All or none: then it is none.
            let aborted = told(&Status::aborted("not tried, because another update failed"));
            refused.iter_mut().for_each(|error| *error = Some(error.take().unwrap_or_else(|| aborted.clone())));
        }
        let written = self.switch.clone().write(request).await;
        if !some {
            return written;
        }
        let mut told = match &written {
            Ok(_) => Vec::new(),
            // Without details, it is all of the request that is refused.
            Err(status) => errors(status).ok_or_else(|| status.clone())?,
        }
        .into_iter();
        let outcomes = refused.into_iter().map(|error| error.or_else(|| told.next()).unwrap_or_default());
        Err(batch_status(&outcomes.collect::<Vec<_>>()))
    }

    type ReadStream = tokio_stream::Iter<std::vec::IntoIter<Result<ReadResponse, Status>>>;

    async fn read(&self, request: Request<ReadRequest>) -> Result<Response<Self::ReadStream>, Status> {
        let request = request.into_inner();
        request.entities.iter().try_for_each(|wanted| self.server.check_read(wanted))?;
        let mut stream = self.switch.clone().read(request).await?.into_inner();
        let mut responses = Vec::new();
        while let Some(mut response) = stream.message().await.map_err(|status| first(&status))? {
            self.server.show(&mut response.entities);
            responses.push(Ok(response));
        }
        Ok(Response::new(tokio_stream::iter(responses)))
    }

    async fn set_forwarding_pipeline_config(
        &self,
        request: Request<SetForwardingPipelineConfigRequest>,
    ) -> Result<Response<SetForwardingPipelineConfigResponse>, Status> {
        let mut request = request.into_inner();
        let action = Action::try_from(request.action).unwrap_or_default();
        self.server.check_action(action)?;
        let given = request.config.clone();
        if let Some(config) = &mut request.config {
            self.server.check_program(&config.p4_device_config)?;
            config.p4_device_config = self.model.to_vec().into();
            config.p4info.as_mut().map(without_pipe);
        }
        // Held until the switch has answered, so that what is remembered is what it has.
        let mut pushed = self.pushed.lock().await;
        let answer = self.switch.clone().set_forwarding_pipeline_config(request).await?;
        match action {
            Action::Unspecified | Action::Verify => {}
            Action::VerifyAndSave => pushed.saved = given,
            Action::VerifyAndCommit | Action::ReconcileAndCommit => {
                *pushed = Pushed { saved: None, active: given };
            }
            Action::Commit => pushed.active = pushed.saved.take(),
        }
        Ok(answer)
    }

    async fn get_forwarding_pipeline_config(
        &self,
        request: Request<GetForwardingPipelineConfigRequest>,
    ) -> Result<Response<GetForwardingPipelineConfigResponse>, Status> {
        let pushed = self.pushed.lock().await;
        let mut answer = self.switch.clone().get_forwarding_pipeline_config(request.into_inner()).await?;
        let shown = answer.get_mut().config.as_mut();
        let shown = shown.ok_or_else(|| Status::failed_precondition("no forwarding pipeline config"))?;
        let given = pushed.active.as_ref().or(pushed.saved.as_ref()).cloned().unwrap_or_default();
        if shown.p4info.is_some() {
            shown.p4info = given.p4info;
        }
        if !shown.p4_device_config.is_empty() {
            shown.p4_device_config = given.p4_device_config;
        }
        Ok(answer)
    }

    type StreamChannelStream = Streaming<StreamMessageResponse>;

    async fn stream_channel(
        &self,
        request: Request<Streaming<StreamMessageRequest>>,
    ) -> Result<Response<Self::StreamChannelStream>, Status> {
        // A controller that breaks off has said its last.
        let said = request.into_inner().map_while(Result::ok);
        self.switch.clone().stream_channel(said).await
    }

    async fn capabilities(
        &self,
        request: Request<CapabilitiesRequest>,
    ) -> Result<Response<CapabilitiesResponse>, Status> {
        self.switch.clone().capabilities(request.into_inner()).await
    }
}

/// The P4Info with the names that the model has.
fn without_pipe(info: &mut P4Info) {
    let strip = |preamble: &mut Option<Preamble>| {
        if let Some(preamble) = preamble
            && let Some(name) = preamble.name.strip_prefix(PIPE)
        {
            preamble.name = name.to_owned();
        }
    };
    info.tables.iter_mut().for_each(|it| strip(&mut it.preamble));
    info.actions.iter_mut().for_each(|it| strip(&mut it.preamble));
    info.action_profiles.iter_mut().for_each(|it| strip(&mut it.preamble));
    info.counters.iter_mut().for_each(|it| strip(&mut it.preamble));
    info.direct_counters.iter_mut().for_each(|it| strip(&mut it.preamble));
    info.meters.iter_mut().for_each(|it| strip(&mut it.preamble));
    info.direct_meters.iter_mut().for_each(|it| strip(&mut it.preamble));
    info.registers.iter_mut().for_each(|it| strip(&mut it.preamble));
    info.value_sets.iter_mut().for_each(|it| strip(&mut it.preamble));
    info.digests.iter_mut().for_each(|it| strip(&mut it.preamble));
}

fn told(status: &Status) -> Error {
    Error { canonical_code: status.code() as i32, message: status.message().to_owned(), ..Default::default() }
}

/// What a status says of each update or request.
fn errors(status: &Status) -> Option<Vec<Error>> {
    let details = rpc::Status::decode(status.details()).ok()?.details;
    let errors: Vec<Error> = details.iter().filter_map(|any| Error::decode(any.value.as_slice()).ok()).collect();
    (!errors.is_empty()).then_some(errors)
}

/// The first mistake as the status of the whole: these servers look no further.
fn first(status: &Status) -> Status {
    let error = errors(status).and_then(|errors| errors.into_iter().find(|error| error.canonical_code != 0));
    error.map_or_else(|| status.clone(), |error| Status::new(Code::from(error.canonical_code), error.message))
}

/// The status of a batch: one error for each update, those that were fine included (specification 12.3).
fn batch_status(outcomes: &[Error]) -> Status {
    let failed = outcomes.iter().filter(|error| error.canonical_code != 0).count();
    let message = format!("{failed} of {} updates failed", outcomes.len());
    let any = |error: &Error| prost_types::Any {
        type_url: "type.googleapis.com/p4.v1.Error".into(),
        value: error.encode_to_vec(),
    };
    let details = outcomes.iter().map(any).collect();
    let status = rpc::Status { code: Code::Unknown as i32, message: message.clone(), details };
    Status::with_details(Code::Unknown, message, status.encode_to_vec().into())
}

/// The switch's gNMI, as it is.
#[derive(Clone)]
struct Gnmi(Routes);

impl NamedService for Gnmi {
    const NAME: &'static str = "gnmi.gNMI";
}

impl Service<http::Request<Body>> for Gnmi {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.0.call(request)
    }
}
