//! From a host's state to what the switch, the indices and the timers are to know of it.

use crate::config::{Timers, VniConfig};
use crate::host::{Record, State};
use crate::ids::{AccessId, Location};
use crate::index::Footprint;
use crate::time::Instant;
use crate::view::{ClaimView, Destination, HostView};

/// All that the switch is to know about the host.
pub(crate) fn view(state: &State, record: &Record, vni: &VniConfig, now: Instant) -> Option<HostView> {
    let mut view = match state {
        State::Absent(_) => return None,
        State::Owned(local, _) => plain(Location::Local(local.port()), record),
        State::Verifying(local, verification) => HostView {
            watch: true,
            destination: match verification.copies_to() {
                Some(with) => Destination::Both { with },
                None => Destination::Recorded,
            },
            ..plain(Location::Local(local.port()), record)
        },
        State::Following(remote) => HostView {
            destination: if record.passes_on(now) { Destination::Hairpin } else { Destination::Recorded },
            ..plain(Location::Remote(remote.vtep()), record)
        },
        State::Claiming(remote, claim) => HostView {
            destination: if claim.is_copied(now) {
                Destination::Both { with: Location::Local(claim.port) }
            } else {
                Destination::Claimed { port: claim.port, owner: remote.vtep() }
            },
            ..plain(Location::Remote(remote.vtep()), record)
        },
    };
    let pending = ClaimView::Pending { forward: vni.forward_pending };
    view.claims.extend(claiming_ports(state).into_iter().map(|port| (port, pending)));
    view.claims.extend(record.quarantine.iter().map(|&(port, _)| (port, ClaimView::Quarantined)));
    view.claims.sort_unstable_by_key(|&(port, _)| port);
    view.claims.dedup_by_key(|&mut (port, _)| port);
    Some(view)
}

fn plain(location: Location, record: &Record) -> HostView {
    let local = matches!(location, Location::Local(_));
    HostView {
        location,
        watch: false,
        learn_addresses: local && record.addresses.is_empty(),
        destination: Destination::Recorded,
        claims: Vec::new(),
    }
}

fn claiming_ports(state: &State) -> Vec<AccessId> {
    match state {
        State::Verifying(_, verification) => verification.claiming_ports().collect(),
        State::Claiming(_, claim) => vec![claim.port],
        State::Absent(_) | State::Owned(..) | State::Following(_) => Vec::new(),
    }
}

/// Under what the host is to be found.
pub(crate) fn footprint(state: &State, record: &Record) -> Footprint {
    let (port, claimed_from) = match state {
        State::Absent(_) | State::Following(_) => (None, None),
        State::Owned(local, _) | State::Verifying(local, _) => (Some(local.port()), None),
        State::Claiming(remote, _) => (None, Some(remote.vtep())),
    };
    Footprint { port, claims: claiming_ports(state), routes: record.routes.vteps().collect(), claimed_from }
}

/// When there is something to do for the host without anything happening.
pub(crate) fn due(state: &State, record: &Record, vni: &VniConfig, timers: &Timers, now: Instant) -> Option<Instant> {
    let own = match state {
        State::Absent(_) => return None,
        State::Owned(..) | State::Following(_) => None,
        State::Verifying(_, verification) => Some(verification.due(vni.during, timers)),
        State::Claiming(_, claim) => Some(claim.due(timers, now)),
    };
    let aftermath =
        record.aftermath.map(|after| if now < after.hairpin_until { after.hairpin_until } else { after.watched_until });
    let quarantine = record.quarantine.iter().map(|&(_, until)| until).min();
    [own, aftermath, quarantine, record.routes.next_expiry()].into_iter().flatten().min()
}
