//! Frames between switch and controller: what stands beside the frame itself.

use bytes::Bytes;
use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4info::PacketHeader;

use crate::bind::Tables;
use crate::codec::ParamShape;
use crate::error::DecodeError;
use crate::punt::PuntReason;
use crate::types::{Bd, LocationId, Port};
use crate::value::{Value, ValueError};

/// A frame that the switch punted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Punt {
    /// One of a host, or of the controller's own.
    Host(PacketIn),
    /// One of a neighbour on a link of the underlay, as it came: [`Neighbour`](PuntReason::Neighbour).
    Neighbour {
        /// The port of the link.
        port: Port,
    },
}

/// What the switch says of a frame of a host. The frame itself is without VLAN tag, and decapsulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketIn {
    /// The physical port it came in by.
    pub ingress_port: Port,
    /// Its bridge domain.
    pub bd: Bd,
    /// Why it was punted.
    pub reason: PuntReason,
    /// Where it came in; of a frame that the controller sent, where to.
    pub location: LocationId,
    /// Where the table says its source is; None where the table was not asked or does not know.
    pub recorded: Option<LocationId>,
}

/// What the switch is to do with a frame. The frame itself is without VLAN tag, and not encapsulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketOut {
    /// Out of exactly this place, tagged or encapsulated as that place needs: a probe.
    Send {
        /// The frame's bridge domain: it names the VNI in a tunnel.
        bd: Bd,
        /// An access interface or a tunnel.
        location: LocationId,
    },
    /// As if it had come in here, past the source check: a frame that was held and is released.
    Receive {
        /// The frame's bridge domain.
        bd: Bd,
        /// Where it came in.
        location: LocationId,
    },
    /// As [`Send`](Self::Send), and a copy comes back as [`Sent`](PuntReason::Sent): the switch has taken the question and
    /// handed it to the port.
    Ask {
        /// The frame's bridge domain.
        bd: Bd,
        /// An access interface or a tunnel.
        location: LocationId,
    },
    /// Out of a link of the underlay, as it is.
    Link {
        /// The link's port.
        port: Port,
    },
    /// Only back, as [`Sent`](PuntReason::Sent), behind all that the switch has punted before.
    Echo {
        /// What `packet_in` is to say.
        bd: Bd,
    },
}

/// An echo names no place. `packet_in` must name one, and says this.
const NOWHERE: LocationId = match LocationId::access(1) {
    Some(location) => location,
    None => unreachable!(),
};

pub(crate) const PACKET_IN: &[ParamShape] = &[
    ParamShape { name: "ingress_port", bits: 16 },
    ParamShape { name: "bd", bits: 16 },
    ParamShape { name: "reason", bits: 8 },
    ParamShape { name: "location", bits: 16 },
    ParamShape { name: "recorded", bits: 16 },
];

pub(crate) const PACKET_OUT: &[ParamShape] = &[
    ParamShape { name: "mode", bits: 8 },
    ParamShape { name: "bd", bits: 16 },
    ParamShape { name: "location", bits: 16 },
    // What the program knows the header by.
    ParamShape { name: "zero", bits: 56 },
];

/// A header and where the shape's fields stand in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct BoundHeader {
    /// None only while binding fails.
    pub(crate) header: Option<PacketHeader>,
    pub(crate) positions: Vec<usize>,
}

impl Tables {
    /// Reads the header of a punted frame.
    pub fn packet_in(&self, packet: &v1::PacketIn) -> Result<Punt, DecodeError> {
        let header = self.packet_in.header.as_ref().ok_or(DecodeError::Missing("the header packet_in"))?;
        let values = header.decode(&packet.metadata)?;
        // Binding has checked that there are five.
        let value = |field: usize| values[self.packet_in.positions[field]];
        let problem = |field: usize| {
            move |source| DecodeError::Value { place: "`packet_in`".to_owned(), field: PACKET_IN[field].name, source }
        };
        let ingress_port = Port::from_bits(value(0)).map_err(problem(0))?;
        let reason = PuntReason::from_bits(value(2)).map_err(problem(2))?;
        if reason == PuntReason::Neighbour {
            return Ok(Punt::Neighbour { port: ingress_port });
        }
        let recorded = match value(4) {
            0 => None,
            id => Some(LocationId::from_bits(id).map_err(problem(4))?),
        };
        Ok(Punt::Host(PacketIn {
            ingress_port,
            bd: Bd::from_bits(value(1)).map_err(problem(1))?,
            reason,
            location: LocationId::from_bits(value(3)).map_err(problem(3))?,
            recorded,
        }))
    }

    /// Puts the header beside a frame for the switch.
    pub fn packet_out(&self, header: PacketOut, frame: impl Into<Bytes>) -> v1::PacketOut {
        let (mode, bd, location) = match header {
            PacketOut::Send { bd, location } => (0, bd.to_bits(), location),
            PacketOut::Receive { bd, location } => (1, bd.to_bits(), location),
            PacketOut::Ask { bd, location } => (2, bd.to_bits(), location),
            PacketOut::Link { port } => (0, 0, LocationId::link(port)),
            PacketOut::Echo { bd } => (3, bd.to_bits(), NOWHERE),
        };
        let bound = &self.packet_out;
        let mut values = vec![None; bound.header.as_ref().map_or(0, |header| header.fields.len())];
        for (&position, value) in bound.positions.iter().zip([mode, bd, location.to_bits(), 0]) {
            values[position] = Some(value);
        }
        let metadata = bound.header.as_ref().map(|header| header.encode_positions(&values));
        let metadata = metadata.expect("binding found the header").expect("binding checked fields and widths");
        v1::PacketOut { payload: frame.into(), metadata }
    }

    /// The other direction, for a switch's side of a test: reads the header of a frame for the switch.
    pub fn decode_packet_out(&self, packet: &v1::PacketOut) -> Result<PacketOut, DecodeError> {
        let header = self.packet_out.header.as_ref().ok_or(DecodeError::Missing("the header packet_out"))?;
        let values = header.decode(&packet.metadata)?;
        let value = |field: usize| values[self.packet_out.positions[field]];
        let problem = |field: usize| {
            move |source| DecodeError::Value { place: "`packet_out`".to_owned(), field: PACKET_OUT[field].name, source }
        };
        let location = LocationId::from_bits(value(2)).map_err(problem(2))?;
        if let (0, 0, Some(port)) = (value(0), value(1), location.as_link()) {
            return Ok(PacketOut::Link { port });
        }
        let bd = Bd::from_bits(value(1)).map_err(problem(1))?;
        if value(3) != 0 {
            return Err(problem(3)(ValueError::Meaningless { value: value(3), kind: "zero" }));
        }
        match value(0) {
            0 => Ok(PacketOut::Send { bd, location }),
            1 => Ok(PacketOut::Receive { bd, location }),
            2 => Ok(PacketOut::Ask { bd, location }),
            3 => Ok(PacketOut::Echo { bd }),
            mode => {
                let kind = "a mode (0: send, 1: receive, 2: ask, 3: echo)";
                Err(problem(0)(ValueError::Meaningless { value: mode, kind }))
            }
        }
    }
}
