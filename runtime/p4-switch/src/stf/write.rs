//! Statements as text, which [`parse`](super::parse) reads back.

use std::fmt;

use super::statement::{Bits, Call, Cell, Command, Key, MirrorTo, Pattern, Rate, Share};

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { table, priority, keys, calls, timeout, label } => {
                write!(f, "add {}", Name(table))?;
                if let Some(priority) = priority {
                    write!(f, " {priority}")?;
                }
                for (name, key) in keys {
                    write!(f, " {}:{key}", Name(name))?;
                }
                for share in calls {
                    write!(f, " {share}")?;
                }
                if let Some(timeout) = timeout {
                    write!(f, " ~{timeout}")?;
                }
                label.as_ref().map_or(Ok(()), |label| write!(f, " = {label}"))
            }
            Self::SetDefault { table, call } => write!(f, "setdefault {} {call}", Name(table)),
            Self::RemoveAll => write!(f, "remove all"),
            Self::Packet { port, frame } => {
                write!(f, "packet {port} ")?;
                frame.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Expect { port, pattern } => write!(f, "expect {port} {pattern}"),
            Self::NoPacket => write!(f, "no_packet"),
            Self::Wait => write!(f, "wait"),
            Self::CheckCounter { counter, cell, check } => {
                write!(f, "check_counter {}({cell})", Name(counter))?;
                check.map_or(Ok(()), |check| write!(f, " {check}"))
            }
            Self::CounterRead { counter, index } => write!(f, "counter_read {} {index}", Name(counter)),
            Self::CounterWrite { counter, index, packets, bytes } => {
                write!(f, "counter_write {} {index} {packets} {bytes}", Name(counter))
            }
            Self::RegisterRead { register, index } => write!(f, "register_read {} {index}", Name(register)),
            Self::RegisterWrite { register, index, value } => {
                write!(f, "register_write {} {index} {value}", Name(register))
            }
            Self::RegisterReset { register } => write!(f, "register_reset {}", Name(register)),
            Self::MeterRead { meter, index } => write!(f, "meter_get_rates {} {index}", Name(meter)),
            Self::MeterWrite { meter, index: Some(index), rates: [committed, peak] } => {
                write!(f, "meter_set_rates {} {index} {committed} {peak}", Name(meter))
            }
            Self::MeterWrite { meter, index: None, rates: [committed, peak] } => {
                write!(f, "meter_array_set_rates {} {committed} {peak}", Name(meter))
            }
            Self::EntryMeterWrite { label, rates: [committed, peak] } => {
                // The label alone says which entry of which table.
                write!(f, "meter_set_rates entry(${label}) {committed} {peak}")
            }
            Self::ValueSet { set, members } => write!(f, "value_set {}{}", Name(set), Listed(members)),
            Self::Digest { digest, values } => write!(f, "digest {}{}", Name(digest), Listed(values)),
            Self::Idle { label } => write!(f, "idle ${label}"),
            Self::SetPort { port, up: false } => write!(f, "port_down {port}"),
            Self::SetPort { port, up: true } => write!(f, "port_up {port}"),
            Self::Mirror { session, to: Some(to), length } => {
                match to {
                    MirrorTo::Port(port) => write!(f, "mirroring_add {session} {port}")?,
                    MirrorTo::Group(group) => write!(f, "mirroring_add_mc {session} {group}")?,
                }
                length.map_or(Ok(()), |length| write!(f, " {length}"))
            }
            Self::Mirror { session, to: None, .. } => write!(f, "mirroring_delete {session}"),
            Self::MirrorRead { session } => write!(f, "mirroring_get {session}"),
            Self::GroupCreate { group } => write!(f, "mc_mgrp_create {group}"),
            Self::NodeCreate { instance, ports } => write!(f, "mc_node_create {instance}{}", Listed(ports)),
            Self::NodeUpdate { node, ports } => write!(f, "mc_node_update {node}{}", Listed(ports)),
            Self::NodeAssociate { group, node } => write!(f, "mc_node_associate {group} {node}"),
        }
    }
}

/// A name in quotes: what stands in them may have any characters.
struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// Each behind a space.
struct Listed<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|one| write!(f, " {one}"))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.call)?;
        if self.weight != 1 {
            write!(f, "*{}", self.weight)?;
        }
        self.watch.map_or(Ok(()), |port| write!(f, "@{port}"))
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params = self.params.iter().map(|(name, value)| format!("{}:{value:#x}", Name(name)));
        write!(f, "{}({})", Name(&self.action), params.collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(bits) => write!(f, "{bits}"),
            Self::Prefix(bits, length) => write!(f, "{bits}/{length}"),
            Self::Range(low, high) => write!(f, "{low:#x}->{high:#x}"),
        }
    }
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.has_wild() {
            return write!(f, "{:#x}", self.value);
        }
        let digit = |bit: u32| match (self.wild.bit(bit.into()), self.value.bit(bit.into())) {
            (true, _) => '*',
            (false, true) => '1',
            (false, false) => '0',
        };
        write!(f, "0b{}", (0..self.written).rev().map(digit).collect::<String>())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digit =
            |nibble: &Option<u8>| nibble.map_or('*', |nibble| char::from_digit(nibble.into(), 16).unwrap_or('*'));
        write!(f, "{}{}", self.nibbles.iter().map(digit).collect::<String>(), if self.exact { "$" } else { "" })
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "{index}"),
            Self::Label(label) => write!(f, "{label}"),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.per_microsecond, self.burst)
    }
}

impl Pattern {
    /// Exactly this frame.
    pub fn exactly(frame: &[u8]) -> Self {
        Self { nibbles: frame.iter().flat_map(|byte| [Some(byte >> 4), Some(byte & 0xf)]).collect(), exact: true }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    /// One statement of each kind, with names that need their quotes.
    const TEXT: &str = r#"add "a.t" 7 "h.f & 0x0f":0b1*0 "h.g":0xa/4 "h.x[7:0]":0x1->0xff "a.act"("p":0x0, "q":0xff) = here
add "a.s" "h.f":0x1 "a.act"("p":0x0)*3@2 "a.act"("p":0x1)@3 "a.act"("p":0x2) ~500 = timed
setdefault "a.t" "a.act"()
remove all
packet 3 00ff
expect 3 0*ff$
expect 3 0*
no_packet
wait
check_counter "c"(3) packets >= 2
check_counter "c"(here)
counter_read "c" 1
counter_write "c" 1 2 3
register_read "r" 1
register_write "r" 1 2
register_reset "r"
meter_get_rates "m" 1
meter_set_rates "m" 1 0.5:10 2:20
meter_array_set_rates "m" 0.5:10 2:20
meter_set_rates entry($here) 0.5:10 2:20
value_set "s" 1 16
digest "d" 7 255
idle $timed
port_down 3
port_up 3
mirroring_add 1 2
mirroring_add 1 2 64
mirroring_add_mc 1 2
mirroring_add_mc 1 2 64
mirroring_delete 1
mirroring_get 1
mc_mgrp_create 1
mc_node_create 5 1 2
mc_node_update 0 3
mc_node_associate 1 0
"#;

    #[test]
    fn what_is_written_is_what_was_read() {
        let statements = parse(TEXT).expect("statements");
        let written: String = statements.iter().map(|statement| format!("{}\n", statement.command)).collect();
        assert_eq!(written, TEXT);
    }
}
