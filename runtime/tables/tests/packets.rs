//! Headers of punted and sent frames.

use vouch_p4runtime::p4::v1::{PacketIn as RawPacketIn, PacketMetadata};
use vouch_tables::{Bd, LocationId, PacketIn, PacketOut, Port, Punt, PuntReason, Tables, p4info};

fn tables() -> Tables {
    Tables::bind(&p4info()).expect("the program's own P4Info")
}

/// Metadata with the values of `packet_in`, in the program's order.
fn punted(values: [u64; 5]) -> RawPacketIn {
    let info = p4info();
    let fields = &info.packet_in().unwrap().fields;
    let metadata = fields.iter().zip(values).map(|(field, value)| PacketMetadata {
        metadata_id: field.id,
        value: vouch_p4runtime::value::encode(value.into()),
    });
    RawPacketIn { metadata: metadata.collect(), ..RawPacketIn::default() }
}

#[test]
fn a_punted_frame_says_where_it_came_in_and_why() {
    let expected = PacketIn {
        ingress_port: Port::new(7).unwrap(),
        bd: Bd::new(2).unwrap(),
        reason: PuntReason::Move,
        location: LocationId::access(3).unwrap(),
        recorded: Some(LocationId::tunnel(1).unwrap()),
    };
    assert_eq!(tables().packet_in(&punted([7, 2, 2, 3, 0x8001])), Ok(Punt::Host(expected)));
    let unknown = PacketIn { reason: PuntReason::Learn, recorded: None, ..expected };
    assert_eq!(tables().packet_in(&punted([7, 2, 1, 3, 0])), Ok(Punt::Host(unknown)));
}

#[test]
fn a_header_that_makes_no_sense_is_an_error() {
    for (values, text) in [
        ([511, 2, 2, 3, 0], "`packet_in`, `ingress_port`: 0x1ff is not a port (0 to 510)"),
        ([7, 0, 2, 3, 0], "`packet_in`, `bd`: 0x0 is not a bridge domain (1 to 16383)"),
        ([7, 2, 9, 3, 0], "`packet_in`, `reason`: 0x9 is not a punt reason (1 to 8)"),
        ([7, 2, 2, 0, 0], "`packet_in`, `location`: 0x0 is not an access interface or a tunnel"),
        ([7, 2, 2, 3, 0xffff], "`packet_in`, `recorded`: 0xffff is not an access interface or a tunnel"),
    ] {
        assert_eq!(tables().packet_in(&punted(values)).unwrap_err().to_string(), text);
    }
    assert!(tables().packet_in(&RawPacketIn::default()).is_err(), "no metadata at all");
    // A neighbour's is of no bridge domain.
    let port = Port::new(7).unwrap();
    assert_eq!(tables().packet_in(&punted([7, 0, 8, 0, 0])), Ok(Punt::Neighbour { port }));
}

#[test]
fn a_frame_for_the_switch_says_what_to_do_with_it() {
    let tables = tables();
    let bd = Bd::new(2).unwrap();
    let location = LocationId::tunnel(1).unwrap();
    for header in [
        PacketOut::Send { bd, location },
        PacketOut::Receive { bd, location },
        PacketOut::Ask { bd, location },
        PacketOut::Link { port: Port::new(9).unwrap() },
        PacketOut::Echo { bd },
    ] {
        let packet = tables.packet_out(header, vec![1, 2, 3]);
        assert_eq!(packet.payload.as_ref(), [1, 2, 3]);
        assert_eq!(tables.decode_packet_out(&packet), Ok(header));
    }
}
