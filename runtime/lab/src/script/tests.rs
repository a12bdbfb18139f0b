use super::Script;

const EXAMPLE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/scenarios/forged-then-real.yaml"));

/// The first thing that is wrong.
fn wrong(text: &str) -> String {
    let errors = Script::parse("it.yaml", text).expect_err(text);
    errors.to_string().lines().next().unwrap_or_default().to_owned()
}

/// The example with one line of it said otherwise.
fn with(line: &str, otherwise: &str) -> String {
    assert_eq!(EXAMPLE.matches(line).count(), 1, "{line}");
    EXAMPLE.replace(line, otherwise)
}

#[test]
fn the_example_is_a_scenario() {
    let script = Script::parse("it.yaml", EXAMPLE).expect("nothing is wrong with it");
    assert_eq!((script.name.as_str(), script.variants.len()), ("forged-then-real", 2));
    assert_eq!((script.topology.switches.len(), script.topology.guests.len()), (3, 4));
    assert_eq!(script.topology.seats.len(), 5, "hosts have seats, too");
    assert_eq!(script.topology.guests[1].host.ipv4.to_string(), "10.0.0.2");
}

#[test]
fn without_a_fabric_it_is_the_demos() {
    let text = "scenario: it\nabout: that\nsteps:\n  - ping: {from: red1, to: red3}\n";
    let script = Script::parse("it.yaml", text).expect("nothing is wrong with it");
    assert_eq!(script.topology, crate::Topology::demo());
}

#[test]
fn what_is_wrong_is_named_with_its_line_and_what_would_be_right() {
    let steps = |steps: &str| format!("scenario: it\nabout: that\nsteps:\n{steps}");
    for (text, expected) in [
        (steps("  - png: {from: red1, to: red3}\n"), "it.yaml:4:5: unknown variant `png`"),
        (steps("  - ping: {from: red1}\n"), "it.yaml:4:"),
        (steps("  - ping: {from: red1, to: red3, in: 3s}\n"), "it.yaml:4:34: unknown field `in`, expected one of"),
        (steps("  - wait: 3\n"), "it.yaml:4:11: `3`: it is a number with the unit"),
        (steps("  - ping: {from: red1, to: red9}\n"), "it.yaml:4:5: steps[0]: there is no host red9; there are red1,"),
        (steps("  - move: {host: red1, to: vtep2}\n"), "`vtep2`: a port is `SWITCH port NUMBER`"),
        (steps("  - move: {host: red1, to: vtep9 port 4}\n"), "steps[0]: there is no seat at vtep9 port 4"),
        (steps("  - move: {host: red1, to: vtep2 port 3}\n"), "mallory sits at vtep2 port 3; a free seat"),
        (steps("  - verdict: {of: red1, is: stayed}\n"), "nobody has claimed red1; `forge`, `move` or `announce`"),
        (steps("  - stop: {from: red1, to: red3}\n"), "no stream runs from red1 to red3; begin it by `stream`"),
        (steps("  - forge: {by: red1, of: red1}\n"), "red1 cannot forge itself"),
        (steps("  - kill-agent: {of: vtep9}\n"), "there is no switch vtep9"),
        (steps("  - expect-move: {host: red1, to: spine}\n"), "there is no VTEP spine"),
        (steps("  - wait: 1s\n"), "it.yaml:1:1: steps: nothing is expected"),
        (steps("  - stream: {from: red1, to: red3}\n  - ping: {from: red1, to: red3}\n"), "is not stopped; add `stop`"),
        ("scenario: ../it\nabout: that\nsteps: []\n".to_owned(), "it.yaml:1:11: scenario: `../it` is no name"),
        ("scenario: [\n".to_owned(), "it.yaml:"),
        (with("during_verification: [hold, escalate]", "during_verification: []"), "nothing is listed"),
        (with("    - [leaf2 port 1, spine port 2]", "    - [leaf2 port 1, spine port 1]"), "spine port 1 is taken"),
        (
            with("    - [leaf2 port 1, spine port 2]", "    - [leaf1 port 9, spine port 2]"),
            "fabric.cables[1]: leaf1 and spine are connected already; the underlay of a scenario is a tree",
        ),
        (with("    - [leaf2 port 1, spine port 2]\n", ""), "no cables lead from leaf1 to leaf2"),
        (with("{name: leaf2, vtep: 192.0.2.2}", "{name: leaf2, vtep: 192.0.2.1}"), "has this name or address already"),
        (with("{name: leaf2, vtep: 192.0.2.2}", "{name: leaf2, vtep: 224.0.0.1}"), "no tunnel can end there"),
        (with("{name: db, at: leaf1 port 3, vni: 100}", "{name: db, at: spine port 3, vni: 100}"), "spine only routes"),
        (with("{name: db, at: leaf1 port 3, vni: 100}", "{name: db, at: leaf1 port 2, vni: 100}"), "port 2 is taken"),
        (
            with("{name: db, at: leaf1 port 3, vni: 100}", "{name: db, at: leaf1 port 3, vni: 100, ipv4: 10.0.0.1}"),
            "web of the same VNI has an address of db",
        ),
        (
            with("{name: db, at: leaf1 port 3, vni: 100}", "{name: db, at: leaf1 port 3, vni: 100, ipv4: 10.9.0.1}"),
            "its addresses are of another subnet; all are of 10.0.0.0/24",
        ),
        (
            with("{name: db, at: leaf1 port 3, vni: 100}", "{name: db, at: leaf1 port 3, vni: 100, answers: maybe}"),
            "`maybe`: it is `at-once`, `never`, or how much later",
        ),
    ] {
        let found = wrong(&text);
        assert!(found.contains(expected), "{text}\n  is: {found}\n  is to be: {expected}");
    }
}

#[test]
fn a_file_that_is_none_is_said_to_be() {
    let nowhere = std::path::Path::new("/nowhere/it.yaml");
    let error = Script::load(nowhere).expect_err("there is none").to_string();
    assert!(error.starts_with("/nowhere/it.yaml:1:1: it cannot be read"), "{error}");
}

/// Whatever is cut out of a file, it is a scenario or not.
#[test]
fn no_file_is_too_strange() {
    for from in (0..EXAMPLE.len()).step_by(7).filter(|from| EXAMPLE.is_char_boundary(*from)) {
        for to in [from + 5, from + 60, EXAMPLE.len()] {
            let rest = EXAMPLE.get(to..).unwrap_or_default();
            let _ = Script::parse("it.yaml", &format!("{}{rest}", &EXAMPLE[..from]));
        }
    }
}
