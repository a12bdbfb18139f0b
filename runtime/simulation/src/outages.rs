//! When which switch carried nothing, because it was not there or its agent had not got it ready, who has lost all that it knew, and which VTEP was
//! out of use.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What is on its way when a switch is ready may have been sent before.
const AROUND: Duration = Duration::from_millis(50);

/// How late an agent may find out that its switch is another one by now, where the switch is slow.
const LATE: Duration = Duration::from_secs(3);

/// The outages of all switches. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Outages {
    shared: Arc<Mutex<All>>,
}

#[derive(Default)]
struct All {
    outages: Vec<Outage>,
    /// The VTEPs that know nothing any more of what they knew.
    forgotten: Vec<(usize, Duration)>,
    /// Whose agent knows what its switch had.
    knowing: BTreeSet<usize>,
    /// Switches that are gone: what they said last may still be on its way.
    gone: BTreeSet<usize>,
    /// The VTEPs that were out of use, and when they were back.
    drained: Vec<Outage>,
}

struct Outage {
    site: usize,
    from: Duration,
    to: Option<Duration>,
}

impl Outage {
    /// Whether it lasted until then, or until so long before.
    fn lasted(&self, before: Duration, when: Duration) -> bool {
        self.from <= when && self.to.is_none_or(|to| when <= to + before)
    }
}

impl Outages {
    fn lock(&self) -> MutexGuard<'_, All> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was.
    pub(crate) fn begin(&self) {
        let mut all = self.lock();
        all.outages.clear();
        all.forgotten.clear();
        all.drained.clear();
    }

    /// A switch is gone, or is `there` and empty.
    pub(crate) fn begins(&self, site: usize, there: bool, when: Duration) {
        let mut all = self.lock();
        if there {
            all.gone.remove(&site);
        } else {
            all.gone.insert(site);
        }
        if !all.knowing.contains(&site) {
            all.forgotten.push((site, when));
        }
        if !all.is_out(site) {
            all.outages.push(Outage { site, from: when, to: None });
        }
    }

    /// An agent is gone.
    pub(crate) fn agent_ends(&self, site: usize, when: Duration) {
        let mut all = self.lock();
        all.knowing.remove(&site);
        if all.is_out(site) {
            all.forgotten.push((site, when));
        }
        drop(all);
        self.in_use(site, when);
    }

    /// A VTEP is out of use.
    pub(crate) fn drained(&self, site: usize, when: Duration) {
        self.lock().drained.push(Outage { site, from: when, to: None });
    }

    /// It is not, or not any more.
    pub(crate) fn in_use(&self, site: usize, when: Duration) {
        for outage in self.lock().drained.iter_mut().filter(|outage| outage.site == site) {
            outage.to.get_or_insert(when);
        }
    }

    /// Whether a VTEP was out of use then, or so long before.
    pub(crate) fn was_drained(&self, site: usize, before: Duration, when: Duration) -> bool {
        self.lock().drained.iter().any(|outage| outage.site == site && outage.lasted(before, when))
    }

    /// An agent says that its switch is ready.
    pub(crate) fn ends(&self, site: usize, when: Duration) {
        let mut all = self.lock();
        if all.gone.contains(&site) {
            return;
        }
        all.knowing.insert(site);
        for outage in all.outages.iter_mut().filter(|outage| outage.site == site) {
            // What a switch said before it was killed may come later than it was started anew.
            if outage.to.is_none_or(|_| when <= outage.from + LATE) {
                outage.to = Some(when);
            }
        }
    }

    /// Whether a switch may have lost what was sent then.
    pub(crate) fn cover(&self, site: usize, when: Duration) -> bool {
        let covers = |outage: &Outage| {
            outage.site == site
                && outage.from.saturating_sub(AROUND) <= when
                && outage.to.is_none_or(|to| when <= to + AROUND)
        };
        self.lock().outages.iter().any(covers)
    }

    /// Whether a switch was out then, or so long before.
    pub(crate) fn within(&self, site: usize, before: Duration, when: Duration) -> bool {
        self.lock().outages.iter().any(|outage| outage.site == site && outage.lasted(before, when))
    }

    /// Whether agent and switch of a VTEP had lost all that they knew at that time or before.
    pub(crate) fn has_forgotten(&self, site: usize, when: Duration) -> bool {
        self.lock().forgotten.iter().any(|(forgot, at)| *forgot == site && *at <= when)
    }
}

impl All {
    fn is_out(&self, site: usize) -> bool {
        self.outages.iter().any(|outage| outage.site == site && outage.to.is_none())
    }
}
