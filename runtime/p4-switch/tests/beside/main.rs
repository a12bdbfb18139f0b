//! The same requests to this switch in BMv2's place and to BMv2, and the same answers. Needs BMv2; no rights and no interfaces.
//!
//! What is expected is written down, so that this switch is held to it also where there is no BMv2, and BMv2 to show that it is right
//! where there is one.

mod arrays;
mod clones;
mod idle;
mod support;
#[path = "../thrift/support.rs"]
#[expect(dead_code, reason = "`thrift` uses the rest")]
mod thrift;
