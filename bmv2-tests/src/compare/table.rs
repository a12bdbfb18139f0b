//! What was measured, as one table for people or as JSON.

use std::fmt;

use serde_json::{Value, json};

/// What a column is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The generator, with no switch behind it.
    Wire,
    /// The packet engine, or the switch, in this process.
    Embedded,
    /// The contestant at this place.
    Contestant(usize),
}

/// One thing that was measured on several switches.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What went through.
    pub load: String,
    /// Bytes of a frame, or entries in a batch.
    pub size: usize,
    /// What was measured.
    pub measure: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// What was measured where.
    pub values: Vec<(Column, f64)>,
    /// Which column is held against the best BMv2, and how many times as good it is meant to be.
    pub aim: Option<(Column, f64)>,
}

/// Everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// How it was measured, line by line.
    pub head: Vec<String>,
    /// The contestants' names, and whether each is a BMv2.
    pub contestants: Vec<(String, bool)>,
    /// What was measured.
    pub rows: Vec<Row>,
    /// What could not be measured, and why.
    pub missing: Vec<String>,
}

impl Row {
    fn value(&self, column: Column) -> Option<f64> {
        self.values.iter().find(|(at, _)| *at == column).map(|(_, value)| *value)
    }

    /// How many times as much as the best BMv2 the column has that is held against it.
    fn ratio(&self, contestants: &[(String, bool)]) -> Option<f64> {
        let (column, _) = self.aim?;
        let theirs = contestants.iter().enumerate().filter(|(_, (_, is_bmv2))| *is_bmv2);
        let best = theirs.filter_map(|(at, _)| self.value(Column::Contestant(at))).reduce(f64::max)?;
        Some(self.value(column)? / best).filter(|ratio| ratio.is_finite())
    }
}

impl Report {
    fn columns(&self) -> Vec<(Column, String)> {
        let contestants = self.contestants.iter().enumerate();
        let contestants = contestants.map(|(at, (label, _))| (Column::Contestant(at), label.clone()));
        let ours = [(Column::Wire, "wire".to_owned()), (Column::Embedded, "embedded".to_owned())];
        ours.into_iter().chain(contestants).collect()
    }

    /// The same for programs. What was not measured is `null`.
    pub fn to_json(&self) -> Value {
        let columns = self.columns();
        let row = |row: &Row| {
            let values = columns.iter().map(|(column, name)| (name.clone(), json!(row.value(*column))));
            json!({
                "load": row.load, "size": row.size, "measure": row.measure, "unit": row.unit,
                "values": values.collect::<serde_json::Map<_, _>>(),
                "ratio": row.ratio(&self.contestants), "aim": row.aim.map(|(_, aim)| aim),
            })
        };
        json!({
            "head": self.head, "missing": self.missing,
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.head {
            writeln!(f, "{line}")?;
        }
        let columns = self.columns();
        let mut lines = vec![["load", "size", "measure", "unit"].map(str::to_owned).to_vec()];
        lines[0].extend(columns.iter().map(|(_, name)| name.clone()));
        lines[0].extend(["ratio", "aim"].map(str::to_owned));
        for row in &self.rows {
            let mut line = vec![row.load.clone(), row.size.to_string(), row.measure.to_owned(), row.unit.to_owned()];
            line.extend(columns.iter().map(|(column, _)| row.value(*column).map_or("-".to_owned(), number)));
            line.push(row.ratio(&self.contestants).map_or("-".to_owned(), |ratio| format!("{ratio:.1}")));
            line.push(row.aim.map_or("-".to_owned(), |(_, aim)| format!("{aim}")));
            lines.push(line);
        }
        let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
        writeln!(f)?;
        for line in &lines {
            let cells = line.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| match at {
                1 | 4.. => format!("{cell:>width$}"),
                _ => format!("{cell:<width$}"),
            });
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  "))?;
        }
        for line in &self.missing {
            writeln!(f, "not measured: {line}")?;
        }
        Ok(())
    }
}

/// A number with three digits that mean something.
fn number(value: f64) -> String {
    match value {
        100.0.. => {
            let digits = format!("{value:.0}");
            let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
            groups.join(",")
        }
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let (ours, bmv2, bare) = (Column::Contestant(0), Column::Contestant(1), Column::Contestant(2));
        let row =
            |measure, values, aim| Row { load: "flood".into(), size: 64, measure, unit: "packets/s", values, aim };
        Report {
            head: vec!["2 processors".into()],
            contestants: vec![("p4-switch".into(), false), ("BMv2".into(), true), ("bare".into(), true)],
            rows: vec![
                row(
                    "overload",
                    vec![(Column::Wire, 1e6), (ours, 400_000.0), (bmv2, 50.0), (bare, 100.0)],
                    Some((ours, 4.0)),
                ),
                row("latency", vec![(ours, 1.234)], None),
            ],
            missing: vec!["other: it is not there".into()],
        }
    }

    #[test]
    fn the_best_bmv2_is_what_counts() {
        let expected = "2 processors\n\n\
            load   size  measure   unit            wire  embedded  p4-switch  BMv2  bare    ratio  aim\n\
            flood    64  overload  packets/s  1,000,000         -    400,000  50.0   100   4000.0    4\n\
            flood    64  latency   packets/s          -         -       1.23     -     -        -    -\n\
            not measured: other: it is not there\n";
        let shown = report().to_string();
        let squeeze = |text: &str| {
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(squeeze(&shown), squeeze(expected));
    }

    #[test]
    fn programs_get_the_same() {
        let json = report().to_json();
        assert_eq!(json["rows"][0]["values"]["wire"], 1e6);
        assert_eq!(json["rows"][0]["values"]["embedded"], Value::Null);
        assert_eq!(json["rows"][0]["ratio"], 4000.0);
        assert_eq!((&json["rows"][0]["aim"], &json["rows"][1]["aim"]), (&json!(4.0), &Value::Null));
    }
}
