//! The same attacks and moves on Vouch and on what people use today, BGP EVPN with FRR and Linux bridges, side by side.
//!
//! A step brings a fabric up for each contender, has the same done to the same Linux hosts, and counts what became of their packets.
//! Nothing is judged: what is worse on either side is in the table. Hosts are behind the first VTEP, the attacker behind
//! the second, and who sends to the hosts is behind each of the three. A figure is the median of the hosts, with the least and the most.

mod attacks;
mod crowds;
mod moves;
pub mod table;

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::time::Duration;

use vouch_lab::HostSpec;

use crate::linux::Failure;
use crate::linux::evpn::{Duplicates, Evpn};
use crate::linux::floor::Floor;
use crate::linux::plan::{Access, Plan};
use crate::linux::traffic::Figures;
use crate::linux::world::{Site, World};
use crate::rows::cast::{self, MALLORY};

/// Who sends to the hosts: behind the owner's VTEP, the attacker's, and a third one.
const CLIENTS: [&str; 3] = ["near", "beside", "far"];
/// Packets per second of a stream.
const RATE: u32 = 50;

/// Who is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// Vouch, with this `during_verification`.
    Vouch(&'static str),
    /// FRR.
    Frr(Duplicates),
}

impl Contender {
    /// The name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vouch("hold") => "Vouch, hold",
            Self::Vouch("both") => "Vouch, both",
            Self::Vouch(_) => "Vouch",
            Self::Frr(Duplicates::Warn) => "FRR",
            Self::Frr(Duplicates::Freeze) => "FRR, freeze",
        }
    }

    async fn start(self, site: &Site, plan: Plan) -> Result<Fabric, Failure> {
        match self {
            Self::Vouch(during) => Ok(Fabric::Vouch(Box::new(World::start(site, Plan { during, ..plan }).await?))),
            Self::Frr(duplicates) => Ok(Fabric::Frr(Box::new(Evpn::start(plan, duplicates).await?))),
        }
    }
}

const BOTH_SIDES: &[Contender] = &[Contender::Vouch("escalate"), Contender::Frr(Duplicates::Warn)];
const WITH_FREEZE: &[Contender] =
    &[Contender::Vouch("escalate"), Contender::Frr(Duplicates::Warn), Contender::Frr(Duplicates::Freeze)];
const EACH_MODE: &[Contender] = &[
    Contender::Vouch("escalate"),
    Contender::Vouch("both"),
    Contender::Vouch("hold"),
    Contender::Frr(Duplicates::Warn),
];

/// A running fabric of either kind.
#[expect(missing_debug_implementations, reason = "a reader of tables has none")]
pub enum Fabric {
    /// Ours.
    Vouch(Box<World>),
    /// FRR's.
    Frr(Box<Evpn>),
}

impl Deref for Fabric {
    type Target = Floor;

    fn deref(&self) -> &Floor {
        match self {
            Self::Vouch(world) => world,
            Self::Frr(evpn) => evpn,
        }
    }
}

impl Fabric {
    /// How many of these hosts some VTEP has not behind `access`.
    async fn behind(&mut self, hosts: &[HostSpec], access: &Access) -> Result<usize, Failure> {
        match self {
            Self::Vouch(world) => {
                let wanted: Vec<_> = hosts.iter().map(|it| (it.name.clone(), it.mac, access.clone())).collect();
                let mut wrong: Vec<String> = world.wrong_of(&wanted).await?.into_iter().map(|(name, _)| name).collect();
                wrong.sort_unstable();
                wrong.dedup();
                Ok(wrong.len())
            }
            Self::Frr(evpn) => {
                let macs: Vec<_> = hosts.iter().map(|it| it.mac.to_string()).collect();
                evpn.behind(&macs, access)
            }
        }
    }
}

/// What became of one host, or of one go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Of its packets.
    Packets(Figures),
    /// Until every VTEP was right, or that some never were.
    Moved {
        /// How long it took.
        took: Option<Duration>,
        /// How many were left behind.
        behind: usize,
    },
    /// What the processes of a VTEP's control plane took, in bytes.
    Memory(u64),
}

type Play = for<'a> fn(&'a Site, Contender, usize) -> Pin<Box<dyn Future<Output = Result<Vec<Outcome>, Failure>> + 'a>>;

/// Something that is done to both.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is done.
    pub what: &'static str,
    /// On which fabrics.
    pub contenders: &'static [Contender],
    play: Play,
}

impl Step {
    /// Play it on one fabric, with so many hosts.
    ///
    /// # Errors
    /// Something went wrong in the harness, or the fabric never came up.
    pub async fn play(&self, site: &Site, on: Contender, hosts: usize) -> Result<Vec<Outcome>, Failure> {
        (self.play)(site, on, hosts).await
    }
}

macro_rules! steps {
    ($($name:literal $contenders:ident: |$site:ident, $on:ident, $hosts:ident| $play:expr, $what:literal;)*) => {
        /// All steps.
        pub const STEPS: &[Step] = &[$(
            Step { name: $name, what: $what, contenders: $contenders, play: |$site, $on, $hosts| Box::pin($play) },
        )*];
    };
}

steps! {
    "receives" BOTH_SIDES: |site, on, hosts| attacks::once(site, on, hosts, attacks::Host::Receives, false),
        "one forged ARP; the host only receives";
    "answers" BOTH_SIDES: |site, on, hosts| attacks::once(site, on, hosts, attacks::Host::Answers, false),
        "one forged ARP; the host answers who asks for it";
    "talks" BOTH_SIDES: |site, on, hosts| attacks::once(site, on, hosts, attacks::Host::Talks, false),
        "one forged ARP; the host sends 20 packets a second";
    "receives-impersonated" BOTH_SIDES: |site, on, hosts| attacks::once(site, on, hosts, attacks::Host::Receives, true),
        "one forged ARP, and the attacker answers ARP; the host only receives";
    "talks-impersonated" BOTH_SIDES: |site, on, hosts| attacks::once(site, on, hosts, attacks::Host::Talks, true),
        "one forged ARP, and the attacker answers ARP; the host sends 20 packets a second";
    "again-and-again" WITH_FREEZE: |site, on, hosts| attacks::again_and_again(site, on, hosts),
        "ten forged ARP a second for 20 s; the host sends 20 packets a second";
    "reboot" BOTH_SIDES: |site, on, hosts| attacks::reboot(site, on, hosts),
        "the host is silent for 3 s, claimed and answered for meanwhile, and then back";
    "move" EACH_MODE: |site, on, hosts| moves::honest(site, on, hosts, moves::Way::Plain),
        "the host moves, and announces itself once";
    "move-port-down" EACH_MODE: |site, on, hosts| moves::honest(site, on, hosts, moves::Way::PortDown),
        "the same, and its old port goes down";
    "move-empty-cache" BOTH_SIDES: |site, on, hosts| moves::honest(site, on, hosts, moves::Way::EmptyCache),
        "the host moves, and knows no neighbours any more; it sends as well";
    "mass-1000" BOTH_SIDES: |site, on, hosts| crowds::all_at_once(site, on, hosts, 1_000),
        "1,000 hosts of a port move at once, with one announcement each";
    "mass-10000" BOTH_SIDES: |site, on, hosts| crowds::all_at_once(site, on, hosts, 10_000),
        "10,000 hosts of a port move at once, with one announcement each";
    "memory-0" BOTH_SIDES: |site, on, _hosts| crowds::memory(site, on, 0), "memory of a VTEP's control plane, no hosts";
    "memory-1000" BOTH_SIDES: |site, on, _hosts| crowds::memory(site, on, 1_000), "the same with 1,000 hosts";
    "memory-10000" BOTH_SIDES: |site, on, _hosts| crowds::memory(site, on, 10_000), "the same with 10,000 hosts";
}

/// The names of so many hosts.
fn names(hosts: usize) -> &'static [&'static str] {
    cast::hosts(hosts.max(1))
}

/// Hosts at ports of their own behind the first VTEP, the attacker, and the clients.
fn plan(names: &[&str]) -> Plan {
    let mut plan = Plan::default().host(MALLORY, 166, Access::red(2, 2));
    for (number, (vtep, client)) in (130..).zip((1..).zip(CLIENTS)) {
        plan = plan.host(client, number, Access::red(vtep, 40));
    }
    for (number, name) in (1..).zip(names) {
        plan = plan.host(name, number, Access::red(1, u16::from(number) + 10));
    }
    plan
}
