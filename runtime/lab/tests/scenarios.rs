//! Every scenario on embedded switches. What is claimed of behaviour is asserted; what is claimed of time is for the demo, since
//! a busy machine proves nothing about it.

use std::fs::File;
use std::path::Path;

use pcap_file::pcap::PcapReader;
use tokio::sync::Semaphore;
use vouch_lab::Variant;
use vouch_lab::demo::{DemoOptions, run};
use vouch_lab::scenario::{Scenario, ScenarioReport, VerdictKind};
use vouch_lab::target::{Embedded, TofinoServer};
use vouch_mobility::{Advertise, During};

/// A fabric is four switches, four agents and eight hosts that mostly wait, as few machines can carry many of them.
static STAGES: Semaphore = Semaphore::const_new(2);

const HOLD: Variant = Variant { advertise: Advertise::AfterVerdict, during: During::Hold };
const ESCALATE: Variant = Variant { advertise: Advertise::AfterVerdict, during: During::Escalate };
const BOTH: Variant = Variant { advertise: Advertise::AfterVerdict, during: During::Both };
const AT_ONCE: Variant = Variant { advertise: Advertise::AtOnce, during: During::Hold };

async fn play(name: &str, variant: Variant, verify: bool) -> ScenarioReport {
    play_on(&Embedded::default(), name, variant, verify).await
}

async fn play_on(target: &Embedded, name: &str, variant: Variant, verify: bool) -> ScenarioReport {
    let _stage = STAGES.acquire().await.expect("nobody closes it");
    let scenario = Scenario::find(name).expect("the scenario exists");
    scenario.run(target, variant, verify).await.expect("the scenario can be played")
}

/// Play, and assert everything that does not depend on how fast the machine is.
async fn behaves(name: &str, variant: Variant) -> ScenarioReport {
    behaves_on(&Embedded::default(), name, variant).await
}

async fn behaves_on(target: &Embedded, name: &str, variant: Variant) -> ScenarioReport {
    let report = play_on(target, name, variant, true).await;
    let failed: Vec<_> = report.outcome.expectations.failed().filter(|expectation| !expectation.timed).collect();
    assert!(failed.is_empty(), "{name}: {failed:#?}");
    assert!(!report.outcome.expectations.is_empty());
    report
}

fn verdicts(report: &ScenarioReport) -> Vec<VerdictKind> {
    report.outcome.verdicts.iter().map(|verdict| verdict.verdict).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_learned_and_nobody_is_heard_across_vnis() {
    behaves("learn", ESCALATE).await;
}

// In these, traffic is held to the old place, since an answer that comes late on a busy machine would be copied to the claimant.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_announcement_takes_nothing() {
    let report = behaves("spoof", HOLD).await;
    assert_eq!(verdicts(&report), [VerdictKind::Stayed; 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_announcement_told_at_once_is_withdrawn() {
    let report = behaves("spoof-at-once", AT_ONCE).await;
    assert_eq!(verdicts(&report), [VerdictKind::Stayed]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_announcement_inside_a_switch_takes_nothing() {
    behaves("port-spoof", HOLD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_ignores_arp_is_not_hijacked() {
    behaves("silent", HOLD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_verification_the_same_announcement_takes_the_traffic() {
    let report = play("spoof", HOLD, false).await;
    assert!(!report.held);
    assert_eq!(verdicts(&report), [VerdictKind::Moved]);
    let stream = &report.outcome.streams[0];
    assert!(stream.lost > 0, "{stream:?}");
    assert!(stream.misdelivered_at.contains_key("mallory"), "{stream:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_move_wins_whatever_happens_to_traffic_meanwhile() {
    for variant in [HOLD, ESCALATE, BOTH] {
        let report = behaves("move", variant).await;
        assert_eq!(verdicts(&report), [VerdictKind::Moved], "{variant}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_move_told_at_once_wins() {
    for during in [During::Hold, During::Escalate, During::Both] {
        let variant = Variant { advertise: Advertise::AtOnce, during };
        let report = behaves("move-at-once", variant).await;
        assert_eq!(verdicts(&report), [VerdictKind::Moved], "{variant}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_move_inside_a_switch_wins() {
    let report = behaves("port-move", ESCALATE).await;
    assert_eq!(verdicts(&report), [VerdictKind::Moved]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_port_went_down_has_moved() {
    behaves("link-down", ESCALATE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_moves_back_and_forth_all_win() {
    let report = behaves("flap", ESCALATE).await;
    assert_eq!(verdicts(&report), [VerdictKind::Moved; 10]);
}

/// What is played with hosts that can lose.
const WORLDS: [&str; 11] = [
    "restarted",
    "readdressed",
    "ipv6-only",
    "shared-trunk",
    "address-theft",
    "mute",
    "late-answer",
    "reboot",
    "stunned",
    "early",
    "announced",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_that_are_there_keep_their_traffic() {
    for name in WORLDS {
        behaves(name, ESCALATE).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_hosts_move_at_once_and_none_stays_behind() {
    behaves("mass", ESCALATE).await;
}

/// If nobody can lose in them, the scenarios prove nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_verification_hosts_that_are_there_lose() {
    for name in WORLDS {
        let report = play(name, ESCALATE, false).await;
        let lost: u64 = report.outcome.streams.iter().map(|stream| stream.lost).sum();
        assert!(!report.held && lost > 0, "{name}: {:#?}", report.outcome.streams);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switches_with_a_tofino_do_the_same() {
    for server in [TofinoServer::Stratum, TofinoServer::Sde] {
        let target = Embedded { tofino: Some(server), ..Embedded::default() };
        assert_eq!(verdicts(&behaves_on(&target, "spoof", HOLD).await), [VerdictKind::Stayed; 4], "{server:?}");
        // Copies to both places are replicas of a group; the port that goes down is heard of by its name.
        assert_eq!(verdicts(&behaves_on(&target, "move", BOTH).await), [VerdictKind::Moved], "{server:?}");
        behaves_on(&target, "link-down", ESCALATE).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn captures_show_vxlan_between_the_switches_and_none_at_the_hosts() {
    let _stage = STAGES.acquire().await.expect("nobody closes it");
    let directory = tempfile::tempdir().unwrap();
    let options = DemoOptions {
        scenarios: vec!["learn".to_owned()],
        captures: Some(directory.path().to_owned()),
        ..DemoOptions::default()
    };
    let outcome = run(options, &mut Vec::new()).await.unwrap();
    assert!(outcome.held(), "{outcome:#?}");
    let captures = directory.path().join("learn");
    let mut vnis = vxlan_vnis(&captures.join("vtep1-spine.pcap"));
    vnis.sort_unstable();
    vnis.dedup();
    assert_eq!(vnis, [5001, 5002]);
    assert!(vxlan_vnis(&captures.join("vtep1-port2.pcap")).is_empty());
    // Three cables between switches, and eighteen seats.
    assert_eq!(std::fs::read_dir(&captures).unwrap().count(), 21);
}

/// The VNI of each VXLAN packet in a capture, which must not be empty (RFC 7348 section 5).
fn vxlan_vnis(path: &Path) -> Vec<u32> {
    let mut reader = PcapReader::new(File::open(path).unwrap()).unwrap();
    let (mut packets, mut vnis) = (0, Vec::new());
    while let Some(packet) = reader.next_packet() {
        let frame = packet.unwrap().data.into_owned();
        packets += 1;
        let udp = frame.get(12..14) == Some(&[0x08, 0x00]) && frame.get(23) == Some(&17);
        if udp && frame.get(36..38) == Some(&4789_u16.to_be_bytes()) {
            assert_eq!(frame[42], 0x08, "the I flag");
            vnis.push(u32::from_be_bytes([0, frame[46], frame[47], frame[48]]));
        }
    }
    assert!(packets > 0, "{path:?} is empty");
    vnis
}
