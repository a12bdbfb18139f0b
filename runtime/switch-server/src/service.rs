//! The P4Runtime service: requests are checked here for device, role and pipeline, and handed to those who know more.

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt};
use prost::Message;
use tonic::{Request, Response, Status, Streaming};
use vouch_p4runtime::p4::v1::get_forwarding_pipeline_config_request::ResponseType;
use vouch_p4runtime::p4::v1::p4_runtime_server::P4Runtime;
use vouch_p4runtime::p4::v1::set_forwarding_pipeline_config_request::Action;
use vouch_p4runtime::p4::v1::write_request::Atomicity;
use vouch_p4runtime::p4::v1::*;

use crate::counters::Counters;
use crate::device::Device;
use crate::fault::{Fault, Outcome, batch_status};
use crate::outbox::{Outgoing, outbox};
use crate::pipeline::Verified;
use crate::{reconcile, stream as session};

/// The version of the specification that is served.
const API_VERSION: &str = "1.4.0";

/// A read response is sent when its entities take this many bytes; clients take 4 MiB as one message.
const CHUNK_BYTES: usize = 512 * 1024;

/// P4Runtime for one device.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) device: Arc<Device>,
}

#[tonic::async_trait]
impl P4Runtime for Service {
    async fn write(&self, request: Request<WriteRequest>) -> Result<Response<WriteResponse>, Status> {
        let outcomes = self.write_batch(&request.into_inner())?;
        let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count() as u64;
        Counters::add(&self.device.counters.updates, outcomes.len() as u64 - failed);
        Counters::add(&self.device.counters.updates_refused, failed);
        batch_status(&outcomes)?;
        Ok(Response::new(WriteResponse {}))
    }

    type ReadStream = BoxStream<'static, Result<ReadResponse, Status>>;

    async fn read(&self, request: Request<ReadRequest>) -> Result<Response<Self::ReadStream>, Status> {
        let request = request.into_inner();
        self.device.check_device(request.device_id)?;
        let pipeline = self.device.requested()?;
        let now = self.device.now();
        let mut found = Vec::new();
        {
            // One guard for all of it: a read sees no half of a batch.
            let target = pipeline.target();
            for entity in &request.entities {
                if let Some(tofino) = &self.device.tofino {
                    tofino.check_read(entity)?;
                }
                found.extend(target.read(entity, now)?);
            }
        }
        if let Some(tofino) = &self.device.tofino {
            tofino.show(&mut found);
        }
        Ok(Response::new(stream::iter(chunks(found)).map(Ok).boxed()))
    }

    async fn set_forwarding_pipeline_config(
        &self,
        request: Request<SetForwardingPipelineConfigRequest>,
    ) -> Result<Response<SetForwardingPipelineConfigResponse>, Status> {
        self.set_pipeline(request.into_inner())?;
        Ok(Response::new(SetForwardingPipelineConfigResponse {}))
    }

    async fn get_forwarding_pipeline_config(
        &self,
        request: Request<GetForwardingPipelineConfigRequest>,
    ) -> Result<Response<GetForwardingPipelineConfigResponse>, Status> {
        let request = request.into_inner();
        self.device.check_device(request.device_id)?;
        let pipeline = match self.device.configured() {
            Some(active) => active,
            None => self.device.requested()?,
        };
        let Ok(wanted) = ResponseType::try_from(request.response_type) else {
            let fault = format!(
                "response type {} does not exist: ALL, COOKIE_ONLY, P4INFO_AND_COOKIE or DEVICE_CONFIG_AND_COOKIE",
                request.response_type
            );
            return Err(Fault::invalid(fault).into());
        };
        Ok(Response::new(GetForwardingPipelineConfigResponse { config: Some(pipeline.show(wanted)) }))
    }

    type StreamChannelStream = Outgoing<StreamMessageResponse>;

    async fn stream_channel(
        &self,
        request: Request<Streaming<StreamMessageRequest>>,
    ) -> Result<Response<Self::StreamChannelStream>, Status> {
        let (messages, outgoing) = outbox();
        tokio::spawn(session::run(self.device.clone(), messages, request.into_inner()));
        Ok(Response::new(outgoing))
    }

    async fn capabilities(
        &self,
        request: Request<CapabilitiesRequest>,
    ) -> Result<Response<CapabilitiesResponse>, Status> {
        let device_id = request.into_inner().device_id;
        // Clients of version 1.3 and before have no device to name.
        if device_id != 0 {
            self.device.check_device(device_id)?;
        }
        Ok(Response::new(CapabilitiesResponse { p4runtime_api_version: API_VERSION.into(), experimental: None }))
    }
}

impl Service {
    /// The outcome of each update, or why none was tried.
    fn write_batch(&self, request: &WriteRequest) -> Outcome<Vec<Outcome>> {
        self.device.check_device(request.device_id)?;
        let changes = self.device.changes();
        self.device.check_primary(&request.role, request.election_id.as_ref())?;
        let pipeline = changes.requested(&self.device)?;
        match Atomicity::try_from(request.atomicity) {
            Ok(Atomicity::ContinueOnError) => {}
            // A batch of one is atomic in any case.
            Ok(_) if request.updates.len() <= 1 => {}
            Ok(other) => {
                return Err(Fault::unimplemented(format!(
                    "atomicity {} for batches of more than one update: use CONTINUE_ON_ERROR",
                    other.as_str_name()
                )));
            }
            Err(_) => return Err(Fault::invalid(format!("atomicity {} does not exist", request.atomicity))),
        }
        let now = self.device.now();
        let mut target = pipeline.target_mut();
        let outcomes = request.updates.iter().map(|update| match &self.device.tofino {
            Some(tofino) => target.write(&tofino.admit(update)?, now),
            None => target.write(update, now),
        });
        Ok(outcomes.collect())
    }

    fn set_pipeline(&self, request: SetForwardingPipelineConfigRequest) -> Outcome {
        self.device.check_device(request.device_id)?;
        let mut staged = self.device.changes();
        self.device.check_primary(&request.role, request.election_id.as_ref())?;
        let no_action = || {
            Fault::invalid(
                "the action must be VERIFY, VERIFY_AND_SAVE, VERIFY_AND_COMMIT, COMMIT or RECONCILE_AND_COMMIT",
            )
        };
        let action = Action::try_from(request.action).map_err(|_| no_action())?;
        let verified = |config: Option<ForwardingPipelineConfig>| match config {
            Some(config) => Verified::check(config, self.device.tofino.as_ref()),
            None => Err(Fault::invalid("the pipeline configuration is missing")),
        };
        if let Some(tofino) = &self.device.tofino {
            tofino.check_action(action)?;
        }
        match action {
            Action::Unspecified => return Err(no_action()),
            Action::Verify => {
                verified(request.config)?;
            }
            Action::VerifyAndSave => staged.save(self.device.realise(verified(request.config)?)),
            Action::VerifyAndCommit => {
                let pipeline = self.device.realise(verified(request.config)?);
                staged.take();
                self.device.activate(pipeline);
            }
            Action::Commit if request.config.is_some() => {
                return Err(Fault::invalid("COMMIT takes no configuration: it realises the saved one"));
            }
            Action::Commit => {
                let saved = staged.take();
                let saved =
                    saved.ok_or_else(|| Fault::not_found("there is no saved pipeline configuration to commit"))?;
                self.device.activate(saved);
            }
            Action::ReconcileAndCommit => {
                let pipeline = self.device.realise(verified(request.config)?);
                if let Some(active) = self.device.configured() {
                    reconcile::carry_over(&active, &pipeline, self.device.now())?;
                }
                staged.take();
                self.device.activate(pipeline);
            }
        }
        tracing::info!(device = self.device.id, action = action.as_str_name(), "pipeline configured");
        Ok(())
    }
}

/// Cut what was found into responses; one empty response where nothing was.
fn chunks(found: Vec<Entity>) -> Vec<ReadResponse> {
    let mut responses = vec![ReadResponse::default()];
    let mut bytes = 0;
    for entity in found {
        bytes += entity.encoded_len();
        if bytes > CHUNK_BYTES {
            responses.push(ReadResponse::default());
            bytes = entity.encoded_len();
        }
        if let Some(response) = responses.last_mut() {
            response.entities.push(entity);
        }
    }
    responses
}
