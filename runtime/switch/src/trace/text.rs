//! A trace for people.

use std::fmt;

use super::names::Named;
use super::{PacketTrace, TraceEvent};
use crate::ids::Micros;

impl fmt::Display for PacketTrace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let again = if self.goes_on() { ", goes on" } else { "" };
        writeln!(f, "packet {}: {} bytes into port {}{again}", self.number, self.frame.len(), self.port)?;
        for event in self.events {
            self.event(event, f)?;
        }
        self.losses().try_for_each(|loss| writeln!(f, "  lost: {loss}"))
    }
}

impl PacketTrace<'_> {
    fn event(&self, event: &TraceEvent, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match event {
            TraceEvent::Ingress { pass: 0, .. } => writeln!(f, "  ingress"),
            TraceEvent::Ingress { pass, port } => writeln!(f, "  ingress again (pass {pass}) from port {port}"),
            TraceEvent::ParserState { state } => writeln!(f, "    state {state}"),
            TraceEvent::Extracted { header, bytes } => {
                writeln!(f, "      extract {header} {}", list(&self.fields(header, bytes)))
            }
            TraceEvent::Transition { key, next } => {
                let next = next.as_deref().unwrap_or("accept");
                match key {
                    Some(key) => writeln!(f, "      {key:#x} -> {next}"),
                    None => writeln!(f, "      -> {next}"),
                }
            }
            TraceEvent::ParserError { error } => match self.program.error_name(*error) {
                Some(name) => writeln!(f, "      error {name}"),
                None => writeln!(f, "      error {error}"),
            },
            TraceEvent::ChecksumWrong => writeln!(f, "    a checksum is wrong"),
            TraceEvent::Table { table, key, hit, call } => {
                let name = self.table_name(*table);
                let call = call.as_ref().map_or_else(
                    || "no action".to_owned(),
                    |call| {
                        let (name, params) = self.call(call);
                        format!("{name}{}", list(&params))
                    },
                );
                if key.is_empty() {
                    return writeln!(f, "    table {name}: {call}");
                }
                writeln!(f, "    table {name} {}", list(&self.key(*table, key)))?;
                match hit {
                    None => writeln!(f, "      miss: {call}"),
                    Some(entry) => {
                        let matches = list(&self.matches(*table, entry));
                        let priority = match entry.priority {
                            0 => String::new(),
                            priority => format!(" priority {priority}"),
                        };
                        writeln!(f, "      hit {matches}{priority}: {call}")
                    }
                }
            }
            TraceEvent::Called { action } => {
                writeln!(f, "    action {}", self.program.action_info(*action).map_or("?", |info| &info.name))
            }
            TraceEvent::Condition { text, result, .. } => writeln!(f, "    if {text}: {result}"),
            TraceEvent::Log { text } => writeln!(f, "      log: {text}"),
            TraceEvent::Clone { session, copies: None } => writeln!(f, "    clone: session {session} does not exist"),
            TraceEvent::Clone { session, copies: Some(copies) } => {
                writeln!(f, "    clone: session {session}, {}", plural(*copies))
            }
            TraceEvent::Digest { list } => {
                writeln!(f, "    digest {}", self.program.digest_info(*list).map_or("?", |info| &info.name))
            }
            TraceEvent::Multicast { group, copies } => {
                writeln!(f, "    multicast: group {group}, {}", plural(*copies))
            }
            TraceEvent::Resubmitted => writeln!(f, "    resubmitted"),
            TraceEvent::Recirculated => writeln!(f, "    recirculated"),
            TraceEvent::Queued { port, priority, before } => {
                writeln!(f, "    queued for port {port} behind {before} (priority {priority})")
            }
            TraceEvent::QueueFull { port, priority } => {
                writeln!(f, "    dropped: the queue of port {port} is full (priority {priority})")
            }
            TraceEvent::Dequeued { port, priority, waited: Micros(waited), behind } => {
                let left = format_args!("{behind} left behind (priority {priority})");
                writeln!(f, "  from the queue of port {port} after {waited} us, {left}")
            }
            TraceEvent::Egress { port } => writeln!(f, "  egress to port {port}"),
            TraceEvent::Dropped { egress: false } => writeln!(f, "    dropped by the program"),
            TraceEvent::Dropped { egress: true } => writeln!(f, "    dropped by the program in egress"),
            TraceEvent::Emitted { header, bytes } => {
                writeln!(f, "    emit {header} {}", list(&self.fields(header, bytes)))
            }
            TraceEvent::Sent { port, length } => writeln!(f, "    sent: {length} bytes out of port {port}"),
        }
    }
}

fn list(named: &Named) -> String {
    let items: Vec<_> = named.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("({})", items.join(", "))
}

fn plural(copies: usize) -> String {
    if copies == 1 { "1 copy".to_owned() } else { format!("{copies} copies") }
}
