//! A JSON value together with its place, so that every complaint can say where.

use num_bigint::BigInt;
use serde_json::Value;

use crate::error::{LoadError, LoadErrorKind};

pub(crate) type Load<T> = Result<T, LoadError>;

/// A value somewhere in the document.
#[derive(Clone, Debug)]
pub(crate) struct At<'a> {
    pub(crate) value: &'a Value,
    place: String,
}

impl<'a> At<'a> {
    pub(crate) fn root(value: &'a Value) -> Self {
        Self { value, place: String::new() }
    }

    pub(crate) fn error<T>(&self, kind: LoadErrorKind) -> Load<T> {
        Err(LoadError { place: self.place.clone(), kind })
    }

    pub(crate) fn invalid<T>(&self, what: impl Into<String>) -> Load<T> {
        self.error(LoadErrorKind::Invalid(what.into()))
    }

    pub(crate) fn unsupported<T>(&self, what: &'static str, name: &str, choices: &[&'static str]) -> Load<T> {
        self.error(LoadErrorKind::Unsupported { what, name: name.to_owned(), choices: choices.to_vec() })
    }

    pub(crate) fn limit(&self, what: &'static str, got: u64, max: u64) -> Load<()> {
        if got > max {
            return self.error(LoadErrorKind::Limit { what, got, max });
        }
        Ok(())
    }

    /// A member that must be there.
    pub(crate) fn get(&self, key: &str) -> Load<At<'a>> {
        match self.opt(key)? {
            Some(member) => Ok(member),
            None => self.invalid(format!("member `{key}` is missing")),
        }
    }

    /// A member that may be missing or null.
    pub(crate) fn opt(&self, key: &str) -> Load<Option<At<'a>>> {
        let Some(object) = self.value.as_object() else { return self.invalid("expected an object") };
        let place = if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) };
        Ok(object.get(key).filter(|value| !value.is_null()).map(|value| At { value, place }))
    }

    pub(crate) fn items(&self) -> Load<Vec<At<'a>>> {
        let Some(array) = self.value.as_array() else { return self.invalid("expected an array") };
        let at = |(index, value)| At { value, place: format!("{}[{index}]", self.place) };
        Ok(array.iter().enumerate().map(at).collect())
    }

    /// Items of a member; none if it is missing or null.
    pub(crate) fn list(&self, key: &str) -> Load<Vec<At<'a>>> {
        match self.opt(key)? {
            Some(list) => list.items(),
            None => Ok(Vec::new()),
        }
    }

    /// Exactly `N` items.
    pub(crate) fn tuple<const N: usize>(&self) -> Load<[At<'a>; N]> {
        let items = self.items()?;
        let got = items.len();
        items.try_into().or_else(|_| self.invalid(format!("expected {N} items, found {got}")))
    }

    pub(crate) fn str(&self) -> Load<&'a str> {
        match self.value.as_str() {
            Some(text) => Ok(text),
            None => self.invalid("expected a string"),
        }
    }

    pub(crate) fn bool(&self) -> Load<bool> {
        match self.value.as_bool() {
            Some(flag) => Ok(flag),
            None => self.invalid("expected true or false"),
        }
    }

    /// A member that is false when missing.
    pub(crate) fn flag(&self, key: &str) -> Load<bool> {
        self.opt(key)?.map_or(Ok(false), |flag| flag.bool())
    }

    pub(crate) fn u32(&self) -> Load<u32> {
        match self.value.as_u64().and_then(|number| u32::try_from(number).ok()) {
            Some(number) => Ok(number),
            None => self.invalid("expected a number from 0 to 4294967295"),
        }
    }

    pub(crate) fn i64(&self) -> Load<i64> {
        match self.value.as_i64() {
            Some(number) => Ok(number),
            None => self.invalid("expected an integer"),
        }
    }

    /// A hexadecimal number such as `0x0800` or `-0x1`.
    pub(crate) fn hex(&self) -> Load<BigInt> {
        let text = self.str()?;
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let digits = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")).unwrap_or(digits);
        self.limit("hexadecimal digits", digits.len() as u64, 1 << 14)?;
        let parsed =
            digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| BigInt::parse_bytes(digits.as_bytes(), 16));
        match parsed.flatten() {
            Some(number) if negative => Ok(-number),
            Some(number) => Ok(number),
            None => self.invalid(format!("`{text}` is not a hexadecimal number")),
        }
    }

    /// A hexadecimal number from 0 as big-endian bytes, without leading zeros.
    pub(crate) fn hex_bytes(&self) -> Load<Vec<u8>> {
        match self.hex()?.to_biguint() {
            Some(number) => Ok(number.to_bytes_be()),
            None => self.invalid("expected a number that is not negative"),
        }
    }

    /// A hexadecimal number of at most 128 bits from 0.
    pub(crate) fn hex_u128(&self) -> Load<u128> {
        match u128::try_from(&self.hex()?) {
            Ok(number) => Ok(number),
            Err(_) => self.invalid("expected a number of at most 128 bits that is not negative"),
        }
    }

    /// The members `type` and `value`.
    pub(crate) fn typed(&self) -> Load<(&'a str, At<'a>)> {
        Ok((self.get("type")?.str()?, self.get("value")?))
    }
}
