//! What happens by time alone: idle entries are found, digest lists sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use vouch_p4runtime::p4::v1::stream_message_response::Update as Outgoing;
use vouch_p4runtime::p4::v1::{DigestList, IdleTimeoutNotification, TableEntry};
use vouch_switch::Micros;

use crate::counters::Counters;
use crate::device::{Device, wall_clock};
use crate::entity::encode_idle;
use crate::notices::Notice;
use crate::pipeline::Pipeline;

/// How often idle entries are looked for; a timeout is reported at most this much late.
const SWEEP: Duration = Duration::from_millis(100);
/// How many entries one notification holds, so that it stays well below what clients take as one message.
const MAX_NOTIFIED: usize = 1000;

/// Report idle entries until the switch stops.
pub(crate) async fn run_idle(device: Arc<Device>) {
    let mut tick = tokio::time::interval(SWEEP);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let stopped = device.stopped();
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            () = &mut stopped => return,
            _ = tick.tick() => sweep(&device),
        }
    }
}

fn sweep(device: &Device) {
    // The engine reports an entry once per timeout; with nobody to hear it the report would be lost.
    let Some(pipeline) = device.active().filter(|_| device.notices.is_some() || device.has_primary()) else {
        return;
    };
    let idle = pipeline.switch.sweep(device.now());
    if idle.is_empty() {
        return;
    }
    let mut by_table: BTreeMap<u32, Vec<TableEntry>> = BTreeMap::new();
    let target = pipeline.target();
    for entry in idle.iter().filter_map(|idle| encode_idle(&target, idle)) {
        by_table.entry(entry.table_id).or_default().push(entry);
    }
    drop(target);
    device.tell(|| Notice::Idle(idle));
    for entries in by_table.values() {
        for table_entry in entries.chunks(MAX_NOTIFIED) {
            let notification = IdleTimeoutNotification { table_entry: table_entry.to_vec(), timestamp: wall_clock() };
            if device.offer(Outgoing::IdleTimeoutNotification(notification)) {
                Counters::add(&device.counters.idle_entries, table_entry.len() as u64);
            }
        }
    }
}

/// Send digest lists as they become ready until the switch stops.
pub(crate) async fn run_digests(device: Arc<Device>) {
    let stopped = device.stopped();
    tokio::pin!(stopped);
    loop {
        let deadline = device.active().and_then(|pipeline| next_deadline(&pipeline));
        tokio::select! {
            () = &mut stopped => return,
            () = device.digest_gathered.notified() => {}
            () = tokio::time::sleep(deadline.map_or(Duration::MAX, |at| device.until(at))), if deadline.is_some() => {}
        }
        send_digests(&device);
    }
}

/// When a list or a buffer of samples will have waited long enough.
fn next_deadline(pipeline: &Pipeline) -> Option<Micros> {
    let samples = pipeline.learning().and_then(|learning| learning.next_deadline());
    pipeline.digests().next_deadline().into_iter().chain(samples).min()
}

fn send_digests(device: &Device) {
    let Some(pipeline) = device.active() else {
        return;
    };
    let lists = pipeline.digests().ready(device.now());
    for list in lists {
        let message = DigestList {
            digest_id: list.digest,
            list_id: list.list,
            data: pipeline.encode_digests(&list),
            timestamp: wall_clock(),
        };
        let counter = if device.offer(Outgoing::Digest(message)) {
            &device.counters.digest_lists
        } else {
            &device.counters.digest_lists_dropped
        };
        Counters::add(counter, 1);
    }
    let samples = pipeline.learning().map(|mut learning| learning.ready(device.now()));
    for samples in samples.into_iter().flatten() {
        device.tell(|| Notice::Learnt(samples));
    }
}
