//! Every name of the program, resolved once against a switch's P4Info.

use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4info::{Counter, CounterUnit, MatchKind, Meter, MeterUnit, PacketHeader, Table, UnknownName};

use crate::codec::{ActionShape, ParamShape, Part, TableShape};
use crate::counters::DropReason;
use crate::entry::TABLE_SHAPES;
use crate::error::{BindError, Mismatch};
use crate::packet::{self, BoundHeader};
use crate::punt::{PlaceCells, PuntBudgets};

/// The program's tables, headers, meters and counters as one P4Info numbers them. Everything that is written to that
/// switch or read from it goes through here.
#[derive(Debug, Clone)]
pub struct Tables {
    /// In the order of [`TABLE_SHAPES`]; None of a part that the program does not have.
    pub(crate) tables: Vec<Option<BoundTable>>,
    /// What it has of what it may do without.
    parts: Vec<Part>,
    pub(crate) packet_in: BoundHeader,
    pub(crate) packet_out: BoundHeader,
    pub(crate) drops: u32,
    pub(crate) egress_drops: u32,
    pub(crate) punt_budgets: PuntBudgets,
    /// The counter `exceeds_mtu`, and where a place's cell is.
    pub(crate) exceeds_mtu: (u32, PlaceCells),
}

/// A table's ids, in the order of its shape.
#[derive(Debug, Clone)]
pub(crate) struct BoundTable {
    pub(crate) id: u32,
    pub(crate) fields: Vec<u32>,
    /// None of a part that the program does not have.
    pub(crate) actions: Vec<Option<BoundAction>>,
}

#[derive(Debug, Clone)]
pub(crate) struct BoundAction {
    pub(crate) id: u32,
    pub(crate) params: Vec<u32>,
}

impl Tables {
    /// Looks every name up. The error holds every difference, not only the first.
    ///
    /// What the P4Info has besides is no difference: a program may know more tables than this controller. Several next hops, and
    /// IPv6 in the underlay, are parts that it has as a whole, or not at all: [`Self::shares_next_hops`] and [`Self::carries_ipv6`] say
    /// which.
    pub fn bind(p4info: &P4Info) -> Result<Self, BindError> {
        let parts: Vec<Part> = Part::ALL.into_iter().filter(|part| has_any_of(p4info, *part)).collect();
        let mut binder = Binder { p4info, parts: &parts, mismatches: Vec::new() };
        let tables = Self {
            tables: TABLE_SHAPES.iter().map(|shape| binder.table(shape)).collect(),
            parts: parts.clone(),
            packet_in: binder.header("packet_in", p4info.packet_in(), packet::PACKET_IN),
            packet_out: binder.header("packet_out", p4info.packet_out(), packet::PACKET_OUT),
            drops: binder.counter("drops", DropReason::CELLS),
            egress_drops: binder.counter("egress_drops", DropReason::CELLS),
            punt_budgets: binder.punt_budgets(),
            exceeds_mtu: binder.by_place("exceeds_mtu"),
        };
        match binder.mismatches.is_empty() {
            true => Ok(tables),
            false => Err(BindError { mismatches: binder.mismatches }),
        }
    }

    /// Whether several next hops can share a way: the tables of [`NextHopKey`](crate::NextHopKey) and
    /// [`NeighbourKey`](crate::NeighbourKey), and the actions that name a [`HopGroup`](crate::HopGroup). The program for Tofino 1 has none.
    pub fn shares_next_hops(&self) -> bool {
        self.parts.contains(&Part::NextHops)
    }

    /// Whether the underlay may be IPv6: the tables of [`LocalVtepIpv6Key`](crate::LocalVtepIpv6Key),
    /// [`UnderlayPeerIpv6Key`](crate::UnderlayPeerIpv6Key) and [`UnderlayRouteIpv6Key`](crate::UnderlayRouteIpv6Key), and what
    /// encapsulates so. The program for Tofino 1 has none.
    pub fn carries_ipv6(&self) -> bool {
        self.parts.contains(&Part::Ipv6Underlay)
    }

    /// A table of the position in [`TABLE_SHAPES`], if the program has it.
    pub(crate) fn table(&self, position: usize) -> Option<&BoundTable> {
        self.tables[position].as_ref()
    }

    /// The same, if it has this id.
    pub(crate) fn table_with(&self, position: usize, id: u32) -> Option<&BoundTable> {
        self.table(position).filter(|table| table.id == id)
    }
}

/// Whether the P4Info has a table or an action of the part.
fn has_any_of(p4info: &P4Info, part: Part) -> bool {
    let action = |table: &Table, shape: &ActionShape| shape.part == Some(part) && table.action(shape.name).is_ok();
    TABLE_SHAPES.iter().any(|shape| {
        p4info
            .table(shape.name)
            .is_ok_and(|table| shape.part == Some(part) || shape.actions.iter().any(|shape| action(table, shape)))
    })
}

/// Collects differences; what is missing gets id 0, which never leaves, because then binding fails.
struct Binder<'a> {
    p4info: &'a P4Info,
    parts: &'a [Part],
    mismatches: Vec<Mismatch>,
}

impl Binder<'_> {
    fn found<T>(&mut self, found: Result<T, UnknownName>) -> Option<T> {
        found.map_err(|unknown| self.mismatches.push(Mismatch::Unknown(unknown))).ok()
    }

    fn compare<T: PartialEq>(&mut self, place: String, expected: T, found: T, show: impl Fn(&T) -> String) {
        if expected != found {
            let (expected, found) = (show(&expected), show(&found));
            self.mismatches.push(Mismatch::Different { place, expected, found });
        }
    }

    /// Whether the program is to have what is of this part.
    fn wants(&self, part: Option<Part>) -> bool {
        part.is_none_or(|part| self.parts.contains(&part))
    }

    fn table(&mut self, shape: &TableShape) -> Option<BoundTable> {
        if !self.wants(shape.part) {
            return None;
        }
        let p4info = self.p4info;
        let table = self.found(p4info.table(shape.name))?;
        let place = format!("table `{}`", shape.name);
        self.compare(format!("{place}, idle timeout"), shape.ageing, table.idle_timeout, |it| yes_or_no(*it));
        self.table_counter(&place, shape, table);

        let mut fields = Vec::new();
        for expected in shape.fields {
            let Some(field) = self.found(table.field(expected.name)) else { continue };
            let place = format!("{place}, key field `{}`", expected.name);
            let show = |(kind, width): &(MatchKind, u32)| format!("{} of {}", kind, bits(*width));
            self.compare(place, (expected.kind.clone(), expected.bits), (field.kind.clone(), field.width), show);
            fields.push(field.id);
        }
        let expected = shape.fields.iter().map(|field| field.name);
        self.nothing_else(&format!("{place}, key"), expected, table.fields.iter().map(|field| field.name.as_str()));

        let mut actions = Vec::new();
        for expected in shape.actions {
            let found = self.wants(expected.part).then(|| table.action(expected.name));
            let Some(action) = found.and_then(|found| self.found(found)) else {
                actions.push(None);
                continue;
            };
            let place = format!("action `{}`", expected.name);
            let mut params = Vec::new();
            for expected in expected.params {
                let Some(param) = self.found(action.param(expected.name)) else { continue };
                let place = format!("{place}, parameter `{}`", expected.name);
                self.compare(place, expected.bits, param.width, |width| bits(*width));
                params.push(param.id);
            }
            let names = expected.params.iter().map(|param| param.name);
            self.nothing_else(&place, names, action.params.iter().map(|param| param.name.as_str()));
            actions.push(Some(BoundAction { id: action.id, params }));
        }
        Some(BoundTable { id: table.id, fields, actions })
    }

    fn table_counter(&mut self, place: &str, shape: &TableShape, table: &Table) {
        let p4info = self.p4info;
        if let Some(name) = shape.counter {
            let counter = p4info.direct_counter_of(table);
            let found = counter.map(|counter: &Counter| (counter.name.as_str(), counter.unit));
            let show = |counter: &Option<(&str, CounterUnit)>| match counter {
                Some((name, unit)) => format!("`{name}` of {unit:?}"),
                None => "none".to_owned(),
            };
            self.compare(format!("{place}, direct counter"), Some((name, CounterUnit::Both)), found, show);
        }
    }

    /// A key field or parameter that we leave out would not match, or be zero: nothing may be there that we do not know.
    fn nothing_else<'a>(
        &mut self,
        place: &str,
        expected: impl Iterator<Item = &'a str> + Clone,
        found: impl Iterator<Item = &'a str> + Clone,
    ) {
        if found.clone().any(|name| !expected.clone().any(|it| it == name)) {
            let list = |names: Vec<&str>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            self.mismatches.push(Mismatch::Different {
                place: place.to_owned(),
                expected: list(expected.collect()),
                found: list(found.collect()),
            });
        }
    }

    fn header(
        &mut self,
        name: &str,
        header: Result<&PacketHeader, UnknownName>,
        shape: &'static [ParamShape],
    ) -> BoundHeader {
        let Some(header) = self.found(header) else { return BoundHeader::default() };
        let mut positions = Vec::new();
        for expected in shape {
            let Some(position) = self.found(header.position(expected.name)) else { continue };
            let place = format!("`{name}`, metadata `{}`", expected.name);
            self.compare(place, expected.bits, header.fields[position].width, |width| bits(*width));
            positions.push(position);
        }
        let found = header.fields.iter().filter(|field| !field.padding).map(|field| field.name.as_str());
        self.nothing_else(&format!("`{name}`"), shape.iter().map(|field| field.name), found);
        BoundHeader { header: Some(header.clone()), positions }
    }

    /// A meter and a counter of as many cells. How many is the program's to say.
    fn punt_budgets(&mut self) -> PuntBudgets {
        let found = self.p4info.meter("punt_meter").map_or(PuntBudgets::MOST_CELLS, |meter| meter.size);
        let cells = if PuntBudgets::new(0, 0, found).is_some() { found } else { PuntBudgets::MOST_CELLS };
        let (meter, counter) = (self.meter("punt_meter", cells), self.counter("policed_punts", cells));
        PuntBudgets::new(meter, counter, cells).unwrap_or_default()
    }

    /// A counter with a cell for each place. How many those are is the program's to say.
    fn by_place(&mut self, name: &str) -> (u32, PlaceCells) {
        let found = self.p4info.counter(name).map_or(PlaceCells::MOST_CELLS, |counter| counter.size);
        let cells = if PlaceCells::new(found).is_some() { found } else { PlaceCells::MOST_CELLS };
        (self.counter(name, cells), PlaceCells::new(cells).unwrap_or_default())
    }

    fn meter(&mut self, name: &str, cells: u64) -> u32 {
        let p4info = self.p4info;
        let Some(meter) = self.found(p4info.meter(name)) else { return 0 };
        let Meter { size, unit, .. } = *meter;
        let show = |(size, unit): &(u64, MeterUnit)| format!("{size} cells of {unit:?}");
        self.compare(format!("meter `{name}`"), (cells, MeterUnit::Packets), (size, unit), show);
        meter.id
    }

    fn counter(&mut self, name: &str, cells: u64) -> u32 {
        let p4info = self.p4info;
        let Some(counter) = self.found(p4info.counter(name)) else { return 0 };
        let Counter { size, unit, .. } = *counter;
        let show = |(size, unit): &(u64, CounterUnit)| format!("{size} cells of {unit:?}");
        self.compare(format!("counter `{name}`"), (cells, CounterUnit::Both), (size, unit), show);
        counter.id
    }
}

fn bits(width: u32) -> String {
    format!("{width} bit{}", if width == 1 { "" } else { "s" })
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}
