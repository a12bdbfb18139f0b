//! The results as a table: one row per scenario and configuration, and below it what did not hold.

use std::fmt::Write as _;

use super::Style;
use crate::scenario::{ScenarioReport, Verdict, VerdictKind};
use crate::traffic::StreamReport;

const HEADINGS: [&str; 12] = [
    "scenario",
    "during",
    "verdict",
    "ARP to verdict",
    "sent",
    "delivered",
    "lost",
    "misdelivered",
    "copies",
    "interruption",
    "longest gap",
    "expectations",
];

/// The table of all results.
pub fn results(reports: &[ScenarioReport], style: Style) -> String {
    let rows: Vec<[String; 12]> = reports.iter().map(row).collect();
    let mut widths = HEADINGS.map(|heading| heading.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = style.bold(&line(&HEADINGS.map(str::to_owned), &widths));
    text.push('\n');
    for (row, report) in rows.iter().zip(reports) {
        let line = line(row, &widths);
        text.push_str(&if report.held { line } else { style.bad(&line) });
        text.push('\n');
        for failed in report.outcome.expectations.failed() {
            let line =
                format!("    not held: {}: expected {}, measured {}", failed.name, failed.expected, failed.measured);
            text.push_str(&style.bad(&line));
            text.push('\n');
        }
    }
    text
}

fn row(report: &ScenarioReport) -> [String; 12] {
    let outcome = &report.outcome;
    let expectations = &outcome.expectations;
    let held = expectations.len() - expectations.failed().count();
    // Of all streams together: what one of them lost must not hide behind another that lost nothing.
    let streams = &outcome.streams;
    let total = |pick: fn(&StreamReport) -> u64| match streams.is_empty() {
        true => "-".to_owned(),
        false => streams.iter().map(pick).sum::<u64>().to_string(),
    };
    let longest = |pick: fn(&StreamReport) -> f64| match streams.is_empty() {
        true => "-".to_owned(),
        false => format!("{:.1} ms", streams.iter().map(pick).fold(0.0, f64::max)),
    };
    [
        report.scenario.clone(),
        report.variant.to_string(),
        verdicts(&outcome.verdicts),
        times(&outcome.verdicts),
        total(|stream| stream.sent),
        total(|stream| stream.delivered),
        total(|stream| stream.lost),
        total(|stream| stream.misdelivered),
        total(|stream| stream.copies),
        longest(|stream| stream.longest_loss_ms),
        longest(|stream| stream.longest_gap_ms),
        if report.held { format!("{held} ok") } else { format!("{held} of {} ok", expectations.len()) },
    ]
}

/// `stayed`, `moved x10`, `stayed x3, moved`.
fn verdicts(verdicts: &[Verdict]) -> String {
    let mut text = String::new();
    for kind in [VerdictKind::Stayed, VerdictKind::Moved, VerdictKind::Unproven, VerdictKind::Contested] {
        let count = verdicts.iter().filter(|verdict| verdict.verdict == kind).count();
        if count == 0 {
            continue;
        }
        if !text.is_empty() {
            text.push_str(", ");
        }
        let _ = write!(text, "{kind}");
        if count > 1 {
            let _ = write!(text, " x{count}");
        }
    }
    if text.is_empty() { "-".to_owned() } else { text }
}

/// One time, or the shortest and the longest.
fn times(verdicts: &[Verdict]) -> String {
    let times = || verdicts.iter().map(|verdict| verdict.ms);
    let (least, most) = (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max));
    match verdicts.len() {
        0 => "-".to_owned(),
        1 => format!("{least:.1} ms"),
        _ => format!("{least:.1} to {most:.1} ms"),
    }
}

fn line(cells: &[String; 12], widths: &[usize; 12]) -> String {
    let mut line = String::new();
    for (index, (cell, width)) in cells.iter().zip(widths).enumerate() {
        // Words stand left, numbers right.
        let _ = if index < 3 { write!(line, "{cell:<width$}  ") } else { write!(line, "{cell:>width$}  ") };
    }
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fabric::Variant;
    use crate::scenario::Outcome;

    fn report(held: bool) -> ScenarioReport {
        let mut outcome = Outcome::default();
        outcome.expectations.equal("lost", 0, u8::from(!held));
        outcome.expectations.equal("misdelivered", 0, 0);
        ScenarioReport { scenario: "spoof".to_owned(), variant: Variant::default(), held, seconds: 1.0, outcome }
    }

    #[test]
    fn what_did_not_hold_is_told_with_what_was_measured() {
        let text = results(&[report(true), report(false)], Style { color: false });
        assert!(text.contains("2 ok"), "{text}");
        assert!(text.contains("1 of 2 ok"), "{text}");
        assert!(text.contains("not held: lost: expected 0, measured 1"), "{text}");
    }

    #[test]
    fn verdicts_are_summed_up() {
        let verdict =
            |verdict, ms| Verdict { host: "red1".to_owned(), claimed_by: "ARP".to_owned(), verdict, because: None, ms };
        let all =
            [verdict(VerdictKind::Stayed, 2.0), verdict(VerdictKind::Stayed, 1.0), verdict(VerdictKind::Moved, 300.0)];
        assert_eq!(verdicts(&all), "stayed x2, moved");
        assert_eq!(times(&all), "1.0 to 300.0 ms");
        assert_eq!((verdicts(&[]), times(&[])), ("-".to_owned(), "-".to_owned()));
    }
}
