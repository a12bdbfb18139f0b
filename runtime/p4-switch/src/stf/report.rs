//! How a test ended, in words and in bytes.

use std::fmt::{self, Write};

use super::statement::Pattern;

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was as the test says.
    Passed,
    /// Something was not.
    Failed(Vec<Failure>),
    /// It was not played, and why.
    NotRun(String),
}

/// What was not as a test says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The test cannot be read, or the program cannot be loaded.
    Broken(String),
    /// A statement could not be carried out, or is not true.
    Statement {
        /// Its line.
        line: usize,
        /// Why.
        problem: String,
    },
    /// A frame did not come out.
    Missing {
        /// Line of the expectation.
        line: usize,
        /// The port.
        port: u16,
        /// What was expected.
        pattern: Pattern,
    },
    /// Another frame came out.
    Different {
        /// Line of the expectation.
        line: usize,
        /// The port.
        port: u16,
        /// What was expected.
        pattern: Pattern,
        /// What came.
        frame: Vec<u8>,
    },
    /// A frame that nobody expected.
    Unexpected {
        /// The port.
        port: u16,
        /// The frame.
        frame: Vec<u8>,
    },
}

impl Pattern {
    /// Whether a frame looks like this.
    pub fn matches(&self, frame: &[u8]) -> bool {
        self.differs_at(frame).is_none()
    }

    /// The first byte that is not as it has to be, or is missing, or is too many.
    fn differs_at(&self, frame: &[u8]) -> Option<usize> {
        let nibbles = || frame.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        let wrong = self.nibbles.iter().zip(nibbles()).position(|(want, got)| want.is_some_and(|want| want != got));
        let length = nibbles().count();
        let too_short = (length < self.nibbles.len()).then_some(length);
        let too_long = (self.exact && length > self.nibbles.len()).then_some(self.nibbles.len());
        wrong.or(too_short).or(too_long).map(|nibble| nibble / 2)
    }

    /// The digits as rows of 16 bytes.
    fn rows(&self) -> Vec<String> {
        let digit =
            |nibble: &Option<u8>| nibble.map_or('*', |nibble| char::from_digit(nibble.into(), 16).unwrap_or('?'));
        let bytes: Vec<String> = self.nibbles.chunks(2).map(|byte| byte.iter().map(digit).collect()).collect();
        bytes.chunks(16).map(|row| row.join(" ")).collect()
    }

    fn bytes(&self) -> String {
        let at_least = if self.exact { "" } else { "at least " };
        format!("{at_least}{} bytes", self.nibbles.len().div_ceil(2))
    }
}

fn rows(frame: &[u8]) -> Vec<String> {
    let hex = |row: &[u8]| row.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    frame.chunks(16).map(hex).collect()
}

impl Failure {
    /// The bytes in question, row by row: those that differ, with what would be right above what is.
    pub fn dump(&self) -> String {
        let (want, got) = match self {
            Self::Broken(_) | Self::Statement { .. } => return String::new(),
            Self::Missing { pattern, .. } => (pattern.rows(), Vec::new()),
            Self::Different { pattern, frame, .. } => (pattern.rows(), rows(frame)),
            Self::Unexpected { frame, .. } => (Vec::new(), rows(frame)),
        };
        let mut text = String::new();
        for row in 0..want.len().max(got.len()) {
            let (want, got) = (want.get(row).map(String::as_str), got.get(row).map(String::as_str));
            let same = want.zip(got).is_some_and(|(want, got)| {
                want.len() == got.len() && want.bytes().zip(got.bytes()).all(|(want, got)| want == b'*' || want == got)
            });
            for (word, row_text) in [("want", want), ("got ", got)] {
                if let Some(row_text) = row_text.filter(|_| !same) {
                    let _ = writeln!(text, "{:04x}  {word}  {row_text}", row * 16);
                }
            }
        }
        text
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(problem) => f.write_str(problem),
            Self::Statement { line, problem } => write!(f, "line {line}: {problem}"),
            Self::Missing { line, port, pattern } => {
                write!(f, "line {line}: no frame out of port {port}; expected one of {}", pattern.bytes())
            }
            Self::Different { line, port, pattern, frame } => {
                let at = pattern.differs_at(frame).unwrap_or(0);
                write!(
                    f,
                    "line {line}: the frame out of port {port} differs at byte {at}: it has {} bytes",
                    frame.len()
                )?;
                write!(f, "; expected {}", pattern.bytes())
            }
            Self::Unexpected { port, frame } => {
                write!(f, "a frame of {} bytes out of port {port}; expected none", frame.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(digits: &str, exact: bool) -> Pattern {
        Pattern { nibbles: digits.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect(), exact }
    }

    #[test]
    fn digits_count_and_the_length_only_where_it_is_said() {
        assert!(pattern("", false).matches(&[1, 2]));
        assert!(pattern("0*02", true).matches(&[1, 2]));
        assert!(pattern("010", false).matches(&[1, 2]));
        assert!(!pattern("01", true).matches(&[1, 2]));
        assert!(!pattern("010203", false).matches(&[1, 2]));
        assert!(!pattern("1*", false).matches(&[1]));
    }

    #[test]
    fn a_failure_says_where_and_shows_the_rows_that_differ() {
        let frame: Vec<u8> = (0..20).collect();
        let mut expected = pattern("000102030405060708090a0b0c0d0e0f10111213", true);
        expected.nibbles[36] = None;
        expected.nibbles[39] = Some(0xf);
        let failure = Failure::Different { line: 3, port: 7, pattern: expected, frame };
        assert_eq!(
            failure.to_string(),
            "line 3: the frame out of port 7 differs at byte 19: it has 20 bytes; expected 20 bytes"
        );
        assert_eq!(failure.dump(), "0010  want  10 11 *2 1f\n0010  got   10 11 12 13\n");
        let failure = Failure::Unexpected { port: 1, frame: vec![0xab] };
        assert_eq!(failure.to_string(), "a frame of 1 bytes out of port 1; expected none");
        assert_eq!(failure.dump(), "0000  got   ab\n");
        let failure = Failure::Missing { line: 9, port: 1, pattern: pattern("ab*", false) };
        assert_eq!(failure.to_string(), "line 9: no frame out of port 1; expected one of at least 2 bytes");
        assert_eq!(failure.dump(), "0000  want  ab *\n");
    }
}
