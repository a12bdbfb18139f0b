//! What happened, in words.

use vouch_mobility::{Advertisement, Evidence, Location, Message, Migration, Report, Sync, Verdict};

use crate::act::Act;
use crate::scene::{Place, letter, number};
use crate::world::World;

fn location(at: usize, location: Location) -> String {
    match location {
        Location::Local(port) => format!("{}", Place { vtep: at, port }),
        Location::Remote(vtep) => format!("the tunnel to {}", letter(number(vtep))),
    }
}

fn message(message: &Message) -> String {
    match message {
        Message::Advertisement(Advertisement { sequence, migration, .. }) => match migration {
            None => format!("\"the host is here\" ({sequence:?})"),
            Some(Migration::Asked { .. }) => format!("\"ask the host, it was heard here\" ({sequence:?})"),
            Some(Migration::AtOnce) => format!("\"the host may be here\" ({sequence:?})"),
            Some(Migration::Verified { .. }) => format!("\"the host has moved here\" ({sequence:?})"),
        },
        Message::Reply(reply) => {
            let verdict = match reply.verdict {
                Verdict::Stayed => "it stayed".to_owned(),
                Verdict::Moved { .. } => "it has moved".to_owned(),
                Verdict::Open(open) => format!("no verdict yet: {open:?}"),
                Verdict::Elsewhere(vtep) => format!("ask {}", letter(number(vtep))),
            };
            format!("\"{verdict}\" ({:?})", reply.sequence)
        }
        Message::Standing(standing) if standing.answers => "\"it answers here\"".to_owned(),
        Message::Standing(_) => "\"it does not answer here\"".to_owned(),
        Message::Withdrawal(withdrawal) => match withdrawal.moved_to {
            Some(to) => format!("\"it is not here, it went to {}\" ({:?})", letter(number(to)), withdrawal.sequence),
            None => format!("\"it is not here\" ({:?})", withdrawal.sequence),
        },
        Message::Sync(Sync::Start) => "its list".to_owned(),
        Message::Sync(Sync::Host { sequence, .. }) => format!("\"I have the host\" ({sequence:?})"),
        Message::Sync(Sync::Yours { sequence, .. }) => format!("\"you had the host\" ({sequence:?})"),
        Message::Sync(Sync::End { hosts, withheld: false }) => format!("\"that were all {hosts}\""),
        Message::Sync(Sync::End { hosts, withheld: true }) => {
            format!("\"that were {hosts}, and others, of which I do not say\"")
        }
        Message::Sync(Sync::Again) => "\"list your hosts again\"".to_owned(),
        Message::Expect(_) => "\"the host is about to move\"".to_owned(),
        Message::AddressClaim(_) => "\"ask the host for its address\"".to_owned(),
        Message::AddressReply(reply) if reply.given_up => "\"it has given the address up\"".to_owned(),
        Message::AddressReply(_) => "\"it keeps the address\"".to_owned(),
    }
}

/// What a VTEP says to its operator.
pub(crate) fn report(at: usize, report: &Report) -> String {
    let name = letter(at);
    match report {
        Report::Moved { from, to, because, .. } => {
            let (from, to) = (location(at, *from), location(at, *to));
            format!("{name} turns from {from} to {to}, because of {because:?}")
        }
        Report::Stayed { kept, claimed, .. } => {
            format!("{name} refuses {} for {}", location(at, *claimed), location(at, *kept))
        }
        Report::ClaimRaised { port, .. } => format!("{name} has a claim for {}", Place { vtep: at, port: *port }),
        Report::VerificationStarted { recorded, .. } => format!("{name} asks at {}", location(at, *recorded)),
        Report::Learned { port, .. } => format!("{name} learns a host at {}", Place { vtep: at, port: *port }),
        Report::Removed { .. } => format!("{name} forgets a host"),
        Report::Unproven { why, .. } => format!("{name} cannot tell: {why:?}"),
        Report::Contested { .. } => format!("{name} finds the host contested"),
        Report::Attack { port, .. } => format!("{name} reports {} as an attacker", Place { vtep: at, port: *port }),
        other => {
            let words = format!("{other:?}");
            let kind = words.split([' ', '{']).next().unwrap_or_default();
            format!("{name} reports: {kind}")
        }
    }
}

/// What happens, as it is seen in the state in which it does.
pub(crate) fn act(world: &World, act: Act) -> String {
    let said = |from, to, nth: usize| {
        let mut parcels = world.parcels.iter().filter(|parcel| (parcel.from, parcel.to) == (from, to));
        parcels
            .nth(nth)
            .map_or_else(String::new, |parcel| parcel.content.iter().map(message).collect::<Vec<_>>().join(", "))
    };
    let who = |device: usize| {
        let device = &world.devices[device];
        match (device.genuine, device.host == world.devices[0].host) {
            (true, true) => format!("the host at {}", device.place),
            (true, false) => format!("the other host at {}", device.place),
            (false, true) => format!("an impostor at {}", device.place),
            (false, false) => format!("a stranger at {}", device.place),
        }
    };
    match act {
        Act::Deliver { from, to } => format!("{} hears from {}: {}", letter(to), letter(from), said(from, to, 0)),
        Act::Overtake { from, to } => {
            format!("{} hears from {}, before what came first: {}", letter(to), letter(from), said(from, to, 1))
        }
        Act::Lose { from, to } => {
            format!("what {} said to {} is lost: {}", letter(from), letter(to), said(from, to, 0))
        }
        Act::Double { from, to } => {
            format!("{} hears from {}, and will once more: {}", letter(to), letter(from), said(from, to, 0))
        }
        Act::Answer(number) | Act::LoseAnswer(number) => {
            let answer = world.answers[number];
            let lost = if matches!(act, Act::LoseAnswer(_)) { ", which its switch drops" } else { "" };
            format!("{} answers {}{lost}", who(answer.device), letter(answer.to))
        }
        Act::Tick => world
            .next_time()
            .map_or_else(|| "time passes".to_owned(), |next| format!("{} ms pass", (next - world.now).as_millis())),
        Act::Say { device, evidence } => {
            let with = match evidence {
                Evidence::Arp => "announces itself by ARP",
                Evidence::Rarp => "announces itself by RARP",
                Evidence::Neighbour => "announces itself by neighbour discovery",
                Evidence::Data => "sends something",
                Evidence::Dad => "asks whether anybody has its address",
            };
            format!("{} {with}", who(device))
        }
        Act::Lie { device } => format!("{} answers a question that nobody has asked", who(device)),
        Act::Poison { device } => format!("{} says that it has the host's address", who(device)),
        Act::Flood { device } => format!("four new hosts are heard at {}", world.devices[device].place),
        act => act.to_string(),
    }
}
