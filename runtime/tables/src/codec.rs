//! What every table's file has in common: shapes to check against the P4Info, and the way to a `TableEntry` and back.

use std::fmt;
use std::time::Duration;

use vouch_p4runtime::p4::v1::{Action, FieldMatch, TableAction, TableEntry, action, table_action};
use vouch_p4runtime::p4info::MatchKind;

use crate::bind::BoundTable;
use crate::error::DecodeError;
use crate::value::{KeyField, Value, ValueError, find_match, from_bytes, to_bytes};

/// A key field as the P4Info must have it.
#[derive(Debug, Clone)]
pub(crate) struct FieldShape {
    pub(crate) name: &'static str,
    pub(crate) bits: u32,
    pub(crate) kind: MatchKind,
}

/// A part of the program that hardware may have no room for: it is there as a whole, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Several next hops that share what goes one way.
    NextHops,
    /// An underlay of IPv6.
    Ipv6Underlay,
}

impl Part {
    pub(crate) const ALL: [Self; 2] = [Self::NextHops, Self::Ipv6Underlay];
}

/// An action as the P4Info must have it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ActionShape {
    pub(crate) name: &'static str,
    /// What it goes with, where that is not the program itself.
    pub(crate) part: Option<Part>,
    pub(crate) params: &'static [ParamShape],
}

/// An action parameter, or a metadata field of a packet header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ParamShape {
    pub(crate) name: &'static str,
    pub(crate) bits: u32,
}

/// A table as the P4Info must have it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TableShape {
    pub(crate) name: &'static str,
    /// What it goes with, where that is not the program itself.
    pub(crate) part: Option<Part>,
    pub(crate) fields: &'static [FieldShape],
    pub(crate) actions: &'static [ActionShape],
    /// Full name of the direct counter, if the table has one.
    pub(crate) counter: Option<&'static str>,
    /// Entries can time out and say so.
    pub(crate) ageing: bool,
}

/// A table's key struct.
pub(crate) trait TableKey: Sized {
    type Action: ActionCodec;
    const NAME: &'static str;
    const PART: Option<Part>;
    const FIELDS: &'static [FieldShape];
    const COUNTER: Option<&'static str>;

    const SHAPE: TableShape = TableShape {
        name: Self::NAME,
        part: Self::PART,
        fields: Self::FIELDS,
        actions: Self::Action::ACTIONS,
        counter: Self::COUNTER,
        ageing: Self::Action::AGEING,
    };

    fn to_fields(&self, ids: &[u32]) -> Vec<FieldMatch>;
    fn from_fields(found: &[FieldMatch], ids: &[u32]) -> Result<Self, DecodeError>;
}

/// A table's action enum.
pub(crate) trait ActionCodec: Sized {
    const ACTIONS: &'static [ActionShape];
    const AGEING: bool;

    /// The index into [`Self::ACTIONS`] and the parameters in that shape's order.
    fn to_params(&self) -> (usize, Vec<u128>);
    /// The reverse; `params` are as many as the shape says.
    fn from_params(index: usize, params: &[u128]) -> Result<Self, (&'static str, ValueError)>;

    fn idle_timeout(&self) -> Option<Duration> {
        None
    }

    fn with_idle_timeout(self, _timeout: Option<Duration>) -> Self {
        self
    }
}

/// An action of an entry that reports when it was not used for `idle_timeout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Aged<A> {
    /// The action itself.
    pub action: A,
    /// None: never.
    pub idle_timeout: Option<Duration>,
}

impl<A> Aged<A> {
    /// An entry that never times out.
    pub const fn never(action: A) -> Self {
        Self { action, idle_timeout: None }
    }

    /// An entry that reports after `timeout` without a frame. Targets count milliseconds, so a part of one is rounded
    /// up: what is read back must equal what was written.
    pub fn after(action: A, timeout: Duration) -> Self {
        let millis = u64::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        // Above this the nanoseconds leave the protocol's 64 signed bits: 292 years.
        let millis = millis.min(i64::MAX as u64 / 1_000_000);
        Self { action, idle_timeout: (millis > 0).then(|| Duration::from_millis(millis)) }
    }
}

impl<A: fmt::Display> fmt::Display for Aged<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.action.fmt(f)?;
        match self.idle_timeout {
            Some(timeout) => write!(f, " idle_timeout={timeout:?}"),
            None => Ok(()),
        }
    }
}

impl<A: ActionCodec> ActionCodec for Aged<A> {
    const ACTIONS: &'static [ActionShape] = A::ACTIONS;
    const AGEING: bool = true;

    fn to_params(&self) -> (usize, Vec<u128>) {
        self.action.to_params()
    }

    fn from_params(index: usize, params: &[u128]) -> Result<Self, (&'static str, ValueError)> {
        A::from_params(index, params).map(Self::never)
    }

    fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }

    fn with_idle_timeout(self, timeout: Option<Duration>) -> Self {
        match timeout {
            Some(timeout) => Self::after(self.action, timeout),
            None => self,
        }
    }
}

/// None if the program has no such table or action.
pub(crate) fn encode<K: TableKey>(
    table: Option<&BoundTable>,
    key: &K,
    action: Option<&K::Action>,
) -> Option<TableEntry> {
    let table = table?;
    let encode_action = |action: &K::Action| {
        let (index, params) = action.to_params();
        let bound = table.actions[index].as_ref()?;
        let params =
            bound.params.iter().zip(params).map(|(&param_id, bits)| action::Param { param_id, value: to_bytes(bits) });
        let action = Action { action_id: bound.id, params: params.collect() };
        Some(TableAction { r#type: Some(table_action::Type::Action(action)) })
    };
    Some(TableEntry {
        table_id: table.id,
        r#match: key.to_fields(&table.fields),
        action: match action {
            Some(action) => Some(encode_action(action)?),
            None => None,
        },
        // `Aged::after` keeps it in range.
        idle_timeout_ns: action
            .and_then(ActionCodec::idle_timeout)
            .map_or(0, |timeout| i64::try_from(timeout.as_nanos()).unwrap_or(i64::MAX)),
        ..TableEntry::default()
    })
}

pub(crate) fn decode_key<K: TableKey>(table: &BoundTable, entry: &TableEntry) -> Result<K, DecodeError> {
    K::from_fields(&entry.r#match, &table.fields)
}

pub(crate) fn decode_action<K: TableKey>(table: &BoundTable, entry: &TableEntry) -> Result<K::Action, DecodeError> {
    let found = entry.action.as_ref().and_then(|action| action.r#type.as_ref());
    let found = match found {
        Some(table_action::Type::Action(action)) => action,
        Some(_) => return Err(DecodeError::Foreign("an action profile")),
        None => return Err(DecodeError::Missing("the action of a table entry")),
    };
    let unknown = DecodeError::UnknownAction { table: K::NAME, id: found.action_id };
    let mut actions = table.actions.iter().enumerate();
    let bound =
        actions.find_map(|(index, action)| Some((index, action.as_ref().filter(|it| it.id == found.action_id)?)));
    let (index, bound) = bound.ok_or(unknown)?;
    let shape = &K::Action::ACTIONS[index];
    let problem = |(field, source)| DecodeError::Value { place: format!("action `{}`", shape.name), field, source };

    let mut params = Vec::with_capacity(shape.params.len());
    for (param, &id) in shape.params.iter().zip(&bound.params) {
        let value = found.params.iter().find(|found| found.param_id == id);
        let bits = value.map_or(Err(ValueError::Missing), |value| from_bytes(&value.value, param.bits));
        params.push(bits.map_err(|error| problem((param.name, error)))?);
    }
    let action = K::Action::from_params(index, &params).map_err(problem)?;
    // A negative timeout is no timeout.
    let timeout = u64::try_from(entry.idle_timeout_ns).ok().filter(|&nanos| nanos > 0).map(Duration::from_nanos);
    Ok(action.with_idle_timeout(timeout))
}

/// For the table macro: one key field out of an entry.
pub(crate) fn field<F: KeyField>(
    table: &'static str,
    name: &'static str,
    found: &[FieldMatch],
    id: u32,
) -> Result<F, DecodeError> {
    F::from_match(find_match(found, id)).map_err(|source| DecodeError::Value {
        place: format!("table `{table}`"),
        field: name,
        source,
    })
}

/// For the table macro: one parameter.
pub(crate) fn param<V: Value>(name: &'static str, bits: u128) -> Result<V, (&'static str, ValueError)> {
    V::from_bits(bits).map_err(|error| (name, error))
}

/// One table: its key struct and its action enum. Fields and parameters carry the names they have in the P4 program; so
/// does an action, behind the table's name. What a [`Part`] is in brackets of goes with that.
macro_rules! table {
    (
        table $table:literal $([$part:ident])? $(counter $counter:literal)?;

        $(#[$key_doc:meta])*
        key $Key:ident {
            $( $(#[$field_doc:meta])* $field:ident: $Field:ty, )+
        }

        $(#[$action_doc:meta])*
        action $Action:ident as $Codec:ty {
            $(
                $(#[$variant_doc:meta])*
                $variant:literal $([$variant_part:ident])? $Variant:ident $({ $( $(#[$param_doc:meta])* $param:ident: $Param:ty, )+ })?,
            )+
        }
    ) => {
        $(#[$key_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Key {
            $( $(#[$field_doc])* pub $field: $Field, )+
        }

        $(#[$action_doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $Action {
            $(
                $(#[$variant_doc])*
                $Variant $({ $( $(#[$param_doc])* $param: $Param, )+ })?,
            )+
        }

        impl $crate::codec::TableKey for $Key {
            type Action = $Codec;
            const NAME: &'static str = $table;
            const PART: Option<$crate::codec::Part> = {
                let part: &[$crate::codec::Part] = &[$($crate::codec::Part::$part)?];
                part.first().copied()
            };
            const FIELDS: &'static [$crate::codec::FieldShape] = &[
                $( $crate::codec::FieldShape {
                    name: stringify!($field),
                    bits: <$Field as $crate::value::KeyField>::BITS,
                    kind: <$Field as $crate::value::KeyField>::KIND,
                }, )+
            ];
            const COUNTER: Option<&'static str> = {
                let counter: &[&str] = &[$($counter)?];
                counter.first().copied()
            };

            fn to_fields(&self, ids: &[u32]) -> Vec<vouch_p4runtime::p4::v1::FieldMatch> {
                let matches = [$( $crate::value::KeyField::to_match(self.$field) ),+];
                let fields = ids.iter().zip(matches).filter(|(_, found)| found.is_some());
                fields
                    .map(|(&field_id, field_match_type)| vouch_p4runtime::p4::v1::FieldMatch {
                        field_id,
                        field_match_type,
                    })
                    .collect()
            }

            fn from_fields(
                found: &[vouch_p4runtime::p4::v1::FieldMatch],
                ids: &[u32],
            ) -> Result<Self, $crate::error::DecodeError> {
                let mut ids = ids.iter().copied();
                Ok(Self {
                    // Binding resolved as many ids as there are fields; 0 is no field's id.
                    $( $field: $crate::codec::field(
                        $table, stringify!($field), found, ids.next().unwrap_or(0),
                    )?, )+
                })
            }
        }

        impl std::fmt::Display for $Key {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($table)?;
                $( write!(f, concat!(" ", stringify!($field), "={}"), self.$field)?; )+
                Ok(())
            }
        }

        impl $crate::codec::ActionCodec for $Action {
            const ACTIONS: &'static [$crate::codec::ActionShape] = &[
                $( $crate::codec::ActionShape {
                    name: concat!($table, ".", $variant),
                    part: {
                        let part: &[$crate::codec::Part] = &[$($crate::codec::Part::$variant_part)?];
                        part.first().copied()
                    },
                    params: &[$($(
                        $crate::codec::ParamShape {
                            name: stringify!($param),
                            bits: <$Param as $crate::value::Value>::BITS,
                        },
                    )+)?],
                }, )+
            ];
            const AGEING: bool = false;

            fn to_params(&self) -> (usize, Vec<u128>) {
                let (name, params) = match *self {
                    $( Self::$Variant $({ $($param),+ })? => (
                        concat!($table, ".", $variant),
                        vec![$($( $crate::value::Value::to_bits($param) ),+)?],
                    ), )+
                };
                let index = Self::ACTIONS.iter().position(|action| action.name == name);
                (index.expect("ACTIONS is made of the same list"), params)
            }

            #[allow(unused_mut, unused_variables)]
            fn from_params(
                index: usize,
                params: &[u128],
            ) -> Result<Self, (&'static str, $crate::value::ValueError)> {
                let mut params = params.iter().copied();
                let name = Self::ACTIONS[index].name;
                $( if name == concat!($table, ".", $variant) {
                    return Ok(Self::$Variant $({
                        $( $param: $crate::codec::param(
                            stringify!($param),
                            params.next().ok_or((stringify!($param), $crate::value::ValueError::Missing))?,
                        )?, )+
                    })?);
                } )+
                unreachable!("ACTIONS is made of the same list")
            }
        }

        impl std::fmt::Display for $Action {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match *self {
                    $( Self::$Variant $({ $($param),+ })? => {
                        f.write_str($variant)?;
                        $($( write!(f, concat!(" ", stringify!($param), "={}"), $param)?; )+)?
                        Ok(())
                    } )+
                }
            }
        }
    };
}

pub(crate) use table;
