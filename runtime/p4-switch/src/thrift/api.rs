//! The generated types and services. Those of one interface are a module.

macro_rules! interface {
    ($($name:ident),*) => {$(
        #[allow(dead_code, unused_imports, clippy::all, reason = "generated: both directions of every type, and the interfaces' own names")]
        pub(crate) mod $name {
            use thrift::protocol::{TInputProtocol, TOutputProtocol, TType};

            use crate::thrift::client::{Client, Refusal};
            use crate::thrift::wire::{
                Answer, Failure, Never, Value, answer, no_such_number, read_fields, write_field,
            };

            include!(concat!(env!("OUT_DIR"), "/", stringify!($name), ".rs"));
        }
    )*};
}

interface!(standard, simple_pre, simple_pre_lag, simple_switch);
