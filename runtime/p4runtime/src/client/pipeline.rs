//! The program on the switch.

use std::sync::{Arc, PoisonError};

use prost::{Message, bytes::Bytes};
use tokio::time::timeout;
use tonic::{Code, transport::Channel};

use super::{RpcError, Session, SessionConfig};
use crate::{
    P4Info,
    p4::v1::{
        ForwardingPipelineConfig, GetForwardingPipelineConfigRequest, SetForwardingPipelineConfigRequest,
        forwarding_pipeline_config::Cookie, get_forwarding_pipeline_config_request::ResponseType,
        p4_runtime_client::P4RuntimeClient, set_forwarding_pipeline_config_request::Action,
    },
};

/// A compiled program: its names and what the target runs.
#[derive(Debug, Clone)]
pub struct Pipeline {
    p4info: Arc<P4Info>,
    device_config: Bytes,
    cookie: u64,
}

/// What a push came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushOutcome {
    /// The switch ran this very program already; its tables are as they were.
    Kept,
    /// The switch runs it now, with empty tables.
    Pushed,
}

impl Pipeline {
    /// A program; for v1model switches the device configuration is the compiler's JSON.
    pub fn new(p4info: Arc<P4Info>, device_config: impl Into<Bytes>) -> Self {
        let device_config = device_config.into();
        let names = p4info.message().encode_to_vec();
        let length = u64::try_from(names.len()).unwrap_or(u64::MAX).to_be_bytes();
        // 0 is what a switch answers that was given no cookie.
        let cookie = fnv1a(length.iter().chain(&names).chain(&device_config)).max(1);
        Self { p4info, device_config, cookie }
    }

    /// A number that tells programs apart: a hash of P4Info and device configuration.
    pub fn cookie(&self) -> u64 {
        self.cookie
    }

    /// The program's names.
    pub fn p4info(&self) -> &Arc<P4Info> {
        &self.p4info
    }
}

/// FNV-1a, 64 bits: the same on every machine and in every release, which the standard library's hasher does not promise.
fn fnv1a<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl Session {
    /// Makes the switch run this program, unless its cookie says that it does already. Later errors use its names.
    /// A cancelled push may still happen.
    pub async fn push_pipeline(&self, pipeline: &Pipeline) -> Result<PushOutcome, RpcError> {
        let outcome = if self.running_cookie().await? == Some(pipeline.cookie) {
            PushOutcome::Kept
        } else {
            self.set_pipeline(pipeline).await?;
            PushOutcome::Pushed
        };
        self.name_errors_by(pipeline);
        Ok(outcome)
    }

    /// Makes the switch run this program with empty tables, even if it runs it already. Otherwise as
    /// [`push_pipeline`](Session::push_pipeline).
    pub async fn restart_pipeline(&self, pipeline: &Pipeline) -> Result<(), RpcError> {
        self.set_pipeline(pipeline).await?;
        self.name_errors_by(pipeline);
        Ok(())
    }

    fn name_errors_by(&self, pipeline: &Pipeline) {
        *self.shared.p4info.write().unwrap_or_else(PoisonError::into_inner) = Some(pipeline.p4info.clone());
    }

    /// The cookie of the program that runs; none where none runs, or it has no cookie.
    pub async fn running_cookie(&self) -> Result<Option<u64>, RpcError> {
        let config = self.get_pipeline(ResponseType::CookieOnly).await?;
        Ok(config.and_then(|config| config.cookie).map(|cookie| cookie.cookie))
    }

    /// The P4Info and cookie of the program that runs, if one does.
    pub async fn running_pipeline(&self) -> Result<Option<ForwardingPipelineConfig>, RpcError> {
        self.get_pipeline(ResponseType::P4infoAndCookie).await
    }

    async fn get_pipeline(&self, response_type: ResponseType) -> Result<Option<ForwardingPipelineConfig>, RpcError> {
        get_pipeline(self.link(GET)?.client, &self.shared.config, response_type).await
    }

    async fn set_pipeline(&self, pipeline: &Pipeline) -> Result<(), RpcError> {
        const RPC: &str = "SetForwardingPipelineConfig";
        let after = self.shared.config.timeouts.pipeline;
        let mut link = self.link(RPC)?;
        #[allow(deprecated)]
        let request = SetForwardingPipelineConfigRequest {
            device_id: self.device_id(),
            role_id: 0,
            election_id: self.wire_election_id(),
            action: Action::VerifyAndCommit.into(),
            config: Some(ForwardingPipelineConfig {
                p4info: Some(pipeline.p4info.message().clone()),
                p4_device_config: pipeline.device_config.clone(),
                cookie: Some(Cookie { cookie: pipeline.cookie }),
            }),
            role: self.role(),
        };
        self.check_size(RPC, &request)?;
        match timeout(after, link.client.set_forwarding_pipeline_config(request)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) => Err(RpcError::status(RPC, &status)),
            Err(_) => Err(RpcError::TimedOut { rpc: RPC, after }),
        }
    }
}

const GET: &str = "GetForwardingPipelineConfig";

pub(super) async fn get_pipeline(
    mut client: P4RuntimeClient<Channel>,
    config: &SessionConfig,
    response_type: ResponseType,
) -> Result<Option<ForwardingPipelineConfig>, RpcError> {
    let after = config.timeouts.request;
    let request =
        GetForwardingPipelineConfigRequest { device_id: config.device_id, response_type: response_type.into() };
    match timeout(after, client.get_forwarding_pipeline_config(request)).await {
        Ok(Ok(response)) => Ok(response.into_inner().config),
        // A switch without a program; NOT_FOUND would be a device that is not there.
        Ok(Err(status)) if status.code() == Code::FailedPrecondition => Ok(None),
        Ok(Err(status)) => Err(RpcError::status(GET, &status)),
        Err(_) => Err(RpcError::TimedOut { rpc: GET, after }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::p4::config::v1 as config;

    #[test]
    fn the_cookie_depends_on_names_and_configuration() {
        let info = |arch: &str| {
            let pkg_info = Some(config::PkgInfo { arch: arch.into(), ..config::PkgInfo::default() });
            Arc::new(P4Info::new(config::P4Info { pkg_info, ..config::P4Info::default() }).expect("no names"))
        };
        let cookie = |arch, json: &'static [u8]| Pipeline::new(info(arch), json).cookie();
        assert_eq!(cookie("a", b"{}"), cookie("a", b"{}"));
        assert_ne!(cookie("a", b"{}"), cookie("b", b"{}"));
        assert_ne!(cookie("a", b"{}"), cookie("a", b"[]"));
        assert_eq!(fnv1a(b"foobar".iter()), 0x8594_4171_f739_67e8, "the published test vector");
    }
}
