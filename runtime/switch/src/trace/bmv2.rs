//! A trace in the words of BMv2's log, for those who look for them there.
//!
//! Lines are as `simple_switch --log-console` has them, in their order. What the trace does not know is left out: the numbers of
//! entries, and the primitives of actions. The parser, the controls and the deparser have the names that p4c
//! gives them.

use super::names::Named;
use super::{PacketTrace, TraceEvent};

/// How BMv2 ranks a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Shown from `-L trace` on.
    Trace,
    /// Shown from `-L debug` on.
    Debug,
    /// Shown from `-L info` on.
    Info,
    /// Shown from `-L error` on.
    Error,
}

/// Where in the switch a packet is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    Parser,
    Ingress,
    Egress,
    Deparser,
}

/// The lines of one packet so far.
struct Lines<'a> {
    trace: &'a PacketTrace<'a>,
    place: Place,
    /// Whether it has been said where the packet is to leave.
    has_port: bool,
    state: &'a str,
    parsed: usize,
    lines: Vec<(Rank, String)>,
}

impl PacketTrace<'_> {
    /// The packet's lines in BMv2's log, each without what stands in front of it there.
    #[must_use]
    pub fn in_bmv2s_words(&self) -> Vec<(Rank, String)> {
        let mut lines =
            Lines { trace: self, place: Place::Outside, has_port: false, state: "", parsed: 0, lines: Vec::new() };
        self.events.iter().for_each(|event| lines.event(event));
        lines.go(Place::Outside);
        lines.lines
    }
}

impl<'a> Lines<'a> {
    fn say(&mut self, rank: Rank, text: impl AsRef<str>) {
        // As in BMv2: the packet's number, from 0, that of the copy, and the context.
        let line = format!("[{}.0] [cxt 0] {}", self.trace.number.saturating_sub(1), text.as_ref());
        self.lines.push((rank, line));
    }

    fn debug(&mut self, text: impl AsRef<str>) {
        self.say(Rank::Debug, text);
    }

    /// What ends and begins on the way to a place.
    fn go(&mut self, to: Place) {
        if self.place == to {
            return;
        }
        match self.place {
            Place::Parser => {
                let parsed = self.parsed;
                self.say(Rank::Trace, format!("Bytes parsed: {parsed}"));
                self.debug("Parser 'parser': end");
            }
            Place::Ingress => self.debug("Pipeline 'ingress': end"),
            Place::Egress => self.debug("Pipeline 'egress': end"),
            Place::Deparser => self.debug("Deparser 'deparser': end"),
            Place::Outside => {}
        }
        self.place = to;
        match to {
            Place::Parser => {
                self.parsed = 0;
                self.debug("Parser 'parser': start");
            }
            Place::Ingress => self.debug("Pipeline 'ingress': start"),
            Place::Egress => self.debug("Pipeline 'egress': start"),
            Place::Deparser => self.debug("Deparser 'deparser': start"),
            Place::Outside => {}
        }
    }

    /// From the parser one comes to ingress; other places have events of their own.
    fn in_control(&mut self) {
        if self.place == Place::Parser {
            self.go(Place::Ingress);
        }
    }

    fn event(&mut self, event: &'a TraceEvent) {
        match event {
            TraceEvent::Ingress { port, .. } => {
                self.go(Place::Outside);
                self.debug(format!("Processing packet received on port {port}"));
                self.go(Place::Parser);
            }
            TraceEvent::ParserState { state } => {
                self.state = state;
                self.debug(format!("Parser 'parser' entering state '{state}'"));
            }
            TraceEvent::Extracted { header, bytes } => {
                self.parsed += bytes.len();
                self.debug(format!("Extracting header '{header}'"));
            }
            TraceEvent::Transition { key: None, .. } => {
                self.debug(format!("Parser state '{}' has no switch, going to default next state", self.state));
            }
            TraceEvent::Transition { key: Some(key), .. } => {
                let digits = format!("{key:x}");
                let width = digits.len().next_multiple_of(2);
                self.debug(format!("Parser state '{}': key is {digits:0>width$}", self.state));
            }
            TraceEvent::ParserError { error } => {
                let name = self.trace.program.error_name(*error).map_or_else(|| error.to_string(), str::to_owned);
                self.say(Rank::Error, format!("Exception while parsing: {name}"));
            }
            TraceEvent::ChecksumWrong => self.say(Rank::Error, "Checksum is not correct"),
            TraceEvent::Table { table, key, hit, call } => {
                self.in_control();
                let name = self.trace.table_name(*table);
                self.say(Rank::Trace, format!("Applying table '{name}'"));
                if !key.is_empty() {
                    let key = starred(&self.trace.key(*table, key));
                    self.debug(format!("Looking up key:{key}"));
                }
                match hit {
                    Some(entry) => {
                        self.debug(format!("Table '{name}': hit"));
                        let matches = starred(&self.trace.matches(*table, entry));
                        self.debug(format!("Match key:{matches}"));
                    }
                    None => self.debug(format!("Table '{name}': miss")),
                }
                if let Some(call) = call {
                    let (action, params) = self.trace.call(call);
                    let params: String = params.iter().map(|(_, value)| format!("{},", bare(value))).collect();
                    self.debug(format!("Action entry is {action} - {params}"));
                    self.say(Rank::Trace, format!("Action {action}"));
                }
            }
            TraceEvent::Called { action } => {
                self.in_control();
                let name = self.trace.program.action_info(*action).map_or("?", |info| &info.name);
                self.say(Rank::Trace, format!("Action {name}"));
            }
            TraceEvent::Condition { name, text, result } => {
                self.in_control();
                self.say(Rank::Trace, format!("Condition \"{text}\" ({name}) is {result}"));
            }
            TraceEvent::Log { text } => self.lines.push((Rank::Info, text.clone())),
            TraceEvent::Digest { .. } => {}
            TraceEvent::Clone { .. } => {
                let from = if self.place == Place::Egress { "egress" } else { "ingress" };
                self.go(Place::Outside);
                self.debug(format!("Cloning packet at {from}"));
            }
            TraceEvent::Multicast { .. } => {
                self.go(Place::Outside);
                self.debug("Multicast requested for packet");
            }
            TraceEvent::Resubmitted => {
                self.go(Place::Outside);
                self.debug("Resubmitting packet");
            }
            TraceEvent::Recirculated => {
                self.go(Place::Outside);
                self.debug("Recirculating packet");
            }
            TraceEvent::Queued { port, .. } | TraceEvent::QueueFull { port, .. } => {
                self.in_control();
                self.go(Place::Outside);
                self.debug(format!("Egress port is {port}"));
            }
            TraceEvent::Dequeued { .. } => self.has_port = true,
            TraceEvent::Egress { port } => {
                self.in_control();
                self.go(Place::Outside);
                if !std::mem::take(&mut self.has_port) {
                    self.debug(format!("Egress port is {port}"));
                }
                self.go(Place::Egress);
            }
            TraceEvent::Dropped { egress } => {
                self.in_control();
                self.go(Place::Outside);
                self.debug(format!("Dropping packet at the end of {}", if *egress { "egress" } else { "ingress" }));
            }
            TraceEvent::Emitted { header, .. } => {
                self.go(Place::Deparser);
                self.debug(format!("Deparsing header '{header}'"));
            }
            TraceEvent::Sent { port, length } => {
                self.go(Place::Deparser);
                self.go(Place::Outside);
                self.debug(format!("Transmitting packet of size {length} out of port {port}"));
            }
        }
    }
}

/// Each on a line of its own.
fn starred(named: &Named) -> String {
    let width = named.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    named.iter().map(|(name, value)| format!("\n* {name:<width$}: {}", bare(value))).collect()
}

/// Numbers have no prefix there.
fn bare(value: &str) -> String {
    value.replace("0x", "")
}
