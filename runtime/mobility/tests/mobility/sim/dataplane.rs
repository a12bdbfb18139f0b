//! What switches would do with the views: where a frame ends up, and who is punted.

use std::collections::BTreeMap;

use vouch_mobility::{AccessId, BindingView, ClaimView, Destination, HostKey, HostView, Location};

/// The views of one switch.
pub(crate) type Views = BTreeMap<HostKey, HostView>;

/// Where a frame came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ingress {
    Access(AccessId),
    Tunnel(usize),
}

/// Where the copies of a frame came out.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) delivered: Vec<(usize, AccessId)>,
    /// The VTEPs it passed, if it went round.
    pub(crate) looped: Option<Vec<usize>>,
}

impl Trace {
    pub(crate) fn copies(&self, place: (usize, AccessId)) -> usize {
        self.delivered.iter().filter(|&&delivered| delivered == place).count()
    }
}

/// Follows a unicast frame to `host` through the fabric. `ports` are the access interfaces of every VTEP.
pub(crate) fn trace(
    views: &[&Views],
    number_of: &dyn Fn(Location) -> Option<usize>,
    ports: &[AccessId],
    host: &HostKey,
    start: usize,
    ingress: Ingress,
) -> Trace {
    let mut trace = Trace::default();
    let fabric = Fabric { views, number_of, ports, host };
    fabric.forward(start, ingress, &mut Vec::new(), &mut trace);
    trace
}

struct Fabric<'a> {
    views: &'a [&'a Views],
    number_of: &'a dyn Fn(Location) -> Option<usize>,
    ports: &'a [AccessId],
    host: &'a HostKey,
}

impl Fabric<'_> {
    fn forward(&self, at: usize, ingress: Ingress, path: &mut Vec<usize>, trace: &mut Trace) {
        path.push(at);
        if path.len() > 2 * self.views.len() + 2 {
            trace.looped = Some(path.clone());
            path.pop();
            return;
        }
        match self.views[at].get(self.host) {
            None => {
                for &port in self.ports {
                    self.out(at, ingress, Location::Local(port), path, trace);
                }
                if let Ingress::Access(_) = ingress {
                    for other in (0..self.views.len()).filter(|&other| other != at) {
                        self.tunnel(at, ingress, other, path, trace);
                    }
                }
            }
            Some(view) => match (view.destination, view.location) {
                (Destination::Recorded, Location::Remote(_)) if matches!(ingress, Ingress::Tunnel(_)) => {}
                (Destination::Recorded | Destination::Hairpin, location) => {
                    self.out(at, ingress, location, path, trace);
                }
                // From tunnel to tunnel as well; of the two, the one that would go back where the frame came from is pruned.
                (Destination::Both { with, and }, location) => {
                    for place in [Some(location), Some(with), and].into_iter().flatten() {
                        self.out(at, ingress, place, path, trace);
                    }
                }
                (Destination::Claimed { port, owner }, _) => {
                    let owner = Location::Remote(owner);
                    if let Ingress::Tunnel(from) = ingress
                        && (self.number_of)(owner) == Some(from)
                    {
                        self.out(at, ingress, Location::Local(port), path, trace);
                    } else {
                        self.out(at, ingress, owner, path, trace);
                    }
                }
            },
        }
        path.pop();
    }

    fn out(&self, at: usize, ingress: Ingress, to: Location, path: &mut Vec<usize>, trace: &mut Trace) {
        match to {
            Location::Local(port) if ingress != Ingress::Access(port) => trace.delivered.push((at, port)),
            Location::Local(_) => {}
            Location::Remote(_) => {
                if let Some(other) = (self.number_of)(to) {
                    self.tunnel(at, ingress, other, path, trace);
                }
            }
        }
    }

    fn tunnel(&self, at: usize, ingress: Ingress, to: usize, path: &mut Vec<usize>, trace: &mut Trace) {
        if ingress != Ingress::Tunnel(to) && trace.looped.is_none() {
            self.forward(to, Ingress::Tunnel(at), path, trace);
        }
    }
}

/// What the source check makes of a frame from `host` on `port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Punt {
    Nothing,
    /// A copy, reason `LEARN` or `BINDING`.
    Learn,
    /// The frame itself, reason `BINDING`: it says that it has another host's address.
    Binding,
    /// Reason `MOVE`; the frame itself if it is an announcement.
    Move,
    /// A copy, reason `ALIVE`.
    Alive,
}

/// `bound`: whose the address that the frame announces is, if it announces one.
pub(crate) fn source_check(
    view: Option<&HostView>,
    port: AccessId,
    host: &HostKey,
    announces: bool,
    bound: Option<BindingView>,
) -> Punt {
    let Some(view) = view else { return Punt::Learn };
    let news = announces && bound.is_none_or(|bound| bound.mac == host.mac && !bound.confirmed);
    if view.location == Location::Local(port) {
        let disagrees = announces && bound.is_some_and(|bound| bound.mac != host.mac);
        return match (view.watch, news, disagrees) {
            (_, _, true) => Punt::Binding,
            (_, true, false) => Punt::Learn,
            (true, false, false) => Punt::Alive,
            (false, false, false) => Punt::Nothing,
        };
    }
    match view.claims.iter().find(|(claimed, _)| *claimed == port) {
        // It would not spread; but where a host that has another address now is claimed, it is asked for that.
        Some((_, ClaimView::Pending { .. })) if news => Punt::Binding,
        Some((_, ClaimView::Pending { .. } | ClaimView::Quarantined)) => Punt::Nothing,
        Some((_, ClaimView::Shared)) => Punt::Alive,
        None => Punt::Move,
    }
}
