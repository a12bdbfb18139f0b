//! The configuration: YAML in, checked values out, or every problem at once.
//!
//! The types of a configuration (`types`, `switch`, `document`) are its only definition: their documentation, defaults and bounds make
//! a JSON schema (`schema`), by which a file is read. The story of a file: text becomes nodes that know their place (`text`); a
//! `reader` holds them against the schema and notes what is wrong without stopping, with the formats of text in `written`; serde makes
//! a document of what remains; `checks` compares its parts with each other. Only a file without a noted error becomes a [`Config`].
//! `configs/` holds examples of everything that can be said.

mod checks;
mod difference;
mod document;
mod load;
mod problem;
mod reader;
mod reference;
mod schema;
mod switch;
mod text;
mod types;
mod written;

pub use vouch_tables::{Port, VlanId};

pub use difference::Difference;
pub(crate) use document::default_probe_mac;
pub use load::{Checked, check};
pub use problem::{ConfigErrors, Mark, Problem};
pub use reference::reference;
pub use schema::schema;
pub use switch::{Ageing, ClientTls, LinkStatus, PipelineFiles, SwitchConfig, SwitchKind, TofinoServer};
pub use text::yaml_options;
pub use types::*;
pub use written::time;
