//! `p4-switch` at real interfaces, as a process of its own, and `p4-switch-cli` on it and on BMv2. The process moves into a network namespace before it has threads,
//! so it brings its own `main`.

#[cfg(target_os = "linux")]
mod cli;
#[cfg(target_os = "linux")]
mod interfaces;
#[cfg(target_os = "linux")]
mod queues;
#[cfg(target_os = "linux")]
mod switch;
#[cfg(target_os = "linux")]
mod tap;
#[cfg(target_os = "linux")]
mod tls;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use vouch_bmv2_tests::SwitchProgram::P4Switch;
    use vouch_bmv2_tests::harness::{Test, run};

    run(vec![
        Test::on(P4Switch, "a_vlan_tag_passes", interfaces::vlan_tag),
        Test::on(P4Switch, "a_kernels_connection_passes", interfaces::connection),
        Test::on(P4Switch, "a_kernels_datagram_has_a_checksum", interfaces::datagram),
        Test::on(P4Switch, "a_frame_longer_than_a_slot_passes", interfaces::longer_than_a_slot),
        Test::on(P4Switch, "a_burst_longer_than_the_ring_is_counted", interfaces::burst),
        Test::on(P4Switch, "a_burst_that_is_read_slowly_is_read_whole", interfaces::slowly_read),
        Test::on(P4Switch, "a_slow_link_fills_the_queue", queues::slow_link),
        Test::on(P4Switch, "what_the_kernel_cannot_hand_over_blocks_nothing", tap::fragments),
        Test::on(P4Switch, "frames_take_no_memory", interfaces::no_allocations),
        Test::on(P4Switch, "what_passes_is_captured", interfaces::captures),
        Test::on(P4Switch, "an_interface_that_was_down_carries_again", interfaces::down_and_up),
        Test::on(P4Switch, "an_interface_that_comes_back_is_the_same_port", interfaces::comes_back),
        Test::on(P4Switch, "a_signal_ends_it_in_order", interfaces::signals),
        Test::on(P4Switch, "without_the_right_it_says_so", interfaces::without_right),
        Test::on(P4Switch, "a_controller_pushes_the_pipeline_over_mutual_tls", tls::pipeline),
        Test::on(P4Switch, "the_words_of_simple_switch_cli_on_p4_switch", cli::on_p4_switch),
        Test::new("the_words_of_simple_switch_cli_on_bmv2", cli::on_bmv2),
    ])
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("skipped: veth pairs and network namespaces are Linux's");
}
