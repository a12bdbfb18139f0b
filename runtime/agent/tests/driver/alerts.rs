//! The alerts of `configs/observability` and the faults that they are about: an agent's figures before and after a fault, in `promtool`'s hands
//! where it is installed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use vouch_agent::metrics::Metrics;
use vouch_agent::{AgentEventKind, Config};
use vouch_mobility::Report;
use vouch_net::MacAddr;
use vouch_switch_server::Endpoint;

use crate::bench::*;
use crate::evidence::{ADDRESS, answering, trusting};
use crate::kind::Kind;

/// Figures by their names and labels.
type Figures = BTreeMap<String, f64>;

/// A fault: the alert that it fires, and the figures before and after it.
struct Fault {
    alert: &'static str,
    before: Figures,
    after: Figures,
}

/// A switch with two hosts' cables, and an agent whose figures are read.
struct Scene {
    bench: Bench,
    agent: Watched,
    metrics: Metrics,
}

impl Scene {
    async fn with(config: impl FnOnce(&mut Config)) -> Self {
        let address = free_address();
        Self::at(switch(Kind::Bmv2, address).await, address, config).await
    }

    async fn at(bench: Bench, address: std::net::SocketAddr, change: impl FnOnce(&mut Config)) -> Self {
        let metrics = Metrics::default();
        let mut config = trusting(Kind::Bmv2, address);
        change(&mut config);
        let mut agent = start_counted(config, &metrics);
        agent.ready().await;
        Self { bench, agent, metrics }
    }

    async fn figures(&self) -> Figures {
        figures(&self.metrics, Some(&self.agent)).await
    }

    fn says(&self, cable: usize, frame: Vec<u8>) {
        self.bench.cables[cable].send(frame).expect("the link is up");
    }

    /// The host is at the first cable, and has answered there.
    async fn settled(&mut self) {
        self.says(0, arp(HOST, ADDRESS));
        tokio::select! {
            () = self.agent.until(|kind| matches!(kind, AgentEventKind::Answered { .. }).then_some(())) => {}
            () = answering(&self.bench.cables[0]) => unreachable!("it answers for ever"),
        }
    }

    /// Until it is reported, while hosts at `there` answer and a frame is said over and over at the second cable.
    async fn until(&mut self, there: &[usize], frame: &[u8], mut wanted: impl FnMut(&Report) -> bool) {
        let Self { bench, agent, .. } = self;
        let reported = agent.until(|kind| match kind {
            AgentEventKind::Report(report) => wanted(report).then_some(()),
            _ => None,
        });
        let hosts = futures::future::join_all(there.iter().map(|cable| answering(&bench.cables[*cable])));
        tokio::select! {
            () = reported => {}
            () = talking(&bench.cables[1], frame) => unreachable!("it talks for ever"),
            _ = hosts, if !there.is_empty() => unreachable!("they answer for ever"),
        }
    }

    async fn end(self, alert: &'static str, before: Figures) -> Fault {
        let after = self.figures().await;
        self.agent.stop().await;
        self.bench.server.shutdown().await;
        Fault { alert, before, after }
    }
}

async fn talking(cable: &Endpoint, frame: &[u8]) {
    loop {
        cable.send(frame.to_vec()).expect("the link is up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn figures(metrics: &Metrics, agent: Option<&Watched>) -> Figures {
    let tally = match agent {
        Some(agent) => agent.agent.figures().tally().await,
        None => None,
    };
    let text = metrics.encode(tally.into_iter().collect());
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_fires_its_alert() {
    let faults = [
        nobody().await,
        no_switch().await,
        no_peer().await,
        attack().await,
        stolen_address().await,
        mute().await,
        two_places().await,
        full().await,
        too_long().await,
        policed().await,
        refused_entries().await,
        twins().await,
        flooded().await,
        slow().await,
    ];
    for fault in &faults {
        assert_ne!(fault.before, fault.after, "{}: nothing shows it", fault.alert);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/observability/alerts.yaml");
    let rules = rules.canonicalize().expect("it is there");
    let text = std::fs::read_to_string(&rules).expect("it is readable");
    let alerts: BTreeSet<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert_eq!(faults.iter().map(|fault| fault.alert).collect::<BTreeSet<_>>(), alerts, "one fault for each alert");
    let mut test = format!("rule_files: [{}]\nevaluation_interval: 30s\ntests:\n", rules.display());
    for fault in &faults {
        fault.write(&mut test);
    }
    let file = folder.path().join("test.yaml");
    std::fs::write(&file, &test).expect("the folder is writable");
    match Command::new("promtool").args(["test", "rules"]).arg(&file).output() {
        Ok(output) => assert!(output.status.success(), "{}{test}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => eprintln!("SKIPPED: promtool (package prometheus) cannot be run: {error}"),
    }
}

impl Fault {
    /// As a test for promtool: it was so for a minute, and is so for ten. What is slow goes on being slow.
    fn write(&self, test: &mut String) {
        let Self { alert, before, after } = self;
        let _ = writeln!(test, "  - name: {alert}\n    interval: 30s\n    input_series:");
        let goes_on = *alert == "VouchSlow";
        for (name, now) in after {
            let then = before.get(name).copied().unwrap_or(0.0);
            let values = match now - then {
                more if goes_on && more > 0.0 => format!("{then}+{more}x40"),
                _ => format!("{then} {then} {now}x40"),
            };
            let _ = writeln!(test, "      - {{series: '{name}', values: '{values}'}}");
        }
        if after.is_empty() {
            test.push_str("      []\n");
        }
        let firing = format!("count(ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}}) > bool 0");
        let _ = writeln!(
            test,
            "    promql_expr_test:\n      - {{expr: '{firing}', eval_time: {}, exp_samples: [{{labels: '{{}}', value: 1}}]}}",
            match *alert {
                "VouchUnproven" => "8m",
                "VouchSlow" => "15m",
                _ => "4m",
            }
        );
    }
}

async fn nobody() -> Fault {
    let scene = Scene::with(|_| {}).await;
    let before = scene.figures().await;
    scene.agent.stop().await;
    scene.bench.server.shutdown().await;
    // Nobody serves anything.
    Fault { alert: "VouchAgentGone", before, after: Figures::new() }
}

async fn no_switch() -> Fault {
    let mut scene = Scene::with(|_| {}).await;
    let before = scene.figures().await;
    scene.bench.server.shutdown().await;
    scene.agent.lost().await;
    let after = figures(&scene.metrics, Some(&scene.agent)).await;
    scene.agent.stop().await;
    Fault { alert: "VouchNotReady", before, after }
}

async fn no_peer() -> Fault {
    let addresses = [free_address(), free_address()];
    let [first, second] = configs_of(Kind::Bmv2, addresses);
    let [bench, other] = [switch(Kind::Bmv2, addresses[0]).await, switch(Kind::Bmv2, addresses[1]).await];
    let metrics = Metrics::default();
    let (mut agent, mut peer) = (start_counted(first, &metrics), start(second));
    agent.peer_up().await;
    peer.peer_up().await;
    let before = figures(&metrics, Some(&agent)).await;
    peer.stop().await;
    agent.peer_down().await;
    let after = figures(&metrics, Some(&agent)).await;
    agent.stop().await;
    bench.server.shutdown().await;
    other.server.shutdown().await;
    Fault { alert: "VouchPeerDown", before, after }
}

/// Somebody goes on claiming a host that answers.
async fn attack() -> Fault {
    let mut scene = Scene::with(|_| {}).await;
    scene.settled().await;
    let before = scene.figures().await;
    scene.until(&[0], &arp(HOST, ADDRESS), |report| matches!(report, Report::Attack { .. })).await;
    scene.end("VouchAttack", before).await
}

/// Somebody goes on announcing an address that another answers for.
async fn stolen_address() -> Fault {
    let mut scene = Scene::with(|_| {}).await;
    scene.settled().await;
    let (before, mut kept) = (scene.figures().await, 0);
    let counted = |report: &Report| {
        kept += usize::from(matches!(report, Report::AddressKept { .. }));
        kept > 4
    };
    scene.until(&[0], &arp(NEIGHBOR, ADDRESS), counted).await;
    scene.end("VouchAddressTheft", before).await
}

/// A host that never answered is claimed.
async fn mute() -> Fault {
    let mut scene = Scene::with(|_| {}).await;
    scene.says(0, data(HOST, NEIGHBOR, 1));
    scene.agent.learned(HOST).await;
    let before = scene.figures().await;
    scene.until(&[], &arp(HOST, ADDRESS), |report| matches!(report, Report::Unproven { .. })).await;
    scene.end("VouchUnproven", before).await
}

/// A host was silent for a moment, and now two answer.
async fn two_places() -> Fault {
    let mut scene = Scene::with(|config| {
        config.vtep.as_mut().expect("the demo's is a VTEP").timers.probation = Duration::from_secs(60);
    })
    .await;
    scene.settled().await;
    let before = scene.figures().await;
    scene
        .until(&[], &arp(HOST, ADDRESS), |report| matches!(report, Report::Moved { .. } | Report::Unproven { .. }))
        .await;
    scene.until(&[0, 1], &data(NEIGHBOR, HOST, 1), |report| matches!(report, Report::Contested { .. })).await;
    scene.end("VouchContested", before).await
}

async fn full() -> Fault {
    let mut scene = Scene::with(|config| {
        config.vtep.as_mut().expect("the demo's is a VTEP").limits.hosts_per_port = 1;
    })
    .await;
    scene.says(1, arp(HOST, ADDRESS));
    scene.agent.learned(HOST).await;
    let before = scene.figures().await;
    scene.until(&[], &arp(NEIGHBOR, [192, 168, 1, 2]), |report| matches!(report, Report::Full { .. })).await;
    scene.end("VouchFull", before).await
}

async fn too_long() -> Fault {
    let mut scene = Scene::with(|config| config.underlay.mtu = Some(1400)).await;
    let before = scene.figures().await;
    let frame = [data(HOST, MacAddr::BROADCAST, 1), vec![0; 1500]].concat()[..1400].to_vec();
    let Scene { bench, agent, .. } = &mut scene;
    tokio::select! {
        () = agent.until(|kind| matches!(kind, AgentEventKind::ExceedsMtu { .. }).then_some(())) => {}
        () = talking(&bench.cables[1], &frame) => unreachable!("it talks for ever"),
    }
    scene.end("VouchTooLong", before).await
}

/// More answers come from a host than the agent will hear.
async fn policed() -> Fault {
    let mut scene = Scene::with(|config| {
        let rate = vouch_agent::config::PuntRate { rate: 1, burst: 1 };
        config.punt_rates.probe_reply = rate;
    })
    .await;
    scene.says(1, arp(HOST, ADDRESS));
    scene.agent.learned(HOST).await;
    let before = scene.figures().await;
    let asked_by = MacAddr([0x02, 0x76, 10, 0, 0, 1]);
    let seen = async {
        let name = "vouch_punts_policed_total{agent=\"vtep1\",reason=\"PROBE_REPLY\"}";
        while scene.figures().await.get(name).copied().unwrap_or(0.0) == before.get(name).copied().unwrap_or(0.0) {
            tokio::task::yield_now().await;
        }
    };
    let frame = data(HOST, asked_by, 1);
    tokio::select! {
        seen = tokio::time::timeout(PATIENCE, seen) => seen.expect("it is counted"),
        () = talking(&scene.bench.cables[1], &frame) => unreachable!("it talks for ever"),
    }
    scene.end("VouchAnswersPoliced", before).await
}

/// The switch has no room for what the agent believes it has.
async fn refused_entries() -> Fault {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let address = free_address();
    let (parts, pipeline) = Kind::Bmv2.small(folder.path(), 3);
    let bench = switch_of(Kind::Bmv2, parts, address).await;
    let mut scene = Scene::at(bench, address, |config| config.switch.pipeline = pipeline).await;
    scene.says(0, arp(HOST, ADDRESS));
    scene.agent.learned(HOST).await;
    let before = scene.figures().await;
    scene.says(1, arp(NEIGHBOR, [192, 168, 1, 2]));
    while scene.agent.status().await.task.failed_writes == 0 {
        tokio::task::yield_now().await;
    }
    scene.end("VouchWritesFail", before).await
}

/// A machine exists twice: at this VTEP, which is out of use, so that the other hears of none, and at another.
async fn twins() -> Fault {
    let addresses = [free_address(), free_address()];
    let [first, second] = configs_of(Kind::Bmv2, addresses);
    let [bench, other] = [switch(Kind::Bmv2, addresses[0]).await, switch(Kind::Bmv2, addresses[1]).await];
    let metrics = Metrics::default();
    let mut agent = start_counted(first, &metrics);
    agent.ready().await;
    bench.cables[0].send(arp(HOST, ADDRESS)).expect("the link is up");
    agent.learned(HOST).await;
    agent.agent.drain(true).await.expect("it has its switch");
    let peer = start(second);
    agent.peer_up().await;
    let before = figures(&metrics, Some(&agent)).await;
    let duplicate = agent.until(|kind| match kind {
        AgentEventKind::Report(Report::Duplicate { host, .. }) if host.mac == HOST => Some(()),
        _ => None,
    });
    let announcement = arp(HOST, ADDRESS);
    tokio::select! {
        () = duplicate => {}
        () = answering(&bench.cables[0]) => unreachable!("it answers for ever"),
        () = answering(&other.cables[0]) => unreachable!("it answers for ever"),
        () = talking(&other.cables[0], &announcement) => unreachable!("it talks for ever"),
    }
    let after = figures(&metrics, Some(&agent)).await;
    agent.stop().await;
    peer.stop().await;
    bench.server.shutdown().await;
    other.server.shutdown().await;
    Fault { alert: "VouchDuplicate", before, after }
}

/// More hosts announce themselves than the agent can handle while the switch takes its time to learn them.
async fn flooded() -> Fault {
    let address = free_address();
    let bench = switch(Kind::Bmv2, address).await;
    let far = later(address, Duration::from_millis(500)).await;
    let mut scene = Scene::at(bench, far, |config| {
        config.punt_rates.learn = vouch_agent::config::PuntRate { rate: 1_000_000, burst: 1_000_000 };
    })
    .await;
    let before = scene.figures().await;
    let Scene { bench, agent, .. } = &mut scene;
    let lost = async {
        while agent.status().await.task.packet_ins_dropped == 0 {
            tokio::task::yield_now().await;
        }
    };
    let flood = async {
        // A few more than may wait.
        for number in 0..20_000_u32 {
            let [_, _, high, low] = number.to_be_bytes();
            let frame = data(MacAddr([2, 0x66, 0, 0, high, low]), MacAddr::BROADCAST, 1);
            // The cable has room again once the switch has read.
            while bench.cables[1].send(frame.clone()).is_err() {
                tokio::task::yield_now().await;
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        lost = tokio::time::timeout(PATIENCE, lost) => lost.expect("not all of them can wait"),
        () = flood => unreachable!("it waits for ever"),
    }
    scene.end("VouchPuntsLost", before).await
}

/// A host moves, and the switch takes its time to do what it is told.
async fn slow() -> Fault {
    let address = free_address();
    let bench = switch(Kind::Bmv2, address).await;
    let far = later(address, Duration::from_millis(1_100)).await;
    let mut scene = Scene::at(bench, far, |_| {}).await;
    scene.says(0, arp(HOST, ADDRESS));
    scene.agent.learned(HOST).await;
    let before = scene.figures().await;
    // Nobody need be asked whether it is still there.
    scene.bench.cables[0].set_up(false);
    scene.agent.until(|kind| matches!(kind, AgentEventKind::Port { up: false, .. }).then_some(())).await;
    scene.until(&[], &arp(HOST, ADDRESS), |report| matches!(report, Report::Moved { .. })).await;
    let seen = async {
        let name = "vouch_convergence_seconds_count{agent=\"vtep1\"}";
        while scene.figures().await.get(name) == before.get(name) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("the switch takes it");
    scene.end("VouchSlow", before).await
}
