//! What was seen to go wrong on Linux hosts in a fabric like [`linux`](crate::linux), each as a scenario with what must come of it now.
//!
//! A row has one case or several. Each case brings a fabric up, has something happen, and judges what became of the traffic of hosts
//! that were there, and what the switches believe in the end, read from the switches themselves. Times are judged with margins
//! that a loaded machine keeps; what they are is printed.

mod absence;
mod addresses;
pub(crate) mod cast;
mod chaos;
mod floods;
mod migrations;
mod moves;
mod pair;
pub mod report;
mod restarts;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::linux::Failure;
use crate::linux::plan::Plan;
use crate::linux::traffic::Figures;
use crate::linux::world::{Site, World};
use crate::process::{Pace, SwitchProgram};

/// What cases have for a stage.
#[derive(Debug)]
pub struct Stage {
    site: Site,
    /// How much is played.
    pub extent: Extent,
}

/// How much is played of what takes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Rounds of chaos for each disturbance.
    pub rounds: u32,
    /// How often an agent of a pair is killed.
    pub successions: u32,
    /// How many hosts move at once.
    pub crowds: &'static [u32],
    /// Whether times are judged, which says something only on a machine that does nothing else.
    pub timed: bool,
}

impl Extent {
    /// All that the rows say.
    pub const WHOLE: Self = Self { rounds: 10, successions: 20, crowds: &[1_000, 10_000], timed: true };
    /// What a test has time for.
    pub const QUICK: Self = Self { rounds: 1, successions: 2, crowds: &[1_000], timed: false };
}

impl Stage {
    /// A stage at this site.
    pub fn new(site: Site, extent: Extent) -> Self {
        Self { site, extent }
    }

    /// The program of its switches.
    pub fn program(&self) -> SwitchProgram {
        self.site.program()
    }

    /// The site, for another stage.
    pub fn into_site(self) -> Site {
        self.site
    }

    async fn world(&self, plan: Plan) -> Result<World, Failure> {
        World::start(&self.site, plan).await
    }

    /// How many packets a second each of so many streams has, where times are judged.
    fn rate(&self, streams: usize) -> u32 {
        self.share(streams, |pace| pace.packets)
    }

    /// How many where switches copy them.
    fn copied(&self, streams: usize) -> u32 {
        self.share(streams, |pace| pace.copied)
    }

    fn share(&self, streams: usize, all: impl Fn(&Pace) -> u32) -> u32 {
        let streams = u32::try_from(streams).unwrap_or(u32::MAX).max(1);
        self.program().pace().map_or(cast::RATE, |pace| cast::RATE.min(all(pace) / streams))
    }

    /// Leave the logs of a case where they are wanted.
    fn keep(&self, case: &str, world: &World) -> Result<(), Failure> {
        match &self.site.keep {
            Some(folder) => world.keep(&folder.join(format!("{}-{case}", self.site.program().name()))),
            None => Ok(()),
        }
    }
}

/// What came of a case.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What became of the packets for, and of, hosts that were there.
    pub figures: Figures,
    /// Hosts' entries that were wrong in the end.
    pub wrong: usize,
    /// What must not be, and is.
    pub problems: Vec<String>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

impl Outcome {
    fn expect(&mut self, held: bool, otherwise: impl Into<String>) {
        if !held {
            self.problems.push(otherwise.into());
        }
    }

    fn note(&mut self, what: impl Into<String>) {
        self.notes.push(what.into());
    }

    /// Packets of hosts that are there, of which none may be lost.
    fn add(&mut self, figures: Figures) {
        self.figures = self.figures.and(figures);
    }

    fn nothing_lost(&mut self) {
        let lost = self.figures.lost;
        self.expect(lost == 0, format!("{lost} packets lost for hosts that were there"));
    }

    fn nothing_strayed(&mut self) {
        let strayed = self.figures.strayed;
        self.expect(strayed == 0, format!("{strayed} packets seen by others"));
    }

    /// Entries that are wrong.
    fn entries(&mut self, wrong: Vec<String>) {
        self.wrong += wrong.len();
        self.problems.extend(wrong);
    }

    /// Interruptions of honest moves, of which the middle one is judged: a machine with better things to do stalls some.
    fn brief(&mut self, timed: bool, mut interruptions: Vec<Duration>) {
        interruptions.sort_unstable();
        let Some(middle) = interruptions.get(interruptions.len() / 2).copied().map(milliseconds) else { return };
        let all: Vec<_> = interruptions.iter().map(|it| format!("{:.0}", milliseconds(*it))).collect();
        self.note(format!("interruptions of {} ms", all.join(", ")));
        self.expect(
            !timed || middle <= milliseconds(BRIEF),
            format!("an honest move is interrupted for {middle:.0} ms"),
        );
    }

    /// Whether all expectations held.
    pub fn held(&self) -> bool {
        self.problems.is_empty()
    }
}

/// How long an honest move of a host that answers may be interrupted. The goal is 15 ms; packets are 5 ms apart, and the machine
/// may be busy. With a fixed escalation of 50 ms it was 56.
const BRIEF: Duration = Duration::from_millis(45);

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

type Play = for<'a> fn(&'a Stage) -> Pin<Box<dyn Future<Output = Result<Outcome, Failure>> + 'a>>;

/// One case of a row.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The row, and a letter where it has several cases.
    pub name: &'static str,
    /// What happens.
    pub what: &'static str,
    /// Whether it is played in every test run.
    pub quick: bool,
    play: Play,
}

impl Case {
    /// Play it.
    ///
    /// # Errors
    /// Something went wrong in the harness, or the fabric never came up.
    pub async fn play(&self, stage: &Stage) -> Result<Outcome, Failure> {
        (self.play)(stage).await
    }

    /// Whether `row` means it: by its name, or by the number of its row.
    pub fn is_of(&self, row: &str) -> bool {
        self.name == row || self.name.trim_end_matches(char::is_alphabetic) == row
    }
}

macro_rules! cases {
    ($($name:literal $($quick:ident)?: $play:path, $what:literal;)*) => {
        /// All cases, in the order of their rows.
        pub const CASES: &[Case] = &[$(
            Case { name: $name, what: $what, quick: cases!(@ $($quick)?), play: |stage| Box::pin($play(stage)) },
        )*];
    };
    (@ quick) => { true };
    (@) => { false };
}

cases! {
    "0" quick: moves::honest, "a host that answers moves, and announces itself once";
    "1" quick: absence::reboot, "hosts reboot, and are claimed meanwhile by somebody who answers for them";
    "2a" quick: absence::stalled, "the owner's switch is stopped for 2 s, and its hosts are claimed";
    "2b": absence::stalled_briefly, "the owner's switch is stopped for 0.6 s, and its hosts are claimed";
    "3" quick: addresses::gateway, "probes come from the gateway, and a host is claimed once a second";
    "4a" quick: addresses::changed, "hosts have changed their address; their MAC addresses are claimed by RARP";
    "4b": addresses::removed, "hosts have lost the first of two addresses; claimed by RARP";
    "4c": addresses::outdated, "hosts have changed their address; claimed with the old one";
    "4d": addresses::ipv6_only, "hosts that have only IPv6; claimed by RARP and by neighbour advertisement";
    "5a" quick: restarts::owner, "the owner's agent is killed and started; hosts claimed from another of its ports by RARP";
    "5b": restarts::agents, "the agents of owner and claimant are killed and started; claimed by RARP";
    "5c": restarts::reboot, "the owner's switch and agent are killed and started; claimed by RARP or ARP";
    "6a" quick: restarts::link, "a port goes down, its switch dies, both come back; its hosts are claimed at once";
    "6b": restarts::link_claimed_early, "the same, and its hosts are claimed while the switch is away, too";
    "7": floods::trunk, "another VLAN of the trunk floods the probe address while hosts are claimed";
    "8": floods::addresses, "one tenant's ports fill every table; a host of another tenant comes";
    "9" quick: moves::forged_before, "hosts move to a port from which they were forged before";
    "10" quick: moves::empty_cache, "a host moves with an empty ARP cache, and with a full one";
    "11": moves::crowd, "all hosts of a server move at once, with one announcement each";
    "12a" quick: addresses::poisoned, "plain ARP poisoning: an attacker's own MAC address with a host's IP address";
    "12b": addresses::poisoned_ipv6, "the same with neighbour advertisements";
    "13a": chaos::agent, "agents are killed while hosts are forged and move";
    "13b": chaos::switch, "switches are killed while hosts are forged and move";
    "13c": chaos::both, "switches and agents are killed while hosts are forged and move";
    "13d": chaos::stopped, "switches are stopped for 5 s while hosts are forged and move";
    "13e": chaos::spine, "the spine's switch is killed while hosts are forged and move";
    "13f": chaos::management, "a VTEP is cut off the management network for 6 s while hosts are forged and move";
    "13g": chaos::management_outward, "a VTEP hears nothing from the management network for 6 s while hosts are forged and move";
    "13h": chaos::management_inward, "a VTEP is not heard on the management network for 6 s while hosts are forged and move";
    "13i": chaos::agent_stopped, "agents are stopped for 5 s while hosts are forged and move";
    "13j": chaos::spine_stopped, "the spine's switch is stopped for 5 s while hosts are forged and move";
    "13k": chaos::underlay, "a VTEP is cut off the underlay for 6 s while hosts are forged and move";
    "13l": chaos::underlay_outward, "a VTEP receives nothing over the underlay for 6 s while hosts are forged and move";
    "13m": chaos::underlay_inward, "a VTEP sends in vain over the underlay for 6 s while hosts are forged and move";
    "14" quick: migrations::forged, "machines are paused for their migration, and forged by somebody who answers for them";
    "15a" quick: migrations::early, "the destination announces a machine three times before it is paused";
    "15b": migrations::early_once, "the destination announces a machine once before it is paused";
    "16a": floods::one_port, "an access interface is flooded with whatever an attacker can make up; hosts are claimed and move";
    "16b": floods::all_ports, "the same from all access interfaces of a switch";
    "17" quick: pair::killed, "a VTEP has two agents, and the one in charge is killed while hosts are forged and move";
}
