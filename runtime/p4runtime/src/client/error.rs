//! Requests that fail as a whole.

use std::time::Duration;

use thiserror::Error;
use tonic::{Code, Status};

/// Why the switch did not do what a request asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RpcError {
    /// There is no connection now; the session is trying to get one.
    #[error("{rpc}: not connected to the switch")]
    NotConnected {
        /// The request.
        rpc: &'static str,
    },
    /// No answer in time; what the switch did is unknown.
    #[error("{rpc}: no answer from the switch within {after:?}")]
    TimedOut {
        /// The request.
        rpc: &'static str,
        /// The bound.
        after: Duration,
    },
    /// The request is beyond [`super::SessionConfig::max_message`]; it was not sent.
    #[error("{rpc}: a request of {bytes} bytes, where the session's limit is {limit}")]
    TooLarge {
        /// The request.
        rpc: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The switch, or the connection to it, refused.
    #[error("{rpc}: {message} ({code:?}{hint})", hint = hint(*.code))]
    Status {
        /// The request.
        rpc: &'static str,
        /// The gRPC code.
        code: Code,
        /// What the switch says.
        message: String,
    },
}

/// Who must act, where the code alone does not tell.
fn hint(code: Code) -> &'static str {
    match code {
        Code::PermissionDenied => ": another controller is primary, or the role does not allow it",
        Code::Unavailable => ": the connection is gone",
        Code::ResourceExhausted => ": a table is full, or a message was larger than one side takes",
        _ => "",
    }
}

impl RpcError {
    pub(super) fn status(rpc: &'static str, status: &Status) -> Self {
        let message = match status.message() {
            "" => status.code().description().to_owned(),
            message => message.to_owned(),
        };
        Self::Status { rpc, code: status.code(), message }
    }

    /// The gRPC code, where there is one.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::NotConnected { .. } | Self::TimedOut { .. } | Self::TooLarge { .. } => None,
            Self::Status { code, .. } => Some(*code),
        }
    }

    /// We are not primary: someone else may write, we may not.
    pub fn is_not_primary(&self) -> bool {
        self.code() == Some(Code::PermissionDenied)
    }

    /// A new connection may help: wait for [`super::Event::Primary`].
    pub fn is_connection(&self) -> bool {
        match self {
            Self::NotConnected { .. } | Self::TimedOut { .. } => true,
            Self::TooLarge { .. } => false,
            Self::Status { code, .. } => *code == Code::Unavailable,
        }
    }
}

/// An error with its causes, in one line; transport errors say nothing without them.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
