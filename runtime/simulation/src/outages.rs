//! When which switch carried nothing, because it was not there or its agent had not got it ready.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What is on its way when a switch is ready may have been sent before.
const AROUND: Duration = Duration::from_millis(50);

/// The outages of all switches. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Outages {
    shared: Arc<Mutex<Vec<Outage>>>,
}

struct Outage {
    site: usize,
    from: Duration,
    to: Option<Duration>,
}

impl Outages {
    fn lock(&self) -> MutexGuard<'_, Vec<Outage>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was.
    pub(crate) fn begin(&self) {
        self.lock().clear();
    }

    /// A switch is gone, or is there and empty.
    pub(crate) fn begins(&self, site: usize, when: Duration) {
        let mut all = self.lock();
        if !all.iter().any(|outage| outage.site == site && outage.to.is_none()) {
            all.push(Outage { site, from: when, to: None });
        }
    }

    /// A switch is ready.
    pub(crate) fn ends(&self, site: usize, when: Duration) {
        let mut all = self.lock();
        all.iter_mut().filter(|outage| outage.site == site).for_each(|outage| {
            outage.to.get_or_insert(when);
        });
    }

    /// Whether a switch may have lost what was sent then.
    pub(crate) fn cover(&self, site: usize, when: Duration) -> bool {
        let covers = |outage: &Outage| {
            outage.site == site
                && outage.from.saturating_sub(AROUND) <= when
                && outage.to.is_none_or(|to| when <= to + AROUND)
        };
        self.lock().iter().any(covers)
    }
}
