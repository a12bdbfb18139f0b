//! A trace for programs.

use serde_json::{Map, Value, json};

use super::names::{Named, hex};
use super::{PacketTrace, TraceEvent};

impl PacketTrace<'_> {
    /// One object: the packet's number, port and length, its `steps` in order, and what the engine lost of it. Every step has
    /// a member `step` that says what it is; values of fields are strings in hexadecimal. The steps of a packet that has waited
    /// begin with `dequeue`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let steps: Vec<_> = self.events.iter().map(|event| self.step(event)).collect();
        let losses: Vec<_> = self.losses().collect();
        json!({
            "packet": self.number,
            "port": self.port,
            "length": self.frame.len(),
            "frame": hex(self.frame, self.frame.len() as u32 * 8),
            "steps": steps,
            "lost": losses,
        })
    }

    fn step(&self, event: &TraceEvent) -> Value {
        match event {
            TraceEvent::Ingress { port, pass } => json!({"step": "ingress", "port": port, "pass": pass}),
            TraceEvent::ParserState { state } => json!({"step": "state", "state": state}),
            TraceEvent::Extracted { header, bytes } => {
                json!({"step": "extract", "header": header, "fields": object(self.fields(header, bytes))})
            }
            TraceEvent::Transition { key, next } => {
                json!({"step": "transition", "key": key.map(|key| format!("{key:#x}")), "next": next})
            }
            TraceEvent::ParserError { error } => {
                json!({"step": "parser_error", "error": error, "name": self.program.error_name(*error)})
            }
            TraceEvent::ChecksumWrong => json!({"step": "checksum_wrong"}),
            TraceEvent::Table { table, key, hit, call } => {
                let entry = hit
                    .as_ref()
                    .map(|entry| json!({"matches": object(self.matches(*table, entry)), "priority": entry.priority}));
                let call = call.as_ref().map(|call| {
                    let (action, params) = self.call(call);
                    json!({"action": action, "params": object(params)})
                });
                let key = object(self.key(*table, key));
                json!({"step": "table", "table": self.table_name(*table), "key": key, "entry": entry, "call": call})
            }
            TraceEvent::Called { action } => {
                json!({"step": "action", "action": self.program.action_info(*action).map(|info| &info.name)})
            }
            TraceEvent::Condition { text, result, .. } => json!({"step": "if", "text": text, "result": result}),
            TraceEvent::Log { text } => json!({"step": "log", "text": text}),
            TraceEvent::Clone { session, copies } => json!({"step": "clone", "session": session, "copies": copies}),
            TraceEvent::Digest { list } => {
                json!({"step": "digest", "digest": self.program.digest_info(*list).map(|info| &info.name)})
            }
            TraceEvent::Multicast { group, copies } => {
                json!({"step": "multicast", "group": group, "copies": copies})
            }
            TraceEvent::Resubmitted => json!({"step": "resubmit"}),
            TraceEvent::Recirculated => json!({"step": "recirculate"}),
            TraceEvent::Queued { port, priority, before } => {
                json!({"step": "queue", "port": port, "priority": priority, "before": before})
            }
            TraceEvent::QueueFull { port, priority } => {
                json!({"step": "queue_full", "port": port, "priority": priority})
            }
            TraceEvent::Dequeued { port, priority, waited, behind } => {
                let waited = waited.0;
                json!({"step": "dequeue", "port": port, "priority": priority, "waited_us": waited, "behind": behind})
            }
            TraceEvent::Egress { port } => json!({"step": "egress", "port": port}),
            TraceEvent::Dropped { egress } => {
                json!({"step": "drop", "pipeline": if *egress { "egress" } else { "ingress" }})
            }
            TraceEvent::Emitted { header, bytes } => {
                json!({"step": "emit", "header": header, "fields": object(self.fields(header, bytes))})
            }
            TraceEvent::Sent { port, length } => json!({"step": "send", "port": port, "length": length}),
        }
    }
}

fn object(named: Named) -> Value {
    Value::Object(named.into_iter().map(|(name, value)| (name, Value::String(value))).collect::<Map<_, _>>())
}
