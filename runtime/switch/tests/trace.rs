//! What a packet's trace says, against texts that are kept: regenerate them with UPDATE_TRACES=1 and review the difference.

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use vouch_switch::{Micros, Output, PacketTrace, Program, Switch, SwitchConfig, Worker};

/// The trace of one frame, as text and as JSON.
fn trace(switch: &Switch, port: u16, frame: &[u8]) -> (String, serde_json::Value) {
    let (mut worker, mut output) = (Worker::new(switch), Output::new());
    worker.set_trace(true);
    switch.process(&mut worker, port, frame, Micros(0), &mut output);
    let events = worker.take_trace();
    let trace = PacketTrace { number: 1, program: switch.program(), port, frame, events: &events, drops: output.drops };
    (trace.to_string(), trace.to_json())
}

/// Compares a text with the one that is kept.
fn is_kept(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces").join(name);
    if std::env::var_os("UPDATE_TRACES").is_some() {
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("the folder is made");
        fs::write(&path, text).expect("the text is written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{name} has changed; it is now:\n{text}");
}

#[test]
fn known_unicast_into_a_tunnel() {
    let switch = support::vtep(0);
    let (text, _) = trace(&switch, support::ACCESS, &support::frame(support::THERE, support::HERE, 64));
    is_kept("encapsulate.txt", &text);
}

#[test]
fn a_frame_from_nowhere_is_dropped_and_the_trace_says_by_what() {
    let switch = support::vtep(0);
    let (text, json) = trace(&switch, 77, &support::frame(support::THERE, support::HERE, 64));
    is_kept("unknown_interface.txt", &text);
    is_kept("unknown_interface.json", &format!("{json:#}\n"));
}

#[test]
fn a_trace_can_be_had_in_the_words_of_bmv2() {
    let switch = support::vtep(0);
    let (mut worker, mut output) = (Worker::new(&switch), Output::new());
    worker.set_trace(true);
    let frame = support::frame(support::THERE, support::HERE, 64);
    switch.process(&mut worker, support::ACCESS, &frame, Micros(0), &mut output);
    let events = worker.take_trace();
    let (number, program, port) = (1, switch.program(), support::ACCESS);
    let trace = PacketTrace { number, program, port, frame: &frame, events: &events, drops: output.drops };
    let lines: String = trace.in_bmv2s_words().into_iter().map(|(_, line)| line + "\n").collect();
    is_kept("encapsulate.bmv2.txt", &lines);
}

#[test]
fn broadcast_is_traced_copy_by_copy() {
    let switch = support::vtep(0);
    let (text, _) = trace(&switch, support::ACCESS, &support::frame([0xff; 6], support::HERE, 64));
    is_kept("flood.txt", &text);
}

#[test]
fn externs_and_parser_errors_are_steps() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/externs.json");
    let program = Program::load(&fs::read(path).expect("the compiled program is in the repository"));
    let switch = Switch::new(Arc::new(program.expect("the program loads")), SwitchConfig::default());
    let mut text = String::new();
    // The opcodes are those of the program; the last frame is too short for its header.
    let frames: [&[u8]; 12] = [
        &[1, 0, 4, 0, 0xee],
        &[2, 0, 4, 0, 0xee],
        &[3, 0, 4, 0, 0xee],
        &[4, 0, 4, 0, 0xee],
        &[5, 0, 4, 0, 0xee],
        &[6, 0, 4, 0, 0xee],
        &[7, 0, 4, 0, 0xee],
        &[8, 0, 4, 0, 0xee],
        &[9, 0, 4, 0, 0xee],
        &[10, 0, 4, 0, 0xee],
        &[11, 0, 4, 0, 0xee],
        &[1, 0],
    ];
    for frame in frames {
        text += &trace(&switch, 3, frame).0;
    }
    is_kept("externs.txt", &text);
}
