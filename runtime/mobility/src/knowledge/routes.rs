//! What the other VTEPs say about one host: at most one route for each.
//!
//! The highest sequence wins; of equals the one in use stays, so that of two VTEPs with the same host the first is kept. A route that was
//! told at once, before the verdict, is *tentative*: it wins like any other, but what it outranks is kept, so that there is something to
//! go back to when it is withdrawn. A firm route removes what it outranks.

use crate::guards::{Guard, is_out};
use crate::words::ids::VtepAddr;
use crate::words::sequence::Sequence;
use crate::words::time::Instant;

/// "The host is behind `vtep`."
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Route {
    pub(crate) vtep: VtepAddr,
    pub(crate) sequence: Sequence,
    /// Told before the verdict: gone at that time unless confirmed.
    pub(crate) tentative_until: Option<Instant>,
    /// Which of the peer's lists it was last confirmed in, or after.
    pub(crate) round: u64,
    /// We own the host too, it answered us, and the VTEP has been told: nothing is left to do about this route.
    pub(crate) disputed: bool,
}

impl Route {
    pub(crate) fn is_firm(&self) -> bool {
        self.tentative_until.is_none()
    }
}

/// All routes of one host, oldest first.
#[derive(Debug, Clone, Default, Hash)]
pub(crate) struct Routes(Vec<Route>);

/// Whether `new` is to be believed more than `old`. Saturated sequences cannot be told apart, then the later news wins.
pub(crate) fn outranks(new: Sequence, old: Sequence) -> bool {
    new > old || new == Sequence::LAST
}

impl Routes {
    /// Takes in a route. `false`: it is older news than what the VTEP said before, and was ignored.
    pub(crate) fn insert(&mut self, mut route: Route, whatever_before: bool) -> bool {
        if let Some(known) = self.of(route.vtep) {
            if known.sequence > route.sequence && !whatever_before && !is_out(Guard::OldNews) {
                return false;
            }
            // A late copy of "at once" does not take back "after the verdict".
            if known.is_firm() && known.sequence == route.sequence && !route.is_firm() {
                return false;
            }
            // A list, at the start of a session, is the occasion to ask again.
            route.disputed |= known.disputed && known.sequence == route.sequence && !whatever_before;
        }
        if route.is_firm() {
            self.0.retain(|other| other.vtep == route.vtep || !outranks(route.sequence, other.sequence));
        }
        match self.0.iter_mut().find(|known| known.vtep == route.vtep) {
            Some(known) => *known = route,
            None => self.0.push(route),
        }
        true
    }

    pub(crate) fn remove(&mut self, vtep: VtepAddr) {
        self.0.retain(|route| route.vtep != vtep);
    }

    /// The VTEP takes back what it has said up to `sequence`.
    pub(crate) fn forget(&mut self, vtep: VtepAddr, sequence: Sequence) {
        self.0.retain(|route| route.vtep != vtep || route.sequence > sequence);
    }

    /// Forgets what an owner with `sequence` has outranked.
    pub(crate) fn remove_outranked(&mut self, sequence: Sequence) {
        self.0.retain(|route| !outranks(sequence, route.sequence));
    }

    pub(crate) fn remove_expired(&mut self, now: Instant) {
        self.0.retain(|route| route.tentative_until.is_none_or(|until| now < until));
    }

    pub(crate) fn of(&self, vtep: VtepAddr) -> Option<&Route> {
        self.0.iter().find(|route| route.vtep == vtep)
    }

    pub(crate) fn of_mut(&mut self, vtep: VtepAddr) -> Option<&mut Route> {
        self.0.iter_mut().find(|route| route.vtep == vtep)
    }

    /// The route to use by one who uses `current`.
    pub(crate) fn best(&self, current: Option<VtepAddr>) -> Option<&Route> {
        self.best_of(current, |_| true)
    }

    pub(crate) fn best_firm(&self, current: Option<VtepAddr>) -> Option<&Route> {
        self.best_of(current, Route::is_firm)
    }

    pub(crate) fn best_other(&self, not: VtepAddr) -> Option<&Route> {
        self.best_of(None, |route| route.is_firm() && route.vtep != not)
    }

    /// The highest sequence that anybody holds.
    pub(crate) fn highest(&self) -> Option<Sequence> {
        self.0.iter().map(|route| route.sequence).max()
    }

    pub(crate) fn next_expiry(&self) -> Option<Instant> {
        self.0.iter().filter_map(|route| route.tentative_until).min()
    }

    pub(crate) fn vteps(&self) -> impl Iterator<Item = VtepAddr> {
        self.0.iter().map(|route| route.vtep)
    }

    fn best_of(&self, current: Option<VtepAddr>, usable: impl Fn(&Route) -> bool) -> Option<&Route> {
        let mut best: Option<&Route> = None;
        for route in self.0.iter().filter(|route| usable(route)) {
            let better = best.is_none_or(|best| {
                route.sequence > best.sequence || (route.sequence == best.sequence && Some(route.vtep) == current)
            });
            if better {
                best = Some(route);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: VtepAddr = VtepAddr(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)));
    const B: VtepAddr = VtepAddr(std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)));

    fn route(vtep: VtepAddr, sequence: u32, tentative: bool) -> Route {
        let tentative_until = tentative.then_some(Instant::from_micros(5));
        Route { vtep, sequence: Sequence(sequence), tentative_until, round: 0, disputed: false }
    }

    fn best(routes: &Routes, current: VtepAddr) -> Option<VtepAddr> {
        routes.best(Some(current)).map(|route| route.vtep)
    }

    #[test]
    fn a_tentative_route_wins_and_leaves_something_to_go_back_to() {
        let mut routes = Routes::default();
        assert!(routes.insert(route(A, 4, false), false));
        assert!(routes.insert(route(B, 5, true), false));
        assert_eq!(best(&routes, A), Some(B));
        routes.remove(B);
        assert_eq!(best(&routes, B), Some(A));
    }

    #[test]
    fn a_firm_route_removes_what_it_outranks() {
        let mut routes = Routes::default();
        routes.insert(route(A, 4, false), false);
        routes.insert(route(B, 5, false), false);
        routes.remove(B);
        assert_eq!(best(&routes, A), None);
    }

    #[test]
    fn of_equals_the_first_is_kept() {
        let mut routes = Routes::default();
        routes.insert(route(A, 0, false), false);
        routes.insert(route(B, 0, false), false);
        assert_eq!(best(&routes, A), Some(A));
        assert_eq!(best(&routes, B), Some(B));
    }

    #[test]
    fn older_news_of_the_same_vtep_is_ignored_except_in_a_list() {
        let mut routes = Routes::default();
        routes.insert(route(A, 4, false), false);
        assert!(!routes.insert(route(A, 3, false), false));
        assert!(!routes.insert(route(A, 4, true), false), "a late copy must not make it tentative");
        assert!(routes.insert(route(A, 0, false), true));
        assert_eq!(routes.highest(), Some(Sequence(0)));
    }

    #[test]
    fn at_the_last_sequence_the_later_news_wins() {
        let mut routes = Routes::default();
        routes.insert(route(A, u32::MAX, false), false);
        routes.insert(route(B, u32::MAX, false), false);
        assert_eq!(best(&routes, A), Some(B));
    }
}
