//! Multicast groups as the reference has them: groups of nodes that have handles and live by themselves.
//!
//! The engine knows groups only, each with its copies. What is here is the reference's view of them; [`Replication::follow`]
//! takes over what P4Runtime has changed since the last call, [`Replication::write`] gives the engine what a call has changed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use vouch_switch::ReplicationNode;
use vouch_switch_server::Running;

/// The reference's sizes.
const MAX_GROUPS: usize = 4096;
const MAX_NODES: usize = 4096;
const MAX_LAG: u16 = 256;
/// v1model's ports, and as many aggregation groups.
const MAP_BITS: usize = 512;
/// By which the reference chooses the port of an aggregation group, whatever the packet.
const LAG_HASH: usize = 0xff;

/// Why a call is refused; both services have these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    TableFull,
    InvalidGroup,
    InvalidNode,
    Error,
}

type Done<T> = Result<T, Refusal>;

#[derive(Debug, Default)]
pub(super) struct Replication {
    /// The nodes of each group, in the order in which they came.
    groups: BTreeMap<u32, Vec<u32>>,
    /// By handle.
    nodes: BTreeMap<u32, Node>,
    lags: BTreeMap<u16, BTreeSet<u16>>,
    /// What the engine was last seen with.
    written: BTreeMap<u32, Vec<ReplicationNode>>,
}

#[derive(Debug)]
struct Node {
    rid: i32,
    ports: BTreeSet<u16>,
    lags: BTreeSet<u16>,
    group: Option<u32>,
}

/// A set of numbers, as the reference writes it: a digit for each, 0 or 1, the last one is that of number 0.
pub(super) fn set_of(map: &str) -> Done<BTreeSet<u16>> {
    if map.len() > MAP_BITS {
        return Err(Refusal::Error);
    }
    let mut numbers = BTreeSet::new();
    for (number, digit) in (0..).zip(map.bytes().rev()) {
        match digit {
            b'0' => {}
            b'1' => drop(numbers.insert(number)),
            _ => return Err(Refusal::Error),
        }
    }
    Ok(numbers)
}

/// Handles are numbers of 32 bits, negative ones too.
fn handle(number: i32) -> u32 {
    number.cast_unsigned()
}

impl Replication {
    /// Take over what others have changed.
    pub(super) fn follow(&mut self, running: &Running<'_>) {
        let engine: BTreeMap<u32, Vec<ReplicationNode>> = running.switch().multicast_groups().into_iter().collect();
        if engine == self.written {
            return;
        }
        let gone: Vec<u32> = self.written.keys().filter(|group| !engine.contains_key(group)).copied().collect();
        for group in gone {
            self.drop_group(group);
        }
        for (group, nodes) in &engine {
            if self.written.get(group) != Some(nodes) {
                self.drop_group(*group);
                let handles = nodes.iter().filter_map(|node| {
                    let (rid, ports) = (node.instance.into(), node.ports.iter().copied().collect());
                    self.insert(Node { rid, ports, lags: BTreeSet::new(), group: Some(*group) }).ok()
                });
                let handles = handles.collect();
                self.groups.insert(*group, handles);
            }
        }
        self.written = engine;
    }

    /// A group that others have changed has nodes of its own again.
    fn drop_group(&mut self, group: u32) {
        for node in self.groups.remove(&group).unwrap_or_default() {
            self.nodes.remove(&node);
        }
    }

    /// Give the engine what has changed. On a refusal nothing has, there; the caller puts things right here.
    fn write(&mut self, running: &mut Running<'_>) -> Done<()> {
        // Group 0 means no multicast, so that nobody will ask for its copies.
        let wanted: BTreeMap<u32, Vec<ReplicationNode>> = self
            .groups
            .iter()
            .filter(|(group, _)| **group != 0)
            .map(|(group, nodes)| (*group, self.copies(nodes)))
            .collect();
        for (group, nodes) in &wanted {
            if self.written.get(group) != Some(nodes) {
                running.set_multicast_group(*group, Some(nodes)).map_err(|error| {
                    tracing::debug!(group, %error, "multicast group refused");
                    Refusal::Error
                })?;
                self.written.insert(*group, nodes.clone());
            }
        }
        let gone: Vec<u32> = self.written.keys().filter(|group| !wanted.contains_key(group)).copied().collect();
        for group in gone {
            running.set_multicast_group(group, None).map_err(|_| Refusal::Error)?;
            self.written.remove(&group);
        }
        Ok(())
    }

    /// The copies of a group's nodes.
    fn copies(&self, nodes: &[u32]) -> Vec<ReplicationNode> {
        let copies = |node: &Node| {
            let lag_ports = node.lags.iter().filter_map(|lag| {
                let members = self.lags.get(lag)?;
                members.iter().nth(LAG_HASH.checked_rem(members.len())?).copied()
            });
            // The egress_rid of v1model has 16 bits.
            ReplicationNode { instance: node.rid as u16, ports: node.ports.iter().copied().chain(lag_ports).collect() }
        };
        nodes.iter().filter_map(|node| self.nodes.get(node)).map(copies).collect()
    }

    fn insert(&mut self, node: Node) -> Done<u32> {
        if self.nodes.len() >= MAX_NODES {
            return Err(Refusal::TableFull);
        }
        let free = (0..).zip(self.nodes.keys()).take_while(|(free, taken)| free == *taken).count();
        let handle = free as u32;
        self.nodes.insert(handle, node);
        Ok(handle)
    }
}

/// The calls.
impl Replication {
    /// A group that is there already stays as it is.
    pub(super) fn create_group(&mut self, running: &mut Running<'_>, group: i32) -> Done<i32> {
        if self.groups.len() >= MAX_GROUPS {
            return Err(Refusal::TableFull);
        }
        self.groups.entry(handle(group)).or_default();
        self.write(running)?;
        Ok(group)
    }

    /// A group that is not there is as good as destroyed.
    pub(super) fn destroy_group(&mut self, running: &mut Running<'_>, group: i32) -> Done<()> {
        for node in self.groups.remove(&handle(group)).unwrap_or_default() {
            if let Some(node) = self.nodes.get_mut(&node) {
                node.group = None;
            }
        }
        self.write(running)
    }

    pub(super) fn create_node(&mut self, rid: i32, ports: &str, lags: &str) -> Done<i32> {
        let node = Node { rid, ports: set_of(ports)?, lags: set_of(lags)?, group: None };
        self.insert(node).map(u32::cast_signed)
    }

    pub(super) fn associate(&mut self, running: &mut Running<'_>, group: i32, node: i32) -> Done<()> {
        let (group, node) = (handle(group), handle(node));
        let at = self.nodes.get_mut(&node).ok_or(Refusal::InvalidNode)?;
        let nodes = self.groups.get_mut(&group).ok_or(Refusal::InvalidGroup)?;
        if at.group.is_some() {
            return Err(Refusal::Error);
        }
        at.group = Some(group);
        nodes.push(node);
        self.write(running).inspect_err(|_| self.take_out(node))
    }

    pub(super) fn dissociate(&mut self, running: &mut Running<'_>, group: i32, node: i32) -> Done<()> {
        let (group, node) = (handle(group), handle(node));
        let at = self.nodes.get(&node).ok_or(Refusal::InvalidNode)?;
        self.groups.get(&group).ok_or(Refusal::InvalidGroup)?;
        if at.group != Some(group) {
            return Err(Refusal::Error);
        }
        self.take_out(node);
        self.write(running)
    }

    pub(super) fn destroy_node(&mut self, running: &mut Running<'_>, node: i32) -> Done<()> {
        let node = handle(node);
        self.nodes.get(&node).ok_or(Refusal::InvalidNode)?;
        self.take_out(node);
        self.nodes.remove(&node);
        self.write(running)
    }

    pub(super) fn update_node(&mut self, running: &mut Running<'_>, node: i32, ports: &str, lags: &str) -> Done<()> {
        let (mut ports, mut lags) = (set_of(ports)?, set_of(lags)?);
        let mut swap = |replication: &mut Self| {
            let at = replication.nodes.get_mut(&handle(node)).ok_or(Refusal::InvalidNode)?;
            std::mem::swap(&mut at.ports, &mut ports);
            std::mem::swap(&mut at.lags, &mut lags);
            Ok(())
        };
        swap(self)?;
        let done = self.write(running);
        if done.is_err() {
            swap(self)?;
        }
        done
    }

    pub(super) fn set_lag(&mut self, running: &mut Running<'_>, lag: i16, ports: &str) -> Done<()> {
        let lag = u16::try_from(lag).ok().filter(|lag| *lag <= MAX_LAG).ok_or(Refusal::Error)?;
        let before = self.lags.insert(lag, set_of(ports)?);
        let done = self.write(running);
        if done.is_err() {
            match before {
                Some(before) => self.lags.insert(lag, before),
                None => self.lags.remove(&lag),
            };
        }
        done
    }

    fn take_out(&mut self, node: u32) {
        let group = self.nodes.get_mut(&node).and_then(|node| node.group.take());
        if let Some(nodes) = group.and_then(|group| self.groups.get_mut(&group)) {
            nodes.retain(|other| *other != node);
        }
    }

    /// Everything, as the JSON of the reference. Each node has a second handle there, which is the same number here.
    pub(super) fn shown(&self, with_lags: bool) -> String {
        let groups = self.groups.iter().map(|(group, nodes)| json!({"id": group, "l1_handles": nodes}));
        let nodes = self.nodes.iter();
        let first = nodes.clone().map(|(handle, node)| json!({"handle": handle, "rid": node.rid, "l2_handle": handle}));
        let second = nodes.map(|(handle, node)| json!({"handle": handle, "ports": node.ports, "lags": node.lags}));
        let mut all = json!({
            "mgrps": groups.collect::<Value>(),
            "l1_handles": first.collect::<Value>(),
            "l2_handles": second.collect::<Value>(),
        });
        if with_lags {
            all["lags"] = self.lags.iter().map(|(lag, ports)| json!({"id": lag, "ports": ports})).collect();
        }
        all.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_read_from_their_end() {
        assert_eq!(set_of("1101"), Ok(BTreeSet::from([0, 2, 3])));
        assert_eq!(set_of(""), Ok(BTreeSet::new()));
        assert_eq!(set_of("12"), Err(Refusal::Error));
        assert_eq!(set_of(&"0".repeat(MAP_BITS + 1)), Err(Refusal::Error));
    }

    #[test]
    fn the_lowest_free_handle_is_taken() {
        let mut replication = Replication::default();
        let handles = [0; 3].map(|_| replication.create_node(1, "1", ""));
        assert_eq!(handles, [Ok(0), Ok(1), Ok(2)]);
        replication.nodes.remove(&1);
        assert_eq!(replication.create_node(1, "1", ""), Ok(1));
        assert_eq!(replication.create_node(1, "1", ""), Ok(3));
    }

    #[test]
    fn an_aggregation_group_gives_one_copy() {
        let mut replication = Replication::default();
        replication.create_node(7, "11", "10").expect("there is room");
        replication.lags.insert(1, BTreeSet::from([4, 5]));
        // 255 modulo 2 is the second.
        assert_eq!(replication.copies(&[0]), [ReplicationNode { instance: 7, ports: vec![0, 1, 5] }]);
        replication.lags.insert(1, BTreeSet::new());
        assert_eq!(replication.copies(&[0]), [ReplicationNode { instance: 7, ports: vec![0, 1] }]);
    }
}
