//! Hosts on their wires: where they are, what they answer, and what of the numbered data reaches them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use vouch_net::MacAddr;
use vouch_switch_server::Endpoint;

use crate::frames::{self, Announcement, Arrival, Question};
use crate::log::Log;

/// An access port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Seat {
    pub(crate) site: usize,
    pub(crate) port: u16,
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port {} of VTEP {}", self.port, self.site + 1)
    }
}

/// How a host answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    /// After so long.
    After(Duration),
    /// For the first of its addresses only.
    First,
    /// Never.
    Never,
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::After(delay) => write!(f, "answers after {} ms", delay.as_millis()),
            Self::First => f.write_str("answers for its first address only"),
            Self::Never => f.write_str("answers nothing"),
        }
    }
}

/// A host.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) name: &'static str,
    pub(crate) mac: MacAddr,
    pub(crate) addresses: Vec<Ipv4Addr>,
    pub(crate) answers: Answers,
    pub(crate) at: Seat,
    pub(crate) silent_until: Instant,
}

/// Which one.
pub(crate) type HostId = usize;

/// All hosts and wires. Clones are the same.
#[derive(Clone)]
pub(crate) struct Hosts {
    shared: Arc<Mutex<State>>,
    wires: Arc<BTreeMap<Seat, Endpoint>>,
    log: Log,
}

#[derive(Default)]
struct State {
    hosts: Vec<Host>,
    sent: Vec<Sent>,
}

/// Data that was sent to a host.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) when: Duration,
    pub(crate) from: usize,
    pub(crate) to: HostId,
    /// Where it was to arrive.
    pub(crate) place: Seat,
    /// How often it did.
    pub(crate) arrived: u32,
    /// Where else it did.
    pub(crate) elsewhere: Vec<Seat>,
}

impl Hosts {
    /// Takes the hosts' ends of all wires, and begins to listen.
    pub(crate) fn new(hosts: Vec<Host>, wires: BTreeMap<Seat, Endpoint>, log: Log) -> Self {
        let shared = Arc::new(Mutex::new(State { hosts, sent: Vec::new() }));
        let all = Self { shared, wires: Arc::new(wires), log };
        for (seat, wire) in all.wires.iter() {
            let (all, seat, wire) = (all.clone(), *seat, wire.clone());
            tokio::spawn(async move {
                while let Some(frame) = wire.recv().await {
                    all.arrives(seat, &frame);
                }
            });
        }
        all
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A host as it is now.
    pub(crate) fn get(&self, host: HostId) -> Host {
        self.lock().hosts[host].clone()
    }

    /// All as they are now.
    pub(crate) fn all(&self) -> Vec<Host> {
        self.lock().hosts.clone()
    }

    /// Changes a host.
    pub(crate) fn change(&self, host: HostId, change: impl FnOnce(&mut Host)) {
        change(&mut self.lock().hosts[host]);
    }

    /// Sends a frame into a port, whoever sits there.
    pub(crate) fn send(&self, seat: Seat, frame: Vec<u8>) {
        if let Some(wire) = self.wires.get(&seat) {
            // A link that is down loses it.
            let _ = wire.send(frame);
        }
    }

    /// A host says where it is, unless it is silent.
    pub(crate) fn announce(&self, host: HostId, how: Announcement) {
        let host = self.get(host);
        if host.silent_until <= Instant::now() {
            for address in host.addresses {
                self.send(host.at, how.frame(host.mac, address));
            }
        }
    }

    /// Sends numbered data to a host, which is accounted for, from a port of a site.
    pub(crate) fn send_data(&self, from: Seat, mac: MacAddr, to: HostId) {
        let frame = {
            let mut state = self.lock();
            let (place, target) = (state.hosts[to].at, state.hosts[to].mac);
            let when = self.log.time();
            let number = state.sent.len() as u64;
            state.sent.push(Sent { when, from: from.site, to, place, arrived: 0, elsewhere: Vec::new() });
            frames::data(mac, target, number + 1)
        };
        self.send(from, frame);
    }

    /// The account of what was sent so far; a new one begins.
    pub(crate) fn take_sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.lock().sent)
    }

    /// Pulls the cable of a seat, or plugs it in.
    pub(crate) fn set_link(&self, seat: Seat, up: bool) {
        if let Some(wire) = self.wires.get(&seat) {
            wire.set_up(up);
        }
    }

    fn arrives(&self, seat: Seat, frame: &[u8]) {
        let Some((to, arrival)) = frames::read(frame) else { return };
        match arrival {
            Arrival::Question(question) => {
                for host in self.all().iter().filter(|host| host.at == seat) {
                    if to == host.mac || to == MacAddr::BROADCAST {
                        self.answer(host, question);
                    }
                }
            }
            Arrival::Data(number) => {
                let Some(index) = usize::try_from(number).ok().and_then(|number| number.checked_sub(1)) else {
                    return;
                };
                let mut state = self.lock();
                let State { sent, hosts } = &mut *state;
                let Some(sent) = sent.get_mut(index).filter(|sent| hosts[sent.to].mac == to) else { return };
                if sent.place == seat {
                    sent.arrived += 1;
                } else {
                    sent.elsewhere.push(seat);
                }
                drop(state);
                self.log.frame(number);
            }
            Arrival::Other => {}
        }
    }

    fn answer(&self, host: &Host, question: Question) {
        let delay = match host.answers {
            Answers::After(delay) if host.addresses.contains(&question.target) => delay,
            Answers::First if host.addresses.first() == Some(&question.target) => Duration::from_millis(1),
            Answers::After(_) | Answers::First | Answers::Never => return,
        };
        if host.silent_until > Instant::now() {
            return;
        }
        let (all, mac, at) = (self.clone(), host.mac, host.at);
        tokio::spawn(async move {
            sleep(delay).await;
            let still = |host: &Host| host.mac == mac && host.at == at && host.silent_until <= Instant::now();
            if all.all().iter().any(still) {
                all.send(at, frames::answer(mac, question));
            }
        });
    }
}
