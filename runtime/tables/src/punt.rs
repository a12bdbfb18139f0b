//! Why a frame is punted, and how much of that a port may cause.

use std::fmt;

use crate::types::Port;
use crate::value::{Value, ValueError};

/// Why a frame came to the controller. `punt_reason_t` in `p4src/parts/metadata.p4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PuntReason {
    /// A host that no table knows, or ARP/ND of one whose addresses are wanted. The frame has been forwarded.
    Learn = 1,
    /// A host recorded elsewhere. An announcement (ARP, RARP, ND) has been held; of other frames this is a copy.
    Move = 2,
    /// A frame to the probe address. Held.
    ProbeReply = 3,
    /// A frame from the recorded place of a watched host. The frame has been forwarded.
    Alive = 4,
}

impl PuntReason {
    /// Every reason, in the order of the program.
    pub const ALL: [Self; 4] = [Self::Learn, Self::Move, Self::ProbeReply, Self::Alive];

    /// Cells of the counter `policed_punts`, by reason.
    pub(crate) const CELLS: u64 = 8;

    /// The reason of a cell.
    pub(crate) fn from_index(index: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| *reason as i64 == index)
    }
}

impl fmt::Display for PuntReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Learn => "LEARN",
            Self::Move => "MOVE",
            Self::ProbeReply => "PROBE_REPLY",
            Self::Alive => "ALIVE",
        })
    }
}

impl Value for PuntReason {
    const BITS: u32 = 8;

    fn to_bits(self) -> u64 {
        self as u64
    }

    fn from_bits(bits: u64) -> Result<Self, ValueError> {
        let reason = Self::ALL.into_iter().find(|reason| *reason as u64 == bits);
        reason.ok_or(ValueError::Meaningless { value: bits, kind: "a punt reason (1 to 4)" })
    }
}

/// One cell of the meter `punt_meter`: each port has its own budget for each reason, so that one port's flood is that
/// port's alone, and claims do not starve behind unknown hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PuntMeter {
    /// The budget is for this reason,
    pub reason: PuntReason,
    /// and this port.
    pub port: Port,
}

impl PuntMeter {
    /// 3 bits of reason and 9 of port.
    pub(crate) const CELLS: u64 = 1 << 12;

    /// The cell's index: reason, then port.
    pub fn index(self) -> i64 {
        (self.reason as i64) << 9 | i64::from(self.port.get())
    }

    /// The cell at an index; None where no frame ever goes.
    pub fn from_index(index: i64) -> Option<Self> {
        let bits = u64::try_from(index).ok()?;
        let reason = PuntReason::from_bits(bits >> 9).ok()?;
        let port = Port::from_bits(bits & 0x1ff).ok()?;
        Some(Self { reason, port })
    }
}

impl fmt::Display for PuntMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "punt_meter reason={} port={}", self.reason, self.port)
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
    fn every_cell_belongs_to_one_reason_and_port() {
        let port = Port::new(5).unwrap();
        assert_eq!(PuntMeter { reason: PuntReason::Learn, port }.index(), 512 + 5);
        assert_eq!(PuntMeter { reason: PuntReason::Alive, port }.index(), 4 * 512 + 5);
        let mut cells = 0;
        for index in 0..PuntMeter::CELLS as i64 {
            if let Some(cell) = PuntMeter::from_index(index) {
                assert_eq!(cell.index(), index);
                cells += 1;
            }
        }
        assert_eq!(cells, 4 * 511);
        assert_eq!(PuntMeter::from_index(-1), None);
    }
}
