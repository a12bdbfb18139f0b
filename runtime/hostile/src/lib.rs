//! What switch and controller must do with bad input, whatever the input is. Each kind of it is a function of bytes that
//! panics where they do something that they must not. For the switch:
//!
//! - [`program`]: a program and its P4Info are refused with the place, or work; in bounded memory and time.
//! - [`packets`]: every frame is sent or counted, and so is each of its copies; a trace changes nothing.
//! - [`requests`]: P4Runtime requests are answered, and a refused batch changes nothing.
//! - [`thrift`]: what a Thrift client says is answered, or its talk ends.
//! - [`nanomsg`]: whoever comes for notifications gets them or is let go, and others get theirs.
//! - [`device_config`]: what comes as a device config is a program, by itself or in a message, or refused.
//!
//! For the controller:
//!
//! - [`configuration`]: a text is a configuration, or each mistake in it has its place.
//! - [`agent::peer`]: what a peer says ends its session at the worst, and the next one begins.
//! - [`agent::management`]: what an operator asks is answered or refused.
//! - [`agent::switch`]: what hosts send, and what a switch that lies answers, leaves the tables as they should be.
//!
//! The fuzz targets in `fuzz/` call these with what libFuzzer makes up, and each brings a `mutate` of its own, which changes
//! an input without breaking its form. The tests of this crate call them with the inputs in `fuzz/seeds`: a few to start from,
//! and those that once found something.

pub mod agent;
pub mod configuration;
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
