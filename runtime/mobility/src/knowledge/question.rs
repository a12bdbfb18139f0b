//! A question: a host is asked at one place, and what its silence is worth.
//!
//! *Silence proves something only about a host that was going to answer* (4a). A question ends in one of four ways:
//!
//! | end | what happened |
//! |---|---|
//! | an answer | any sign of life ends it; that is not seen here |
//! | [`Silence`] | an answer was to be [`Expected`], every round has left the switch, no answer can have been lost, and none came: it is gone |
//! | [`Unanswered`] | the same, but no answer was to be expected: that alone proves nothing |
//! | disturbed | the questions may not have left, or answers may have been lost: nothing at all |
//!
//! A round counts once the switch has confirmed that it left, and the schedule is counted from the first that did. A switch that stalls confirms
//! nothing, so it stops the clock without anybody noticing that it stalls; and where ten thousand hosts are to be asked at once, each has the whole time from
//! when its turn came. At the end the driver is asked whether all that the host may have said has been heard ([`Step::Check`]).

use std::time::Duration;

use crate::guards::{Guard, is_out};
use crate::inout::report::WhyUnproven;
use crate::knowledge::addresses::{Expected, MAX_PATIENCE};
use crate::words::config::{Escalation, Timers};
use crate::words::ids::{Location, QuestionId};
use crate::words::time::Instant;

/// How many rounds must have left at the least, where so many are configured.
const ENOUGH_ROUNDS: usize = 3;

/// How long no round may leave before the question is given up.
const NOTHING_LEFT: Duration = Duration::from_secs(2);

/// How long the wait between rounds that are sent in place of such as were not confirmed may grow.
const MAX_EXTRA_WAIT: Duration = Duration::from_millis(400);

/// How long the driver may take for the check. It is the driver's to say that the switch took too long for it.
const CHECK_WITHIN: Duration = Duration::from_millis(1_500);

/// A host is being asked.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Question {
    id: QuestionId,
    place: Location,
    expected: Option<Expected>,
    /// How long this host takes to answer, if it is known to take its time.
    usual: Duration,
    started: Instant,
    /// How many of the configured rounds are sent, or were skipped because the driver came late.
    scheduled: usize,
    /// How many went out, and which the next is.
    sent: u32,
    /// How many rounds were sent beyond the schedule.
    extra: u32,
    last_sent: Instant,
    /// Which rounds have left, one bit each; the first and the last of them when.
    left: u32,
    first_left: Option<Instant>,
    last_left: Instant,
    checking: Option<Instant>,
}

/// A host that was going to answer was asked as it should be, and did not. Only [`Question::checked`] makes one.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Silence(());

/// A host was asked as it should be, and did not answer. Only [`Question::checked`] makes one.
#[derive(Debug, Clone, Hash)]
pub(crate) struct Unanswered(());

/// How a question ends without an answer.
#[derive(Debug)]
pub(crate) enum End {
    Silent(Silence),
    Unanswered(Unanswered),
    Disturbed(WhyUnproven),
}

/// What is to be done for a question now.
#[derive(Debug)]
pub(crate) enum Step {
    Wait,
    /// Send the round of that number.
    Ask(u32),
    /// Ask the driver whether all has been heard.
    Check,
    /// It is over.
    End(End),
}

impl Question {
    pub(crate) fn begin(id: QuestionId, place: Location, expected: Option<Expected>, now: Instant) -> Self {
        Self {
            id,
            place,
            expected,
            usual: Duration::ZERO,
            started: now,
            scheduled: 0,
            sent: 0,
            extra: 0,
            last_sent: now,
            left: 0,
            first_left: None,
            last_left: now,
            checking: None,
        }
    }

    /// A host that is known to take longer to answer than others is given that time.
    pub(crate) fn with_patience(mut self, usual: Option<Duration>) -> Self {
        self.usual = usual.unwrap_or_default().min(MAX_PATIENCE);
        self
    }

    pub(crate) fn id(&self) -> QuestionId {
        self.id
    }

    pub(crate) fn place(&self) -> Location {
        self.place
    }

    /// Whether answers to earlier rounds may still be on their way when one comes.
    pub(crate) fn was_repeated(&self) -> bool {
        self.sent > 1
    }

    /// When there is something to do.
    pub(crate) fn due(&self, timers: &Timers) -> Instant {
        match (self.checking, timers.probes.get(self.scheduled)) {
            (Some(since), _) => since + CHECK_WITHIN,
            (None, Some(&offset)) => self.clock() + offset,
            (None, None) if self.has_left_enough(timers) => self.silent_at(timers),
            (None, None) => self.extra_at(timers),
        }
    }

    /// What the schedule is counted from.
    fn clock(&self) -> Instant {
        self.first_left.unwrap_or(self.started)
    }

    fn has_left_enough(&self, timers: &Timers) -> bool {
        let left = if is_out(Guard::RoundsLeft) { self.sent } else { self.left.count_ones() };
        left as usize >= timers.probes.len().min(ENOUGH_ROUNDS)
    }

    /// When a round is sent in place of one that was not confirmed: as soon as all would be over, and then less and less often.
    fn extra_at(&self, timers: &Timers) -> Instant {
        if self.extra == 0 {
            return self.silent_at(timers);
        }
        let wait = patience(timers) * (1 << self.extra.min(4));
        self.last_sent + wait.min(MAX_EXTRA_WAIT).max(patience(timers))
    }

    /// Goes on. A driver that comes late sends one round, not all it missed.
    pub(crate) fn step(&mut self, now: Instant, timers: &Timers) -> Step {
        if let Some(since) = self.checking {
            let late = now >= since + CHECK_WITHIN;
            return if late { Step::End(End::Disturbed(WhyUnproven::AnswersLost)) } else { Step::Wait };
        }
        let due = timers.probes[self.scheduled..].iter().take_while(|&&offset| self.clock() + offset <= now).count();
        if due > 0 {
            self.scheduled += due;
            return self.ask(now);
        }
        if now < self.due(timers) {
            return Step::Wait;
        }
        if !self.has_left_enough(timers) {
            if now >= self.started.max(self.last_left) + NOTHING_LEFT {
                return Step::End(End::Disturbed(WhyUnproven::NotAsked));
            }
            self.extra += 1;
            return self.ask(now);
        }
        self.checking = Some(now);
        Step::Check
    }

    fn ask(&mut self, now: Instant) -> Step {
        let round = self.sent;
        self.sent += 1;
        self.last_sent = now;
        Step::Ask(round)
    }

    /// The switch confirms that a round has left.
    pub(crate) fn has_left(&mut self, round: u32, now: Instant) {
        if round < self.sent.min(u32::BITS) {
            let round = if is_out(Guard::RoundsDiffer) { self.left.count_ones() } else { round };
            self.left |= 1 << round;
            self.first_left.get_or_insert(now);
            self.last_left = now;
        }
    }

    /// The driver has checked.
    pub(crate) fn checked(&self, complete: bool) -> End {
        let complete = complete || is_out(Guard::AllHeard);
        match (complete && self.checking.is_some(), self.expected) {
            (false, _) => End::Disturbed(WhyUnproven::AnswersLost),
            (true, Some(_)) => End::Silent(Silence(())),
            (true, None) if is_out(Guard::AnswerExpected) => End::Silent(Silence(())),
            (true, None) => End::Unanswered(Unanswered(())),
        }
    }

    /// When an answer is overdue, `usual` being what is known of this host. `None`: nothing has left yet.
    pub(crate) fn overdue_at(&self, usual: Option<Duration>, escalation: Escalation) -> Option<Instant> {
        let after = match escalation {
            Escalation::Auto { min, max } => usual.map_or(max, |usual| usual.clamp(min, max.max(min))),
            Escalation::After(time) => time,
        };
        self.first_left.map(|left| left + after)
    }

    /// The configured time from when the first round left; later if others went out or left late, so that neither a stalled driver nor a slow switch
    /// is taken for a silent host, and for a host that takes its time.
    fn silent_at(&self, timers: &Timers) -> Instant {
        let end = self.clock() + timers.verdict_after.max(self.usual);
        end.max(self.last_sent.max(self.last_left) + patience(timers))
    }
}

/// How long an answer to the last round is waited for at the least.
fn patience(timers: &Timers) -> Duration {
    let last_offset = timers.probes.last().copied().unwrap_or_default();
    timers.verdict_after.saturating_sub(last_offset) / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::addresses::Addresses;
    use crate::words::ids::AccessId;

    const HERE: Location = Location::Local(AccessId(1));

    fn ms(millis: u64) -> Instant {
        Instant::EPOCH + Duration::from_millis(millis)
    }

    fn expected() -> Option<Expected> {
        let mut addresses = Addresses::default();
        addresses.confirm(&[[10, 0, 0, 1].into()], HERE, ms(0), 1);
        addresses.expected_at(HERE, ms(0), &Timers::default())
    }

    /// Asks on schedule, every round leaving at once, up to the check.
    fn asked(question: &mut Question, timers: &Timers) {
        for (round, at) in [0, 15, 35, 100, 200].into_iter().enumerate() {
            assert_eq!(question.due(timers), ms(at));
            assert!(matches!(question.step(ms(at), timers), Step::Ask(sent) if sent as usize == round));
            assert!(matches!(question.step(ms(at), timers), Step::Wait));
            question.has_left(round as u32, ms(at));
        }
        assert!(matches!(question.step(ms(299), timers), Step::Wait));
        assert!(matches!(question.step(ms(300), timers), Step::Check));
    }

    #[test]
    fn rounds_and_the_check_come_at_the_configured_times() {
        let timers = Timers::default();
        let mut question = Question::begin(QuestionId(1), HERE, expected(), ms(0));
        asked(&mut question, &timers);
        assert!(matches!(question.checked(true), End::Silent(_)));
    }

    #[test]
    fn evidence_silence_of_a_host_that_was_not_going_to_answer_is_no_silence() {
        let timers = Timers::default();
        let mut question = Question::begin(QuestionId(1), HERE, None, ms(0));
        asked(&mut question, &timers);
        assert!(matches!(question.checked(true), End::Unanswered(_)));
        assert!(matches!(question.checked(false), End::Disturbed(WhyUnproven::AnswersLost)));
    }

    #[test]
    fn evidence_one_round_confirmed_three_times_is_one_round() {
        let timers = Timers::default();
        let mut question = Question::begin(QuestionId(1), HERE, expected(), ms(0));
        for at in [0, 15, 35, 100, 200] {
            question.step(ms(at), &timers);
            question.has_left(0, ms(at));
            question.has_left(77, ms(at));
        }
        assert!(matches!(question.step(ms(300), &timers), Step::Ask(5)), "asked once more");
    }

    #[test]
    fn evidence_a_host_has_the_whole_time_from_when_the_first_round_left() {
        let timers = Timers::default();
        let mut question = Question::begin(QuestionId(1), HERE, expected(), ms(0));
        for (round, at) in [0, 15, 35, 100, 200].into_iter().enumerate() {
            question.step(ms(at), &timers);
            assert_eq!(question.sent as usize, round + 1);
        }
        for round in 0..5 {
            question.has_left(round, ms(290));
        }
        assert!(matches!(question.step(ms(589), &timers), Step::Wait), "a switch that stalled has let all go at once");
        assert!(matches!(question.step(ms(590), &timers), Step::Check));
    }

    #[test]
    fn evidence_a_host_that_takes_its_time_is_given_it() {
        let timers = Timers::default();
        let slow = Some(Duration::from_millis(800));
        let mut question = Question::begin(QuestionId(1), HERE, expected(), ms(0)).with_patience(slow);
        for (round, at) in [0, 15, 35, 100, 200].into_iter().enumerate() {
            question.step(ms(at), &timers);
            question.has_left(round as u32, ms(at));
        }
        assert!(matches!(question.step(ms(799), &timers), Step::Wait));
        assert!(matches!(question.step(ms(800), &timers), Step::Check));
    }

    #[test]
    fn evidence_questions_that_did_not_leave_prove_nothing() {
        let timers = Timers::default();
        let mut question = Question::begin(QuestionId(1), HERE, expected(), ms(0));
        let mut now = ms(0);
        let end = loop {
            match question.step(now, &timers) {
                Step::Check => panic!("checked, though nothing was asked"),
                Step::End(end) => break end,
                Step::Ask(_) | Step::Wait => now = question.due(&timers).max(now + Duration::from_millis(1)),
            }
            assert_eq!(question.overdue_at(None, timers.escalate), None);
        };
        assert!(matches!(end, End::Disturbed(WhyUnproven::NotAsked)));
        assert!(now >= ms(500), "a switch that is only slow has time to confirm: {now:?}");
    }

    #[test]
    fn a_check_that_nobody_answers_ends_as_disturbed() {
        let timers = Timers::default();
        let mut question = Question::begin(QuestionId(1), HERE, expected(), ms(0));
        asked(&mut question, &timers);
        assert!(matches!(question.step(ms(1_799), &timers), Step::Wait));
        assert!(matches!(question.step(ms(1_800), &timers), Step::End(End::Disturbed(WhyUnproven::AnswersLost))));
    }

    #[test]
    fn a_stalled_driver_still_gives_the_host_time_to_answer() {
        let timers = Timers::default();
        let mut question = Question::begin(QuestionId(1), HERE, expected(), ms(0));
        assert!(matches!(question.step(ms(0), &timers), Step::Ask(0)));
        question.has_left(0, ms(0));
        assert!(matches!(question.step(ms(900), &timers), Step::Ask(1)));
        question.has_left(1, ms(900));
        assert_eq!(question.due(&timers), ms(950));
        assert!(matches!(question.step(ms(950), &timers), Step::Ask(2)), "two rounds are not enough");
        question.has_left(2, ms(955));
        assert!(matches!(question.step(ms(1_005), &timers), Step::Check));
    }

    #[test]
    fn an_answer_is_overdue_by_the_hosts_own_measure_within_bounds() {
        let mut question = Question::begin(QuestionId(1), HERE, None, ms(0));
        let auto = Timers::default().escalate;
        let usual = |millis| Some(Duration::from_millis(millis));
        question.step(ms(0), &Timers::default());
        assert_eq!(question.overdue_at(usual(1), auto), None, "it has not left");
        question.has_left(0, ms(3));
        assert_eq!(question.overdue_at(usual(1), auto), Some(ms(8)));
        assert_eq!(question.overdue_at(usual(20), auto), Some(ms(23)));
        assert_eq!(question.overdue_at(usual(200), auto), Some(ms(53)));
        assert_eq!(question.overdue_at(None, auto), Some(ms(53)));
        assert_eq!(question.overdue_at(usual(1), Escalation::After(Duration::from_millis(30))), Some(ms(33)));
    }
}
