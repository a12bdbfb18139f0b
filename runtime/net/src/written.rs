//! How values are written for which JSON has no type: schemas with a `format` that the configuration's reader knows.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{MacAddr, Vni};

/// Says how a type is written, as a JSON schema.
#[macro_export]
macro_rules! written_as {
    ($Type:ty, $schema:tt) => {
        impl ::schemars::JsonSchema for $Type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($Type).into()
            }

            fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                ::schemars::json_schema!($schema)
            }
        }
    };
}

written_as!(MacAddr, { "type": "string", "format": "mac", "pattern": "^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$" });
written_as!(Vni, { "type": "integer", "minimum": 1, "maximum": Vni::MAX.get() });

/// A span of time of at least `MIN` milliseconds, as the schema has it; as values they are [`std::time::Duration`].
#[derive(Debug)]
pub struct Span<const MIN: u64>;

impl<const MIN: u64> JsonSchema for Span<MIN> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pattern = "^([0-9]+ ?(us|ms|s|m|min|h) ?)+$";
        json_schema!({ "type": "string", "format": "span", "pattern": pattern, "x-at-least-ms": MIN })
    }
}
