//! Packets that wait between ingress and egress, by what a program sees of it. The program is `programs/queues.p4`.

use std::path::Path;
use std::sync::Arc;

use vouch_switch::*;

/// Most packets that are drained in one go.
const MANY: usize = 100;
/// The port that queues.
const SLOW: u16 = 9;

struct Bench {
    switch: Switch,
    worker: Worker,
    output: Output,
}

/// What a frame has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    number: u8,
    depth_in: u8,
    depth_out: u8,
    since: u32,
    waited: u32,
    left_at: u32,
}

fn frame(port: u16, priority: u8, what: u8, number: u8) -> Vec<u8> {
    let mut frame = vec![port as u8, priority, what, number];
    frame.resize(23, 0xff);
    frame.extend([0xaa, 0xbb, number]);
    frame
}

fn told(frame: &[u8]) -> Told {
    assert_eq!(frame[23..], [0xaa, 0xbb, frame[3]], "the payload is the packet's own");
    let number = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().expect("it is that long"));
    Told {
        number: frame[3],
        depth_in: frame[5],
        depth_out: frame[6],
        since: number(7),
        waited: number(11),
        left_at: number(15),
    }
}

impl Bench {
    fn new(priority_queues: u32) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/queues.json");
        let json = std::fs::read(path).expect("the compiled program is in the repository");
        let program = Program::load(&json).expect("the program loads");
        let config = SwitchConfig { priority_queues, ..SwitchConfig::default() };
        let switch = Switch::new(Arc::new(program), config);
        Self { worker: Worker::new(&switch), switch, output: Output::new() }
    }

    /// With a port that has just been seen to take no more.
    fn congested(priority_queues: u32) -> Self {
        let bench = Self::new(priority_queues);
        bench.switch.begin_queueing(SLOW);
        bench
    }

    fn limit(&self, which: QueueChoice, limits: QueueLimits) {
        let mut settings = QueueSettings::new(self.switch.config().priority_queues);
        assert!(settings.change(which, |it| *it = limits));
        self.switch.limit_queues(&settings);
    }

    /// Sends frames in at once, and gives what comes out at once.
    fn send(&mut self, frames: &[Vec<u8>], now: u64) -> Vec<(u16, Vec<u8>)> {
        self.output.clear();
        let frames = frames.iter().map(Vec::as_slice);
        self.switch.process_batch(&mut self.worker, 3, frames, Micros(now), &mut self.output);
        self.out()
    }

    fn drain(&mut self, max: usize, now: u64) -> (Vec<(u16, Vec<u8>)>, Backlog) {
        self.output.clear();
        let backlog = self.switch.drain(&mut self.worker, SLOW, max, Micros(now), &mut self.output);
        (self.out(), backlog)
    }

    /// The numbers of the frames that are drained.
    fn drained(&mut self, now: u64) -> Vec<u8> {
        self.drain(MANY, now).0.iter().map(|(_, frame)| frame[3]).collect()
    }

    fn out(&self) -> Vec<(u16, Vec<u8>)> {
        self.output.frames().map(|(port, frame)| (port, frame.to_vec())).collect()
    }

    fn waiting(&self) -> Vec<usize> {
        self.switch.queues(SLOW).iter().map(|queue| queue.waiting).collect()
    }
}

#[test]
fn a_port_that_takes_everything_has_no_queue() {
    let mut bench = Bench::new(1);
    let out = bench.send(&[frame(SLOW, 0, 0, 1), frame(SLOW, 0, 0, 2)], 50);
    let at_once = |number| Told { number, depth_in: 0, depth_out: 0, since: 50, waited: 0, left_at: 50 };
    assert_eq!(out.iter().map(|(_, frame)| told(frame)).collect::<Vec<_>>(), [at_once(1), at_once(2)]);
    assert!(bench.output.queued().is_empty());
}

#[test]
fn packets_wait_in_order_and_learn_how_many_and_how_long() {
    let mut bench = Bench::congested(1);
    assert!(bench.send(&[frame(SLOW, 0, 0, 1), frame(8, 0, 0, 2), frame(SLOW, 0, 0, 3)], 50).len() == 1);
    assert_eq!(bench.output.queued(), [SLOW]);
    bench.send(&[frame(SLOW, 0, 0, 4)], 60);
    let (out, backlog) = bench.drain(2, 100);
    let seen: Vec<Told> = out.iter().map(|(_, frame)| told(frame)).collect();
    assert_eq!(backlog, Backlog::Now);
    assert_eq!(
        seen,
        [
            Told { number: 1, depth_in: 0, depth_out: 2, since: 50, waited: 50, left_at: 100 },
            Told { number: 3, depth_in: 1, depth_out: 1, since: 50, waited: 50, left_at: 100 },
        ]
    );
    let (out, backlog) = bench.drain(MANY, 200);
    assert_eq!(
        (out.iter().map(|(_, frame)| told(frame)).collect::<Vec<_>>(), backlog),
        (vec![Told { number: 4, depth_in: 2, depth_out: 0, since: 60, waited: 140, left_at: 200 }], Backlog::Empty)
    );
    assert!(bench.switch.end_queueing(SLOW));
    assert_eq!(bench.send(&[frame(SLOW, 0, 0, 5)], 300).len(), 1);
}

#[test]
fn what_has_no_room_is_dropped_and_counted() {
    let mut bench = Bench::congested(1);
    bench.limit(QueueChoice::All, QueueLimits { depth: 2, rate: 0 });
    let frames: Vec<_> = (0..5).map(|number| frame(SLOW, 0, 0, number)).collect();
    assert!(bench.send(&frames, 0).is_empty());
    assert_eq!((bench.output.drops.queue, bench.output.drops.total()), (3, 3));
    let queue = bench.switch.queues(SLOW)[0];
    assert_eq!((queue.waiting, queue.dropped), (2, 3));
    assert_eq!(bench.drained(1), [0, 1]);
    // There is no room in a queue without depth, and the port need not be slow for that.
    bench.limit(QueueChoice::Port(4), QueueLimits { depth: 0, rate: 0 });
    assert!(bench.send(&[frame(4, 0, 0, 9)], 0).is_empty());
    assert_eq!(bench.output.drops.queue, 1);
}

#[test]
fn a_rate_lets_packets_leave_one_by_one() {
    let mut bench = Bench::new(1);
    bench.limit(QueueChoice::Port(SLOW), QueueLimits { depth: 64, rate: 100 });
    let frames: Vec<_> = (0..3).map(|number| frame(SLOW, 0, 0, number)).collect();
    assert!(bench.send(&frames, 0).is_empty());
    let (out, backlog) = bench.drain(MANY, 0);
    assert_eq!((out.len(), backlog), (1, Backlog::At(Micros(10_000))));
    assert_eq!(bench.drain(MANY, 9_999).0.len(), 0);
    assert_eq!(bench.drained(10_000), [1]);
    assert_eq!(bench.drained(20_000), [2]);
    assert!(!bench.switch.end_queueing(SLOW), "the rate is to be kept");
    bench.limit(QueueChoice::All, QueueLimits::default());
    assert!(bench.switch.end_queueing(SLOW));
}

#[test]
fn the_highest_priority_leaves_first() {
    let mut bench = Bench::congested(3);
    let frames: Vec<_> = [(0, 1), (2, 2), (1, 3), (2, 4), (3, 5)]
        .map(|(priority, number)| frame(SLOW, priority, 0, number))
        .into_iter()
        .collect();
    bench.send(&frames, 0);
    assert_eq!((bench.output.drops.priority, bench.waiting()), (1, vec![1, 1, 2]));
    assert_eq!(bench.drained(1), [2, 4, 3, 1]);
}

#[test]
fn copies_wait_as_others_do() {
    let mut bench = Bench::congested(1);
    let session = |port| CloneSession { target: CloneTarget::Port(port), max_packet_length: 0, class_of_service: 0 };
    bench.switch.insert_clone_session(5, &session(SLOW)).expect("a new session");
    bench.switch.insert_clone_session(6, &session(SLOW)).expect("a new session");
    let nodes = ReplicationNode::from_replicas(&[(SLOW, 1), (8, 1)]);
    bench.switch.insert_multicast_group(7, &nodes).expect("a new group");
    // The clone was queued before the original, and one of the replicas need not wait.
    let out = bench.send(&[frame(SLOW, 0, 1, 1), frame(0, 0, 2, 2)], 0);
    assert_eq!((out.len(), out[0].0, bench.waiting()), (1, 8, vec![3]));
    assert_eq!(bench.drained(1), [1, 1, 2]);
    // One that is cloned in egress is the last again.
    bench.send(&[frame(SLOW, 0, 3, 3), frame(SLOW, 0, 0, 4)], 0);
    let (out, backlog) = bench.drain(2, 10);
    assert_eq!((out.iter().map(|(_, frame)| frame[3]).collect::<Vec<_>>(), backlog), (vec![3, 4], Backlog::Now));
    assert_eq!(bench.output.queued(), [SLOW]);
    let (out, _) = bench.drain(MANY, 30);
    assert_eq!(told(&out[0].1), Told { number: 3, depth_in: 1, depth_out: 0, since: 10, waited: 20, left_at: 30 });
}

#[test]
fn what_has_waited_can_be_dropped_or_go_around_again() {
    let mut bench = Bench::congested(1);
    bench.send(&[frame(SLOW, 0, 4, 1), frame(SLOW, 0, 5, 2)], 0);
    let (out, backlog) = bench.drain(2, 10);
    assert_eq!((out.len(), backlog, bench.output.drops.egress), (0, Backlog::Now, 1));
    let (out, backlog) = bench.drain(MANY, 30);
    assert_eq!(told(&out[0].1), Told { number: 2, depth_in: 0, depth_out: 0, since: 10, waited: 20, left_at: 30 });
    assert_eq!(backlog, Backlog::Empty);
}

#[test]
fn a_packet_that_comes_to_a_port_that_has_just_stopped_to_queue_makes_it_queue_again() {
    let mut bench = Bench::congested(1);
    bench.output.clear();
    bench.switch.process(&mut bench.worker, 3, &frame(SLOW, 0, 0, 1), Micros(0), &mut bench.output);
    let mut other = (Worker::new(&bench.switch), Output::new());
    bench.switch.drain(&mut other.0, SLOW, MANY, Micros(1), &mut other.1);
    assert!(bench.switch.end_queueing(SLOW));
    // The first worker's output is not sent yet, so that nothing that it brings may go past the queue.
    bench.switch.process(&mut bench.worker, 3, &frame(SLOW, 0, 0, 2), Micros(2), &mut bench.output);
    assert_eq!((bench.out().len(), bench.waiting()), (0, vec![1]));
    assert!(!bench.switch.end_queueing(SLOW));
    assert!(bench.send(&[frame(SLOW, 0, 0, 3)], 3).is_empty());
    assert_eq!(bench.drained(4), [2, 3]);
}

#[test]
fn a_port_that_begins_to_queue_lets_what_has_begun_go_first() {
    let mut bench = Bench::new(1);
    bench.output.clear();
    bench.switch.process(&mut bench.worker, 3, &frame(SLOW, 0, 0, 1), Micros(0), &mut bench.output);
    bench.switch.begin_queueing(SLOW);
    // Its output has a frame that has to be sent before.
    bench.switch.process(&mut bench.worker, 3, &frame(SLOW, 0, 0, 2), Micros(0), &mut bench.output);
    assert_eq!(bench.out().iter().map(|(_, frame)| frame[3]).collect::<Vec<_>>(), [1, 2]);
    assert!(bench.send(&[frame(SLOW, 0, 0, 3)], 0).is_empty());
}

#[test]
fn a_trace_stops_at_the_queue_and_goes_on_from_there() {
    let mut bench = Bench::congested(1);
    bench.worker.set_trace(true);
    bench.worker.set_packet_number(41);
    bench.limit(QueueChoice::All, QueueLimits { depth: 1, rate: 0 });
    let sent = frame(SLOW, 0, 0, 1);
    let text = |bench: &mut Bench, number, frame: &[u8]| {
        let events = bench.worker.take_trace();
        let (program, drops) = (bench.switch.program(), bench.output.drops);
        PacketTrace { number, program, port: 3, frame, events: &events, drops }.to_string()
    };
    bench.send(std::slice::from_ref(&sent), 10);
    let first = text(&mut bench, 41, &sent);
    assert!(first.starts_with("packet 41: 26 bytes into port 3\n  ingress\n"), "{first}");
    assert!(first.ends_with("\n    queued for port 9 behind 0 (priority 0)\n"), "{first}");
    bench.worker.set_packet_number(42);
    bench.send(std::slice::from_ref(&sent), 20);
    let second = text(&mut bench, 42, &sent);
    assert!(second.ends_with("\n    dropped: the queue of port 9 is full (priority 0)\n"), "{second}");
    bench.drain(1, 35);
    let origin = bench.worker.take_origin().expect("it was traced");
    assert_eq!((origin.number, origin.port, &origin.frame), (41, 3, &sent));
    let rest = text(&mut bench, origin.number, &origin.frame);
    let head = "packet 41: 26 bytes into port 3, goes on\n  from the queue of port 9 after 25 us, 0 left behind (priority 0)\n  \
                egress to port 9\n";
    assert!(rest.starts_with(head), "{rest}");
    assert!(rest.ends_with("    sent: 26 bytes out of port 9\n"), "{rest}");
}

#[test]
fn several_feed_and_one_drains_and_every_packet_is_there_in_its_order() {
    const EACH: u32 = 5_000;
    let bench = Bench::new(1);
    bench.limit(QueueChoice::All, QueueLimits { depth: u32::MAX, rate: 0 });
    let switch = &bench.switch;
    let fed = std::sync::atomic::AtomicU32::new(0);
    // What the port has got, by feeder: the order in which frames were sent, as the wire would have it.
    let wire = std::sync::Mutex::new([Vec::new(), Vec::new()]);
    let send = |output: &mut Output| {
        let mut wire = wire.lock().expect("nobody panicked");
        for (_, frame) in output.frames() {
            wire[usize::from(frame[3])].push(u16::from_be_bytes([frame[24], frame[25]]));
        }
        output.clear();
    };
    std::thread::scope(|scope| {
        for feeder in 0..2u8 {
            let (send, fed) = (&send, &fed);
            scope.spawn(move || {
                let (mut worker, mut output) = (Worker::new(switch), Output::new());
                for number in 0..EACH {
                    let mut frame = frame(SLOW, 0, 0, feeder);
                    frame[24..26].copy_from_slice(&(number as u16).to_be_bytes());
                    switch.process(&mut worker, 3, &frame, Micros(0), &mut output);
                    send(&mut output);
                    if number % 7 == 0 {
                        switch.begin_queueing(SLOW);
                    }
                }
                fed.fetch_add(1, std::sync::atomic::Ordering::Release);
            });
        }
        let (mut worker, mut output) = (Worker::new(switch), Output::new());
        loop {
            let over = fed.load(std::sync::atomic::Ordering::Acquire) == 2;
            let backlog = switch.drain(&mut worker, SLOW, 3, Micros(0), &mut output);
            send(&mut output);
            if backlog == Backlog::Empty && switch.end_queueing(SLOW) && over {
                break;
            }
        }
    });
    let expected: Vec<u16> = (0..EACH as u16).collect();
    for sent in wire.into_inner().expect("nobody panicked") {
        assert!(sent == expected, "{} of {EACH} packets, in order: {}", sent.len(), sent.is_sorted());
    }
}
