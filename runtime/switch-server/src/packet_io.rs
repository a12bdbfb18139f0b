//! Packet-in and packet-out: metadata on the wire, a packed header in front of the frame in the data plane.
//!
//! In v1model the headers that the P4Info calls `packet_in` and `packet_out` are ordinary headers of frames at the CPU port,
//! their fields packed bit by bit in the order of the P4Info.

use vouch_p4runtime::p4::v1;

use crate::entity::hex;
use crate::fault::{Fault, Outcome, choices};
use crate::port::MAX_FRAME;
use crate::schema::PacketHeader;
use crate::translation::{decode_value, encode_value};

/// The frame that a packet-out puts on the CPU port. Metadata that it does not give is a mistake, unless `fill` makes it zero.
pub(crate) fn encode_packet_out(header: Option<&PacketHeader>, packet: &v1::PacketOut, fill: bool) -> Outcome<Vec<u8>> {
    let fields = header.map(|header| header.fields.as_slice()).unwrap_or_default();
    for (position, given) in packet.metadata.iter().enumerate() {
        if !fields.iter().any(|field| field.info.id == given.metadata_id) {
            let all = choices(fields.iter().map(|field| format!("{} ({})", field.info.name, field.info.id)));
            return Err(Fault::invalid(format!("no packet_out metadata has id {}; there is {all}", given.metadata_id)));
        }
        if packet.metadata[..position].iter().any(|other| other.metadata_id == given.metadata_id) {
            return Err(Fault::invalid(format!("packet_out metadata {} is given twice", given.metadata_id)));
        }
    }
    let bytes = header.map_or(0, |header| header.bytes);
    if bytes + packet.payload.len() > MAX_FRAME {
        return Err(Fault::invalid(format!(
            "the packet has {} bytes; at most {} fit",
            packet.payload.len(),
            MAX_FRAME - bytes
        )));
    }
    let mut frame = vec![0; bytes];
    for field in fields {
        let Some(given) = packet.metadata.iter().find(|given| given.metadata_id == field.info.id) else {
            if fill || field.info.padding {
                continue;
            }
            return Err(Fault::invalid(format!("packet_out metadata {} is missing", field.info.name)));
        };
        let value = decode_value(field.translator.as_deref(), &given.value, field.bits)
            .map_err(|fault| fault.within(format_args!("packet_out metadata {}", field.info.name)))?;
        put_bits(&mut frame, field.offset, field.bits, &value);
    }
    frame.extend_from_slice(&packet.payload);
    Ok(frame)
}

/// The packet-in for a frame that left by the CPU port.
pub(crate) fn decode_packet_in(header: Option<&PacketHeader>, frame: &[u8]) -> Outcome<v1::PacketIn> {
    let Some(header) = header else {
        return Ok(v1::PacketIn { payload: frame.to_vec().into(), metadata: Vec::new() });
    };
    let Some((front, payload)) = frame.split_at_checked(header.bytes) else {
        return Err(Fault::invalid(format!(
            "frame {} is shorter than its {} header of {} bytes",
            hex(frame),
            header.name,
            header.bytes
        )));
    };
    let metadata = header.fields.iter().map(|field| v1::PacketMetadata {
        metadata_id: field.info.id,
        value: encode_value(field.translator.as_deref(), &get_bits(front, field.offset, field.bits)),
    });
    Ok(v1::PacketIn { metadata: metadata.collect(), payload: payload.to_vec().into() })
}

/// Copy the low `bits` bits of `value` to `offset` bits from the start of `target`.
pub(crate) fn put_bits(target: &mut [u8], offset: u32, bits: u32, value: &[u8]) {
    let value_bits = value.len() as u32 * 8;
    for bit in 0..bits.min(value_bits) {
        let (from, to) = (value_bits - 1 - bit, offset + bits - 1 - bit);
        if value[(from / 8) as usize] >> (7 - from % 8) & 1 == 1 {
            target[(to / 8) as usize] |= 1 << (7 - to % 8);
        }
    }
}

/// The `bits` bits that start `offset` bits from the start of `source`, as a number in as many bytes as they take.
pub(crate) fn get_bits(source: &[u8], offset: u32, bits: u32) -> Vec<u8> {
    let mut value = vec![0; bits.div_ceil(8) as usize];
    let value_bits = value.len() as u32 * 8;
    for bit in 0..bits {
        let (from, to) = (offset + bits - 1 - bit, value_bits - 1 - bit);
        if source[(from / 8) as usize] >> (7 - from % 8) & 1 == 1 {
            value[(to / 8) as usize] |= 1 << (7 - to % 8);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::PacketField;
    use proptest::prelude::*;
    use vouch_p4runtime::p4info::MetadataField;
    use vouch_p4runtime::value::decode;

    fn header(name: &str, widths: &[(&str, u32)]) -> PacketHeader {
        let mut offset = 0;
        let fields = widths.iter().zip(1..).map(|((name, bits), id)| {
            let padding = name.starts_with("unused") || name.starts_with('_');
            let info = MetadataField { id, name: (*name).into(), width: *bits, padding, type_name: None };
            let field = PacketField { info, bits: *bits, offset, translator: None };
            offset += bits;
            field
        });
        let fields: Vec<PacketField> = fields.collect();
        PacketHeader { name: name.into(), fields, bytes: offset as usize / 8 }
    }

    fn metadata(values: &[(u32, &[u8])]) -> Vec<v1::PacketMetadata> {
        values.iter().map(|(id, value)| v1::PacketMetadata { metadata_id: *id, value: value.to_vec() }).collect()
    }

    fn fault(header: &PacketHeader, values: &[(u32, &[u8])]) -> String {
        let packet = v1::PacketOut { payload: vec![9].into(), metadata: metadata(values) };
        encode_packet_out(Some(header), &packet, false).expect_err("the metadata is wrong").message
    }

    #[test]
    fn metadata_is_packed_bit_by_bit() {
        let header = header("packet_in", &[("port", 9), ("_pad", 7), ("reason", 8)]);
        let packet = v1::PacketOut { payload: vec![9].into(), metadata: metadata(&[(1, &[1, 2]), (3, &[5])]) };
        let frame = encode_packet_out(Some(&header), &packet, false).expect("the metadata is right");
        assert_eq!(frame, [0x81, 0, 5, 9]);
        let back = decode_packet_in(Some(&header), &frame).expect("the frame is long enough");
        assert_eq!(back.metadata, metadata(&[(1, &[1, 2]), (2, &[0]), (3, &[5])]));
        assert_eq!(back.payload.as_ref(), [9]);
    }

    #[test]
    fn wrong_metadata_is_refused_by_name() {
        let header = header("packet_out", &[("port", 9), ("mode", 7)]);
        assert_eq!(fault(&header, &[(1, &[1])]), "packet_out metadata mode is missing");
        assert_eq!(
            fault(&header, &[(1, &[2, 0]), (2, &[0])]),
            "packet_out metadata port: value 0x0200 does not fit 9 bits"
        );
        assert_eq!(fault(&header, &[(1, &[1]), (1, &[1])]), "packet_out metadata 1 is given twice");
        assert_eq!(fault(&header, &[(7, &[1])]), "no packet_out metadata has id 7; there is port (1), mode (2)");
        let short = decode_packet_in(Some(&header), &[1]).expect_err("one byte of two");
        assert_eq!(short.message, "frame 0x01 is shorter than its packet_out header of 2 bytes");
    }

    #[test]
    fn missing_metadata_is_zero_where_it_is_filled_in() {
        let header = header("packet_out", &[("port", 9), ("mode", 7)]);
        let packet = v1::PacketOut { payload: vec![9].into(), metadata: Vec::new() };
        assert_eq!(encode_packet_out(Some(&header), &packet, true), Ok(vec![0, 0, 9]));
    }

    #[test]
    fn padding_need_not_be_given() {
        let header = header("packet_out", &[("port", 9), ("unused_pad", 7)]);
        let packet = v1::PacketOut { payload: vec![9].into(), metadata: metadata(&[(1, &[1])]) };
        assert_eq!(encode_packet_out(Some(&header), &packet, false), Ok(vec![0, 0x80, 9]));
        assert_eq!(fault(&header, &[(2, &[0])]), "packet_out metadata port is missing");
    }

    #[test]
    fn without_a_header_the_frame_is_the_packet() {
        let packet = v1::PacketOut { payload: vec![1, 2].into(), metadata: Vec::new() };
        assert_eq!(encode_packet_out(None, &packet, false), Ok(vec![1, 2]));
        assert_eq!(decode_packet_in(None, &[1, 2]).map(|packet| packet.payload.to_vec()), Ok(vec![1, 2]));
    }

    proptest! {
        #[test]
        fn bits_come_back(before in 0u32..20, bits in 1u32..70, number: u64) {
            let mut bytes = number.to_be_bytes().to_vec();
            bytes.insert(0, 0);
            let mut target = vec![0; 13];
            put_bits(&mut target, before, bits, &bytes);
            let expected = if bits >= 64 { number } else { number & ((1 << bits) - 1) };
            prop_assert_eq!(decode(&get_bits(&target, before, bits), 64), Ok(expected.into()));
        }
    }
}
