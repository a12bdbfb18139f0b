//! What the switches have of hosts, looked up in their tables in passing. Reading them over P4Runtime would take the time of those who are measured.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use vouch_switch::{ActionCall, ActionId, EntryAction, EntryKey, Match, Switch, TableId};

use crate::hosts::mac;
use crate::{Result, Vtep};

/// One switch.
pub(crate) struct Tables {
    switch: Arc<Switch>,
    destination: TableId,
    recorded: TableId,
    unicast: [ActionId; 2],
    /// The one bridge domain.
    bd: Vec<u8>,
    /// Its own access ports, and the tunnels to the others: their locations.
    ports: BTreeMap<u16, Vec<u8>>,
    tunnels: BTreeMap<Ipv4Addr, Vec<u8>>,
}

/// Where a switch is to have a host.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Port(u16),
    Tunnel(Ipv4Addr),
}

impl Tables {
    /// Of a switch whose ways are known.
    pub(crate) fn new(switch: Arc<Switch>) -> Result<Self> {
        let program = Arc::clone(switch.program());
        let table = |name: &str| program.table(name).ok_or_else(|| format!("the program has no table `{name}`"));
        let (interfaces, tunnels) = (table("ingress_interface")?, table("encapsulate")?);
        let (destination, recorded) = (table("destination")?, table("recorded_location")?);
        let action = |table, name: &str| {
            program.table_action(table, name).ok_or_else(|| format!("the program has no action `{name}`"))
        };
        let unicast =
            [action(destination, "destination.unicast")?, action(destination, "destination.unicast_hairpin")?];
        let (access, encapsulate) =
            (action(interfaces, "ingress_interface.access")?, action(tunnels, "encapsulate.encapsulate")?);
        let mut bd = None;
        let mut ports = BTreeMap::new();
        for (key, params) in calls(&switch, interfaces, access)? {
            if let ([port, _vlan], [in_bd, location, ..]) = (key.as_slice(), params.as_slice()) {
                ports.insert(number(port) as u16, location.clone());
                bd = Some(in_bd.clone());
            }
        }
        let ways = calls(&switch, tunnels, encapsulate)?.into_iter().filter_map(|(key, params)| {
            let [location] = key.as_slice() else { return None };
            Some((Ipv4Addr::from(number(params.get(1)?)), location.clone()))
        });
        let tunnels = ways.collect();
        let bd = bd.ok_or("a switch has no access port")?;
        Ok(Self { switch, destination, recorded, unicast, bd, ports, tunnels })
    }

    /// Whether frames to the host go there and nowhere else, and are expected from there.
    pub(crate) fn has(&self, host: u32, at: Place) -> bool {
        let location = match at {
            Place::Port(port) => self.ports.get(&port),
            Place::Tunnel(vtep) => self.tunnels.get(&vtep),
        };
        let matches = vec![Match::Exact(self.bd.clone()), Match::Exact(mac(host).octets().to_vec())];
        let key = EntryKey { matches, priority: 0 };
        let entry = |table| match self.switch.entry(table, &key).ok()?.entry.action {
            EntryAction::Call(call) => Some(call),
            EntryAction::Member(_) | EntryAction::Group(_) | EntryAction::OneShot(_) => None,
        };
        let leads = |call: &ActionCall| self.unicast.contains(&call.action) && call.params.first() == location;
        location.is_some()
            && entry(self.destination).is_some_and(|call| leads(&call))
            && entry(self.recorded).is_some_and(|call| call.params.first() == location)
    }

    /// How many entries the switch has of hosts and their addresses.
    pub(crate) fn hosts(&self) -> u64 {
        self.switch.entry_count(self.recorded).unwrap_or_default()
    }

    /// Where a host is for this VTEP that sits at a port of that one.
    pub(crate) fn place(here: Vtep, there: Vtep, port: u16) -> Place {
        if here == there { Place::Port(port) } else { Place::Tunnel(there.address()) }
    }
}

type Call = (Vec<Vec<u8>>, Vec<Vec<u8>>);

/// The keys and parameters of a table's entries with this action.
fn calls(switch: &Switch, table: TableId, action: ActionId) -> Result<Vec<Call>> {
    let mut calls = Vec::new();
    for view in switch.entries(table)? {
        if let EntryAction::Call(call) = view.entry.action
            && call.action == action
        {
            let value = |part: &Match| match part {
                Match::Exact(value) => Some(value.clone()),
                _ => None,
            };
            calls.push((view.entry.key.matches.iter().filter_map(value).collect(), call.params));
        }
    }
    Ok(calls)
}

/// A number in network byte order.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}
