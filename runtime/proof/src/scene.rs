//! What may happen in a model, and how often: a scene is a fabric, who is in it, and a budget of deeds.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use vouch_mobility::{
    AccessId, Advertise, Config, During, Escalation, Evidence, HostKey, Incarnation, Timers, UnreachableOwner,
    VniConfig, VtepAddr,
};
use vouch_net::{MacAddr, Vni};

/// How many VTEPs there are.
pub const VTEPS: usize = 3;

/// The access interfaces of each.
pub const PORTS: [AccessId; 2] = [AccessId(1), AccessId(2)];

/// How long a host that answers in time takes for it, at the most.
pub const IN_TIME: Duration = Duration::from_millis(10);

/// How long one that is late takes: longer than a verdict.
pub const LATE: Duration = Duration::from_millis(60);

/// Where somebody may be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The number of the VTEP.
    pub vtep: usize,
    /// Its access interface.
    pub port: AccessId,
}

/// Port `port` of a VTEP.
pub const fn at(vtep: usize, port: u16) -> Place {
    Place { vtep, port: AccessId(port) }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port {} of {}", self.port, letter(self.vtep))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a VTEP is called.
pub fn letter(vtep: usize) -> char {
    char::from(b'A' + u8::try_from(vtep).unwrap_or(25))
}

/// How somebody answers when he is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Habit {
    /// In time.
    InTime,
    /// Later than a verdict takes.
    Late,
    /// Not at all.
    Never,
    /// In time, but only for its second address.
    OnlySecond,
}

/// How often what may happen. What is not named does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs, reason = "the deeds are described where they are")]
pub struct Budget {
    pub forged: u8,
    pub moves: u8,
    pub says: u8,
    pub readdresses: u8,
    pub habits: u8,
    pub poisons: u8,
    pub gives_up: u8,
    pub kills: u8,
    pub reboots: u8,
    pub breaks: u8,
    pub losses: u8,
    pub doubles: u8,
    pub swaps: u8,
    pub lost_answers: u8,
    pub deaf: u8,
    pub unplugs: u8,
    pub relinks: u8,
    pub idles: u8,
    pub expects: u8,
    pub floods: u8,
    pub lies: u8,
    pub drains: u8,
}

/// A model: the fabric, who is in it, what may happen.
#[derive(Debug, Clone)]
pub struct Scene {
    /// What it is called.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// Where traffic goes during a verification.
    pub during: During,
    /// When observers hear of a claim.
    pub advertise: Advertise,
    /// What a claimant does whose owner cannot be reached.
    pub unreachable: UnreachableOwner,
    /// Where the hosts are, which addresses they have (one bit each), and how they answer.
    pub hosts: &'static [(Place, u8, Habit)],
    /// Where those are that pretend to be the first host, and how they answer.
    pub impostors: &'static [(Place, Habit)],
    /// Where somebody is who says from its own MAC that it has the first host's address.
    pub stranger: Option<Place>,
    /// With what impostors announce themselves.
    pub evidence: &'static [Evidence],
    /// With what hosts do.
    pub speech: &'static [Evidence],
    /// Where the first host may move.
    pub places: &'static [Place],
    /// How the first host may come to answer.
    pub habits: &'static [Habit],
    /// Which VTEPs may fail.
    pub failing: &'static [usize],
    /// Whether sessions that are broken come back before all is over.
    pub mends: bool,
    /// How often what may happen.
    pub budget: Budget,
    /// How long a message may take.
    pub delay: Duration,
    /// How long all of it may take.
    pub horizon: Duration,
    /// Whether a host that is asked twice answers twice.
    pub echoes: bool,
    /// How long a refused claim is damped at first.
    pub refusal: Duration,
    /// How often the switches confirm each question that has left.
    pub confirmations: u8,
    /// How many hosts a VTEP has room for.
    pub room: usize,
    /// Whether every VTEP has another VNI, in which nobody is.
    pub other_vni: bool,
}

/// Something small, to vary.
pub const PLAIN: Scene = Scene {
    name: "",
    about: "",
    during: During::Escalate,
    advertise: Advertise::AfterVerdict,
    unreachable: UnreachableOwner::Hold,
    hosts: &[(at(0, 1), 0b10, Habit::InTime)],
    impostors: &[],
    stranger: None,
    evidence: &[Evidence::Arp],
    speech: &[Evidence::Arp],
    places: &[],
    habits: &[],
    failing: &[0, 1],
    mends: true,
    budget: Budget {
        forged: 0,
        moves: 0,
        says: 0,
        readdresses: 0,
        habits: 0,
        poisons: 0,
        gives_up: 0,
        kills: 0,
        reboots: 0,
        breaks: 0,
        losses: 0,
        doubles: 0,
        swaps: 0,
        lost_answers: 0,
        deaf: 0,
        unplugs: 0,
        relinks: 0,
        idles: 0,
        expects: 0,
        floods: 0,
        lies: 0,
        drains: 0,
    },
    delay: Duration::from_millis(20),
    horizon: Duration::from_millis(400),
    echoes: false,
    refusal: Duration::from_millis(100),
    confirmations: 1,
    room: 16,
    other_vni: false,
};

/// The VNI in which everything happens.
pub fn vni() -> Vni {
    Vni::new(10).expect("fits")
}

/// The host with that number, from 1.
pub fn host(number: u8) -> HostKey {
    HostKey { vni: vni(), mac: MacAddr([2, 0, 0, 0, 0, number]) }
}

/// The address of a VTEP.
pub fn address(vtep: usize) -> VtepAddr {
    VtepAddr([10, 0, 0, 1 + u8::try_from(vtep).expect("few VTEPs")].into())
}

/// The number of a VTEP.
pub fn number(vtep: VtepAddr) -> usize {
    let IpAddr::V4(address) = vtep.0 else { panic!("{vtep} is none of the scene's") };
    usize::from(address.octets()[3]) - 1
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// All that the method does, in an eighth of the time and with fewer repetitions: every wait is a multiple of ten milliseconds, so that
/// there are few times to tell apart.
pub fn timers() -> Timers {
    Timers {
        probes: vec![ms(0), ms(20)],
        escalate: Escalation::After(ms(20)),
        verdict_after: ms(40),
        refusal_memory: ms(100),
        refusal_memory_max: ms(400),
        attack_refusals: 2,
        attack_window: ms(120_000),
        old_port_watch: ms(500),
        hairpin: ms(1_000),
        claim_retry: ms(100),
        claim_give_up: ms(1_000),
        damped_question: ms(20),
        unproven_retry: ms(100),
        unproven_retry_max: ms(800),
        ..Timers::default()
    }
}

impl Scene {
    /// What its VTEPs are told.
    pub fn config(&self, me: usize, incarnation: u64) -> Config {
        let mut config = Config::new(address(me));
        config.incarnation = Incarnation(incarnation);
        config.timers = timers();
        config.timers.refusal_memory = self.refusal;
        config.timers.refusal_memory_max = config.timers.refusal_memory_max.max(self.refusal);
        config.limits.hosts = self.room;
        config.limits.addresses_per_host = 2;
        config.limits.requests_per_claim = 1;
        let vni_config = VniConfig {
            access: PORTS.into_iter().collect(),
            peers: (0..VTEPS).filter(|&peer| peer != me).map(address).collect(),
            advertise: self.advertise,
            during: self.during,
            unreachable_owner: self.unreachable,
            ..VniConfig::default()
        };
        if self.other_vni {
            config.vnis.insert(Vni::new(11).expect("fits"), vni_config.clone());
        }
        config.vnis.insert(vni(), vni_config);
        config
    }

    /// The same, but whatever may happen may happen so much more often.
    pub fn with_more(self, more: u8) -> Self {
        let Budget {
            forged,
            moves,
            says,
            readdresses,
            habits,
            poisons,
            gives_up,
            kills,
            reboots,
            breaks,
            losses,
            doubles,
            swaps,
            lost_answers,
            deaf,
            unplugs,
            relinks,
            idles,
            expects,
            floods,
            lies,
            drains,
        } = self.budget;
        let add = |number: u8| if number == 0 { 0 } else { number + more };
        let budget = Budget {
            forged: add(forged),
            moves: add(moves),
            says: add(says),
            readdresses: add(readdresses),
            habits: add(habits),
            poisons: add(poisons),
            gives_up,
            kills: add(kills),
            reboots: add(reboots),
            breaks: add(breaks),
            losses: add(losses),
            doubles: add(doubles),
            swaps: add(swaps),
            lost_answers: add(lost_answers),
            deaf: add(deaf),
            unplugs: add(unplugs),
            relinks: add(relinks),
            idles: add(idles),
            expects: add(expects),
            floods: add(floods),
            lies: add(lies),
            drains: add(drains),
        };
        Self { budget, ..self }
    }

    /// Whether nothing but hosts misbehaves.
    pub fn is_undisturbed(&self) -> bool {
        let Budget { kills, reboots, breaks, losses, doubles, swaps, .. } = self.budget;
        let Budget { lost_answers, deaf, unplugs, relinks, idles, .. } = self.budget;
        let fabric = [kills, reboots, breaks, losses, doubles, swaps];
        fabric.into_iter().chain([lost_answers, deaf, unplugs, relinks, idles]).all(|number| number == 0)
    }

    /// Whether sessions do what no session would.
    pub fn is_lossy(&self) -> bool {
        let Budget { losses, doubles, swaps, .. } = self.budget;
        losses + doubles + swaps > 0
    }

    /// Whether somebody answers in the first host's name.
    pub fn is_cunning(&self) -> bool {
        self.impostors.iter().any(|&(_, habit)| habit != Habit::Never)
    }
}
