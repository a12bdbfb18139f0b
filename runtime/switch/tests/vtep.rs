//! The project's own pipeline on the engine: it loads, its names resolve, and no frame makes it panic.

mod support;

use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use vouch_switch::{ControlError, Micros, Output, Program, Switch, SwitchConfig, Worker};

fn json() -> &'static [u8] {
    static JSON: OnceLock<Vec<u8>> = OnceLock::new();
    JSON.get_or_init(support::json)
}

fn program() -> Arc<Program> {
    static PROGRAM: OnceLock<Arc<Program>> = OnceLock::new();
    PROGRAM.get_or_init(|| Arc::new(Program::load(json()).expect("the pipeline loads"))).clone()
}

#[test]
fn a_switch_without_entries_drops_and_counts_every_frame() {
    let switch = Switch::new(program(), SwitchConfig::default());
    let (mut worker, mut output) = (Worker::new(&switch), Output::new());
    switch.process(&mut worker, 1, &[0x55; 64], Micros(0), &mut output);
    assert_eq!(output.frames().len(), 0);
    assert_eq!(output.drops.ingress, 1);
    assert_eq!(output.drops.total(), 1);
}

fn run_frame(switch: &Switch, port: u16, frame: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let (mut worker, mut output) = (Worker::new(switch), Output::new());
    switch.process(&mut worker, port, frame, Micros(0), &mut output);
    output.frames().map(|(port, frame)| (port, frame.to_vec())).collect()
}

/// RFC 7348 section 5: outer headers in front of the unchanged frame.
#[test]
fn known_unicast_leaves_through_the_tunnel() {
    let switch = support::vtep(0);
    let frame = support::frame(support::THERE, support::HERE, 100);
    let out = run_frame(&switch, support::ACCESS, &frame);
    let [(port, packet)] = out.as_slice() else { panic!("{} frames", out.len()) };
    assert_eq!(*port, support::UNDERLAY);
    assert_eq!(packet.len(), 150);
    assert_eq!(packet[..12], [support::SPINE, support::ROUTER].concat());
    assert_eq!(packet[16..18], 136u16.to_be_bytes(), "IPv4 total length");
    assert_eq!(packet[26..34], [support::MY_IP, support::PEER_IP].concat());
    assert_eq!(packet[36..38], 4789u16.to_be_bytes());
    assert_eq!(packet[40..42], [0, 0], "no UDP checksum");
    assert_eq!(packet[42], 8, "the I flag");
    assert_eq!(packet[46..49], support::VNI.to_be_bytes()[1..]);
    assert_eq!(packet[50..], frame);
    let sum: u32 = packet[14..34].chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff, "IPv4 header checksum");
}

#[test]
fn a_frame_from_the_tunnel_leaves_as_it_was() {
    let switch = support::vtep(0);
    let frame = support::frame(support::HERE, support::THERE, 100);
    let out = run_frame(&switch, support::UNDERLAY, &support::from_peer(&frame));
    assert_eq!(out, [(support::ACCESS, frame)]);
}

#[test]
fn broadcast_leaves_everywhere_but_where_it_came_in() {
    let switch = support::vtep(0);
    let frame = support::frame([0xff; 6], support::HERE, 60);
    let ports: Vec<u16> = run_frame(&switch, support::ACCESS, &frame).iter().map(|(port, _)| *port).collect();
    assert_eq!(ports, [support::OTHER, support::UNDERLAY]);
}

/// Hosts come and go while packets to another one pass: none of them is lost, and what was written is there at once.
#[test]
fn packets_go_on_while_entries_change() {
    let switch = support::vtep(2000);
    let frame = support::frame(support::THERE, support::HERE, 100);
    let wanted = run_frame(&switch, support::ACCESS, &frame);
    let destination = switch.program().table("destination").expect("the table exists");
    let before = switch.entry_count(destination).expect("the table exists");
    std::thread::scope(|scope| {
        let changes = scope.spawn(|| {
            for _ in 0..2000 {
                support::come_and_go(&switch);
                assert_eq!(switch.entry_count(destination), Ok(before));
            }
        });
        while !changes.is_finished() {
            assert_eq!(run_frame(&switch, support::ACCESS, &frame), wanted);
        }
    });
}

/// Calls made together see each other, and packets see all of them or none; one that fails leaves the others as they are.
#[test]
fn calls_together_take_effect_together() {
    let switch = support::vtep(0);
    let destination = switch.program().table("destination").expect("the table exists");
    let frame = support::frame([6, 0, 0, 0, 0, 1], support::HERE, 100);
    let before = switch.entry_count(destination).expect("the table exists");
    switch.together(|| {
        let add = |host: u8| {
            let matches: [&[u8]; 2] = [&support::BD.to_be_bytes(), &[6, 0, 0, 0, 0, host]];
            support::add(&switch, "destination", &matches, "unicast", &[&support::TUNNEL.to_be_bytes()]);
        };
        let flooded = run_frame(&switch, support::ACCESS, &frame);
        add(1);
        let entry = switch.entries(destination).expect("the table exists").pop().expect("it has entries").entry;
        assert_eq!(switch.insert_entry(destination, &entry, Micros(0)), Err(ControlError::EntryExists));
        switch.together(|| add(2));
        assert_eq!(switch.entry_count(destination), Ok(before + 2));
        assert_eq!(run_frame(&switch, support::ACCESS, &frame), flooded, "nothing has taken effect");
        assert_ne!(flooded.len(), 1);
    });
    assert_eq!(switch.entry_count(destination), Ok(before + 2));
    assert_eq!(run_frame(&switch, support::ACCESS, &frame).len(), 1, "the host is known");
}

/// What was gathered before a panic is there, and later calls work.
#[test]
fn calls_together_survive_a_panic() {
    let switch = support::vtep(0);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        switch.together(|| {
            switch.delete_multicast_group(u32::from(support::BD)).expect("the group exists");
            panic!("on purpose");
        })
    }));
    assert!(outcome.is_err());
    assert_eq!(switch.multicast_groups(), []);
    switch.insert_multicast_group(1, &[]).expect("a new group");
    assert_eq!(switch.multicast_groups().len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_frame_is_lost_uncounted(
        length in prop_oneof![0usize..200, 0usize..65536, Just(65535), Just(65536)],
        seed in any::<u64>(),
        port in 0u16..512,
    ) {
        let switch = Switch::new(program(), SwitchConfig::default());
        let (mut worker, mut output) = (Worker::new(&switch), Output::new());
        let mut state = seed | 1;
        let frame: Vec<u8> = (0..length).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        }).collect();
        switch.process(&mut worker, port, &frame, Micros(0), &mut output);
        prop_assert!(output.frames().len() as u64 + output.drops.total() > 0);
    }

    /// A document with some bytes replaced or cut out is refused or runs; it never panics.
    #[test]
    fn no_damaged_document_panics(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0usize..40, any::<bool>()), 1..4),
    ) {
        let mut document = json().to_vec();
        for (at, byte, length, cut) in damage {
            let at = at.index(document.len());
            let end = (at + length).min(document.len());
            if cut {
                document.drain(at..end);
            } else {
                document[at] = byte;
            }
        }
        run(&document)?;
    }

    /// Numbers and names swapped between places of the document: still JSON, but inconsistent.
    #[test]
    fn no_inconsistent_document_panics(
        swaps in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..6),
    ) {
        let mut document: serde_json::Value = serde_json::from_slice(json()).expect("the pipeline is JSON");
        let mut leaves = Vec::new();
        collect(&document, String::new(), &mut leaves);
        for (from, to) in swaps {
            let value = document.pointer(&leaves[from.index(leaves.len())]).cloned();
            if let (Some(value), Some(slot)) = (value, document.pointer_mut(&leaves[to.index(leaves.len())])) {
                *slot = value;
            }
        }
        run(&serde_json::to_vec(&document).expect("values print"))?;
    }
}

/// Pointers to all values of the document that are not objects or arrays, and to small arrays.
fn collect(value: &serde_json::Value, place: String, leaves: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            for (key, member) in members {
                collect(member, format!("{place}/{}", key.replace('~', "~0").replace('/', "~1")), leaves);
            }
        }
        serde_json::Value::Array(items) => {
            if items.len() <= 3 {
                leaves.push(place.clone());
            }
            for (index, item) in items.iter().enumerate() {
                collect(item, format!("{place}/{index}"), leaves);
            }
        }
        _ => leaves.push(place),
    }
}

fn run(document: &[u8]) -> Result<(), TestCaseError> {
    match Program::load(document) {
        Ok(program) => {
            let switch = Switch::new(Arc::new(program), SwitchConfig::default());
            let (mut worker, mut output) = (Worker::new(&switch), Output::new());
            for length in [0, 14, 60, 200] {
                switch.process(&mut worker, 1, &vec![8; length], Micros(0), &mut output);
                switch.process(&mut worker, 510, &vec![0; length], Micros(0), &mut output);
            }
        }
        Err(error) => prop_assert!(!error.to_string().is_empty()),
    }
    Ok(())
}
