//! What is to happen in a world, as data: proptest makes it up, and a failure shows it.

use std::time::Duration;

use proptest::prelude::*;
use vouch_mobility::{AccessId, Advertise, Config, During, Evidence, HostKey, Instant, UnreachableOwner, VniConfig};
use vouch_net::{MacAddr, Vni};

use super::network::Weather;
use super::world::{Device, address};

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Deed {
    Session { a: usize, b: usize, up: bool },
    Port { at: usize, port: AccessId, up: bool },
    Announce { device: usize, evidence: Evidence },
    Move { device: usize, at: usize, port: AccessId, stunned_ms: u64 },
    Vanish { device: usize },
    Answer { device: usize, answers: bool },
    Idle { device: usize },
    Restart { at: usize },
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
    /// Milliseconds after the hosts have settled, and what happens then.
    pub(crate) deeds: Vec<(u64, Deed)>,
}

/// Devices of every script: hosts that stay and answer, a host that wanders, and impostors of both.
pub(crate) const STEADFAST: usize = 0;
pub(crate) const WANDERER: usize = 1;
pub(crate) const IMPOSTORS: [usize; 3] = [2, 3, 4];

/// When the deeds begin: by then everybody knows everybody.
pub(crate) const SETTLED: Duration = Duration::from_secs(1);
/// When they have ended, and the weather is fair again.
pub(crate) const DEEDS_END: Duration = Duration::from_secs(8);
/// When everything is repaired and has calmed down.
pub(crate) const CALM: Duration = Duration::from_secs(90);

pub(crate) fn key(last: u8) -> HostKey {
    HostKey { vni: Vni::new(10).expect("fits"), mac: MacAddr([2, 0, 0, 0, 0, last]) }
}

impl Script {
    pub(crate) fn config(&self) -> impl Fn(usize) -> Config + use<> {
        let Self { vteps, advertise, during, unreachable_owner, .. } = *self;
        move |me| {
            let peers = (0..vteps).filter(|&peer| peer != me).map(address).collect();
            let vni = VniConfig { peers, advertise, during, unreachable_owner, ..VniConfig::default() };
            let mut config = Config::new(address(me));
            config.vnis.insert(key(1).vni, vni);
            config
        }
    }

    pub(crate) fn devices(&self) -> Vec<Device> {
        let device = |key, at, port, genuine| Device {
            key,
            at: Some((at, AccessId(port))),
            answers: genuine || self.cunning,
            stunned_until: Instant::EPOCH,
        };
        let other = 1 % self.vteps;
        vec![
            device(key(1), 0, 1, true),
            device(key(2), 0, 2, true),
            device(key(1), other, 3, false),
            device(key(1), self.vteps - 1, 4, false),
            device(key(2), other, 4, false),
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
        for device in [STEADFAST, WANDERER] {
            deeds.push((at(Duration::from_millis(100)), Deed::Announce { device, evidence: Evidence::Arp }));
        }
        // Whatever the weather, everybody has the first lists.
        deeds.extend(sessions(false).map(|deed| (at(Duration::from_millis(500)), deed)));
        deeds.extend(sessions(true).map(|deed| (at(Duration::from_millis(501)), deed)));
        for &(millis, deed) in &self.deeds {
            deeds.push((at(SETTLED + Duration::from_millis(millis)), deed));
        }
        for vtep in 0..self.vteps {
            for port in super::world::PORTS {
                deeds.push((at(DEEDS_END), Deed::Port { at: vtep, port, up: true }));
            }
        }
        deeds.push((at(DEEDS_END), Deed::Answer { device: WANDERER, answers: true }));
        // Sessions break and come back, until the lists get through; the genuine hosts say where they are, and not only once.
        for round in 0..5 {
            let begin = DEEDS_END + Duration::from_secs(1 + 10 * round);
            deeds.extend(sessions(false).map(|deed| (at(begin), deed)));
            deeds.extend(sessions(true).map(|deed| (at(begin + Duration::from_millis(50)), deed)));
            for device in [STEADFAST, WANDERER] {
                let announce = Deed::Announce { device, evidence: Evidence::Arp };
                deeds.push((at(begin + Duration::from_secs(6)), announce));
            }
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

fn deed(vteps: usize, restarts: bool) -> impl Strategy<Value = Vec<Deed>> {
    let port = || (1_u16..=4).prop_map(AccessId);
    let restart_weight = u32::from(restarts);
    prop_oneof![
        6 => (prop::sample::select(&IMPOSTORS[..]), evidence())
            .prop_map(|(device, evidence)| vec![Deed::Announce { device, evidence }]),
        2 => (prop::sample::select(&[STEADFAST, WANDERER][..]), evidence())
            .prop_map(|(device, evidence)| vec![Deed::Announce { device, evidence }]),
        4 => (0..vteps, port(), 0_u64..400, evidence()).prop_map(|(at, port, stunned_ms, evidence)| vec![
            Deed::Move { device: WANDERER, at, port, stunned_ms },
            Deed::Announce { device: WANDERER, evidence },
        ]),
        2 => (prop::sample::select(&IMPOSTORS[..]), 0..vteps, 3_u16..=4, evidence()).prop_map(
            |(device, at, port, evidence)| vec![
                Deed::Move { device, at, port: AccessId(port), stunned_ms: 0 },
                Deed::Announce { device, evidence },
            ]
        ),
        2 => (0..vteps, 0..vteps, any::<bool>()).prop_map(|(a, b, up)| vec![Deed::Session { a, b, up }]),
        1 => (0..vteps, 2_u16..=4, any::<bool>())
            .prop_map(|(at, port, up)| vec![Deed::Port { at, port: AccessId(port), up }]),
        1 => any::<bool>().prop_map(|answers| vec![Deed::Answer { device: WANDERER, answers }]),
        1 => prop::sample::select(&[STEADFAST, WANDERER][..]).prop_map(|device| vec![Deed::Idle { device }]),
        1 => Just(vec![Deed::Vanish { device: WANDERER }]),
        restart_weight => (0..vteps).prop_map(|at| vec![Deed::Restart { at }]),
    ]
}

/// Any script. `harsh` weather does to messages what no session would.
pub(crate) fn scripts(harsh: bool, restarts: bool) -> impl Strategy<Value = Script> {
    let weather = if harsh {
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
    (any::<u64>(), 2_usize..=5, advertise, during, unreachable, weather, any::<bool>()).prop_flat_map(
        move |(seed, vteps, advertise, during, unreachable_owner, weather, cunning)| {
            prop::collection::vec((0_u64..6_500, deed(vteps, restarts)), 0..25).prop_map(move |timed| Script {
                seed,
                vteps,
                advertise,
                during,
                unreachable_owner,
                weather,
                cunning,
                deeds: timed
                    .into_iter()
                    .flat_map(|(at, deeds)| deeds.into_iter().map(move |deed| (at, deed)))
                    .collect(),
            })
        },
    )
}
