//! What the switch must do with bad input, whatever the input is. Six kinds of it, each a function of bytes that panics
//! where the switch does something that it must not:
//!
//! - [`program`]: a program and its P4Info are refused with the place, or work; in bounded memory and time.
//! - [`packets`]: every frame is sent or counted, and so is each of its copies; a trace changes nothing.
//! - [`requests`]: P4Runtime requests are answered, and a refused batch changes nothing.
//! - [`thrift`]: what a Thrift client says is answered, or its talk ends.
//! - [`nanomsg`]: whoever comes for notifications gets them or is let go, and others get theirs.
//! - [`device_config`]: what comes as a device config is a program, by itself or in a message, or refused.
//!
//! The fuzz targets in `fuzz/` call these with what libFuzzer makes up, and each brings a `mutate` of its own, which changes
//! an input without breaking its form. The tests of this crate call them with the inputs in `fuzz/seeds`: a few to start from,
//! and those that once found something.

mod control;
pub mod device_config;
mod input;
mod mutate;
pub mod nanomsg;
pub mod packets;
pub mod program;
pub mod requests;
pub mod thrift;
#[path = "../../switch/tests/support/mod.rs"]
mod vtep;
