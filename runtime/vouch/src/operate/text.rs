//! Columns, times and places, as people read them.

use std::fmt::Write as _;

use time::OffsetDateTime;
use vouch_agent::Place;
use vouch_agent::management::v1;

/// A protobuf duration: seconds and nanoseconds.
macro_rules! span {
    ($duration:expr) => {
        $duration.as_ref().map(|it| $crate::operate::text::time(it.seconds, it.nanos))
    };
}
pub(crate) use span;

/// A time span.
pub(crate) fn time(seconds: i64, nanos: i32) -> String {
    match seconds {
        0 => format!("{:.1} ms", f64::from(nanos) / 1e6),
        1..60 => format!("{:.1} s", seconds as f64 + f64::from(nanos) / 1e9),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// When something happened: the time of day in UTC, to the millisecond.
pub(crate) fn moment(event: &v1::Event) -> String {
    let at = event.at.as_ref().and_then(|at| {
        let at =
            OffsetDateTime::from_unix_timestamp(at.seconds).ok()?.replace_nanosecond(u32::try_from(at.nanos).ok()?);
        at.ok()
    });
    match at {
        Some(at) => format!("{:02}:{:02}:{:02}.{:03}", at.hour(), at.minute(), at.second(), at.millisecond()),
        None => "?".to_owned(),
    }
}

/// The order of events of several agents.
pub(crate) fn order(event: &v1::Event) -> (i64, i32, String, u64) {
    let (seconds, nanos) = event.at.as_ref().map_or((0, 0), |at| (at.seconds, at.nanos));
    (seconds, nanos, event.agent.clone(), event.number)
}

/// A place in words.
pub(crate) fn place(place: Option<&v1::Place>) -> String {
    use v1::place::Kind;
    match place.and_then(|place| place.kind.as_ref()) {
        None => "?".to_owned(),
        Some(Kind::Access(access)) => interface(access),
        Some(Kind::Vtep(vtep)) => format!("tunnel to {vtep}"),
    }
}

/// An access interface in words.
pub(crate) fn interface(access: &v1::AccessInterface) -> String {
    match access.vlan {
        Some(vlan) => format!("port {}.{vlan}", access.port),
        None => format!("port {}", access.port),
    }
}

/// A place of the command line in words.
pub(crate) fn place_of(place: Place) -> String {
    match place {
        Place::Interface(interface) => match interface.vlan {
            Some(vlan) => format!("port {}.{vlan}", interface.port),
            None => format!("port {}", interface.port),
        },
        Place::Vtep(vtep) => vtep.to_string(),
    }
}

/// Whether it is one of the agent's own switch.
pub(crate) fn is_here(place: Option<&v1::Place>) -> bool {
    matches!(place.and_then(|place| place.kind.as_ref()), Some(v1::place::Kind::Access(_)))
}

/// A host: VNI and MAC.
pub(crate) fn host(host: Option<&v1::Host>) -> String {
    host.map_or_else(|| "?".to_owned(), |host| format!("{} {}", host.vni, host.mac))
}

/// The word for a host's state.
pub(crate) fn state(state: v1::HostState) -> &'static str {
    match state {
        v1::HostState::Unspecified => "unknown",
        v1::HostState::Settled => "settled",
        v1::HostState::Verifying => "verifying",
        v1::HostState::Unproven => "unproven",
        v1::HostState::Contested => "contested",
        v1::HostState::Sought => "sought",
        v1::HostState::Claiming => "claiming",
        v1::HostState::ProbingThroughTunnel => "probing through tunnel",
    }
}

/// Addresses; one that is not confirmed has a question mark.
pub(crate) fn addresses(addresses: &[v1::Address]) -> String {
    let words = addresses.iter().map(|it| format!("{}{}", it.ip, if it.confirmed { "" } else { "?" }));
    words.collect::<Vec<_>>().join(" ")
}

/// Rows in columns that are as wide as they have to be. The last column is as it is; a row may have fewer.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (at, cell) in row.iter().enumerate().take(row.len().saturating_sub(1)) {
            if widths.len() <= at {
                widths.push(0);
            }
            widths[at] = widths[at].max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            let width = widths.get(at).copied().unwrap_or(0);
            let space = if at + 1 < row.len() { "  " } else { "" };
            // Writing to a string cannot fail.
            let _ = write!(line, "{cell:<width$}{space}");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A table with a head.
pub(crate) fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let head = head.iter().map(|word| (*word).to_owned()).collect();
    columns(&[vec![head], rows].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_have_to_be() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let rows = vec![row(&["a", "long one", "x"]), row(&["longer", "b", ""])];
        assert_eq!(table(&["A", "B", "C"], rows), "A       B         C\na       long one  x\nlonger  b\n");
    }
}
