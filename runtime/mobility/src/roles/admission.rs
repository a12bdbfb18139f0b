//! What stands between a host that is heard in the wrong place and a claim.

use crate::guards::{Guard, is_out};
use crate::inout::event::Evidence;
use crate::inout::report::{Full, Report};
use crate::knowledge::damping::Admitted;
use crate::knowledge::entry::Proof;
use crate::roles::fact::HeardAt;
use crate::roles::known::Known;
use crate::roles::world::{Memory, Out, World};
use crate::words::ids::Location;

/// What becomes of a host that is heard where it is not recorded.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Nothing for now; its frame is dealt with, and what can be remembered of it is.
    Refused,
    /// The configuration exempts it from being asked.
    Exempt(Proof),
    /// It has to be asked. `damped`: in passing, because the same claim was refused only just now.
    Verify { damped: bool },
}

/// Decides whether a claim may be made. The cheap reasons against it come first.
pub(crate) fn admit(
    known: &Known,
    heard: &HeardAt,
    recorded: Location,
    world: &World<'_>,
    out: &mut Out<'_>,
) -> Admission {
    let (host, port) = (known.key, heard.port);
    if known.is_quarantined(port) {
        out.counters.quarantined += 1;
        out.drop(heard.frame);
        return Admission::Refused;
    }
    if heard.evidence == Evidence::Dad && !is_out(Guard::DadIsNoClaim) {
        out.counters.dad_ignored += 1;
        out.release(heard.frame);
        return Admission::Refused;
    }
    let suspicious = known.just_left(port, world.now);
    let admitted = if suspicious { Admitted::Fully } else { world.admits(host, port) };
    if let Admitted::Later(when) = admitted {
        out.counters.damped += 1;
        out.drop(heard.frame);
        out.memories.push(Memory::Again(heard.claim(host, world.now), when));
        return Admission::Refused;
    }
    if !world.ports.has_room_for_claim(port, world.config) {
        out.is_full(Full::Claims(port), None);
        out.drop(heard.frame);
        out.memories.push(Memory::Paused(heard.claim(host, world.now), true));
        return Admission::Refused;
    }
    if let Some(proof) = Proof::by_configuration(host, world.config, world.vni) {
        return Admission::Exempt(proof);
    }
    if suspicious {
        out.report(Report::HeardAtOldPort { host, port });
    }
    let damped = admitted == Admitted::InPassing;
    if damped {
        out.counters.damped += 1;
        out.memories.push(Memory::InPassing(host, port));
    } else {
        out.counters.claims += 1;
        out.report(Report::ClaimRaised { host, port, recorded });
    }
    Admission::Verify { damped }
}
