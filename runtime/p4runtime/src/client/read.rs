//! Reads, entity by entity as they arrive.

use std::{collections::VecDeque, time::Duration};

use futures::{Stream, stream};
use tokio::time::timeout;
use tonic::{Streaming, transport::Channel};

use super::{RpcError, Session, SessionConfig};
use crate::p4::v1::{
    Entity, ReadRequest, ReadResponse, TableEntry, entity::Entity as Kind, p4_runtime_client::P4RuntimeClient,
};

const RPC: &str = "Read";

/// The answer to a read. Dropping it ends the read.
#[derive(Debug)]
pub struct ReadStream {
    messages: Streaming<ReadResponse>,
    chunk: VecDeque<Entity>,
    patience: Duration,
    ended: bool,
}

impl Session {
    /// Asks for entities; unset ids and keys are wildcards. The switch may answer in one message (BMv2) or many.
    pub async fn read(&self, entities: Vec<Entity>) -> Result<ReadStream, RpcError> {
        ReadStream::open(self.link(RPC)?.client, &self.shared.config, entities).await
    }

    /// All entries of a table, without counters. BMv2 leaves the default entry out.
    pub async fn read_table(&self, table_id: u32) -> Result<Vec<TableEntry>, RpcError> {
        self.read_entries(TableEntry { table_id, ..TableEntry::default() }).await
    }

    /// All entries that match: what is set in `wanted` (table, key, priority) must be equal, and a `counter_data`,
    /// `meter_config` or `time_since_last_hit` in it asks for that part too.
    pub async fn read_entries(&self, wanted: TableEntry) -> Result<Vec<TableEntry>, RpcError> {
        let entities = self.read(vec![wanted.into()]).await?.all().await?;
        let entry = |entity: Entity| match entity.entity {
            Some(Kind::TableEntry(entry)) => Some(entry),
            _ => None,
        };
        Ok(entities.into_iter().filter_map(entry).collect())
    }
}

impl ReadStream {
    pub(super) async fn open(
        mut client: P4RuntimeClient<Channel>,
        config: &SessionConfig,
        entities: Vec<Entity>,
    ) -> Result<Self, RpcError> {
        let patience = config.timeouts.request;
        let role = config.role.clone().unwrap_or_default();
        let request = ReadRequest { device_id: config.device_id, entities, role };
        match timeout(patience, client.read(request)).await {
            Ok(Ok(response)) => {
                Ok(Self { messages: response.into_inner(), chunk: VecDeque::new(), patience, ended: false })
            }
            Ok(Err(status)) => Err(RpcError::status(RPC, &status)),
            Err(_) => Err(RpcError::TimedOut { rpc: RPC, after: patience }),
        }
    }

    /// The next entity, none at the end; an error is the end. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<Result<Entity, RpcError>> {
        loop {
            if let Some(entity) = self.chunk.pop_front() {
                return Some(Ok(entity));
            }
            if self.ended {
                return None;
            }
            let error = match timeout(self.patience, self.messages.message()).await {
                Ok(Ok(Some(message))) => {
                    self.chunk = message.entities.into();
                    continue;
                }
                Ok(Ok(None)) => None,
                Ok(Err(status)) => Some(RpcError::status(RPC, &status)),
                Err(_) => Some(RpcError::TimedOut { rpc: RPC, after: self.patience }),
            };
            self.ended = true;
            return error.map(Err);
        }
    }

    /// Everything, in one list.
    pub async fn all(mut self) -> Result<Vec<Entity>, RpcError> {
        let mut entities = Vec::new();
        while let Some(entity) = self.next().await {
            entities.push(entity?);
        }
        Ok(entities)
    }

    /// The same as a [`Stream`].
    pub fn into_stream(self) -> impl Stream<Item = Result<Entity, RpcError>> {
        stream::unfold(self, async |mut read| read.next().await.map(|entity| (entity, read)))
    }
}
