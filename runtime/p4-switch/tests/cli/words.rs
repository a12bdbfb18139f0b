//! Every word, against a text that is kept: regenerate it with UPDATE_TRANSCRIPTS=1.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use p4_switch::cli::Outcome;
use p4_switch::commands::{WORDS, split};

use crate::support::{Switch, kinds, said};

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts").join(name)
}

#[test]
fn every_word_does_what_it_says() {
    let script_text = fs::read_to_string(script("all.txt")).expect("it is there");
    let switch = Switch::running();
    let mut shell = switch.shell();
    let mut transcript = String::new();
    for line in script_text.lines().filter(|line| !split(line).is_empty()) {
        writeln!(transcript, "> {line}").expect("it is a String");
        match shell.line(line) {
            Ok(Outcome::Done(text)) => transcript.push_str(&text),
            Ok(Outcome::Exit) => break,
            Err(refused) => panic!("{line}: {refused}"),
        }
    }
    let path = script("all.transcript.txt");
    if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        fs::write(&path, &transcript).expect("the text is written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == transcript, "it has changed; it is now:\n{transcript}");

    // These change programs, or not every P4Runtime server takes them; other tests have them.
    let elsewhere = [
        "load_new_config_file",
        "swap_configs",
        "show_pvs",
        "pvs_add",
        "pvs_remove",
        "pvs_get",
        "pvs_clear",
        "table_indirect_set_default",
        "table_indirect_set_default_with_group",
        "table_indirect_reset_default",
    ];
    let used: Vec<&str> = script_text.lines().filter_map(|line| split(line).first().copied()).collect();
    for word in WORDS {
        let deprecated = word.name == "act_prof_dump_group";
        let is_thrifts = word.help.ends_with("(Thrift)");
        assert!(
            deprecated || is_thrifts || used.contains(&word.name) || elsewhere.contains(&word.name),
            "{}",
            word.name
        );
    }
}

#[test]
fn value_sets_are_filled() {
    let switch = Switch::running();
    let mut shell = switch.shell();
    assert_eq!(said(&mut shell, "show_pvs"), "Parse.special_kinds            [16 bits]\n");
    ["0x600", "0x601"]
        .iter()
        .for_each(|value| assert_eq!(said(&mut shell, &format!("pvs_add special_kinds {value}")), ""));
    said(&mut shell, "pvs_add special_kinds 1537");
    assert_eq!(said(&mut shell, "pvs_get special_kinds"), "0600\n0601\n");
    said(&mut shell, "pvs_remove special_kinds 0x600");
    assert_eq!(said(&mut shell, "pvs_get special_kinds"), "0601\n");
    said(&mut shell, "pvs_clear special_kinds");
    assert_eq!(said(&mut shell, "pvs_get special_kinds"), "");
}

#[test]
fn another_program_takes_the_place_of_the_first() {
    let switch = Switch::running();
    let mut shell = switch.shell();
    said(&mut shell, "table_add host host_forward 1 => 1");
    let patch = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/patch.json");
    // Its P4Info is beside it.
    assert_eq!(said(&mut shell, &format!("load_new_config_file {}", patch.display())), "");
    assert!(said(&mut shell, "show_tables").contains("Forward.host"));
    assert_eq!(said(&mut shell, "swap_configs"), "");
    let tables = "PatchIngress.exceptions        [implementation=None, mk=dst(ternary, 48),\tether_type(exact, 16)]\n";
    assert_eq!(said(&mut shell, "show_tables"), tables);
    let (program, p4info) = kinds();
    said(&mut shell, &format!("load_new_config_file {} {}", program.display(), p4info.display()));
    said(&mut shell, "swap_configs");
    assert_eq!(said(&mut shell, "table_num_entries host"), "0\n");
    assert_eq!(said(&mut shell, "table_add host host_forward 1 => 1"), "Entry has been added with handle 0\n");
}

#[test]
fn the_entries_of_a_program_have_handles_too() {
    let switch = Switch::running();
    let mut shell = switch.shell();
    let entry = said(&mut shell, "table_dump_entry fixed 0");
    assert!(
        entry.contains("* hdr.ethernet.kind   : EXACT     0600\nAction entry: Forward.forward - 0003\n"),
        "{entry}"
    );
    assert!(said(&mut shell, "help").lines().count() == 2 * WORDS.len());
}
