//! One machine on the bench: facts go in one by one, decisions come out.
//!
//! The bench stands for the switch: it confirms probes and answers checks, unless it is told to stall. Routine questions (whether a host that nothing
//! is going on with still answers) are answered and kept out of what a test sees.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use vouch_mobility::{
    AccessId, Action, Advertisement, Binding, ClaimId, Config, Counters, Event, Evidence, FrameId, Heard, HostKey,
    HostView, Incarnation, Instant, Location, Message, Migration, Mobility, Phase, Probe, QuestionId, Reply, Report,
    Sequence, Standing, Sync, Verdict, VniConfig, VtepAddr, Withdrawal,
};
use vouch_net::{MacAddr, Vni};

pub(crate) const ME: VtepAddr = VtepAddr(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
pub(crate) const B: VtepAddr = VtepAddr(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)));
pub(crate) const C: VtepAddr = VtepAddr(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3)));
pub(crate) const P1: AccessId = AccessId(1);
pub(crate) const P2: AccessId = AccessId(2);
pub(crate) const P3: AccessId = AccessId(3);
pub(crate) const HERE: Location = Location::Local(P1);
pub(crate) const THERE: Location = Location::Remote(B);
pub(crate) const FRAME: FrameId = FrameId(7);
pub(crate) const IP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 1));
/// What the bench makes of every `Moved`: for how long the host was there is [`Bench::tenure`].
pub(crate) const MOVED: Verdict = Verdict::Moved { tenure: Duration::ZERO };

pub(crate) fn host() -> HostKey {
    HostKey { vni: Vni::new(10).expect("fits"), mac: MacAddr([2, 0, 0, 0, 0, 1]) }
}

pub(crate) struct Bench {
    pub(crate) machine: Mobility,
    pub(crate) now: Instant,
    /// The switch confirms what it is given.
    pub(crate) confirms: bool,
    /// Nothing that came back is lost.
    pub(crate) complete: bool,
    /// Hosts answer questions while nothing is going on with them; a test that wants to see those, or gives other answers, switches it off.
    pub(crate) routine: bool,
    /// Of the last `Moved` that was sent.
    pub(crate) tenure: Duration,
}

impl Bench {
    /// A machine with two peers, whose sessions are up, and which has been running for a while.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(choose: impl FnOnce(&mut VniConfig)) -> Self {
        let mut vni = vni_config();
        choose(&mut vni);
        let mut config = Config::new(ME);
        config.vnis.insert(host().vni, vni);
        Self::configured(config)
    }

    pub(crate) fn configured(config: Config) -> Self {
        let mut bench = Self::just_started(config);
        bench.wait(60_000);
        bench
    }

    /// A machine that may not know yet what it had before it was restarted.
    pub(crate) fn just_started(config: Config) -> Self {
        let mut bench = Self {
            machine: Mobility::new(config),
            now: Instant::EPOCH + Duration::from_secs(1),
            confirms: true,
            complete: true,
            routine: true,
            tenure: Duration::ZERO,
        };
        for peer in [B, C] {
            bench.session(peer, true);
            bench.pull(peer);
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

    pub(crate) fn session(&mut self, peer: VtepAddr, up: bool) -> Vec<Action> {
        self.feed(if up { Event::PeerUp { peer, probe_mac: None } } else { Event::PeerDown { peer } })
    }

    /// The list that the peer gets.
    pub(crate) fn pull(&mut self, peer: VtepAddr) -> Vec<Message> {
        std::iter::from_fn(|| self.machine.poll_sync(peer)).collect()
    }

    /// Lets time pass, timers going off when they are due.
    pub(crate) fn wait(&mut self, millis: u64) -> Vec<Action> {
        let end = self.now + Duration::from_millis(millis);
        let mut actions = Vec::new();
        let mut steps = 0;
        while let Some(due) = self.machine.next_deadline().filter(|&due| due <= end) {
            steps += 1;
            assert!(steps < 100_000, "it does not come to rest at {:?}", self.now);
            self.now = self.now.max(due);
            self.machine.handle_timeout(self.now);
            actions.extend(self.actions());
        }
        self.now = end;
        actions
    }

    /// Takes the decisions; what the switch says to them is told at once.
    fn actions(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        while let Some(action) = self.machine.poll_action() {
            let settled = |host: &HostKey| self.machine.host(host).is_some_and(|info| info.phase == Phase::Settled);
            match action {
                Action::Probe(probe) => {
                    let Probe { question, round, host, via, .. } = probe;
                    let routine = self.routine && settled(&host);
                    if self.confirms {
                        self.machine.handle(Event::Asked { host, question, round }, self.now);
                    }
                    if !routine {
                        actions.push(Action::Probe(Probe { question: QuestionId(0), round: 0, ..probe }));
                    } else {
                        let answer = Event::ProbeAnswered { host, from: via, address: probe.targets[0] };
                        self.machine.handle(answer, self.now);
                    }
                }
                Action::Check { question, host, .. } => {
                    if self.confirms {
                        let complete = self.complete;
                        self.machine.handle(Event::Checked { host, question, complete }, self.now);
                    }
                }
                Action::Send { to, message: Message::Reply(reply) } => {
                    let verdict = match reply.verdict {
                        Verdict::Moved { tenure } => {
                            self.tenure = tenure;
                            MOVED
                        }
                        verdict @ (Verdict::Stayed | Verdict::Open(_) | Verdict::Elsewhere(_)) => verdict,
                    };
                    actions.push(Action::Send { to, message: Message::Reply(Reply { verdict, ..reply }) });
                }
                Action::Install { .. }
                | Action::Bind { .. }
                | Action::Send { .. }
                | Action::Release { .. }
                | Action::Answer { .. }
                | Action::Drop { .. }
                | Action::Report(_) => actions.push(action),
            }
        }
        actions
    }

    pub(crate) fn heard(&mut self, port: AccessId, evidence: Evidence, frame: Option<FrameId>) -> Vec<Action> {
        let addresses = if evidence == Evidence::Arp { vec![IP] } else { Vec::new() };
        self.feed(Event::Heard(Heard { host: host(), port, evidence, addresses, target: None, frame }))
    }

    pub(crate) fn answered(&mut self, from: Location) -> Vec<Action> {
        self.feed(Event::ProbeAnswered { host: host(), from, address: IP })
    }

    /// A frame that says nothing about addresses came in where the host is recorded.
    pub(crate) fn seen(&mut self, port: AccessId) -> Vec<Action> {
        self.feed(Event::SeenAtRecordedPort { host: host(), port, address: None })
    }

    pub(crate) fn says(&mut self, from: VtepAddr, message: Message) -> Vec<Action> {
        self.feed(Event::Message { from, message })
    }

    pub(crate) fn told(&mut self, from: VtepAddr, sequence: u32, migration: Option<Migration>) -> Vec<Action> {
        self.says(from, advertisement(sequence, migration))
    }

    pub(crate) fn asked(&mut self, from: VtepAddr, claim: u64, sequence: u32) -> Vec<Action> {
        self.told(from, sequence, Some(asks(claim)))
    }

    /// The claimant tells what asking at its port has come to.
    pub(crate) fn stands(&mut self, from: VtepAddr, claim: u64, answers: bool) -> Vec<Action> {
        self.says(from, Message::Standing(Standing { host: host(), claim: claim_id(claim), answers }))
    }

    pub(crate) fn replied(&mut self, from: VtepAddr, claim: u64, sequence: u32, verdict: Verdict) -> Vec<Action> {
        self.says(from, reply(claim, sequence, verdict))
    }

    pub(crate) fn view(&self) -> &HostView {
        self.machine.view(&host()).expect("the host is known")
    }

    pub(crate) fn location(&self) -> Option<Location> {
        self.machine.host(&host()).and_then(|info| info.location)
    }

    pub(crate) fn phase(&self) -> Phase {
        self.machine.host(&host()).expect("the host is known").phase
    }

    pub(crate) fn counters(&self) -> Counters {
        self.machine.counters()
    }
}

pub(crate) fn vni_config() -> VniConfig {
    VniConfig { access: [P1, P2, P3].into(), peers: [B, C].into(), ..VniConfig::default() }
}

pub(crate) fn claim_id(number: u64) -> ClaimId {
    ClaimId { incarnation: Incarnation(0), number }
}

pub(crate) fn asks(claim: u64) -> Migration {
    Migration::Asked { claim: claim_id(claim), tenure: Duration::ZERO, damped: false, taken: false }
}

pub(crate) fn bound(address: IpAddr) -> Binding {
    Binding { address, confirmed: true }
}

pub(crate) fn advertisement(sequence: u32, migration: Option<Migration>) -> Message {
    let sequence = Sequence(sequence);
    Message::Advertisement(Advertisement { host: host(), bindings: vec![bound(IP)], sequence, migration })
}

pub(crate) fn reply(claim: u64, sequence: u32, verdict: Verdict) -> Message {
    Message::Reply(Reply { host: host(), claim: claim_id(claim), sequence: Sequence(sequence), verdict })
}

pub(crate) fn withdrawal(sequence: u32, moved_to: Option<VtepAddr>) -> Message {
    Message::Withdrawal(Withdrawal { host: host(), sequence: Sequence(sequence), moved_to })
}

pub(crate) fn listed(sequence: u32) -> Message {
    Message::Sync(Sync::Host { host: host(), bindings: vec![bound(IP)], sequence: Sequence(sequence) })
}

pub(crate) fn yours(sequence: u32) -> Message {
    Message::Sync(Sync::Yours { host: host(), bindings: vec![bound(IP)], sequence: Sequence(sequence) })
}

/// The peer's list, which ends.
pub(crate) fn lists(bench: &mut Bench, peer: VtepAddr, list: &[Message]) {
    let hosts = list.iter().filter(|message| matches!(message, Message::Sync(Sync::Host { .. }))).count() as u64;
    bench.says(peer, Message::Sync(Sync::Start));
    list.iter().for_each(|message| drop(bench.says(peer, message.clone())));
    bench.says(peer, Message::Sync(Sync::End { hosts, withheld: false }));
}

pub(crate) fn send(to: VtepAddr, message: Message) -> Action {
    Action::Send { to, message }
}

/// A round of questions where the host is recorded.
pub(crate) fn probe(via: Location) -> Action {
    asked_for(via, true, vec![IP])
}

/// A round of questions where it is claimed.
pub(crate) fn probe_claimed(via: Location) -> Action {
    asked_for(via, false, vec![IP])
}

pub(crate) fn asked_for(via: Location, recorded: bool, targets: Vec<IpAddr>) -> Action {
    Action::Probe(Probe { question: QuestionId(0), round: 0, host: host(), via, recorded, targets })
}

pub(crate) fn sent(actions: &[Action]) -> Vec<(VtepAddr, Message)> {
    let sent = actions.iter().filter_map(|action| match action {
        Action::Send { to, message } => Some((*to, message.clone())),
        Action::Install { .. }
        | Action::Bind { .. }
        | Action::Probe(_)
        | Action::Check { .. }
        | Action::Release { .. }
        | Action::Answer { .. }
        | Action::Drop { .. }
        | Action::Report(_) => None,
    });
    sent.collect()
}

pub(crate) fn reports(actions: &[Action]) -> Vec<Report> {
    let reports = actions.iter().filter_map(|action| match action {
        Action::Report(report) => Some(report.clone()),
        Action::Install { .. }
        | Action::Bind { .. }
        | Action::Probe(_)
        | Action::Check { .. }
        | Action::Send { .. }
        | Action::Release { .. }
        | Action::Answer { .. }
        | Action::Drop { .. } => None,
    });
    reports.collect()
}

/// How many rounds of questions go out by this way.
pub(crate) fn probes(actions: &[Action], via: Location) -> usize {
    actions.iter().filter(|action| matches!(action, Action::Probe(probe) if probe.via == via)).count()
}

/// To whom claims were made, and whether in passing.
pub(crate) fn claims(actions: &[Action]) -> Vec<(VtepAddr, bool)> {
    let claim = |(to, message)| match message {
        Message::Advertisement(Advertisement { migration: Some(Migration::Asked { damped, .. }), .. }) => {
            Some((to, damped))
        }
        Message::Advertisement(_)
        | Message::Reply(_)
        | Message::Standing(_)
        | Message::Withdrawal(_)
        | Message::Sync(_)
        | Message::Expect(_)
        | Message::AddressClaim(_)
        | Message::AddressReply(_) => None,
    };
    sent(actions).into_iter().filter_map(claim).collect()
}
