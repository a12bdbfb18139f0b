//! What a client says to the Thrift services, of any content.
//!
//! An input is everything that comes over one connection. Whatever it is,
//!
//! - it is answered, or the talk ends; nothing panics;
//! - what comes back is answers, whole ones, and not many times as long as what was asked, but for what calls ask to be shown;
//! - the next client is served.

use std::sync::OnceLock;

use p4_switch::thrift::{About, Services};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::runtime::Runtime;
use vouch_switch_server::{ServerHandle, SwitchServer};

/// A program with one of each kind of object.
const PROGRAM: &[u8] = include_bytes!("../../switch-server/tests/programs/kinds.json");

/// What asks for the program's checksum, in the version of the protocol that everybody speaks.
const QUESTION: &[u8] = b"\x80\x01\0\x01\0\0\0\x1astandard:bm_get_config_md5\0\0\0\x07\0";

/// Try an input.
///
/// # Panics
/// Where the switch does what it must not.
pub fn run(data: &[u8]) {
    static SWITCH: OnceLock<(ServerHandle, Runtime)> = OnceLock::new();
    let (switch, _) = SWITCH.get_or_init(|| {
        let runtime = Runtime::new().expect("threads can be started");
        let switch = SwitchServer::builder().program(PROGRAM).build().expect("p4c wrote it");
        (runtime.block_on(switch.listen("127.0.0.1:0")).expect("a free port"), runtime)
    });
    switch.control().start(PROGRAM).expect("p4c wrote it");
    let services = Services::new(switch.control(), About { swaps: true, ..About::default() });
    let mut said = Vec::new();
    services.talk(data, &mut said);
    answers(&said);
    let mut said = Vec::new();
    services.talk(QUESTION, &mut said);
    assert_eq!(answers(&said), 1, "the next client is not served");
}

/// How many answers these bytes are.
fn answers(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while !bytes.is_empty() {
        // A strict header, the method's name, the call's number, and a structure that ends with a 0.
        assert!(
            matches!(bytes, [0x80, 1, 0, 2 | 3, ..]),
            "no answer begins with {:02x?}",
            &bytes[..bytes.len().min(8)]
        );
        let length = u32::from_be_bytes(bytes[4..8].try_into().expect("four bytes")) as usize;
        bytes = structure(&bytes[8 + length + 4..]);
        count += 1;
    }
    count
}

/// What follows a structure.
fn structure(mut bytes: &[u8]) -> &[u8] {
    while bytes[0] != 0 {
        bytes = value(bytes[0], &bytes[3..]);
    }
    &bytes[1..]
}

/// What follows a value of this type.
fn value(kind: u8, bytes: &[u8]) -> &[u8] {
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes[..4].try_into().expect("four bytes")) as usize;
    match kind {
        2 | 3 => &bytes[1..],
        6 => &bytes[2..],
        8 => &bytes[4..],
        4 | 10 => &bytes[8..],
        11 => &bytes[4 + number(bytes)..],
        12 => structure(bytes),
        14 | 15 => (0..number(&bytes[1..])).fold(&bytes[5..], |rest, _| value(bytes[0], rest)),
        13 => (0..number(&bytes[2..])).fold(&bytes[6..], |rest, _| value(bytes[1], value(bytes[0], rest))),
        other => panic!("no answer has a value of type {other}"),
    }
}

/// Change an input so that calls stay calls: what changes is what is in them.
pub fn mutate(data: &[u8], seed: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut changed = data.to_vec();
    if changed.is_empty() {
        return QUESTION.to_vec();
    }
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..changed.len());
        match random.random_range(0..5) {
            0 => changed[at] = random.random(),
            1 => changed[at] ^= 1 << random.random_range(0..8),
            // Numbers that are at an end.
            2 => changed[at] = [0, 1, 0x7f, 0x80, 0xff][random.random_range(0..5)],
            3 => changed.extend_from_slice(data),
            _ => changed.truncate(at + 1),
        }
    }
    changed
}
