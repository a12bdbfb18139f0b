//! One VTEP: its machine, and a switch that does what it is told, or does not.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use vouch_mobility::{
    AccessId, BindingView, FrameId, HostKey, HostView, Instant, Location, Mobility, Phase, QuestionId,
};

/// A machine and its switch. The agent may be dead; the switch then goes on with what it has.
#[derive(Debug, Clone)]
pub struct Vtep {
    /// The agent's machine.
    pub machine: Mobility,
    /// Which life of the agent it is.
    pub incarnation: u64,
    /// The agent runs.
    pub alive: bool,
    /// Everything was forgotten here once.
    pub forgetful: bool,
    /// What the switch has for each host.
    pub views: BTreeMap<HostKey, HostView>,
    /// Whose each address is.
    pub bindings: BTreeMap<IpAddr, BindingView>,
    /// It takes no questions.
    pub deaf: bool,
    /// Ports that are said to have no link, and those that have none.
    pub unlinked: BTreeSet<AccessId>,
    /// Frames that the driver holds.
    pub held: BTreeSet<FrameId>,
    /// What is open.
    pub asked: Vec<Asked>,
}

/// A question, as the switch knows it.
#[derive(Debug, Clone, Copy, Hash)]
pub struct Asked {
    /// Which.
    pub question: QuestionId,
    /// Who is asked.
    pub host: HostKey,
    /// Where.
    pub via: Location,
    /// How many of its rounds have left.
    pub rounds: u8,
    /// When the last of them did.
    pub last: Instant,
    /// What may have been an answer was dropped since it began.
    pub lost: bool,
}

impl Hash for Vtep {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { machine, incarnation: _, alive, forgetful, views, bindings, deaf, unlinked, held, asked } = self;
        if *alive {
            machine.hash(state);
        }
        (alive, forgetful, views, bindings, deaf, unlinked, held, asked).hash(state);
    }
}

impl Vtep {
    /// With nothing in it.
    pub(crate) fn new(machine: Mobility) -> Self {
        Self {
            machine,
            incarnation: 1,
            alive: true,
            forgetful: false,
            views: BTreeMap::new(),
            bindings: BTreeMap::new(),
            deaf: false,
            unlinked: BTreeSet::new(),
            held: BTreeSet::new(),
            asked: Vec::new(),
        }
    }

    /// Where the machine has the host.
    pub fn location(&self, host: &HostKey) -> Option<Location> {
        self.machine.host(host).and_then(|info| info.location)
    }

    /// Forgets questions that are over: those of hosts of which nothing is to be found out.
    pub(crate) fn forget_questions(&mut self) {
        let Self { machine, asked, .. } = self;
        asked.retain(|asked| {
            machine.is_asking(&asked.host, asked.question)
                || machine.host(&asked.host).is_some_and(|info| info.phase != Phase::Settled)
        });
    }

    /// A number for a frame that is held: the lowest that is free, as each is given back exactly once.
    pub(crate) fn new_frame(&mut self) -> FrameId {
        let number = (0..).find(|&number| !self.held.contains(&FrameId(number))).expect("few are held");
        self.held.insert(FrameId(number));
        FrameId(number)
    }
}
