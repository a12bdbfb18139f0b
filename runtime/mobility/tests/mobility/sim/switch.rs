//! A switch between its machine and the fabric: it may stall, restart empty, and police answers away.

use std::collections::BTreeMap;
use std::net::IpAddr;

use vouch_mobility::{BindingView, Instant, QuestionId};

use super::dataplane::Views;

#[derive(Debug, Default)]
pub(crate) struct Switch {
    pub(crate) views: Views,
    pub(crate) bindings: BTreeMap<IpAddr, BindingView>,
    /// Punts arrive in order.
    pub(crate) last_punt: Instant,
    /// It takes nothing, and says nothing, until then.
    pub(crate) stalled_until: Instant,
    /// What it was given while it stalls never leaves.
    pub(crate) loses: bool,
    /// It has no session with its controller until then.
    pub(crate) lost_until: Instant,
    /// It has restarted, and has not been told yet what it should have.
    pub(crate) is_empty: bool,
    /// Answers are dropped until then…
    pub(crate) policed_until: Instant,
    /// …and the last of them was dropped then, or may have been lost otherwise.
    pub(crate) lost_at: Option<Instant>,
    /// When the questions began.
    pub(crate) asked_at: BTreeMap<QuestionId, Instant>,
    /// Counts its restarts, and those of its controller.
    pub(crate) life: u64,
}

impl Switch {
    pub(crate) fn is_lost(&self, now: Instant) -> bool {
        now < self.lost_until || self.is_empty
    }

    pub(crate) fn is_stalled(&self, now: Instant) -> bool {
        now < self.stalled_until
    }

    /// Whether everything that a host may have said since the question began has been told.
    pub(crate) fn has_heard_all_since(&self, question: QuestionId) -> bool {
        let begun = self.asked_at.get(&question);
        begun.is_some_and(|&begun| self.lost_at.is_none_or(|lost| lost < begun))
    }
}
