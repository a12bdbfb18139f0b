//! Subscribers: welcomed, each given what is published, let go when they leave or misbehave.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::address::Address;

/// Most subscribers at a time.
pub const MAX_SUBSCRIBERS: usize = 64;
/// Most bytes that wait for one subscriber.
const MAX_WAITING: usize = 4 << 20;
/// What a message takes beside its bytes.
const OVERHEAD: usize = 64;
/// How many bytes are gathered before they are written.
const MANY: usize = 1 << 16;
/// How long a subscriber may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait when nobody could be accepted, for whatever there was too much of.
const PAUSE: Duration = Duration::from_millis(100);

/// What a publisher begins with.
const HEADER: [u8; 8] = *b"\0SP\0\x00\x20\0\0";
/// What a subscriber begins with.
const SUBSCRIBER: [u8; 8] = *b"\0SP\0\x00\x21\0\0";

/// A place where anybody may subscribe. Dropping it closes it.
#[derive(Debug)]
pub struct Publisher {
    address: Address,
    audience: Arc<Audience>,
    accepting: JoinHandle<()>,
    /// What was made in the file system.
    socket: Mutex<Option<SocketFile>>,
}

/// Those who have subscribed.
#[derive(Debug, Default)]
struct Audience {
    subscribers: Mutex<HashMap<u64, Arc<Subscriber>>>,
    /// How many there are, for those who only want to know whether there is anybody.
    count: AtomicUsize,
    next: AtomicU64,
    dropped: AtomicU64,
}

/// What waits for one of them.
#[derive(Debug, Default)]
struct Subscriber {
    queue: Mutex<Queue>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Arc<[u8]>>,
    bytes: usize,
}

/// How lengths are written, which is all that the transports differ in.
#[derive(Clone, Copy)]
enum Framing {
    Ipc,
    Tcp,
}

impl Publisher {
    /// Let subscribers come to an address. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// Somebody else has the address, or it may not be used.
    pub async fn bind(address: &Address) -> io::Result<Self> {
        let audience = Arc::<Audience>::default();
        let (address, accepting, socket) = match address {
            Address::Ipc(path) => {
                let (listener, socket) = bind_local(path)?;
                let audience = audience.clone();
                let accept = async move || Ok(listener.accept().await?.0);
                (address.clone(), tokio::spawn(welcome(accept, Framing::Ipc, audience)), Some(socket))
            }
            Address::Tcp { host, port } => {
                let listener = bind_tcp(host.as_deref(), *port).await?;
                let address = Address::Tcp { host: host.clone(), port: listener.local_addr()?.port() };
                let audience = audience.clone();
                let accept = async move || {
                    let (stream, _) = listener.accept().await?;
                    stream.set_nodelay(true)?;
                    Ok(stream)
                };
                (address, tokio::spawn(welcome(accept, Framing::Tcp, audience)), None)
            }
        };
        Ok(Self { address, audience, accepting, socket: Mutex::new(socket) })
    }

    /// Where subscribers come to.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Whether anybody hears what is published.
    pub fn has_subscribers(&self) -> bool {
        self.audience.count.load(Ordering::Relaxed) > 0
    }

    /// Give all subscribers a message. Never waits.
    pub fn publish(&self, message: &[u8]) {
        if self.has_subscribers() {
            self.audience.publish(message.into());
        }
    }

    /// Let all subscribers go, and take the socket away.
    pub fn close(&self) {
        self.accepting.abort();
        lock(&self.socket).take();
    }

    /// How many messages subscribers have missed because they were too slow.
    pub fn dropped(&self) -> u64 {
        self.audience.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.close();
    }
}

/// A socket in the file system, which nobody else takes away.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Whoever has removed it already has done this.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Listen at a path; a socket that nobody listens at any more is replaced.
fn bind_local(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let listener = UnixListener::bind(path).or_else(|error| {
        let abandoned = std::fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket())
            && std::os::unix::net::UnixStream::connect(path)
                .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        if error.kind() != io::ErrorKind::AddrInUse || !abandoned {
            return Err(error);
        }
        std::fs::remove_file(path)?;
        UnixListener::bind(path)
    })?;
    Ok((listener, SocketFile(path.to_owned())))
}

async fn bind_tcp(host: Option<&str>, port: u16) -> io::Result<TcpListener> {
    match host {
        Some(host) => TcpListener::bind((host, port)).await,
        None => match TcpListener::bind((std::net::Ipv6Addr::UNSPECIFIED, port)).await {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                // A machine without IPv6.
                TcpListener::bind((std::net::Ipv4Addr::UNSPECIFIED, port)).await
            }
            other => other,
        },
    }
}

/// Give each who comes a task, until this is aborted; the tasks end with it.
async fn welcome<S>(mut accept: impl AsyncFnMut() -> io::Result<S>, framing: Framing, audience: Arc<Audience>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut served = tokio::task::JoinSet::new();
    loop {
        while served.try_join_next().is_some() {}
        match accept().await {
            Ok(_) if served.len() >= MAX_SUBSCRIBERS => {
                tracing::warn!("a subscriber is turned away: {MAX_SUBSCRIBERS} are there, which is the most");
            }
            Ok(stream) => {
                let audience = audience.clone();
                served.spawn(async move {
                    if let Err(error) = serve(stream, framing, &audience).await {
                        tracing::debug!(%error, "a subscriber is let go");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no subscriber can be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Exchange headers, then give messages until the subscriber leaves. It has its place before it gets the publisher's header, and
/// from then on misses nothing.
async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    framing: Framing,
    audience: &Arc<Audience>,
) -> io::Result<()> {
    let mut header = [0; 8];
    let introduced = tokio::time::timeout(PATIENCE, stream.read_exact(&mut header));
    introduced.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    if header != SUBSCRIBER {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{header:02x?} is no subscriber's header")));
    }
    let place = audience.admit();
    stream.write_all(&HEADER).await?;
    let (mut from, mut to) = tokio::io::split(stream);
    let mut word = [0];
    tokio::select! {
        said = from.read(&mut word) => match said? {
            0 => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "a subscriber says nothing after its header")),
        },
        gone = place.subscriber.deliver(&mut to, framing) => gone,
    }
}

impl Audience {
    fn admit(self: &Arc<Self>) -> Place {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let subscriber = Arc::<Subscriber>::default();
        lock(&self.subscribers).insert(number, subscriber.clone());
        self.count.fetch_add(1, Ordering::Relaxed);
        Place { number, subscriber, audience: self.clone() }
    }

    fn publish(&self, message: Arc<[u8]>) {
        for subscriber in lock(&self.subscribers).values() {
            if !subscriber.offer(&message) {
                let before = self.dropped.fetch_add(1, Ordering::Relaxed);
                if before == 0 {
                    tracing::warn!("a subscriber is too slow for what is published; it misses messages");
                }
            }
        }
    }
}

/// A subscriber's place in the audience.
struct Place {
    number: u64,
    subscriber: Arc<Subscriber>,
    audience: Arc<Audience>,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.audience.subscribers).remove(&self.number);
        self.audience.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Subscriber {
    /// Let a message wait for this subscriber; `false` if there is no room.
    fn offer(&self, message: &Arc<[u8]>) -> bool {
        let mut queue = lock(&self.queue);
        let bytes = queue.bytes + message.len() + OVERHEAD;
        if bytes > MAX_WAITING {
            return false;
        }
        queue.bytes = bytes;
        queue.messages.push_back(message.clone());
        drop(queue);
        self.filled.notify_one();
        true
    }

    fn next(&self) -> Option<Arc<[u8]>> {
        let mut queue = lock(&self.queue);
        let message = queue.messages.pop_front()?;
        queue.bytes -= message.len() + OVERHEAD;
        Some(message)
    }

    async fn deliver(&self, to: &mut (impl AsyncWrite + Unpin), framing: Framing) -> io::Result<()> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            while bytes.len() < MANY
                && let Some(message) = self.next()
            {
                if let Framing::Ipc = framing {
                    bytes.push(1);
                }
                bytes.extend((message.len() as u64).to_be_bytes());
                bytes.extend_from_slice(&message);
            }
            if bytes.is_empty() {
                self.filled.notified().await;
            }
            to.write_all(&bytes).await?;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Single operations of maps and queues only: nothing is half done after a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
