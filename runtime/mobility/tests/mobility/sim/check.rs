//! What must be true after every step, and what must be true in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vouch_mobility::{AccessId, ClaimView, Destination, During, HostKey, HostView, Instant, Location, Phase, Report};

use super::dataplane::Ingress;
use super::script::{DEEDS_END, Deed, MUTE, SETTLED, STEADFAST, Script, WANDERER, key};
use super::world::{World, number};

/// Longer than any claim of a host that answers may take: what was disturbed is asked about again within half a minute.
const BOUND: Duration = Duration::from_secs(75);

#[derive(Default)]
pub(crate) struct Checker {
    during: Option<During>,
    /// Nothing in the script interrupts sessions, links, agents or switches, and no message is lost.
    calm: bool,
    /// Where the host that wanders is may not have been found out by the end.
    muddled: bool,
    /// The host that stays is never silent for so long that it may be given to somebody else.
    stays: bool,
    /// The host that stays has given up its address.
    readdressed: bool,
    cunning: bool,
    /// VTEPs that may have forgotten everything.
    rebooted: BTreeSet<usize>,
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
            Deed::Session { .. }
            | Deed::Port { .. }
            | Deed::Restart { .. }
            | Deed::Reboot { .. }
            | Deed::SwitchRestart { .. }
            | Deed::Stall { .. }
            | Deed::Police { .. } => true,
            Deed::Announce { .. }
            | Deed::Move { .. }
            | Deed::Silent { .. }
            | Deed::Vanish { .. }
            | Deed::Habit { .. }
            | Deed::Readdress { .. }
            | Deed::Poison { .. }
            | Deed::Flood { .. }
            | Deed::Expect { .. }
            | Deed::Idle { .. } => false,
        };
        let calm = fair && !script.deeds.iter().any(|(_, deed)| disturbs(deed));
        // While a host is mute, or its address is somebody else's, several places may come to claim it, and only time decides.
        let muddles = |deed: &Deed| match *deed {
            Deed::Habit { .. } => true,
            Deed::Idle { device } => device == WANDERER,
            Deed::Poison { victim, .. } => victim == WANDERER,
            Deed::Session { .. }
            | Deed::Port { .. }
            | Deed::Restart { .. }
            | Deed::Reboot { .. }
            | Deed::SwitchRestart { .. }
            | Deed::Stall { .. }
            | Deed::Police { .. }
            | Deed::Announce { .. }
            | Deed::Move { .. }
            | Deed::Silent { .. }
            | Deed::Vanish { .. }
            | Deed::Readdress { .. }
            | Deed::Flood { .. }
            | Deed::Expect { .. } => false,
        };
        let may_lose = |deed: &Deed| {
            matches!(deed, Deed::Silent { device: STEADFAST, .. } | Deed::Habit { device: STEADFAST, .. })
        };
        let stays = !script.deeds.iter().any(|(_, deed)| may_lose(deed));
        let readdressed = script.deeds.iter().any(|(_, deed)| matches!(deed, Deed::Readdress { device: STEADFAST }));
        let muddled = script.deeds.iter().any(|(_, deed)| muddles(deed));
        Self {
            during: Some(script.during),
            calm,
            muddled,
            stays,
            readdressed,
            cunning: script.cunning,
            ..Self::default()
        }
    }

    pub(crate) fn changed(&mut self, host: HostKey) {
        self.changed.insert(host);
    }

    pub(crate) fn rebooted(&mut self, at: usize) {
        self.rebooted.insert(at);
    }

    pub(crate) fn reported(&mut self, at: usize, report: &Report) {
        self.reports.push((at, report.clone()));
    }

    pub(crate) fn after_step(&mut self, world: &World) {
        let settled = self.stays && world.now > Instant::EPOCH + SETTLED;
        for host in std::mem::take(&mut self.changed) {
            no_loops(world, &host);
            for device in [STEADFAST, MUTE] {
                if settled && host == world.devices[device].key {
                    self.keeps_its_traffic(world, device);
                }
            }
        }
        if settled {
            for device in [STEADFAST, MUTE] {
                self.keeps_its_entry(world, device);
            }
            if !self.readdressed && self.rebooted.is_empty() {
                keeps_its_address(world);
            }
        }
        for host in [key(1), key(2)] {
            self.the_old_place_gets_what_a_claimant_gets(world, &host);
            self.both_places_are_served(world, &host);
        }
        self.nothing_takes_for_ever(world);
    }

    /// A host that is there is never without its entry; where everything was forgotten it may be unknown, and then frames to it are flooded.
    fn keeps_its_entry(&self, world: &World, device: usize) {
        let (at, port) = world.devices[device].at.expect("it stays");
        let host = world.devices[device].key;
        let location = world.vteps[at].machine.host(&host).and_then(|info| info.location);
        // Who forgot everything may take another port of its own for the host's, but then frames go to both, if it answers.
        if self.rebooted.contains(&at) && location != Some(Location::Local(port)) {
            return;
        }
        assert_eq!(location, Some(Location::Local(port)), "{:?}: {host} is there, and lost its entry", world.now);
    }

    fn keeps_its_traffic(&self, world: &World, device: usize) {
        if !self.calm {
            return;
        }
        let place = world.devices[device].at.expect("it stays");
        let host = world.devices[device].key;
        for start in 0..world.vteps.len() {
            let trace = world.trace(&host, start, Ingress::Access(AccessId(99)));
            assert_eq!(trace.copies(place), 1, "{:?}: from VTEP {start} it goes to {:?}", world.now, trace.delivered);
            for &(at, port) in trace.delivered.iter().filter(|&&delivered| delivered != place) {
                let claims = claims_at(world, at, &host);
                let claimed = claims.iter().any(|&(claimed, view)| claimed == port && view != ClaimView::Quarantined);
                assert!(claimed, "{:?}: from VTEP {start} it goes to {:?}", world.now, trace.delivered);
                assert_eq!(trace.copies((at, port)), 1, "{:?}: from VTEP {start}, twice", world.now);
            }
            // Several that answer for a host that does not make it contested, and that is shown to all.
            if self.during == Some(During::Hold) && device == STEADFAST {
                assert_eq!(trace.delivered, [place], "{:?}: others see its traffic in `hold`", world.now);
            }
        }
    }

    /// What reaches a claimant, from its own ports or from those who believe it early, reaches the owner's port, once.
    fn the_old_place_gets_what_a_claimant_gets(&self, world: &World, host: &HostKey) {
        let infos: Vec<_> = world.vteps.iter().map(|vtep| vtep.machine.host(host)).collect();
        let location = |at: usize| infos[at].as_ref().and_then(|info| info.location);
        let lost = |at: usize| world.vteps[at].switch.is_lost(world.now);
        for (claimant, info) in infos.iter().enumerate() {
            let Some(info) =
                info.as_ref().filter(|info| matches!(info.phase, Phase::Claiming | Phase::ProbingThroughTunnel))
            else {
                continue;
            };
            let Some(owner) = info.location.and_then(number) else { continue };
            let Some(Location::Local(old)) = location(owner) else { continue };
            let starts =
                (0..infos.len()).filter(|&at| at == claimant || location(at).and_then(number) == Some(claimant));
            for start in starts {
                if [start, claimant, owner].into_iter().any(lost) {
                    continue;
                }
                let trace = world.trace(host, start, Ingress::Access(AccessId(99)));
                assert_eq!(trace.copies((owner, old)), 1, "{:?}: from VTEP {start} to {host}: {trace:?}", world.now);
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
        let owners: Vec<_> =
            (0..infos.len()).filter(|&at| matches!(infos[at].location, Some(Location::Local(_)))).collect();
        let claimed = (0..infos.len()).any(|at| !claims_at(world, at, host).is_empty());
        let (&[owner], true) = (owners.as_slice(), claimed) else { return };
        if world.is_being_discussed(host) {
            return;
        }
        let now = world.now;
        let view: &HostView = &world.vteps[owner].switch.views[host];
        // Claims in passing, or of a host that has just moved, have to wait.
        let (Location::Local(old), Destination::Both { with, and }) = (view.location, view.destination) else { return };
        let mut places = vec![(owner, old)];
        for copied in [Some(with), and].into_iter().flatten() {
            match (copied, number(copied)) {
                (Location::Local(port), _) => places.push((owner, port)),
                (Location::Remote(_), None) => unreachable!("a tunnel leads to a VTEP"),
                (Location::Remote(_), Some(claimant)) => match claims_at(world, claimant, host) {
                    [(port, ClaimView::Pending { .. } | ClaimView::Shared)] => places.push((claimant, *port)),
                    claims => panic!("{now:?}: VTEP {claimant} gets copies for {host} and has the claims {claims:?}"),
                },
            }
        }
        for start in 0..world.vteps.len() {
            let trace = world.trace(host, start, Ingress::Access(AccessId(99)));
            for &place in &places {
                assert_eq!(trace.copies(place), 1, "{now:?}: from VTEP {start} to {host}: {:?}", trace.delivered);
            }
        }
        self.served_both += 1;
    }

    fn nothing_takes_for_ever(&mut self, world: &World) {
        for (at, vtep) in world.vteps.iter().enumerate() {
            let host = key(1);
            let busy = vtep.machine.host(&host).is_some_and(|info| info.phase != Phase::Settled);
            if busy && !self.cunning && self.rebooted.is_empty() {
                let since = *self.busy_since.entry((at, host)).or_insert(world.now);
                assert!(world.now.since(since) < BOUND, "VTEP {at} is busy with {host} since {since:?}");
            } else {
                self.busy_since.remove(&(at, host));
            }
        }
    }

    /// Everything has been repaired and some time has passed.
    pub(crate) fn in_the_end(&self, world: &World) {
        for (at, vtep) in world.vteps.iter().enumerate() {
            for (host, view) in &vtep.switch.views {
                assert_eq!(vtep.machine.view(host), Some(view), "VTEP {at}, {host}");
            }
            for (&address, &binding) in &vtep.switch.bindings {
                assert_eq!(vtep.machine.binding(key(1).vni, address), Some(binding), "VTEP {at}, {address}");
            }
            for info in vtep.machine.hosts() {
                // A host that never answers may have claims that nobody can decide; so may one that somebody else answers for.
                let found = world.devices[WANDERER].at.is_some() && !self.muddled;
                let there = info.host == key(1) || (info.host == key(2) && found);
                let answers = there && !self.cunning && self.rebooted.is_empty();
                if !answers {
                    continue;
                }
                assert_eq!(info.phase, Phase::Settled, "VTEP {at}, {}", info.host);
                let view = vtep.machine.view(&info.host).expect("it is settled");
                assert!(view.claims.is_empty(), "VTEP {at} still has traces of a claim: {view:?}");
                assert_eq!(view.destination, Destination::Recorded, "VTEP {at}, {}", info.host);
            }
            let pending = vtep.machine.hosts().any(|info| info.phase != Phase::Settled);
            for (frame, fate) in &vtep.held {
                assert!(fate.is_some() || pending, "VTEP {at} holds {frame:?} for ever");
            }
        }
        // With two that answer, each may have those who heard of it first.
        if !self.cunning {
            self.all_agree(world, STEADFAST);
            if !self.muddled {
                self.all_agree(world, WANDERER);
            }
        }
        let (at, port) = world.devices[STEADFAST].at.expect("it stays");
        for start in 0..world.vteps.len() {
            let trace = world.trace(&key(1), start, Ingress::Access(AccessId(99)));
            assert!(trace.copies((at, port)) > 0 || self.cunning, "from VTEP {start}: {:?}", trace.delivered);
        }
    }

    /// One VTEP has the host, the one where it is, and the others follow; or nobody knows it.
    fn all_agree(&self, world: &World, device: usize) {
        let host = world.devices[device].key;
        let locations: Vec<_> =
            world.vteps.iter().map(|vtep| vtep.machine.host(&host).and_then(|info| info.location)).collect();
        let owners: Vec<_> =
            (0..locations.len()).filter(|&at| matches!(locations[at], Some(Location::Local(_)))).collect();
        match (world.devices[device].at, owners.as_slice()) {
            (Some((at, port)), _) => {
                assert_eq!(owners, [at], "{host} is at VTEP {at}, the tables say {locations:?}");
                assert_eq!(locations[at], Some(Location::Local(port)), "{host}");
            }
            // Who has forgotten it, or gave it up, looks for it, and others go on believing that it is there.
            (None, []) if world.vteps.iter().any(|vtep| vtep.machine.host(&host).is_some_and(is_sought)) => {}
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
}

fn claims_at<'a>(world: &'a World, at: usize, host: &HostKey) -> &'a [(AccessId, ClaimView)] {
    world.vteps[at].switch.views.get(host).map(|view| view.claims.as_slice()).unwrap_or_default()
}

/// The address of a host that is there, and answers for it, is bound to nobody else where the host is.
fn keeps_its_address(world: &World) {
    let steadfast = &world.devices[STEADFAST];
    let (at, _) = steadfast.at.expect("it stays");
    let binding = world.vteps[at].machine.binding(steadfast.key.vni, steadfast.ip);
    assert!(binding.is_none_or(|binding| binding.mac == steadfast.key.mac), "{:?}: {binding:?}", world.now);
}

/// A frame that is anywhere, having come from anywhere, ends somewhere.
fn no_loops(world: &World, host: &HostKey) {
    for start in 0..world.vteps.len() {
        let tunnels = (0..world.vteps.len()).filter(|&other| other != start).map(Ingress::Tunnel);
        for ingress in tunnels.chain([Ingress::Access(AccessId(99))]) {
            let trace = world.trace(host, start, ingress);
            if let Some(path) = trace.looped {
                let views: Vec<_> = world.vteps.iter().map(|vtep| vtep.switch.views.get(host)).collect();
                panic!("{:?}: frames to {host} go round: {path:?}\n{views:#?}", world.now);
            }
        }
    }
}

fn is_sought(info: vouch_mobility::HostInfo) -> bool {
    info.phase == Phase::Sought
}
