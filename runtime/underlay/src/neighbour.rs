//! One next hop: whether it answers, and with which MAC address.

use std::time::Duration;

use vouch_net::MacAddr;

use crate::bfd::{self, BfdTimers, Session};
use crate::{Asking, Time, Why};

/// How long a session may take to come up: it begins slowly (RFC 5880, section 6.8.3).
const BEGINNING: Duration = Duration::from_secs(4);

/// See the module.
#[derive(Debug)]
pub(crate) struct Neighbour {
    state: State,
    /// When it is to be asked next.
    ask_at: Time,
    bfd: Option<Watch>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody has answered for the address since so many questions.
    Unknown { asked: u32 },
    /// This MAC address has it; so many questions to it are open.
    Known { mac: MacAddr, open: u32 },
}

/// A session beside it.
#[derive(Debug)]
struct Watch {
    number: u32,
    timers: BfdTimers,
    /// There is one while the MAC address is known.
    session: Option<Session>,
    /// Until when it need not have come up.
    begins_until: Option<Time>,
    /// The next hop was in use before there was one, and is while it begins.
    restored: bool,
}

/// What a question is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// Who has it?
    Everybody,
    /// Do you still have it?
    One(MacAddr),
}

impl Neighbour {
    pub(crate) fn new(bfd: Option<(u32, BfdTimers)>, now: Time) -> Self {
        let bfd =
            bfd.map(|(number, timers)| Watch { number, timers, session: None, begins_until: None, restored: false });
        Self { state: State::Unknown { asked: 0 }, ask_at: now, bfd }
    }

    /// It was there before we were, with this MAC address.
    pub(crate) fn restored(&mut self, mac: MacAddr, now: Time) {
        self.known(mac, now);
        if let Some(watch) = &mut self.bfd {
            watch.restored = true;
        }
    }

    /// The MAC address that packets go to, if they can.
    pub(crate) fn usable(&self) -> Option<MacAddr> {
        let State::Known { mac, .. } = self.state else { return None };
        let watched = self.bfd.as_ref().is_none_or(|watch| {
            let session = watch.session.as_ref();
            let up = session.is_some_and(|session| session.state() == bfd::State::Up || session.held_down_there());
            up || watch.restored && watch.begins_until.is_some()
        });
        watched.then_some(mac)
    }

    /// Why they cannot, if that is for sure; `before`: they could.
    pub(crate) fn why_not(&self, asking: Asking, before: bool) -> Option<Why> {
        match (self.state, &self.bfd) {
            // The last question has had its time, too.
            (State::Unknown { asked }, _) => {
                (asked > asking.misses).then_some(Why::Silent { questions: asking.misses })
            }
            (State::Known { .. }, Some(watch)) => {
                let session = watch.session.as_ref()?;
                (before || watch.begins_until.is_none()).then(|| Why::Bfd(session.diagnostic()))
            }
            (State::Known { .. }, None) => None,
        }
    }

    /// It has answered.
    pub(crate) fn answered(&mut self, mac: MacAddr, now: Time) {
        match &mut self.state {
            State::Known { mac: before, open } if *before == mac => *open = 0,
            State::Known { .. } | State::Unknown { .. } => self.known(mac, now),
        }
    }

    /// It asks for us: a good moment to ask for it, if we do not know it.
    pub(crate) fn asks(&mut self, now: Time) {
        if matches!(self.state, State::Unknown { .. }) {
            self.ask_at = now;
        }
    }

    /// The driver has lost touch with the links: what was asked may never have been.
    pub(crate) fn lost_touch(&mut self) {
        if let State::Known { open, .. } = &mut self.state {
            *open = 0;
        }
    }

    /// The question that is due.
    pub(crate) fn due(&mut self, asking: Asking, now: Time) -> Option<Question> {
        if let Some(watch) = &mut self.bfd {
            watch.begins_until = watch.begins_until.filter(|until| *until > now);
        }
        if self.ask_at > now {
            return None;
        }
        // Answers may lie unread when we are late, so that it is no fault of the neighbour's that we have read none.
        let late = now - self.ask_at > asking.every;
        self.ask_at = now + asking.every;
        let count = |questions: u32| if late { questions } else { questions.saturating_add(1) };
        let (state, question) = match self.state {
            State::Known { mac, open } if open < asking.misses || late => {
                (State::Known { mac, open: count(open).min(asking.misses) }, Question::One(mac))
            }
            State::Known { .. } => (State::Unknown { asked: count(asking.misses) }, Question::Everybody),
            State::Unknown { asked } => (State::Unknown { asked: count(asked) }, Question::Everybody),
        };
        if let (State::Unknown { .. }, Some(watch)) = (state, &mut self.bfd) {
            (watch.session, watch.begins_until, watch.restored) = (None, None, false);
        }
        self.state = state;
        Some(question)
    }

    /// The session beside it, while there is one.
    pub(crate) fn session(&mut self) -> Option<&mut Session> {
        self.bfd.as_mut()?.session.as_mut()
    }

    /// The number of the session, whether there is one just now or not.
    pub(crate) fn number(&self) -> Option<u32> {
        self.bfd.as_ref().map(|watch| watch.number)
    }

    /// The MAC address, as far as it is known.
    pub(crate) fn mac(&self) -> Option<MacAddr> {
        match self.state {
            State::Known { mac, .. } => Some(mac),
            State::Unknown { .. } => None,
        }
    }

    /// When it has to be looked at next.
    pub(crate) fn next_deadline(&self) -> Time {
        let watch = self.bfd.as_ref();
        let due = watch.and_then(|watch| watch.session.as_ref()?.next_deadline());
        due.into_iter().chain(watch.and_then(|watch| watch.begins_until)).fold(self.ask_at, Time::min)
    }

    fn known(&mut self, mac: MacAddr, now: Time) {
        self.state = State::Known { mac, open: 0 };
        if let Some(watch) = &mut self.bfd
            && watch.session.is_none()
        {
            watch.session = Some(Session::new(watch.number, watch.timers, now));
            watch.begins_until = Some(now + BEGINNING);
        }
    }
}
