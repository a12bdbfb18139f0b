//! What only simple_switch has: mirroring sessions, queues, the clock.

use std::time::{SystemTime, UNIX_EPOCH};

use vouch_switch::{CloneSession, CloneTarget, QueueChoice, QueueLimits};

use super::api::simple_switch::{
    InvalidMirroringOperation, MirroringOperationErrorCode, MirroringSessionConfig, SimpleSwitch,
};
use super::services::Services;
use super::wire::{Failure, Never};

type Mirrors<T> = Result<T, Failure<InvalidMirroringOperation>>;
type Queues = Result<i32, Failure<Never>>;

/// The highest session; whoever wants to add a higher one is not told that there is none.
const MAX_SESSION: i32 = 32767;

impl From<MirroringOperationErrorCode> for Failure<InvalidMirroringOperation> {
    fn from(code: MirroringOperationErrorCode) -> Self {
        Self::Declared(InvalidMirroringOperation { code })
    }
}

impl Services {
    fn add_session(&self, id: i32, config: &MirroringSessionConfig) -> Mirrors<bool> {
        let (Ok(session), 0..=MAX_SESSION) = (u16::try_from(id), id) else { return Ok(false) };
        let port = |port| u16::try_from(port).map_err(|_| Failure::Other(format!("there is no port {port}")));
        let target = match (config.port.map(port).transpose()?, config.mgid) {
            (Some(port), None) => CloneTarget::Port(port),
            (None, Some(group)) => CloneTarget::Group(group.cast_unsigned()),
            (Some(port), Some(group)) => CloneTarget::GroupAndPort(group.cast_unsigned(), port),
            (None, None) => CloneTarget::Replicas(Vec::new()),
        };
        let wanted = CloneSession { target, max_packet_length: 0, class_of_service: 0 };
        self.with(|running, _| {
            let done = running.set_clone_session(session, Some(&wanted));
            done.map(|()| true).map_err(|error| Failure::Other(error.to_string()))
        })
    }

    fn delete_session(&self, id: i32) -> Mirrors<bool> {
        self.with(|running, _| Ok(u16::try_from(id).is_ok_and(|id| running.set_clone_session(id, None).is_ok())))
    }

    fn session(&self, id: i32) -> Mirrors<Option<MirroringSessionConfig>> {
        self.with(|running, _| {
            let sessions = running.switch().clone_sessions();
            let found = sessions.into_iter().find(|(known, _)| i32::from(*known) == id);
            Ok(found.map(|(_, session)| shown(&session.target)))
        })
    }

    /// Change the limits of queues: those of all ports, of one, or of one with a priority. Ports that cannot be plugged in have
    /// queues in the reference, in which nothing will ever be.
    fn limit(&self, which: QueueChoice, change: impl Fn(&mut QueueLimits)) -> Queues {
        self.control.limit_queues(which, change).map_err(|error| Failure::Other(error.to_string()))?;
        Ok(0)
    }
}

/// A port beyond those that there can be is one at which nothing can be plugged in either.
fn port(number: i32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// Negative numbers are large ones, as in the reference.
fn depth(packets: i32) -> impl Fn(&mut QueueLimits) {
    move |limits| limits.depth = packets.cast_unsigned()
}

fn rate(packets: i64) -> impl Fn(&mut QueueLimits) {
    move |limits| limits.rate = packets.cast_unsigned()
}

/// Where a session's copies go. One that P4Runtime has set may copy to several ports, for which there is no word here.
fn shown(target: &CloneTarget) -> MirroringSessionConfig {
    match target {
        CloneTarget::Port(port) => MirroringSessionConfig { port: Some((*port).into()), mgid: None },
        CloneTarget::Group(group) => MirroringSessionConfig { port: None, mgid: Some(group.cast_signed()) },
        CloneTarget::GroupAndPort(group, port) => {
            MirroringSessionConfig { port: Some((*port).into()), mgid: Some(group.cast_signed()) }
        }
        CloneTarget::Replicas(nodes) => match nodes.iter().flat_map(|node| &node.ports).collect::<Vec<_>>()[..] {
            [port] => MirroringSessionConfig { port: Some((*port).into()), mgid: None },
            _ => MirroringSessionConfig::default(),
        },
    }
}

/// A method that declares no exception, answered by one that does.
fn undeclared<T>(outcome: Mirrors<T>) -> Result<T, Failure<Never>> {
    outcome.map_err(|failure| match failure {
        Failure::Declared(declared) => Failure::Other(format!("{declared:?}")),
        Failure::Other(why) => Failure::Other(why),
    })
}

impl SimpleSwitch for Services {
    fn mirroring_mapping_add(&self, id: i32, port: i32) -> Queues {
        let config = MirroringSessionConfig { port: Some(port), mgid: None };
        undeclared(self.add_session(id, &config)).map(i32::from)
    }

    fn mirroring_mapping_delete(&self, id: i32) -> Queues {
        undeclared(self.delete_session(id)).map(i32::from)
    }

    fn mirroring_mapping_get_egress_port(&self, id: i32) -> Queues {
        Ok(undeclared(self.session(id))?.and_then(|session| session.port).unwrap_or(-1))
    }

    fn mirroring_session_add(&self, id: i32, config: MirroringSessionConfig) -> Mirrors<()> {
        self.add_session(id, &config).map(drop)
    }

    fn mirroring_session_delete(&self, id: i32) -> Mirrors<()> {
        if self.delete_session(id)? { Ok(()) } else { Err(MirroringOperationErrorCode::SessionNotFound.into()) }
    }

    fn mirroring_session_get(&self, id: i32) -> Mirrors<MirroringSessionConfig> {
        Ok(self.session(id)?.ok_or(MirroringOperationErrorCode::SessionNotFound)?)
    }

    fn set_egress_priority_queue_depth(&self, number: i32, priority: i32, packets: i32) -> Queues {
        self.limit(QueueChoice::Queue(port(number), priority.cast_unsigned()), depth(packets))
    }

    fn set_egress_queue_depth(&self, number: i32, packets: i32) -> Queues {
        self.limit(QueueChoice::Port(port(number)), depth(packets))
    }

    fn set_all_egress_queue_depths(&self, packets: i32) -> Queues {
        self.limit(QueueChoice::All, depth(packets))
    }

    fn set_egress_priority_queue_rate(&self, number: i32, priority: i32, packets: i64) -> Queues {
        self.limit(QueueChoice::Queue(port(number), priority.cast_unsigned()), rate(packets))
    }

    fn set_egress_queue_rate(&self, number: i32, packets: i64) -> Queues {
        self.limit(QueueChoice::Port(port(number)), rate(packets))
    }

    fn set_all_egress_queue_rates(&self, packets: i64) -> Queues {
        self.limit(QueueChoice::All, rate(packets))
    }

    fn get_time_elapsed_us(&self) -> Result<i64, Failure<Never>> {
        Ok(i64::try_from(self.control.now().0).unwrap_or(i64::MAX))
    }

    fn get_time_since_epoch_us(&self) -> Result<i64, Failure<Never>> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}
