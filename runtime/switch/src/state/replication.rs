//! Multicast groups and clone sessions.

use std::collections::BTreeSet;

use crate::error::ControlError;
use crate::ids::Port;
use crate::state::by_id::ById;
use crate::types::{CloneSession, CloneTarget, ReplicationNode};

/// Most replicas of one group.
const MAX_REPLICAS: usize = 1 << 16;
/// Session ids have 15 bits.
const MAX_SESSION: u16 = 32767;

/// A replica: port and `egress_rid`.
pub(crate) type Replica = (Port, u16);

#[derive(Clone, Debug)]
struct Listed<T> {
    written: T,
    /// In the order in which copies leave.
    replicas: Vec<Replica>,
}

/// All replication lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replication {
    groups: ById<Listed<Vec<ReplicationNode>>>,
    sessions: ById<Listed<CloneSession>>,
}

impl Replication {
    pub(crate) fn insert_group(&mut self, id: u32, nodes: &[ReplicationNode]) -> Result<(), ControlError> {
        if id == 0 {
            return Err(ControlError::MulticastGroupZero);
        }
        if self.groups.contains(id) {
            return Err(ControlError::MulticastGroupExists(id));
        }
        self.groups.insert(id, Listed { written: nodes.to_vec(), replicas: flatten(nodes)? });
        Ok(())
    }

    pub(crate) fn modify_group(&mut self, id: u32, nodes: &[ReplicationNode]) -> Result<(), ControlError> {
        let group = self.groups.get_mut(id).ok_or(ControlError::MulticastGroupNotFound(id))?;
        *group = Listed { written: nodes.to_vec(), replicas: flatten(nodes)? };
        Ok(())
    }

    pub(crate) fn delete_group(&mut self, id: u32) -> Result<(), ControlError> {
        if !self.groups.contains(id) {
            return Err(ControlError::MulticastGroupNotFound(id));
        }
        self.groups.remove(id);
        Ok(())
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = (u32, &Vec<ReplicationNode>)> {
        self.groups.sorted().map(|(id, group)| (id, &group.written))
    }

    /// Copies that the group makes; none if it does not exist.
    pub(crate) fn replicas(&self, id: u32) -> &[Replica] {
        self.groups.get(id).map_or(&[], |group| &group.replicas)
    }

    pub(crate) fn insert_session(&mut self, id: u16, session: &CloneSession) -> Result<(), ControlError> {
        if id > MAX_SESSION {
            return Err(ControlError::CloneSessionRange(id));
        }
        if self.sessions.contains(id.into()) {
            return Err(ControlError::CloneSessionExists(id));
        }
        self.sessions.insert(id.into(), listed(session)?);
        Ok(())
    }

    pub(crate) fn modify_session(&mut self, id: u16, session: &CloneSession) -> Result<(), ControlError> {
        let entry = self.sessions.get_mut(id.into()).ok_or(ControlError::CloneSessionNotFound(id))?;
        *entry = listed(session)?;
        Ok(())
    }

    pub(crate) fn delete_session(&mut self, id: u16) -> Result<(), ControlError> {
        if !self.sessions.contains(id.into()) {
            return Err(ControlError::CloneSessionNotFound(id));
        }
        self.sessions.remove(id.into());
        Ok(())
    }

    pub(crate) fn sessions(&self) -> impl Iterator<Item = (u16, &CloneSession)> {
        self.sessions.sorted().map(|(id, session)| (id as u16, &session.written))
    }

    /// What a clone session does; `None` if it does not exist.
    pub(crate) fn session(&self, id: u16) -> Option<Cloning<'_>> {
        let session = self.sessions.get(id.into())?;
        let limit = match session.written.max_packet_length {
            0 => u32::MAX,
            length => u32::from(length),
        };
        let (replicas, also) = match session.written.target {
            CloneTarget::Group(group) => (self.replicas(group), None),
            CloneTarget::GroupAndPort(group, port) => (self.replicas(group), Some(port)),
            CloneTarget::Port(_) | CloneTarget::Replicas(_) => (session.replicas.as_slice(), None),
        };
        Some(Cloning { replicas, also, limit })
    }
}

/// The copies that a clone session makes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cloning<'a> {
    pub(crate) replicas: &'a [Replica],
    /// Where one more goes, after those.
    pub(crate) also: Option<Port>,
    /// The most bytes of each.
    pub(crate) limit: u32,
}

impl Cloning<'_> {
    pub(crate) fn copies(&self) -> usize {
        self.replicas.len() + usize::from(self.also.is_some())
    }
}

fn listed(session: &CloneSession) -> Result<Listed<CloneSession>, ControlError> {
    let replicas = match &session.target {
        CloneTarget::Port(port) => vec![(*port, 0)],
        CloneTarget::Group(_) | CloneTarget::GroupAndPort(..) => Vec::new(),
        CloneTarget::Replicas(nodes) => flatten(nodes)?,
    };
    Ok(Listed { written: session.clone(), replicas })
}

/// Nodes in the order given, the ports of each ascending.
fn flatten(nodes: &[ReplicationNode]) -> Result<Vec<Replica>, ControlError> {
    if nodes.iter().map(|node| node.ports.len()).sum::<usize>() > MAX_REPLICAS {
        return Err(ControlError::TooManyReplicas { max: MAX_REPLICAS });
    }
    let mut replicas = Vec::new();
    let mut seen = BTreeSet::new();
    for node in nodes {
        let mut ports = node.ports.clone();
        ports.sort_unstable();
        for port in ports {
            if !seen.insert((node.instance, port)) {
                return Err(ControlError::DuplicateReplica { port, instance: node.instance });
            }
            replicas.push((port, node.instance));
        }
    }
    Ok(replicas)
}
