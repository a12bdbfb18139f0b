//! Why a frame is punted, and how much of that a place may cause.

use std::fmt;

use crate::types::{LocationId, Port};
use crate::value::{Value, ValueError};

/// Why a frame came to the controller. `punt_reason_t` in `p4src/parts/metadata.p4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PuntReason {
    /// A host that no table knows. The frame has been forwarded.
    Learn = 1,
    /// A host recorded elsewhere. An announcement (ARP, RARP, ND) has been held; of other frames this is a copy.
    Move = 2,
    /// A frame to the probe address. Held.
    ProbeReply = 3,
    /// A frame from the recorded place of a watched host. The frame has been forwarded.
    Alive = 4,
    /// An announcement of an address that is not known to be its sender's. It has been forwarded, unless the address is
    /// bound to another host: then it has been held.
    Binding = 5,
    /// A question about an address, of a host here where the interface suppresses those, or of a claimant. Held.
    Request = 6,
    /// A frame of the controller's own: [`Ask`](crate::PacketOut::Ask) or [`Echo`](crate::PacketOut::Echo). Never over a
    /// budget.
    Sent = 7,
    /// On a link of the underlay: ARP, or a packet for our own address there. As it came, and held.
    Neighbour = 8,
}

impl PuntReason {
    /// Every reason, in the order of the program.
    pub const ALL: [Self; 8] = [
        Self::Learn,
        Self::Move,
        Self::ProbeReply,
        Self::Alive,
        Self::Binding,
        Self::Request,
        Self::Sent,
        Self::Neighbour,
    ];

    /// Which frames those are.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Learn => "frames of hosts that nobody knows",
            Self::Move => "frames of hosts that are recorded elsewhere",
            Self::ProbeReply => "answers to questions",
            Self::Alive => "frames of hosts that are being verified, from where they are recorded",
            Self::Binding => "announcements of addresses that are not known to be their sender's",
            Self::Request => "questions about addresses, which are answered or held here",
            Self::Sent => "questions of the agent's own, on their way out",
            Self::Neighbour => "ARP and BFD of neighbours in the underlay",
        }
    }
}

impl fmt::Display for PuntReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Learn => "LEARN",
            Self::Move => "MOVE",
            Self::ProbeReply => "PROBE_REPLY",
            Self::Alive => "ALIVE",
            Self::Binding => "BINDING",
            Self::Request => "REQUEST",
            Self::Sent => "SENT",
            Self::Neighbour => "NEIGHBOUR",
        })
    }
}

impl Value for PuntReason {
    const BITS: u32 = 8;

    fn to_bits(self) -> u128 {
        self as u128
    }

    fn from_bits(bits: u128) -> Result<Self, ValueError> {
        let reason = Self::ALL.into_iter().find(|reason| *reason as u128 == bits);
        reason.ok_or(ValueError::Meaningless { value: bits, kind: "a punt reason (1 to 8)" })
    }
}

/// One cell of the meter `punt_meter` and of the counter `policed_punts`: each place has its own budget for each reason, so
/// that a flood is its own place's alone, and claims do not starve behind unknown hosts.
///
/// [`ProbeReply`](PuntReason::ProbeReply) is the budget of hosts that stand where they are recorded, and of tunnels. What
/// anybody else sends to the probe address comes out of its place's [`Learn`](PuntReason::Learn) (unknown) or
/// [`Move`](PuntReason::Move) (recorded elsewhere, or a claimant), or of whatever else it was punted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PuntMeter {
    /// The budget is for this reason,
    pub reason: PuntReason,
    /// and this place.
    pub location: LocationId,
}

impl fmt::Display for PuntMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "punt_meter reason={} location={}", self.reason, self.location)
    }
}

/// Where an array has a place's cell: tunnel or access interface (1 bit), low bits of the number. How many those are is the
/// program's to say: 12 where memory is no limit. Places whose numbers agree in them share a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PlaceCells {
    number_bits: u32,
}

impl PlaceCells {
    /// Cells of the program for v1model.
    pub(crate) const MOST_CELLS: u64 = 1 << 13;

    /// None if no layout has as many cells.
    pub(crate) fn new(cells: u64) -> Option<Self> {
        let number_bits = cells.trailing_zeros().checked_sub(1)?;
        let possible = cells.is_power_of_two() && number_bits >= 4 && cells <= Self::MOST_CELLS;
        possible.then_some(Self { number_bits })
    }

    /// The cell's index.
    pub(crate) fn index(self, place: LocationId) -> i64 {
        i64::from(place.is_tunnel()) << self.number_bits | i64::from(place.number()) & ((1 << self.number_bits) - 1)
    }

    /// The place of a cell; None where no frame ever comes in.
    pub(crate) fn place(self, index: i64) -> Option<LocationId> {
        let bits = u64::try_from(index).ok()?;
        let number = u16::try_from(bits & ((1 << self.number_bits) - 1)).ok()?;
        match bits >> self.number_bits {
            0 => LocationId::access(number),
            1 => LocationId::tunnel(number),
            _ => None,
        }
    }
}

/// Where a switch has the cells: reason (3 bits), place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct PuntBudgets {
    /// The id of `punt_meter`.
    pub(crate) meter: u32,
    /// The id of `policed_punts`.
    pub(crate) counter: u32,
    places: PlaceCells,
}

impl PuntBudgets {
    /// Cells of the program for v1model.
    pub(crate) const MOST_CELLS: u64 = PlaceCells::MOST_CELLS << 3;

    /// None if no layout has as many cells.
    pub(crate) fn new(meter: u32, counter: u32, cells: u64) -> Option<Self> {
        let places = PlaceCells::new(cells >> 3).filter(|_| cells.is_multiple_of(8))?;
        Some(Self { meter, counter, places })
    }

    /// The cell's index. [`Neighbour`](PuntReason::Neighbour) has the cells of no reason.
    pub(crate) fn index(self, cell: PuntMeter) -> i64 {
        (cell.reason as i64 & 7) << self.reason_at() | self.places.index(cell.location)
    }

    /// The cell at an index; None where no frame ever goes.
    pub(crate) fn cell(self, index: i64) -> Option<PuntMeter> {
        let bits = u64::try_from(index).ok()?;
        let place = index & ((1 << self.reason_at()) - 1);
        if bits >> self.reason_at() == 0 {
            let link = LocationId::link(Port::new(u16::try_from(place & 0x1ff).ok()?)?);
            let cell = PuntMeter { reason: PuntReason::Neighbour, location: link };
            return (self.index(cell) == index).then_some(cell);
        }
        let reason = PuntReason::from_bits(u128::from(bits >> self.reason_at())).ok()?;
        Some(PuntMeter { reason, location: self.places.place(place)? })
    }

    /// The lowest bit of the reason.
    fn reason_at(self) -> u32 {
        self.places.number_bits + 1
    }
}

/// A cell's budget. Above the rate and burst, punts are dropped and counted. A cell without budget is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MeterRate {
    /// Packets per second.
    pub rate: u32,
    /// Packets at once.
    pub burst: u32,
}

impl fmt::Display for MeterRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rate={}/s burst={}", self.rate, self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_belongs_to_one_reason_and_place() {
        let budgets = PuntBudgets::new(1, 2, PuntBudgets::MOST_CELLS).unwrap();
        let (access, tunnel) = (LocationId::access(5).unwrap(), LocationId::tunnel(5).unwrap());
        assert_eq!(budgets.index(PuntMeter { reason: PuntReason::Learn, location: access }), 0x2005);
        assert_eq!(budgets.index(PuntMeter { reason: PuntReason::Sent, location: tunnel }), 0xf005);
        let mut cells = 0;
        for index in 0..PuntBudgets::MOST_CELLS as i64 {
            if let Some(cell) = budgets.cell(index) {
                assert_eq!(budgets.index(cell), index);
                cells += 1;
            }
        }
        assert_eq!(cells, 7 * 2 * 4095 + 511);
        assert_eq!(budgets.cell(-1), None);
    }

    #[test]
    fn a_smaller_switch_has_fewer_bits_of_the_number() {
        let budgets = PuntBudgets::new(1, 2, 1 << 15).unwrap();
        let cell = |number| PuntMeter { reason: PuntReason::Move, location: LocationId::access(number).unwrap() };
        assert_eq!(budgets.index(cell(5)), 0x2005);
        assert_eq!(budgets.index(cell(0x805)), budgets.index(cell(5)));
        assert_eq!(budgets.cell(0x2005), Some(cell(5)));
        for cells in [0, 128, 3 << 14, 1 << 17] {
            assert_eq!(PuntBudgets::new(1, 2, cells), None, "{cells} cells");
        }
    }
}
