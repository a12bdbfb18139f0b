//! The packet replication engine: multicast groups and clone sessions (specification 9.5).

use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::packet_replication_engine_entry::Type;
use vouch_p4runtime::p4::v1::replica::PortKind;
use vouch_switch::{CloneSession, CloneTarget, ReplicationNode};

use super::action::port_number;
use super::{Operation, Target};
use crate::bytes::canonical;
use crate::fault::{Fault, Outcome};

/// The highest clone session id; v1model keeps one bit of its sixteen for itself.
const MAX_CLONE_SESSION: u16 = 32_767;

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
            self.groups.remove(&id);
            return Ok(());
        }
        if id > u32::from(u16::MAX) {
            return Err(Fault::invalid("multicast groups are 1 to 65535"));
        }
        let nodes = decode_replicas(&group.replicas)?;
        match operation {
            Operation::Insert => self.switch.insert_multicast_group(id, &nodes)?,
            Operation::Modify | Operation::Delete => self.switch.modify_multicast_group(id, &nodes)?,
        }
        if group.metadata.is_empty() {
            self.groups.remove(&id);
        } else {
            self.groups.insert(id, group.metadata.clone());
        }
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
            return Ok(());
        }
        let Ok(max_packet_length) = u16::try_from(session.packet_length_bytes) else {
            return Err(Fault::invalid(format!(
                "packet_length_bytes {} is not valid: it is 0 (whole packets) to {}",
                session.packet_length_bytes,
                u16::MAX
            )));
        };
        let decoded = CloneSession {
            target: CloneTarget::Replicas(decode_replicas(&session.replicas)?),
            max_packet_length,
            class_of_service: session.class_of_service,
        };
        match operation {
            Operation::Insert => self.switch.insert_clone_session(id, &decoded)?,
            Operation::Modify | Operation::Delete => self.switch.modify_clone_session(id, &decoded)?,
        }
        Ok(())
    }

    pub(super) fn read_replication(&self, wanted: &v1::PacketReplicationEngineEntry) -> Outcome<Vec<Kind>> {
        let entries: Vec<Type> = match &wanted.r#type {
            Some(Type::MulticastGroupEntry(wanted)) => {
                let groups = self.switch.multicast_groups().into_iter();
                let groups = groups
                    .filter(|(id, _)| wanted.multicast_group_id == 0 || wanted.multicast_group_id == *id)
                    .map(|(id, nodes)| v1::MulticastGroupEntry {
                        multicast_group_id: id,
                        replicas: encode_replicas(&nodes),
                        metadata: self.groups.get(&id).cloned().unwrap_or_default(),
                    });
                groups.map(Type::MulticastGroupEntry).collect()
            }
            Some(Type::CloneSessionEntry(wanted)) => {
                let sessions = self.switch.clone_sessions().into_iter();
                let sessions = sessions
                    .filter(|(id, _)| wanted.session_id == 0 || wanted.session_id == u32::from(*id))
                    .map(|(id, session)| v1::CloneSessionEntry {
                        session_id: u32::from(id),
                        replicas: match &session.target {
                            CloneTarget::Replicas(nodes) => encode_replicas(nodes),
                            // Written by nobody here, but what the engine holds is shown as it works.
                            CloneTarget::Port(port) => vec![encode_replica(*port, 0)],
                            CloneTarget::Group(_) => Vec::new(),
                        },
                        class_of_service: session.class_of_service,
                        packet_length_bytes: i32::from(session.max_packet_length),
                    });
                sessions.map(Type::CloneSessionEntry).collect()
            }
            None => return Err(neither()),
        };
        let entries = entries.into_iter().map(|entry| v1::PacketReplicationEngineEntry { r#type: Some(entry) });
        Ok(entries.map(Kind::PacketReplicationEngineEntry).collect())
    }
}

fn neither() -> Fault {
    Fault::invalid("the replication entry is neither a multicast group nor a clone session")
}

fn decode_replicas(replicas: &[v1::Replica]) -> Outcome<Vec<ReplicationNode>> {
    let mut seen = std::collections::BTreeSet::new();
    let mut decoded = Vec::new();
    for replica in replicas {
        let port = match &replica.port_kind {
            Some(PortKind::Port(port)) => port_number(port)?,
            #[allow(deprecated)]
            Some(PortKind::EgressPort(port)) => port_number(&port.to_be_bytes())?,
            None => return Err(Fault::invalid("a replica has no port")),
        };
        let Ok(instance) = u16::try_from(replica.instance) else {
            return Err(Fault::invalid(format!("instance {} does not fit 16 bits", replica.instance)));
        };
        if !replica.backup_replicas.is_empty() {
            return Err(Fault::unimplemented("backup replicas"));
        }
        if !seen.insert((port, instance)) {
            return Err(Fault::invalid(format!("port {port} is given twice with instance {instance}")));
        }
        decoded.push((port, instance));
    }
    Ok(ReplicationNode::from_replicas(&decoded))
}

fn encode_replicas(nodes: &[ReplicationNode]) -> Vec<v1::Replica> {
    let replicas = nodes.iter().flat_map(|node| node.ports.iter().map(|port| encode_replica(*port, node.instance)));
    replicas.collect()
}

fn encode_replica(port: u16, instance: u16) -> v1::Replica {
    v1::Replica {
        port_kind: Some(PortKind::Port(canonical(&port.to_be_bytes()))),
        instance: u32::from(instance),
        backup_replicas: Vec::new(),
    }
}
