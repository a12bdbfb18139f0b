//! Writes: batches, and which update of a batch failed for what reason.

use std::iter::Peekable;
use std::{fmt, vec};

use prost::Message;
use tokio::time::timeout;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::{RpcError, Session};
use crate::{
    codec::Encoded,
    google::rpc,
    p4::v1::{Entity, Error as WireError, Update, WriteRequest, WriteResponse, update::Type, write_request::Atomicity},
};

/// An update that inserts.
pub fn insert(entity: impl Into<Entity>) -> Update {
    Update { r#type: Type::Insert.into(), entity: Some(entity.into()) }
}

/// An update that changes what is there.
pub fn modify(entity: impl Into<Entity>) -> Update {
    Update { r#type: Type::Modify.into(), entity: Some(entity.into()) }
}

/// An update that removes.
pub fn delete(entity: impl Into<Entity>) -> Update {
    Update { r#type: Type::Delete.into(), entity: Some(entity.into()) }
}

/// An update that the switch refused.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateError {
    /// Its position among the updates of the call.
    pub index: usize,
    /// The canonical code: `AlreadyExists`, `NotFound`, `ResourceExhausted`, ...
    pub code: Code,
    /// The switch's reason.
    pub message: String,
    /// The target's own code, and who defines it.
    pub target_code: Option<(String, i32)>,
    /// Table and key, with the program's names where they are known.
    pub entity: String,
}

impl fmt::Display for UpdateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, code, message, target_code, entity } = self;
        write!(f, "update {index}, {entity}: {code:?}")?;
        if !message.is_empty() {
            write!(f, ": {message}")?;
        }
        match target_code {
            Some((space, code)) => write!(f, " ({space} {code})"),
            None => Ok(()),
        }
    }
}

/// A write that did not fully succeed.
#[derive(Debug, Clone, PartialEq)]
pub enum WriteError {
    /// The switch went through all updates; these failed, the others took effect.
    Updates {
        /// The failed ones, in order.
        failed: Vec<UpdateError>,
        /// How many there were.
        total: usize,
    },
    /// The switch refused a request as a whole, or the connection failed.
    Rpc {
        /// Why.
        error: RpcError,
        /// Updates before this one were carried out (but for `failed`); from here on nobody knows, unless the switch
        /// refused.
        from: usize,
        /// Failed ones before `from`.
        failed: Vec<UpdateError>,
    },
}

impl WriteError {
    /// The updates that the switch refused.
    pub fn failed(&self) -> &[UpdateError] {
        match self {
            Self::Updates { failed, .. } | Self::Rpc { failed, .. } => failed,
        }
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        match self {
            Self::Updates { failed, total } => write!(f, "the switch refused {} of {total} updates", failed.len())?,
            Self::Rpc { error, from, .. } => write!(f, "{error}; from update {from} on")?,
        }
        for error in self.failed().iter().take(SHOWN) {
            write!(f, "; {error}")?;
        }
        match self.failed().len().checked_sub(SHOWN) {
            Some(more) if more > 0 => write!(f, "; and {more} more"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for WriteError {}

impl Session {
    /// Writes updates in order; each one takes effect or fails for itself. Long lists are split into several requests,
    /// after [`super::SessionConfig::max_batch`] updates or a megabyte. A cancelled write may be carried out in part.
    pub async fn write(&self, updates: Vec<Update>) -> Result<(), WriteError> {
        let total = updates.len();
        let mut failed = Vec::new();
        let mut from = 0;
        let config = &self.shared.config;
        let (max_batch, max_bytes) = (config.max_batch.max(1), BATCH_BYTES.min(config.max_message / 2));
        let mut left = self.adapted(updates);
        while let Some(batch) = Batch::next(&mut left, max_batch, max_bytes) {
            let length = batch.updates.len();
            match self.write_batch(batch, from, Atomicity::ContinueOnError).await {
                Ok(()) => {}
                Err(BatchError::Updates(errors)) => failed.extend(errors),
                Err(BatchError::Rpc(error)) => return Err(WriteError::Rpc { error, from, failed }),
            }
            from += length;
        }
        if failed.is_empty() { Ok(()) } else { Err(WriteError::Updates { failed, total }) }
    }

    /// Writes updates in one request, all or nothing. BMv2 does not offer that and refuses it (`Unimplemented`).
    pub async fn write_atomic(&self, updates: Vec<Update>) -> Result<(), WriteError> {
        let total = updates.len();
        let all = Batch::next(&mut self.adapted(updates), usize::MAX, usize::MAX).unwrap_or_default();
        match self.write_batch(all, 0, Atomicity::RollbackOnError).await {
            Ok(()) => Ok(()),
            Err(BatchError::Updates(failed)) => Err(WriteError::Updates { failed, total }),
            Err(BatchError::Rpc(error)) => Err(WriteError::Rpc { error, from: 0, failed: Vec::new() }),
        }
    }

    /// The updates as the server wants them.
    fn adapted(&self, mut updates: Vec<Update>) -> Updates {
        updates.iter_mut().for_each(|update| self.shared.config.server.adapt(update));
        updates.into_iter().peekable()
    }

    async fn write_batch(&self, batch: Batch, from: usize, atomicity: Atomicity) -> Result<(), BatchError> {
        const RPC: &str = "Write";
        let after = self.shared.config.timeouts.request;
        let link = self.link(RPC).map_err(BatchError::Rpc)?;
        #[allow(deprecated)]
        let request = WriteRequest {
            device_id: self.device_id(),
            role_id: 0,
            election_id: self.wire_election_id(),
            updates: Vec::new(),
            atomicity: atomicity.into(),
            role: self.role(),
        };
        // Fields stand in any order.
        let Batch { updates, mut encoded } = batch;
        request.encode(&mut encoded).expect("a vector has room");
        self.check_length(RPC, encoded.len()).map_err(BatchError::Rpc)?;
        let status = match timeout(after, send(link.channel, encoded)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(status)) => status,
            Err(_) => return Err(BatchError::Rpc(RpcError::TimedOut { rpc: RPC, after })),
        };
        match outcomes(&status, updates.len()) {
            Some(outcomes) => Err(BatchError::Updates(self.name_failures(&outcomes, &updates, from))),
            None => Err(BatchError::Rpc(RpcError::status(RPC, &status))),
        }
    }

    fn name_failures(&self, outcomes: &[WireError], sent: &[Update], from: usize) -> Vec<UpdateError> {
        let p4info = self.p4info();
        let failures = outcomes.iter().zip(sent).enumerate().filter(|(_, (outcome, _))| !is_ok(outcome));
        let named = failures.map(|(position, (outcome, update))| UpdateError {
            index: from + position,
            code: Code::from_i32(outcome.canonical_code),
            message: outcome.message.clone(),
            target_code: (!outcome.space.is_empty()).then(|| (outcome.space.clone(), outcome.code)),
            entity: crate::describe::update(update, p4info.as_deref()),
        });
        named.collect()
    }
}

/// What the generated client does with a request that is not encoded yet.
async fn send(channel: Channel, request: Vec<u8>) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.map_err(|error| Status::unknown(format!("the connection is not ready: {error}")))?;
    let path = PathAndQuery::from_static("/p4.v1.P4Runtime/Write");
    client.unary(Request::new(request), path, Encoded::<WriteResponse>::default()).await?;
    Ok(())
}

enum BatchError {
    Updates(Vec<UpdateError>),
    Rpc(RpcError),
}

/// One outcome per update, as the specification wants them in the details of a failed batch. PI has the same form under
/// UNKNOWN, with its OKs too. None where the details are something else, or the batch failed before any update.
fn outcomes(status: &Status, updates: usize) -> Option<Vec<WireError>> {
    let details = rpc::Status::decode(status.details()).ok()?.details;
    let wire_error = |any: &prost_types::Any| {
        let ours = any.type_url.rsplit('/').next() == Some("p4.v1.Error");
        ours.then(|| WireError::decode(any.value.as_slice()).ok()).flatten()
    };
    let outcomes: Vec<_> = details.iter().map(wire_error).collect::<Option<_>>()?;
    (outcomes.len() == updates && !outcomes.iter().all(is_ok)).then_some(outcomes)
}

fn is_ok(outcome: &WireError) -> bool {
    outcome.canonical_code == 0
}

/// Bytes after which a request is full.
const BATCH_BYTES: usize = 1 << 20;

/// What stands before each update in a [`WriteRequest`]: that it is of field 4, and that its length follows.
const UPDATES: u8 = 4 << 3 | 2;

/// Updates that are still to be sent.
type Updates = Peekable<vec::IntoIter<Update>>;

/// Updates of one request.
#[derive(Default)]
struct Batch {
    /// Kept for naming those that fail.
    updates: Vec<Update>,
    /// The field `updates` of the request. To encode a message takes its length, and that the lengths of all in it, so it is done once.
    encoded: Vec<u8>,
}

impl Batch {
    /// The first of `left`, as many as may be in one request; `None` where nothing is left.
    fn next(left: &mut Updates, max_updates: usize, max_bytes: usize) -> Option<Self> {
        let mut batch = Self::default();
        while let Some(update) = left.peek().filter(|_| batch.updates.len() < max_updates) {
            let before = batch.encoded.len();
            batch.encoded.push(UPDATES);
            update.encode_length_delimited(&mut batch.encoded).expect("a vector has room");
            if batch.encoded.len() > max_bytes && before > 0 {
                batch.encoded.truncate(before);
                break;
            }
            batch.updates.extend(left.next());
        }
        (!batch.updates.is_empty()).then_some(batch)
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;
    use crate::p4::v1::TableEntry;

    fn update(table_id: u32, metadata: usize) -> Update {
        insert(TableEntry { table_id, metadata: vec![1; metadata], ..TableEntry::default() })
    }

    fn batches(updates: Vec<Update>, max_updates: usize, max_bytes: usize) -> Vec<Batch> {
        let mut left = updates.into_iter().peekable();
        iter::from_fn(|| Batch::next(&mut left, max_updates, max_bytes)).collect()
    }

    #[test]
    fn batches_keep_order_and_bounds() {
        let lengths = |updates: Vec<Update>, max| -> Vec<usize> {
            batches(updates, max, 1000).iter().map(|batch| batch.updates.len()).collect()
        };
        assert_eq!(lengths((0..7).map(|id| update(id, 0)).collect(), 3), [3, 3, 1]);
        assert_eq!(lengths(vec![update(1, 1000), update(2, 0), update(3, 0)], 10), [1, 2]);
        assert_eq!(lengths(Vec::new(), 10), [0; 0]);
        let ids: Vec<_> = (0..7).map(|id| update(id, 300)).collect();
        let all: Vec<_> = batches(ids.clone(), 10, 1000).into_iter().flat_map(|batch| batch.updates).collect();
        assert_eq!(all, ids);
    }

    #[test]
    fn a_batch_is_encoded_as_the_updates_of_a_request() {
        let updates: Vec<_> = (0..7).map(|id| update(id, 300)).collect();
        let mut read = Vec::new();
        for batch in batches(updates.clone(), 10, 1000) {
            assert!(batch.encoded.len() <= 1000);
            let request = WriteRequest::decode(batch.encoded.as_slice()).expect("it is one");
            assert_eq!(request, WriteRequest { updates: batch.updates, ..WriteRequest::default() });
            read.extend(request.updates);
        }
        assert_eq!(read, updates);
    }
}
