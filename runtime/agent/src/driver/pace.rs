//! Questions that wait for their turn.
//!
//! A switch and the way to it take so many frames a second, and ten thousand hosts may have to be asked at once. What is sent
//! beyond what comes back only queues up somewhere, until nothing comes back in time and nobody has been asked. So no more than
//! so many frames are on their way, and the others wait here, of each question only the latest round. Questions that have been
//! asked before and those that have not take turns: the first are asked to the end, with fewer rounds than they might have had,
//! and the others need not wait for that.

use std::collections::{HashMap, VecDeque};

use vouch_mobility::{HostKey, Location, Probe, QuestionId};

/// How many frames may be on their way: so many that a quick switch is never idle, and a slow one, with some thousand a second, has
/// handed them back before the machine gives their questions up.
pub(crate) const ON_THEIR_WAY: usize = 512;
/// How many questions may wait. Of more, the machine hears that they were not asked.
const WAITING: usize = 1 << 18;

type Key = (HostKey, QuestionId, Location);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    rounds: HashMap<Key, Probe>,
    begun: VecDeque<Key>,
    fresh: VecDeque<Key>,
    /// Whose turn it is.
    fresh_next: bool,
}

impl Pace {
    /// A round is to be asked. `begun`: the question has been asked before.
    pub(crate) fn push(&mut self, probe: Probe, begun: bool) {
        let key = (probe.host, probe.question, probe.via);
        if let Some(earlier) = self.rounds.get_mut(&key) {
            *earlier = probe;
        } else if self.rounds.len() < WAITING {
            self.rounds.insert(key, probe);
            if begun { self.begun.push_back(key) } else { self.fresh.push_back(key) }
        }
    }

    /// The round whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<Probe> {
        self.fresh_next = !self.fresh_next;
        let (first, second) = match self.fresh_next {
            true => (&mut self.fresh, &mut self.begun),
            false => (&mut self.begun, &mut self.fresh),
        };
        let key = first.pop_front().or_else(|| second.pop_front())?;
        self.rounds.remove(&key)
    }

    /// What waits is not going to be asked.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use vouch_mobility::AccessId;
    use vouch_net::{MacAddr, Vni};

    use super::*;

    fn probe(question: u64, round: u32) -> Probe {
        Probe {
            question: QuestionId(question),
            round,
            host: HostKey { vni: Vni::MAX, mac: MacAddr([2, 0, 0, 0, 0, 1]) },
            via: Location::Local(AccessId(1)),
            recorded: true,
            targets: Vec::new(),
        }
    }

    fn popped(pace: &mut Pace) -> Vec<(u64, u32)> {
        std::iter::from_fn(|| pace.pop()).map(|probe| (probe.question.0, probe.round)).collect()
    }

    #[test]
    fn who_has_been_asked_and_who_has_not_take_turns_and_only_the_latest_round_is_asked() {
        let mut pace = Pace::default();
        pace.push(probe(1, 0), false);
        pace.push(probe(2, 0), false);
        pace.push(probe(3, 4), true);
        pace.push(probe(1, 1), false);
        pace.push(probe(4, 2), true);
        pace.push(probe(3, 5), true);
        assert_eq!(popped(&mut pace), [(1, 1), (3, 5), (2, 0), (4, 2)]);
        pace.push(probe(1, 2), true);
        pace.clear();
        assert_eq!(popped(&mut pace), []);
    }
}
