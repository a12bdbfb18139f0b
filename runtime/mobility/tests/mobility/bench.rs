//! One machine on the bench: facts go in one by one, decisions come out.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use vouch_mobility::{
    AccessId, Action, Advertisement, ClaimId, Config, Counters, Event, Evidence, FrameId, Heard, HostKey, HostView,
    Instant, Location, Message, Migration, Mobility, Probe, Reply, Report, Sequence, Sync, Verdict, VniConfig,
    VtepAddr, Withdrawal,
};
use vouch_net::{MacAddr, Vni};

pub(crate) const ME: VtepAddr = VtepAddr(Ipv4Addr::new(10, 0, 0, 1));
pub(crate) const B: VtepAddr = VtepAddr(Ipv4Addr::new(10, 0, 0, 2));
pub(crate) const C: VtepAddr = VtepAddr(Ipv4Addr::new(10, 0, 0, 3));
pub(crate) const P1: AccessId = AccessId(1);
pub(crate) const P2: AccessId = AccessId(2);
pub(crate) const P3: AccessId = AccessId(3);
pub(crate) const FRAME: FrameId = FrameId(7);
pub(crate) const IP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 1));

pub(crate) fn host() -> HostKey {
    HostKey { vni: Vni::new(10).expect("fits"), mac: MacAddr([2, 0, 0, 0, 0, 1]) }
}

pub(crate) struct Bench {
    pub(crate) machine: Mobility,
    pub(crate) now: Instant,
}

impl Bench {
    /// A machine with two peers, whose sessions are up.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(choose: impl FnOnce(&mut VniConfig)) -> Self {
        let mut vni = VniConfig { peers: [B, C].into(), ..VniConfig::default() };
        choose(&mut vni);
        let mut config = Config::new(ME);
        config.vnis.insert(host().vni, vni);
        Self::configured(config)
    }

    pub(crate) fn configured(config: Config) -> Self {
        let mut bench = Self { machine: Mobility::new(config), now: Instant::EPOCH + Duration::from_secs(1) };
        for peer in [B, C] {
            bench.feed(Event::PeerUp { peer });
        }
        bench
    }

    /// The host is here, on port 1, with its address.
    pub(crate) fn owning(mut self) -> Self {
        self.heard(P1, Evidence::Arp, None);
        self
    }

    /// The host is behind B.
    pub(crate) fn following(mut self) -> Self {
        self.told(B, 0, None);
        self
    }

    pub(crate) fn feed(&mut self, event: Event) -> Vec<Action> {
        self.machine.handle(event, self.now);
        self.actions()
    }

    /// Lets time pass, timers going off when they are due.
    pub(crate) fn wait(&mut self, millis: u64) -> Vec<Action> {
        let end = self.now + Duration::from_millis(millis);
        let mut actions = Vec::new();
        while let Some(due) = self.machine.next_deadline().filter(|&due| due <= end) {
            self.now = self.now.max(due);
            self.machine.handle_timeout(self.now);
            actions.extend(self.actions());
        }
        self.now = end;
        actions
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.machine.poll_action()).collect()
    }

    pub(crate) fn heard(&mut self, port: AccessId, evidence: Evidence, frame: Option<FrameId>) -> Vec<Action> {
        let addresses = if evidence == Evidence::Arp { vec![IP] } else { Vec::new() };
        self.feed(Event::Heard(Heard { host: host(), port, evidence, addresses, frame }))
    }

    pub(crate) fn answered(&mut self, from: Location) -> Vec<Action> {
        self.feed(Event::ProbeAnswered { host: host(), from, address: IP })
    }

    pub(crate) fn says(&mut self, from: VtepAddr, message: Message) -> Vec<Action> {
        self.feed(Event::Message { from, message })
    }

    pub(crate) fn told(&mut self, from: VtepAddr, sequence: u32, migration: Option<Migration>) -> Vec<Action> {
        self.says(from, advertisement(sequence, migration))
    }

    pub(crate) fn asked(&mut self, from: VtepAddr, claim: u64, sequence: u32) -> Vec<Action> {
        self.told(from, sequence, Some(Migration::Asked { claim: ClaimId(claim) }))
    }

    pub(crate) fn replied(&mut self, from: VtepAddr, claim: u64, sequence: u32, verdict: Verdict) -> Vec<Action> {
        self.says(from, reply(claim, sequence, verdict))
    }

    pub(crate) fn view(&self) -> &HostView {
        self.machine.view(&host()).expect("the host is known")
    }

    pub(crate) fn location(&self) -> Option<Location> {
        self.machine.host(&host()).map(|info| info.location)
    }

    pub(crate) fn counters(&self) -> Counters {
        self.machine.counters()
    }
}

pub(crate) fn advertisement(sequence: u32, migration: Option<Migration>) -> Message {
    let sequence = Sequence(sequence);
    Message::Advertisement(Advertisement { host: host(), addresses: vec![IP], sequence, migration })
}

pub(crate) fn reply(claim: u64, sequence: u32, verdict: Verdict) -> Message {
    Message::Reply(Reply { host: host(), claim: ClaimId(claim), sequence: Sequence(sequence), verdict })
}

pub(crate) fn withdrawal(sequence: u32, moved_to: Option<VtepAddr>) -> Message {
    Message::Withdrawal(Withdrawal { host: host(), sequence: Sequence(sequence), moved_to })
}

pub(crate) fn listed(sequence: u32) -> Message {
    Message::Sync(Sync::Host { host: host(), addresses: vec![IP], sequence: Sequence(sequence) })
}

pub(crate) fn send(to: VtepAddr, message: Message) -> Action {
    Action::Send { to, message }
}

pub(crate) fn probe(via: Location) -> Action {
    Action::Probe(Probe { host: host(), via, targets: vec![IP] })
}

pub(crate) fn sent(actions: &[Action]) -> Vec<(VtepAddr, Message)> {
    let sent = actions.iter().filter_map(|action| match action {
        Action::Send { to, message } => Some((*to, message.clone())),
        Action::Install { .. }
        | Action::Probe(_)
        | Action::Release { .. }
        | Action::Drop { .. }
        | Action::Report(_) => None,
    });
    sent.collect()
}

pub(crate) fn reports(actions: &[Action]) -> Vec<Report> {
    let reports = actions.iter().filter_map(|action| match action {
        Action::Report(report) => Some(report.clone()),
        Action::Install { .. }
        | Action::Probe(_)
        | Action::Release { .. }
        | Action::Drop { .. }
        | Action::Send { .. } => None,
    });
    reports.collect()
}

pub(crate) fn probes(actions: &[Action]) -> usize {
    actions.iter().filter(|action| matches!(action, Action::Probe(_))).count()
}
