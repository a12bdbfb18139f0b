//! What an orchestrator and an operator may order: from within ([`Agent`](crate::Agent)) or over a socket
//! ([`management`](crate::management)).

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use vouch_mobility::HostKey;

use crate::events::Place;

/// An order, and who waits to hear what became of it.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) what: What,
    pub(crate) reply: oneshot::Sender<Result<(), OrderError>>,
}

/// What is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// A host is about to move, and so long that is to be believed (B15).
    ExpectMove { host: HostKey, to: Place, within: Duration },
    /// A host that answers at two places belongs here (B12).
    Settle { host: HostKey, keep: Place },
    /// The VTEP is taken out of use, or back into it.
    Drain { on: bool },
}

/// An order that cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// The agent does not run any more.
    #[error("the agent has stopped")]
    Stopped,
    /// It has not had its switch so far, and knows no hosts.
    #[error("the agent has not had its switch so far")]
    NotReady,
    /// The VNI is none of the agent's.
    #[error("the agent has no such VNI")]
    UnknownVni,
    /// There is no such access interface or peer in the VNI.
    #[error("the agent has no such access interface or peer in this VNI")]
    UnknownPlace,
}

/// Speaks to an agent. Clones speak to the same one.
#[derive(Debug, Clone)]
pub(crate) struct Orders(mpsc::Sender<Order>);

impl Orders {
    /// Orders, and where they arrive.
    pub(crate) fn channel() -> (Self, mpsc::Receiver<Order>) {
        let (sender, receiver) = mpsc::channel(16);
        (Self(sender), receiver)
    }

    /// Gives an order, and waits until it has been taken.
    pub(crate) async fn give(&self, what: What) -> Result<(), OrderError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Order { what, reply }).await.map_err(|_| OrderError::Stopped)?;
        answer.await.unwrap_or(Err(OrderError::Stopped))
    }
}
