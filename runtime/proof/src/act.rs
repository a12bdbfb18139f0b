//! What can happen next, and how it is told.

use std::fmt;

use vouch_mobility::Evidence;

use crate::scene::{Habit, Place, letter};

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// The oldest message on the way from one VTEP to another arrives.
    Deliver {
        /// From which.
        from: usize,
        /// To which.
        to: usize,
    },
    /// The one after it overtakes it.
    Overtake {
        /// From which.
        from: usize,
        /// To which.
        to: usize,
    },
    /// It is lost.
    Lose {
        /// From which.
        from: usize,
        /// To which.
        to: usize,
    },
    /// It arrives, and will arrive once more.
    Double {
        /// From which.
        from: usize,
        /// To which.
        to: usize,
    },
    /// That answer arrives.
    Answer(usize),
    /// It is dropped on the way to the controller.
    LoseAnswer(usize),
    /// An impostor answers a question that nobody has asked, through the tunnel.
    Lie {
        /// Which.
        device: usize,
    },
    /// Time passes until something is due.
    Tick,
    /// A device announces itself, or just says something.
    Say {
        /// Which.
        device: usize,
        /// With what.
        evidence: Evidence,
    },
    /// A device says that it has the first host's address.
    Poison {
        /// Which.
        device: usize,
    },
    /// New hosts are heard at a device's port.
    Flood {
        /// Which.
        device: usize,
    },
    /// The first host moves.
    Move {
        /// Where.
        to: Place,
    },
    /// The first host has another address from now on, and announces that.
    Readdress,
    /// The first host has its first address no longer.
    GiveUp,
    /// The first host answers otherwise from now on.
    Change {
        /// How.
        habit: Habit,
    },
    /// An agent dies.
    Kill {
        /// Whose.
        vtep: usize,
    },
    /// It is started again, with what its switch remembers.
    Start {
        /// Whose.
        vtep: usize,
    },
    /// Agent and switch restart, and remember nothing.
    Reboot {
        /// Which.
        vtep: usize,
    },
    /// A session breaks.
    Break {
        /// Between this one.
        a: usize,
        /// And that.
        b: usize,
    },
    /// It is back.
    Mend {
        /// Between this one.
        a: usize,
        /// And that.
        b: usize,
    },
    /// A switch takes no questions any more.
    Deafen {
        /// Which.
        vtep: usize,
    },
    /// It takes them again.
    Hear {
        /// Which.
        vtep: usize,
    },
    /// The first host's port loses its link.
    Unplug,
    /// The link is back, but the stream that tells of links is broken.
    Relink,
    /// The switch has not seen the first host for the ageing time.
    Idle {
        /// Which switch.
        vtep: usize,
    },
    /// The first host's move is announced to the VTEP that has it.
    Expect {
        /// To where.
        to: Place,
    },
    /// The first host's VTEP is taken out of use.
    Drain,
    /// A VTEP is back in use.
    Use {
        /// Which.
        vtep: usize,
    },
    /// Nothing bad happens any more, and it is waited until all is settled.
    Calm,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Deliver { from, to } => write!(f, "what {} said to {} arrives", letter(from), letter(to)),
            Self::Overtake { from, to } => {
                write!(f, "what {} said to {} next overtakes it, and arrives", letter(from), letter(to))
            }
            Self::Lose { from, to } => write!(f, "what {} said to {} is lost", letter(from), letter(to)),
            Self::Double { from, to } => {
                write!(f, "what {} said to {} arrives, and will once more", letter(from), letter(to))
            }
            Self::Answer(_) => write!(f, "an answer arrives"),
            Self::LoseAnswer(_) => write!(f, "an answer is dropped by the switch"),
            Self::Lie { .. } => write!(f, "somebody answers what nobody has asked"),
            Self::Tick => write!(f, "time passes"),
            Self::Say { evidence, .. } => write!(f, "a frame ({evidence:?}) comes in"),
            Self::Poison { .. } => write!(f, "somebody says that it has the host's address"),
            Self::Flood { .. } => write!(f, "new hosts are heard"),
            Self::Move { to } => write!(f, "the host moves to {to}"),
            Self::Readdress => write!(f, "the host has another address from now on, and announces it"),
            Self::GiveUp => write!(f, "the host has its first address no longer"),
            Self::Change { habit } => write!(f, "the host answers otherwise from now on: {habit:?}"),
            Self::Kill { vtep } => write!(f, "the agent of {} dies", letter(vtep)),
            Self::Start { vtep } => {
                write!(f, "the agent of {} is started, with what its switch remembers", letter(vtep))
            }
            Self::Reboot { vtep } => write!(f, "{} restarts, and remembers nothing", letter(vtep)),
            Self::Break { a, b } => write!(f, "the session of {} and {} breaks", letter(a), letter(b)),
            Self::Mend { a, b } => write!(f, "the session of {} and {} is back", letter(a), letter(b)),
            Self::Deafen { vtep } => write!(f, "the switch of {} takes no questions any more", letter(vtep)),
            Self::Hear { vtep } => write!(f, "the switch of {} takes questions again", letter(vtep)),
            Self::Unplug => write!(f, "the host's port loses its link"),
            Self::Relink => write!(f, "the link is back, and the stream that tells of links breaks"),
            Self::Idle { vtep } => write!(f, "the switch of {} has not seen the host for long", letter(vtep)),
            Self::Expect { to } => write!(f, "somebody announces that the host will move to {to}"),
            Self::Drain => write!(f, "the host's VTEP is taken out of use"),
            Self::Use { vtep } => write!(f, "{} is back in use", letter(vtep)),
            Self::Calm => write!(f, "nothing happens any more, and it is waited until all is settled"),
        }
    }
}
