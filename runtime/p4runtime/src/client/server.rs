//! What P4Runtime servers do differently, in one place.
//!
//! The client follows the specification; a [`ServerTraits`] says where a server needs it otherwise. Requests are adapted
//! on their way out, so that whoever makes them need not know which server will read them.
//!
//! | | specification, BMv2 | SDE | Stratum |
//! |---|---|---|---|
//! | port of a replica | byte string | number | number |
//! | instance in a clone session | any | any | 0 only |
//! | idle timeout | notified | notified | ignored |
//! | gNMI | – | – | interfaces have names of the operator's |
//!
//! What needs no trait, since this client does it for all of them: pipelines are pushed with VERIFY_AND_COMMIT (Stratum
//! has no RECONCILE_AND_COMMIT, `p4_service.cc`), a running one is known by its cookie (Stratum and PI keep it), every
//! read names a table, meter or counter (Stratum has no wildcard over all meters or counters), counters of entries are
//! read with the entries (Stratum has no wildcard over `DirectCounterEntry`), and don't-care matches are left out.

use std::collections::BTreeMap;

use crate::{
    p4::v1::{
        Replica, Update, entity::Entity as Kind, packet_replication_engine_entry::Type as Replication,
        replica::PortKind,
    },
    value,
};

/// Where a server departs from the specification. The default is one that does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerTraits {
    /// How the port of a replica is written.
    pub replica_port: ReplicaPort,
    /// Whether replicas of clone sessions may have an instance.
    pub clone_instances: bool,
    /// Whether entries that were not hit for their idle timeout are notified. Where not, a timeout is not kept either.
    pub idle_timeouts: bool,
    /// What gNMI calls the ports.
    pub port_names: PortNames,
}

/// The two forms of a replica's port (P4Runtime, section 9.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicaPort {
    /// `port`, a byte string: the form since version 1.4.
    Bytes,
    /// `egress_port`, a number: the form before it.
    Number,
}

/// What gNMI's interface names are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortNames {
    /// The ports' numbers.
    Numbers,
    /// Anything; the leaf `ifindex` has the number.
    Free,
}

impl Default for ServerTraits {
    fn default() -> Self {
        Self::SPECIFICATION
    }
}

impl ServerTraits {
    /// As the specification has it: BMv2's server, and the embedded switch.
    pub const SPECIFICATION: Self = Self {
        replica_port: ReplicaPort::Bytes,
        clone_instances: true,
        idle_timeouts: true,
        port_names: PortNames::Numbers,
    };

    /// The server of Intel's SDE, which is PI. `port` of replicas came with version 1.4, which is younger than most
    /// releases; the older form is the one that all of them read (PI, `pre_mc_mgr.cpp`, reads both).
    pub const SDE: Self = Self { replica_port: ReplicaPort::Number, ..Self::SPECIFICATION };

    /// Stratum on Tofino, `stratum_bfrt`. In `stratum/hal/lib/barefoot`: `bfrt_pre_manager.cc` reads only
    /// `egress_port`, and refuses instances in clone sessions; `bfrt_table_manager.cc` neither keeps nor notifies idle
    /// timeouts (stratum/stratum issue 482, pull request 984). Interfaces have the names of the chassis configuration,
    /// and `ifindex` is the port as P4Runtime has it (`bf_chassis_manager.cc`, `SdnPortId`).
    pub const STRATUM: Self = Self {
        replica_port: ReplicaPort::Number,
        clone_instances: false,
        idle_timeouts: false,
        port_names: PortNames::Free,
    };

    /// Puts an update into the form that the server takes.
    pub(super) fn adapt(&self, update: &mut Update) {
        match update.entity.as_mut().and_then(|entity| entity.entity.as_mut()) {
            Some(Kind::PacketReplicationEngineEntry(entry)) => match &mut entry.r#type {
                Some(Replication::MulticastGroupEntry(group)) => self.adapt_ports(&mut group.replicas),
                Some(Replication::CloneSessionEntry(session)) => {
                    self.adapt_ports(&mut session.replicas);
                    if !self.clone_instances {
                        session.replicas.iter_mut().for_each(|replica| replica.instance = 0);
                    }
                }
                None => {}
            },
            Some(Kind::TableEntry(entry)) if !self.idle_timeouts => entry.idle_timeout_ns = 0,
            _ => {}
        }
    }

    fn adapt_ports(&self, replicas: &mut [Replica]) {
        if self.replica_port == ReplicaPort::Bytes {
            return;
        }
        for replica in replicas {
            if let Some(PortKind::Port(bytes)) = &replica.port_kind
                && let Some(port) = value::decode(bytes, 32).ok().and_then(|port| u32::try_from(port).ok())
            {
                #[allow(deprecated)]
                let number = PortKind::EgressPort(port);
                replica.port_kind = Some(number);
            }
        }
    }
}

/// Port numbers by interface name, where names are no numbers.
pub(super) type PortNumbers = BTreeMap<String, u64>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::{clone_session, insert, multicast_group},
        p4::v1::TableEntry,
    };

    fn adapted(traits: ServerTraits, entity: impl Into<crate::p4::v1::Entity>) -> Kind {
        let mut update = insert(entity);
        traits.adapt(&mut update);
        update.entity.and_then(|entity| entity.entity).expect("it is still there")
    }

    fn replicas(kind: Kind) -> Vec<Replica> {
        let Kind::PacketReplicationEngineEntry(entry) = kind else { panic!("{kind:?}") };
        match entry.r#type.expect("it has one") {
            Replication::MulticastGroupEntry(group) => group.replicas,
            Replication::CloneSessionEntry(session) => session.replicas,
        }
    }

    #[test]
    fn each_server_gets_replicas_in_its_form() {
        let to = |port, instance| crate::client::Replica { port, instance };
        #[allow(deprecated)]
        let number =
            |port, instance| Replica { port_kind: Some(PortKind::EgressPort(port)), ..to(port, instance).into() };
        let group = || multicast_group(1, [to(300, 7)]);
        let session = || clone_session(1, [to(192, 1)], None);
        for traits in [ServerTraits::SDE, ServerTraits::STRATUM] {
            assert_eq!(replicas(adapted(traits, group())), [number(300, 7)]);
        }
        assert_eq!(replicas(adapted(ServerTraits::SDE, session())), [number(192, 1)]);
        assert_eq!(replicas(adapted(ServerTraits::STRATUM, session())), [number(192, 0)]);
        assert_eq!(replicas(adapted(ServerTraits::SPECIFICATION, session())), [to(192, 1).into()]);
    }

    #[test]
    fn a_server_without_idle_timeouts_is_asked_for_none() {
        let entry = TableEntry { table_id: 1, idle_timeout_ns: 5, ..TableEntry::default() };
        let kept = adapted(ServerTraits::SDE, entry.clone());
        assert_eq!(kept, Kind::TableEntry(entry.clone()));
        let none = adapted(ServerTraits::STRATUM, entry.clone());
        assert_eq!(none, Kind::TableEntry(TableEntry { idle_timeout_ns: 0, ..entry }));
    }
}
