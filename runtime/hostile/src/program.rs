//! Programs and their P4Infos, whole, damaged or made up.
//!
//! An input is a program as JSON, or the pipeline configuration of P4Runtime, which is a program with its P4Info, encoded as
//! protobuf. Whatever it is,
//!
//! - it is refused, with the place where something is wrong, or it works: entries can be written and frames sent;
//! - nothing panics, and neither loading nor a frame takes more time or memory than there is.

use prost::Message;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use vouch_p4runtime::p4::v1::ForwardingPipelineConfig;
use vouch_switch::{LoadErrorKind, Program, Switch, SwitchConfig};

use crate::input::Input;
use crate::packets::Pair;
use crate::{mutate, requests};

/// Try an input.
///
/// # Panics
/// Where the switch does what it must not.
pub fn run(data: &[u8]) {
    match as_config(data) {
        None => load(data),
        Some(config) => {
            load(&config.p4_device_config);
            requests::set_pipeline(config);
        }
    }
}

/// Change an input so that a program stays JSON and a configuration stays one.
pub fn mutate(data: &[u8], seed: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    match as_config(data) {
        None => json(data, &mut random),
        Some(mut config) if random.random() => {
            config.p4_device_config = json(&config.p4_device_config, &mut random).into();
            config.encode_to_vec()
        }
        Some(config) => {
            let json = config.p4_device_config.clone();
            let p4info = ForwardingPipelineConfig { p4_device_config: Default::default(), ..config }.encode_to_vec();
            match ForwardingPipelineConfig::decode(mutate::message(&p4info, &mut random).as_slice()) {
                Ok(config) => ForwardingPipelineConfig { p4_device_config: json, ..config }.encode_to_vec(),
                Err(_) => data.to_vec(),
            }
        }
    }
}

/// The input as a configuration; text is none.
fn as_config(data: &[u8]) -> Option<ForwardingPipelineConfig> {
    if data.first() == Some(&b'{') {
        return None;
    }
    ForwardingPipelineConfig::decode(data).ok()
}

fn json(data: &[u8], random: &mut StdRng) -> Vec<u8> {
    match serde_json::from_slice::<Value>(data) {
        Ok(mut document) => {
            mutate::json(&mut document, random);
            document.to_string().into_bytes()
        }
        Err(_) => data.to_vec(),
    }
}

fn load(json: &[u8]) {
    match Program::load(json) {
        Ok(program) => exercise(program),
        Err(error) => {
            let text = error.kind.to_string();
            assert!(!text.is_empty());
            // Only what is wrong with the document itself has no place within it.
            let whole = match &error.kind {
                LoadErrorKind::Syntax(_) | LoadErrorKind::Limit { .. } => true,
                LoadErrorKind::Invalid(text) => text.starts_with("member `") || text == "expected an object",
                _ => false,
            };
            assert!(whole || !error.place.is_empty(), "{text}: where?");
        }
    }
}

/// Write entries of any kind, and send frames of a few.
fn exercise(program: Program) {
    let program = std::sync::Arc::new(program);
    let switch = || Switch::new(program.clone(), SwitchConfig { cpu_port: Some(510), ..SwitchConfig::default() });
    let mut pair = Pair::new(switch(), switch());
    let mut random = StdRng::seed_from_u64(1);
    let noise: Vec<u8> = (0..1500).map(|_| random.random()).collect();
    let (arp, ipv4) = ([8, 6].as_slice(), [8, 0, 0x45].as_slice());
    let frames = [
        &[][..],
        &[0; 64],
        &noise,
        &[&noise[..12], arp, &noise[..50]].concat(),
        &[&noise[..12], ipv4, &noise[..80]].concat(),
    ];
    for frame in frames {
        pair.frame(1, frame);
    }
    pair.play(Input::new(&noise));
    for frame in frames {
        pair.frame(510, frame);
    }
}
