//! What is to happen in a run, as data: made up from a seed, cut down while it still fails, and told in words.
//!
//! Each deed ends by itself what it begins, so that any of them can be left out.

use std::fmt;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::frames::Announcement;
use crate::hosts::{Answers, HostId, Seat};
use crate::network::{Node, Strike};
use crate::variant::Variant;
use crate::world::{ATTACKERS, FREE_SEATS, HOMES, HOSTS, SITES, WANDERER};

/// How long deeds go on.
pub(crate) const DEEDS: Duration = Duration::from_secs(10);

/// Something that happens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Deed {
    /// Somebody says of a host that it is at the attacker's port.
    Forge { at: Seat, host: HostId, how: Announcement, times: u64, every: u64 },
    /// The attacker says that a host's address is its own.
    Poison { at: Seat, host: HostId },
    /// The attacker has many addresses.
    Flood { at: Seat, count: u8 },
    /// The attacker sends bytes that make no sense.
    Garbage { at: Seat, seed: u64 },
    /// A host says where it is.
    Speak { host: HostId, how: Announcement },
    /// A host goes to another port, is away for so long, and says where it is, if that is not lost.
    Move { host: HostId, to: Seat, stunned: u64, how: Option<Announcement> },
    /// A host is silent for so long, and then says where it is, if it was a reboot.
    Silent { host: HostId, for_ms: u64, reboot: bool },
    /// A host answers in another way.
    Habit { host: HostId, answers: Answers },
    /// A host has another address.
    Readdress { host: HostId },
    /// A cable is out for so long.
    Unplug { at: Seat, for_ms: u64 },
    /// A connection is reset.
    Reset { a: Node, b: Node },
    /// The connection breaks off in the middle of a write, or the agent dies there and is started again after so long.
    Strike { node: Node, after: usize, strike: Strike, away: u64 },
    /// What one process sends to another waits for so long; with `both`, the other way as well.
    Partition { a: Node, b: Node, both: bool, for_ms: u64 },
    /// An agent reaches nobody for so long.
    Isolate { site: usize, for_ms: u64 },
    /// A switch takes its time to answer, for so long.
    Slow { site: usize, delay: u64, for_ms: u64 },
    /// An agent is killed, and started again after so long. The time of day may have been set meanwhile.
    KillAgent { site: usize, away: u64, clock: i64 },
    /// A switch is killed, and started again, empty, after so long.
    KillSwitch { site: usize, away: u64 },
    /// Agent and switch are.
    KillSite { site: usize, away: u64 },
    /// A VTEP is taken out of use for so long.
    Drain { site: usize, for_ms: u64 },
}

/// A whole run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Script {
    pub(crate) seed: u64,
    pub(crate) deeds: Vec<(Duration, Deed)>,
}

impl Script {
    /// The script of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut deeds = Vec::new();
        for _ in 0..dice.random_range(1..=10) {
            let when = Duration::from_millis(dice.random_range(0..DEEDS.as_millis() as u64));
            let deed = deed(&mut dice);
            // What is delicate is the time in which a host is being asked.
            let asked = match &deed {
                Deed::Forge { host, .. } | Deed::Move { host, .. } if dice.random_bool(0.5) => Some(HOMES[*host]),
                _ => None,
            };
            deeds.push((when, deed));
            if let Some(site) = asked {
                let soon = Duration::from_millis(dice.random_range(0..400));
                deeds.push((when + soon, fault(&mut dice, site)));
            }
        }
        if dice.random_bool(0.25) {
            out_of_use(&mut dice, &mut deeds);
        }
        deeds.sort_by_key(|(when, _)| *when);
        Self { seed, deeds }
    }

    /// When somebody says that a host is elsewhere, or has its address, and at which VTEP.
    pub(crate) fn claims(&self, host: HostId) -> impl Iterator<Item = (Duration, usize)> {
        self.deeds.iter().filter_map(move |(when, deed)| {
            let (at, claimed) = match deed {
                Deed::Forge { at, host, .. } | Deed::Poison { at, host } => (at, *host),
                // It comes from the first one, as far as it can be read.
                Deed::Garbage { at, .. } => (at, 0),
                _ => return None,
            };
            (claimed == host).then_some((*when, at.site))
        })
    }

    /// Whether the agent or the switch of a VTEP was killed or kept from talking with others, until then.
    pub(crate) fn faults_at(&self, site: usize, until: Duration) -> bool {
        let mine = [Node::Agent(site), Node::Switch(site)];
        self.deeds.iter().take_while(|(when, _)| *when <= until).any(|(_, deed)| match deed {
            Deed::Reset { a, b } | Deed::Partition { a, b, .. } => mine.contains(a) || mine.contains(b),
            Deed::Strike { node, .. } => mine.contains(node),
            Deed::Isolate { site: at, .. }
            | Deed::Slow { site: at, .. }
            | Deed::KillAgent { site: at, .. }
            | Deed::KillSwitch { site: at, .. }
            | Deed::KillSite { site: at, .. } => *at == site,
            Deed::Forge { .. }
            | Deed::Poison { .. }
            | Deed::Flood { .. }
            | Deed::Garbage { .. }
            | Deed::Speak { .. }
            | Deed::Move { .. }
            | Deed::Silent { .. }
            | Deed::Habit { .. }
            | Deed::Readdress { .. }
            | Deed::Unplug { .. }
            | Deed::Drain { .. } => false,
        })
    }

    /// In which kind of fabric it is played.
    pub(crate) fn variant(&self) -> Variant {
        Variant::of(self.seed)
    }
}

fn pick<T: Clone>(dice: &mut impl Rng, from: &[T]) -> T {
    from[dice.random_range(0..from.len())].clone()
}

fn site(dice: &mut impl Rng) -> usize {
    dice.random_range(0..SITES)
}

/// Two processes that have a connection.
fn neighbours(dice: &mut impl Rng) -> (Node, Node) {
    let at = site(dice);
    if dice.random_bool(0.5) {
        return (Node::Agent(at), Node::Switch(at));
    }
    (Node::Agent(at), Node::Agent((at + dice.random_range(1..SITES)) % SITES))
}

/// Most faults are short, some are long.
fn while_ms(dice: &mut impl Rng) -> u64 {
    if dice.random_bool(0.7) { dice.random_range(1..1_500) } else { dice.random_range(1_500..8_000) }
}

fn answers(dice: &mut impl Rng) -> Answers {
    match dice.random_range(0..6) {
        0..=2 => Answers::After(Duration::from_millis(dice.random_range(0..20))),
        3 => Answers::After(Duration::from_millis(dice.random_range(60..260))),
        4 => Answers::First,
        _ => Answers::Never,
    }
}

fn deed(dice: &mut StdRng) -> Deed {
    let attacker = pick(dice, &ATTACKERS);
    let how = pick(dice, &Announcement::ALL);
    let host = dice.random_range(0..HOSTS);
    match dice.random_range(0..100) {
        0..=19 => {
            let again = dice.random_bool(0.3);
            let times = if again { dice.random_range(2..20) } else { 1 };
            Deed::Forge { at: attacker, host, how, times, every: dice.random_range(10..400) }
        }
        20..=23 => Deed::Poison { at: attacker, host },
        24..=25 => Deed::Flood { at: attacker, count: dice.random_range(1..40) },
        26..=27 => Deed::Garbage { at: attacker, seed: dice.random() },
        28..=30 => Deed::Speak { host, how },
        31..=43 => Deed::Move {
            host: WANDERER,
            to: pick(dice, &FREE_SEATS),
            stunned: dice.random_range(0..400),
            how: dice.random_bool(0.8).then_some(how),
        },
        44..=47 => {
            let reboot = dice.random_bool(0.5);
            let for_ms = if reboot { dice.random_range(1_000..5_000) } else { dice.random_range(10..600) };
            Deed::Silent { host: WANDERER, for_ms, reboot }
        }
        48..=50 => Deed::Habit { host: WANDERER, answers: answers(dice) },
        51..=52 => Deed::Readdress { host: WANDERER },
        53..=55 => Deed::Unplug { at: pick(dice, &FREE_SEATS), for_ms: while_ms(dice) },
        56..=60 => {
            let (a, b) = neighbours(dice);
            Deed::Reset { a, b }
        }
        61..=68 => {
            let strike = if dice.random_bool(0.5) { Strike::Reset } else { Strike::Death };
            Deed::Strike {
                node: Node::Agent(site(dice)),
                after: dice.random_range(0..40),
                strike,
                away: dice.random_range(0..2_000),
            }
        }
        69..=76 => {
            let (a, b) = neighbours(dice);
            let (a, b) = if dice.random_bool(0.5) { (a, b) } else { (b, a) };
            Deed::Partition { a, b, both: dice.random_bool(0.5), for_ms: while_ms(dice) }
        }
        77..=80 => Deed::Isolate { site: site(dice), for_ms: while_ms(dice) },
        81..=85 => Deed::Slow { site: site(dice), delay: dice.random_range(5..600), for_ms: while_ms(dice) },
        86..=91 => {
            let clock = match dice.random_range(0..4) {
                0 => dice.random_range(-3_600_000..0),
                1 => dice.random_range(0..3_600_000),
                _ => 0,
            };
            Deed::KillAgent { site: site(dice), away: while_ms(dice), clock }
        }
        92..=96 => Deed::KillSwitch { site: site(dice), away: while_ms(dice) },
        _ => Deed::KillSite { site: site(dice), away: while_ms(dice) },
    }
}

/// An operator takes a VTEP out of use, and what is delicate then is that somebody elsewhere says that a host there is his.
fn out_of_use(dice: &mut StdRng, deeds: &mut Vec<(Duration, Deed)>) {
    // Peers forget its hosts after three seconds.
    let (site, for_ms) = (site(dice), dice.random_range(1_000..9_000));
    let when = dice.random_range(0..DEEDS.as_millis() as u64);
    deeds.push((Duration::from_millis(when), Deed::Drain { site, for_ms }));
    let hosts: Vec<HostId> = (0..HOSTS).filter(|host| HOMES[*host] == site).collect();
    let elsewhere: Vec<Seat> = ATTACKERS.into_iter().filter(|at| at.site != site).collect();
    if !hosts.is_empty() && dice.random_bool(0.7) {
        let (host, at, how) = (pick(dice, &hosts), pick(dice, &elsewhere), pick(dice, &Announcement::ALL));
        let soon = Duration::from_millis(when + dice.random_range(0..for_ms + 200));
        deeds.push((soon, Deed::Forge { at, host, how, times: 1, every: 1 }));
    }
}

/// Something that goes wrong between an agent and its switch, or with one of them.
fn fault(dice: &mut StdRng, site: usize) -> Deed {
    let (agent, switch) = (Node::Agent(site), Node::Switch(site));
    match dice.random_range(0..8) {
        0 => Deed::Reset { a: agent, b: switch },
        1 => {
            let strike = if dice.random_bool(0.5) { Strike::Reset } else { Strike::Death };
            Deed::Strike { node: agent, after: dice.random_range(0..20), strike, away: dice.random_range(0..1_000) }
        }
        2 => Deed::Partition { a: agent, b: switch, both: dice.random_bool(0.5), for_ms: while_ms(dice) },
        3 => Deed::Partition { a: switch, b: agent, both: false, for_ms: while_ms(dice) },
        4 => Deed::Isolate { site, for_ms: while_ms(dice) },
        5 => Deed::Slow { site, delay: dice.random_range(5..600), for_ms: while_ms(dice) },
        6 => Deed::KillAgent { site, away: while_ms(dice), clock: 0 },
        _ => Deed::KillSwitch { site, away: while_ms(dice) },
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {}:", self.seed, self.variant())?;
        for (when, deed) in &self.deeds {
            writeln!(f, "{:>9.3}  {deed}", when.as_secs_f64())?;
        }
        Ok(())
    }
}

impl Deed {
    /// Its kind in a word or two.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Forge { .. } => "forged announcements",
            Self::Poison { .. } => "forged addresses",
            Self::Flood { .. } => "floods",
            Self::Garbage { .. } => "malformed frames",
            Self::Speak { .. } => "true announcements",
            Self::Move { .. } => "moves",
            Self::Silent { reboot: false, .. } => "pauses",
            Self::Silent { reboot: true, .. } => "reboots",
            Self::Habit { .. } => "other habits",
            Self::Readdress { .. } => "other addresses",
            Self::Unplug { .. } => "cables out",
            Self::Reset { .. } => "connections reset",
            Self::Strike { strike: Strike::Reset, .. } => "connections reset in a write",
            Self::Strike { strike: Strike::Death, .. } => "agents killed in a write",
            Self::Partition { both: false, .. } => "partitions, one way",
            Self::Partition { both: true, .. } => "partitions, both ways",
            Self::Isolate { .. } => "agents isolated",
            Self::Slow { .. } => "slow switches",
            Self::KillAgent { clock: 0, .. } => "agents killed",
            Self::KillAgent { .. } => "agents killed, clocks set",
            Self::KillSwitch { .. } => "switches restarted empty",
            Self::KillSite { .. } => "agents and switches restarted",
            Self::Drain { .. } => "VTEPs out of use",
        }
    }
}

/// The hosts' names, in their order.
fn name(host: HostId) -> &'static str {
    crate::world::NAMES[host]
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forge { at, host, how, times, every } => {
                write!(f, "the attacker at {at} sends {} of {}", how.words(), name(*host))?;
                if *times > 1 { write!(f, ", {times} times, every {every} ms") } else { Ok(()) }
            }
            Self::Poison { at, host } => write!(f, "the attacker at {at} says that it has {}'s address", name(*host)),
            Self::Flood { at, count } => write!(f, "the attacker at {at} has {count} new MAC addresses"),
            Self::Garbage { at, .. } => write!(f, "the attacker at {at} sends what makes no sense"),
            Self::Speak { host, how } => write!(f, "{} sends {}", name(*host), how.words()),
            Self::Move { host, to, stunned, how } => {
                write!(f, "{} moves to {to}, is away for {stunned} ms", name(*host))?;
                match how {
                    Some(how) => write!(f, ", and sends {}", how.words()),
                    None => f.write_str(", and says nothing"),
                }
            }
            Self::Silent { host, for_ms, reboot: false } => write!(f, "{} pauses for {for_ms} ms", name(*host)),
            Self::Silent { host, for_ms, reboot: true } => {
                write!(f, "{} reboots in {for_ms} ms and says where it is", name(*host))
            }
            Self::Habit { host, answers } => write!(f, "{} from now on {answers}", name(*host)),
            Self::Readdress { host } => write!(f, "{} has another address", name(*host)),
            Self::Unplug { at, for_ms } => write!(f, "the cable of {at} is out for {for_ms} ms"),
            Self::Reset { a, b } => write!(f, "the connection of {a} and {b} is reset"),
            Self::Strike { node, after, strike: Strike::Reset, .. } => {
                write!(f, "after {after} more writes, one of {node} breaks off with its connection")
            }
            Self::Strike { node, after, strike: Strike::Death, away } => {
                write!(f, "after {after} more writes, {node} dies in the middle of one, and is started {away} ms later")
            }
            Self::Partition { a, b, both, for_ms } => {
                let way = if *both { "and back " } else { "" };
                write!(f, "nothing gets from {a} to {b} {way}for {for_ms} ms")
            }
            Self::Isolate { site, for_ms } => write!(f, "{} reaches nobody for {for_ms} ms", Node::Agent(*site)),
            Self::Slow { site, delay, for_ms } => {
                write!(f, "what {} says takes {delay} ms, for {for_ms} ms", Node::Switch(*site))
            }
            Self::KillAgent { site, away, clock } => {
                write!(f, "{} is killed, and started {away} ms later", Node::Agent(*site))?;
                if *clock != 0 { write!(f, " with the clock set by {clock} ms") } else { Ok(()) }
            }
            Self::KillSwitch { site, away } => {
                write!(f, "{} is killed, and started empty {away} ms later", Node::Switch(*site))
            }
            Self::KillSite { site, away } => {
                let (agent, switch) = (Node::Agent(*site), Node::Switch(*site));
                write!(f, "{agent} and {switch} are killed, and started {away} ms later")
            }
            Self::Drain { site, for_ms } => write!(f, "VTEP {} is out of use for {for_ms} ms", site + 1),
        }
    }
}
