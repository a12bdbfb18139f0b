//! How fast a P4Runtime server writes table entries.

use std::time::Instant;

use vouch_p4runtime::Session;
use vouch_p4runtime::client::{delete, insert, modify};
use vouch_p4runtime::p4::v1::{TableEntry, Update};

use super::workload::{Setup, more_hosts};
use crate::rig::Result;

/// The kinds of writes, in the order in which they are measured.
pub(super) const KINDS: [&str; 3] = ["insert", "modify", "delete"];

/// Entries per second that are inserted, modified and deleted in batches of this size.
pub(super) async fn rates(session: &Session, setup: &Setup, batch: usize, entries: usize) -> Result<[f64; 3]> {
    let encoded = |location| -> Result<Vec<TableEntry>> {
        more_hosts(setup, location, entries as u32)?.iter().map(|entry| setup.encode(entry)).collect()
    };
    let (first, second) = (encoded(1)?, encoded(0x8001)?);
    let steps = [(&first, insert as fn(TableEntry) -> Update), (&second, modify), (&second, delete)];
    let mut rates = [0.0; 3];
    for (rate, (entries, update)) in rates.iter_mut().zip(steps) {
        let batches: Vec<Vec<Update>> =
            entries.chunks(batch).map(|batch| batch.iter().cloned().map(update).collect()).collect();
        let start = Instant::now();
        for batch in batches {
            session.write(batch).await?;
        }
        *rate = entries.len() as f64 / start.elapsed().as_secs_f64();
    }
    Ok(rates)
}
