//! Two ends of a link, and what is between them, on a clock of their own.
//!
//! ```text
//!            port 9  192.0.2.0/31 ──── 192.0.2.1  port 1
//!   leaf ────┤                                     ├── spine
//!            port 10 192.0.2.2/31 ──── 192.0.2.3  port 2
//! ```

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use proptest::prelude::*;
use vouch_net::MacAddr;
use vouch_underlay::bfd::{BfdTimers, Diagnostic};
use vouch_underlay::{Action, Asking, FrameError, Link, NextHop, Refused, Time, Underlay, Why};

const ASKING: Asking = Asking { every: Duration::from_millis(200), misses: 3 };
const BFD: BfdTimers = BfdTimers { interval: Duration::from_millis(100), multiplier: 3 };
const FIRST: NextHop = NextHop { port: 9, address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)) };
const SECOND: NextHop = NextHop { port: 10, address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 3)) };

fn mac(number: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, number])
}

/// What the links speak.
#[derive(Debug, Clone, Copy)]
enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    /// The address on a link that ends so.
    fn address(self, last: u8) -> IpAddr {
        match self {
            Self::Ipv4 => Ipv4Addr::new(192, 0, 2, last).into(),
            Self::Ipv6 => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()).into(),
        }
    }

    fn link(self, number: u8, last: u8, bfd: Option<BfdTimers>) -> Link {
        Link { mac: mac(number), address: self.address(last), bfd }
    }

    fn leaf(self, bfd: Option<BfdTimers>, now: Time) -> Underlay {
        let links = BTreeMap::from([(9, self.link(9, 0, bfd)), (10, self.link(10, 2, bfd))]);
        let hops = [(9, 1), (10, 3)].map(|(port, last)| NextHop { port, address: self.address(last) });
        Underlay::new(links, hops, ASKING, 1, now)
    }

    fn spine(self, bfd: Option<BfdTimers>, now: Time) -> Underlay {
        let links = BTreeMap::from([(1, self.link(1, 1, bfd)), (2, self.link(2, 3, bfd))]);
        let back = [(1, 0), (2, 2)].map(|(port, last)| NextHop { port, address: self.address(last) });
        Underlay::new(links, back, ASKING, 2, now)
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn leaf(bfd: Option<BfdTimers>, now: Time) -> Underlay {
    Family::Ipv4.leaf(bfd, now)
}

fn spine(bfd: Option<BfdTimers>, now: Time) -> Underlay {
    Family::Ipv4.spine(bfd, now)
}

/// Both ends, and the two cables.
struct Fabric {
    leaf: Underlay,
    /// None: nobody is there.
    spine: Option<Underlay>,
    now: Time,
    /// Cables that carry nothing, by the leaf's port, and by the direction.
    cut: Vec<(u16, Toward)>,
    /// What the leaf has been told, and when.
    news: Vec<(Time, Action)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Toward {
    Leaf,
    Spine,
}

impl Fabric {
    fn new(bfd: Option<BfdTimers>) -> Self {
        Self::of(Family::Ipv4, bfd)
    }

    fn of(family: Family, bfd: Option<BfdTimers>) -> Self {
        let (leaf, spine) = (family.leaf(bfd, Time::ZERO), Some(family.spine(bfd, Time::ZERO)));
        Self { leaf, spine, now: Time::ZERO, cut: Vec::new(), news: Vec::new() }
    }

    fn carries(&self, port: u16, toward: Toward) -> bool {
        !self.cut.contains(&(port, toward))
    }

    /// Carries what is to be carried, until nobody has anything to say at this moment.
    fn settle(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(action) = self.leaf.poll_action() {
                quiet = false;
                match action {
                    Action::Send { port, frame } if self.carries(port, Toward::Spine) => {
                        if let Some(spine) = &mut self.spine {
                            spine.handle(port - 8, &frame, self.now).expect("said to it");
                        }
                    }
                    Action::Send { .. } => {}
                    news => self.news.push((self.now, news)),
                }
            }
            while let Some(action) = self.spine.as_mut().and_then(Underlay::poll_action) {
                quiet = false;
                if let Action::Send { port, frame } = action
                    && self.carries(port + 8, Toward::Leaf)
                {
                    self.leaf.handle(port + 8, &frame, self.now).expect("said to it");
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.settle();
            let next = self
                .leaf
                .next_deadline()
                .into_iter()
                .chain(self.spine.as_ref().and_then(Underlay::next_deadline))
                .min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.leaf.timeout(self.now);
            if let Some(spine) = &mut self.spine {
                spine.timeout(self.now);
            }
        }
        self.now = end;
    }

    /// What the leaf has been told since the last call.
    fn told(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.news).into_iter().map(|(_, news)| news).collect()
    }

    fn usable(&self) -> Vec<Option<MacAddr>> {
        self.leaf.next_hops().map(|(_, mac)| mac).collect()
    }
}

fn up(hop: NextHop, number: u8) -> Action {
    Action::Up { hop, mac: mac(number) }
}

const SILENT: Why = Why::Silent { questions: 3 };

/// An ARP answer of `from` for `address`, to `to`.
fn answer(from: MacAddr, address: IpAddr, to: (MacAddr, IpAddr)) -> Vec<u8> {
    let mut frame = [&to.0.0[..], &from.0, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2], &from.0, &octets(address)].concat();
    frame.extend(to.0.0);
    frame.extend(octets(to.1));
    frame
}

fn octets(address: IpAddr) -> [u8; 4] {
    let IpAddr::V4(address) = address else { panic!("{address} in an ARP") };
    address.octets()
}

/// A message of neighbour discovery: 135 asks, 136 answers.
fn discovery(kind: u8, from: (MacAddr, IpAddr), to: (MacAddr, IpAddr), target: IpAddr, hop_limit: u8) -> Vec<u8> {
    let octets = |address: IpAddr| match address {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(address) => panic!("{address} in neighbour discovery"),
    };
    // What it is about is the link's address of who sends it: an advertisement's target, and a solicitation's source.
    let option =
        if kind == 135 && octets(from.1) == [0; 16] { vec![] } else { [&[kind - 134, 1][..], &from.0.0].concat() };
    let flags = if kind == 136 { 0xe0 } else { 0 };
    let mut message = [&[kind, 0, 0, 0, flags, 0, 0, 0][..], &octets(target), &option].concat();
    let pseudo = [&octets(from.1)[..], &octets(to.1), &[0, 0, 0, message.len() as u8, 0, 0, 0, 58], &message].concat();
    let sum: u32 = pseudo.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let header = [0x60, 0, 0, 0, 0, message.len() as u8, 58, hop_limit];
    [&to.0.0[..], &from.0.0, &[0x86, 0xdd], &header, &octets(from.1), &octets(to.1), &message].concat()
}

/// The leaf's first link.
const US: (MacAddr, IpAddr) = (MacAddr([2, 0, 0, 0, 0, 9]), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 0)));

#[test]
fn who_answers_is_used_and_who_falls_silent_is_not_within_a_second() {
    let mut fabric = Fabric::new(None);
    fabric.run(ms(1));
    assert_eq!(fabric.told(), [up(FIRST, 1), up(SECOND, 2)], "with the first question");
    fabric.run(Duration::from_secs(60));
    assert_eq!(fabric.told(), [], "nothing changes, nothing is said");

    let cut_at = fabric.now;
    fabric.cut = vec![(9, Toward::Leaf)];
    fabric.run(Duration::from_secs(10));
    let news = std::mem::take(&mut fabric.news);
    let [(at, Action::Down { hop: FIRST, why: SILENT })] = news[..] else { panic!("{news:?}") };
    assert!(at - cut_at < Duration::from_secs(1), "{:?}", at - cut_at);
    assert_eq!(fabric.usable(), [None, Some(mac(2))]);

    fabric.cut.clear();
    fabric.run(ASKING.every);
    assert_eq!(fabric.told(), [up(FIRST, 1)]);
}

#[test]
fn over_ipv6_it_is_the_same_story() {
    let [first, second] = [(9, 1), (10, 3)].map(|(port, last)| NextHop { port, address: Family::Ipv6.address(last) });
    for bfd in [None, Some(BFD)] {
        let mut fabric = Fabric::of(Family::Ipv6, bfd);
        fabric.run(Duration::from_secs(4));
        assert_eq!(fabric.told(), [up(first, 1), up(second, 2)], "{bfd:?}");
        fabric.run(Duration::from_secs(60));
        assert_eq!(fabric.told(), []);
        fabric.cut = vec![(9, Toward::Leaf)];
        fabric.run(Duration::from_secs(1));
        let why = if bfd.is_some() { Why::Bfd(Diagnostic::TimeExpired) } else { SILENT };
        assert_eq!(fabric.told(), [Action::Down { hop: first, why }]);
        fabric.run(Duration::from_secs(5));
        fabric.cut.clear();
        fabric.run(Duration::from_secs(4));
        assert_eq!(fabric.told(), [up(first, 1)]);
    }
}

#[test]
fn over_ipv6_answers_of_others_are_refused() {
    let at = |last| Family::Ipv6.address(last);
    let us = (mac(9), at(0));
    let answer = |from, target, to, hops| discovery(136, (from, target), to, target, hops);
    let mut leaf = Family::Ipv6.leaf(None, Time::ZERO);
    let all_nodes = (MacAddr([0x33, 0x33, 0, 0, 0, 1]), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).into());
    let cases = [
        (9, answer(mac(66), at(3), us, 255), Refused::WrongPort { mac: mac(66), address: at(3), here: 9, there: 10 }),
        (9, answer(mac(66), at(77), us, 255), Refused::NoNextHop { address: at(77), port: 9 }),
        (9, answer(mac(66), at(0), us, 255), Refused::OurAddress { mac: mac(66), address: at(0) }),
        (9, answer(mac(66), at(1), (mac(9), at(9)), 255), Refused::NotToUs { from: mac(66), to: at(9) }),
        (9, answer(mac(66), at(1), (mac(8), at(0)), 255), Refused::NotToUs { from: mac(66), to: at(0) }),
        (9, answer(mac(66), at(1), all_nodes, 255), Refused::NotToUs { from: mac(66), to: all_nodes.1 }),
        (7, answer(mac(1), at(1), us, 255), Refused::NoLink(7)),
        (9, answer(mac(1), at(1), us, 254), Refused::Frame(FrameError::HopLimit(254))),
    ];
    for (port, frame, refused) in cases {
        assert_eq!(leaf.handle(port, &frame, ms(5)), Err(refused));
    }
    assert!(leaf.next_hops().all(|(_, mac)| mac.is_none()));
    assert!(std::iter::from_fn(|| leaf.poll_action()).next().is_none());
    assert_eq!(leaf.handle(9, &answer(mac(1), at(1), us, 255), ms(5)), Ok(()));
    assert_eq!(leaf.poll_action(), Some(up(NextHop { port: 9, address: at(1) }, 1)));
}

#[test]
fn who_wants_our_ipv6_address_is_told_that_it_is_taken() {
    let (us, nobody) = (Family::Ipv6.address(0), IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    let group = |last| {
        (MacAddr([0x33, 0x33, 0xff, 0, 0, last]), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, last.into()).into())
    };
    let mut leaf = Family::Ipv6.leaf(None, Time::ZERO);
    let wants = discovery(135, (mac(66), nobody), group(0), us, 255);
    assert_eq!(leaf.handle(9, &wants, ms(5)), Err(Refused::OurAddress { mac: mac(66), address: us }));
    let Some(Action::Send { port: 9, frame }) = leaf.poll_action() else { panic!("nobody is told") };
    assert_eq!((&frame[..6], frame[54], frame[58]), (&[0x33, 0x33, 0, 0, 0, 1][..], 136, 0xa0));
    // Another address is none of ours, and whoever asks from one is answered there.
    let other = discovery(135, (mac(66), nobody), group(7), Family::Ipv6.address(7), 255);
    assert_eq!((leaf.handle(9, &other, ms(5)), leaf.poll_action()), (Ok(()), None));
    let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 66).into();
    assert_eq!(leaf.handle(9, &discovery(135, (mac(66), link_local), group(0), us, 255), ms(5)), Ok(()));
    let Some(Action::Send { port: 9, frame }) = leaf.poll_action() else { panic!("no answer") };
    assert_eq!((&frame[..6], frame[54], frame[58]), (&mac(66).0[..], 136, 0xe0));
}

#[test]
fn the_other_family_is_none_of_a_links_affairs() {
    let at = |last| Family::Ipv6.address(last);
    let mut leaf = leaf(None, Time::ZERO);
    let all_nodes = (MacAddr([0x33, 0x33, 0, 0, 0, 1]), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).into());
    for (kind, from, to) in [(135, (mac(1), at(1)), all_nodes), (136, (mac(1), at(1)), all_nodes)] {
        assert_eq!((leaf.handle(9, &discovery(kind, from, to, at(1), 255), ms(5)), leaf.poll_action()), (Ok(()), None));
    }
    // Nor is a next hop that cannot be asked there.
    let links = BTreeMap::from([(9, Family::Ipv4.link(9, 0, None))]);
    let mut leaf = Underlay::new(links, [NextHop { port: 9, address: at(1) }], ASKING, 1, Time::ZERO);
    leaf.timeout(Time::ZERO);
    assert_eq!((leaf.next_hops().count(), leaf.poll_action()), (0, None));
}

#[test]
fn who_never_answers_is_named_once() {
    let mut fabric = Fabric::new(None);
    fabric.spine = None;
    fabric.run(Duration::from_secs(60));
    let down = |hop| Action::Down { hop, why: SILENT };
    assert_eq!(fabric.told(), [down(FIRST), down(SECOND)]);
    // It is asked for all the same.
    fabric.spine = Some(spine(None, fabric.now));
    fabric.run(ASKING.every);
    assert_eq!(fabric.told(), [up(FIRST, 1), up(SECOND, 2)]);
}

#[test]
fn flapping_is_told_once_per_change() {
    let mut fabric = Fabric::new(None);
    fabric.run(ms(1));
    fabric.told();
    for _ in 0..5 {
        fabric.cut = vec![(9, Toward::Leaf)];
        fabric.run(Duration::from_secs(2));
        fabric.cut.clear();
        fabric.run(Duration::from_secs(2));
        assert_eq!(fabric.told(), [Action::Down { hop: FIRST, why: SILENT }, up(FIRST, 1)]);
    }
}

#[test]
fn answers_of_others_are_refused() {
    let mut leaf = leaf(None, Time::ZERO);
    let to_us = |from, address| answer(from, address, US);
    let cases = [
        (
            9,
            to_us(mac(66), SECOND.address),
            Refused::WrongPort { mac: mac(66), address: SECOND.address, here: 9, there: 10 },
        ),
        (9, to_us(mac(66), [192, 0, 2, 77].into()), Refused::NoNextHop { address: [192, 0, 2, 77].into(), port: 9 }),
        (9, to_us(mac(66), US.1), Refused::OurAddress { mac: mac(66), address: US.1 }),
        (
            9,
            answer(mac(66), FIRST.address, (mac(9), [192, 0, 2, 9].into())),
            Refused::NotToUs { from: mac(66), to: [192, 0, 2, 9].into() },
        ),
        (9, answer(mac(66), FIRST.address, (mac(8), US.1)), Refused::NotToUs { from: mac(66), to: US.1 }),
        (7, to_us(mac(1), FIRST.address), Refused::NoLink(7)),
    ];
    for (port, frame, refused) in cases {
        assert_eq!(leaf.handle(port, &frame, ms(5)), Err(refused));
    }
    let mut forged = to_us(mac(1), FIRST.address);
    forged[11] = 66;
    let sender = FrameError::Sender { outer: mac(66), inner: mac(1) };
    assert_eq!(leaf.handle(9, &forged, ms(5)), Err(Refused::Frame(sender)));
    assert!(leaf.next_hops().all(|(_, mac)| mac.is_none()));
    assert!(std::iter::from_fn(|| leaf.poll_action()).next().is_none());
    // The same, rightly.
    assert_eq!(leaf.handle(9, &to_us(mac(1), FIRST.address), ms(5)), Ok(()));
    assert_eq!(leaf.poll_action(), Some(up(FIRST, 1)));
}

#[test]
fn another_mac_address_is_told() {
    let mut fabric = Fabric::new(None);
    fabric.run(ms(1));
    fabric.told();
    // A router that was replaced answers for the same address.
    fabric.leaf.handle(9, &answer(mac(5), FIRST.address, US), fabric.now).expect("right");
    fabric.settle();
    assert_eq!(fabric.told(), [up(FIRST, 5)]);
}

#[test]
fn who_asks_for_us_is_answered_and_asked_but_not_believed() {
    let mut leaf = leaf(None, Time::ZERO);
    leaf.timeout(Time::ZERO);
    while leaf.poll_action().is_some() {}
    let mut question = answer(mac(1), FIRST.address, US);
    question[21] = 1;
    assert_eq!(leaf.handle(9, &question, ms(5)), Ok(()));
    let Some(Action::Send { port: 9, frame }) = leaf.poll_action() else { panic!("no answer") };
    assert_eq!((&frame[..6], &frame[20..22], &frame[28..32]), (&mac(1).0[..], &[0, 2][..], &octets(US.1)[..]));
    assert_eq!((leaf.poll_action(), leaf.next_deadline()), (None, Some(ms(5))), "it is asked at once");
    // For others, nothing.
    question[38..42].copy_from_slice(&[192, 0, 2, 99]);
    assert_eq!(leaf.handle(9, &question, ms(5)), Ok(()));
    assert_eq!(leaf.poll_action(), None);
}

#[test]
fn what_was_in_use_is_used_until_it_is_silent() {
    let mut fabric = Fabric::new(None);
    fabric.spine = None;
    fabric.leaf.restored(FIRST, mac(1), Time::ZERO);
    fabric.settle();
    assert_eq!(fabric.told(), [up(FIRST, 1)]);
    fabric.run(ms(500));
    assert_eq!(fabric.told(), []);
    fabric.run(ms(500));
    assert_eq!(fabric.told().len(), 2, "silent, as the other");
    assert_eq!(fabric.usable(), [None, None]);
}

#[test]
fn a_driver_that_was_away_takes_no_silence_for_absence() {
    let mut fabric = Fabric::new(None);
    fabric.run(ms(1));
    fabric.told();
    for _ in 0..10 {
        fabric.now += Duration::from_secs(5);
        fabric.leaf.timeout(fabric.now);
        // What it sends is lost, and it is away again.
        while let Some(action) = fabric.leaf.poll_action() {
            assert!(matches!(action, Action::Send { .. }), "{action:?}");
        }
    }
    assert_eq!(fabric.usable(), [Some(mac(1)), Some(mac(2))]);
}

#[test]
fn bfd_brings_a_next_hop_up_and_finds_within_its_time_that_it_is_gone() {
    let mut fabric = Fabric::new(Some(BFD));
    fabric.run(Duration::from_secs(4));
    assert_eq!(fabric.told(), [up(FIRST, 1), up(SECOND, 2)]);
    fabric.run(Duration::from_secs(60));
    assert_eq!(fabric.told(), []);

    let cut_at = fabric.now;
    fabric.cut = vec![(9, Toward::Leaf)];
    fabric.run(ms(500));
    let news = std::mem::take(&mut fabric.news);
    let [(at, Action::Down { hop: FIRST, why: Why::Bfd(Diagnostic::TimeExpired) })] = news[..] else {
        panic!("{news:?}")
    };
    assert!(at - cut_at <= ms(300), "{:?}", at - cut_at);
    fabric.run(Duration::from_secs(5));
    fabric.cut.clear();
    fabric.run(Duration::from_secs(4));
    assert_eq!(fabric.told(), [up(FIRST, 1)], "silent for ARP as well is no second change");
}

#[test]
fn bfd_finds_a_cable_that_carries_one_way_only() {
    let mut fabric = Fabric::new(Some(BFD));
    fabric.run(Duration::from_secs(4));
    fabric.told();
    fabric.cut = vec![(9, Toward::Spine)];
    fabric.run(ms(500));
    assert_eq!(fabric.told(), [Action::Down { hop: FIRST, why: Why::Bfd(Diagnostic::NeighbourDown) }]);
}

#[test]
fn who_has_no_bfd_where_we_have_is_named_once() {
    let mut fabric = Fabric::new(Some(BFD));
    fabric.spine = Some(spine(None, Time::ZERO));
    // It has no session, and says so; that is its own affair.
    fabric.cut = vec![(9, Toward::Spine), (10, Toward::Spine)];
    for hop in [FIRST, SECOND] {
        let to = if hop == FIRST { US } else { (mac(10), [192, 0, 2, 2].into()) };
        let from = mac(if hop == FIRST { 1 } else { 2 });
        fabric.leaf.handle(hop.port, &answer(from, hop.address, to), Time::ZERO).expect("right");
    }
    for _ in 0..100 {
        fabric.run(ms(100));
        for (hop, from, to) in [(FIRST, mac(1), US), (SECOND, mac(2), (mac(10), [192, 0, 2, 2].into()))] {
            fabric.leaf.handle(hop.port, &answer(from, hop.address, to), fabric.now).expect("right");
        }
    }
    let down = |hop| Action::Down { hop, why: Why::Bfd(Diagnostic::None) };
    assert_eq!(fabric.told(), [down(FIRST), down(SECOND)]);
}

#[test]
fn a_restored_next_hop_is_used_while_its_session_begins() {
    let mut fabric = Fabric::new(Some(BFD));
    fabric.leaf.restored(FIRST, mac(1), Time::ZERO);
    fabric.settle();
    assert_eq!(fabric.told(), [up(FIRST, 1)]);
    fabric.run(Duration::from_secs(30));
    assert_eq!(fabric.told(), [up(SECOND, 2)]);
}

#[test]
fn packets_of_other_sessions_change_nothing() {
    let mut fabric = Fabric::new(Some(BFD));
    fabric.run(Duration::from_secs(4));
    let mut other = spine(Some(BFD), fabric.now);
    other.handle(1, &answer(mac(9), [192, 0, 2, 0].into(), (mac(1), FIRST.address)), fabric.now).expect("right");
    let frames = std::iter::from_fn(|| other.poll_action()).filter_map(|action| match action {
        Action::Send { frame, .. } if frame[12..14] == [8, 0] => Some(frame),
        _ => None,
    });
    for mut frame in frames {
        // It names a session that is none of ours; the UDP checksum is left out, as it may be.
        frame[50..54].copy_from_slice(&[1, 2, 3, 4]);
        frame[40..42].fill(0);
        let refused = fabric.leaf.handle(9, &frame, fabric.now);
        assert_eq!(refused, Err(Refused::NoSession { hop: FIRST, number: 0x0102_0304 }));
    }
    fabric.run(Duration::from_secs(5));
    assert_eq!(fabric.usable(), [Some(mac(1)), Some(mac(2))]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever cables do and whatever anybody sends: what is told alternates, and when all has been well for some seconds, all next
    /// hops are used.
    #[test]
    fn all_comes_right_in_the_end(
        watched: bool,
        steps in prop::collection::vec((0_u64..1_500, any::<bool>(), 9_u16..=10, any::<bool>(), prop::collection::vec(any::<u8>(), 0..70)), 0..40),
    ) {
        let mut fabric = Fabric::new(watched.then_some(BFD));
        for (span, cut, port, toward, noise) in steps {
            let cable = (port, if toward { Toward::Leaf } else { Toward::Spine });
            fabric.cut.retain(|it| *it != cable);
            if cut {
                fabric.cut.push(cable);
            }
            let _ = fabric.leaf.handle(port, &noise, fabric.now);
            fabric.run(ms(span));
        }
        fabric.cut.clear();
        fabric.run(Duration::from_secs(8));
        prop_assert_eq!(fabric.usable(), [Some(mac(1)), Some(mac(2))]);
        for hop in [FIRST, SECOND] {
            let mut used = None;
            for (at, news) in &fabric.news {
                let now = match news {
                    Action::Up { hop: it, .. } if *it == hop => true,
                    Action::Down { hop: it, .. } if *it == hop => false,
                    _ => continue,
                };
                prop_assert_ne!(used, Some(now), "told twice, at {:?}", at);
                used = Some(now);
            }
            prop_assert_eq!(used, Some(true));
        }
    }
}
