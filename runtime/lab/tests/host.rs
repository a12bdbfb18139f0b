//! Hosts on a bare cable, no switch between them: what the stacks do by themselves, and whether the accounts can fail.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use vouch_lab::{Announcement, Answers, Crowd, Habits, Host, HostSpec, Traffic};
use vouch_net::MacAddr;
use vouch_switch_server::port::Receive;
use vouch_switch_server::{Endpoint, Frames, LinkConfig, Port, PortCounters, PortStatus, SendError, link};

/// Long enough for a loaded machine; no test waits for it to pass unless it is to fail.
const PATIENCE: Duration = Duration::from_secs(5);

fn spec(name: &str, number: u8) -> HostSpec {
    HostSpec {
        name: name.to_owned(),
        mac: MacAddr([2, 0, 0, 0, 0, number]),
        ipv4: Ipv4Addr::new(10, 0, 0, number),
        ipv6: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, number.into()),
    }
}

fn pair(config: LinkConfig) -> (Host, Host, Traffic) {
    let (left, right) = link(config);
    let traffic = Traffic::default();
    let left = Host::start(spec("left", 1), Arc::new(left), traffic.clone());
    let right = Host::start(spec("right", 2), Arc::new(right), traffic.clone());
    (left, right, traffic)
}

#[tokio::test]
async fn hosts_answer_arp_neighbour_solicitations_and_pings() {
    let (left, right, _) = pair(LinkConfig::default());
    assert!(left.ping(right.spec().ipv4.into(), PATIENCE).await.unwrap().is_some());
    assert!(right.ping(left.spec().ipv6.into(), PATIENCE).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_silent_host_does_not_answer_arp() {
    let (left, right, _) = pair(LinkConfig::default());
    right.set_answers(Answers::Never).await.unwrap();
    let answer = left.ping(right.spec().ipv4.into(), Duration::from_secs(1)).await.unwrap();
    assert_eq!(answer, None);
    right.set_answers(Answers::AtOnce).await.unwrap();
    assert!(left.ping(right.spec().ipv4.into(), PATIENCE).await.unwrap().is_some());
}

#[tokio::test]
async fn a_stream_over_a_good_cable_arrives_whole() {
    let (left, right, _) = pair(LinkConfig::default());
    left.ping(right.spec().ipv4.into(), PATIENCE).await.unwrap().expect("the cable is good");
    let stream = left.stream(&right, 2_000).await.unwrap();
    assert!(stream.ledger().sends(300, PATIENCE).await);
    let report = stream.finish().await.unwrap();
    assert!(report.sent >= 300);
    assert_eq!((report.delivered, report.lost, report.duplicates), (report.sent, 0, 0));
    assert_eq!(report.misdelivered, 0);
}

#[tokio::test]
async fn what_the_cable_loses_is_counted_as_lost() {
    let (a, b) = link(LinkConfig { loss: 0.2, seed: 1, ..LinkConfig::default() });
    let counters = a.clone();
    let traffic = Traffic::default();
    let left = Host::start(spec("left", 1), Arc::new(a), traffic.clone());
    let right = Host::start(spec("right", 2), Arc::new(b), traffic);
    left.ping(right.spec().ipv4.into(), PATIENCE).await.unwrap().expect("one of many requests passes");
    let before = counters.counters().dropped_loss;
    let stream = left.stream(&right, 2_000).await.unwrap();
    assert!(stream.ledger().sends(300, PATIENCE).await);
    let report = stream.finish().await.unwrap();
    assert!(report.lost > 0);
    assert_eq!(report.lost, counters.counters().dropped_loss - before);
    assert_eq!(report.delivered + report.lost, report.sent);
}

/// A cable end that repeats every third frame it is given.
struct Repeating(Endpoint, AtomicU64);

impl Port for Repeating {
    fn receive<'a>(&'a self, batch: &'a mut Frames, max: usize) -> Receive<'a> {
        self.0.receive(batch, max)
    }

    fn send(&self, frame: &[u8]) -> Result<(), SendError> {
        if self.1.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
            self.0.send(frame)?;
        }
        self.0.send(frame)
    }

    fn status(&self) -> watch::Receiver<PortStatus> {
        self.0.status()
    }

    fn counters(&self) -> PortCounters {
        self.0.counters()
    }
}

#[tokio::test]
async fn what_the_cable_repeats_is_counted_as_duplicates() {
    let (a, b) = link(LinkConfig::default());
    let traffic = Traffic::default();
    let left = Host::start(spec("left", 1), Arc::new(Repeating(a, AtomicU64::new(0))), traffic.clone());
    let right = Host::start(spec("right", 2), Arc::new(b), traffic);
    left.ping(right.spec().ipv4.into(), PATIENCE).await.unwrap().expect("the cable is good");
    let stream = left.stream(&right, 2_000).await.unwrap();
    assert!(stream.ledger().sends(300, PATIENCE).await);
    let report = stream.finish().await.unwrap();
    assert_eq!(report.lost, 0);
    assert!((90..=120 + report.sent / 3).contains(&report.duplicates), "{}", report.duplicates);
}

#[tokio::test]
async fn packets_at_the_wrong_host_are_counted_against_it() {
    let (sender, receiver) = link(LinkConfig::default());
    let (other_end, other) = link(LinkConfig::default());
    let traffic = Traffic::default();
    // The receiver of the stream is elsewhere; `mallory` sits where its packets arrive.
    let left = Host::start(spec("left", 1), Arc::new(sender), traffic.clone());
    let victim = Host::start(spec("victim", 2), Arc::new(other), traffic.clone());
    let mallory = Host::start(spec("mallory", 66), Arc::new(receiver), traffic.clone());
    mallory.answer_for(Some(victim.spec())).await.unwrap();
    assert_eq!(left.ping(victim.spec().ipv4.into(), Duration::from_millis(200)).await.unwrap(), None);
    let stream = left.stream(&victim, 2_000).await.unwrap();
    assert!(stream.ledger().sends(100, PATIENCE).await);
    let report = stream.finish().await.unwrap();
    assert_eq!(report.lost, report.sent);
    assert_eq!(report.misdelivered_at.get("mallory"), Some(&report.sent));
    assert!(traffic.strays("mallory", victim.spec().mac) >= report.sent);
    drop(other_end);
}

#[tokio::test]
async fn a_greeting_is_heard_by_who_is_on_the_cable() {
    let (left, _right, traffic) = pair(LinkConfig::default());
    let mut greetings = traffic.greetings();
    left.greet().await.unwrap();
    greetings.wait_for(|heard| *heard == 1).await.unwrap();
    assert!(traffic.heard_by("right").contains("left"));
    assert!(traffic.heard_by("left").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_arriving_host_announces_itself_as_qemu_does() {
    let (old, old_far) = link(LinkConfig::default());
    let (new, new_far) = link(LinkConfig::default());
    let host = Host::start(spec("vm", 1), Arc::new(old), Traffic::default());
    host.arrive(Arc::new(new)).await.unwrap();
    let start = tokio::time::Instant::now();
    let mut heard = Vec::new();
    while heard.len() < 10 {
        let frame = new_far.recv().await.expect("the host is there");
        heard.push((start.elapsed().as_millis() / 10 * 10, u16::from_be_bytes([frame[12], frame[13]])));
    }
    let expected: Vec<_> = [0, 50, 200, 450, 800].into_iter().flat_map(|at| [(at, 0x0806), (at, 0x8035)]).collect();
    assert_eq!(heard, expected);
    assert_eq!(old_far.try_recv(), None);
}

#[tokio::test]
async fn a_host_that_has_left_takes_in_late_data_and_answers_nothing_there() {
    let (old, old_far) = link(LinkConfig::default());
    let (new, _new_far) = link(LinkConfig::default());
    let (left, left_far) = link(LinkConfig::default());
    let traffic = Traffic::default();
    let vm = Host::start(spec("vm", 1), Arc::new(old), traffic.clone());
    let left = Host::start(spec("left", 2), Arc::new(left), traffic.clone());
    vm.arrive(Arc::new(new)).await.unwrap();
    // The sender knows the host's address already, so its first frame is data; a request for the address comes before it.
    left.send(Announcement::ArpReply { to: left.spec().mac, target: left.spec().ipv4 }.frame(vm.spec())).await.unwrap();
    let reply = left_far.recv().await.unwrap();
    left_far.send(reply).unwrap();
    old_far.send(Announcement::ArpRequest { target: vm.spec().ipv4 }.frame(left.spec())).unwrap();
    let stream = left.stream(&vm, 1_000).await.unwrap();
    let forward = async {
        while stream.ledger().sent_so_far() < 20 || stream.ledger().report().delivered == 0 {
            old_far.send(left_far.recv().await.unwrap()).unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, forward).await.expect("late data arrives");
    assert_eq!(old_far.try_recv(), None);
    assert!(vm.let_go().await.unwrap().is_some());
    assert!(vm.let_go().await.unwrap().is_none());
}

#[tokio::test]
async fn a_host_that_is_plugged_in_does_not_see_what_waited_in_the_wire() {
    let (near, far) = link(LinkConfig::default());
    let traffic = Traffic::default();
    let (first, _first_far) = link(LinkConfig::default());
    let vm = Host::start(spec("vm", 1), Arc::new(first), traffic.clone());
    assert!(vm.unplug().await.unwrap().is_some());
    far.send(Announcement::ArpRequest { target: vm.spec().ipv4 }.frame(&spec("left", 2))).unwrap();
    vm.plug(Arc::new(near)).await.unwrap();
    let to: IpAddr = Ipv4Addr::new(10, 0, 0, 9).into();
    // The first frame the host sends here is its own request, not an answer to the stale one.
    let (_, frame) = tokio::join!(vm.ping(to, Duration::from_millis(50)), far.recv());
    assert_eq!(frame.unwrap()[20..22], [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_host_answers_late() {
    let (left, right, _) = pair(LinkConfig::default());
    right.set_answers(Answers::After(Duration::from_millis(120))).await.unwrap();
    let start = tokio::time::Instant::now();
    assert!(left.ping(right.spec().ipv4.into(), PATIENCE).await.unwrap().is_some());
    assert!(start.elapsed() >= Duration::from_millis(120));
}

#[tokio::test(start_paused = true)]
async fn a_host_has_the_addresses_that_it_was_given_last() {
    let (left, right, _) = pair(LinkConfig::default());
    let (ipv4, ipv6) = (Ipv4Addr::new(10, 0, 0, 77), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x77));
    right.readdress(ipv4, ipv6).await.unwrap();
    assert_eq!(right.address(), IpAddr::from(ipv4));
    assert_eq!(left.ping(right.spec().ipv4.into(), Duration::from_secs(1)).await.unwrap(), None);
    assert!(left.ping(ipv4.into(), PATIENCE).await.unwrap().is_some());
    assert!(left.ping(ipv6.into(), PATIENCE).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_host_without_ipv4_has_only_ipv6() {
    let (near, far) = link(LinkConfig::default());
    let traffic = Traffic::default();
    let left = Host::start(spec("left", 1), Arc::new(near), traffic.clone());
    let habits = Habits { ipv6_only: true, ..Habits::default() };
    let right = Host::start_with(spec("right", 2), habits, Arc::new(far), traffic);
    assert_eq!(left.ping(right.spec().ipv4.into(), Duration::from_secs(1)).await.unwrap(), None);
    assert!(left.ping(right.address(), PATIENCE).await.unwrap().is_some());
    let stream = left.stream(&right, 1_000).await.unwrap();
    assert!(stream.ledger().sends(50, PATIENCE).await);
    assert_eq!(stream.finish().await.unwrap().lost, 0);
}

#[tokio::test(start_paused = true)]
async fn a_paused_host_takes_in_later_what_waits_and_one_that_was_off_does_not() {
    let (left, right, _) = pair(LinkConfig::default());
    left.ping(right.spec().ipv4.into(), PATIENCE).await.unwrap().expect("the cable is good");
    for (off, arrives) in [(false, true), (true, false)] {
        let stream = left.stream(&right, 1_000).await.unwrap();
        if off {
            right.power_off().await.unwrap();
        } else {
            right.pause().await.unwrap();
        }
        let before = stream.ledger().sent_so_far();
        assert!(stream.ledger().sends(50, PATIENCE).await);
        let after = stream.ledger().sent_so_far();
        assert_eq!(stream.ledger().report_of(before..after).delivered, 0);
        right.resume().await.unwrap();
        let ledger = stream.finish().await.unwrap();
        assert_eq!(ledger.lost == 0, arrives, "{ledger:?}");
    }
    // It has forgotten everything, and works.
    assert!(right.ping(left.spec().ipv4.into(), PATIENCE).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_neighbour_that_is_known_need_not_answer() {
    let (left, right, _) = pair(LinkConfig::default());
    right.set_answers(Answers::Never).await.unwrap();
    left.know(right.spec()).await.unwrap();
    let stream = left.stream(&right, 1_000).await.unwrap();
    assert!(stream.ledger().sends(50, PATIENCE).await);
    assert_eq!(stream.finish().await.unwrap().lost, 0);
}

#[tokio::test(start_paused = true)]
async fn a_flood_comes_at_its_rate_and_begins_at_once() {
    let (near, far) = link(LinkConfig::default());
    let host = Host::start(spec("left", 1), Arc::new(near), Traffic::default());
    let start = tokio::time::Instant::now();
    host.flood(vec![7; 60], 10).await.unwrap();
    for count in 0..5_u32 {
        assert_eq!(far.recv().await, Some(vec![7; 60]));
        let due = count * Duration::from_millis(100);
        assert!((due..due + Duration::from_millis(10)).contains(&start.elapsed()), "{:?}", start.elapsed());
    }
    host.stop_flood().await.unwrap();
    assert_eq!(far.try_recv(), None);
}

#[tokio::test(start_paused = true)]
async fn each_of_a_crowd_answers_and_takes_in_what_is_meant_for_it() {
    let (near, far) = link(LinkConfig::default());
    let traffic = Traffic::default();
    let sender = Host::start(spec("left", 1), Arc::new(near), traffic.clone());
    let crowd = Crowd::start("crowd", 300, Arc::new(far), traffic);
    let stream = sender.stream_to_crowd(&crowd, 1_000).await.unwrap();
    assert!(stream.ledger().sends(600, PATIENCE).await);
    assert_eq!(stream.finish().await.unwrap().lost, 0);

    let (new, new_far) = link(LinkConfig::default());
    let (new_far, old) = (new_far, crowd.transfer(Arc::new(new)).await.unwrap());
    crowd.announce(vec![299]).await.unwrap();
    let heard = new_far.recv().await.unwrap();
    assert_eq!(heard[6..12], [2, 1, 0, 0, 1, 43]);
    let (mac, ipv4) = crowd.members()[7];
    let asked = HostSpec { name: "member".to_owned(), mac, ipv4, ..spec("member", 7) };
    new_far.send(Announcement::ArpRequest { target: asked.ipv4 }.frame(&spec("left", 1))).unwrap();
    let answer = new_far.recv().await.unwrap();
    assert_eq!((&answer[6..12], &answer[28..32]), (&mac.octets()[..], &ipv4.octets()[..]));
    drop(old);
}
