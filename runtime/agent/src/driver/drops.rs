//! What the P4 program has dropped, and why. Nothing is decided by it.

use vouch_p4runtime::client::{RpcError, Session};
use vouch_tables::{Counted, DropReason, Pipeline};

use super::switch::Program;

/// Every reason of both halves of the switch, with how many frames there were.
pub(crate) async fn read(session: &Session, program: &Program) -> Result<Vec<(Pipeline, DropReason, u64)>, RpcError> {
    let pipelines = [Pipeline::Ingress, Pipeline::Egress];
    let cells = pipelines.iter().flat_map(|pipeline| DropReason::ALL.iter().map(|reason| (*pipeline, *reason)));
    let wanted = cells.map(|(pipeline, reason)| program.tables.read_drop(pipeline, reason)).collect();
    let counts = program.counts(session, wanted).await?.into_iter();
    let of_drop = |(counted, count)| match counted {
        Counted::Drop(pipeline, reason) => Some((pipeline, reason, count)),
        _ => None,
    };
    Ok(counts.filter_map(of_drop).collect())
}
