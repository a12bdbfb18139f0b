//! Ports that take less than they are given, by a rate or by themselves, and ports that come and go.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::common::{soon, until};
use tokio::sync::{Notify, watch};
use vouch_switch::{QueueChoice, QueueView};
use vouch_switch_server::port::{Closed, Ready, Receive};
use vouch_switch_server::{
    Builder, Endpoint, Frame, Frames, LinkConfig, PlugError, Port, PortCounters, PortStatus, SendError, ServerHandle,
    SwitchServer, link,
};

/// Sends each frame out of the port that its first byte names, with what egress was told of the queue.
const JSON: &[u8] = include_bytes!("../../../switch/tests/programs/queues.json");
/// The port where frames come in, and the one that is slow.
const IN: u32 = 1;
const SLOW: u32 = 9;
const MANY: u8 = 200;

fn frame(port: u32, number: u8) -> Frame {
    let mut frame = vec![port as u8, 0, 0, number];
    frame.resize(60, 0);
    frame
}

/// When a frame came to its queue and when it left, by its own account, and how many were there when it came.
fn stay(frame: &[u8]) -> (u32, u32, u8) {
    let number = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().expect("it is that long"));
    (number(7), number(15), frame[5])
}

struct Bench {
    switch: ServerHandle,
    host: Endpoint,
}

impl Bench {
    async fn start(builder: Builder) -> Bench {
        let (host, port) = link(LinkConfig::default());
        let switch = builder.program(JSON).port(IN, port).build().expect("the ports differ");
        Bench { switch: switch.listen("127.0.0.1:0").await.expect("a free port"), host }
    }

    fn send(&self, port: u32, numbers: std::ops::Range<u8>) {
        numbers.for_each(|number| self.host.send(frame(port, number)).expect("the link is up"));
    }

    fn queue(&self) -> QueueView {
        self.switch.control().queues(SLOW as u16)[0]
    }
}

/// Frames from a host's end, until there are as many as were not dropped.
async fn all_but_dropped(bench: &Bench, host: &Endpoint, sent: u8) -> Vec<Frame> {
    let mut frames = Vec::new();
    until(|| bench.switch.counters().received == u64::from(sent)).await;
    while frames.len() as u64 + bench.switch.counters().dropped_in_queue < u64::from(sent) {
        frames.push(soon(host.recv()).await.expect("the link is there"));
    }
    frames
}

#[tokio::test]
async fn a_rate_spreads_a_burst_and_drops_its_end() {
    let (host, port) = link(LinkConfig::default());
    let bench = Bench::start(SwitchServer::builder().port(SLOW, port)).await;
    let control = bench.switch.control();
    control
        .limit_queues(QueueChoice::Port(SLOW as u16), |limits| (limits.rate, limits.depth) = (1000, 20))
        .expect("it is");
    bench.send(SLOW, 0..MANY);
    let frames = all_but_dropped(&bench, &host, MANY).await;
    assert!(frames.len() >= 20 && frames.is_sorted_by_key(|frame| frame[3]), "{frames:?}");
    let (first, ..) = stay(&frames[0]);
    for (place, frame) in (0u32..).zip(&frames) {
        let (_, left, depth) = stay(frame);
        assert!(left >= first + 1000 * place && depth < 20, "{place}: {left} after {first}, {depth} before");
    }
    assert_eq!(frames.iter().map(|frame| stay(frame).2).max(), Some(19));
    assert_eq!(bench.queue().dropped, bench.switch.counters().dropped_in_queue);

    // Without a rate, frames go through in one go again.
    control.limit_queues(QueueChoice::All, |limits| limits.rate = 0).expect("there are always all");
    bench.send(SLOW, 0..MANY);
    for number in 0..MANY {
        assert_eq!(soon(host.recv()).await.expect("the link is there")[3], number);
    }
    let refused = control.limit_queues(QueueChoice::Queue(SLOW as u16, 1), |limits| limits.rate = 1);
    assert_eq!(
        refused.expect_err("there is one").to_string(),
        "there is no queue of priority 1: each port has 1, numbered from 0"
    );
}

#[tokio::test]
async fn what_waits_is_lost_when_the_program_is_replaced_and_the_rate_stays() {
    let (host, port) = link(LinkConfig::default());
    let bench = Bench::start(SwitchServer::builder().port(SLOW, port)).await;
    let control = bench.switch.control();
    control.limit_queues(QueueChoice::All, |limits| limits.rate = 1).expect("there are always all");
    bench.send(SLOW, 0..60);
    assert_eq!(soon(host.recv()).await.expect("the link is there")[3], 0);
    until(|| bench.switch.counters().received == 60 && bench.queue().waiting > 30).await;
    control.start(JSON).expect("it is a program");
    assert_eq!((bench.queue().waiting, bench.queue().limits.rate), (0, 1));
    let mut left = 1;
    let last = loop {
        match host.try_recv() {
            Some(frame) => left = u64::from(frame[3]) + 1,
            None => break left,
        }
    };
    assert_eq!(bench.switch.counters().dropped_in_queue, 60 - last);
    bench.send(SLOW, 70..72);
    assert_eq!(soon(host.recv()).await.expect("the link is there")[3], 70);
    // Whoever waits for a moment far away does not keep the switch from ending.
    soon(bench.switch.shutdown()).await;
}

/// A port that takes a few frames and passes them on when it is told to.
struct Valve {
    /// Given to the port and not passed on, and those that were.
    frames: Mutex<(Vec<Frame>, Vec<Frame>)>,
    open: AtomicBool,
    turned: Notify,
    status: watch::Sender<PortStatus>,
}

impl Valve {
    fn shut() -> Arc<Valve> {
        let status = watch::Sender::new(PortStatus::Up);
        Arc::new(Valve { frames: Mutex::default(), open: AtomicBool::new(false), turned: Notify::new(), status })
    }

    fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
        self.turned.notify_waiters();
    }

    fn close(&self) {
        self.open.store(false, Ordering::SeqCst);
    }

    fn passed(&self) -> Vec<u8> {
        self.frames.lock().expect("nobody panicked").1.iter().map(|frame| frame[3]).collect()
    }
}

impl Port for Valve {
    fn receive<'a>(&'a self, _: &'a mut Frames, _: usize) -> Receive<'a> {
        Box::pin(std::future::pending::<Result<(), Closed>>())
    }

    fn send(&self, frame: &[u8]) -> Result<(), SendError> {
        self.frames.lock().expect("nobody panicked").0.push(frame.to_vec());
        Ok(())
    }

    fn flush(&self) -> bool {
        let mut frames = self.frames.lock().expect("nobody panicked");
        if self.open.load(Ordering::SeqCst) {
            let (given, passed) = &mut *frames;
            passed.append(given);
        }
        frames.0.is_empty()
    }

    fn ready(&self) -> Ready<'_> {
        Box::pin(async move {
            loop {
                let turned = self.turned.notified();
                tokio::pin!(turned);
                turned.as_mut().enable();
                if self.flush() {
                    return;
                }
                turned.await;
            }
        })
    }

    fn status(&self) -> watch::Receiver<PortStatus> {
        self.status.subscribe()
    }

    fn counters(&self) -> PortCounters {
        PortCounters::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_takes_no_more_fills_its_queue() {
    let valve = Valve::shut();
    let bench = Bench::start(SwitchServer::builder().port(SLOW, valve.clone())).await;
    bench.send(SLOW, 0..MANY);
    until(|| bench.switch.counters().dropped_in_queue > 0 && bench.switch.counters().received == u64::from(MANY)).await;
    assert_eq!(bench.queue().waiting, 64);
    assert!(valve.passed().is_empty());
    // Nobody else waits for it.
    let (other, port) = link(LinkConfig::default());
    bench.switch.control().plug(8, port).expect("nothing has this number");
    bench.send(8, 0..3);
    for number in 0..3 {
        assert_eq!(soon(other.recv()).await.expect("the link is there")[3], number);
    }
    valve.open();
    let dropped = bench.switch.counters().dropped_in_queue;
    until(|| valve.passed().len() as u64 + dropped == u64::from(MANY)).await;
    let passed = valve.passed();
    assert!(passed.is_sorted() && passed[0] == 0, "{passed:?}");
    assert_eq!(bench.queue().dropped, dropped);
    let deepest = valve.frames.lock().expect("nobody panicked").1.iter().map(|frame| stay(frame).2).max();
    assert_eq!(deepest, Some(63));

    // It keeps up again, and then does not, over and over: the order stays.
    for round in 0..20u8 {
        let before = valve.passed().len();
        valve.close();
        bench.send(SLOW, 0..40);
        until(|| bench.switch.counters().received >= u64::from(MANY) + 3 + 40 * u64::from(round + 1)).await;
        valve.open();
        until(|| valve.passed().len() == before + 40).await;
        assert_eq!(valve.passed()[before..], (0..40).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_trace_of_a_packet_that_has_waited_has_its_number() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = heard.clone();
    let listener = move |trace: &vouch_switch::PacketTrace<'_>| {
        let goes_on = trace.to_string().contains(", goes on\n");
        told.lock().expect("nobody panicked").push((trace.number, trace.port, trace.frame[3], goes_on));
    };
    let (host, port) = link(LinkConfig::default());
    let bench = Bench::start(SwitchServer::builder().port(SLOW, port).tracer(listener)).await;
    let control = bench.switch.control();
    control.limit_queues(QueueChoice::All, |limits| limits.rate = 100).expect("there are always all");
    bench.send(SLOW, 0..2);
    for _ in 0..2 {
        soon(host.recv()).await.expect("the link is there");
    }
    until(|| heard.lock().expect("nobody panicked").len() == 4).await;
    let mut heard = heard.lock().expect("nobody panicked").clone();
    heard.sort_unstable();
    let expected = [(1, 1, 0, false), (1, 1, 0, true), (2, 1, 1, false), (2, 1, 1, true)];
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn ports_come_and_go() {
    let bench = Bench::start(SwitchServer::builder()).await;
    let control = bench.switch.control();
    bench.send(SLOW, 0..1);
    until(|| bench.switch.counters().dropped_unplugged == 1).await;
    for number in 1..4 {
        let (host, port) = link(LinkConfig::default());
        control.plug(SLOW, port).expect("nothing has this number");
        bench.send(SLOW, number..number + 1);
        assert_eq!(soon(host.recv()).await.expect("the link is there")[3], number);
        // What comes in there is forwarded too.
        host.send(frame(IN, number)).expect("the link is up");
        assert_eq!(soon(bench.host.recv()).await.expect("the link is there")[3], number);
        assert_eq!(control.ports().keys().copied().collect::<Vec<_>>(), [1, 9]);
        // With what waits for it.
        control.limit_queues(QueueChoice::Port(SLOW as u16), |limits| limits.rate = 1).expect("there is one");
        bench.send(SLOW, 0..3);
        // The first one too, if another one has left just before.
        until(|| bench.queue().waiting >= 2).await;
        control.unplug(SLOW).expect("it is there");
        assert_eq!(bench.queue().waiting, 0);
        control.limit_queues(QueueChoice::All, |limits| limits.rate = 0).expect("there are always all");
        soon(async { while host.recv().await.is_some() {} }).await;
    }
    let (_host, port) = link(LinkConfig::default());
    let refused =
        [(IN, "port 1 is a plugged-in port"), (510, "port 510 is the CPU port"), (511, "port 511 is the drop port")];
    for (number, why) in refused {
        let text = control.plug(number, port.clone()).expect_err("it is taken").to_string();
        assert_eq!(text, format!("{why}: choose another number, or remove that one first"));
    }
    assert_eq!(control.plug(512, port).expect_err("there is none"), PlugError::OutOfRange(512));
    let missing = control.unplug(SLOW).expect_err("it is gone").to_string();
    assert_eq!(missing, "nothing is plugged in at port 9; there is 1");
}
