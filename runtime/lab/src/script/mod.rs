//! Scenarios that are written down: a fabric, what is done to it, and what has to come of it, in a file of YAML.
//!
//! ```yaml
//! scenario: forged-then-real
//! about: somebody forges an ARP of h1, which then really moves there
//! steps:
//!   - stream: {from: red3, to: red1}
//!   - forge: {by: mallory, of: red1, with: gratuitous-request}
//!   - verdict: {of: red1, is: stayed}
//!   - move: {host: red1, to: vtep2 port 4}
//!   - verdict: {of: red1, is: moved}
//!   - placed: {host: red1}
//!   - stop: {from: red3, to: red1, misdelivered: 0, interruption: 15ms}
//! ```
//!
//! The story of a file: serde reads it into a `document`, whose steps know their lines; `check` notes everything that does not fit together, as a
//! host that does not exist or a stream that is stopped twice, each at its place; what is left is a [`Script`], which `play` plays like any other
//! scenario, on whatever the switches are. Without `fabric` it is the demo's ([`Topology::demo`]).

mod check;
mod document;
mod play;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use vouch_agent::config::Problem;

use crate::fabric::Variant;
use crate::topology::Topology;

use document::Step;

/// The longest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// A scenario out of a file.
#[derive(Debug)]
pub struct Script {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) variants: Vec<Variant>,
    pub(crate) probation: Duration,
    pub(crate) topology: Topology,
    steps: Vec<Step>,
}

/// Everything that is wrong with such a file, in its order; never nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ScriptErrors(pub Vec<Problem>);

impl fmt::Display for ScriptErrors {
    /// A line for each, as `FILE:LINE:COLUMN: what is wrong; what would be right`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            f.write_str(if index > 0 { "\n" } else { "" })?;
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl Script {
    /// Read a file.
    ///
    /// # Errors
    /// It cannot be read, or something in it is wrong.
    pub fn load(path: &Path) -> Result<Self, ScriptErrors> {
        let file = path.display().to_string();
        let wrong = |what: String, help: &str| Err(check::whole(&file, what, help));
        match std::fs::metadata(path) {
            Ok(found) if found.len() > MAX_BYTES => {
                return wrong(format!("the file has {} bytes", found.len()), "at most 1 MiB is read");
            }
            Ok(_) => {}
            Err(error) => return wrong(format!("it cannot be read: {error}"), "name a file with a scenario"),
        }
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&file, &text),
            Err(error) => wrong(format!("it cannot be read: {error}"), "name a file with a scenario, in UTF-8"),
        }
    }

    /// Read what a file called `file` says.
    ///
    /// # Errors
    /// Something in it is wrong.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScriptErrors> {
        check::script(file, document::read(file, text)?)
    }
}

#[cfg(test)]
mod tests;
