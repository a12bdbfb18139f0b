//! What only simple_switch has: mirroring sessions, queues, the clock.

use std::time::{SystemTime, UNIX_EPOCH};

use vouch_switch::{CloneSession, CloneTarget};

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
        let target = match (config.port, config.mgid) {
            (Some(port), None) => {
                CloneTarget::Port(u16::try_from(port).map_err(|_| Failure::Other(format!("there is no port {port}")))?)
            }
            (None, Some(group)) => CloneTarget::Group(group.cast_unsigned()),
            (None, None) => CloneTarget::Replicas(Vec::new()),
            (Some(_), Some(_)) => {
                let text = "a session copies to a port or to a multicast group, not to both";
                return Err(Failure::Other(text.to_owned()));
            }
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

    /// There are no queues to set anything of; what would have no effect with queues either is fine.
    fn no_queues(&self, priority: Option<i32>, would_matter: bool) -> Queues {
        let queues = self.with(|running, _| Ok::<_, Failure<Never>>(running.switch().config().priority_queues));
        let is_there = |priority: i32| u32::try_from(priority).is_ok_and(|it| queues.is_ok_and(|queues| it < queues));
        if would_matter && priority.is_none_or(is_there) {
            let text = "the switch has no egress queues: frames leave as fast as the interface takes them";
            return Err(Failure::Other(text.to_owned()));
        }
        Ok(0)
    }
}

/// Where a session's copies go. One that P4Runtime has set may copy to several ports, for which there is no word here.
fn shown(target: &CloneTarget) -> MirroringSessionConfig {
    match target {
        CloneTarget::Port(port) => MirroringSessionConfig { port: Some((*port).into()), mgid: None },
        CloneTarget::Group(group) => MirroringSessionConfig { port: None, mgid: Some(group.cast_signed()) },
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

    fn set_egress_priority_queue_depth(&self, _port: i32, priority: i32, _depth: i32) -> Queues {
        self.no_queues(Some(priority), true)
    }

    fn set_egress_queue_depth(&self, _port: i32, _depth: i32) -> Queues {
        self.no_queues(None, true)
    }

    fn set_all_egress_queue_depths(&self, _depth: i32) -> Queues {
        self.no_queues(None, true)
    }

    /// A rate of 0 is no limit, which is what there is.
    fn set_egress_priority_queue_rate(&self, _port: i32, priority: i32, rate: i64) -> Queues {
        self.no_queues(Some(priority), rate != 0)
    }

    fn set_egress_queue_rate(&self, _port: i32, rate: i64) -> Queues {
        self.no_queues(None, rate != 0)
    }

    fn set_all_egress_queue_rates(&self, rate: i64) -> Queues {
        self.no_queues(None, rate != 0)
    }

    fn get_time_elapsed_us(&self) -> Result<i64, Failure<Never>> {
        Ok(i64::try_from(self.control.now().0).unwrap_or(i64::MAX))
    }

    fn get_time_since_epoch_us(&self) -> Result<i64, Failure<Never>> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}
