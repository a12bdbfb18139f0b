//! The task of a host: wait for a frame, a command or a time; let the stack work; put its frames on the wire.

use std::collections::VecDeque;
use std::future::pending;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use vouch_net::MacAddr;
use vouch_switch_server::{Frame, Frames};

use super::frames;
use super::stack::{Stack, UDP_PORT};
use super::{Announcement, Answers, Command, Habits, HostSpec, Power, Receiver, Wire};
use crate::traffic::{Ledger, Payload, Traffic};

/// Frames taken from a wire at once.
const BATCH: usize = 64;
/// How often a sender looks whether packets are due. Timers have this granularity anyway, so packets leave in small bursts.
const TICK: Duration = Duration::from_millis(1);
/// The most packets one look sends. What a stalled machine could not send in time is made up for only so far: longer bursts
/// would overflow queues that no real sender overflows.
const BURST: u64 = 64;
/// How often an unanswered ping asks again.
const PING_RETRY: Duration = Duration::from_millis(100);

/// One host at work. Ends when its handle is gone.
pub(super) async fn run(
    spec: HostSpec,
    habits: Habits,
    wire: Wire,
    traffic: Traffic,
    mut commands: mpsc::Receiver<Command>,
) {
    let mut host = Task {
        stack: Stack::new(spec.mac, &habits.addresses(&spec)),
        spec,
        habits,
        traffic,
        started: Instant::now(),
        wire: Some(wire),
        old_wire: None,
        power: Power::On,
        answers: habits.answers,
        late: VecDeque::new(),
        answer_for: None,
        flood: None,
        pings: Vec::new(),
        next_sequence: 0,
        streams: Vec::new(),
        announcements: Vec::new(),
    };
    let (mut batch, mut old_batch) = (Frames::new(), Frames::new());
    loop {
        let wake = host.next_wake();
        tokio::select! {
            command = commands.recv() => match command {
                Some(command) => host.command(command),
                None => return,
            },
            open = receive(&host.wire, host.power, &mut batch) => if !open { host.wire = None },
            open = receive(&host.old_wire, host.power, &mut old_batch) => if !open { host.old_wire = None },
            () = sleep_until(wake) => {}
        }
        if host.power == Power::On {
            batch.iter().for_each(|frame| host.frame(frame));
            old_batch.iter().for_each(|frame| host.late_frame(frame));
            host.work(Instant::now());
        }
        batch.clear();
        old_batch.clear();
    }
}

/// Wait for frames; false when the wire is gone for good. Loses no frame when it is dropped.
async fn receive(wire: &Option<Wire>, power: Power, batch: &mut Frames) -> bool {
    match (wire, power) {
        (Some(wire), Power::On | Power::Off) => wire.receive(batch, BATCH).await.is_ok(),
        (None, _) | (_, Power::Paused) => pending().await,
    }
}

async fn sleep_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => tokio::time::sleep_until(wake).await,
        None => pending().await,
    }
}

struct Task {
    stack: Stack,
    /// With the addresses it has now.
    spec: HostSpec,
    habits: Habits,
    traffic: Traffic,
    started: Instant,
    wire: Option<Wire>,
    /// The wire the host has moved away from, while frames from it are still taken in.
    old_wire: Option<Wire>,
    power: Power,
    answers: Answers,
    /// Requests that will be answered, and when.
    late: VecDeque<(Instant, Frame)>,
    answer_for: Option<(MacAddr, Vec<IpAddr>)>,
    flood: Option<Flood>,
    pings: Vec<Ping>,
    next_sequence: u16,
    streams: Vec<Sender>,
    announcements: Vec<(Instant, Announcement)>,
}

struct Ping {
    to: IpAddr,
    sent: Vec<(u16, Instant)>,
    retry: Instant,
    deadline: Instant,
    answered: Option<oneshot::Sender<Option<Duration>>>,
}

struct Sender {
    ledger: Arc<Ledger>,
    to: Receiver,
    pace: Pace,
}

struct Flood {
    frame: Frame,
    pace: Pace,
}

/// When what is sent at a rate is due.
struct Pace {
    rate: u32,
    /// When the schedule began; later than the true start by what was forgone.
    origin: Instant,
    sent: u64,
    tick: Instant,
}

impl Pace {
    fn new(rate: u32, now: Instant) -> Self {
        Self { rate, origin: now, sent: 0, tick: now }
    }

    /// How many are due now. What is late beyond a burst is forgone.
    fn due(&mut self, now: Instant) -> u64 {
        if now < self.tick {
            return 0;
        }
        self.tick = now + TICK;
        let due = ((now - self.origin).as_micros() * u128::from(self.rate) / 1_000_000) as u64;
        // A tick's worth may be more than a burst.
        let late = due.saturating_sub(self.sent + BURST.max(u64::from(self.rate) / 250));
        if late > 0 {
            self.origin += Duration::from_micros(late * 1_000_000 / u64::from(self.rate.max(1)));
        }
        let count = due - late - self.sent;
        self.sent += count;
        count
    }
}

impl Task {
    fn next_wake(&mut self) -> Option<Instant> {
        if self.power != Power::On {
            return None;
        }
        let now = Instant::now();
        let stack = self.stack.poll_delay(now - self.started).map(|delay| now + delay);
        let pings = self.pings.iter().map(|ping| ping.retry.min(ping.deadline));
        let streams = self.streams.iter().map(|stream| stream.pace.tick);
        let flood = self.flood.iter().map(|flood| flood.pace.tick);
        let announcements = self.announcements.iter().map(|(at, _)| *at);
        let late = self.late.front().map(|(at, _)| *at);
        pings.chain(streams).chain(flood).chain(announcements).chain(late).chain(stack).min()
    }

    fn command(&mut self, command: Command) {
        let now = Instant::now();
        // A scenario that no longer waits for an answer has been given up; there is nobody to tell.
        match command {
            Command::Ping { to, within, answered } => {
                let answered = Some(answered);
                self.pings.push(Ping { to, sent: Vec::new(), retry: now, deadline: now + within, answered });
            }
            Command::Greet => {
                let greeting = Payload::Greeting { from: self.spec.name.clone() }.bytes(0);
                self.stack.send_datagram((Ipv4Addr::BROADCAST, UDP_PORT).into(), &greeting);
            }
            Command::Send { frame, done } => {
                self.transmit(&frame);
                let _ = done.send(());
            }
            Command::Announce { rounds, announcements } => {
                for round in rounds {
                    self.announcements.extend(announcements.iter().map(|announcement| (now + round, *announcement)));
                }
            }
            Command::StartStream { ledger, to, rate } => {
                self.streams.push(Sender { ledger, to, pace: Pace::new(rate, now) });
            }
            Command::StopStream { id, done } => {
                self.streams.retain(|stream| stream.ledger.id() != id);
                let _ = done.send(());
            }
            Command::Answer { answers, done } => {
                self.answers = answers;
                let _ = done.send(());
            }
            Command::AnswerFor { victim, done } => {
                self.answer_for = victim;
                let _ = done.send(());
            }
            Command::Neighbour { mac, address, done } => {
                let us = (self.spec.mac, self.spec.ipv4);
                self.stack.receive(frames::arp_reply(mac, address, us));
                let _ = done.send(());
            }
            Command::Readdress { ipv4, ipv6, done } => {
                self.spec.ipv4 = ipv4;
                self.spec.ipv6 = ipv6;
                self.stack.set_addresses(&self.habits.addresses(&self.spec));
                let _ = done.send(());
            }
            Command::Flood { flood, done } => {
                self.flood = flood.map(|(frame, rate)| Flood { frame, pace: Pace::new(rate, now) });
                // The first at once, however low the rate.
                if let Some(flood) = &mut self.flood {
                    flood.pace.origin -= Duration::from_secs(1) / flood.pace.rate.max(1);
                }
                let _ = done.send(());
            }
            Command::Power { power, done } => {
                if power == Power::Off {
                    self.forget();
                }
                self.power = power;
                let _ = done.send(());
            }
            Command::Unplug { wire } => {
                let _ = wire.send(self.wire.take());
            }
            Command::Plug { wire, keep_old, done } => {
                empty(&wire);
                // What was still to be announced was about another place.
                self.announcements.clear();
                let old = self.wire.replace(wire);
                if keep_old {
                    self.old_wire = old;
                }
                let _ = done.send(());
            }
            Command::LetGo { wire } => {
                let _ = wire.send(self.old_wire.take());
            }
        }
    }

    /// A frame from the host's wire.
    fn frame(&mut self, frame: &[u8]) {
        self.traffic.seen_on_wire(&self.spec.name, self.spec.mac, frame);
        if let Some((mac, addresses)) = &self.answer_for
            && let Some(answer) = frames::answer(frame, *mac, addresses)
        {
            self.transmit(&answer);
        }
        match self.answers {
            Answers::Never if frames::is_solicitation(frame) => {}
            Answers::After(delay) if frames::is_solicitation(frame) => {
                self.late.push_back((Instant::now() + delay, frame.to_vec()));
            }
            Answers::AtOnce | Answers::After(_) | Answers::Never => self.stack.receive(frame.to_vec()),
        }
    }

    /// As after a reboot.
    fn forget(&mut self) {
        self.stack = Stack::new(self.spec.mac, &self.habits.addresses(&self.spec));
        self.late.clear();
        self.streams.clear();
        self.announcements.clear();
        self.flood = None;
        for ping in &mut self.pings {
            if let Some(answered) = ping.answered.take() {
                // As for any other command.
                let _ = answered.send(None);
            }
        }
        self.pings.clear();
    }

    /// A frame from the wire the host has left: data is taken in, nothing is answered.
    fn late_frame(&mut self, frame: &[u8]) {
        self.traffic.seen_on_wire(&self.spec.name, self.spec.mac, frame);
        if frames::udp_payload(frame).is_some() {
            self.stack.receive(frame.to_vec());
        }
    }

    fn work(&mut self, now: Instant) {
        self.announce(now);
        while self.late.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, frame)) = self.late.pop_front() {
                self.stack.receive(frame);
            }
        }
        self.send_streams(now);
        self.send_flood(now);
        self.send_pings(now);
        self.stack.poll(now - self.started);
        while let Some(datagram) = self.stack.receive_datagram() {
            self.traffic.delivered(&self.spec.name, datagram);
        }
        self.receive_echoes(now);
        if let Some(wire) = &self.wire {
            for frame in self.stack.transmitted() {
                send(wire, &frame);
            }
            wire.flush();
        } else {
            self.stack.transmitted().for_each(drop);
        }
    }

    fn announce(&mut self, now: Instant) {
        let due: Vec<Announcement> =
            self.announcements.extract_if(.., |(at, _)| *at <= now).map(|(_, announcement)| announcement).collect();
        for announcement in due {
            self.transmit(&announcement.frame(&self.spec));
        }
    }

    fn send_streams(&mut self, now: Instant) {
        for stream in &mut self.streams {
            let sent_us = (now - stream.pace.origin).as_micros() as u64;
            for _ in 0..stream.pace.due(now) {
                let Some(sequence) = stream.ledger.send(now) else { break };
                let payload = Payload::Stream { stream: stream.ledger.id(), sequence }.bytes(sent_us);
                match &stream.to {
                    Receiver::Address(address) => {
                        // A full socket loses the packet here, and the ledger shows it.
                        self.stack.send_datagram((*address, UDP_PORT).into(), &payload);
                    }
                    Receiver::Crowd(members) => {
                        let member = members.get(sequence as usize % members.len().max(1));
                        if let (Some(member), Some(wire)) = (member, &self.wire) {
                            send(wire, &frames::datagram((self.spec.mac, self.spec.ipv4), *member, UDP_PORT, &payload));
                        }
                    }
                }
            }
        }
    }

    fn send_flood(&mut self, now: Instant) {
        if let (Some(flood), Some(wire)) = (&mut self.flood, &self.wire) {
            for _ in 0..flood.pace.due(now) {
                send(wire, &flood.frame);
            }
        }
    }

    /// A neighbour that the stack does not know yet is asked for here: the stack itself asks at most once a second, which
    /// is longer than any scenario wants to wait for a lost request.
    fn send_pings(&mut self, now: Instant) {
        for index in 0..self.pings.len() {
            let ping = &mut self.pings[index];
            if now < ping.retry || now >= ping.deadline {
                continue;
            }
            ping.retry = now + PING_RETRY;
            let (to, sequence) = (ping.to, self.next_sequence);
            self.next_sequence = self.next_sequence.wrapping_add(1);
            if self.stack.send_echo(to, sequence) {
                ping.sent.push((sequence, now));
            }
            if let Some(request) = frames::resolve(self.spec.mac, &self.habits.addresses(&self.spec), to) {
                self.transmit(&request);
            }
        }
    }

    fn receive_echoes(&mut self, now: Instant) {
        while let Some(reply) = self.stack.receive_echo() {
            for ping in self.pings.iter_mut().filter(|ping| ping.to == reply.from) {
                let sent = ping.sent.iter().find(|(sequence, _)| *sequence == reply.sequence);
                if let Some((_, sent)) = sent
                    && let Some(answered) = ping.answered.take()
                {
                    let _ = answered.send(Some(now - *sent));
                }
            }
        }
        for ping in self.pings.iter_mut().filter(|ping| now >= ping.deadline) {
            if let Some(answered) = ping.answered.take() {
                let _ = answered.send(None);
            }
        }
        let waiting = self.pings.len();
        self.pings.retain(|ping| ping.answered.is_some());
        if self.pings.is_empty() && waiting > 0 {
            self.stack.drop_echoes();
        }
    }

    fn transmit(&self, frame: &[u8]) {
        if let Some(wire) = &self.wire {
            send(wire, frame);
            wire.flush();
        }
    }
}

/// A wire that cannot take a frame drops it and counts it, like any network card.
fn send(wire: &Wire, frame: &[u8]) {
    if let Err(error) = wire.send(frame) {
        tracing::debug!(%error, "a host's frame was dropped at its own wire");
    }
}

/// Throw away what waits in a wire.
pub(super) fn empty(wire: &Wire) {
    let mut stale = Frames::new();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    // Bounded: a wire's queue is, and one that is filled faster than this is not empty in any sense.
    for _ in 0..BATCH {
        if wire.receive(&mut stale, BATCH).as_mut().poll(&mut context).is_pending() {
            return;
        }
        stale.clear();
    }
}
