//! The corpus on the embedded switch: in this process and over P4Runtime. `packets` plays it on BMv2.

mod coverage;
mod mutants;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use p4_switch::streamed::Server;
use vouch_bmv2_tests::corpus::{self, Case};
use vouch_bmv2_tests::rig::Result;

use vouch_switch::{
    ActionGroup, EntryAction, EntryKey, Match, Micros, Output, Program, Switch, SwitchConfig, TableEntry, TraceEvent,
    Worker,
};

fn cases() -> Vec<Case> {
    corpus::cases().expect("the corpus can be read")
}

/// Plays every program and reports everything that went wrong at once.
fn all(play: impl Fn(&Case) -> Result<()>) {
    let failed: BTreeMap<_, _> = cases()
        .iter()
        .filter_map(|case| play(case).err().map(|error| (case.name.clone(), error.to_string())))
        .collect();
    let reports: String = failed.iter().map(|(name, error)| format!("{name}:\n{error}")).collect();
    assert!(failed.is_empty(), "{} programs failed:\n{reports}", failed.len());
}

#[test]
fn every_program_does_what_its_test_says() {
    all(Case::play_in_process);
}

#[test]
fn every_program_does_so_over_p4runtime() {
    all(|case| case.play_on(&Server));
}

fn loaded(name: &str) -> std::result::Result<Program, String> {
    let json = fs::read(corpus::folder().join("build").join(name)).expect("the corpus can be read");
    Program::load(&json).map_err(|error| error.to_string())
}

#[test]
fn a_hash_algorithm_that_bmv2_lacks_is_refused() {
    let refusal = loaded("hashes/random_algorithm.json").expect_err("a refusal");
    assert!(refusal.starts_with("calculations[0].algo: hash algorithm `random` is not supported"), "{refusal}");
}

#[test]
fn messages_are_in_the_trace_with_their_values() {
    let program = loaded("actions/log_message.json").expect("a program");
    let switch = Switch::new(Arc::new(program), SwitchConfig::default());
    let (mut worker, mut output) = (Worker::new(&switch), Output::new());
    worker.set_trace(true);
    switch.process(&mut worker, 1, &[6, 0, 16], Micros(0), &mut output);
    let texts = worker.take_trace().into_iter().filter_map(|event| match event {
        TraceEvent::Log { text } => Some(text),
        _ => None,
    });
    assert_eq!(texts.collect::<Vec<_>>(), ["it came", "a is 7", "sum of 7 and 16: 23"]);
}

/// The corpus has it as it is unless somebody asks.
#[test]
fn fields_of_an_invalid_header_read_0_where_that_is_asked_for() {
    let program = Arc::new(loaded("headers/after_invalid.json").expect("a program"));
    let switch = Switch::new(program, SwitchConfig { zero_invalid: true, ..SwitchConfig::default() });
    let (mut worker, mut output) = (Worker::new(&switch), Output::new());
    for how in 1..=3 {
        switch.process(&mut worker, 1, &[how, 0xee, 0x12, 0x34, 0x56, 0x78], Micros(0), &mut output);
    }
    let frames: Vec<_> = output.frames().map(|(_, frame)| frame.to_vec()).collect();
    assert_eq!(frames, [vec![1, 0xee, 0x56, 0x78, 0, 0], vec![2, 0xee, 0, 0], vec![3, 0xee, 0x56, 0x78, 0, 0]]);
}

#[test]
fn an_assertion_that_does_not_hold_drops_and_is_counted() {
    let switch = Switch::new(Arc::new(loaded("actions/assertions.json").expect("a program")), SwitchConfig::default());
    let (mut worker, mut output) = (Worker::new(&switch), Output::new());
    // The first breaks the assertion, the second the assumption.
    for frame in [[0x80, 1, 0], [0x77, 1, 0]] {
        switch.process(&mut worker, 1, &frame, Micros(0), &mut output);
    }
    assert_eq!((output.frames().len(), output.drops.assertion), (0, 2));
}

#[test]
fn an_empty_group_hits_and_runs_nothing() {
    let program = Arc::new(loaded("profiles/selector.json").expect("a program"));
    let switch = Switch::new(program.clone(), SwitchConfig::default());
    let (profile, _) = program.profiles().next().expect("a profile");
    let group = ActionGroup { members: Vec::new(), max_size: 0 };
    switch.insert_group(profile, 1, &group).expect("a group");
    let key = EntryKey { matches: vec![Match::Exact(vec![1])], priority: 0 };
    let entry = TableEntry { key, action: EntryAction::Group(1), idle_timeout: Micros(0), meter: None };
    let table = program.table("ingress.forward").expect("a table");
    switch.insert_entry(table, &entry, Micros(0)).expect("an entry");
    let (mut worker, mut output) = (Worker::new(&switch), Output::new());
    let mut frame = [0xee; 14];
    frame[0] = 1;
    switch.process(&mut worker, 1, &frame, Micros(0), &mut output);
    assert_eq!(output.frames().collect::<Vec<_>>(), [(9, &frame[..])]);
}

#[test]
fn a_priority_without_a_queue_drops_and_is_counted() {
    let program = Arc::new(loaded("metadata/priority.json").expect("a program"));
    for (priority_queues, sent) in [(1, 1), (2, 2), (8, 3)] {
        let switch = Switch::new(program.clone(), SwitchConfig { priority_queues, ..SwitchConfig::default() });
        let (mut worker, mut output) = (Worker::new(&switch), Output::new());
        for priority in [0, 1, 7] {
            switch.process(&mut worker, 1, &[priority, 0xee], Micros(0), &mut output);
        }
        let frames: Vec<_> = output.frames().map(|(_, frame)| frame.to_vec()).collect();
        assert_eq!(frames, [[0, 0], [1, 1], [7, 7]][..sent], "{priority_queues} queues");
        assert_eq!(output.drops.priority, 3 - sent as u64);
    }
}
