//! A connection that only reads: without a stream, and so without a place in the election.

use thiserror::Error;
use tokio::time::timeout;
use tonic::transport::Channel;

use super::{ConfigError, PortStream, ReadStream, RpcError, SessionConfig, error::chain, pipeline::get_pipeline};
use crate::p4::v1::{
    Entity, ForwardingPipelineConfig, get_forwarding_pipeline_config_request::ResponseType,
    p4_runtime_client::P4RuntimeClient,
};

/// A connection to one device that reads and nothing else.
#[derive(Debug, Clone)]
pub struct Reader {
    config: SessionConfig,
    channel: Channel,
    client: P4RuntimeClient<Channel>,
}

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// There cannot be one.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The switch does not answer at its address, or TLS failed.
    #[error("cannot reach the switch at {target}: {reason}")]
    Unreachable {
        /// Its address.
        target: String,
        /// What the transport says.
        reason: String,
    },
}

impl Reader {
    /// Connects; the election id is not used. A connection that breaks comes back with the next request.
    pub async fn connect(config: SessionConfig) -> Result<Self, ConnectError> {
        let unreachable = |reason| ConnectError::Unreachable { target: config.target.clone(), reason };
        let after = config.timeouts.connect;
        let channel = match timeout(after, config.dialler.connect(&config.endpoint()?)).await {
            Ok(Ok(channel)) => channel,
            Ok(Err(error)) => return Err(unreachable(chain(&error))),
            Err(_) => return Err(unreachable(format!("no connection within {after:?}"))),
        };
        let client = config.client(channel.clone());
        Ok(Self { config, channel, client })
    }

    /// Asks for entities, as [`super::Session::read`] does.
    pub async fn read(&self, entities: Vec<Entity>) -> Result<ReadStream, RpcError> {
        ReadStream::open(self.client.clone(), &self.config, entities).await
    }

    /// The P4Info and cookie of the program that runs, if one does.
    pub async fn running_pipeline(&self) -> Result<Option<ForwardingPipelineConfig>, RpcError> {
        get_pipeline(self.client.clone(), &self.config, ResponseType::P4infoAndCookie).await
    }

    /// Subscribes to port states, as [`super::Session::subscribe_ports`] does.
    pub async fn subscribe_ports(&self) -> Result<PortStream, RpcError> {
        PortStream::open(self.channel.clone(), &self.config).await
    }
}
