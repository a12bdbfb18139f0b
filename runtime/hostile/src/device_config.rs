//! What a controller sends as a device config: a program, or one inside of a `p4.tmp.P4DeviceConfig`.
//!
//! Whatever it is, it is refused with a reason, or it is a program; nothing panics. What the program does is
//! [`program`](crate::program)'s matter.

use rand::SeedableRng;
use rand::rngs::StdRng;
use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4::v1::ForwardingPipelineConfig;

use crate::{mutate, requests};

/// Of a program with one of each kind of object.
const P4INFO: &str = include_str!("../../switch-server/tests/programs/kinds.p4info.txtpb");

/// Try an input.
///
/// # Panics
/// Where the switch does what it must not.
pub fn run(data: &[u8]) {
    let info = P4Info::from_text(P4INFO).expect("p4c wrote it");
    let p4info = Some(info.message().clone());
    requests::set_pipeline(ForwardingPipelineConfig {
        p4info,
        p4_device_config: data.to_vec().into(),
        ..ForwardingPipelineConfig::default()
    });
}

/// Change an input so that a message stays one.
pub fn mutate(data: &[u8], seed: u64) -> Vec<u8> {
    mutate::message(data, &mut StdRng::seed_from_u64(seed))
}
