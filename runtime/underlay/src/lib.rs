//! Next hops by their addresses: who answers, with which MAC address, and who has gone.
//!
//! A route names a router by its IP address, and frames need its MAC address. [`Underlay`] asks for it (ARP, RFC 826, or neighbour discovery, RFC 4861), goes on asking so
//! that it is known within a second that the router is gone, and watches it by BFD ([`bfd`]) where that is configured. It is a state
//! machine without I/O and without clock: [`Underlay::handle`] takes frames, [`Underlay::timeout`] the time, and
//! [`Underlay::poll_action`] gives what follows. The driver sends frames, and takes next hops into use and out of it.
//!
//! The story of one next hop: nobody has answered for it, and everybody on its link is asked → it answers, is [`Action::Up`], and is
//! asked by itself from then on → it is silent for a few questions, [`Action::Down`], and everybody is asked again.
//!
//! An answer counts only if it was sent to us, on the link that the address is on, by the MAC address that it names. What else is
//! said is refused with a reason ([`Refused`]). Others' questions for our own addresses are answered. The underlay is trusted as
//! far as its links go: whoever is on a link can answer for a router there.
//!
//! | file | what it is |
//! |---|---|
//! | `lib` | all next hops of a switch |
//! | `neighbour` | one |
//! | `frames` | ARP, neighbour discovery and BFD on the wire |
//! | `bfd` | the protocol, and one session |

pub mod bfd;
mod frames;
mod neighbour;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use vouch_net::MacAddr;

use self::bfd::{BfdTimers, Diagnostic};
use self::frames::{End, Heard};
use self::neighbour::{Neighbour, Question};

pub use self::frames::FrameError;

/// How long it is since the driver began.
pub type Time = Duration;

/// When next hops are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking {
    /// How often.
    pub every: Duration,
    /// After how many questions without an answer one is gone.
    pub misses: u32,
}

/// Our end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its MAC address.
    pub mac: MacAddr,
    /// Its IP address. Next hops there are of the same family.
    pub address: IpAddr,
    /// How next hops there are watched beside.
    pub bfd: Option<BfdTimers>,
}

/// A next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextHop {
    /// The port of its link.
    pub port: u16,
    /// Its address.
    pub address: IpAddr,
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at port {}", self.address, self.port)
    }
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a frame out of a port.
    Send {
        /// The port.
        port: u16,
        /// The frame, whole.
        frame: Vec<u8>,
    },
    /// A next hop can be used, with this MAC address. Told again when it has another.
    Up {
        /// Which.
        hop: NextHop,
        /// Its MAC address.
        mac: MacAddr,
    },
    /// A next hop cannot be used. Told once; of one that was never up, when it should have answered.
    Down {
        /// Which.
        hop: NextHop,
        /// Why.
        why: Why,
    },
}

/// Why a next hop cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It has not answered so many questions in a row.
    Silent {
        /// How many.
        questions: u32,
    },
    /// Its BFD session is not up.
    Bfd(Diagnostic),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent { questions } => write!(f, "no answer to {questions} questions for its MAC address"),
            Self::Bfd(diagnostic) => write!(f, "BFD: {diagnostic}"),
        }
    }
}

/// Why what was said is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It cannot be read, or does not count.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It came in by a port that has no address.
    #[error("port {0} has no address in the underlay")]
    NoLink(u16),
    /// An answer that is to somebody else.
    #[error("{from} answers {to}, not us")]
    NotToUs {
        /// Whose it says that the address is.
        from: MacAddr,
        /// To whom.
        to: IpAddr,
    },
    /// An answer, or a BFD packet, of a next hop that is at another port.
    #[error("{mac} speaks for {address} at port {here}, which is a next hop at port {there}")]
    WrongPort {
        /// Who; of a BFD packet, nobody knows.
        mac: MacAddr,
        /// For which address.
        address: IpAddr,
        /// Where.
        here: u16,
        /// Where it would be right.
        there: u16,
    },
    /// An answer, or a BFD packet, of somebody who is no next hop.
    #[error("{address} at port {port} is no next hop")]
    NoNextHop {
        /// Who.
        address: IpAddr,
        /// Where.
        port: u16,
    },
    /// Somebody says that he has our own address.
    #[error("{mac} says that it has our own address {address}")]
    OurAddress {
        /// Who.
        mac: MacAddr,
        /// The address.
        address: IpAddr,
    },
    /// A BFD packet of a next hop that is not watched so, or of another session.
    #[error("{hop} has no BFD session {number}")]
    NoSession {
        /// Who.
        hop: NextHop,
        /// The number that it names.
        number: u32,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Underlay {
    links: BTreeMap<u16, Link>,
    asking: Asking,
    hops: BTreeMap<NextHop, Watched>,
    actions: VecDeque<Action>,
}

#[derive(Debug)]
struct Watched {
    neighbour: Neighbour,
    /// What the driver has been told.
    told: Told,
    /// Of the sessions, which this is.
    session: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Up(MacAddr),
    Down,
}

impl Underlay {
    /// The next hops of a switch, of which nobody knows anything yet. Each is on one of the links, and of its family; others are left out. `seed` tells
    /// the BFD sessions of this life from those of the one before.
    pub fn new(
        links: BTreeMap<u16, Link>,
        hops: impl IntoIterator<Item = NextHop>,
        asking: Asking,
        seed: u32,
        now: Time,
    ) -> Self {
        let mut watched = BTreeMap::new();
        for (session, hop) in (0_u16..).zip(hops) {
            let link = links.get(&hop.port).filter(|link| link.address.is_ipv6() == hop.address.is_ipv6());
            let Some(link) = link else { continue };
            let number = seed.wrapping_mul(1 << 16).wrapping_add(u32::from(session) + 1);
            let neighbour = Neighbour::new(link.bfd.map(|timers| (number, timers)), now);
            watched.insert(hop, Watched { neighbour, told: Told::Nothing, session });
        }
        Self { links, asking, hops: watched, actions: VecDeque::new() }
    }

    /// A next hop was in use before we were there, with this MAC address: it is, until it is known better.
    pub fn restored(&mut self, hop: NextHop, mac: MacAddr, now: Time) {
        if let Some(watched) = self.hops.get_mut(&hop) {
            watched.neighbour.restored(mac, now);
            self.tell(hop);
        }
    }

    /// The driver has lost touch with the links: what was asked may never have been.
    pub fn lost_touch(&mut self) {
        self.hops.values_mut().for_each(|watched| watched.neighbour.lost_touch());
    }

    /// A frame has come in by a port.
    ///
    /// # Errors
    /// Why it changes nothing.
    pub fn handle(&mut self, port: u16, frame: &[u8], now: Time) -> Result<(), Refused> {
        let link = *self.links.get(&port).ok_or(Refused::NoLink(port))?;
        match frames::read(frame)? {
            Heard::Question { from, target } => self.question(port, link, from, target, now),
            // The other family's affairs are none of this link's.
            Heard::Answer { from, .. } if from.address.is_ipv6() != link.address.is_ipv6() => Ok(()),
            Heard::Answer { from, to } => self.answer(port, link, from, to, now),
            Heard::Bfd { from, to, packet } => self.bfd(port, link, from, to, &packet, now),
        }
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: Time) {
        let hops: Vec<NextHop> = self.hops.keys().copied().collect();
        for hop in hops {
            let (Some(watched), Some(link)) = (self.hops.get_mut(&hop), self.links.get(&hop.port)) else { continue };
            let own = End { mac: link.mac, address: link.address };
            let neighbour = &mut watched.neighbour;
            if let Some(question) = neighbour.due(self.asking, now) {
                let of = match question {
                    Question::Everybody => None,
                    Question::One(mac) => Some(mac),
                };
                let frame = frames::question(own, of, hop.address);
                self.actions.push_back(Action::Send { port: hop.port, frame });
            }
            if let Some(session) = neighbour.session() {
                session.timeout(now);
            }
            self.transmit(hop, now);
            self.tell(hop);
        }
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Self::timeout`] is to be called next; `None` without next hops.
    pub fn next_deadline(&self) -> Option<Time> {
        self.hops.values().map(|watched| watched.neighbour.next_deadline()).min()
    }

    /// All next hops, with the MAC addresses of those that can be used.
    pub fn next_hops(&self) -> impl Iterator<Item = (NextHop, Option<MacAddr>)> {
        self.hops.iter().map(|(hop, watched)| match watched.told {
            Told::Up(mac) => (*hop, Some(mac)),
            Told::Nothing | Told::Down => (*hop, None),
        })
    }

    fn question(&mut self, port: u16, link: Link, from: End, target: IpAddr, now: Time) -> Result<(), Refused> {
        if from.address == link.address {
            return Err(Refused::OurAddress { mac: from.mac, address: from.address });
        }
        if target == link.address {
            let own = End { mac: link.mac, address: link.address };
            self.actions.push_back(Action::Send { port, frame: frames::answer(own, from) });
            // RFC 4862, section 5.4.3: he asks because he wants to have it.
            if from.address.is_unspecified() && from.address.is_ipv6() {
                return Err(Refused::OurAddress { mac: from.mac, address: target });
            }
        }
        // Whoever speaks is there, but what he says to others is not said to us.
        if let Some(watched) = self.hops.get_mut(&NextHop { port, address: from.address }) {
            watched.neighbour.asks(now);
        }
        Ok(())
    }

    fn answer(&mut self, port: u16, link: Link, from: End, to: End, now: Time) -> Result<(), Refused> {
        if from.address == link.address {
            return Err(Refused::OurAddress { mac: from.mac, address: from.address });
        }
        if (to.mac, to.address) != (link.mac, link.address) {
            return Err(Refused::NotToUs { from: from.mac, to: to.address });
        }
        let hop = self.at(port, from.address, from.mac)?;
        if let Some(watched) = self.hops.get_mut(&hop) {
            watched.neighbour.answered(from.mac, now);
        }
        self.transmit(hop, now);
        self.tell(hop);
        Ok(())
    }

    fn bfd(
        &mut self,
        port: u16,
        link: Link,
        from: IpAddr,
        to: IpAddr,
        packet: &bfd::ControlPacket,
        now: Time,
    ) -> Result<(), Refused> {
        if to != link.address {
            return Err(Refused::NotToUs { from: MacAddr::ZERO, to });
        }
        let hop = self.at(port, from, MacAddr::ZERO)?;
        let Some(watched) = self.hops.get_mut(&hop) else { return Ok(()) };
        // RFC 5880, section 6.8.6: the number names the session; before it is known, whoever sends it does.
        let none = Refused::NoSession { hop, number: packet.yours };
        if packet.yours != 0 && watched.neighbour.number() != Some(packet.yours) {
            return Err(none);
        }
        let Some(session) = watched.neighbour.session() else {
            // Not known by ARP yet: it will be soon, as it is there.
            watched.neighbour.asks(now);
            return if watched.neighbour.number().is_some() { Ok(()) } else { Err(none) };
        };
        session.handle(packet, now);
        self.transmit(hop, now);
        self.tell(hop);
        Ok(())
    }

    /// The next hop of that address, if it is at that port.
    fn at(&self, port: u16, address: IpAddr, mac: MacAddr) -> Result<NextHop, Refused> {
        let hop = NextHop { port, address };
        if self.hops.contains_key(&hop) {
            return Ok(hop);
        }
        match self.hops.keys().find(|hop| hop.address == address) {
            Some(right) => Err(Refused::WrongPort { mac, address, here: port, there: right.port }),
            None => Err(Refused::NoNextHop { address, port }),
        }
    }

    /// Sends what is due of a session.
    fn transmit(&mut self, hop: NextHop, now: Time) {
        let (Some(watched), Some(link)) = (self.hops.get_mut(&hop), self.links.get(&hop.port)) else { return };
        let (Some(mac), number) = (watched.neighbour.mac(), watched.session) else { return };
        let Some(session) = watched.neighbour.session() else { return };
        let (own, to) = (End { mac: link.mac, address: link.address }, End { mac, address: hop.address });
        while let Some(packet) = session.poll_transmit(now) {
            let frame = frames::bfd(own, to, number, &packet);
            self.actions.push_back(Action::Send { port: hop.port, frame });
        }
    }

    /// Tells the driver, if it is not what it knows.
    fn tell(&mut self, hop: NextHop) {
        let Some(watched) = self.hops.get_mut(&hop) else { return };
        let news = match (watched.told, watched.neighbour.usable()) {
            (Told::Up(before), Some(mac)) if before == mac => return,
            (_, Some(mac)) => {
                watched.told = Told::Up(mac);
                Action::Up { hop, mac }
            }
            (Told::Down, None) => return,
            (before @ (Told::Nothing | Told::Up(_)), None) => {
                let used = before != Told::Nothing;
                let Some(why) = watched.neighbour.why_not(self.asking, used) else { return };
                watched.told = Told::Down;
                Action::Down { hop, why }
            }
        };
        self.actions.push_back(news);
    }
}
