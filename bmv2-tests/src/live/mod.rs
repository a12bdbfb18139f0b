//! Live migrations of a virtual machine: what the hypervisors take of its traffic, and what the fabric takes.
//!
//! Two hypervisors are behind the first two VTEPs, and a client behind the third sends ICMP echo requests to the machine, whose kernel
//! answers. QEMU says when it has stopped the machine here and when it has it go on there (`STOP`, `RESUME`), and what is sent in
//! between is its own to answer for. What is sent from then on, and does not come out of the cable of the new hypervisor, is ours.
//!
//! The machine goes to and fro, and has been where it is for some seconds each time. An attacker may claim to be it: while it stays, until
//! it is stopped; or from when it is stopped, and then the attacker answers for it as well. A fabric where it was taken is done with, and
//! the next migration is on a new one.

mod announce;
pub mod report;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vouch_lab::Announcement;

use crate::linux::Failure;
use crate::linux::flood::Flood;
use crate::linux::hypervisor::{Guest, Hypervisor};
use crate::linux::image::Image;
use crate::linux::plan::{self, Access};
use crate::linux::world::{Site, World};
use crate::process::SwitchProgram;
use crate::rows::cast::{self, MALLORY, PEER};

/// The hypervisors' cables.
const HYPERVISORS: [&str; 2] = ["hyper1", "hyper2"];
/// The machine.
const MACHINE: &str = "vm1";
/// Packets per second: on BMv2, as many as four of them copy on two cores without falling behind.
const RATE: u32 = 200;
const RATE_ON_BMV2: u32 = 100;
/// For how long the machine has been where it is, in seconds: who has just come is not yet known well (`old_port_watch`).
const SETTLED: u32 = 6;
/// For how long it is watched after it has gone on, in milliseconds.
const WATCHED: u64 = 4_000;
/// How long every VTEP may take until it is right.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the attacker claims to be the machine, per second: while it stays, and while it is paused.
const CLAIMS: u32 = 10;
const CLAIMS_IN_A_HURRY: u32 = 100;
/// For how long the attacker has claimed to be the machine when its migration begins, in milliseconds.
const CLAIMED: u32 = 1_500;

/// What the fabric does while it verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Traffic goes to the old place.
    Hold,
    /// And to the new one, once an answer is overdue.
    Escalate,
    /// To both.
    Both,
    /// As `Escalate`, and the migration is announced.
    Announced,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hold, Self::Escalate, Self::Both, Self::Announced];

    /// As it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Escalate => "escalate",
            Self::Both => "both",
            Self::Announced => "announced",
        }
    }

    fn during(self) -> &'static str {
        match self {
            Self::Announced => Self::Escalate.name(),
            Self::Hold | Self::Escalate | Self::Both => self.name(),
        }
    }
}

/// When somebody claims to be the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// Nobody does.
    Never,
    /// While it is where it was; from another port of the switch that it goes to.
    Stays,
    /// While it is paused and after it has gone on, and answers for it; from a switch where it never was.
    Paused,
    /// The same from another port of the switch that it goes to.
    Beside,
}

impl Attack {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Never, Self::Stays, Self::Paused, Self::Beside];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Never => "nobody",
            Self::Stays => "while it stays",
            Self::Paused => "while it is paused",
            Self::Beside => "while it is paused, at the same switch",
        }
    }

    /// Whether the machine is to have been stopped for a while.
    pub fn takes_a_pause(self) -> bool {
        matches!(self, Self::Paused | Self::Beside)
    }

    /// Where the attacker is, if the machine goes to this switch.
    fn from(self, destination: &str) -> Access {
        match (self, destination) {
            (Self::Never | Self::Paused, _) => Access::red(3, 4),
            (Self::Stays | Self::Beside, "vtep1") => Access::red(1, 2),
            (Self::Stays | Self::Beside, _) => Access::red(2, 2),
        }
    }
}

/// What is played.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// What the fabric does.
    pub mode: Mode,
    /// What the attacker does.
    pub attack: Attack,
    /// How many migrations.
    pub rounds: u32,
    /// For how long QEMU is held up when it has stopped the machine; not at all if nothing is said.
    pub pause: Option<Duration>,
}

/// What became of one migration.
#[derive(Clone, Debug, Default)]
pub struct Migration {
    /// For how long the machine was stopped, in QEMU's own words (`downtime`), in milliseconds.
    pub downtime: u64,
    /// The same from event to event.
    pub away: Duration,
    /// From when it went on until the first packet was sent that reached its new hypervisor, if one before that did not.
    pub ours: Duration,
    /// Packets sent since it went on that did not reach the hypervisor.
    pub missed: u64,
    /// From when it went on until the first packet was answered that had been sent since.
    pub answers: Duration,
    /// Copies that others saw.
    pub strayed: u64,
    /// VTEPs that send what is for the machine elsewhere, and not also to it, in the end.
    pub taken: Vec<String>,
    /// Entries that are wrong in the end.
    pub wrong: Vec<String>,
}

/// A fabric with hypervisors, and a machine on one of them.
///
/// The fields are dropped in this order: processes before what they stand on.
struct Stage {
    hypervisors: [Hypervisor; 2],
    world: World,
    guest: Guest,
    rate: u32,
}

/// Play a scene.
///
/// # Errors
/// Something went wrong in the harness, or with QEMU.
pub async fn play(site: &Site, image: &Image, scene: Scene) -> Result<Vec<Migration>, Failure> {
    let mut stage = Stage::set(site, image, scene.mode).await?;
    let mut migrations = Vec::new();
    let mut at = 0;
    for _ in 0..scene.rounds {
        let migrated = stage.migrate(site, image, scene, at).await;
        if let Some(folder) = &site.keep {
            let (target, mode) = (site.program().name(), scene.mode.name());
            stage.world.keep(&folder.join(format!("{target}-{mode}-{:?}", scene.attack)))?;
        }
        let migrated = migrated?;
        if migrated.taken.is_empty() {
            at = 1 - at;
        } else {
            drop(stage);
            (stage, at) = (Stage::set(site, image, scene.mode).await?, 0);
        }
        migrations.push(migrated);
    }
    Ok(migrations)
}

impl Stage {
    async fn set(site: &Site, image: &Image, mode: Mode) -> Result<Self, Failure> {
        let seats = [Access::red(1, 3), Access::red(2, 3)];
        let mut plan = seats.iter().cloned().fold(cast::plan(0), plan::Plan::free);
        for attack in Attack::ALL {
            plan = seats.iter().fold(plan, |plan, seat| plan.free(attack.from(&seat.at.switch)));
        }
        plan.during = mode.during();
        let world = World::start(site, plan).await?;
        let guest = Guest { spec: plan::spec(MACHINE, 60), peer: world.spec(PEER)?.clone() };
        let [first, second] = seats;
        let mut hypervisors =
            [Hypervisor::start(&world, HYPERVISORS[0], first)?, Hypervisor::start(&world, HYPERVISORS[1], second)?];
        hypervisors[0].boot(image, &guest).await?;
        let rate = if site.program() == SwitchProgram::Bmv2 { RATE_ON_BMV2 } else { RATE };
        let mut stage = Self { world, hypervisors, guest, rate };
        stage.until_up().await?;
        Ok(stage)
    }

    /// Wait until the machine answers, and have the client ask for it no more: whoever is asked is heard.
    async fn until_up(&mut self) -> Result<(), Failure> {
        let Guest { spec, .. } = &self.guest;
        let deadline = Instant::now() + 6 * PATIENCE;
        let stream = self.world.echoes(PEER, spec, &HYPERVISORS, 20)?;
        let start = Instant::now();
        while !stream.ledger.arrives(start) {
            let ended = self.hypervisors[0].ended();
            if ended.is_some() || Instant::now() >= deadline {
                let why = ended.unwrap_or_else(|| format!("{} does not answer", spec.name));
                return Err(why.into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let neighbour = format!("neighbour replace {} lladdr {} dev eth0 nud permanent", spec.ipv4, spec.mac);
        self.world.host(PEER)?.ip(&[&neighbour])?;
        let wanted = [(spec.name.clone(), spec.mac, self.hypervisors[0].access.clone())];
        match self.world.until_right_of(&wanted, PATIENCE).await?.as_slice() {
            [] => Ok(()),
            wrong => Err(format!("the machine is not known: {}", wrong.join("; ")).into()),
        }
    }

    /// From one of the hypervisors to the other.
    async fn migrate(
        &mut self,
        site: &Site,
        image: &Image,
        Scene { mode, attack, pause, .. }: Scene,
        from: usize,
    ) -> Result<Migration, Failure> {
        let Self { world, hypervisors: [first, second], guest, rate } = self;
        let (from, to) = if from == 0 { (first, second) } else { (second, first) };
        let rate = *rate;
        world.plug(MALLORY, Some(attack.from(&to.access.at.switch)));
        to.expect(image, guest).await?;
        let stream = world.echoes(PEER, &guest.spec, &HYPERVISORS, rate)?;
        stream.sends(u64::from(SETTLED * rate)).await;
        let mut flood = None;
        if attack == Attack::Stays {
            flood = Some(claim(world, guest, CLAIMS)?);
            stream.sends(u64::from(CLAIMED * rate / 1_000)).await;
        }
        if mode == Mode::Announced {
            let socket = world.node(&to.access.at.switch)?.socket();
            announce::announce(site, &guest.spec, to, &socket)?;
        }

        from.send(to, pause).await?;
        let stopped = from.monitor()?.until("STOP").await?;
        drop(flood.take());
        if attack.takes_a_pause() {
            world.answer_for(MALLORY, &guest.spec, true);
            flood = Some(claim(world, guest, CLAIMS_IN_A_HURRY)?);
        }
        if let Some(pause) = pause {
            from.monitor()?.until("pre-switchover").await?;
            tokio::time::sleep_until((stopped + pause).into()).await;
            from.monitor()?.execute("migrate-continue", json!({ "state": "pre-switchover" })).await?;
        }
        let resumed = to.monitor()?.until("RESUME").await?;
        from.monitor()?.until("completed").await?;
        cast::at(resumed, WATCHED).await;

        // Whoever answers for it as well has copies of its traffic, so that not all is right; but nothing is the attacker's alone.
        let (spec, access) = (&guest.spec, to.access.clone());
        let taken = world.taken_of(&spec.name, spec.mac, &access).await?;
        let wanted = [(spec.name.clone(), spec.mac, access)];
        let wrong = match attack {
            Attack::Never | Attack::Stays => world.until_right_of(&wanted, PATIENCE).await?,
            Attack::Paused | Attack::Beside => Vec::new(),
        };
        drop(flood);
        world.answer_for(MALLORY, spec, false);
        stream.stop().await;

        let status = from.monitor()?.execute("query-migrate", json!({})).await?;
        from.end();
        let ended = Instant::now();
        let through = stream.ledger.first_through(to.name, resumed).unwrap_or(ended);
        let waited = stream.ledger.missed(to.name, (resumed, through)) > 0;
        Ok(Migration {
            downtime: status.get("downtime").and_then(Value::as_u64).unwrap_or_default(),
            away: resumed.saturating_duration_since(stopped),
            ours: if waited { through.saturating_duration_since(resumed) } else { Duration::ZERO },
            missed: stream.ledger.missed(to.name, (resumed, ended)),
            answers: stream.ledger.first_arrival(resumed).unwrap_or(ended).saturating_duration_since(resumed),
            strayed: stream.ledger.figures(&[]).strayed,
            taken,
            wrong,
        })
    }
}

/// Have the attacker claim to be the machine, so many times a second.
fn claim(world: &World, guest: &Guest, rate: u32) -> Result<Flood, Failure> {
    let frame = Announcement::GratuitousReply.frame(&guest.spec);
    world.flood(MALLORY, rate, move |_| frame.to_vec())
}
