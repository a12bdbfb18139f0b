//! What people ask of the machine, and have it do.

use std::time::Duration;

use vouch_mobility::{
    Census, ClaimDetail, ClaimId, ClaimView, Clear, Event, Evidence, ExpectedAt, Heard, HostKey, MacPrefix, Message,
    Migration, Phase, Report, Sync, Verdict,
};

use crate::bench::{
    B, Bench, C, HERE, P1, P2, THERE, advertisement, host, listed, probes, reply, reports, sent, withdrawal,
};

fn attacked() -> Bench {
    let mut bench = Bench::with(|vni| vni.quarantine = Some(Duration::from_secs(30))).owning();
    for _ in 0..3 {
        bench.heard(P2, Evidence::Arp, None);
        bench.answered(HERE);
        bench.wait(2_000);
    }
    bench
}

fn clear(bench: &mut Bench, what: Clear) {
    bench.feed(Event::Clear { host: host(), what });
}

#[test]
fn a_host_is_asked_at_an_operators_word_and_its_silence_takes_nothing_away() {
    let mut bench = Bench::new().owning();
    bench.wait(2_000);
    bench.routine = false;
    assert_eq!(probes(&bench.feed(Event::AskNow { host: host() }), HERE), 1);
    assert_eq!(
        probes(&bench.feed(Event::AskNow { host: host() }), HERE),
        1,
        "it has not answered yet, and may be slow to"
    );
    let actions = bench.wait(2_500);
    assert!(reports(&actions).is_empty() && bench.location() == Some(HERE), "{actions:?}");
    // Where others have it, or nobody does, there is nobody to ask.
    let mut bench = Bench::new().following();
    assert_eq!(bench.feed(Event::AskNow { host: host() }), []);
    let mut bench = Bench::new();
    assert_eq!(bench.feed(Event::AskNow { host: host() }), []);
    assert_eq!(bench.machine.host(&host()), None);
}

#[test]
fn what_was_refused_reported_or_shut_is_forgotten_at_an_operators_word() {
    let mut bench = attacked();
    let refused = |bench: &Bench| bench.machine.refused(bench.now).collect::<Vec<_>>();
    assert!(matches!(refused(&bench).as_slice(), [one] if one.host == host() && one.port == P2 && one.attack));
    clear(&mut bench, Clear::Attack);
    assert!(matches!(refused(&bench).as_slice(), [one] if !one.attack && one.refusals == 0));
    assert_eq!(bench.view().claims, [(P2, ClaimView::Quarantined)], "that is another matter");
    clear(&mut bench, Clear::Quarantine);
    assert!(bench.view().claims.is_empty());
    clear(&mut bench, Clear::Refusals);
    assert!(refused(&bench).is_empty());
    // A claim there is as any other.
    assert_eq!(probes(&bench.heard(P2, Evidence::Arp, None), HERE), 1);
    // Of a host that nobody knows nothing is to be forgotten.
    let mut bench = Bench::new();
    [Clear::Refusals, Clear::Attack, Clear::Quarantine].into_iter().for_each(|what| clear(&mut bench, what));
}

#[test]
fn a_host_is_described_with_who_claims_it_and_why_that_is_undecided() {
    let mut bench = Bench::new().owning();
    let detail = |bench: &Bench| bench.machine.detail(&host(), bench.now).expect("it is known");
    assert!(detail(&bench).claims.is_empty() && detail(&bench).answers);
    bench.asked(B, 1, 1);
    bench.wait(20);
    let claim = ClaimDetail { place: THERE, open_for: Duration::from_millis(20), answers: None, damped: false };
    assert_eq!(detail(&bench).claims, [claim]);
    bench.stands(B, 1, true);
    assert_eq!(detail(&bench).claims[0].answers, Some(true));

    let mut bench = Bench::new().owning();
    bench.feed(Event::PortDown { port: P1 });
    assert!(detail(&bench).no_link);
    let until = bench.now + Duration::from_secs(9);
    bench.feed(Event::MoveExpected { host: host(), to: THERE, until });
    assert_eq!(detail(&bench).expected, Some((ExpectedAt::At(THERE), Duration::from_secs(9))));
    let shut = attacked();
    assert!(matches!(detail(&shut).quarantined.as_slice(), [(P2, _)]));
    assert!(detail(&shut).claims.is_empty() && detail(&shut).unproven.is_none());
    assert_eq!(detail(&Bench::new().following()).info.location, Some(THERE));
    assert_eq!(Bench::new().machine.detail(&host(), Default::default()), None);
}

#[test]
fn hosts_are_listed_in_parts() {
    let bench = Bench::new().owning();
    let all: Vec<_> = bench.machine.hosts_after(None).collect();
    assert_eq!(all, bench.machine.hosts().collect::<Vec<_>>());
    assert_eq!(bench.machine.hosts_after(Some(host())).count(), 0);
}

#[test]
fn hosts_are_counted_in_parts() {
    let mut bench = Bench::new().owning();
    for last in 2..=5 {
        let mac = vouch_net::MacAddr([2, 0, 0, 0, 0, last]);
        let other = HostKey { mac, ..host() };
        let heard =
            Heard { host: other, port: P1, evidence: Evidence::Data, addresses: Vec::new(), target: None, frame: None };
        bench.feed(Event::Heard(heard));
    }
    let (mut all, mut parts) = (Census::default(), Census::default());
    assert_eq!(bench.machine.count(&mut all, None, 5), None);
    let (mut after, mut steps) = (None, 0);
    loop {
        after = bench.machine.count(&mut parts, after, 2);
        steps += 1;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((steps, &parts), (3, &all));
    assert_eq!((all.hosts_of(None, None), all.hosts_of(Some(true), Some(Phase::Settled)), all.withheld), (5, 5, 0));
    bench.feed(Event::Drain { on: true });
    let mut drained = Census::default();
    bench.machine.count(&mut drained, None, 5);
    assert_eq!(drained.withheld, 5);
}

/// It is taken out of use; what each peer is told of it.
fn drain(bench: &mut Bench, on: bool) -> [Vec<Message>; 2] {
    assert_eq!(bench.feed(Event::Drain { on }), [], "peers are told at their own pace, and here nothing changes");
    [B, C].map(|peer| bench.pull(peer))
}

/// All that there is, for a peer; or all that is said.
fn list(hosts: &[Message], withheld: bool) -> Vec<Message> {
    let end = Message::Sync(Sync::End { hosts: hosts.len() as u64, withheld });
    [&[Message::Sync(Sync::Start)], hosts, &[end]].concat()
}

#[test]
fn a_vtep_out_of_use_lists_no_hosts_and_goes_on_having_them() {
    let mut bench = Bench::new().owning();
    let before = bench.view().clone();
    assert_eq!(drain(&mut bench, true), [list(&[], true), list(&[], true)]);
    assert!(bench.machine.is_draining() && bench.machine.host(&host()).is_some_and(|host| host.withheld));
    assert_eq!(bench.view(), &before, "the switch forwards as before");
    // A session that begins later gets no other list.
    bench.session(B, false);
    bench.session(B, true);
    assert_eq!(bench.pull(B), list(&[], true));
    // What is heard of it, and who is heard for the first time, is nobody else's business.
    let other = "192.168.0.9".parse().expect("an address");
    let again =
        Heard { host: host(), port: P1, evidence: Evidence::Arp, addresses: vec![other], target: None, frame: None };
    assert_eq!(sent(&bench.feed(Event::Heard(again))), []);
    let mut late = Bench::new();
    drain(&mut late, true);
    assert_eq!(sent(&late.heard(P1, Evidence::Arp, None)), []);
    assert_eq!(late.location(), Some(HERE), "it is known here");
    // Back in use.
    assert_eq!(drain(&mut late, false), [list(&[listed(0)], false), list(&[listed(0)], false)]);
    assert!(!late.machine.is_draining() && late.machine.host(&host()).is_some_and(|host| !host.withheld));
}

#[test]
fn a_vtep_out_of_use_asks_before_it_lets_a_host_go_that_is_learned_elsewhere() {
    let mut bench = Bench::new().owning();
    drain(&mut bench, true);
    assert_eq!(probes(&bench.told(B, 0, None), HERE), 1, "it may still be here");
    let actions = bench.wait(300);
    assert_eq!(bench.location(), Some(THERE), "it is gone");
    assert!(reports(&actions).iter().any(|report| matches!(report, Report::Moved { to, .. } if *to == THERE)));
}

#[test]
fn a_host_that_is_still_here_when_somebody_else_has_it_is_told_of_again_and_reported() {
    let mut bench = Bench::new().owning();
    drain(&mut bench, true);
    bench.told(B, 0, None);
    let actions = bench.answered(HERE);
    assert_eq!(bench.location(), Some(HERE));
    let stayed = Report::Duplicate { host: host(), port: P1, other: B };
    assert!(reports(&actions).contains(&stayed), "nobody takes it unreported: {actions:?}");
    let told = sent(&actions);
    for peer in [B, C] {
        assert!(told.contains(&(peer, advertisement(1, None))), "the other's word is outranked: {told:?}");
    }
    assert!(bench.machine.is_draining() && bench.machine.host(&host()).is_some_and(|host| !host.withheld));
    bench.session(C, false);
    bench.session(C, true);
    assert_eq!(bench.pull(C), list(&[listed(1)], true));
    // The other says so once more, and is not outranked for ever.
    bench.told(B, 0, None);
    assert!(!sent(&bench.answered(HERE)).contains(&(C, advertisement(2, None))));
}

/// Somebody at port 1 is heard when all have told which hosts they have; or while B is out of use, and has not.
fn heard_first(withheld: bool) -> Bench {
    let mut bench = Bench::new();
    bench.routine = false;
    for (peer, withheld) in [(B, withheld), (C, false)] {
        for message in list(&[], withheld) {
            bench.says(peer, message);
        }
    }
    bench.heard(P1, Evidence::Rarp, None);
    assert_eq!(bench.location(), Some(HERE), "nobody else is known to have it");
    bench
}

#[test]
fn a_host_that_a_vtep_out_of_use_has_after_all_is_not_kept_by_who_never_answers() {
    let mut bench = heard_first(true);
    bench.told(B, 1, None);
    bench.stands(B, ClaimId::NONE, true);
    bench.wait(3_000);
    assert_eq!(bench.location(), Some(THERE), "it answers there, and not here");
    // Who was heard when everybody had said which hosts he has is as good as any host that does not answer.
    let mut bench = heard_first(false);
    bench.told(B, 1, None);
    bench.stands(B, ClaimId::NONE, true);
    bench.wait(3_000);
    assert_eq!(bench.location(), Some(HERE));
}

#[test]
fn a_host_that_answers_at_a_vtep_out_of_use_and_here_is_contested() {
    let mut bench = heard_first(true);
    bench.told(B, 1, None);
    bench.stands(B, ClaimId::NONE, true);
    bench.answered(HERE);
    assert_eq!(bench.phase(), Phase::Contested, "it was there first, without saying so");
}

#[test]
fn claims_at_a_vtep_out_of_use_are_verified_as_ever() {
    // Who has not heard yet that it is out of use asks it (M2 to M4).
    let mut bench = Bench::new().owning();
    drain(&mut bench, true);
    assert_eq!(probes(&bench.asked(B, 1, 1), HERE), 1);
    let told = sent(&bench.answered(HERE));
    assert!(told.contains(&(B, reply(1, 2, Verdict::Stayed))), "{told:?}");
    assert!(told.contains(&(C, advertisement(2, None))), "who believed the claim is told by us (B4): {told:?}");
    // At a port of its own nobody outside has heard of the claim.
    let mut bench = Bench::new().owning();
    drain(&mut bench, true);
    bench.heard(P2, Evidence::Arp, None);
    assert_eq!(sent(&bench.answered(HERE)), []);
    assert!(bench.machine.host(&host()).is_some_and(|host| host.withheld));
    // Whom it gives up, everybody is told (M5).
    bench.asked(B, 1, 1);
    let told = sent(&bench.wait(300));
    assert!(told.contains(&(C, withdrawal(1, Some(B)))), "{told:?}");
    // Who comes is had, and everybody is told (M7).
    let mut bench = Bench::new().following();
    drain(&mut bench, true);
    bench.heard(P1, Evidence::Arp, None);
    let told = sent(&bench.replied(B, 1, 1, Verdict::Moved { tenure: Duration::ZERO }));
    assert_eq!(bench.location(), Some(HERE));
    assert!(told.contains(&(C, advertisement(1, Some(Migration::Verified { by: B })))), "{told:?}");
}

#[test]
fn a_host_that_need_not_be_asked_is_let_go_by_a_vtep_out_of_use() {
    let mut bench = Bench::with(|vni| vni.trusted_moves = vec![MacPrefix { mac: host().mac, bits: 48 }]).owning();
    bench.told(B, 0, None);
    assert_eq!(bench.location(), Some(HERE), "of two, the first is kept");
    let mut bench = Bench::with(|vni| vni.trusted_moves = vec![MacPrefix { mac: host().mac, bits: 48 }]).owning();
    drain(&mut bench, true);
    bench.told(B, 0, None);
    assert_eq!(bench.location(), Some(THERE));
}
