//! Link state of the switch's ports.
//!
//! P4Runtime has no word for "this port lost its link", and that is evidence: whoever was behind it is gone (B2).
//! It comes by gNMI, where the switch offers that; on one that does not (BMv2) every verdict about a dead port waits for
//! its timeout, and the log says so once. What was said in a stream that has broken is not known any more. Where the switch also
//! says how long a frame may be, nobody has to configure it.

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use vouch_p4runtime::client::{PortEvent, PortStream, RpcError, Session};

use super::core::Link;
use crate::config::LinkStatus;

/// The wait before a broken subscription is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What is heard of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PortNews {
    /// Of one.
    Link {
        /// Which.
        port: u16,
        /// What it has.
        link: Link,
    },
    /// The longest frame that one carries.
    Mtu {
        /// Which.
        port: u16,
        /// In bytes, its Ethernet header included.
        bytes: u16,
    },
    /// Nothing is known any more of any.
    Unknown,
}

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

    /// The switch is gone, and with it what is known of its ports.
    pub(crate) fn stop(&mut self) {
        match self.state {
            State::Off => {}
            State::Waiting(_) | State::Subscribing(_) | State::Following(_) | State::Idle => self.state = State::Idle,
        }
    }

    /// The next news. Cancel-safe: what was begun goes on with the next call.
    pub(crate) async fn next(&mut self, session: &Session) -> PortNews {
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
                        Ok(port) => return PortNews::Link { port, link: if up { Link::Up } else { Link::Down } },
                        Err(_) => tracing::debug!(port, "the state of a port without a number"),
                    },
                    Some(Ok(PortEvent::Mtu { port, bytes })) => {
                        if let Ok(port) = port.parse() {
                            return PortNews::Mtu { port, bytes };
                        }
                    }
                    Some(Ok(PortEvent::Synced)) => {}
                    Some(Err(error)) => {
                        self.broken(Some(error));
                        return PortNews::Unknown;
                    }
                    None => {
                        self.broken(None);
                        return PortNews::Unknown;
                    }
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
