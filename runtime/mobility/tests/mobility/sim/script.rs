//! What is to happen in a world, as data: proptest makes it up, and a failure shows it.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use proptest::prelude::*;
use vouch_mobility::{
    AccessId, Advertise, Config, During, Evidence, HostKey, Incarnation, Instant, UnreachableOwner, VniConfig,
};
use vouch_net::{MacAddr, Vni};

use super::device::{Device, Habit};
use super::network::Weather;
use super::world::{PORTS, address};

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Deed {
    Session {
        a: usize,
        b: usize,
        up: bool,
    },
    Port {
        at: usize,
        port: AccessId,
        up: bool,
    },
    Announce {
        device: usize,
        evidence: Evidence,
    },
    /// To another place, where it is not before `stunned_ms` are over.
    Move {
        device: usize,
        at: usize,
        port: AccessId,
        stunned_ms: u64,
    },
    /// It says and answers nothing for so long (a reboot, a pause), and stays where it is.
    Silent {
        device: usize,
        millis: u64,
    },
    Vanish {
        device: usize,
    },
    Habit {
        device: usize,
        habit: Habit,
    },
    /// It has another address from now on.
    Readdress {
        device: usize,
    },
    Idle {
        device: usize,
    },
    /// A stranger says from its own MAC that it has a host's address.
    Poison {
        at: usize,
        port: AccessId,
        victim: usize,
    },
    /// New addresses from one port.
    Flood {
        at: usize,
        port: AccessId,
        count: u8,
    },
    /// The move is announced to the owner's agent, or to another.
    Expect {
        device: usize,
        at: usize,
        port: AccessId,
        told: usize,
    },
    /// The agent dies and is started again.
    Restart {
        at: usize,
    },
    /// Agent and switch do.
    Reboot {
        at: usize,
    },
    /// The switch restarts empty.
    SwitchRestart {
        at: usize,
    },
    /// The switch takes nothing and says nothing for so long; `loses`: what it was given meanwhile never leaves.
    Stall {
        at: usize,
        millis: u64,
        loses: bool,
    },
    /// Answers are policed away for so long.
    Police {
        at: usize,
        millis: u64,
    },
}

/// A whole run.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) seed: u64,
    pub(crate) vteps: usize,
    pub(crate) advertise: Advertise,
    pub(crate) during: During,
    pub(crate) unreachable_owner: UnreachableOwner,
    pub(crate) weather: Weather,
    /// Whether the impostors answer probes, on their own ports.
    pub(crate) cunning: bool,
    /// How the host that stays answers.
    pub(crate) habit: Habit,
    /// Milliseconds after the hosts have settled, and what happens then.
    pub(crate) deeds: Vec<(u64, Deed)>,
}

/// Devices of every script: a host that stays and answers, one that wanders, one that stays and never answers, and impostors of all three.
pub(crate) const STEADFAST: usize = 0;
pub(crate) const WANDERER: usize = 1;
pub(crate) const MUTE: usize = 2;
pub(crate) const IMPOSTORS: [usize; 5] = [3, 4, 5, 6, 7];

/// When the deeds begin: by then everybody knows everybody, and nobody has just started.
pub(crate) const SETTLED: Duration = Duration::from_secs(40);
/// When they have ended, and the weather is fair again.
pub(crate) const DEEDS_END: Duration = Duration::from_secs(49);
/// When old entries age.
const AGED: Duration = Duration::from_secs(115);
/// When everything is repaired and has calmed down.
pub(crate) const CALM: Duration = Duration::from_secs(225);
/// When a VTEP that has forgotten where a host was, and could not find it, has given it up for its age, too.
pub(crate) const GIVEN_UP: Duration = Duration::from_secs(520);

pub(crate) fn key(last: u8) -> HostKey {
    HostKey { vni: Vni::new(10).expect("fits"), mac: MacAddr([2, 0, 0, 0, 0, last]) }
}

pub(crate) fn first_ip(key: HostKey) -> IpAddr {
    Ipv4Addr::new(192, 168, 0, key.mac.octets()[5]).into()
}

impl Script {
    /// One with nothing in it but `deeds`.
    pub(crate) fn of(deeds: Vec<(u64, Deed)>) -> Self {
        Self {
            seed: 1,
            vteps: 3,
            advertise: Advertise::AfterVerdict,
            during: During::Escalate,
            unreachable_owner: UnreachableOwner::Hold,
            weather: Weather::FAIR,
            cunning: false,
            habit: Habit::Answers { within_ms: 2 },
            deeds,
        }
    }

    pub(crate) fn config(&self) -> impl Fn(usize, u64) -> Config + use<> {
        let Self { vteps, advertise, during, unreachable_owner, habit, .. } = *self;
        move |me, incarnation| {
            let peers = (0..vteps).filter(|&peer| peer != me).map(address).collect();
            let access = PORTS.into_iter().collect();
            let ask_as_gateway = habit == Habit::AnswersGateway;
            let vni = VniConfig {
                access,
                peers,
                advertise,
                during,
                unreachable_owner,
                ask_as_gateway,
                ..VniConfig::default()
            };
            let mut config = Config::new(address(me));
            config.incarnation = Incarnation(incarnation);
            config.vnis.insert(key(1).vni, vni);
            config
        }
    }

    pub(crate) fn devices(&self) -> Vec<Device> {
        let device = |key, at, port, habit| Device {
            key,
            ip: first_ip(key),
            at: Some((at, AccessId(port))),
            habit,
            silent_until: Instant::EPOCH,
        };
        let other = 1 % self.vteps;
        let impostor = if self.cunning { Habit::Answers { within_ms: 2 } } else { Habit::Mute };
        vec![
            device(key(1), 0, 1, self.habit),
            device(key(2), 0, 2, Habit::Answers { within_ms: 20 }),
            device(key(3), 0, 1, Habit::Mute),
            device(key(1), other, 3, impostor),
            device(key(1), self.vteps - 1, 4, impostor),
            device(key(1), 0, 3, impostor),
            device(key(2), other, 4, impostor),
            device(key(3), other, 3, impostor),
        ]
    }

    /// Everything in order: beginning, the script's deeds, and the end in which everything is repaired.
    pub(crate) fn deeds(&self) -> Vec<(Instant, Deed)> {
        let mut deeds = Vec::new();
        let sessions = |up: bool| {
            let pairs = (0..self.vteps).flat_map(move |a| (a + 1..self.vteps).map(move |b| (a, b)));
            pairs.map(move |(a, b)| Deed::Session { a, b, up })
        };
        let at = |time: Duration| Instant::EPOCH + time;
        deeds.extend(sessions(true).map(|deed| (at(Duration::ZERO), deed)));
        for device in [STEADFAST, WANDERER, MUTE] {
            deeds.push((at(Duration::from_secs(35)), Deed::Announce { device, evidence: Evidence::Arp }));
        }
        // Whatever the weather, everybody has the first lists.
        for begin in [35_500, 36_000, 37_000, 38_000] {
            deeds.extend(sessions(false).map(|deed| (at(Duration::from_millis(begin)), deed)));
            deeds.extend(sessions(true).map(|deed| (at(Duration::from_millis(begin + 1)), deed)));
        }
        for &(millis, deed) in &self.deeds {
            deeds.push((at(SETTLED + Duration::from_millis(millis)), deed));
        }
        for vtep in 0..self.vteps {
            for port in PORTS {
                deeds.push((at(DEEDS_END), Deed::Port { at: vtep, port, up: true }));
            }
        }
        for device in [STEADFAST, WANDERER] {
            let habit = Habit::Answers { within_ms: 20 };
            deeds.push((at(DEEDS_END), Deed::Habit { device, habit }));
        }
        // Sessions break and come back, until the lists get through; the genuine hosts say where they are, and not only once.
        for round in 0..48 {
            let begin = DEEDS_END + Duration::from_secs(1 + 10 * round);
            if round % 3 == 0 && round < 15 {
                deeds.extend(sessions(false).map(|deed| (at(begin), deed)));
                deeds.extend(sessions(true).map(|deed| (at(begin + Duration::from_millis(50)), deed)));
            }
            for device in [STEADFAST, WANDERER] {
                let announce = Deed::Announce { device, evidence: Evidence::Arp };
                deeds.push((at(begin + Duration::from_secs(6)), announce));
            }
        }
        // What is given up where it was recorded may be taken by those who claimed it, and they are idle in turn.
        for aged in [AGED, AGED + Duration::from_secs(50)] {
            deeds.extend([STEADFAST, WANDERER].map(|device| (at(aged), Deed::Idle { device })));
        }
        deeds.sort_by_key(|&(at, _)| at);
        deeds
    }
}

fn evidence() -> impl Strategy<Value = Evidence> {
    prop_oneof![
        4 => Just(Evidence::Arp),
        2 => Just(Evidence::Rarp),
        2 => Just(Evidence::Data),
        1 => Just(Evidence::Neighbour),
        1 => Just(Evidence::Dad),
    ]
}

/// What may go wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Faults {
    /// Messages are lost, doubled and reordered within sessions, as no session would do.
    pub(crate) harsh: bool,
    /// Agents restart.
    pub(crate) restarts: bool,
    /// Switches stall, restart and police answers away.
    pub(crate) switches: bool,
    /// Agents restart together with their switches, and nothing is left but the peers.
    pub(crate) reboots: bool,
}

fn only(fault: bool, deed: Deed) -> Vec<Deed> {
    fault.then_some(deed).into_iter().collect()
}

fn deed(vteps: usize, faults: Faults) -> impl Strategy<Value = Vec<Deed>> {
    let port = || (1_u16..=4).prop_map(AccessId);
    let genuine = || prop::sample::select(&[STEADFAST, WANDERER][..]);
    prop_oneof![
        8 => (prop::sample::select(&IMPOSTORS[..]), evidence())
            .prop_map(|(device, evidence)| vec![Deed::Announce { device, evidence }]),
        2 => (genuine(), evidence()).prop_map(|(device, evidence)| vec![Deed::Announce { device, evidence }]),
        4 => (0..vteps, port(), 0_u64..400, evidence(), any::<bool>()).prop_map(
            |(at, port, stunned_ms, evidence, lost)| {
                let mut deeds = vec![Deed::Move { device: WANDERER, at, port, stunned_ms }];
                deeds.extend((!lost).then_some(Deed::Announce { device: WANDERER, evidence }));
                deeds
            }
        ),
        2 => (prop::sample::select(&IMPOSTORS[..]), 0..vteps, 3_u16..=4, evidence()).prop_map(
            |(device, at, port, evidence)| vec![
                Deed::Move { device, at, port: AccessId(port), stunned_ms: 0 },
                Deed::Announce { device, evidence },
            ]
        ),
        2 => (0..vteps, 0..vteps, any::<bool>()).prop_map(|(a, b, up)| vec![Deed::Session { a, b, up }]),
        1 => (0..vteps, 2_u16..=4, any::<bool>())
            .prop_map(|(at, port, up)| vec![Deed::Port { at, port: AccessId(port), up }]),
        1 => any::<bool>().prop_map(|answers| {
            let habit = if answers { Habit::Answers { within_ms: 20 } } else { Habit::Mute };
            vec![Deed::Habit { device: WANDERER, habit }]
        }),
        1 => (0_u64..4_000).prop_map(|millis| vec![Deed::Silent { device: WANDERER, millis }]),
        1 => genuine().prop_map(|device| vec![Deed::Readdress { device }]),
        1 => genuine().prop_map(|device| vec![Deed::Idle { device }]),
        1 => Just(vec![Deed::Vanish { device: WANDERER }]),
        1 => (0..vteps, 3_u16..=4, 0_usize..3).prop_map(|(at, port, victim)| vec![Deed::Poison { at, port: AccessId(port), victim }]),
        1 => (0..vteps, 3_u16..=4, 1_u8..20).prop_map(|(at, port, count)| vec![Deed::Flood { at, port: AccessId(port), count }]),
        1 => (0..vteps, port(), 0..vteps).prop_map(|(at, port, told)| vec![Deed::Expect { device: WANDERER, at, port, told }]),
        2 => (0..vteps).prop_map(move |at| only(faults.restarts, Deed::Restart { at })),
        2 => (0..vteps).prop_map(move |at| only(faults.reboots, Deed::Reboot { at })),
        2 => (0..vteps, 1_u64..3_000, any::<bool>())
            .prop_map(move |(at, millis, loses)| only(faults.switches, Deed::Stall { at, millis, loses })),
        2 => (0..vteps, 1_u64..2_000).prop_map(move |(at, millis)| only(faults.switches, Deed::Police { at, millis })),
        2 => (0..vteps).prop_map(move |at| only(faults.switches, Deed::SwitchRestart { at })),
    ]
}

/// The host that stays becomes slow in the first two seconds, and impostors of it that answer claim it, from up to three places, once or again and again.
pub(crate) fn slowing_down() -> impl Strategy<Value = Script> {
    let claims = (prop::sample::select(&IMPOSTORS[..3]), 0_u64..3_000, 20_u64..1_000, 1_u64..60, evidence());
    let claims = prop::collection::vec(claims, 1..4);
    (scripts(Faults::default()), 250_u64..1_800, 0_u64..2_000, claims).prop_map(|(script, after_ms, at, claims)| {
        let slow = Deed::Habit { device: STEADFAST, habit: Habit::Late { after_ms } };
        let mut deeds = vec![(at, slow)];
        for (device, begin, every, count, evidence) in claims {
            let times = (0..count).map(|number| begin + every * number).take_while(|&millis| millis < 8_500);
            deeds.extend(times.map(|millis| (millis, Deed::Announce { device, evidence })));
        }
        Script { cunning: true, habit: Habit::Answers { within_ms: 2 }, deeds, ..script }
    })
}

/// Any script in which no more goes wrong than `faults` say.
pub(crate) fn scripts(faults: Faults) -> impl Strategy<Value = Script> {
    let weather = if faults.harsh {
        (1_u64..80, 0_u32..40, 0_u32..30, 0_u32..50)
            .prop_map(|(max_delay_ms, loss, duplication, reordering)| Weather {
                max_delay_ms,
                loss,
                duplication,
                reordering,
            })
            .boxed()
    } else {
        (1_u64..80).prop_map(|max_delay_ms| Weather { max_delay_ms, ..Weather::FAIR }).boxed()
    };
    let advertise = prop_oneof![Just(Advertise::AfterVerdict), Just(Advertise::AtOnce)];
    let during = prop_oneof![Just(During::Hold), Just(During::Both), Just(During::Escalate)];
    let unreachable = prop_oneof![Just(UnreachableOwner::Accept), Just(UnreachableOwner::Hold)];
    let habit = prop_oneof![
        3 => (0_u64..60).prop_map(|within_ms| Habit::Answers { within_ms }),
        1 => (200_u64..800).prop_map(|within_ms| Habit::Late { after_ms: within_ms }),
        1 => Just(Habit::AnswersGateway),
    ];
    (any::<u64>(), 2_usize..=5, advertise, during, unreachable, weather, any::<bool>(), habit).prop_flat_map(
        move |(seed, vteps, advertise, during, unreachable_owner, weather, cunning, habit)| {
            prop::collection::vec((0_u64..8_000, deed(vteps, faults)), 0..25).prop_map(move |timed| Script {
                seed,
                vteps,
                advertise,
                during,
                unreachable_owner,
                weather,
                cunning,
                habit,
                deeds: timed
                    .into_iter()
                    .flat_map(|(at, deeds)| deeds.into_iter().map(move |deed| (at, deed)))
                    .collect(),
            })
        },
    )
}
