//! Which scene notices that a guard is missing.

use vouch_mobility::Guard;

use crate::check::{Failure, shortest};
use crate::scenes;

/// What came of taking a guard out.
#[derive(Debug)]
pub struct Caught {
    /// Which guard.
    pub guard: Guard,
    /// The scene.
    pub scene: &'static str,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// Why nothing does.
    pub why: &'static str,
}

/// How many states are tried at the most before it is said that nothing goes wrong.
const MOST: usize = 400_000;

/// The scene in which it goes wrong without the guard; or none, and why.
fn expected(guard: Guard) -> Result<&'static str, &'static str> {
    match guard {
        Guard::AnswerExpected | Guard::MuteIsKnown => Ok("mute"),
        Guard::RoundsLeft | Guard::AllHeard => Ok("switches"),
        Guard::RoundsDiffer => Ok("switches-stall"),
        Guard::MuteIsRemembered => Ok("mute-restarts"),
        Guard::FirstDecidesNothing => Ok("moves-rival"),
        Guard::PeersWord => Ok("liars"),
        Guard::ExpectedElsewhere => Ok("announced"),
        Guard::TakenUpAgain => Ok("early"),
        Guard::Episodes => Ok("forged-hold"),
        Guard::TakenUpIsNotNew | Guard::DadIsNoClaim => Ok("forged"),
        Guard::DadIsNoHost | Guard::Young => Ok("reboots"),
        Guard::LinkUnknown => Ok("links"),
        Guard::Shares => Ok("floods"),
        Guard::Probation => Ok("moves-cunning"),
        Guard::RefusalOfAnother => Ok("moves"),
        Guard::ReplyToThis => Ok("moves-beside"),
        Guard::AddressOnProof => Ok("mute-addresses"),
        Guard::Wait => Ok("reboots-moved"),
        Guard::Withheld | Guard::NotGivenUp => Ok("drained"),
        Guard::ToldAgain => {
            Err("not noticed: `a_host_that_is_still_here_when_somebody_else_has_it_is_told_of_again_and_reported`")
        }
        Guard::MuteIsFoundOut => Err("not noticed: a mute host is presumed to be mute after a restart, too"),
        Guard::AllKnown => Err("not noticed: who is passed over contests it afterwards"),
        Guard::AddressIsAnothers => Err("not noticed: the binding table keeps the first holder, too"),
        Guard::TakenUpIsNoLife => {
            Err("not noticed: `b13_a_claim_that_is_taken_up_where_the_host_is_by_now_is_no_sign_of_life`")
        }
        Guard::AddressesAreKept => Err("not noticed: `b13_a_claim_that_is_taken_up_again_still_has_its_addresses`"),
        Guard::HigherIsAnother => {
            Err("not noticed: `evidence_a_claim_with_a_higher_sequence_is_another_claim_whatever_its_number`")
        }
        Guard::HolderHandsOver => Err("not noticed: `a_withdrawal_is_believed_only_of_who_has_the_host`"),
        Guard::Forgotten | Guard::ElsewhereHere | Guard::ElsewhereAnywhere => Err(
            "not noticed: `evidence_a_quiet_host_that_a_peer_remembers_here_is_sought_although_somebody_was_heard_first`",
        ),
        Guard::OnlyOnProbation => {
            Err("not noticed: `evidence_a_peer_that_comes_back_after_minutes_does_not_undo_what_was_heard`")
        }
        Guard::AnsweredPeer | Guard::AnsweredRival => {
            Err("not noticed: `evidence_a_host_that_answers_a_peer_is_there_…`")
        }
        Guard::PolicyGoesBack => Err("not noticed: `b12_a_host_that_was_taken_without_…`"),
        Guard::GivenAfterwards => {
            Err("not noticed: `b9_an_owner_that_has_given_the_host_afterwards_is_not_asked_again`")
        }
        Guard::TakenIsHeld => Err("not noticed: `b9_who_asks_afterwards_has_the_host_all_the_same`"),
        Guard::OtherQuestions => Err("not noticed: `answers_to_questions_that_have_ended_are_not_those_to_the_next`"),
        Guard::SlowAfterRestart => Err("not noticed: `a_host_that_was_known_before_a_restart_may_be_a_slow_one`"),
        Guard::AnswersAfterAll | Guard::Patience => {
            Err("not noticed: `a_host_that_has_become_slower_than_the_verdict_gets_its_traffic_back`")
        }
        Guard::FollowsHome => Err("not noticed: `b12_an_answer_after_the_verdict_outweighs_a_claim_by_another_port`"),
        Guard::HeardOut => Err("not noticed: `b12_the_place_where_the_host_was_for_long_is_heard_out`"),
        Guard::KnownBeforeRestart => Err("not noticed: `a_contested_host_is_contested_after_a_reboot_of_who_has_it`"),
        Guard::NamedSince => Err("not noticed: `a_host_that_has_another_address_since_its_vtep_forgot_it_is_found`"),
        Guard::AgedNowhere => Err("not noticed: `a_host_that_is_gone_is_given_up_by_all_who_dispute_it`"),
        Guard::HowLate => Err("not noticed: `b12_an_answer_that_comes_too_late_is_the_measure_for_the_next`"),
        Guard::OutrankedIsStale
        | Guard::OldNews
        | Guard::AtOnceIsNoVerdict
        | Guard::CertainOnly
        | Guard::Declined
        | Guard::WholeLists => Err(
            "not noticed: what goes wrong needs more VTEPs, or more at once, than the scenes have (`regressions.rs`)",
        ),
    }
}

/// Takes each guard out in turn.
pub fn try_all() -> Vec<Caught> {
    let one = |&guard: &Guard| match expected(guard) {
        Ok(name) => {
            let failure = scenes::named(name).and_then(|scene| shortest(&scene, Some(guard), MOST));
            Caught { guard, scene: name, failure, why: "" }
        }
        Err(why) => Caught { guard, scene: "", failure: None, why },
    };
    Guard::ALL.iter().map(one).collect()
}

/// The table of it, as the README has it.
pub fn table(all: &[Caught]) -> String {
    let mut table = "| guard | where | scene | what goes wrong without it |\n|---|---|---|---|\n".to_owned();
    for Caught { guard, scene, failure, why } in all {
        let (scene, property) = match failure {
            Some(failure) => (format!("`{scene}`"), failure.violation.property.words()),
            None => ("–".to_owned(), *why),
        };
        table.push_str(&format!("| {} | `{}` | {scene} | {property} |\n", guard.words(), guard.place()));
    }
    table
}
