//! What must be true after every step, and what must be true in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vouch_mobility::{AccessId, Destination, During, HostInfo, HostKey, Instant, Location, Phase, Report};

use super::dataplane::Ingress;
use super::script::{Deed, SETTLED, STEADFAST, Script, WANDERER, key};
use super::world::{World, number};

/// Longer than any claim or verification may take.
const BOUND: Duration = Duration::from_secs(30);

#[derive(Default)]
pub(crate) struct Checker {
    during: Option<During>,
    /// Nothing in the script interrupts sessions, links or agents, and no message is lost.
    calm: bool,
    cunning: bool,
    changed: BTreeSet<HostKey>,
    busy_since: BTreeMap<(usize, HostKey), Instant>,
    pub(crate) reports: Vec<(usize, Report)>,
}

impl Checker {
    pub(crate) fn new(script: &Script) -> Self {
        let weather = script.weather;
        let fair = weather.loss == 0 && weather.duplication == 0 && weather.reordering == 0;
        let disturbs = |deed: &Deed| match deed {
            Deed::Session { .. } | Deed::Port { .. } | Deed::Restart { .. } => true,
            Deed::Announce { .. }
            | Deed::Move { .. }
            | Deed::Vanish { .. }
            | Deed::Answer { .. }
            | Deed::Idle { .. } => false,
        };
        let calm = fair && !script.deeds.iter().any(|(_, deed)| disturbs(deed));
        Self { during: Some(script.during), calm, cunning: script.cunning, ..Self::default() }
    }

    pub(crate) fn changed(&mut self, host: HostKey) {
        self.changed.insert(host);
    }

    pub(crate) fn reported(&mut self, at: usize, report: &Report) {
        self.reports.push((at, report.clone()));
    }

    pub(crate) fn after_step(&mut self, world: &World) {
        for host in std::mem::take(&mut self.changed) {
            no_loops(world, &host);
            if host == key(1) && world.now > Instant::EPOCH + SETTLED {
                self.steadfast_keeps_its_traffic(world);
            }
        }
        if world.now > Instant::EPOCH + SETTLED {
            steadfast_keeps_its_entry(world);
        }
        self.nothing_takes_for_ever(world);
    }

    fn steadfast_keeps_its_traffic(&self, world: &World) {
        if !self.calm {
            return;
        }
        let place = world.devices[STEADFAST].at.expect("it stays");
        for start in 0..world.vteps.len() {
            let trace = world.trace(&key(1), start, Ingress::Access(AccessId(99)));
            let copies = trace.delivered.iter().filter(|&&delivered| delivered == place).count();
            assert_eq!(copies, 1, "{:?}: from VTEP {start} its traffic goes to {:?}", world.now, trace.delivered);
            if self.during == Some(During::Hold) {
                assert_eq!(trace.delivered, [place], "{:?}: others see its traffic in `hold`", world.now);
            }
        }
    }

    fn nothing_takes_for_ever(&mut self, world: &World) {
        for (at, vtep) in world.vteps.iter().enumerate() {
            for host in [key(1), key(2)] {
                let busy = vtep.machine.host(&host).is_some_and(|info| info.phase != Phase::Settled);
                if busy {
                    let since = *self.busy_since.entry((at, host)).or_insert(world.now);
                    assert!(world.now.since(since) < BOUND, "VTEP {at} is busy with {host} since {since:?}");
                } else {
                    self.busy_since.remove(&(at, host));
                }
            }
        }
    }

    /// Everything has been repaired and some time has passed.
    pub(crate) fn in_the_end(&self, world: &World) {
        for (at, vtep) in world.vteps.iter().enumerate() {
            for (host, view) in &vtep.views {
                assert!(
                    view.claims.is_empty() && !view.watch,
                    "VTEP {at} still has traces of a claim of {host}: {view:?}"
                );
                assert_eq!(view.destination, Destination::Recorded, "VTEP {at}, {host}");
                assert_eq!(vtep.machine.view(host), Some(view), "VTEP {at}, {host}");
            }
            assert_eq!(vtep.views.len(), vtep.machine.hosts().count(), "VTEP {at}: views without a host");
            for info in vtep.machine.hosts() {
                assert_eq!(info.phase, Phase::Settled, "VTEP {at}, {}", info.host);
            }
            for (frame, fate) in &vtep.held {
                assert!(fate.is_some(), "VTEP {at} holds {frame:?} for ever");
            }
        }
        for device in [STEADFAST, WANDERER] {
            // With two that answer, each may have those who heard of it first.
            if !self.cunning {
                all_agree(world, device);
            }
        }
    }
}

fn steadfast_keeps_its_entry(world: &World) {
    let (at, port) = world.devices[STEADFAST].at.expect("it stays");
    let info = world.vteps[at].machine.host(&key(1));
    let location = info.map(|info: HostInfo| info.location);
    assert_eq!(location, Some(Location::Local(port)), "{:?}: a host that answers lost its entry", world.now);
}

/// A frame that is anywhere, having come from anywhere, ends somewhere.
fn no_loops(world: &World, host: &HostKey) {
    for start in 0..world.vteps.len() {
        let tunnels = (0..world.vteps.len()).filter(|&other| other != start).map(Ingress::Tunnel);
        for ingress in tunnels.chain([Ingress::Access(AccessId(99))]) {
            let trace = world.trace(host, start, ingress);
            if let Some(path) = trace.looped {
                let views: Vec<_> = world.vteps.iter().map(|vtep| vtep.views.get(host)).collect();
                panic!("{:?}: frames to {host} go round: {path:?}\n{views:#?}", world.now);
            }
        }
    }
}

/// One VTEP has the host, the one where it is, and the others follow; or nobody knows it.
fn all_agree(world: &World, device: usize) {
    let host = world.devices[device].key;
    let locations: Vec<_> = world.vteps.iter().map(|vtep| vtep.machine.host(&host).map(|info| info.location)).collect();
    let owners: Vec<_> = (0..locations.len()).filter(|&at| matches!(locations[at], Some(Location::Local(_)))).collect();
    match (world.devices[device].at, owners.as_slice()) {
        (Some((at, port)), _) => {
            assert_eq!(owners, [at], "{host} is at VTEP {at}, the tables say {locations:?}");
            assert_eq!(locations[at], Some(Location::Local(port)), "{host}");
        }
        (None, []) => assert!(locations.iter().all(Option::is_none), "{host} is nowhere: {locations:?}"),
        (None, [_]) => {}
        (None, _) => panic!("{host} is nowhere, but several think they have it: {locations:?}"),
    }
    if let [owner] = *owners {
        for (at, location) in locations.iter().enumerate().filter(|&(at, _)| at != owner) {
            assert_eq!(location.and_then(number), Some(owner), "VTEP {at} does not follow VTEP {owner} for {host}");
        }
    }
}
