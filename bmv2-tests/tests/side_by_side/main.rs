//! The embedded switch beside others: random cases, the scenarios that such cases left, and the measurement. The process moves
//! into a network namespace before it has threads, so it brings its own `main`.

#[cfg(target_os = "linux")]
mod cases;
#[cfg(target_os = "linux")]
mod measurement;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use vouch_bmv2_tests::SwitchProgram::P4Switch;
    use vouch_bmv2_tests::harness::{Test, run};

    run(vec![
        Test::new("bmv2_does_the_same_in_random_cases", cases::random),
        Test::on(P4Switch, "p4_switch_does_the_same_in_random_cases", cases::random),
        Test::new("bmv2_plays_the_kept_scenarios", cases::kept),
        Test::on(P4Switch, "p4_switch_plays_the_kept_scenarios", cases::kept),
        Test::on(P4Switch, "a_difference_is_found_and_shrunk", cases::difference),
        Test::on(P4Switch, "a_comparison_has_every_row", measurement::every_row),
    ])
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: veth pairs and network namespaces are Linux's");
}
