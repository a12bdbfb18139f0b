//! Multicast groups and the clone session: entries of the packet replication engine.

use std::collections::BTreeSet;
use std::fmt;

use vouch_p4runtime::p4::v1::replica::PortKind;
use vouch_p4runtime::p4::v1::{CloneSessionEntry, MulticastGroupEntry, Replica as P4Replica};

use crate::error::DecodeError;
use crate::types::{Group, LocationId, Port};
use crate::value::{Value, ValueError, from_bytes, to_bytes};

/// The clone session that copies for the controller go through, fixed in the program.
pub const CPU_SESSION: u32 = 1;

/// One member of a group: where it goes and by which port. Egress reads the location from the replica's instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Replica {
    /// An access interface or a tunnel.
    pub location: LocationId,
    /// The port that leads there.
    pub port: Port,
}

impl fmt::Display for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@port{}", self.location, self.port)
    }
}

/// The members of a clone session, as ports.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloneSession {
    /// Where copies go.
    pub ports: BTreeSet<u16>,
}

impl CloneSession {
    /// What session [`CPU_SESSION`] must be: the controller's port.
    pub fn to_cpu(port: u16) -> Self {
        Self { ports: BTreeSet::from([port]) }
    }
}

impl fmt::Display for CloneSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ports={:?}", self.ports)
    }
}

pub(crate) fn encode_group(group: Group, replicas: Option<&BTreeSet<Replica>>) -> MulticastGroupEntry {
    let replica = |replica: &Replica| encode_replica(replica.port.get(), replica.location.id().into());
    MulticastGroupEntry {
        multicast_group_id: group.get().into(),
        replicas: replicas.into_iter().flatten().map(replica).collect(),
        ..MulticastGroupEntry::default()
    }
}

pub(crate) fn decode_group(entry: &MulticastGroupEntry) -> Result<(Group, BTreeSet<Replica>), DecodeError> {
    let problem = |field, source| DecodeError::Value {
        place: format!("multicast group {}", entry.multicast_group_id),
        field,
        source,
    };
    let group = Group::from_bits(entry.multicast_group_id.into()).map_err(|error| problem("id", error))?;
    let replica = |replica: &P4Replica| {
        let port = decode_port(replica).map_err(|error| problem("replica port", error))?;
        let port = Port::from_bits(port.into()).map_err(|error| problem("replica port", error))?;
        let location = LocationId::from_bits(replica.instance.into());
        Ok(Replica { location: location.map_err(|error| problem("replica instance", error))?, port })
    };
    Ok((group, entry.replicas.iter().map(replica).collect::<Result<_, DecodeError>>()?))
}

pub(crate) fn encode_session(session_id: u32, session: Option<&CloneSession>) -> CloneSessionEntry {
    // Instances tell replicas of one port apart; here each port has one.
    let replica = |&port: &u16| encode_replica(port, 1);
    CloneSessionEntry {
        session_id,
        replicas: session.into_iter().flat_map(|session| &session.ports).map(replica).collect(),
        class_of_service: 0,
        packet_length_bytes: 0,
    }
}

pub(crate) fn decode_session(entry: &CloneSessionEntry) -> Result<(u32, CloneSession), DecodeError> {
    let port = |replica: &P4Replica| {
        decode_port(replica).map_err(|source| DecodeError::Value {
            place: format!("clone session {}", entry.session_id),
            field: "replica port",
            source,
        })
    };
    Ok((entry.session_id, CloneSession { ports: entry.replicas.iter().map(port).collect::<Result<_, _>>()? }))
}

fn encode_replica(port: u16, instance: u32) -> P4Replica {
    // The byte string is the form of today; BMv2's server refuses port 0 in it.
    #[allow(deprecated)]
    let port = match port {
        0 => PortKind::EgressPort(0),
        port => PortKind::Port(to_bytes(port.into())),
    };
    P4Replica { instance, port_kind: Some(port), ..P4Replica::default() }
}

fn decode_port(replica: &P4Replica) -> Result<u16, ValueError> {
    #[allow(deprecated)]
    let bits = match &replica.port_kind {
        Some(PortKind::Port(bytes)) => from_bytes(bytes, 32)?,
        Some(PortKind::EgressPort(port)) => u128::from(*port),
        None => return Err(ValueError::Missing),
    };
    u16::try_from(bits).map_err(|_| ValueError::Meaningless { value: bits, kind: "a port" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_zero_is_written_in_the_form_that_bmv2_takes() {
        #[allow(deprecated)]
        let zero = PortKind::EgressPort(0);
        assert_eq!(encode_replica(0, 1).port_kind, Some(zero));
        assert_eq!(decode_port(&encode_replica(0, 1)), Ok(0));
        assert_eq!(encode_replica(300, 1).port_kind, Some(PortKind::Port(vec![1, 44])));
        assert_eq!(decode_port(&encode_replica(300, 1)), Ok(300));
    }
}
