//! Requests of random structure: an error, never a panic, and no state that cannot be read.

use vouch_p4runtime::p4::config::v1 as config;

use super::*;
use crate::packet_io::{decode_packet_in, encode_packet_out};
use crate::role::RoleConfig;

/// A few bytes of a message, replaced.
type Damage = Vec<(prop::sample::Index, u8)>;

fn damage() -> impl Strategy<Value = Damage> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
}

fn damaged(message: &impl Message, damage: &Damage) -> Vec<u8> {
    let mut bytes = message.encode_to_vec();
    for (at, byte) in damage {
        let at = at.index(bytes.len());
        bytes[at] = *byte;
    }
    bytes
}

/// Programs with everything in them, the second with translated types and data of many shapes.
const PROGRAMS: [(&str, &[u8]); 2] = [
    (P4INFO, JSON),
    (include_str!("../../../tests/programs/names.p4info.txtpb"), include_bytes!("../../../tests/programs/names.json")),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A P4Info that was damaged on its way is refused with a reason, or works.
    #[test]
    fn a_damaged_p4info_is_refused_or_works(program in 0..2usize, damage in damage()) {
        let (text, json) = PROGRAMS[program];
        let info = P4Info::from_text(text).expect("p4c wrote it");
        if let Ok(p4info) = config::P4Info::decode(damaged(info.message(), &damage).as_slice()) {
            let asked = v1::ForwardingPipelineConfig { p4info: Some(p4info), p4_device_config: json.into(), cookie: None };
            match Verified::check(asked, &[]) {
                Err(fault) => prop_assert!(!fault.message.is_empty()),
                Ok(verified) => {
                    let pipeline = verified.realise(SwitchConfig::default(), Dialect::Specification, false);
                    let bench = Bench { info: P4Info::from_text(P4INFO).expect("p4c wrote it"), pipeline };
                    for update in valid_updates(&bench) {
                        let _ = bench.pipeline.target_mut().write(&update, Micros(0));
                    }
                    bench.everything();
                }
            }
        }
    }

    /// Bytes that mean nothing are no update, or are refused, or are applied: alone and in a batch.
    #[test]
    fn random_bytes_are_no_danger(bytes in prop::collection::vec(any::<u8>(), 0..200), damage in damage()) {
        let bench = Bench::new();
        let mut updates = vec![];
        for update in valid_updates(&bench) {
            updates.extend(v1::Update::decode(damaged(&update, &damage).as_slice()));
        }
        updates.extend(v1::Update::decode(bytes.as_slice()));
        for update in &updates {
            let _ = bench.pipeline.target_mut().write(update, Micros(0));
            if let Some(entity) = &update.entity {
                let _ = bench.pipeline.target().read(entity, Micros(0));
            }
        }
        let before = bench.everything();
        updates.push(v1::Update::default());
        bench.pipeline.target_mut().write_all_or_none(&updates, |_| Ok(()), Micros(0));
        prop_assert_eq!(bench.everything(), before);
    }

    /// Packet-outs and frames at the CPU port of any content, and role configurations.
    #[test]
    fn packets_and_roles_of_any_content_are_taken_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..100),
        ids in prop::collection::vec((0..5u32, prop::collection::vec(any::<u8>(), 0..5)), 0..4),
    ) {
        let bench = Bench::new();
        let schema = &bench.pipeline.schema;
        let metadata = ids.into_iter().map(|(metadata_id, value)| v1::PacketMetadata { metadata_id, value }).collect();
        let packet = v1::PacketOut { payload: bytes.clone().into(), metadata };
        for fill in [false, true] {
            let _ = encode_packet_out(schema.packet_out.as_ref(), &packet, fill);
        }
        let _ = decode_packet_in(schema.packet_in.as_ref(), &bytes);
        let any = prost_types::Any { type_url: "type.googleapis.com/stratum.P4RoleConfig".into(), value: bytes };
        let _ = RoleConfig::decode_any(&any);
    }
}
