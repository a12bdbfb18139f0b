//! What people ask of the machine, and have it do.

use std::time::Duration;

use vouch_mobility::{ClaimDetail, ClaimView, Clear, Event, Evidence, ExpectedAt};

use crate::bench::{B, Bench, HERE, P1, P2, THERE, host, probes, reports};

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
    assert_eq!(probes(&bench.feed(Event::AskNow { host: host() }), HERE), 0, "it is being asked");
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
