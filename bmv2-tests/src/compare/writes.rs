//! How fast a P4Runtime server writes table entries.

use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::task::spawn_blocking;
use vouch_p4runtime::Session;
use vouch_p4runtime::client::{delete, insert, modify};
use vouch_p4runtime::p4::v1::{TableEntry, Update};

use super::contestant::connect;
use super::workload::{Setup, more_hosts};
use crate::process::ProcessClock;
use crate::rig::Result;

/// The kinds of writes, in the order in which they are measured.
pub(super) const KINDS: [&str; 3] = ["insert", "modify", "delete"];

/// The election id of the session that writes: above those that filled the tables.
const ELECTION: u128 = 2;

/// Entries per second that are written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rate {
    /// Per second of the clock.
    pub(super) wall: f64,
    /// Per second of processor time of the switch, where that is a process of its own.
    pub(super) per_core: Option<f64>,
}

/// The rates of each kind, for each of these numbers of entries in batches of such a size.
///
/// The controller runs on one thread, which is all that it needs: more would only wake each other.
pub(super) async fn rates(
    url: &str,
    clock: Option<ProcessClock>,
    setup: &Setup,
    sizes: &[(usize, usize)],
) -> Result<Vec<[Rate; 3]>> {
    let most = sizes.iter().map(|(_, entries)| *entries).max().unwrap_or_default();
    let encoded = |location| -> Result<Vec<TableEntry>> {
        more_hosts(setup, location, most as u32)?.iter().map(|entry| setup.encode(entry)).collect()
    };
    let entries = [encoded(1)?, encoded(0x8001)?];
    let (url, sizes) = (url.to_owned(), sizes.to_vec());
    spawn_blocking(move || {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (session, _events) = connect(&url, ELECTION).await?;
            let mut rates = Vec::new();
            for (batch, count) in sizes {
                let [first, second] = &entries;
                rates.push(of_size(&session, clock, batch, [&first[..count], &second[..count]]).await?);
            }
            Ok(rates)
        })
    })
    .await?
}

/// Inserts the first entries, modifies them to be the second, and deletes them.
async fn of_size(
    session: &Session,
    clock: Option<ProcessClock>,
    batch: usize,
    [first, second]: [&[TableEntry]; 2],
) -> Result<[Rate; 3]> {
    let steps = [(first, insert as fn(TableEntry) -> Update), (second, modify), (second, delete)];
    let mut rates = [Rate::default(); 3];
    for (rate, (entries, update)) in rates.iter_mut().zip(steps) {
        let batches: Vec<Vec<Update>> =
            entries.chunks(batch).map(|batch| batch.iter().cloned().map(update).collect()).collect();
        let spent = || clock.map(|clock| clock.spent()).transpose();
        let (start, before) = (Instant::now(), spent()?);
        for batch in batches {
            session.write(batch).await?;
        }
        let per = |time: Duration| entries.len() as f64 / time.as_secs_f64();
        rate.wall = per(start.elapsed());
        rate.per_core = before.zip(spent()?).map(|(before, after)| per(after.saturating_sub(before)));
    }
    Ok(rates)
}
