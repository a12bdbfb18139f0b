//! Link state of the switch's ports.
//!
//! P4Runtime has no word for "this port lost its link", and that is evidence: whoever was behind it is gone (B2).
//! It comes by gNMI, where the switch offers that; on one that does not (BMv2) every verdict about a dead port waits for
//! its timeout, and the log says so once.

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use vouch_p4runtime::client::{PortEvent, PortStream, RpcError, Session};

use crate::config::LinkStatus;

/// The wait before a broken subscription is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// A subscription that is kept up.
pub(crate) struct PortFeed {
    state: State,
}

enum State {
    /// Not wanted, or not to be had.
    Off,
    /// To be subscribed then.
    Waiting(Instant),
    Subscribing(Pin<Box<dyn Future<Output = Result<PortStream, RpcError>> + Send>>),
    Following(Box<PortStream>),
    /// The switch is not there yet.
    Idle,
}

impl PortFeed {
    pub(crate) fn new(source: LinkStatus) -> Self {
        let state = match source {
            LinkStatus::Gnmi => State::Idle,
            LinkStatus::None => State::Off,
        };
        Self { state }
    }

    /// The switch is there (again): all port states will be told anew.
    pub(crate) fn restart(&mut self) {
        match self.state {
            State::Off => {}
            State::Waiting(_) | State::Subscribing(_) | State::Following(_) | State::Idle => {
                self.state = State::Waiting(Instant::now());
            }
        }
    }

    /// The next port and whether its link is up. Cancel-safe: what was begun goes on with the next call.
    pub(crate) async fn next(&mut self, session: &Session) -> (u16, bool) {
        loop {
            match &mut self.state {
                State::Off | State::Idle => pending().await,
                State::Waiting(until) => {
                    sleep_until(*until).await;
                    let session = session.clone();
                    self.state = State::Subscribing(Box::pin(async move { session.subscribe_ports().await }));
                }
                State::Subscribing(subscription) => match subscription.await {
                    Ok(stream) => self.state = State::Following(Box::new(stream)),
                    Err(error) => self.broken(Some(error)),
                },
                State::Following(stream) => match stream.next().await {
                    Some(Ok(PortEvent::State { port, up })) => match port.parse() {
                        Ok(port) => return (port, up),
                        Err(_) => tracing::debug!(port, "the state of a port without a number"),
                    },
                    Some(Ok(PortEvent::Synced)) => {}
                    Some(Err(error)) => self.broken(Some(error)),
                    None => self.broken(None),
                },
            }
        }
    }

    fn broken(&mut self, error: Option<RpcError>) {
        match error {
            Some(error) if error.code() == Some(tonic::Code::Unimplemented) => {
                tracing::info!(
                    "the switch has no gNMI: a port that goes down is no evidence, verdicts wait for their timeout"
                );
                self.state = State::Off;
            }
            Some(_) | None => self.state = State::Waiting(Instant::now() + RETRY),
        }
    }
}
