//! The configuration: YAML in, checked values out.
mod types;
pub use types::*;
