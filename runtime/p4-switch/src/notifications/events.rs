//! What happened to a packet as BMv2's event logger tells it: a message for each step, packed and little endian.
//!
//! A message is 40 bytes of header (type 32 bits, device 64, context 32, the packet's signature, number and copy, 64 each) and
//! one or two numbers of 32 bits more: a port, an object by its number in the program, what a condition was or which entry was
//! hit.

use std::sync::Arc;

use twox_hash::XxHash64;
use vouch_switch::{EntryKey, PacketTrace, Program, TableId, TraceEvent};

use super::numbers::Numbers;

/// The types of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    PacketIn = 0,
    PacketOut = 1,
    ParserStart = 2,
    ParserDone = 3,
    ParserExtract = 4,
    DeparserStart = 5,
    DeparserDone = 6,
    DeparserEmit = 7,
    ChecksumUpdate = 8,
    PipelineStart = 9,
    PipelineDone = 10,
    ConditionEval = 11,
    TableHit = 12,
    TableMiss = 13,
    ActionExecute = 14,
    ConfigChange = 999,
}

/// A packet's trace, on its way to those who have subscribed.
pub(crate) struct Traced {
    /// Where its program is in memory, to recognise it by.
    program: usize,
    number: u64,
    signature: u64,
    events: Vec<TraceEvent>,
}

impl Traced {
    pub(super) fn of(trace: &PacketTrace<'_>) -> Self {
        Self {
            program: std::ptr::from_ref(trace.program).addr(),
            number: trace.number.saturating_sub(1),
            signature: XxHash64::oneshot(0, trace.frame),
            events: trace.events.to_vec(),
        }
    }

    /// Whether it has run through this program.
    pub(crate) fn is_of(&self, program: &Arc<Program>) -> bool {
        Arc::as_ptr(program).addr() == self.program
    }

    /// Its messages, in order. `handle` knows the number of an entry.
    pub(crate) fn messages(
        &self,
        device: u64,
        program: &Program,
        numbers: &Numbers,
        handle: impl FnMut(TableId, &EntryKey) -> Option<i32>,
    ) -> Vec<Vec<u8>> {
        let head = Head { device, signature: self.signature, packet: self.number, copy: 0 };
        let mut teller = Teller {
            head,
            program,
            numbers,
            handle,
            place: Place::Outside,
            is_copied: false,
            egresses: 0,
            messages: Vec::new(),
        };
        self.events.iter().for_each(|event| teller.event(event));
        teller.go(Place::Outside);
        teller.messages
    }
}

/// Another program was swapped in.
pub(super) fn swapped(device: u64) -> Vec<u8> {
    Head { device, signature: 0, packet: 0, copy: 0 }.message(Kind::ConfigChange, &[])
}

/// What a message begins with.
struct Head {
    device: u64,
    signature: u64,
    packet: u64,
    copy: u64,
}

impl Head {
    fn message(&self, kind: Kind, numbers: &[i32]) -> Vec<u8> {
        const CONTEXT: u32 = 0;
        let mut bytes = (kind as i32).to_le_bytes().to_vec();
        bytes.extend(self.device.to_le_bytes());
        bytes.extend(CONTEXT.to_le_bytes());
        bytes.extend([self.signature, self.packet, self.copy].into_iter().flat_map(u64::to_le_bytes));
        bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        bytes
    }
}

/// Where in the switch a packet is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    /// Before the parser. A clone from ingress goes nowhere from there yet.
    Entering {
        clone: bool,
    },
    Parser {
        clone: bool,
    },
    Ingress,
    Egress,
    Deparser,
}

/// The messages of one packet so far.
struct Teller<'a, H> {
    head: Head,
    program: &'a Program,
    numbers: &'a Numbers,
    handle: H,
    place: Place,
    /// More than one packet has come of it, or may.
    is_copied: bool,
    egresses: u64,
    messages: Vec<Vec<u8>>,
}

impl<H: FnMut(TableId, &EntryKey) -> Option<i32>> Teller<'_, H> {
    fn tell(&mut self, kind: Kind, numbers: &[i32]) {
        self.messages.push(self.head.message(kind, numbers));
    }

    /// What ends and begins on the way to a place.
    fn go(&mut self, to: Place) {
        if self.place == to {
            return;
        }
        let numbers = self.numbers;
        match self.place {
            Place::Entering { clone } => {
                self.tell(Kind::ParserStart, &[numbers.parser]);
                self.place = Place::Parser { clone };
                return self.go(to);
            }
            Place::Parser { clone } => {
                self.tell(Kind::ParserDone, &[numbers.parser]);
                self.place = Place::Outside;
                if !clone {
                    self.tell(Kind::PipelineStart, &[numbers.ingress]);
                    self.place = Place::Ingress;
                }
                return self.go(to);
            }
            Place::Ingress => self.tell(Kind::PipelineDone, &[numbers.ingress]),
            Place::Egress => self.tell(Kind::PipelineDone, &[numbers.egress]),
            Place::Deparser => self.tell(Kind::DeparserDone, &[numbers.deparser]),
            Place::Outside => {}
        }
        self.place = to;
        match to {
            Place::Egress => self.tell(Kind::PipelineStart, &[numbers.egress]),
            Place::Deparser => {
                self.tell(Kind::DeparserStart, &[numbers.deparser]);
                numbers.checksums.iter().for_each(|checksum| self.tell(Kind::ChecksumUpdate, &[*checksum]));
            }
            Place::Outside | Place::Entering { .. } | Place::Parser { .. } | Place::Ingress => {}
        }
    }

    /// A step of the parser.
    fn in_parser(&mut self) {
        if let Place::Entering { clone } = self.place {
            self.tell(Kind::ParserStart, &[self.numbers.parser]);
            self.place = Place::Parser { clone };
        }
    }

    /// A step of ingress or egress: from the parser one comes to ingress, egress has an event of its own.
    fn in_control(&mut self) {
        if let Place::Entering { clone: false } | Place::Parser { clone: false } = self.place {
            self.go(Place::Ingress);
        }
    }

    fn event(&mut self, event: &TraceEvent) {
        match event {
            TraceEvent::Ingress { port, pass } => {
                self.go(Place::Outside);
                if *pass == 0 {
                    self.tell(Kind::PacketIn, &[i32::from(*port)]);
                }
                self.place = Place::Entering { clone: false };
            }
            TraceEvent::ParserState { .. } | TraceEvent::Transition { .. } | TraceEvent::ParserError { .. } => {
                self.in_parser();
            }
            TraceEvent::Extracted { header, .. } => {
                self.in_parser();
                self.tell(Kind::ParserExtract, &[self.numbers.header(header)]);
            }
            TraceEvent::Condition { name, result, .. } => {
                self.in_control();
                self.tell(Kind::ConditionEval, &[self.numbers.condition(name), i32::from(*result)]);
            }
            TraceEvent::Table { table, hit, call, .. } => {
                self.in_control();
                let name = self.program.table_info(*table).map_or("", |info| &info.name);
                let number = self.numbers.table(name);
                match hit {
                    Some(key) => {
                        let entry = (self.handle)(*table, key).unwrap_or(-1);
                        self.tell(Kind::TableHit, &[number, entry]);
                    }
                    None => self.tell(Kind::TableMiss, &[number]),
                }
                if let Some(call) = call {
                    self.tell(Kind::ActionExecute, &[self.numbers.action(call.action.index())]);
                }
            }
            TraceEvent::Called { action } => {
                self.in_control();
                self.tell(Kind::ActionExecute, &[self.numbers.action(action.index())]);
            }
            // What is cloned from egress is not parsed again; without a session nothing is cloned.
            TraceEvent::Clone { copies: Some(_), .. } => {
                self.is_copied = true;
                if self.place != Place::Egress {
                    self.go(Place::Outside);
                    self.place = Place::Entering { clone: true };
                }
            }
            TraceEvent::Multicast { .. } | TraceEvent::Resubmitted | TraceEvent::Dropped { .. } => {
                self.is_copied |= matches!(event, TraceEvent::Multicast { .. });
                self.go(Place::Outside);
            }
            TraceEvent::Recirculated => {
                self.go(Place::Deparser);
                self.go(Place::Outside);
            }
            TraceEvent::Egress { .. } => {
                self.go(Place::Outside);
                self.egresses += 1;
                self.head.copy = if self.is_copied { self.egresses } else { 0 };
                self.go(Place::Egress);
            }
            TraceEvent::Emitted { header, .. } => {
                self.go(Place::Deparser);
                self.tell(Kind::DeparserEmit, &[self.numbers.header(header)]);
            }
            TraceEvent::Sent { port, .. } => {
                self.go(Place::Deparser);
                self.go(Place::Outside);
                self.tell(Kind::PacketOut, &[i32::from(*port)]);
            }
            // Nothing of the reference's.
            _ => {}
        }
    }
}
