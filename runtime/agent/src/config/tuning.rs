//! `timers`, `limits`, `punt_rates`, `quarantine`, `management`: all optional, and right as they are for most.

use std::path::PathBuf;
use std::time::Duration;

use vouch_mobility::{Escalation, Limits, Timers};

use super::document::Files;
use super::reader::{Field, Reader, optional};
use super::types::{PuntRate, PuntRates, Quarantine};

pub(super) fn timers(reader: &mut Reader, field: Option<Field<'_>>) -> Timers {
    let mut timers = Timers::default();
    let Some(field) = field else { return timers };
    let known = [
        "probes",
        "escalation",
        "verdict",
        "refusal_memory",
        "refusal_memory_max",
        "attack_refusals",
        "attack_window",
        "old_port_watch",
        "hairpin",
        "claim_retry",
        "claim_give_up",
        "damped_question",
        "unproven_retry",
        "unproven_retry_max",
        "confirm_every",
        "confirm_max_age",
        "probation",
        "host_ageing",
    ];
    let Some(fields) = reader.map(&field, &known) else { return timers };
    let get = |name: &str| optional(&field, fields, name);
    if let Some(list) = get("probes") {
        let items = reader.list(&list, "waits from the start of a verification, as `[0ms, 15ms, 35ms]`");
        if !(1..=16).contains(&items.len()) {
            reader.error(list.node.at, &list.path, format!("{} probes", items.len()), "there are 1 to 16");
        }
        timers.probes = items.iter().filter_map(|item| reader.duration(item, Duration::ZERO)).collect();
        if !timers.probes.is_sorted_by(|earlier, later| earlier < later) {
            reader.error(
                list.node.at,
                &list.path,
                "the probes are not in ascending order",
                "each is later than the one before",
            );
        }
    }
    let ms = Duration::from_millis;
    for (name, min, value) in [
        ("verdict", ms(1), &mut timers.verdict_after),
        ("refusal_memory", ms(1), &mut timers.refusal_memory),
        ("refusal_memory_max", ms(1), &mut timers.refusal_memory_max),
        ("attack_window", ms(1), &mut timers.attack_window),
        ("old_port_watch", Duration::ZERO, &mut timers.old_port_watch),
        ("hairpin", Duration::ZERO, &mut timers.hairpin),
        ("claim_retry", ms(1), &mut timers.claim_retry),
        ("claim_give_up", ms(1), &mut timers.claim_give_up),
        ("damped_question", ms(1), &mut timers.damped_question),
        ("unproven_retry", ms(10), &mut timers.unproven_retry),
        ("unproven_retry_max", ms(10), &mut timers.unproven_retry_max),
        ("confirm_every", ms(100), &mut timers.confirm_every),
        ("confirm_max_age", ms(100), &mut timers.confirm_max_age),
        ("probation", Duration::ZERO, &mut timers.probation),
        ("host_ageing", ms(1_000), &mut timers.host_ageing),
    ] {
        *value = get(name).and_then(|field| reader.duration(&field, min)).unwrap_or(*value);
    }
    if let Some(field) = get("escalation")
        && field.node.text() != Some("auto")
    {
        // What is said is said in both forms, should it be neither.
        if let Some(after) = reader.duration_or(&field, Duration::ZERO, "auto") {
            timers.escalate = Escalation::After(after);
        }
    }
    if let Some(number) = get("attack_refusals").and_then(|field| reader.number(&field, 1, 1_000)) {
        timers.attack_refusals = number;
    }

    let mut order = |names: [&str; 2], what: &str, help: &str, right: bool| {
        if !right {
            let at = names.into_iter().find_map(get).unwrap_or_else(|| field.clone());
            reader.error(at.node.at, &at.path, what, help);
        }
    };
    let last = timers.probes.last().copied().unwrap_or_default();
    order(
        ["verdict", "probes"],
        "the verdict would come before the last probe could be answered",
        "`verdict` is later than the last of `probes`",
        timers.verdict_after > last,
    );
    order(
        ["escalation", "verdict"],
        "the escalation would come after the verdict",
        "`escalation` is earlier than `verdict`",
        timers.escalate.longest() < timers.verdict_after,
    );
    order(
        ["refusal_memory_max", "refusal_memory"],
        "the longest memory is shorter than the first",
        "`refusal_memory_max` is at least `refusal_memory`",
        timers.refusal_memory_max >= timers.refusal_memory,
    );
    order(
        ["claim_give_up", "claim_retry"],
        "the owner would be given up before a claim is repeated",
        "`claim_give_up` is later than `claim_retry`",
        timers.claim_give_up > timers.claim_retry,
    );
    order(
        ["unproven_retry_max", "unproven_retry"],
        "the longest wait is shorter than the first",
        "`unproven_retry_max` is at least `unproven_retry`",
        timers.unproven_retry_max >= timers.unproven_retry,
    );
    order(
        ["confirm_max_age", "confirm_every"],
        "no address would ever be known to be answered for: it would be too old before it is confirmed again",
        "`confirm_max_age` is longer than `confirm_every`",
        timers.confirm_max_age > timers.confirm_every,
    );
    timers
}

/// The bounds of the method, and the one that the driver keeps.
pub(super) struct AllLimits {
    pub(super) method: Limits,
    pub(super) held_frames: usize,
}

pub(super) fn limits(reader: &mut Reader, field: Option<Field<'_>>) -> AllLimits {
    let mut limits = AllLimits { method: Limits::default(), held_frames: 32_768 };
    let AllLimits { method, held_frames } = &mut limits;
    let Some(field) = field else { return limits };
    let known = [
        "hosts",
        "hosts_per_port",
        "claims_per_port",
        "refusals_per_port",
        "addresses_per_host",
        "bindings_per_port",
        "requests_per_claim",
        "confirmations_per_second",
        "held_frames",
    ];
    let Some(fields) = reader.map(&field, &known) else { return limits };
    for (name, max, value) in [
        ("hosts", 1 << 20, &mut method.hosts),
        ("hosts_per_port", 1 << 20, &mut method.hosts_per_port),
        ("claims_per_port", 1 << 20, &mut method.claims_per_port),
        ("refusals_per_port", 1 << 20, &mut method.refusals_per_port),
        ("addresses_per_host", 256, &mut method.addresses_per_host),
        ("bindings_per_port", 1 << 20, &mut method.bindings_per_port),
        ("requests_per_claim", 1 << 10, &mut method.requests_per_claim),
        ("held_frames", 1 << 20, held_frames),
    ] {
        *value = optional(&field, fields, name).and_then(|field| reader.number(&field, 1, max)).unwrap_or(*value);
    }
    if let Some(rate) = optional(&field, fields, "confirmations_per_second") {
        method.confirmations_per_second = reader.number(&rate, 1, 1_000_000).unwrap_or(method.confirmations_per_second);
    }
    limits
}

pub(super) fn punt_rates(reader: &mut Reader, field: Option<Field<'_>>) -> PuntRates {
    let mut rates = PuntRates::default();
    let Some(field) = field else { return rates };
    let known = ["learn", "move", "binding", "request", "probe_reply", "alive"];
    let Some(fields) = reader.map(&field, &known) else { return rates };
    for (name, rate) in [
        ("learn", &mut rates.learn),
        ("move", &mut rates.move_),
        ("binding", &mut rates.binding),
        ("request", &mut rates.request),
        ("probe_reply", &mut rates.probe_reply),
        ("alive", &mut rates.alive),
    ] {
        if let Some(field) = optional(&field, fields, name) {
            *rate = punt_rate(reader, &field).unwrap_or(*rate);
        }
    }
    rates
}

fn punt_rate(reader: &mut Reader, field: &Field<'_>) -> Option<PuntRate> {
    let fields = reader.map(field, &["rate", "burst"])?;
    let rate =
        reader.required(field, fields, "rate", "packets per second").and_then(|f| reader.number(&f, 1, 10_000_000));
    let burst =
        reader.required(field, fields, "burst", "packets at once").and_then(|f| reader.number(&f, 1, 10_000_000));
    Some(PuntRate { rate: rate?, burst: burst? })
}

pub(super) fn quarantine(reader: &mut Reader, field: Option<Field<'_>>) -> Quarantine {
    let mut quarantine = Quarantine::default();
    let Some(field) = field else { return quarantine };
    let Some(fields) = reader.map(&field, &["enabled", "duration"]) else { return quarantine };
    if let Some(enabled) =
        optional(&field, fields, "enabled").and_then(|field| reader.choice(&field, &[("true", true), ("false", false)]))
    {
        quarantine.enabled = enabled;
    }
    if let Some(duration) =
        optional(&field, fields, "duration").and_then(|field| reader.duration(&field, Duration::from_millis(100)))
    {
        quarantine.duration = duration;
    }
    quarantine
}

/// Where the management service listens.
pub(super) fn management(reader: &mut Reader, field: &Field<'_>, files: &Files) -> Option<PathBuf> {
    let fields = reader.map(field, &["socket"])?;
    let socket = reader.required(field, fields, "socket", "the path of a Unix socket, as `/run/vouch/vtep1.sock`")?;
    files.ours(reader, &socket)
}
