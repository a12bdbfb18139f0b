//! The other end: a connection by which calls are made, one after the other.

use std::fmt::{self, Debug};
use std::io::{BufReader, BufWriter, Write};
use std::net::{TcpStream, ToSocketAddrs};

use thrift::protocol::{
    TBinaryInputProtocol, TBinaryOutputProtocol, TInputProtocol, TMessageIdentifier, TMessageType, TOutputProtocol,
    TType,
};

use super::wire::{Value, bounds, bounds_with, read_fields};

/// Most elements of a list in an answer: those of the largest table.
const MAX_ELEMENTS: usize = 1 << 24;

/// A connection to a server.
pub(crate) struct Client {
    from: TBinaryInputProtocol<BufReader<TcpStream>>,
    to: BufWriter<TcpStream>,
    calls: i32,
}

/// Why a call was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// In the way that its interface declares.
    Declared(String),
    /// In another way, or nobody knows.
    Other(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Declared(why) => write!(f, "the switch refuses it: {why}"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

impl From<Refusal> for String {
    fn from(refusal: Refusal) -> Self {
        refusal.to_string()
    }
}

impl From<thrift::Error> for Refusal {
    fn from(error: thrift::Error) -> Self {
        Self::Other(format!("the switch does not answer as it should: {error}"))
    }
}

impl Client {
    pub(crate) fn connect(address: impl ToSocketAddrs) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let bounds = bounds_with(MAX_ELEMENTS).map_err(std::io::Error::other)?;
        let from = TBinaryInputProtocol::with_config(BufReader::new(stream.try_clone()?), false, bounds);
        Ok(Self { from, to: BufWriter::new(stream), calls: 0 })
    }

    /// Make a call; `arguments` writes the fields of its arguments.
    pub(super) fn call<T: Value, E: Value + Debug>(
        &mut self,
        method: &str,
        arguments: &dyn Fn(&mut dyn TOutputProtocol) -> thrift::Result<()>,
    ) -> Result<T, Refusal> {
        self.calls = self.calls.wrapping_add(1);
        let mut to = TBinaryOutputProtocol::with_config(&mut self.to, true, bounds()?);
        to.write_message_begin(&TMessageIdentifier::new(method, TMessageType::Call, self.calls))?;
        arguments(&mut to)?;
        to.write_field_stop()?;
        self.to.flush().map_err(thrift::Error::from)?;
        self.answer::<T, E>()
    }

    fn answer<T: Value, E: Value + Debug>(&mut self) -> Result<T, Refusal> {
        let begin = self.from.read_message_begin()?;
        if begin.message_type == TMessageType::Exception {
            let error = thrift::Error::read_application_error_from_in_protocol(&mut self.from)?;
            return Err(Refusal::Other(error.message));
        }
        let (mut result, mut declared) = (None, None);
        read_fields(&mut self.from, |from, id, kind| {
            match id {
                0 if kind == T::TYPE => result = Some(T::read(from)?),
                1 if kind == E::TYPE => declared = Some(E::read(from)?),
                _ => from.skip(kind)?,
            }
            Ok(())
        })?;
        match (result, declared) {
            (_, Some(declared)) => Err(Refusal::Declared(words(&format!("{declared:?}")))),
            (Some(result), None) => Ok(result),
            (None, None) if T::TYPE == TType::Void => Ok(T::read(&mut self.from)?),
            (None, None) => Err(Refusal::Other("the switch answers nothing".to_owned())),
        }
    }
}

/// `InvalidTableOperation { code: DuplicateEntry }` as `duplicate entry`.
fn words(declared: &str) -> String {
    let code = declared.rsplit_once(": ").map_or(declared, |(_, code)| code.trim_end_matches(" }"));
    let mut words = String::new();
    for letter in code.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn codes_are_read_as_words() {
        assert_eq!(words("InvalidTableOperation { code: DuplicateEntry }"), "duplicate entry");
        assert_eq!(words("Never"), "never");
    }
}
