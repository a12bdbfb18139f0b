//! One session, whoever dialled: hello, then messages both ways until there is a reason to end.

use std::net::Ipv4Addr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use prost::Message as _;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tonic::{Code, Status, Streaming};
use vouch_mobility::Message;

use super::api::{DownReason, PeerEvent, RefusalReason};
use super::dial::causes;
use super::identity::Caller;
use super::proto::{self, Frame, frame::Content};
use super::shared::{Peer, Shared};
use super::{VERSION, codec};

/// How many bytes of messages go into one frame. Far below the smallest limit that can be configured.
const FRAME_BYTES: usize = 32 * 1024;
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
}

/// The side that listens: hears who is there, and answers only whom it knows.
pub(super) async fn accepted(shared: Arc<Shared>, caller: Caller, mut wire: Wire) {
    let peer = tokio::select! {
        () = shared.shutdown.cancelled() => return,
        peer = welcome(&shared, &caller, &mut wire) => peer,
    };
    match peer {
        Ok(peer) => run(&shared, &peer, wire).await,
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
        hello = hello(shared, &mut wire.inbound) => hello.and_then(|hello| expect(&hello, peer)),
    };
    match answer {
        Ok(()) => {
            run(shared, peer, wire).await;
            Ended::WasUp
        }
        Err(reason) => {
            goodbye(&wire.outbound, &reason.to_string());
            Ended::Refused(reason)
        }
    }
}

async fn welcome(shared: &Shared, caller: &Caller, wire: &mut Wire) -> Result<Arc<Peer>, RefusalReason> {
    let hello = hello(shared, &mut wire.inbound).await?;
    let peer = shared.peers.values().find(|peer| peer.config.name == hello.name);
    let peer = peer.ok_or_else(|| RefusalReason::UnknownPeer(hello.name.escape_debug().to_string()))?;
    if let Some(certified) = &caller.certified
        && !certified.iter().any(|name| name.eq_ignore_ascii_case(&hello.name))
    {
        return Err(RefusalReason::Name { announced: hello.name, certified: certified.to_vec() });
    }
    expect(&hello, peer)?;
    if peer.config.address > shared.setup.address {
        return Err(RefusalReason::Direction(hello.name));
    }
    if wire.outbound.send(shared.hello()).await.is_err() {
        return Err(RefusalReason::Hello("the connection is gone".to_owned()));
    }
    Ok(peer.clone())
}

/// The first thing the other side says, which is who it is.
async fn hello(shared: &Shared, inbound: &mut Streaming<Frame>) -> Result<proto::Hello, RefusalReason> {
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
    Ok(hello)
}

/// Whether the other side says that it is this peer.
fn expect(hello: &proto::Hello, peer: &Peer) -> Result<(), RefusalReason> {
    if hello.name != peer.config.name {
        return Err(RefusalReason::Name {
            announced: printable(&hello.name),
            certified: vec![peer.config.name.clone()],
        });
    }
    let announced = Ipv4Addr::from_bits(hello.vtep_address);
    if announced != peer.config.address.0 {
        return Err(RefusalReason::Address {
            name: peer.config.name.clone(),
            announced: announced.to_string(),
            configured: peer.config.address,
        });
    }
    Ok(())
}

/// The session proper, once both sides know each other.
async fn run(shared: &Arc<Shared>, peer: &Arc<Peer>, wire: Wire) {
    let vtep = peer.config.address;
    let number = peer.supersede();
    let _turn = tokio::select! {
        () = shared.shutdown.cancelled() => return,
        turn = peer.turn.lock() => turn,
    };
    let (outbox, queue) = mpsc::channel(shared.setup.config.queue);
    let (end, mut ended) = mpsc::channel(1);
    if !peer.install(number, outbox, end) {
        return;
    }
    shared.counters.sessions.fetch_add(1, Ordering::Relaxed);
    tracing::info!(peer = peer.config.name, %vtep, "session up");

    let Wire { inbound, outbound } = wire;
    let reason = if shared.events.send(PeerEvent::Up { vtep }).await.is_err() {
        DownReason::Shutdown
    } else {
        // Reading and writing do not wait for each other: two sides that wait for each other's reading would never end.
        let read = pin!(read(shared, peer, inbound));
        let write = pin!(write(shared, queue, &outbound));
        tokio::select! {
            () = shared.shutdown.cancelled() => DownReason::Shutdown,
            // The sender is dropped only by `remove` below, or after it has sent.
            reason = ended.recv() => reason.unwrap_or(DownReason::Replaced),
            reason = read => reason,
            reason = write => reason,
        }
    };

    peer.remove();
    goodbye(&outbound, &reason.to_string());
    shared.counters.down(&reason);
    tracing::info!(peer = peer.config.name, %vtep, %reason, "session down");
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
            Some(Content::Hello(_)) => return DownReason::Malformed("a second hello".to_owned()),
            None => return DownReason::Malformed("a frame of unknown kind".to_owned()),
        };
        for message in messages {
            let message = match codec::decode(message) {
                Ok(message) => message,
                Err(what) => return DownReason::Malformed(what),
            };
            shared.counters.received.fetch_add(1, Ordering::Relaxed);
            if shared.events.send(PeerEvent::Message { vtep, message }).await.is_err() {
                return DownReason::Shutdown;
            }
        }
    }
}

/// What a failed read means. Failures of the connection have a cause; what cannot be decoded has none.
fn broken(status: &Status) -> DownReason {
    let cause = std::error::Error::source(status).is_some();
    match status.code() {
        Code::OutOfRange | Code::ResourceExhausted if !cause => DownReason::Malformed(status.message().to_owned()),
        Code::Internal | Code::Unimplemented if !cause => DownReason::Malformed(status.message().to_owned()),
        _ => DownReason::Closed(causes(status)),
    }
}

/// Writes what waits in the queue, and a heartbeat when nothing did for a while.
async fn write(shared: &Shared, mut queue: mpsc::Receiver<Message>, outbound: &mpsc::Sender<Frame>) -> DownReason {
    let gone = || DownReason::Closed("the connection is gone".to_owned());
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let taken = tokio::select! {
            taken = queue.recv_many(&mut batch, BATCH) => taken,
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
        for frame in frames(&mut batch) {
            let messages = match &frame.content {
                Some(Content::Batch(batch)) => batch.messages.len() as u64,
                Some(Content::Hello(_) | Content::Heartbeat(_) | Content::Goodbye(_)) | None => 0,
            };
            if outbound.send(frame).await.is_err() {
                return gone();
            }
            shared.counters.sent.fetch_add(messages, Ordering::Relaxed);
        }
    }
}

/// The messages in frames of bounded size.
fn frames(messages: &mut Vec<Message>) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut batch = proto::Batch::default();
    let mut bytes = 0;
    for message in messages.drain(..) {
        let message = codec::encode(&message);
        let length = message.encoded_len();
        if bytes + length > FRAME_BYTES && !batch.messages.is_empty() {
            frames.push(Frame { content: Some(Content::Batch(std::mem::take(&mut batch))) });
            bytes = 0;
        }
        bytes += length;
        batch.messages.push(message);
    }
    frames.push(Frame { content: Some(Content::Batch(batch)) });
    frames
}

/// Says why, if there is room; the stream ends anyway.
fn goodbye(outbound: &mpsc::Sender<Frame>, reason: &str) {
    let content = Content::Goodbye(proto::Goodbye { reason: reason.to_owned() });
    let _ = outbound.try_send(Frame { content: Some(content) });
}

/// Foreign text, fit for a log.
fn printable(text: &str) -> String {
    text.chars().take(200).collect::<String>().escape_debug().to_string()
}
