//! A cursor over one line of an STF test, which reads its words and says what it would rather have read.

use num_bigint::BigUint;

use super::StfError;
use super::statement::Bits;

type Result<T> = std::result::Result<T, StfError>;

/// What ends a name that is not in quotes.
const ENDS_NAME: &str = ":(),=<>!\"";

/// The rest of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scan<'a> {
    line: usize,
    rest: &'a str,
}

impl<'a> Scan<'a> {
    /// A line without its comment.
    pub(super) fn new(line: usize, text: &'a str) -> Self {
        let mut quoted = false;
        let comment = text.find(|c| {
            quoted ^= c == '"';
            c == '#' && !quoted
        });
        Self { line, rest: text[..comment.unwrap_or(text.len())].trim() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is wrong with what comes next, and what would be right.
    pub(super) fn error(&self, expected: impl Into<String>) -> StfError {
        let next = self.rest.split_whitespace().next();
        let what = next.map_or_else(|| "the line ends".to_owned(), |next| format!("`{next}`"));
        StfError { line: self.line, what, expected: expected.into() }
    }

    /// Nothing may follow.
    pub(super) fn end(self) -> Result<()> {
        if self.is_empty() { Ok(()) } else { Err(self.error("the end of the line")) }
    }

    /// Whether these characters come next.
    pub(super) fn at(&self, text: &str) -> bool {
        self.rest.starts_with(text)
    }

    /// Whether these characters come next; then they are taken.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.rest.strip_prefix(text);
        self.rest = found.unwrap_or(self.rest).trim_start();
        found.is_some()
    }

    /// These characters have to come next.
    pub(super) fn need(&mut self, text: &str) -> Result<()> {
        if self.take(text) { Ok(()) } else { Err(self.error(format!("`{text}`"))) }
    }

    /// Everything up to white space.
    pub(super) fn word(&mut self) -> Option<&'a str> {
        let word = self.rest.split_whitespace().next()?;
        self.rest = self.rest[word.len()..].trim_start();
        Some(word)
    }

    /// A dotted name, whole or in parts in quotes. What stands in quotes may have any characters; a header's `isValid()`
    /// is part of a name also without them.
    pub(super) fn name(&mut self, what: &str) -> Result<String> {
        let mut name = String::new();
        let mut scan = *self;
        loop {
            if let Some(quoted) = scan.rest.strip_prefix('"') {
                let end = quoted.find('"').ok_or_else(|| scan.error("a closing quotation mark"))?;
                name.push_str(&quoted[..end]);
                scan.rest = &quoted[end + 1..];
            } else {
                let end = scan.rest.find(|c: char| c.is_whitespace() || ENDS_NAME.contains(c));
                let (plain, rest) = scan.rest.split_at(end.unwrap_or(scan.rest.len()));
                name.push_str(plain);
                scan.rest = rest;
                if let Some(rest) = rest.strip_prefix("()").filter(|rest| rest.starts_with(':')) {
                    name.push_str("()");
                    scan.rest = rest;
                }
                if !scan.rest.starts_with('"') {
                    break;
                }
            }
        }
        if name.is_empty() {
            return Err(self.error(what));
        }
        *self = Self { rest: scan.rest.trim_start(), ..scan };
        Ok(name)
    }

    /// A number that some bits of may not matter.
    pub(super) fn bits(&mut self) -> Result<Bits> {
        const EXPECTED: &str = "a number, such as 10, 0x0a, 0b01, or with bits that do not matter, 0x0*, 0b0*";
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '*');
        let (text, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let lower = text.to_ascii_lowercase();
        let (digits, per_digit) = match (lower.strip_prefix("0x"), lower.strip_prefix("0b")) {
            (Some(digits), _) => (digits, 4),
            (None, Some(digits)) => (digits, 1),
            (None, None) => (lower.as_str(), 0),
        };
        let radix = if per_digit == 0 { 10 } else { 1 << per_digit };
        let valid = |c: char| c.is_digit(radix) || (c == '*' && per_digit > 0);
        if digits.is_empty() || !digits.chars().all(valid) {
            return Err(self.error(EXPECTED));
        }
        let mut bits = Bits { value: BigUint::ZERO, wild: BigUint::ZERO, written: digits.len() as u32 * per_digit };
        for digit in digits.chars() {
            bits.value = bits.value * radix + digit.to_digit(radix).unwrap_or(0);
            bits.wild = bits.wild * radix + if digit == '*' { radix - 1 } else { 0 };
        }
        self.rest = rest.trim_start();
        Ok(bits)
    }

    /// A number all of whose bits matter.
    pub(super) fn number(&mut self) -> Result<BigUint> {
        let before = *self;
        let bits = self.bits()?;
        if bits.has_wild() { Err(before.error("a number without `*`")) } else { Ok(bits.value) }
    }

    /// A number that fits.
    pub(super) fn small<T: TryFrom<u64>>(&mut self, what: &str) -> Result<T> {
        let before = *self;
        let number = self.number().ok().and_then(|number| u64::try_from(number).ok());
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| before.error(what))
    }

    /// A port: 9 bits.
    pub(super) fn port(&mut self) -> Result<u16> {
        const EXPECTED: &str = "a port, 0 to 511";
        let before = *self;
        let port = self.word().and_then(|word| word.parse().ok());
        port.filter(|port| *port < 512).ok_or_else(|| before.error(EXPECTED))
    }

    /// Everything that is left.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }
}
