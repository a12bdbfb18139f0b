//! Multicast groups and clone sessions.

use crate::{
    p4::v1::{
        CloneSessionEntry, Entity, MulticastGroupEntry, PacketReplicationEngineEntry, Replica as WireReplica,
        packet_replication_engine_entry::Type, replica::PortKind,
    },
    value,
};

/// One copy: where to, and its `egress_rid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Replica {
    /// The port.
    pub port: u32,
    /// Tells copies to the same port apart.
    pub instance: u32,
}

impl From<Replica> for WireReplica {
    fn from(Replica { port, instance }: Replica) -> Self {
        #[allow(deprecated)]
        let port_kind = match port {
            // PI takes port 0 only in the older, numeric form.
            0 => PortKind::EgressPort(0),
            port => PortKind::Port(value::encode(port.into())),
        };
        Self { port_kind: Some(port_kind), instance, backup_replicas: Vec::new() }
    }
}

impl Replica {
    /// Reads either form of the port; none where it is missing or wider than 32 bits.
    pub fn from_wire(replica: &WireReplica) -> Option<Self> {
        #[allow(deprecated)]
        let port = match replica.port_kind.as_ref()? {
            PortKind::EgressPort(port) => *port,
            PortKind::Port(bytes) => u32::try_from(value::decode(bytes, 32).ok()?).ok()?,
        };
        Some(Self { port, instance: replica.instance })
    }
}

/// A multicast group, to be written with [`super::insert`], [`super::modify`] or [`super::delete`].
pub fn multicast_group(id: u32, replicas: impl IntoIterator<Item = Replica>) -> Entity {
    let replicas = replicas.into_iter().map(WireReplica::from).collect();
    let group = MulticastGroupEntry { multicast_group_id: id, replicas, metadata: Vec::new() };
    PacketReplicationEngineEntry { r#type: Some(Type::MulticastGroupEntry(group)) }.into()
}

/// A clone session (1 to 32767 on v1model); `truncate_to` cuts the copies, which BMv2 refuses.
pub fn clone_session(id: u32, replicas: impl IntoIterator<Item = Replica>, truncate_to: Option<u16>) -> Entity {
    let session = CloneSessionEntry {
        session_id: id,
        replicas: replicas.into_iter().map(WireReplica::from).collect(),
        class_of_service: 0,
        packet_length_bytes: truncate_to.unwrap_or(0).into(),
    };
    PacketReplicationEngineEntry { r#type: Some(Type::CloneSessionEntry(session)) }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_survive_in_both_forms() {
        for port in [0, 1, 255, 256, 511, u32::MAX] {
            let replica = Replica { port, instance: 7 };
            assert_eq!(Replica::from_wire(&replica.into()), Some(replica));
        }
        assert_eq!(Replica::from_wire(&WireReplica::default()), None);
        let wide = WireReplica { port_kind: Some(PortKind::Port(vec![1, 0, 0, 0, 0])), ..WireReplica::default() };
        assert_eq!(Replica::from_wire(&wide), None);
    }
}
