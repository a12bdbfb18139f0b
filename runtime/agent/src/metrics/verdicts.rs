//! How claims end, as labels, and what else has some.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use vouch_mobility::{Because, Report, WhyUnproven};

/// Which agent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Of {
    pub(super) agent: String,
}

/// What became of a configuration that was read again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Reload {
    pub(super) taken: String,
}

/// How claims end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Outcome {
    pub(super) agent: String,
    pub(super) outcome: &'static str,
}

/// And why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Labels {
    agent: String,
    outcome: &'static str,
    because: &'static str,
}

/// The verdict that a report tells of, if it does.
pub(super) fn labels(of: &Of, report: &Report) -> Option<Labels> {
    let (outcome, because) = match report {
        Report::Stayed { .. } => ("stayed", "answered"),
        Report::Moved { because, .. } => ("moved", evidence(*because)),
        Report::Unproven { why, .. } => ("unproven", unproven(*why)),
        Report::Contested { .. } => ("contested", "answers_at_two_places"),
        Report::Settled { .. } => ("settled", "one_place_left"),
        Report::Removed { .. } => ("removed", "aged_and_silent"),
        Report::Attack { .. } => ("attack", "refused_too_often"),
        Report::Duplicate { .. } => ("duplicate", "answers_at_two_vteps"),
        Report::AddressKept { .. } => ("address_kept", "answered_or_unproven"),
        Report::AddressMoved { .. } => ("address_moved", "given_up"),
        Report::Learned { .. }
        | Report::ClaimRaised { .. }
        | Report::VerificationStarted { .. }
        | Report::AttackOver { .. }
        | Report::AddressClaimed { .. }
        | Report::HeardAtOldPort { .. }
        | Report::OwnerUnreachable { .. }
        | Report::SequenceExhausted { .. }
        | Report::Full { .. }
        | Report::RoomAgain { .. } => return None,
    };
    Some(Labels { agent: of.agent.clone(), outcome, because })
}

/// How long it took from the claim on. Who is only told does not know.
pub(super) fn duration(report: &Report) -> Option<(&'static str, Duration)> {
    match report {
        Report::Stayed { took, .. } => Some(("stayed", *took)),
        Report::Moved { because: Because::Told, .. } => None,
        Report::Moved { took, .. } => Some(("moved", *took)),
        _ => None,
    }
}

fn evidence(because: Because) -> &'static str {
    match because {
        Because::Silence => "silence",
        Because::OnlyAnswer => "only_answer",
        Because::Aged => "aged",
        Because::Expected => "expected",
        Because::Decided => "decided",
        Because::PortDown => "port_down",
        Because::OwnerSaid => "owner_said",
        Because::Told => "told",
        Because::TrustedMove => "trusted_move",
        Because::Policy => "policy",
        Because::Unverified => "unverified",
    }
}

fn unproven(why: WhyUnproven) -> &'static str {
    match why {
        WhyUnproven::NoConfirmedAddress => "no_confirmed_address",
        WhyUnproven::NotAsked => "not_asked",
        WhyUnproven::AnswersLost => "answers_lost",
        WhyUnproven::NobodyAnswers => "nobody_answers",
        WhyUnproven::ExpectedElsewhere => "expected_elsewhere",
        WhyUnproven::PortUnknown => "port_unknown",
    }
}
