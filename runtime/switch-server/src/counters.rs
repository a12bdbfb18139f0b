//! What the switch as a whole has done and what it refused.

use std::sync::atomic::{AtomicU64, Ordering};

use vouch_switch::Drops;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counts since the switch was started. Ports and links count for themselves.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct SwitchCounters {
            $($(#[$doc])* pub $name: u64,)*
        }

        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)*
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> SwitchCounters {
                SwitchCounters { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counters! {
    /// Frames taken from ports, and packet-outs.
    received,
    /// How often forwarding what a port received had to begin anew, because the port had made it end.
    ports_restarted,
    /// Frames, and packets that had waited in a queue, that were lost because forwarding them had panicked. The log tells of each.
    dropped_by_panic,
    /// Frames that came while no pipeline was there.
    dropped_no_pipeline,
    /// Frames for a port where nothing is plugged in.
    dropped_unplugged,
    /// Frames that a port did not take: it was down, or its queue full.
    dropped_at_port,
    /// Packets that the program or the engine dropped.
    dropped_in_pipeline,
    /// Those of them whose frame took more steps, passed more often or became more packets than one may
    /// ([`Drops::step_limit`], [`Drops::too_many_passes`]).
    dropped_at_limit,
    /// Packets that found their egress queue full, or were in one when the program was replaced or the port removed.
    dropped_in_queue,
    /// Packet-ins sent to a controller.
    packet_ins,
    /// Packet-ins that no controller got: none was primary, or it read too slowly.
    packet_ins_dropped,
    /// Frames at the CPU port too short for the packet_in header.
    packet_ins_malformed,
    /// Packet-outs taken from controllers.
    packet_outs,
    /// Packet-outs and other stream messages that were refused.
    stream_errors,
    /// Digest lists sent to a controller.
    digest_lists,
    /// Digest lists that no controller got.
    digest_lists_dropped,
    /// Idle entries reported to a controller.
    idle_entries,
    /// Updates applied.
    updates,
    /// Updates refused.
    updates_refused,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        if count > 0 {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }

    pub(crate) fn add_drops(&self, drops: &Drops) {
        Counters::add(&self.dropped_in_pipeline, drops.total() - drops.queue);
        Counters::add(&self.dropped_at_limit, drops.step_limit + drops.too_many_passes);
        Counters::add(&self.dropped_in_queue, drops.queue);
    }
}
