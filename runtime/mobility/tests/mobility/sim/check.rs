//! What must be true after every step, and what must be true in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vouch_mobility::{
    AccessId, ClaimView, Destination, During, HostInfo, HostKey, HostView, Instant, Location, Phase, Report,
};

use super::dataplane::Ingress;
use super::script::{DEEDS_END, Deed, SETTLED, STEADFAST, Script, WANDERER, key};
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
    /// How often it was seen that both places get what is sent from anywhere.
    pub(crate) served_both: usize,
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
        for host in [key(1), key(2)] {
            the_old_place_gets_what_a_claimant_gets(world, &host);
            self.both_places_are_served(world, &host);
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
            assert_eq!(trace.copies(place), 1, "{:?}: from VTEP {start} it goes to {:?}", world.now, trace.delivered);
            for &(at, port) in trace.delivered.iter().filter(|&&delivered| delivered != place) {
                let claims = world.vteps[at].views.get(&key(1)).map(|view| view.claims.as_slice()).unwrap_or_default();
                let claimed = claims.iter().any(|claim| matches!(claim, (p, ClaimView::Pending { .. }) if *p == port));
                assert!(claimed, "{:?}: from VTEP {start} it goes to {:?}", world.now, trace.delivered);
                assert_eq!(trace.copies((at, port)), 1, "{:?}: from VTEP {start}, twice", world.now);
            }
            if self.during == Some(During::Hold) {
                assert_eq!(trace.delivered, [place], "{:?}: others see its traffic in `hold`", world.now);
            }
        }
    }

    /// With `both`, a claim that everybody concerned has heard of shows the host's traffic to the claimed place and to the old one, each frame
    /// once, wherever it is sent.
    fn both_places_are_served(&mut self, world: &World, host: &HostKey) {
        let in_time = world.now > Instant::EPOCH + SETTLED && world.now < Instant::EPOCH + DEEDS_END;
        if self.during != Some(During::Both) || !self.calm || !in_time {
            return;
        }
        let Some(infos) = world.vteps.iter().map(|vtep| vtep.machine.host(host)).collect::<Option<Vec<_>>>() else {
            return;
        };
        let owners: Vec<_> = (0..infos.len()).filter(|&at| matches!(infos[at].location, Location::Local(_))).collect();
        let pending = |view: &HostView| view.claims.iter().any(|(_, claim)| matches!(claim, ClaimView::Pending { .. }));
        let claimed = world.vteps.iter().filter_map(|vtep| vtep.views.get(host)).any(pending);
        let (&[owner], true) = (owners.as_slice(), claimed) else { return };
        if world.is_being_discussed(host) {
            return;
        }
        let now = world.now;
        let view = &world.vteps[owner].views[host];
        let (Location::Local(old), Destination::Both { with }) = (view.location, view.destination) else {
            // Who claims a host that has just moved may have to ask once more.
            assert!(*host != key(1), "{now:?}: {host} is claimed from VTEP {owner}, which copies nothing: {view:?}");
            return;
        };
        let claimed = match (with, number(with)) {
            (Location::Local(port), _) => (owner, port),
            (Location::Remote(_), None) => unreachable!("a tunnel leads to a VTEP"),
            (Location::Remote(_), Some(claimant)) => match world.vteps[claimant].views[host].claims.as_slice() {
                &[(port, ClaimView::Pending { .. })] => (claimant, port),
                claims => panic!("{now:?}: VTEP {claimant} gets copies for {host} and has the claims {claims:?}"),
            },
        };
        for start in 0..world.vteps.len() {
            let trace = world.trace(host, start, Ingress::Access(AccessId(99)));
            let copies = [(owner, old), claimed].map(|place| trace.copies(place));
            assert_eq!(copies, [1, 1], "{now:?}: from VTEP {start} to {host}: {:?}", trace.delivered);
        }
        self.served_both += 1;
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

/// What reaches a claimant, from its own ports or from those who believe it early, reaches the owner's port, once.
fn the_old_place_gets_what_a_claimant_gets(world: &World, host: &HostKey) {
    let infos: Vec<_> = world.vteps.iter().map(|vtep| vtep.machine.host(host)).collect();
    let location = |at: usize| infos[at].as_ref().map(|info| info.location);
    for (claimant, info) in infos.iter().enumerate() {
        let Some(info) =
            info.as_ref().filter(|info| matches!(info.phase, Phase::Claiming | Phase::ProbingThroughTunnel))
        else {
            continue;
        };
        let Some(owner) = number(info.location) else { continue };
        let Some(Location::Local(old)) = location(owner) else { continue };
        for start in (0..infos.len()).filter(|&at| at == claimant || location(at).and_then(number) == Some(claimant)) {
            let trace = world.trace(host, start, Ingress::Access(AccessId(99)));
            assert_eq!(trace.copies((owner, old)), 1, "{:?}: from VTEP {start} to {host}: {trace:?}", world.now);
        }
    }
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
