//! One session (RFC 5880, section 6.8): packets and time in, packets out.

use std::time::Duration;

use super::packet::{ControlPacket, Diagnostic, State};
use crate::Time;

/// A session that is not up says so no faster than this (section 6.8.3).
const SLOW: Duration = Duration::from_secs(1);

/// The pace of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BfdTimers {
    /// How often we send, and how fast we can receive.
    pub interval: Duration,
    /// After how many missing packets the other end takes us for gone.
    pub multiplier: u8,
}

/// See the module. The names of the standard's variables stand beside the fields.
#[derive(Debug)]
pub struct Session {
    timers: BfdTimers,
    /// bfd.SessionState
    state: State,
    /// bfd.LocalDiag
    diagnostic: Diagnostic,
    /// bfd.LocalDiscr
    mine: u32,
    /// What the other end last said; None before it has said anything, or after it has been silent for the detection time.
    remote: Option<Remote>,
    /// The last that it said was that its operator holds the session down.
    held_down: bool,
    /// A new pace of ours has not been confirmed.
    polling: bool,
    /// A poll of the other end is to be answered.
    answer: bool,
    /// When the next packet is due; None while the other end wants none.
    send_at: Option<Time>,
    /// Of the random part of each interval (section 6.8.7).
    noise: u32,
}

/// What the other end said.
#[derive(Debug, Clone, Copy)]
struct Remote {
    /// bfd.RemoteDiscr
    number: u32,
    /// bfd.RemoteSessionState
    state: State,
    /// bfd.RemoteMinRxInterval
    min_rx: Duration,
    /// bfd.RemoteDemandMode
    demand: bool,
    /// When it is to be taken for gone.
    gone_at: Time,
}

impl Session {
    /// A session that begins now. `mine` is its number here: not 0, and no other session's.
    pub fn new(mine: u32, timers: BfdTimers, now: Time) -> Self {
        Self {
            timers,
            state: State::Down,
            diagnostic: Diagnostic::None,
            mine: mine.max(1),
            remote: None,
            held_down: false,
            polling: false,
            answer: false,
            send_at: Some(now),
            noise: mine | 1,
        }
    }

    /// Its number here.
    pub fn number(&self) -> u32 {
        self.mine
    }

    /// Its state.
    pub fn state(&self) -> State {
        self.state
    }

    /// Why it last went down.
    pub fn diagnostic(&self) -> Diagnostic {
        self.diagnostic
    }

    /// Whether the other end's operator holds the session down, which says nothing about the way (RFC 5882, section 3.2).
    pub fn held_down_there(&self) -> bool {
        self.held_down
    }

    /// A packet for this session has come (section 6.8.6, from where a session has been found).
    pub fn handle(&mut self, packet: &ControlPacket, now: Time) {
        let pace = self.timers.interval.max(packet.desired_min_tx);
        let heard = Remote {
            number: packet.mine,
            state: packet.state,
            min_rx: packet.required_min_rx,
            demand: packet.demand,
            gone_at: now + pace * u32::from(packet.multiplier),
        };
        let faster = self.remote.is_none_or(|before| before.min_rx != heard.min_rx);
        self.remote = Some(heard);
        self.held_down = packet.state == State::AdminDown;
        if packet.last {
            self.polling = false;
        }
        self.answer |= packet.poll;
        let before = self.state;
        self.state = match (before, packet.state) {
            (State::AdminDown, _) => State::AdminDown,
            (State::Down, State::AdminDown) => State::Down,
            (State::Down, State::Down) => State::Init,
            (State::Down, State::Init) => State::Up,
            (State::Down, State::Up) => State::Down,
            (State::Init, State::AdminDown) => State::Down,
            (State::Init, State::Down) => State::Init,
            (State::Init, State::Init | State::Up) => State::Up,
            (State::Up, State::AdminDown | State::Down) => State::Down,
            (State::Up, State::Init | State::Up) => State::Up,
        };
        match (before, self.state) {
            (State::Init | State::Up, State::Down) => self.diagnostic = Diagnostic::NeighbourDown,
            // From the slow pace to the agreed one, which the other end has to confirm (section 6.5).
            (State::Down | State::Init, State::Up) => (self.polling, self.diagnostic) = (true, Diagnostic::None),
            _ => {}
        }
        if before != self.state {
            // The other end need not wait for what has changed.
            self.send_at = Some(now);
        } else if faster {
            self.schedule(now);
        }
    }

    /// What is due is done.
    pub fn timeout(&mut self, now: Time) {
        if self.remote.is_some_and(|remote| remote.gone_at <= now) {
            // Section 6.8.4; and the number is forgotten (section 6.8.1, bfd.RemoteDiscr).
            self.remote = None;
            self.polling = false;
            if matches!(self.state, State::Init | State::Up) {
                self.state = State::Down;
                self.diagnostic = Diagnostic::TimeExpired;
                self.send_at = Some(now);
            }
        }
    }

    /// The next packet to send now, if one is due.
    pub fn poll_transmit(&mut self, now: Time) -> Option<ControlPacket> {
        let answer = std::mem::take(&mut self.answer);
        if !answer {
            self.send_at.filter(|at| *at <= now)?;
            self.schedule(now);
            if self.quiet() {
                return None;
            }
        }
        Some(ControlPacket {
            diagnostic: self.diagnostic,
            state: self.state,
            // An answer is no question (section 6.5).
            poll: self.polling && !answer,
            last: answer,
            demand: false,
            multiplier: self.timers.multiplier,
            mine: self.mine,
            yours: self.remote.map_or(0, |remote| remote.number),
            desired_min_tx: self.desired_min_tx(),
            required_min_rx: self.timers.interval,
        })
    }

    /// When [`Self::timeout`] and [`Self::poll_transmit`] are to be called next.
    pub fn next_deadline(&self) -> Option<Time> {
        self.send_at.into_iter().chain(self.remote.map(|remote| remote.gone_at)).min()
    }

    /// bfd.DesiredMinTxInterval
    fn desired_min_tx(&self) -> Duration {
        match self.state {
            State::Up => self.timers.interval,
            State::AdminDown | State::Down | State::Init => self.timers.interval.max(SLOW),
        }
    }

    /// Whether the other end wants nothing but answers (section 6.8.7).
    fn quiet(&self) -> bool {
        self.remote.is_some_and(|remote| {
            let both_up = self.state == State::Up && remote.state == State::Up;
            remote.min_rx.is_zero() || remote.demand && both_up && !self.polling
        })
    }

    /// The next packet after this one: 75 to 100 % of the interval, and at most 90 % where a single missing packet counts
    /// (section 6.8.7).
    fn schedule(&mut self, now: Time) {
        let interval = self.remote.map_or(Duration::ZERO, |remote| remote.min_rx).max(self.desired_min_tx());
        // xorshift, which is far more than it takes to keep sessions out of step.
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 17;
        self.noise ^= self.noise << 5;
        let spread = if self.timers.multiplier == 1 { 15 } else { 25 };
        self.send_at = Some(now + interval * (75 + self.noise % (spread + 1)) / 100);
    }
}
