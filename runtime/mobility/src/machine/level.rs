//! From a host's role to what the switch, the indices and the timers are to know of it.

use crate::inout::view::{ClaimView, Destination, HostView};
use crate::knowledge::index::Footprint;
use crate::machine::host::Role;
use crate::machine::slot::kept_by;
use crate::roles::known::Known;
use crate::words::config::{Timers, VniConfig};
use crate::words::ids::{AccessId, Location};
use crate::words::time::Instant;

/// All that the switch is to know about the host.
pub(crate) fn view(role: &Role, known: &Known, vni: &VniConfig, now: Instant) -> Option<HostView> {
    let pending = ClaimView::Pending { forward: vni.forward_pending };
    let mut view = match role {
        Role::Absent(_) | Role::Sought(_) => return None,
        Role::Owner(owner) => {
            let copies = owner.inquiry().map(|inquiry| inquiry.copies_to(known.announced(now))).unwrap_or_default();
            let shares = owner.inquiry().is_some_and(|inquiry| inquiry.shares());
            let claim = |port| {
                let shared = shares && copies.contains(&Location::Local(port));
                (port, if shared { ClaimView::Shared } else { pending })
            };
            HostView {
                location: Location::Local(owner.port()),
                watch: owner.watches(vni.ask_as_gateway),
                claims: claiming_ports(role).into_iter().map(claim).collect(),
                destination: match copies.as_slice() {
                    [] => Destination::Recorded,
                    [with, rest @ ..] => Destination::Both { with: *with, and: rest.first().copied() },
                },
            }
        }
        Role::Observer(remote) => HostView {
            location: Location::Remote(remote.vtep()),
            watch: false,
            destination: if known.passes_on(now) { Destination::Hairpin } else { Destination::Recorded },
            claims: Vec::new(),
        },
        Role::Claimant(claimant) => {
            let (port, owner) = (claimant.port(), claimant.owner());
            HostView {
                location: Location::Remote(owner),
                watch: false,
                destination: if claimant.is_copied() {
                    Destination::Both { with: Location::Local(port), and: None }
                } else {
                    Destination::Claimed { port, owner }
                },
                claims: vec![(port, if claimant.shares() { ClaimView::Shared } else { pending })],
            }
        }
    };
    view.claims.extend(known.quarantine.iter().map(|&(port, _)| (port, ClaimView::Quarantined)));
    view.claims.sort_unstable_by_key(|&(port, _)| port);
    view.claims.dedup_by_key(|&mut (port, _)| port);
    Some(view)
}

fn claiming_ports(role: &Role) -> Vec<AccessId> {
    match role {
        Role::Owner(owner) => owner.inquiry().map(|inquiry| inquiry.claimants.ports().collect()).unwrap_or_default(),
        Role::Claimant(claimant) => vec![claimant.port()],
        Role::Absent(_) | Role::Sought(_) | Role::Observer(_) => Vec::new(),
    }
}

/// Under what the host is to be found.
pub(crate) fn footprint(role: &Role, known: &Known) -> Footprint {
    let (port, claimed_from) = match role {
        Role::Absent(_) | Role::Sought(_) | Role::Observer(_) => (None, None),
        Role::Owner(owner) => (Some(owner.port()), owner.taken_from()),
        Role::Claimant(claimant) => (None, Some(claimant.owner())),
    };
    let routes = known.routes.vteps().collect();
    Footprint { port, claims: claiming_ports(role), routes, claimed_from, addresses: known.addresses.len() }
}

/// When the host is to be asked only to confirm what is known of it.
pub(crate) fn confirm_due(role: &Role, known: &Known, timers: &Timers) -> Option<Instant> {
    match role {
        Role::Owner(owner) => owner.confirm_due(known, timers),
        Role::Absent(_) | Role::Sought(_) | Role::Observer(_) | Role::Claimant(_) => None,
    }
}

/// When there is something to do for the host without anything happening.
pub(crate) fn due(role: &Role, known: &Known, timers: &Timers, now: Instant) -> Option<Instant> {
    let own = match role {
        Role::Absent(_) => return None,
        Role::Observer(_) => None,
        Role::Owner(owner) => owner.due(known, now, timers),
        Role::Sought(sought) => Some(sought.due(timers)),
        Role::Claimant(claimant) => Some(claimant.due(timers)),
    };
    [own, known.next_expiry(kept_by(role), now, timers)].into_iter().flatten().min()
}
