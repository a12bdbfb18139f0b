//! The dialling side: tries for ever, ever more patiently.

use std::collections::hash_map::RandomState;
use std::error::Error;
use std::hash::BuildHasher;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_rustls::rustls;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;

use super::api::{PeeringError, RefusalReason};
use super::causes::causes;
use super::identity::{self, Shown};
use super::proto::peering_client::PeeringClient;
use super::session::{self, Ended, FRAMES_IN_FLIGHT, Wire};
use super::shared::{Peer, Shared};

/// Where a peer is. TLS is ours, and below what tonic sees ([`identity::dialler`]): it knows no lists of revoked certificates.
pub(super) fn endpoint(shared: &Shared, peer: &Peer) -> Result<Endpoint, PeeringError> {
    let wrong = |error: tonic::transport::Error| PeeringError::Endpoint {
        peer: peer.config.name.clone(),
        endpoint: peer.config.endpoint.clone(),
        why: causes(&error),
    };
    let seen = match peer.config.endpoint.strip_prefix("https://").filter(|_| shared.keys().is_some()) {
        Some(rest) => format!("http://{rest}"),
        None => peer.config.endpoint.clone(),
    };
    let endpoint = Endpoint::from_shared(seen).map_err(wrong)?;
    Ok(endpoint.tcp_nodelay(true).connect_timeout(shared.setup.config.dead_after))
}

/// Keeps a session with one peer until shutdown.
pub(super) async fn dial(shared: Arc<Shared>, peer: Arc<Peer>) {
    let config = &shared.setup.config;
    let mut wait = config.reconnect;
    loop {
        tokio::select! {
            () = shared.shutdown.cancelled() => return,
            () = shared.opened() => {}
        }
        let attempt = tokio::select! {
            () = shared.shutdown.cancelled() => return,
            attempt = attempt(&shared, &peer) => attempt,
        };
        match attempt {
            Ok(wire) => match session::dialled(&shared, &peer, wire).await {
                Ended::WasUp => wait = config.reconnect,
                Ended::Refused(reason) => {
                    peer.is_away(reason.to_string());
                    shared.refuse(&peer.config.endpoint, reason);
                }
            },
            Err(Failure::Refused(why)) => {
                let reason = RefusalReason::Handshake(why);
                peer.is_away(reason.to_string());
                shared.refuse(&peer.config.endpoint, reason);
            }
            Err(Failure::Unreachable(why)) => {
                peer.is_away(format!("not reached: {why}"));
                let times = shared.counters.unreachable.fetch_add(1, Ordering::Relaxed) + 1;
                if times.is_power_of_two() {
                    tracing::warn!(peer = peer.config.name, why, next_in = ?wait, "peer not reached, dialling on");
                }
            }
        }
        tokio::select! {
            () = shared.shutdown.cancelled() => return,
            () = sleep(jittered(wait)) => {}
        }
        wait = (wait * 2).min(config.reconnect_max);
    }
}

enum Failure {
    /// Somebody is there, but it is not the peer, or does not take us for ours.
    Refused(String),
    /// Nobody is there.
    Unreachable(String),
}

/// Connects and says hello.
async fn attempt(shared: &Shared, peer: &Peer) -> Result<Wire, Failure> {
    let endpoint = endpoint(shared, peer).map_err(|error| Failure::Refused(error.to_string()))?;
    let shown = Shown::default();
    let dialler = match shared.keys() {
        Some(keys) => identity::dialler(&shared.network, &keys, &peer.config.name, endpoint.uri(), &shown),
        None => shared.network.dialler().clone(),
    };
    let channel = dialler.connect(&endpoint).await.map_err(|error| failure(&error))?;
    let mut client = PeeringClient::new(channel).max_decoding_message_size(shared.setup.config.max_message);
    let (outbound, frames) = mpsc::channel(FRAMES_IN_FLIGHT);
    // The channel is empty and has room.
    let _ = outbound.try_send(shared.hello());
    let opened = timeout(shared.setup.config.dead_after, client.session(ReceiverStream::new(frames))).await;
    match opened {
        Ok(Ok(response)) => Ok(Wire { inbound: response.into_inner(), outbound, shown: shown.take() }),
        Ok(Err(status)) => Err(failure(&status)),
        Err(_) => Err(Failure::Unreachable(format!("{} does not answer", peer.config.name))),
    }
}

/// A TLS error somewhere among the causes is a refusal; all else means that nobody was there.
fn failure(error: &(dyn Error + 'static)) -> Failure {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Failure::Refused(tls.to_string());
        }
        // An I/O error hides what it wraps from `source`.
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            cause = Some(inner);
        } else {
            cause = error.source();
        }
    }
    Failure::Unreachable(causes(error))
}

/// Between half and all of the wait, so that agents that lost the same peer do not all return at once.
fn jittered(wait: Duration) -> Duration {
    // Each `RandomState` has keys of its own, so that hashing anything is a die.
    let die = RandomState::new().hash_one(0) as u32;
    wait / 2 + wait.mul_f64(f64::from(die) / f64::from(u32::MAX) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_half_and_all() {
        let wait = Duration::from_millis(100);
        let waits: Vec<_> = (0..100).map(|_| jittered(wait)).collect();
        assert!(waits.iter().all(|jittered| (wait / 2..=wait).contains(jittered)), "{waits:?}");
        assert!(waits.iter().any(|jittered| *jittered != waits[0]));
    }
}
