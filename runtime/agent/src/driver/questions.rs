//! Questions on their way: which have left the switch?
//!
//! A question that was not asked proves nothing by its silence. Each frame of it carries a number, and the switch hands an
//! exact copy back once it has given the frame to the port. When all frames of a round are back, the round was asked.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use vouch_mobility::{HostKey, Instant, QuestionId};

use super::frames::Tag;

/// A copy that has not come by then does not come, or comes too late for anything.
const LATEST: Duration = Duration::from_secs(1);
/// How many frames may be on their way. More are sent, but are never known to have been.
const FRAMES: usize = 1 << 18;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    next: u64,
    /// In the order of their numbers, and so of their times.
    sent: VecDeque<(Tag, Instant)>,
    rounds: HashMap<Tag, Round>,
    /// How many frames of a round are still to come back.
    missing: HashMap<Round, usize>,
}

/// A round of a question.
pub(crate) type Round = (HostKey, QuestionId, u32);

impl Questions {
    /// How many frames are on their way.
    pub(crate) fn on_their_way(&mut self, now: Instant) -> usize {
        while self.sent.front().is_some_and(|(tag, sent)| *sent + LATEST < now || !self.rounds.contains_key(tag)) {
            self.forget_first();
        }
        self.rounds.len()
    }

    /// Numbers for the frames of a round.
    pub(crate) fn ask(&mut self, round: Round, frames: usize, now: Instant) -> Vec<Tag> {
        self.on_their_way(now);
        let tags: Vec<Tag> = (self.next..).take(frames).map(Tag::of).collect();
        self.next = self.next.wrapping_add(frames as u64);
        if self.sent.len() + frames <= FRAMES {
            self.missing.insert(round, frames);
            for tag in &tags {
                self.sent.push_back((*tag, now));
                self.rounds.insert(*tag, round);
            }
        }
        tags
    }

    /// The switch has handed a frame to its port. The round, if that was the last one that was missing.
    pub(crate) fn back(&mut self, tag: Tag) -> Option<Round> {
        let round = self.rounds.remove(&tag)?;
        let missing = self.missing.get_mut(&round)?;
        *missing -= 1;
        if *missing > 0 {
            return None;
        }
        self.missing.remove(&round);
        Some(round)
    }

    /// The session is another one: what was on its way may be lost.
    pub(crate) fn forget(&mut self) {
        self.sent.clear();
        self.rounds.clear();
        self.missing.clear();
    }

    fn forget_first(&mut self) {
        let Some((tag, _)) = self.sent.pop_front() else { return };
        if let Some(round) = self.rounds.remove(&tag) {
            // One frame that is not back is enough: the round is never known to have been asked.
            self.missing.remove(&round);
        }
    }
}

#[cfg(test)]
mod tests {
    use vouch_net::{MacAddr, Vni};

    use super::*;

    const T0: Instant = Instant::EPOCH;
    const HOST: HostKey = HostKey { vni: Vni::MAX, mac: MacAddr([2, 0, 0, 0, 0, 1]) };
    const FIRST: Round = (HOST, QuestionId(1), 0);
    const SECOND: Round = (HOST, QuestionId(1), 1);

    #[test]
    fn a_round_was_asked_when_all_its_frames_are_back() {
        let mut questions = Questions::default();
        let first = questions.ask(FIRST, 2, T0);
        let second = questions.ask(SECOND, 1, T0);
        assert_eq!(questions.back(first[1]), None);
        assert_eq!(questions.back(first[1]), None, "the same copy twice is one");
        assert_eq!(questions.back(second[0]), Some(SECOND), "each by itself");
        assert_eq!(questions.back(first[0]), Some(FIRST));
        assert!(questions.rounds.is_empty() && questions.missing.is_empty());
    }

    #[test]
    fn what_was_on_its_way_in_another_session_was_not_asked() {
        let mut questions = Questions::default();
        let tags = questions.ask(FIRST, 1, T0);
        questions.forget();
        assert_eq!(questions.back(tags[0]), None);
        assert_ne!(questions.ask(FIRST, 1, T0), tags, "numbers are not used again");
    }

    #[test]
    fn copies_that_come_too_late_are_none_and_room_is_bounded() {
        let mut questions = Questions::default();
        let old = questions.ask(FIRST, 2, T0);
        assert_eq!(questions.back(old[0]), None);
        let late = T0 + LATEST + Duration::from_millis(1);
        questions.ask(SECOND, 1, late);
        assert_eq!(questions.back(old[1]), None);
        assert_eq!((questions.sent.len(), questions.rounds.len(), questions.missing.len()), (1, 1, 1));
        let many = questions.ask((HOST, QuestionId(2), 0), FRAMES, late);
        assert_eq!(questions.back(many[0]), None);
        assert_eq!(questions.sent.len(), 1);
    }
}
