//! What the generated code stands on: how values are read and written, and what became of a call.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{self, Read};
use std::rc::Rc;

use thrift::protocol::{
    TBinaryOutputProtocol, TFieldIdentifier, TInputProtocol, TListIdentifier, TMapIdentifier, TOutputProtocol, TType,
};
use thrift::{ProtocolErrorKind, TConfiguration};

/// Most bytes of a message: the largest is a program as JSON.
pub(crate) const MAX_MESSAGE: usize = 64 << 20;
/// Most elements of a list: keys, parameters and samples are few, and an element takes more memory than it had bytes.
const MAX_ELEMENTS: usize = 1 << 14;
/// Most structures within each other; the interfaces have three.
const MAX_DEPTH: usize = 16;

/// The bounds of what is read.
pub(crate) fn bounds() -> thrift::Result<TConfiguration> {
    bounds_with(MAX_ELEMENTS)
}

/// The same for lists of up to this many elements.
pub(crate) fn bounds_with(elements: usize) -> thrift::Result<TConfiguration> {
    TConfiguration::builder()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
        .max_string_size(Some(MAX_MESSAGE))
        .max_container_size(Some(elements))
        .max_recursion_depth(Some(MAX_DEPTH))
        .build()
}

/// A reader that ends when a message has become too long.
pub(crate) struct Metered<R> {
    from: R,
    /// What may still come.
    left: Rc<Cell<usize>>,
}

impl<R> Metered<R> {
    pub(crate) fn new(from: R, left: Rc<Cell<usize>>) -> Self {
        Self { from, left }
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(self.left.get());
        if most == 0 && !into.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a message of more than {MAX_MESSAGE} bytes"),
            ));
        }
        let count = self.from.read(&mut into[..most])?;
        self.left.set(self.left.get() - count);
        Ok(count)
    }
}

/// Why a call was not carried out.
#[derive(Debug)]
pub(crate) enum Failure<E> {
    /// In the way that the interface declares.
    Declared(E),
    /// In another way, for whoever reads it.
    Other(String),
}

/// The exception of functions that declare none.
#[derive(Debug)]
pub(crate) enum Never {}

/// What became of a call: the structure that is sent back, or why there is none.
pub(crate) enum Answer {
    Result(Vec<u8>),
    /// With what it declares, for the log.
    Declared(Vec<u8>, String),
    Other(String),
}

/// Put the outcome of a call into the structure that carries it.
pub(crate) fn answer<T: Value, E: Value + Debug>(outcome: Result<T, Failure<E>>) -> thrift::Result<Answer> {
    let structure = |fill: &dyn Fn(&mut dyn TOutputProtocol) -> thrift::Result<()>| {
        let mut bytes = Vec::new();
        let mut to = TBinaryOutputProtocol::with_config(&mut bytes, true, bounds()?);
        fill(&mut to)?;
        to.write_field_stop()?;
        Ok::<_, thrift::Error>(bytes)
    };
    Ok(match outcome {
        Ok(_) if T::TYPE == TType::Void => Answer::Result(structure(&|_| Ok(()))?),
        Ok(value) => Answer::Result(structure(&|to| write_field(to, 0, &value))?),
        Err(Failure::Declared(declared)) => {
            Answer::Declared(structure(&|to| write_field(to, 1, &declared))?, format!("{declared:?}"))
        }
        Err(Failure::Other(why)) => Answer::Other(why),
    })
}

/// A type of the interfaces.
pub(crate) trait Value: Sized {
    /// What it is on the wire.
    const TYPE: TType;
    fn read(from: &mut dyn TInputProtocol) -> thrift::Result<Self>;
    fn write(&self, to: &mut dyn TOutputProtocol) -> thrift::Result<()>;
}

/// Read a structure; `field` takes a field's value or skips it.
pub(crate) fn read_fields(
    from: &mut dyn TInputProtocol,
    mut field: impl FnMut(&mut dyn TInputProtocol, i16, TType) -> thrift::Result<()>,
) -> thrift::Result<()> {
    from.read_struct_begin()?;
    loop {
        let begin = from.read_field_begin()?;
        if begin.field_type == TType::Stop {
            return from.read_struct_end();
        }
        field(from, begin.id.unwrap_or_default(), begin.field_type)?;
        from.read_field_end()?;
    }
}

pub(crate) fn write_field<T: Value>(to: &mut dyn TOutputProtocol, id: i16, value: &T) -> thrift::Result<()> {
    to.write_field_begin(&TFieldIdentifier { name: None, field_type: T::TYPE, id: Some(id) })?;
    value.write(to)?;
    to.write_field_end()
}

/// A number that an enumeration does not have.
pub(crate) fn no_such_number(what: &str, number: i32) -> thrift::Error {
    invalid(format!("{what} has no {number}"))
}

fn invalid(text: String) -> thrift::Error {
    thrift::new_protocol_error(ProtocolErrorKind::InvalidData, text)
}

macro_rules! plain {
    ($($ty:ty, $kind:ident, $read:ident, $write:ident, $by:ident;)*) => {$(
        impl Value for $ty {
            const TYPE: TType = TType::$kind;
            fn read(from: &mut dyn TInputProtocol) -> thrift::Result<Self> {
                from.$read()
            }
            fn write(&self, to: &mut dyn TOutputProtocol) -> thrift::Result<()> {
                to.$write(self.$by())
            }
        }
    )*};
}

plain! {
    bool, Bool, read_bool, write_bool, clone;
    i16, I16, read_i16, write_i16, clone;
    i32, I32, read_i32, write_i32, clone;
    i64, I64, read_i64, write_i64, clone;
    f64, Double, read_double, write_double, clone;
    String, String, read_string, write_string, as_str;
    Vec<u8>, String, read_bytes, write_bytes, as_slice;
}

impl<T: Value> Value for Vec<T> {
    const TYPE: TType = TType::List;

    fn read(from: &mut dyn TInputProtocol) -> thrift::Result<Self> {
        let begin = from.read_list_begin()?;
        if begin.element_type != T::TYPE && begin.size > 0 {
            return Err(invalid(format!("a list of {:?} where one of {:?} is due", begin.element_type, T::TYPE)));
        }
        // Grows with what comes, and not with what was announced.
        let elements = (0..begin.size).map(|_| T::read(from)).collect::<thrift::Result<_>>()?;
        from.read_list_end()?;
        Ok(elements)
    }

    fn write(&self, to: &mut dyn TOutputProtocol) -> thrift::Result<()> {
        to.write_list_begin(&TListIdentifier::new(T::TYPE, length(self.len())?))?;
        self.iter().try_for_each(|element| element.write(to))?;
        to.write_list_end()
    }
}

impl<K: Value + Ord, V: Value> Value for BTreeMap<K, V> {
    const TYPE: TType = TType::Map;

    fn read(from: &mut dyn TInputProtocol) -> thrift::Result<Self> {
        let begin = from.read_map_begin()?;
        if begin.size > 0 && (begin.key_type, begin.value_type) != (Some(K::TYPE), Some(V::TYPE)) {
            return Err(invalid("a map of other types than are due".to_owned()));
        }
        let pairs = (0..begin.size).map(|_| Ok((K::read(from)?, V::read(from)?))).collect::<thrift::Result<_>>()?;
        from.read_map_end()?;
        Ok(pairs)
    }

    fn write(&self, to: &mut dyn TOutputProtocol) -> thrift::Result<()> {
        to.write_map_begin(&TMapIdentifier::new(K::TYPE, V::TYPE, length(self.len())?))?;
        for (key, value) in self {
            key.write(to)?;
            value.write(to)?;
        }
        to.write_map_end()
    }
}

fn length(length: usize) -> thrift::Result<i32> {
    i32::try_from(length).map_err(|_| invalid(format!("{length} elements are too many to send")))
}

impl Value for () {
    const TYPE: TType = TType::Void;

    fn read(_: &mut dyn TInputProtocol) -> thrift::Result<Self> {
        Ok(())
    }

    fn write(&self, _: &mut dyn TOutputProtocol) -> thrift::Result<()> {
        Ok(())
    }
}

impl Value for Never {
    const TYPE: TType = TType::Void;

    fn read(_: &mut dyn TInputProtocol) -> thrift::Result<Self> {
        Err(invalid("there is no such exception".to_owned()))
    }

    fn write(&self, _: &mut dyn TOutputProtocol) -> thrift::Result<()> {
        match *self {}
    }
}
