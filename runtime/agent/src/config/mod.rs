//! The configuration: YAML in, checked values out, or every problem at once.
//!
//! The story of a file: text (`tree`) becomes a tree of nodes that know their place; a `reader` takes typed values out of it and
//! notes what is wrong without stopping, section by section (`document`); `checks` compares the sections with each other. Only a file
//! without a noted error becomes a [`Config`]. `configs/` holds commented examples of everything that can be said.

mod checks;
mod document;
mod load;
mod peers;
mod ports;
mod prefix;
mod probe_as;
mod problem;
mod reader;
mod switch;
mod tree;
mod tuning;
mod types;
mod underlay;
mod vnis;

pub(crate) use document::default_probe_mac;
pub use load::{Checked, check};
pub use problem::{ConfigErrors, Mark, Problem};
pub use reader::time;
pub use switch::{Ageing, ClientTls, LinkStatus, PipelineFiles, SwitchConfig, SwitchKind, TofinoServer};
pub use types::*;
