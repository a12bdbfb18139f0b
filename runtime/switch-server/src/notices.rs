//! Who is told of what happens beside packets: services of other protocols than P4Runtime, which have receivers of their own.
//!
//! A listener is called by whatever found out, and must not wait.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use vouch_switch::IdleEntry;

use crate::port::PortStatus;

/// Something that happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Notice {
    /// Samples of a digest were gathered.
    Learnt(Samples),
    /// These entries were not hit for their idle timeout.
    Idle(Vec<IdleEntry>),
    /// A port went up or down.
    Port(u16, PortStatus),
    /// Packets run through another program, or the same one again, because somebody wanted so at run time.
    Swapped,
}

/// Samples of one digest, which are acknowledged together or one by one ([`LearnRequest`](crate::LearnRequest)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Samples {
    /// The digest's number in the program.
    pub list: u32,
    /// The buffer's number, which counts from 0 for each list.
    pub buffer: u64,
    /// How many there are.
    pub count: u32,
    /// One after the other, each field in whole bytes.
    pub bytes: Vec<u8>,
}

type Listener = dyn Fn(Notice) + Send + Sync;

pub(crate) struct NoticeBoard {
    listener: Box<Listener>,
    /// What the listener knows of the ports.
    ports: Mutex<BTreeMap<u16, PortStatus>>,
}

impl NoticeBoard {
    pub(crate) fn new(listener: impl Fn(Notice) + Send + Sync + 'static) -> NoticeBoard {
        NoticeBoard { listener: Box::new(listener), ports: Mutex::default() }
    }

    pub(crate) fn tell(&self, notice: Notice) {
        (self.listener)(notice);
    }

    /// Tell of a port, unless its status is the one that was told last.
    pub(crate) fn tell_port(&self, number: u16, status: PortStatus) {
        let before = self.ports.lock().unwrap_or_else(PoisonError::into_inner).insert(number, status);
        // A port that is down from the start is nothing new.
        if before.unwrap_or(PortStatus::Down) != status {
            self.tell(Notice::Port(number, status));
        }
    }
}

impl fmt::Debug for NoticeBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoticeBoard").finish_non_exhaustive()
    }
}
