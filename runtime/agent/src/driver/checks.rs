//! Whether silence can be trusted: has everything been heard that a host may have said since a question began?
//!
//! It has, if the switch has handed over all that it had punted before (a mark has come back through the stream, and what was
//! waiting of the place has been read), if it has dropped none of what could have been an answer (its counter of policed
//! punts says as before), if nothing was dropped on our side of the stream, and if all of it is one session. Otherwise the
//! answer is "no", and it is "no" as well if finding out takes too long: a switch that stalls proves nothing.
//!
//! Many questions end at once. All that are waiting share one mark and one read, and what ends meanwhile waits for the next.
//! That wait says nothing about the switch, and is not counted.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use vouch_mobility::{HostKey, Instant, QuestionId};
use vouch_tables::{LocationId, PuntMeter, PuntReason};

use crate::guards::{DriverGuard, is_out};

/// How long a mark may take, and all that was punted before it: a switch that takes longer may have stalled.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long a check may wait until it is begun to find out.
const WAIT: Duration = Duration::from_secs(1);
/// How many questions may be open. Of more it is not known what was lost before they began, and so never "yes".
const QUESTIONS: usize = 1 << 18;

/// What became of the stream so far, of what came in at one place.
pub(crate) trait Hearing: Send {
    /// Packets that were dropped before anybody read them: those that decide, and those of the place.
    fn dropped(&self, place: LocationId) -> u64;
    /// Packets of the place that came to be read, and those of them that have been.
    fn waiting(&self, place: LocationId) -> (u64, u64);
}

/// See the module.
pub(crate) struct Checks {
    hearing: Box<dyn Hearing>,
    /// Counts the sessions with the switch, as far as checks are concerned.
    session: u64,
    policed: HashMap<PuntMeter, u64>,
    began: HashMap<Asked, Began>,
    order: VecDeque<Asked>,
    wanted: Vec<Check>,
    batch: Option<Batch>,
    marks: u64,
    done: VecDeque<(HostKey, QuestionId, bool)>,
}

/// Who was asked, which question, and where.
pub(crate) type Asked = (HostKey, QuestionId, LocationId);

/// What was known when a question began.
#[derive(Debug, PartialEq, Eq)]
struct Began {
    session: u64,
    dropped: u64,
    policed: Vec<(PuntMeter, Option<u64>)>,
    /// A round of it has left.
    left: bool,
}

#[derive(Debug, Clone, Copy)]
struct Check {
    asked: Asked,
    /// When it is given up unless it has been begun to find out.
    due: Instant,
}

/// Checks that find out together.
#[derive(Debug)]
struct Batch {
    mark: u64,
    checks: Vec<Check>,
    due: Instant,
    /// How many packets of each place had come when the mark did.
    marked: Option<HashMap<LocationId, u64>>,
    read: bool,
}

/// What a batch needs to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FindOut {
    /// To be sent into the stream, and to come back.
    pub(crate) mark: u64,
    /// To be read.
    pub(crate) cells: Vec<PuntMeter>,
}

impl Checks {
    pub(crate) fn new(hearing: Box<dyn Hearing>) -> Self {
        Self {
            hearing,
            session: 0,
            policed: HashMap::new(),
            began: HashMap::new(),
            order: VecDeque::new(),
            wanted: Vec::new(),
            batch: None,
            marks: 0,
            done: VecDeque::new(),
        }
    }

    /// Whether the question has been asked before.
    pub(crate) fn has_begun(&self, asked: &Asked) -> bool {
        self.began.contains_key(asked)
    }

    /// A round of the question has left, and so all has been written that had to be before.
    pub(crate) fn has_left(&mut self, asked: &Asked) {
        if let Some(began) = self.began.get_mut(asked) {
            began.left = true;
        }
    }

    /// Whether a round of the question has left.
    pub(crate) fn is_under_way(&self, asked: &Asked) -> bool {
        self.began.get(asked).is_some_and(|began| began.left)
    }

    /// A question is about to be asked; only the first round begins it. `recorded`: the host is recorded there.
    pub(crate) fn begin(&mut self, asked: Asked, recorded: bool) {
        let place = asked.2;
        if self.began.contains_key(&asked) {
            return;
        }
        if self.began.len() >= QUESTIONS {
            // The oldest has ended otherwise, or will be asked about in vain.
            while let Some(oldest) = self.order.pop_front() {
                if self.began.remove(&oldest).is_some() {
                    break;
                }
            }
        }
        let cells = answer_reasons(place, recorded).iter().map(|reason| PuntMeter { reason: *reason, location: place });
        let policed = cells.map(|cell| (cell, self.policed.get(&cell).copied())).collect();
        let began = Began { session: self.session, dropped: self.hearing.dropped(place), policed, left: false };
        self.began.insert(asked, began);
        self.order.push_back(asked);
        if self.order.len() > 2 * QUESTIONS {
            self.order.retain(|asked| self.began.contains_key(asked));
        }
    }

    /// A question has ended in silence: can that be trusted?
    pub(crate) fn want(&mut self, asked: Asked, now: Instant) {
        self.wanted.push(Check { asked, due: now + WAIT });
    }

    /// What is to be found out next, if anything is, and nothing else is being found out.
    pub(crate) fn next_batch(&mut self, now: Instant) -> Option<FindOut> {
        if self.batch.is_some() || self.wanted.is_empty() {
            return None;
        }
        self.marks += 1;
        let checks = std::mem::take(&mut self.wanted);
        let began = checks.iter().filter_map(|check| self.began.get(&check.asked));
        let cells: BTreeSet<PuntMeter> = began.flat_map(|began| began.policed.iter().map(|(cell, _)| *cell)).collect();
        let cells: Vec<_> = cells.into_iter().collect();
        let (due, read) = (now + PATIENCE, cells.is_empty());
        self.batch = Some(Batch { mark: self.marks, checks, due, marked: None, read });
        Some(FindOut { mark: self.marks, cells })
    }

    /// A mark has come back.
    pub(crate) fn marked(&mut self, mark: u64) {
        let Some(batch) = self.batch.as_mut().filter(|batch| batch.mark == mark) else { return };
        let places: BTreeSet<LocationId> = batch.checks.iter().map(|check| check.asked.2).collect();
        batch.marked = Some(places.into_iter().map(|place| (place, self.hearing.waiting(place).0)).collect());
    }

    /// The cells of a batch have been read, and [`Self::refresh`] has been told; or they could not be.
    pub(crate) fn read(&mut self, mark: u64, could: bool) {
        let Some(batch) = self.batch.as_mut().filter(|batch| batch.mark == mark) else { return };
        batch.read = true;
        if !could {
            let checks = std::mem::take(&mut batch.checks);
            self.batch = None;
            self.give_up(checks);
        }
    }

    /// Cells have been read. Returns those that have risen, by how much.
    pub(crate) fn refresh(&mut self, counts: Vec<(PuntMeter, u64)>) -> Vec<(PuntMeter, u64)> {
        let mut risen = Vec::new();
        for (cell, count) in counts {
            match self.policed.insert(cell, count) {
                Some(before) if count > before => risen.push((cell, count - before)),
                Some(_) | None => {}
            }
        }
        risen
    }

    /// The switch is another one, or is not ours: nothing that was asked until now can be trusted.
    pub(crate) fn lost_touch(&mut self) {
        self.session += 1;
        self.policed.clear();
        let mut checks = self.batch.take().map(|batch| batch.checks).unwrap_or_default();
        checks.append(&mut self.wanted);
        self.give_up(checks);
    }

    /// Comes to what can be said by now.
    pub(crate) fn conclude(&mut self, now: Instant) {
        if self.batch.as_ref().is_some_and(|batch| self.is_heard(batch)) {
            self.conclude_heard();
        }
        if let Some(late) = self.batch.take_if(|batch| batch.due <= now) {
            self.give_up(late.checks);
        }
        // Whatever was wanted first is due first.
        if self.wanted.first().is_some_and(|check| check.due <= now) {
            let (late, open) = std::mem::take(&mut self.wanted).into_iter().partition(|check| check.due <= now);
            self.wanted = open;
            self.give_up(late);
        }
    }

    /// Whether there is a place of which all has been read that had come when the mark did.
    fn is_heard(&self, batch: &Batch) -> bool {
        let places = batch.marked.as_ref().filter(|_| batch.read);
        places.is_some_and(|places| places.iter().any(|(place, came)| self.hearing.waiting(*place).1 >= *came))
    }

    fn conclude_heard(&mut self) {
        let Some(mut batch) = self.batch.take() else { return };
        let Some(marked) = &mut batch.marked else { return };
        let heard: BTreeSet<LocationId> =
            marked.iter().filter(|(place, came)| self.hearing.waiting(**place).1 >= **came).map(|it| *it.0).collect();
        marked.retain(|place, _| !heard.contains(place));
        let (over, open): (Vec<_>, _) = batch.checks.into_iter().partition(|check| heard.contains(&check.asked.2));
        batch.checks = open;
        self.batch = Some(batch).filter(|batch| !batch.checks.is_empty());
        for check in over {
            let complete = self.is_complete(&check);
            self.end(check, complete);
        }
    }

    /// When to conclude at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let wanted = self.wanted.first().map(|check| check.due);
        self.batch.as_ref().map(|batch| batch.due).into_iter().chain(wanted).min()
    }

    /// The next conclusion: whether everything has been heard that could have answered the question.
    pub(crate) fn poll(&mut self) -> Option<(HostKey, QuestionId, bool)> {
        self.done.pop_front()
    }

    /// What each cell said when it was last read.
    pub(crate) fn policed(&self) -> impl Iterator<Item = (PuntMeter, u64)> {
        self.policed.iter().map(|(cell, count)| (*cell, *count))
    }

    fn is_complete(&self, check: &Check) -> bool {
        let Some(began) = self.began.get(&check.asked) else { return false };
        if is_out(DriverGuard::NothingLost) {
            return true;
        }
        let policed = began.policed.iter().all(|(cell, before)| {
            let now = self.policed.get(cell);
            now.is_some() && now == before.as_ref()
        });
        began.session == self.session && began.dropped == self.hearing.dropped(check.asked.2) && policed
    }

    fn give_up(&mut self, checks: Vec<Check>) {
        checks.into_iter().for_each(|check| self.end(check, false));
    }

    fn end(&mut self, check: Check, complete: bool) {
        self.began.remove(&check.asked);
        if self.began.is_empty() {
            self.order.clear();
        }
        self.done.push_back((check.asked.0, check.asked.1, complete));
    }
}

/// Whose budget an answer may come out of. What a host sends to the probe MAC from where it is not recorded costs the budget
/// of strangers (`vouch_tables::PuntMeter`).
fn answer_reasons(place: LocationId, recorded: bool) -> &'static [PuntReason] {
    use PuntReason::{Alive, Binding, Learn, Move, ProbeReply, Request};
    match (place.is_tunnel(), recorded) {
        // Nothing else is punted from there.
        (true, _) => &[ProbeReply],
        (false, true) => &[ProbeReply, Alive, Binding, Request],
        (false, false) => &[ProbeReply, Learn, Move, Binding, Request],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use vouch_net::{MacAddr, Vni};

    use super::*;

    const T0: Instant = Instant::EPOCH;
    const QUESTION: u64 = 7;
    const HOST: HostKey = HostKey { vni: Vni::MAX, mac: MacAddr([2, 0, 0, 0, 0, 1]) };

    /// Dropped, arrived, left.
    type Packets = (u64, u64, u64);

    /// By place.
    #[derive(Default, Clone)]
    struct Ear(Arc<Mutex<BTreeMap<LocationId, Packets>>>);

    impl Hearing for Ear {
        fn dropped(&self, place: LocationId) -> u64 {
            self.0.lock().expect("nobody panics").get(&place).map_or(0, |it| it.0)
        }

        fn waiting(&self, place: LocationId) -> (u64, u64) {
            self.0.lock().expect("nobody panics").get(&place).map_or((0, 0), |it| (it.1, it.2))
        }
    }

    impl Ear {
        fn is(&self, place: LocationId, of: Packets) {
            self.0.lock().expect("nobody panics").insert(place, of);
        }
    }

    fn asked_at(question: u64, number: u16) -> Asked {
        (HOST, QuestionId(question), place(number))
    }

    fn done(checks: &mut Checks) -> Option<(u64, bool)> {
        checks.poll().map(|(_, question, complete)| (question.0, complete))
    }

    fn place(number: u16) -> LocationId {
        LocationId::access(number).expect("in range")
    }

    fn counts(reasons: &[PuntReason], number: u16, count: u64) -> Vec<(PuntMeter, u64)> {
        reasons.iter().map(|reason| (PuntMeter { reason: *reason, location: place(number) }, count)).collect()
    }

    /// Checks that know the counters of two places, and have a question at the first.
    fn asked() -> (Checks, Ear) {
        let ear = Ear::default();
        let mut checks = Checks::new(Box::new(ear.clone()));
        checks.refresh(counts(&PuntReason::ALL, 1, 5));
        checks.refresh(counts(&PuntReason::ALL, 2, 5));
        checks.begin(asked_at(QUESTION, 1), true);
        (checks, ear)
    }

    /// Finds out without a hitch, with these counts; the conclusion.
    fn conclusion(checks: &mut Checks, counts: Vec<(PuntMeter, u64)>) -> Option<bool> {
        checks.want(asked_at(QUESTION, 1), T0);
        let FindOut { mark, .. } = checks.next_batch(T0).expect("it is wanted");
        checks.marked(mark);
        checks.refresh(counts);
        checks.read(mark, true);
        checks.conclude(T0);
        done(checks).map(|(_, complete)| complete)
    }

    #[test]
    fn with_everything_as_before_silence_can_be_trusted() {
        let (mut checks, _) = asked();
        assert_eq!(conclusion(&mut checks, counts(&PuntReason::ALL, 1, 5)), Some(true));
        assert!(checks.began.is_empty() && checks.batch.is_none() && checks.deadline().is_none());
    }

    #[test]
    fn an_answer_that_may_have_been_policed_away_is_none() {
        use PuntReason::{Learn, Move, Neighbour, Sent};
        for reason in PuntReason::ALL {
            let (mut checks, _) = asked();
            let mut now = counts(&PuntReason::ALL, 1, 5);
            now.iter_mut().filter(|(cell, _)| cell.reason == reason).for_each(|(_, count)| *count += 1);
            let elsewhere = matches!(reason, Learn | Move | Sent | Neighbour);
            assert_eq!(conclusion(&mut checks, now), Some(elsewhere), "{reason}");
        }
        // Another place's flood is its own, and what was lost before the question began does not matter to it.
        let (mut checks, _) = asked();
        checks.refresh(counts(&PuntReason::ALL, 1, 9));
        checks.end(Check { asked: asked_at(QUESTION, 1), due: T0 }, false);
        checks.poll();
        checks.begin(asked_at(QUESTION, 1), true);
        let now = [counts(&PuntReason::ALL, 1, 9), counts(&PuntReason::ALL, 2, 99)].concat();
        assert_eq!(conclusion(&mut checks, now), Some(true));
        // A read in between hides nothing from a question that began before it.
        let (mut checks, _) = asked();
        checks.refresh(counts(&PuntReason::ALL, 1, 6));
        assert_eq!(conclusion(&mut checks, counts(&PuntReason::ALL, 1, 6)), Some(false));
    }

    #[test]
    fn where_the_host_is_not_recorded_it_answers_at_the_cost_of_strangers() {
        let (mut checks, _) = asked();
        checks.begin(asked_at(8, 2), false);
        checks.want(asked_at(8, 2), T0);
        let FindOut { mark, cells } = checks.next_batch(T0).expect("it is wanted");
        assert!(cells.contains(&PuntMeter { reason: PuntReason::Move, location: place(2) }));
        checks.marked(mark);
        checks.refresh(counts(&[PuntReason::Move], 2, 6));
        checks.read(mark, true);
        checks.conclude(T0);
        assert_eq!(done(&mut checks), Some((8, false)));
    }

    #[test]
    fn through_a_tunnel_only_what_is_sent_to_us_is_heard() {
        let mut checks = Checks::new(Box::new(Ear::default()));
        let tunnel = LocationId::tunnel(1).expect("in range");
        let replies = vec![(PuntMeter { reason: PuntReason::ProbeReply, location: tunnel }, 0)];
        checks.refresh(replies.clone());
        let asked = (HOST, QuestionId(QUESTION), tunnel);
        checks.begin(asked, true);
        checks.want(asked, T0);
        let FindOut { mark, cells } = checks.next_batch(T0).expect("it is wanted");
        assert_eq!(cells, [replies[0].0]);
        checks.marked(mark);
        checks.refresh(replies);
        checks.read(mark, true);
        checks.conclude(T0);
        assert_eq!(done(&mut checks), Some((QUESTION, true)));
    }

    #[test]
    fn a_counter_that_was_not_known_when_the_question_began_proves_nothing() {
        let mut checks = Checks::new(Box::new(Ear::default()));
        checks.begin(asked_at(QUESTION, 1), true);
        assert_eq!(conclusion(&mut checks, counts(&PuntReason::ALL, 1, 0)), Some(false));
        // Nor does a question of which nothing is known at all.
        assert_eq!(conclusion(&mut checks, Vec::new()), Some(false));
    }

    #[test]
    fn what_was_dropped_on_our_side_may_have_been_the_answer() {
        let (mut checks, ear) = asked();
        ear.is(place(1), (1, 0, 0));
        assert_eq!(conclusion(&mut checks, counts(&PuntReason::ALL, 1, 5)), Some(false));
        let (mut checks, ear) = asked();
        ear.is(place(2), (1, 0, 0));
        assert_eq!(conclusion(&mut checks, counts(&PuntReason::ALL, 1, 5)), Some(true), "of another place");
    }

    #[test]
    fn a_session_that_was_lost_in_between_proves_nothing() {
        let (mut checks, _) = asked();
        checks.lost_touch();
        checks.refresh(counts(&PuntReason::ALL, 1, 5));
        assert_eq!(conclusion(&mut checks, counts(&PuntReason::ALL, 1, 5)), Some(false));
        // It ends what was being found out.
        let (mut checks, _) = asked();
        checks.want(asked_at(QUESTION, 1), T0);
        checks.next_batch(T0).expect("it is wanted");
        checks.want(asked_at(8, 1), T0);
        checks.lost_touch();
        assert_eq!([done(&mut checks), done(&mut checks)], [Some((QUESTION, false)), Some((8, false))]);
    }

    #[test]
    fn a_switch_that_does_not_answer_in_time_proves_nothing() {
        let (mut checks, _) = asked();
        checks.want(asked_at(QUESTION, 1), T0);
        let first = checks.next_batch(T0).expect("it is wanted");
        checks.refresh(counts(&PuntReason::ALL, 1, 5));
        checks.read(first.mark, true);
        let due = checks.deadline().expect("it is not over");
        assert_eq!(due, T0 + PATIENCE);
        checks.conclude(T0);
        assert_eq!(done(&mut checks), None);
        checks.conclude(due);
        assert_eq!(done(&mut checks), Some((QUESTION, false)));
        // A mark that comes after all is nobody's.
        checks.begin(asked_at(QUESTION, 1), true);
        checks.want(asked_at(QUESTION, 1), due);
        let second = checks.next_batch(due).expect("the first is over");
        checks.marked(first.mark);
        checks.refresh(counts(&PuntReason::ALL, 1, 5));
        checks.read(second.mark, true);
        checks.conclude(due);
        assert_eq!(done(&mut checks), None);
        checks.marked(second.mark);
        checks.conclude(due);
        assert_eq!(done(&mut checks), Some((QUESTION, true)));
        // So proves one that was not even begun to be asked.
        checks.begin(asked_at(QUESTION, 1), true);
        checks.want(asked_at(QUESTION, 1), due);
        checks.conclude(due + PATIENCE);
        assert_eq!((done(&mut checks), checks.deadline()), (None, Some(due + WAIT)));
        checks.conclude(due + WAIT);
        assert_eq!(done(&mut checks), Some((QUESTION, false)));
        // And one whose counters cannot be read.
        checks.begin(asked_at(QUESTION, 1), true);
        checks.want(asked_at(QUESTION, 1), due);
        let third = checks.next_batch(due).expect("it is wanted");
        checks.read(third.mark, false);
        assert_eq!(done(&mut checks), Some((QUESTION, false)));
    }

    #[test]
    fn what_was_punted_before_the_mark_is_read_before_anything_is_concluded() {
        let (mut checks, ear) = asked();
        ear.is(place(1), (0, 3, 1));
        checks.want(asked_at(QUESTION, 1), T0);
        let FindOut { mark, .. } = checks.next_batch(T0).expect("it is wanted");
        checks.marked(mark);
        checks.refresh(counts(&PuntReason::ALL, 1, 5));
        checks.read(mark, true);
        checks.conclude(T0);
        assert_eq!(done(&mut checks), None);
        // What comes behind it does not matter.
        ear.is(place(1), (0, 9, 3));
        checks.conclude(T0);
        assert_eq!(done(&mut checks), Some((QUESTION, true)));
    }

    #[test]
    fn many_questions_share_one_mark_and_one_read() {
        let ear = Ear::default();
        let mut checks = Checks::new(Box::new(ear));
        checks.refresh(counts(&PuntReason::ALL, 1, 5));
        for number in 0..10_000 {
            checks.begin(asked_at(number, 1), true);
            checks.want(asked_at(number, 1), T0);
        }
        let FindOut { mark, cells } = checks.next_batch(T0).expect("they are wanted");
        assert_eq!(cells.len(), 4);
        assert_eq!(checks.next_batch(T0), None);
        checks.marked(mark);
        checks.refresh(counts(&PuntReason::ALL, 1, 5));
        checks.read(mark, true);
        checks.conclude(T0);
        let done: Vec<_> = std::iter::from_fn(|| checks.poll()).collect();
        assert!(done.len() == 10_000 && done.iter().all(|(_, _, complete)| *complete));
    }
}
