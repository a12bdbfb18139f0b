//! How long one event takes when many hosts move at once: `cargo run --release -p vouch-mobility --example side_by_side [HOSTS]`.
//!
//! One machine owns all hosts; a peer claims every one of them within a moment. All verifications run side by side, each with five rounds of
//! questions that the switch confirms and a check, and all end in silence.

use std::time::{Duration, Instant as Clock};

use vouch_mobility::{
    AccessId, Action, Advertisement, ClaimId, Config, Event, Evidence, Heard, HostKey, Incarnation, Instant, Message,
    Migration, Mobility, Sequence, VniConfig, VtepAddr,
};
use vouch_net::{MacAddr, Vni};

fn main() {
    let hosts: u32 = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let me = VtepAddr([10, 0, 0, 1].into());
    let peer = VtepAddr([10, 0, 0, 2].into());
    let vni = Vni::MAX;
    let mut config = Config::new(me);
    config.vnis.insert(vni, VniConfig { peers: [peer].into(), ..VniConfig::default() });
    config.limits.hosts_per_port = usize::MAX;
    config.limits.hosts = usize::MAX;
    config.limits.bindings_per_port = usize::MAX;
    let mut machine = Mobility::new(config);
    let mut now = Instant::EPOCH;
    machine.handle(Event::PeerUp { peer, probe_mac: None }, now);

    let key = |number: u32| {
        let [a, b, c, d] = number.to_be_bytes();
        HostKey { vni, mac: MacAddr([2, 0, a, b, c, d]) }
    };
    measure("learned", hosts, || {
        for number in 0..hosts {
            let (host, port) = (key(number), AccessId(1));
            let addresses = vec![std::net::Ipv4Addr::from(0x0a00_0000 + number).into()];
            machine.handle(
                Event::Heard(Heard { host, port, evidence: Evidence::Arp, addresses, target: None, frame: None }),
                now,
            );
            drain(&mut machine, now, true);
        }
    });
    memory("settled", hosts);
    measure("claimed", hosts, || {
        for number in 0..hosts {
            now = now + Duration::from_micros(10);
            let migration = Some(Migration::Asked {
                claim: ClaimId { incarnation: Incarnation(1), number: u64::from(number) },
                tenure: Duration::ZERO,
                damped: false,
                taken: false,
            });
            let advertisement =
                Advertisement { host: key(number), bindings: Vec::new(), sequence: Sequence(1), migration };
            machine.handle(Event::Message { from: peer, message: Message::Advertisement(advertisement) }, now);
            drain(&mut machine, now, false);
        }
    });
    memory("claimed", hosts);
    let mut timers = 0;
    let begin = Clock::now();
    while let Some(due) = machine.next_deadline().filter(|&due| due < Instant::EPOCH + Duration::from_secs(5)) {
        machine.handle_timeout(due);
        timers += 1;
        drain(&mut machine, due, false);
    }
    report("timer", timers, begin.elapsed());
    println!("{} moved", machine.counters().moves);
}

fn measure(what: &str, events: u32, work: impl FnOnce()) {
    let begin = Clock::now();
    work();
    report(what, events, begin.elapsed());
}

fn report(what: &str, events: u32, took: Duration) {
    println!("{what}: {events} events, {:.2} µs each", took.as_secs_f64() * 1e6 / f64::from(events.max(1)));
}

/// What the process has grown to, where the system tells.
fn memory(what: &str, hosts: u32) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<u64>().ok());
    if let Some(kib) = resident {
        println!("{what}: {} bytes resident for each host", kib * 1024 / u64::from(hosts.max(1)));
    }
}

/// Takes the decisions, and says what a switch would: that questions have left, and that nothing has been lost. Routine questions are answered.
fn drain(machine: &mut Mobility, now: Instant, answer: bool) {
    while let Some(action) = machine.poll_action() {
        match &action {
            Action::Probe(probe) => {
                let (host, question, round) = (probe.host, probe.question, probe.round);
                machine.handle(Event::Asked { host, question, round }, now);
                if answer {
                    machine.handle(Event::ProbeAnswered { host, from: probe.via, address: probe.targets[0] }, now);
                }
            }
            Action::Check { question, host, .. } => {
                machine.handle(Event::Checked { host: *host, question: *question, complete: true }, now);
            }
            Action::Install { .. }
            | Action::Bind { .. }
            | Action::Send { .. }
            | Action::Release { .. }
            | Action::Answer { .. }
            | Action::Drop { .. }
            | Action::Report(_) => {}
        }
        std::hint::black_box::<Action>(action);
    }
}
