//! One session, whoever dialled: hello, then messages both ways until there is a reason to end.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use prost::Message as _;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tonic::{Code, Status, Streaming};
use vouch_mobility::{Incarnation, Message, VtepAddr};
use vouch_net::MacAddr;

use super::api::{DownReason, PeerEvent, RefusalReason, VERSION};
use super::causes::{causes, printable};
use super::codec;
use super::identity::{Caller, Chain};
use super::misbehaviour::PeerMisbehaved;
use super::proto::{self, Frame, frame::Content};
use super::shared::{Peer, Shared};

/// How many bytes of messages go into one frame. Far below the smallest limit that can be configured.
const FRAME_BYTES: usize = 32 * 1024;
/// How many frames wait between a session and its connection.
pub(super) const FRAMES_IN_FLIGHT: usize = 4;
/// How long a peer has to hear why its session ends.
const FAREWELL: Duration = Duration::from_millis(100);
/// How many messages are taken from the queue at a time.
const BATCH: usize = 256;

/// How far a session got.
pub(super) enum Ended {
    /// There was none.
    Refused(RefusalReason),
    /// It was up.
    WasUp,
}

/// The two directions of a stream.
pub(super) struct Wire {
    pub(super) inbound: Streaming<Frame>,
    pub(super) outbound: mpsc::Sender<Frame>,
    /// What the peer has shown of itself, where there is TLS.
    pub(super) shown: Option<Chain>,
}

/// What the other side says of itself.
struct Hello {
    name: String,
    address: VtepAddr,
    incarnation: Incarnation,
    probe_mac: MacAddr,
}

/// The side that listens: hears who is there, and answers only whom it knows.
pub(super) async fn accepted(shared: Arc<Shared>, caller: Caller, mut wire: Wire) {
    let peer = tokio::select! {
        () = shared.shutdown.cancelled() => return,
        peer = welcome(&shared, &caller, &mut wire) => peer,
    };
    match peer {
        Ok((peer, hello)) => run(&shared, &peer, &hello, wire).await,
        Err(reason) => {
            goodbye(&wire.outbound, &reason.to_string());
            shared.refuse(&caller.from, reason);
        }
    }
}

/// The side that dialled, after it has said hello.
pub(super) async fn dialled(shared: &Arc<Shared>, peer: &Arc<Peer>, mut wire: Wire) -> Ended {
    let answer = tokio::select! {
        () = shared.shutdown.cancelled() => return Ended::WasUp,
        hello = hello(shared, &mut wire.inbound) => hello.and_then(|hello| expect(&hello, peer).map(|()| hello)),
    };
    match answer {
        Ok(hello) => {
            run(shared, peer, &hello, wire).await;
            Ended::WasUp
        }
        Err(reason) => {
            goodbye(&wire.outbound, &reason.to_string());
            Ended::Refused(reason)
        }
    }
}

async fn welcome(shared: &Shared, caller: &Caller, wire: &mut Wire) -> Result<(Arc<Peer>, Hello), RefusalReason> {
    let hello = hello(shared, &mut wire.inbound).await?;
    let peer = shared.peers.values().find(|peer| peer.config.name == hello.name);
    let peer = peer.ok_or_else(|| RefusalReason::UnknownPeer(hello.name.escape_debug().to_string()))?;
    if let Some(certified) = caller.certified()
        && !certified.iter().any(|name| name.eq_ignore_ascii_case(&hello.name))
    {
        return Err(RefusalReason::Name { announced: hello.name, certified });
    }
    expect(&hello, peer)?;
    if peer.config.address > shared.setup.address {
        return Err(RefusalReason::Direction(hello.name));
    }
    // Whoever is about to be in charge of its switch need not be called twice; but the peer waits only for so long.
    if timeout(shared.setup.config.dead_after / 2, shared.opened()).await.is_err() {
        return Err(RefusalReason::NotInCharge);
    }
    if wire.outbound.send(shared.hello()).await.is_err() {
        return Err(RefusalReason::Hello("the connection is gone".to_owned()));
    }
    Ok((peer.clone(), hello))
}

/// The first thing the other side says, which is who it is.
async fn hello(shared: &Shared, inbound: &mut Streaming<Frame>) -> Result<Hello, RefusalReason> {
    let frame = match timeout(shared.setup.config.dead_after, inbound.message()).await {
        Ok(Ok(frame)) => frame,
        Ok(Err(status)) => return Err(RefusalReason::Hello(status.message().to_owned())),
        Err(_) => return Err(RefusalReason::Hello("none came in time".to_owned())),
    };
    let hello = match frame.and_then(|frame| frame.content) {
        Some(Content::Hello(hello)) => hello,
        Some(Content::Goodbye(goodbye)) => return Err(RefusalReason::ByPeer(printable(&goodbye.reason))),
        Some(Content::Batch(_) | Content::Heartbeat(_)) | None => {
            return Err(RefusalReason::Hello("it began with something else".to_owned()));
        }
    };
    if hello.version != VERSION {
        return Err(RefusalReason::Version(hello.version));
    }
    let probe_mac = codec::mac(&hello.probe_mac);
    let address = codec::vtep(hello.vtep_address, &hello.vtep_ipv6);
    Ok(Hello {
        name: hello.name,
        address: address.map_err(|error| RefusalReason::Hello(error.to_string()))?,
        incarnation: Incarnation(hello.incarnation),
        probe_mac: probe_mac.map_err(|error| RefusalReason::Hello(format!("its probe MAC is {error}")))?,
    })
}

/// Whether the other side says that it is this peer.
fn expect(hello: &Hello, peer: &Peer) -> Result<(), RefusalReason> {
    if hello.name != peer.config.name {
        return Err(RefusalReason::Name {
            announced: printable(&hello.name),
            certified: vec![peer.config.name.clone()],
        });
    }
    if hello.address != peer.config.address {
        return Err(RefusalReason::Address {
            name: peer.config.name.clone(),
            announced: hello.address.to_string(),
            configured: peer.config.address,
        });
    }
    Ok(())
}

/// The session proper, once both sides know each other.
async fn run(shared: &Arc<Shared>, peer: &Arc<Peer>, hello: &Hello, wire: Wire) {
    let vtep = peer.config.address;
    let number = peer.supersede();
    let _turn = tokio::select! {
        () = shared.shutdown.cancelled() => return,
        turn = peer.turn.lock() => turn,
    };
    let (outbox, queue) = mpsc::channel(shared.setup.config.queue);
    let (end, mut ended) = mpsc::channel(1);
    let Wire { mut inbound, outbound, shown } = wire;
    if !peer.install(number, outbox, end, shown.clone()) {
        return;
    }
    // Since hello was said, and before there was a session to end: there is none.
    let closed = (!shared.is_open()).then_some(DownReason::NotInCharge);
    if let Some(reason) = closed.or_else(|| shared.is_revoked(shown.as_ref()).then_some(DownReason::Revoked)) {
        peer.remove(&reason);
        goodbye(&outbound, &reason.to_string());
        drop(outbound);
        // Whoever dials closes the connection with its stream, and the peer would not hear why.
        let _ = timeout(FAREWELL, async { while let Ok(Some(_)) = inbound.message().await {} }).await;
        shared.counters.down(&reason);
        return;
    }
    shared.counters.sessions.fetch_add(1, Ordering::Relaxed);
    let agent = &shared.setup.name;
    tracing::info!(agent, event = "peer-up", peer = peer.config.name, %vtep, "session up");

    let up = PeerEvent::Up { vtep, session: number, incarnation: hello.incarnation, probe_mac: hello.probe_mac };
    // Reading and writing do not wait for each other: two sides that wait for each other's reading would never end.
    let mut read = pin!(read(shared, peer, inbound));
    let (reason, ours) = if shared.events.send(up).await.is_err() {
        (DownReason::Shutdown, false)
    } else {
        let write = pin!(write(shared, peer, queue, &outbound));
        tokio::select! {
            () = shared.shutdown.cancelled() => (DownReason::Shutdown, false),
            // The sender is dropped only by `remove` below, or after it has sent.
            reason = ended.recv() => (reason.unwrap_or(DownReason::Replaced), true),
            reason = &mut read => (reason, false),
            reason = write => (reason, false),
        }
    };

    peer.remove(&reason);
    goodbye(&outbound, &reason.to_string());
    drop(outbound);
    if ours {
        // Whoever dials closes the connection with its stream, and the peer would not hear why.
        let _ = timeout(FAREWELL, read).await;
    }
    shared.counters.down(&reason);
    tracing::info!(agent, event = "peer-down", peer = peer.config.name, %vtep, %reason, "session down");
    let down = PeerEvent::Down { vtep, reason };
    tokio::select! {
        biased;
        // Whoever shuts down does not read events any more.
        () = shared.shutdown.cancelled() => {}
        _ = shared.events.send(down) => {}
    }
}

/// Reads until there is nothing more to read. Slow readers of the events slow the peer down; they are not its silence.
async fn read(shared: &Shared, peer: &Peer, mut inbound: Streaming<Frame>) -> DownReason {
    let vtep = peer.config.address;
    loop {
        let frame = match timeout(shared.setup.config.dead_after, inbound.message()).await {
            Ok(Ok(Some(frame))) => frame,
            Ok(Ok(None)) => return DownReason::Closed("the stream ended".to_owned()),
            Ok(Err(status)) => return broken(&status),
            Err(_) => return DownReason::Silent,
        };
        let messages = match frame.content {
            Some(Content::Batch(batch)) => batch.messages,
            Some(Content::Heartbeat(proto::Heartbeat {})) => continue,
            Some(Content::Goodbye(goodbye)) => return DownReason::Closed(printable(&goodbye.reason)),
            Some(Content::Hello(_)) => return DownReason::Misbehaved(PeerMisbehaved::SecondHello),
            None => return DownReason::Misbehaved(PeerMisbehaved::UnknownFrame),
        };
        for message in messages {
            let message = match codec::decode(message) {
                Ok(message) => message,
                Err(how) => return DownReason::Misbehaved(how),
            };
            shared.counters.received.fetch_add(1, Ordering::Relaxed);
            peer.received.fetch_add(1, Ordering::Relaxed);
            if shared.events.send(PeerEvent::Message { vtep, message }).await.is_err() {
                return DownReason::Shutdown;
            }
        }
    }
}

/// What a failed read means. Failures of the connection have a cause; what cannot be decoded has none.
fn broken(status: &Status) -> DownReason {
    let cause = std::error::Error::source(status).is_some();
    let unreadable = || DownReason::Misbehaved(PeerMisbehaved::Unreadable(status.message().to_owned()));
    match status.code() {
        Code::OutOfRange | Code::ResourceExhausted | Code::Internal | Code::Unimplemented if !cause => unreadable(),
        _ => DownReason::Closed(causes(status)),
    }
}

/// Writes what waits in the queue, and a heartbeat when nothing did for a while.
async fn write(
    shared: &Shared,
    peer: &Peer,
    mut queue: mpsc::Receiver<Message>,
    outbound: &mpsc::Sender<Frame>,
) -> DownReason {
    let gone = || DownReason::Closed("the connection is gone".to_owned());
    let mut messages = Vec::with_capacity(BATCH);
    loop {
        let taken = tokio::select! {
            taken = queue.recv_many(&mut messages, BATCH) => taken,
            () = sleep(shared.setup.config.heartbeat) => {
                let beat = Frame { content: Some(Content::Heartbeat(proto::Heartbeat {})) };
                if outbound.send(beat).await.is_err() {
                    return gone();
                }
                continue;
            }
        };
        if taken == 0 {
            // The queue was taken away with the reason to end, which `run` is about to see.
            return std::future::pending().await;
        }
        shared.room.notify_one();
        for (batch, bytes) in batches(&mut messages) {
            let messages = batch.messages.len() as u64;
            if outbound.send(Frame { content: Some(Content::Batch(batch)) }).await.is_err() {
                return gone();
            }
            shared.counters.sent.fetch_add(messages, Ordering::Relaxed);
            shared.counters.bytes_sent.fetch_add(bytes as u64, Ordering::Relaxed);
            peer.sent.fetch_add(messages, Ordering::Relaxed);
        }
    }
}

/// The messages in batches of bounded size, each with its size.
fn batches(messages: &mut Vec<Message>) -> Vec<(proto::Batch, usize)> {
    let mut batches = Vec::new();
    let mut batch = proto::Batch::default();
    let mut bytes = 0;
    for message in messages.drain(..) {
        let message = codec::encode(&message);
        let length = message.encoded_len();
        if bytes + length > FRAME_BYTES && !batch.messages.is_empty() {
            batches.push((std::mem::take(&mut batch), std::mem::take(&mut bytes)));
        }
        bytes += length;
        batch.messages.push(message);
    }
    batches.push((batch, bytes));
    batches
}

/// Says why, if there is room; the stream ends anyway.
fn goodbye(outbound: &mpsc::Sender<Frame>, reason: &str) {
    let content = Content::Goodbye(proto::Goodbye { reason: reason.to_owned() });
    let _ = outbound.try_send(Frame { content: Some(content) });
}
