//! What came of the steps, for people.

use std::fmt;

use super::{Contender, Outcome, Step};

/// A step on one of the fabrics.
#[derive(Debug)]
pub struct Line {
    /// Which step.
    pub step: Step,
    /// On which fabric.
    pub on: Contender,
    /// What became of each host, or of each go.
    pub outcomes: Vec<Outcome>,
}

/// The columns' names.
pub const HEADER: &str =
    "| what is done | fabric | sent | lost | to the attacker | interruption |\n|---|---|---|---|---|---|";

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, fabric) = (self.step.what, self.on.name());
        write!(f, "| {what} | {fabric} | ")?;
        let packets = self.outcomes.iter().filter_map(|it| match it {
            Outcome::Packets(figures) => Some(*figures),
            Outcome::Moved { .. } | Outcome::Memory(_) => None,
        });
        let packets: Vec<_> = packets.collect();
        if !packets.is_empty() {
            let milliseconds = packets.iter().map(|it| it.interruption.as_secs_f64() * 1e3);
            let number = |it: u64| it as f64;
            return write!(
                f,
                "{} | {} | {} | {} ms |",
                spread(packets.iter().map(|it| number(it.sent)), 0),
                spread(packets.iter().map(|it| number(it.lost)), 0),
                spread(packets.iter().map(|it| number(it.strayed)), 0),
                spread(milliseconds, 0),
            );
        }
        let memory = self.outcomes.iter().filter_map(|it| match it {
            Outcome::Memory(bytes) => Some(*bytes as f64 / 1e6),
            Outcome::Packets(_) | Outcome::Moved { .. } => None,
        });
        let memory: Vec<_> = memory.collect();
        if !memory.is_empty() {
            return write!(f, "– | – | – | {} MB |", spread(memory.into_iter(), 1));
        }
        let (mut times, mut behind) = (Vec::new(), Vec::new());
        for outcome in &self.outcomes {
            if let Outcome::Moved { took, behind: left } = outcome {
                times.extend(took.map(|took| took.as_secs_f64()));
                behind.push(*left as f64);
            }
        }
        let time = if times.is_empty() { "never".to_owned() } else { format!("{} s", spread(times.into_iter(), 2)) };
        write!(f, "– | {} left behind | – | all right after {time} |", spread(behind.into_iter(), 0))
    }
}

/// The median, and the least and the most where they differ from it.
pub(crate) fn spread(values: impl Iterator<Item = f64>, digits: usize) -> String {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let shown = |value: Option<&f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"));
    let (least, median, most) = (shown(values.first()), shown(values.get(values.len() / 2)), shown(values.last()));
    if least == median && median == most { median } else { format!("{median} ({least} to {most})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_median_with_the_least_and_the_most() {
        assert_eq!(spread([3.0, 1.0, 2.0].into_iter(), 0), "2 (1 to 3)");
        assert_eq!(spread([0.0, 0.0].into_iter(), 0), "0");
        assert_eq!(spread(std::iter::empty(), 0), "–");
    }
}
