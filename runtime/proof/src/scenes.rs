//! The scenes that are checked.

use std::time::Duration;

use vouch_mobility::{Advertise, During, Evidence, UnreachableOwner};

use crate::scene::{Budget, Habit, PLAIN, Place, Scene, at};

const NONE: Budget = PLAIN.budget;

const A1: Place = at(0, 1);
const A2: Place = at(0, 2);
const B1: Place = at(1, 1);
const B2: Place = at(1, 2);
const C1: Place = at(2, 1);

const FIRST: u8 = 0b10;
const TWO: u8 = 0b110;

/// All of them.
pub fn all() -> Vec<Scene> {
    vec![
        Scene {
            name: "forged",
            about: "a host that stays, and silent impostors at two ports; `escalate`",
            impostors: &[(A2, Habit::Never), (B2, Habit::Never)],
            evidence: &[Evidence::Arp, Evidence::Rarp, Evidence::Data, Evidence::Dad],
            refusal: Duration::from_millis(2_100),
            budget: Budget { forged: 2, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "forged-hold",
            about: "the same in `hold`",
            during: During::Hold,
            impostors: &[(A2, Habit::Never), (B2, Habit::Never)],
            evidence: &[Evidence::Arp, Evidence::Rarp, Evidence::Data],
            budget: Budget { forged: 2, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "cunning",
            about: "impostors that answer; claims are told at once; `both`",
            during: During::Both,
            advertise: Advertise::AtOnce,
            impostors: &[(A2, Habit::InTime), (B2, Habit::InTime)],
            budget: Budget { forged: 2, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "liars",
            about: "impostors one of which answers what nobody has asked, and nothing else, while the host may be silent",
            impostors: &[(A2, Habit::Never), (B2, Habit::Never)],
            habits: &[Habit::Never],
            budget: Budget { forged: 2, lies: 1, habits: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "cunning-hold",
            about: "impostors that answer, in `hold`",
            during: During::Hold,
            impostors: &[(A2, Habit::InTime), (B2, Habit::InTime)],
            budget: Budget { forged: 2, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "moves",
            about: "a host that moves, and a silent impostor",
            impostors: &[(B2, Habit::Never)],
            places: &[C1],
            budget: Budget { forged: 1, moves: 1, says: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "moves-beside",
            about: "the same, and the host moves to where the impostor is",
            impostors: &[(B2, Habit::Never)],
            places: &[B1],
            budget: Budget { forged: 1, moves: 1, says: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "moves-rival",
            about: "a host that moves, and an impostor at a port of the VTEP that it leaves",
            impostors: &[(A2, Habit::Never)],
            places: &[C1],
            budget: Budget { forged: 1, moves: 1, says: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "moves-twice",
            about: "a host that moves, and moves again; claims are told at once",
            during: During::Both,
            advertise: Advertise::AtOnce,
            places: &[A1, A2, B1],
            budget: Budget { moves: 2, says: 2, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "moves-cunning",
            about: "a host that moves to where an impostor is that answers",
            impostors: &[(B2, Habit::InTime)],
            places: &[B1],
            budget: Budget { forged: 1, moves: 1, says: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "mute",
            about: "a host that never answers, and impostors",
            hosts: &[(A1, FIRST, Habit::Never)],
            impostors: &[(A2, Habit::Never), (B2, Habit::InTime)],
            budget: Budget { forged: 2, says: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "mute-restarts",
            about: "a host that never answers, and an agent that restarts",
            hosts: &[(A1, FIRST, Habit::Never)],
            impostors: &[(B2, Habit::Never)],
            budget: Budget { forged: 1, says: 1, kills: 1, ..NONE },
            failing: &[0],
            ..PLAIN
        },
        Scene {
            name: "late",
            about: "a host that answers later than a verdict takes",
            hosts: &[(A1, FIRST, Habit::Late)],
            impostors: &[(A2, Habit::Never), (B2, Habit::InTime)],
            budget: Budget { forged: 2, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "late-restarts",
            about: "the same, and its agent restarts; it answers each question",
            hosts: &[(A1, FIRST, Habit::Late)],
            impostors: &[(B2, Habit::Never)],
            echoes: true,
            budget: Budget { forged: 1, kills: 1, ..NONE },
            failing: &[0],
            ..PLAIN
        },
        Scene {
            name: "one-address",
            about: "a host that answers for one of its addresses only",
            hosts: &[(A1, TWO, Habit::OnlySecond)],
            impostors: &[(B2, Habit::Never)],
            stranger: Some(A2),
            budget: Budget { forged: 1, poisons: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "pauses",
            about: "a host that falls silent and comes back, and impostors, one of which answers",
            impostors: &[(A2, Habit::Never), (B2, Habit::InTime)],
            habits: &[Habit::Never, Habit::InTime],
            budget: Budget { forged: 2, habits: 2, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "slows",
            about: "a host that becomes slower than a verdict, and impostors that answer",
            impostors: &[(A2, Habit::InTime), (B2, Habit::InTime)],
            habits: &[Habit::Late],
            echoes: true,
            budget: Budget { forged: 2, habits: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "early",
            about: "somebody announces a host too early at the port to which it then moves",
            impostors: &[(B1, Habit::Never)],
            places: &[B1],
            budget: Budget { forged: 1, moves: 1, says: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "early-readdressed",
            about: "the same, and the host has another address by then",
            impostors: &[(B1, Habit::Never)],
            places: &[B1],
            budget: Budget { forged: 1, moves: 1, readdresses: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "restarts",
            about: "agents that restart, and a host that moves",
            places: &[B1],
            budget: Budget { moves: 1, says: 1, kills: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "reboots",
            about: "VTEPs that forget everything, and an impostor",
            impostors: &[(A2, Habit::Never), (B2, Habit::Never)],
            evidence: &[Evidence::Arp, Evidence::Dad],
            budget: Budget { forged: 1, says: 1, reboots: 1, ..NONE },
            failing: &[0],
            ..PLAIN
        },
        Scene {
            name: "reboots-moved",
            about: "VTEPs that forget everything, and a host that moves",
            places: &[B1],
            budget: Budget { moves: 1, says: 1, reboots: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "sessions",
            about: "sessions that break, a host that moves, an impostor that answers; unreachable owners are held",
            impostors: &[(B2, Habit::InTime)],
            places: &[B1],
            budget: Budget { forged: 1, moves: 1, says: 1, breaks: 1, ..NONE },
            failing: &[0],
            ..PLAIN
        },
        Scene {
            name: "policy",
            about: "sessions that break; unreachable owners are by-passed",
            unreachable: UnreachableOwner::Accept,
            mends: false,
            impostors: &[(B2, Habit::Never)],
            habits: &[Habit::Never, Habit::InTime],
            budget: Budget { forged: 1, breaks: 1, habits: 2, ..NONE },
            failing: &[0],
            ..PLAIN
        },
        Scene {
            name: "harsh",
            about: "messages that are lost, doubled and overtaken",
            places: &[B1],
            budget: Budget { moves: 1, says: 1, losses: 1, doubles: 1, swaps: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "switches",
            about: "switches that take no questions, confirm them twice, and lose answers",
            impostors: &[(A2, Habit::Never), (B2, Habit::Never)],
            confirmations: 2,
            budget: Budget { forged: 1, deaf: 1, lost_answers: 1, ..NONE },
            failing: &[0],
            ..PLAIN
        },
        Scene {
            name: "switches-stall",
            about: "a switch that stops taking questions and confirms them twice, and a host that falls silent",
            impostors: &[(B2, Habit::Never)],
            confirmations: 2,
            habits: &[Habit::Never],
            budget: Budget { forged: 1, deaf: 1, habits: 1, ..NONE },
            failing: &[0],
            ..PLAIN
        },
        Scene {
            name: "links",
            about: "links that fail, and streams that tell of them and break",
            impostors: &[(B2, Habit::Never)],
            places: &[B1],
            budget: Budget { forged: 1, moves: 1, says: 1, unplugs: 1, relinks: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "addresses",
            about: "somebody who says that it has the address of a host, which may have given it up",
            hosts: &[(A1, TWO, Habit::InTime)],
            stranger: Some(B2),
            budget: Budget { poisons: 2, gives_up: 1, lost_answers: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "mute-addresses",
            about: "the same of a host that never answers",
            hosts: &[(A1, FIRST, Habit::Never)],
            stranger: Some(B2),
            budget: Budget { poisons: 2, says: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "readdressed",
            about: "a host that changes its address, and moves",
            places: &[B1],
            impostors: &[(B2, Habit::Never)],
            budget: Budget { readdresses: 1, moves: 1, says: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "announced",
            about: "a move that is announced, and an impostor",
            impostors: &[(B2, Habit::Never)],
            places: &[C1],
            horizon: Duration::from_millis(120),
            delay: Duration::ZERO,
            budget: Budget { forged: 1, expects: 1, moves: 1, says: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "idles",
            about: "a switch that says that it has not seen the host for long",
            impostors: &[(B2, Habit::Never)],
            places: &[B1],
            budget: Budget { forged: 1, idles: 1, moves: 1, says: 1, ..NONE },
            failing: &[0],
            ..PLAIN
        },
        Scene {
            name: "drained",
            about: "a VTEP that is taken out of use, and silent impostors there and elsewhere",
            impostors: &[(A2, Habit::Never), (B2, Habit::Never)],
            horizon: Duration::from_millis(1_400),
            budget: Budget { forged: 2, drains: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "drained-moves",
            about: "a host that moves away from a VTEP that is out of use",
            places: &[C1],
            horizon: Duration::from_millis(1_400),
            budget: Budget { drains: 1, moves: 1, says: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "floods",
            about: "somebody who fills the table",
            stranger: Some(A2),
            room: 8,
            other_vni: true,
            budget: Budget { floods: 2, says: 1, ..NONE },
            ..PLAIN
        },
        Scene {
            name: "episodes",
            about: "an impostor that goes on for longer than any host that moves would",
            impostors: &[(A2, Habit::Never), (B2, Habit::Never)],
            horizon: Duration::from_secs(62),
            budget: Budget { forged: 3, ..NONE },
            ..PLAIN
        },
    ]
}

/// The scene of that name.
pub fn named(name: &str) -> Option<Scene> {
    all().into_iter().find(|scene| scene.name == name)
}
