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

use crate::answer::{Answer, Part};
use crate::counters::Counters;
use crate::device::Device;
use crate::entity::{Found, Stretch};
use crate::fault::{Fault, Outcome, batch_status, read_status};
use crate::outbox::{Outgoing, outbox};
use crate::pipeline::{Pipeline, Verified};
use crate::{reconcile, stream as session};

/// The version of the specification that is served.
const API_VERSION: &str = "1.5.0";

/// A read response is sent when its entities take this many bytes; clients take 4 MiB as one message.
const CHUNK_BYTES: usize = 512 * 1024;

/// How much one read may find: its answer is gathered as of one moment, and a request can ask for the same many times.
const MAX_READ_BYTES: usize = 256 << 20;

/// How many cells of arrays are gathered as well. Of more, each is shown as of when the client comes to it.
const GATHERED_CELLS: u64 = 1 << 16;

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
        let scope = self.device.read_scope(&request.role)?;
        let (parts, outcomes) = self.read_batch(&pipeline, &request.entities)?;
        // No client takes millions of cells as one message.
        let is_large = parts.iter().any(|part| matches!(part, Part::Cells(_)));
        let whole = self.device.dialect.reads_in_one_message() && !is_large;
        let limit = if whole { usize::MAX } else { CHUNK_BYTES };
        let of = (pipeline.schema.clone(), pipeline.switch.clone());
        let answer = Answer::new(parts, scope, of, limit, read_status(&outcomes).err());
        Ok(Response::new(stream::iter(answer).boxed()))
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
            Some(active) => Ok(active),
            None => self.device.requested(),
        };
        let Ok(wanted) = ResponseType::try_from(request.response_type) else {
            let fault = format!(
                "response type {} does not exist: ALL, COOKIE_ONLY, P4INFO_AND_COOKIE or DEVICE_CONFIG_AND_COOKIE",
                request.response_type
            );
            return Err(Fault::invalid(fault).into());
        };
        let is_error = self.device.dialect.needs_pipeline_to_show();
        let config = match pipeline {
            Ok(pipeline) => Some(pipeline.show(wanted)),
            Err(fault) if is_error => return Err(fault.into()),
            Err(_) => None,
        };
        Ok(Response::new(GetForwardingPipelineConfigResponse { config }))
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
        let atomicity = self.atomicity(request)?;
        let now = self.device.now();
        let scope = self.device.scope(&request.role);
        let check = |update: &Update| scope.check_write(update);
        let mut target = pipeline.target_mut();
        Ok(match atomicity {
            Atomicity::ContinueOnError => target.write_each(&request.updates, check, now),
            Atomicity::RollbackOnError => target.write_all_or_none(&request.updates, check, now),
            Atomicity::DataplaneAtomic => {
                // Everything else takes effect at once in any case, and packets need not wait for it.
                let writes_cells = request.updates.iter().any(|update| target.writes_cells(update));
                let _no_packets = writes_cells.then(|| pipeline.close_gate());
                target.write_all_or_none(&request.updates, check, now)
            }
        })
    }

    /// What a batch of requests finds, and the outcome of each; or why all of it is refused (specification 13.3).
    fn read_batch(&self, pipeline: &Pipeline, requests: &[Entity]) -> Outcome<(Vec<Part>, Vec<Outcome>)> {
        let now = self.device.now();
        let whole = self.device.dialect.fails_reads_whole();
        let (mut parts, mut found, mut outcomes, mut bytes) = (Vec::new(), Vec::new(), Vec::new(), 0);
        // One guard for all of it: a read sees no half of a batch.
        let target = pipeline.target();
        for request in requests {
            match target.select(request, now) {
                Ok(Found::Cells(cells)) if cells.iter().map(Stretch::left).sum::<u64>() > GATHERED_CELLS => {
                    parts.push(Part::Found(std::mem::take(&mut found)));
                    parts.extend(cells.into_iter().map(Part::Cells));
                    outcomes.push(Ok(()));
                }
                Ok(selected) => {
                    let mut entities = target.gather(selected);
                    bytes += entities.iter().map(Entity::encoded_len).sum::<usize>();
                    found.append(&mut entities);
                    outcomes.push(Ok(()));
                }
                Err(fault) if whole => return Err(fault),
                Err(fault) => outcomes.push(Err(fault)),
            }
            if bytes > MAX_READ_BYTES {
                return Err(Fault::resource_exhausted(format!(
                    "the read finds more than {MAX_READ_BYTES} bytes: ask for less at once"
                )));
            }
        }
        drop(target);
        parts.push(Part::Found(found));
        Ok((parts, outcomes))
    }

    /// How much of a batch is one step (specification 12.2).
    fn atomicity(&self, request: &WriteRequest) -> Outcome<Atomicity> {
        match Atomicity::try_from(request.atomicity) {
            Ok(Atomicity::ContinueOnError) => Ok(Atomicity::ContinueOnError),
            Ok(other) if self.device.dialect.refuses_atomicity() => Err(Fault::unimplemented(format!(
                "atomicity {} is not supported: use CONTINUE_ON_ERROR",
                other.as_str_name()
            ))),
            Ok(other) => Ok(other),
            Err(_) => Err(Fault::invalid(format!(
                "atomicity {} does not exist: CONTINUE_ON_ERROR, ROLLBACK_ON_ERROR or DATAPLANE_ATOMIC",
                request.atomicity
            ))),
        }
    }

    fn set_pipeline(&self, request: SetForwardingPipelineConfigRequest) -> Outcome {
        self.device.check_device(request.device_id)?;
        let mut staged = self.device.changes();
        self.device.check_primary(&request.role, request.election_id.as_ref())?;
        self.device.scope(&request.role).check_push()?;
        let no_action = || {
            Fault::invalid(
                "the action must be VERIFY, VERIFY_AND_SAVE, VERIFY_AND_COMMIT, COMMIT or RECONCILE_AND_COMMIT",
            )
        };
        let action = Action::try_from(request.action).map_err(|_| no_action())?;
        let verified = |config: Option<ForwardingPipelineConfig>| match config {
            Some(config) => Verified::check(config, &self.device.translations),
            None => Err(Fault::invalid("the pipeline configuration is missing")),
        };
        match action {
            Action::Unspecified => return Err(no_action()),
            Action::Verify => {
                verified(request.config)?;
            }
            Action::VerifyAndSave => staged.save(self.device.realise(verified(request.config)?)),
            Action::VerifyAndCommit => {
                let pipeline = self.device.realise(verified(request.config)?);
                staged.take();
                self.device.swap_in(pipeline);
            }
            Action::Commit if request.config.is_some() => {
                return Err(Fault::invalid("COMMIT takes no configuration: it realises the saved one"));
            }
            Action::Commit => {
                let saved = staged.take();
                let saved =
                    saved.ok_or_else(|| Fault::not_found("there is no saved pipeline configuration to commit"))?;
                self.device.swap_in(saved);
            }
            Action::ReconcileAndCommit => {
                let pipeline = self.device.realise(verified(request.config)?);
                if let Some(active) = self.device.configured() {
                    reconcile::carry_over(&active, &pipeline, self.device.now())?;
                }
                staged.take();
                self.device.swap_in(pipeline);
            }
        }
        tracing::info!(device = self.device.id, action = action.as_str_name(), "pipeline configured");
        Ok(())
    }
}
