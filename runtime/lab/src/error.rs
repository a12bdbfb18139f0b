//! Why a fabric could not be brought up or a scenario not be played. An expectation that does not hold is not an error.

use std::io;
use std::path::PathBuf;

use vouch_certs::CertsError;

use crate::host::HostGone;
use crate::script::ScriptErrors;
use crate::tables::ReadError;
use crate::topology::PortRef;

/// What went wrong in the lab itself.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A switch did not start.
    #[error("switch {switch} does not start: {error}")]
    Switch {
        /// Which one.
        switch: String,
        /// Why.
        error: String,
    },
    /// An agent did not start.
    #[error("the agent of {switch} does not start: {error}")]
    Agent {
        /// The agent's switch.
        switch: String,
        /// Why.
        error: String,
    },
    /// The certificates of the agents could not be made.
    #[error("cannot make the agents' certificates: {0}")]
    Certificates(#[from] CertsError),
    /// A capture file could not be created.
    #[error("cannot create the capture {path}: {error}", path = path.display())]
    Capture {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Files of the lab could not be written.
    #[error("cannot write: {0}")]
    Io(#[from] io::Error),
    /// A host's task has ended.
    #[error(transparent)]
    Host(#[from] HostGone),
    /// A switch's tables could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A scenario named a host that the topology does not have.
    #[error("there is no host {0} in this fabric")]
    NoSuchHost(String),
    /// A scenario named a seat that the topology does not have, or that is taken.
    #[error("there is no free seat at {0}")]
    NoSuchSeat(PortRef),
    /// The fabric did not get to where a scenario could begin.
    #[error("the fabric did not settle within {seconds} s: {missing}", missing = missing.join("; "))]
    NotSettled {
        /// How long it was waited for.
        seconds: u64,
        /// What was still missing.
        missing: Vec<String>,
    },
    /// A switch of this target cannot be treated like this.
    #[error("this target cannot {0}")]
    NotHere(&'static str),
    /// A file with a scenario is wrong.
    #[error(transparent)]
    Script(#[from] ScriptErrors),
    /// There is no scenario of that name.
    #[error("there is no scenario `{name}`; there are: {known}", known = known.join(", "))]
    NoSuchScenario {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
}
