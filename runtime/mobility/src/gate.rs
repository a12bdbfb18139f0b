//! What stands between a host that is heard in the wrong place and a claim.

use crate::context::Context;
use crate::entry::Verified;
use crate::event::Evidence;
use crate::host::{HeardAt, Record};
use crate::ids::Location;
use crate::report::Report;

/// What becomes of a host that is heard where it is not recorded.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Nothing; its frame is dealt with.
    Refused,
    /// The configuration exempts it from being asked.
    Exempt(Verified),
    /// It has to be asked.
    Verify,
}

/// Decides whether a claim may be made. The cheap reasons against it come first.
pub(crate) fn admit(record: &Record, cx: &mut Context<'_>, heard: &HeardAt, recorded: Location) -> Admission {
    let (host, port) = (record.key, heard.port);
    if record.is_quarantined(port) {
        cx.counters.quarantined += 1;
        cx.drop(heard.frame);
        return Admission::Refused;
    }
    if heard.evidence == Evidence::Dad {
        cx.counters.dad_ignored += 1;
        cx.release(heard.frame);
        return Admission::Refused;
    }
    if let Some(verified) = Verified::by_configuration(host, cx.config, cx.vni) {
        return Admission::Exempt(verified);
    }
    let suspicious = record.just_left(port, cx.now);
    if !suspicious && cx.damping.is_damped(host, port, cx.now) {
        cx.counters.damped += 1;
        cx.drop(heard.frame);
        return Admission::Refused;
    }
    if !cx.ports.has_room_for_claim(port, &cx.config.limits) {
        cx.port_is_full(port);
        cx.drop(heard.frame);
        return Admission::Refused;
    }
    if suspicious {
        cx.report(Report::HeardAtOldPort { host, port });
    }
    cx.counters.claims += 1;
    cx.report(Report::ClaimRaised { host, port, recorded });
    Admission::Verify
}
