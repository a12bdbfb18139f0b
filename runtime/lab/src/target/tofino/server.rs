//! What the P4Runtime servers of Tofino switches take, refuse and show otherwise than the specification has it, as far as a
//! controller could trip over it.

use tonic::Status;
use vouch_agent::config::TofinoServer;
use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::packet_replication_engine_entry::Type as Replication;
use vouch_p4runtime::p4::v1::replica::PortKind;
use vouch_p4runtime::p4::v1::set_forwarding_pipeline_config_request::Action;
use vouch_p4runtime::tofino::TofinoProgram;

/// Stratum's highest clone session (`bfrt_constants.h`).
const MAX_STRATUM_SESSION: u32 = 1015;

type Outcome<T = ()> = Result<T, Status>;

/// What is mimicked of the server of the SDE, which is PI: ports of replicas are numbers, as before P4Runtime 1.4; no value sets.
/// And of Stratum's `stratum_bfrt`: the limits that stand in `stratum/hal/lib/barefoot` and `p4_service.cc`.
#[derive(Clone, Copy)]
pub(super) struct Deviations(pub(super) TofinoServer);

impl Deviations {
    /// Refuses a device configuration that no Tofino takes.
    pub(super) fn check_program(self, device_config: &[u8]) -> Outcome {
        let program = match self.0 {
            TofinoServer::Sde => TofinoProgram::from_sde(device_config),
            TofinoServer::Stratum => TofinoProgram::from_stratum(device_config),
        };
        let usable = program.map(|_| ());
        usable.map_err(|error| Status::invalid_argument(format!("the device config is not usable: {error}")))
    }

    /// Refuses what the server cannot do with a pipeline.
    pub(super) fn check_action(self, action: Action) -> Outcome {
        match (self.0, action) {
            (TofinoServer::Stratum, Action::ReconcileAndCommit) => {
                Err(Status::unimplemented("RECONCILE_AND_COMMIT action not supported yet"))
            }
            _ => Ok(()),
        }
    }

    /// The update as the server understands it, or why it refuses it.
    pub(super) fn admit(self, update: &v1::Update) -> Outcome<v1::Update> {
        let mut update = update.clone();
        match (self.0, update.entity.as_mut().and_then(|entity| entity.entity.as_mut())) {
            (_, Some(Kind::PacketReplicationEngineEntry(entry))) => match &entry.r#type {
                Some(Replication::MulticastGroupEntry(group)) => numbers(&group.replicas)?,
                Some(Replication::CloneSessionEntry(session)) => {
                    numbers(&session.replicas)?;
                    let deletes = update.r#type == v1::update::Type::Delete as i32;
                    if self.0 == TofinoServer::Stratum && !deletes {
                        stratum_session(session)?;
                    }
                }
                None => {}
            },
            (_, Some(Kind::ValueSetEntry(_))) => return Err(Status::unimplemented("value sets")),
            (TofinoServer::Stratum, Some(Kind::DirectMeterEntry(_))) => {
                return Err(Status::unimplemented("direct meters"));
            }
            (TofinoServer::Stratum, Some(Kind::TableEntry(entry))) => {
                if entry.meter_config.is_some() {
                    return Err(Status::unimplemented("meter configs on table entries"));
                }
                // Neither refused nor kept.
                entry.idle_timeout_ns = 0;
            }
            _ => {}
        }
        Ok(update)
    }

    /// Refuses what the server cannot read.
    pub(super) fn check_read(self, wanted: &v1::Entity) -> Outcome {
        let Some(wanted) = &wanted.entity else { return Ok(()) };
        match (self.0, wanted) {
            (_, Kind::ValueSetEntry(_)) => Err(Status::unimplemented("value sets")),
            (TofinoServer::Sde, _) => Ok(()),
            (TofinoServer::Stratum, Kind::DirectMeterEntry(_)) => Err(Status::unimplemented("direct meters")),
            (TofinoServer::Stratum, Kind::MeterEntry(meter)) if meter.meter_id == 0 => {
                Err(Status::invalid_argument("wildcard reads of meters: name one"))
            }
            (TofinoServer::Stratum, Kind::CounterEntry(counter)) if counter.counter_id == 0 => {
                Err(Status::invalid_argument("wildcard reads of counters: name one"))
            }
            (TofinoServer::Stratum, Kind::DirectCounterEntry(counter))
                if counter.table_entry.as_ref().is_none_or(|entry| entry.r#match.is_empty()) =>
            {
                Err(Status::invalid_argument(
                    "wildcard reads of direct counters: read table entries with `counter_data`",
                ))
            }
            (TofinoServer::Stratum, Kind::TableEntry(entry)) if entry.r#match.is_empty() && entry.priority != 0 => {
                Err(Status::invalid_argument("priority filters on wildcard reads"))
            }
            (TofinoServer::Stratum, Kind::TableEntry(entry)) if entry.is_default_action && entry.table_id == 0 => {
                Err(Status::invalid_argument("default actions of all tables: name one"))
            }
            (TofinoServer::Stratum, _) => Ok(()),
        }
    }

    /// Puts what was read into the server's form.
    pub(super) fn show(self, found: &mut [v1::Entity]) {
        for kind in found.iter_mut().filter_map(|entity| entity.entity.as_mut()) {
            match (self.0, kind) {
                (_, Kind::PacketReplicationEngineEntry(entry)) => match &mut entry.r#type {
                    Some(Replication::MulticastGroupEntry(group)) => as_numbers(&mut group.replicas),
                    Some(Replication::CloneSessionEntry(session)) => as_numbers(&mut session.replicas),
                    None => {}
                },
                (TofinoServer::Stratum, Kind::TableEntry(entry)) => entry.time_since_last_hit = None,
                _ => {}
            }
        }
    }
}

/// The servers know a replica's port as a number only. Real ones take anything else for port 0; that helps nobody here.
fn numbers(replicas: &[v1::Replica]) -> Outcome {
    if replicas.iter().any(|replica| matches!(replica.port_kind, Some(PortKind::Port(_)))) {
        return Err(Status::invalid_argument(
            "a replica has its port in `port`, which this server does not read: use `egress_port`",
        ));
    }
    Ok(())
}

#[allow(deprecated)]
fn as_numbers(replicas: &mut [v1::Replica]) {
    for replica in replicas {
        if let Some(PortKind::Port(bytes)) = &replica.port_kind {
            let number = bytes.iter().fold(0_u32, |number, &byte| number << 8 | u32::from(byte));
            replica.port_kind = Some(PortKind::EgressPort(number));
        }
    }
}

/// What Stratum wants of a clone session.
fn stratum_session(session: &v1::CloneSessionEntry) -> Outcome {
    if !(1..=MAX_STRATUM_SESSION).contains(&session.session_id) {
        return Err(Status::invalid_argument(format!("clone sessions are 1 to {MAX_STRATUM_SESSION}")));
    }
    let [replica] = session.replicas.as_slice() else {
        return Err(Status::invalid_argument("a clone session has exactly one replica"));
    };
    #[allow(deprecated)]
    if replica.port_kind == Some(PortKind::EgressPort(0)) {
        return Err(Status::invalid_argument("a clone session cannot lead to port 0"));
    }
    if replica.instance != 0 {
        return Err(Status::invalid_argument("instances on replicas of clone sessions are not supported"));
    }
    Ok(())
}
