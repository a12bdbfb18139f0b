//! The packet replication engine: multicast groups and clone sessions (specification 9.5).
//!
//! A replica with backups is one copy with several places to go to, of which it takes the first whose port is up; where none
//! is, there is no copy. The engine knows only where copies go now: [`Target::set_port`] tells it anew when a port changes.

use std::collections::{BTreeMap, BTreeSet};

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::packet_replication_engine_entry::Type;
use vouch_p4runtime::p4::v1::replica::PortKind;
use vouch_p4runtime::value::canonical;
use vouch_switch::{CloneSession, CloneTarget, ControlError, ReplicationNode};

use super::action::{port_number, sdn_port};
use super::{Operation, Target};
use crate::fault::{Fault, Outcome};
use crate::schema::Schema;
use crate::translation::port_bytes;

/// The highest clone session id; v1model keeps one bit of its sixteen for itself.
const MAX_CLONE_SESSION: u16 = 32_767;

/// What is replicated where.
#[derive(Debug, Default)]
pub(crate) struct Replication {
    groups: BTreeMap<u32, Replicated<v1::MulticastGroupEntry>>,
    sessions: BTreeMap<u16, Replicated<v1::CloneSessionEntry>>,
    /// Ports known to be down.
    down: BTreeSet<u16>,
}

/// An entry as it is read back, and its copies.
#[derive(Debug)]
struct Replicated<T> {
    entry: T,
    copies: Vec<Copy>,
}

/// The places of one copy in the order of preference: port and instance.
type Copy = Vec<(u16, u16)>;

impl Replication {
    /// Where copies go at present.
    fn nodes(&self, copies: &[Copy]) -> Vec<ReplicationNode> {
        let place = |copy: &Copy| match copy.as_slice() {
            // Without a choice it is sent wherever the port is, which then counts it as dropped.
            [only] => Some(*only),
            choice => choice.iter().find(|(port, _)| !self.down.contains(port)).copied(),
        };
        let places: Vec<(u16, u16)> = copies.iter().filter_map(place).collect();
        ReplicationNode::from_replicas(&places)
    }
}

/// Whether a change of port status can move a copy.
fn has_backups(copies: &[Copy]) -> bool {
    copies.iter().any(|copy| copy.len() > 1)
}

impl Target {
    pub(super) fn write_replication(
        &mut self,
        operation: Operation,
        entry: &v1::PacketReplicationEngineEntry,
    ) -> Outcome {
        match &entry.r#type {
            Some(Type::MulticastGroupEntry(group)) => self
                .write_multicast_group(operation, group)
                .map_err(|fault| fault.within(format_args!("multicast group {}", group.multicast_group_id))),
            Some(Type::CloneSessionEntry(session)) => self
                .write_clone_session(operation, session)
                .map_err(|fault| fault.within(format_args!("clone session {}", session.session_id))),
            None => Err(neither()),
        }
    }

    fn write_multicast_group(&mut self, operation: Operation, group: &v1::MulticastGroupEntry) -> Outcome {
        let id = group.multicast_group_id;
        if id == 0 {
            return Err(Fault::invalid("0 is not a group: it means no multicast"));
        }
        if operation == Operation::Delete {
            self.switch.delete_multicast_group(id)?;
            self.replication.groups.remove(&id);
            return Ok(());
        }
        if id > u32::from(u16::MAX) {
            return Err(Fault::invalid("multicast groups are 1 to 65535"));
        }
        let copies = decode_replicas(&self.schema, &group.replicas)?;
        let nodes = self.replication.nodes(&copies);
        match operation {
            Operation::Insert => self.switch.insert_multicast_group(id, &nodes)?,
            Operation::Modify | Operation::Delete => self.switch.modify_multicast_group(id, &nodes)?,
        }
        let mut entry = group.clone();
        self.shorten(&mut entry.replicas);
        self.replication.groups.insert(id, Replicated { entry, copies });
        Ok(())
    }

    fn write_clone_session(&mut self, operation: Operation, session: &v1::CloneSessionEntry) -> Outcome {
        let id = match u16::try_from(session.session_id) {
            Ok(id @ 1..=MAX_CLONE_SESSION) => id,
            Ok(_) | Err(_) => {
                return Err(Fault::invalid(format!("clone sessions are 1 to {MAX_CLONE_SESSION}")));
            }
        };
        if operation == Operation::Delete {
            self.switch.delete_clone_session(id)?;
            self.replication.sessions.remove(&id);
            return Ok(());
        }
        let Ok(max_packet_length) = u16::try_from(session.packet_length_bytes) else {
            return Err(Fault::invalid(format!(
                "packet_length_bytes {} is not valid: it is 0 (whole packets) to {}",
                session.packet_length_bytes,
                u16::MAX
            )));
        };
        let copies = decode_replicas(&self.schema, &session.replicas)?;
        let decoded = CloneSession {
            target: CloneTarget::Replicas(self.replication.nodes(&copies)),
            max_packet_length,
            class_of_service: session.class_of_service,
        };
        match operation {
            Operation::Insert => self.switch.insert_clone_session(id, &decoded)?,
            Operation::Modify | Operation::Delete => self.switch.modify_clone_session(id, &decoded)?,
        }
        let mut entry = session.clone();
        self.shorten(&mut entry.replicas);
        self.replication.sessions.insert(id, Replicated { entry, copies });
        Ok(())
    }

    /// Have a group make these copies or none; for those who know no P4Runtime.
    pub(crate) fn set_multicast_group(
        &mut self,
        id: u32,
        nodes: Option<&[ReplicationNode]>,
    ) -> Result<(), ControlError> {
        let Some(nodes) = nodes else {
            self.switch.delete_multicast_group(id)?;
            self.replication.groups.remove(&id);
            return Ok(());
        };
        match self.switch.modify_multicast_group(id, nodes) {
            Err(ControlError::MulticastGroupNotFound(_)) => self.switch.insert_multicast_group(id, nodes)?,
            done => done?,
        }
        let (replicas, copies) = self.encode_replicas(nodes);
        let entry = v1::MulticastGroupEntry { multicast_group_id: id, replicas, ..Default::default() };
        self.replication.groups.insert(id, Replicated { entry, copies });
        Ok(())
    }

    /// Have a clone session make these copies or none. P4Runtime has no word for a session that copies to a multicast group,
    /// and shows it without replicas.
    pub(crate) fn set_clone_session(&mut self, id: u16, session: Option<&CloneSession>) -> Result<(), ControlError> {
        let Some(session) = session else {
            self.switch.delete_clone_session(id)?;
            self.replication.sessions.remove(&id);
            return Ok(());
        };
        match self.switch.modify_clone_session(id, session) {
            Err(ControlError::CloneSessionNotFound(_)) => self.switch.insert_clone_session(id, session)?,
            done => done?,
        }
        let (replicas, copies) = match &session.target {
            CloneTarget::Port(port) => self.encode_replicas(&[ReplicationNode { instance: 0, ports: vec![*port] }]),
            CloneTarget::Replicas(nodes) => self.encode_replicas(nodes),
            CloneTarget::Group(_) | CloneTarget::GroupAndPort(..) => Default::default(),
        };
        let entry = v1::CloneSessionEntry {
            session_id: id.into(),
            replicas,
            class_of_service: session.class_of_service,
            packet_length_bytes: session.max_packet_length.into(),
        };
        self.replication.sessions.insert(id, Replicated { entry, copies });
        Ok(())
    }

    /// Nodes as P4Runtime spells them, and their copies.
    fn encode_replicas(&self, nodes: &[ReplicationNode]) -> (Vec<v1::Replica>, Vec<Copy>) {
        let places = nodes.iter().flat_map(|node| node.ports.iter().map(|port| (*port, node.instance)));
        let replica = |(port, instance): (u16, u16)| v1::Replica {
            port_kind: Some(PortKind::Port(port_bytes(self.schema.ports.as_deref(), port))),
            instance: instance.into(),
            backup_replicas: Vec::new(),
        };
        (places.clone().map(replica).collect(), places.map(|place| vec![place]).collect())
    }

    /// A port is up or down: copies that have a choice make it again.
    pub(crate) fn set_port(&mut self, port: u16, up: bool) {
        let changed = if up { self.replication.down.remove(&port) } else { self.replication.down.insert(port) };
        if !changed {
            return;
        }
        for (id, group) in self.replication.groups.iter().filter(|(_, group)| has_backups(&group.copies)) {
            let nodes = self.replication.nodes(&group.copies);
            if let Err(error) = self.switch.modify_multicast_group(*id, &nodes) {
                tracing::error!(group = id, %error, "a multicast group could not follow its ports");
            }
        }
        for (id, session) in self.replication.sessions.iter().filter(|(_, session)| has_backups(&session.copies)) {
            let decoded = CloneSession {
                target: CloneTarget::Replicas(self.replication.nodes(&session.copies)),
                // It has been checked when it was written.
                max_packet_length: u16::try_from(session.entry.packet_length_bytes).unwrap_or(0),
                class_of_service: session.entry.class_of_service,
            };
            if let Err(error) = self.switch.modify_clone_session(*id, &decoded) {
                tracing::error!(session = id, %error, "a clone session could not follow its ports");
            }
        }
    }

    /// Ports in the shortest form, as they are read back. Whoever wrote the deprecated number reads it again.
    fn shorten(&self, replicas: &mut [v1::Replica]) {
        // A name has one form.
        if self.schema.ports.is_some() {
            return;
        }
        for replica in replicas {
            if let Some(PortKind::Port(port)) = &mut replica.port_kind {
                *port = canonical(port).to_vec();
            }
            for backup in &mut replica.backup_replicas {
                backup.port = canonical(&backup.port).to_vec();
            }
        }
    }

    pub(super) fn read_replication(&self, wanted: &v1::PacketReplicationEngineEntry) -> Outcome<Vec<Kind>> {
        let entries: Vec<Type> = match &wanted.r#type {
            Some(Type::MulticastGroupEntry(wanted)) => {
                let id = wanted.multicast_group_id;
                let groups = self.replication.groups.iter().filter(|(other, _)| id == 0 || id == **other);
                groups.map(|(_, group)| Type::MulticastGroupEntry(group.entry.clone())).collect()
            }
            Some(Type::CloneSessionEntry(wanted)) => {
                let id = wanted.session_id;
                let sessions = self.replication.sessions.iter();
                let sessions = sessions.filter(|(other, _)| id == 0 || id == u32::from(**other));
                sessions.map(|(_, session)| Type::CloneSessionEntry(session.entry.clone())).collect()
            }
            None => return Err(neither()),
        };
        let everything = match &wanted.r#type {
            Some(Type::MulticastGroupEntry(wanted)) => wanted.multicast_group_id == 0,
            Some(Type::CloneSessionEntry(wanted)) => wanted.session_id == 0,
            None => true,
        };
        if entries.is_empty() && !everything && self.dialect.needs_replication_to_read() {
            return Err(Fault::not_found("there is no such multicast group or clone session"));
        }
        let entries = entries.into_iter().map(|entry| v1::PacketReplicationEngineEntry { r#type: Some(entry) });
        Ok(entries.map(Kind::PacketReplicationEngineEntry).collect())
    }
}

fn neither() -> Fault {
    Fault::invalid("the replication entry is neither a multicast group nor a clone session")
}

fn decode_replicas(schema: &Schema, replicas: &[v1::Replica]) -> Outcome<Vec<Copy>> {
    let mut seen = BTreeSet::new();
    let mut copies = Vec::new();
    for replica in replicas {
        let port = match &replica.port_kind {
            Some(PortKind::Port(port)) => sdn_port(schema, port)?,
            #[allow(deprecated)]
            Some(PortKind::EgressPort(port)) => port_number(&port.to_be_bytes())?,
            None => return Err(Fault::invalid("a replica has no port")),
        };
        let mut copy = vec![(port, instance(replica.instance)?)];
        for backup in &replica.backup_replicas {
            let place = (sdn_port(schema, &backup.port)?, instance(backup.instance)?);
            if place.0 == port {
                return Err(Fault::invalid(format!("port {port} cannot be the backup of itself")));
            }
            copy.push(place);
        }
        for (port, instance) in &copy {
            if !seen.insert((*port, *instance)) {
                return Err(Fault::invalid(format!("port {port} is given twice with instance {instance}")));
            }
        }
        copies.push(copy);
    }
    Ok(copies)
}

fn instance(instance: u32) -> Outcome<u16> {
    u16::try_from(instance).map_err(|_| Fault::invalid(format!("instance {instance} does not fit 16 bits")))
}
