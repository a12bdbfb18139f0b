//! Numbers of switch ports: their bounds, which depend on the switch, and the operator's own numbers for them.

use std::collections::BTreeMap;

use super::reader::{At, Field, Reader};
use super::types::Port;

/// What a number has to be to name a port of the switch.
#[derive(Debug, Clone)]
pub(super) struct PortRules {
    /// The lowest id.
    pub(super) min: u16,
    /// The controller's port, which is neither for hosts nor for the underlay.
    pub(super) cpu: u16,
    /// The operator's numbers, where they are not the switch's: ids by number.
    pub(super) ids: BTreeMap<u16, u16>,
}

impl PortRules {
    /// BMv2: its P4Runtime server has no port 0.
    pub(super) const fn bmv2(cpu: u16) -> Self {
        Self { min: 1, cpu, ids: BTreeMap::new() }
    }

    /// Tofino: 7 bits of port behind 2 bits of pipe, both from 0. Which of them are wired, and which recirculate or
    /// generate packets, is the affair of whoever built and configured the switch.
    pub(super) const fn tofino(cpu: u16) -> Self {
        Self { min: 0, cpu, ids: BTreeMap::new() }
    }

    fn max(&self) -> u16 {
        let max = Port::MAX.get();
        if self.cpu == max { max - 1 } else { max }
    }
}

/// A switch port, as the switch knows it.
pub(super) fn port_number(reader: &mut Reader, field: &Field<'_>) -> Option<At<Port>> {
    let id = match own_number(reader, field) {
        Some(id) => id,
        None => reader.number(field, reader.ports.min, reader.ports.max())?,
    };
    if id == reader.ports.cpu {
        let what = format!("port {id} is the controller's (`switch.cpu_port`)");
        reader.error(field.node.at, &field.path, what, "hosts and the underlay have ports of their own");
        return None;
    }
    Port::new(id).map(|port| field.at(port))
}

/// The id, where the text is one of the operator's own numbers.
fn own_number(reader: &Reader, field: &Field<'_>) -> Option<u16> {
    let number = field.node.text()?.parse().ok()?;
    reader.ports.ids.get(&number).copied()
}

/// `switch.port_ids`: the operator's numbers, and what the switch has for each.
pub(super) fn port_ids(reader: &mut Reader, field: &Field<'_>) -> BTreeMap<u16, u16> {
    let mut ids = BTreeMap::new();
    let (min, max) = (reader.ports.min, reader.ports.max());
    for (key, field) in reader.pairs(field, "port numbers as used in this file, each with the switch's own: `1: 132`") {
        let Some(number) = key.name.parse::<u16>().ok().filter(|_| key.name.bytes().all(|byte| byte.is_ascii_digit()))
        else {
            let what = format!("`{}` is no port number", key.name.escape_debug());
            reader.error(key.at, &field.path, what, format!("it is a whole number from 0 to {}", u16::MAX));
            continue;
        };
        let Some(id) = reader.number(&field, min, max) else { continue };
        let taken = ids.iter().find(|(_, taken)| **taken == id).map(|(other, _): (&u16, &u16)| *other);
        if let Some(other) = taken {
            let what = format!("{id} is already the id of port {other}");
            reader.error(field.node.at, &field.path, what, "each port has an id of its own");
        } else if id == reader.ports.cpu {
            let what = format!("{id} is the id of the controller's port (`switch.cpu_port`)");
            reader.error(field.node.at, &field.path, what, "hosts and the underlay have ports of their own");
        } else if ids.insert(number, id).is_some() {
            reader.error(key.at, &field.path, format!("port {number} stands twice"), "leave one of them out");
        }
    }
    ids
}
