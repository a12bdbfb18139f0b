//! The grammar: a statement is a line.
//!
//! What p4c's own tests are written in, what p4testgen writes for BMv2 (every name in quotes) and for Tofino (none in quotes)
//! is one language here.

use num_bigint::BigUint;

use super::StfError;
use super::scan::Scan;
use super::statement::{Call, Cell, Check, Command, Comparison, Key, MirrorTo, Pattern, Rate, Share, Statement, Unit};

/// What is expected at the start of a line.
pub(super) const COMMAND: &str = "a command";

type Result<T> = std::result::Result<T, StfError>;

/// Every command there is.
const COMMANDS: [&str; 29] = [
    "add",
    "setdefault",
    "remove",
    "packet",
    "expect",
    "no_packet",
    "wait",
    "check_counter",
    "counter_read",
    "counter_write",
    "register_read",
    "register_write",
    "register_reset",
    "value_set",
    "digest",
    "meter_get_rates",
    "meter_set_rates",
    "meter_array_set_rates",
    "idle",
    "port_down",
    "port_up",
    "mirroring_add",
    "mirroring_add_mc",
    "mirroring_delete",
    "mirroring_get",
    "mc_mgrp_create",
    "mc_node_create",
    "mc_node_update",
    "mc_node_associate",
];

/// Read a test.
///
/// # Errors
/// The first line that is no statement, and what it could have been.
pub fn parse(text: &str) -> Result<Vec<Statement>> {
    let mut statements = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let scan = Scan::new(number, line);
        if !scan.is_empty() {
            statements.push(Statement { line: number, command: statement(scan)? });
        }
    }
    Ok(statements)
}

fn statement(mut scan: Scan<'_>) -> Result<Command> {
    let start = scan;
    let word = scan.word().unwrap_or_default().to_ascii_lowercase();
    let command = match word.as_str() {
        "add" => add(&mut scan)?,
        "setdefault" => Command::SetDefault { table: scan.name("a table")?, call: call(&mut scan)? },
        "remove" => {
            let all = scan.word().is_some_and(|word| word.eq_ignore_ascii_case("all"));
            if all { Command::RemoveAll } else { return Err(start.error("`remove all`: single entries have no names")) }
        }
        "packet" => Command::Packet { port: scan.port()?, frame: frame(&mut scan)? },
        "expect" => Command::Expect { port: scan.port()?, pattern: pattern(&mut scan)? },
        "no_packet" => Command::NoPacket,
        "wait" => Command::Wait,
        "check_counter" => check_counter(&mut scan)?,
        "counter_read" => Command::CounterRead { counter: counter(&mut scan)?, index: index(&mut scan)? },
        "counter_write" => Command::CounterWrite {
            counter: counter(&mut scan)?,
            index: index(&mut scan)?,
            packets: scan.small("a number of packets")?,
            bytes: scan.small("a number of bytes")?,
        },
        "register_read" => Command::RegisterRead { register: register(&mut scan)?, index: index(&mut scan)? },
        "register_write" => {
            Command::RegisterWrite { register: register(&mut scan)?, index: index(&mut scan)?, value: scan.number()? }
        }
        "register_reset" => Command::RegisterReset { register: register(&mut scan)? },
        "meter_get_rates" => Command::MeterRead { meter: scan.name("a meter")?, index: index(&mut scan)? },
        "value_set" => Command::ValueSet { set: scan.name("a value set")?, members: numbers(&mut scan)? },
        "digest" => Command::Digest { digest: scan.name("a digest")?, values: numbers(&mut scan)? },
        "meter_set_rates" => {
            let meter = scan.name("a meter, or a table")?;
            if scan.take("(") {
                let label = label(&mut scan, "the label of an entry")?;
                scan.need(")")?;
                Command::EntryMeterWrite { label, rates: [rate(&mut scan)?, rate(&mut scan)?] }
            } else {
                let index = Some(index(&mut scan)?);
                Command::MeterWrite { meter, index, rates: [rate(&mut scan)?, rate(&mut scan)?] }
            }
        }
        "meter_array_set_rates" => Command::MeterWrite {
            meter: scan.name("a meter")?,
            index: None,
            rates: [rate(&mut scan)?, rate(&mut scan)?],
        },
        "idle" => Command::Idle { label: label(&mut scan, "the label of an entry")? },
        "port_down" => Command::SetPort { port: scan.port()?, up: false },
        "port_up" => Command::SetPort { port: scan.port()?, up: true },
        "mirroring_add" => Command::Mirror {
            session: session(&mut scan)?,
            to: Some(MirrorTo::Port(scan.port()?)),
            length: length(&mut scan)?,
        },
        "mirroring_add_mc" => Command::Mirror {
            session: session(&mut scan)?,
            to: Some(MirrorTo::Group(group(&mut scan)?)),
            length: length(&mut scan)?,
        },
        "mirroring_delete" => Command::Mirror { session: session(&mut scan)?, to: None, length: None },
        "mirroring_get" => Command::MirrorRead { session: session(&mut scan)? },
        "mc_mgrp_create" => Command::GroupCreate { group: group(&mut scan)? },
        "mc_node_create" => {
            Command::NodeCreate { instance: scan.small("an instance of 16 bits")?, ports: ports(&mut scan)? }
        }
        "mc_node_update" => Command::NodeUpdate { node: node(&mut scan)?, ports: ports(&mut scan)? },
        "mc_node_associate" => Command::NodeAssociate { group: group(&mut scan)?, node: node(&mut scan)? },
        _ => return Err(start.error(format!("{COMMAND}: {}", COMMANDS.join(", ")))),
    };
    scan.end()?;
    Ok(command)
}

fn add(scan: &mut Scan<'_>) -> Result<Command> {
    let table = scan.name("a table")?;
    let mut ahead = *scan;
    let priority = ahead.word().and_then(|word| word.parse().ok());
    if priority.is_some() {
        *scan = ahead;
    }
    let mut keys = Vec::new();
    loop {
        let mut ahead = *scan;
        let name = ahead.name("a key field or an action")?;
        if !ahead.take(":") {
            break;
        }
        let before = ahead;
        let value = ahead.bits()?;
        let key = if ahead.take("/") {
            Key::Prefix(value, ahead.small("the length of a prefix")?)
        } else if ahead.take("->") {
            if value.has_wild() {
                return Err(before.error("a number without `*` before `->`"));
            }
            Key::Range(value.value, ahead.number()?)
        } else {
            Key::Value(value)
        };
        keys.push((name, key));
        *scan = ahead;
    }
    let mut calls = vec![share(scan)?];
    while !scan.is_empty() && !scan.at("~") && !scan.at("=") {
        calls.push(share(scan)?);
    }
    let timeout = if scan.take("~") { Some(scan.small("a number of milliseconds")?) } else { None };
    let label = if scan.take("=") { Some(scan.name("a label")?) } else { None };
    Ok(Command::Add { table, priority, keys, calls, timeout, label })
}

fn share(scan: &mut Scan<'_>) -> Result<Share> {
    let call = call(scan)?;
    let weight = if scan.take("*") { scan.small("a weight")? } else { 1 };
    let watch = if scan.take("@") { Some(scan.port()?) } else { None };
    Ok(Share { call, weight, watch })
}

fn call(scan: &mut Scan<'_>) -> Result<Call> {
    let action = scan.name("an action")?;
    scan.need("(")?;
    let mut params = Vec::new();
    while !scan.take(")") {
        if !params.is_empty() {
            scan.need(",")?;
        }
        let name = scan.name("a parameter or `)`")?;
        scan.need(":")?;
        params.push((name, scan.number()?));
    }
    Ok(Call { action, params })
}

fn frame(scan: &mut Scan<'_>) -> Result<Vec<u8>> {
    const EXPECTED: &str = "pairs of hexadecimal digits";
    // A `*` is no digit here.
    let digits: Option<Vec<u8>> = digits(scan.rest()).map(Option::flatten).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0).ok_or_else(|| scan.error(EXPECTED))?;
    while scan.word().is_some() {}
    Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

fn pattern(scan: &mut Scan<'_>) -> Result<Pattern> {
    const EXPECTED: &str = "hexadecimal digits or `*`, and at the end perhaps `$`";
    let (data, exact) = match scan.rest().strip_suffix('$') {
        Some(data) => (data, true),
        None => (scan.rest(), false),
    };
    let nibbles: Option<Vec<Option<u8>>> = digits(data).collect();
    let nibbles = nibbles.ok_or_else(|| scan.error(EXPECTED))?;
    while scan.word().is_some() {}
    Ok(Pattern { nibbles, exact })
}

/// The digits of a text that may have white space between them: `Some(None)` is a `*`, `None` what is no digit.
fn digits(text: &str) -> impl Iterator<Item = Option<Option<u8>>> {
    text.chars().filter(|c| !c.is_whitespace()).map(|c| match c {
        '*' => Some(None),
        _ => c.to_digit(16).map(|digit| Some(digit as u8)),
    })
}

fn check_counter(scan: &mut Scan<'_>) -> Result<Command> {
    let counter = counter(scan)?;
    scan.need("(")?;
    let mut ahead = *scan;
    let cell = match ahead.small("an index") {
        Ok(index) => {
            *scan = ahead;
            Cell::Index(index)
        }
        Err(_) => Cell::Label(label(scan, "an index or the label of an entry")?),
    };
    scan.need(")")?;
    let check = if scan.is_empty() { None } else { Some(check(scan)?) };
    Ok(Command::CheckCounter { counter, cell, check })
}

fn check(scan: &mut Scan<'_>) -> Result<Check> {
    let unit = if scan.take("packets") {
        Unit::Packets
    } else if scan.take("bytes") {
        Unit::Bytes
    } else {
        return Err(scan.error("`packets` or `bytes`"));
    };
    // Longer signs first: each of them starts with one of the shorter.
    let signs = [
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];
    let sign = signs.into_iter().find(|(sign, _)| scan.take(sign));
    let (_, comparison) = sign.ok_or_else(|| scan.error("one of == != < <= > >="))?;
    Ok(Check { unit, comparison, number: scan.small("a number")? })
}

fn rate(scan: &mut Scan<'_>) -> Result<Rate> {
    const EXPECTED: &str = "two rates, each RATE:BURST in units per microsecond and units, such as 0.5:10";
    let before = *scan;
    let word = scan.word().and_then(|word| word.split_once(':'));
    let parsed = word.and_then(|(rate, burst)| Some((rate.parse().ok()?, burst.parse().ok()?)));
    let (per_microsecond, burst) =
        parsed.filter(|(rate, _): &(f64, u64)| *rate >= 0.0).ok_or_else(|| before.error(EXPECTED))?;
    Ok(Rate { per_microsecond, burst })
}

fn label(scan: &mut Scan<'_>, what: &str) -> Result<String> {
    Ok(scan.name(what)?.trim_start_matches('$').to_owned())
}

fn numbers(scan: &mut Scan<'_>) -> Result<Vec<BigUint>> {
    let mut numbers = Vec::new();
    while !scan.is_empty() {
        numbers.push(scan.number()?);
    }
    Ok(numbers)
}

fn ports(scan: &mut Scan<'_>) -> Result<Vec<u16>> {
    let mut ports = Vec::new();
    while !scan.is_empty() {
        ports.push(scan.port()?);
    }
    Ok(ports)
}

fn counter(scan: &mut Scan<'_>) -> Result<String> {
    scan.name("a counter")
}

fn register(scan: &mut Scan<'_>) -> Result<String> {
    scan.name("a register")
}

fn index(scan: &mut Scan<'_>) -> Result<u64> {
    scan.small("an index")
}

fn session(scan: &mut Scan<'_>) -> Result<u16> {
    scan.small("a clone session")
}

fn length(scan: &mut Scan<'_>) -> Result<Option<u16>> {
    if scan.is_empty() { Ok(None) } else { scan.small("a number of bytes").map(Some) }
}

fn group(scan: &mut Scan<'_>) -> Result<u32> {
    scan.small("a multicast group")
}

fn node(scan: &mut Scan<'_>) -> Result<usize> {
    scan.small("the number of a node, from 0")
}
