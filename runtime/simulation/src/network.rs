//! The management network: connections between agents, and from agents to their switches, by memory and on virtual time.
//!
//! A connection is two pipes of bytes. What is written arrives in order after the delay of its direction, waits while that
//! direction is blocked, as TCP's retransmissions do, and is lost when the connection is reset. A fault can be armed to strike at
//! a write to come: the write gets out by half, and then the connection breaks, or the whole process that wrote is dead.
//! For a process that has died nothing gets out any more, whatever its tasks still do until they are dropped.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, Sleep, sleep};
use tonic::transport::server::Connected;
use vouch_agent::Network;
use vouch_agent::network::{Accepting, Listener};
use vouch_p4runtime::client::{ByteStream, Dialler};

use crate::log::Log;
use crate::world::SITES;

/// How many bytes may be on their way in one direction.
const WINDOW: usize = 256 * 1024;

/// A process that has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Node {
    /// The agent of a site.
    Agent(usize),
    /// The switch of a site.
    Switch(usize),
}

impl Node {
    /// Where it listens.
    pub(crate) fn address(self) -> SocketAddr {
        match self {
            Self::Agent(site) => (Ipv4Addr::new(10, 2, 0, site as u8 + 1), 7000).into(),
            Self::Switch(site) => (Ipv4Addr::new(10, 1, 0, site as u8 + 1), 9559).into(),
        }
    }
}

impl Node {
    /// Who listens there.
    fn at(address: SocketAddr) -> Option<Self> {
        let all = (0..SITES).flat_map(|site| [Self::Agent(site), Self::Switch(site)]);
        all.into_iter().find(|node| node.address() == address)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(site) => write!(f, "agent {}", site + 1),
            Self::Switch(site) => write!(f, "switch {}", site + 1),
        }
    }
}

/// What strikes at a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    /// The connection is reset.
    Reset,
    /// Whoever wrote is dead.
    Death,
}

/// The network. Clones are the same.
#[derive(Clone)]
pub(crate) struct Net {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Something is not blocked any more.
    changed: Notify,
    /// A process has died by an armed fault.
    died: Notify,
    log: Log,
}

#[derive(Default)]
struct State {
    lives: BTreeMap<Node, u64>,
    dead: Vec<Node>,
    listeners: BTreeMap<SocketAddr, (Node, mpsc::UnboundedSender<(End, SocketAddr)>)>,
    connections: BTreeMap<u64, Connection>,
    begun: u64,
    blocked: BTreeSet<(Node, Node)>,
    delays: BTreeMap<(Node, Node), Duration>,
    armed: BTreeMap<Node, (usize, Strike)>,
}

struct Connection {
    /// By side: who it is, and in which of its lives.
    ends: [(Node, u64); 2],
    /// By the side that writes.
    pipes: [Pipe; 2],
    reset: bool,
}

#[derive(Default)]
struct Pipe {
    chunks: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    /// Nothing more will be written.
    closed: bool,
    /// Nobody will read.
    unread: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Net {
    pub(crate) fn new(log: Log) -> Self {
        let shared = Shared { state: Mutex::default(), changed: Notify::new(), died: Notify::new(), log };
        Self { shared: Arc::new(shared) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process begins, with nothing of what it had before.
    pub(crate) fn start(&self, node: Node) {
        *self.lock().lives.entry(node).or_default() += 1;
    }

    /// A process ends, at once: its connections are reset, and nobody listens.
    pub(crate) fn kill(&self, node: Node) {
        let mut state = self.lock();
        state.kill(node);
        self.shared.log.note(|| format!("{node} is dead"));
    }

    /// The processes that have died by armed faults since the last time.
    pub(crate) async fn deaths(&self) -> Vec<Node> {
        loop {
            let died = self.shared.died.notified();
            let dead = std::mem::take(&mut self.lock().dead);
            if !dead.is_empty() {
                return dead;
            }
            died.await;
        }
    }

    /// Has a fault strike at the write of a process that comes after so many others.
    pub(crate) fn arm(&self, node: Node, after: usize, strike: Strike) {
        self.lock().armed.insert(node, (after, strike));
    }

    /// Resets all connections between two processes.
    pub(crate) fn reset(&self, a: Node, b: Node) {
        let mut state = self.lock();
        for connection in state.connections.values_mut() {
            let ends = connection.ends.map(|(node, _)| node);
            if ends == [a, b] || ends == [b, a] {
                connection.reset();
            }
        }
        self.shared.log.note(|| format!("the connection of {a} and {b} is reset"));
    }

    /// Blocks what one process sends to another, or lets it through again.
    pub(crate) fn block(&self, from: Node, to: Node, blocked: bool) {
        let mut state = self.lock();
        if blocked {
            state.blocked.insert((from, to));
        } else {
            state.blocked.remove(&(from, to));
            state.wake_all();
            self.shared.changed.notify_waiters();
        }
        drop(state);
        self.shared.log.note(|| format!("{from} to {to}: {}", if blocked { "blocked" } else { "open" }));
    }

    /// How long what one process sends to another is on its way from now on.
    pub(crate) fn delay(&self, from: Node, to: Node, delay: Duration) {
        self.lock().delays.insert((from, to), delay);
    }

    /// Everything is let through at once, and nothing is armed.
    pub(crate) fn repair(&self) {
        let mut state = self.lock();
        state.blocked.clear();
        state.delays.clear();
        state.armed.clear();
        state.wake_all();
        self.shared.changed.notify_waiters();
    }

    /// How many connections there are.
    pub(crate) fn connections(&self) -> usize {
        self.lock().connections.len()
    }

    /// The network as an agent uses it.
    pub(crate) fn of_agent(&self, node: Node) -> Network {
        let net = self.clone();
        let life = net.lock().life(node);
        let dialler = Dialler::new(move |to| {
            let net = net.clone();
            Box::pin(async move {
                let host = to.host().and_then(|host| host.parse::<Ipv4Addr>().ok());
                let to = host.zip(to.port_u16()).ok_or_else(|| io::Error::other("no address"))?;
                net.dial(node, life, SocketAddr::from(to)).await.map(|end| Box::new(end) as Box<dyn ByteStream>)
            })
        });
        let net = self.clone();
        Network::new(dialler, move |address| {
            let listening = net.listen_in(node, life, address);
            Box::pin(async move { listening.map(|listening| Box::new(listening) as Box<dyn Listener>) })
        })
    }

    /// Has a process listen.
    pub(crate) fn listen(&self, node: Node, address: SocketAddr) -> io::Result<Listening> {
        let life = self.lock().life(node);
        self.listen_in(node, life, address)
    }

    fn listen_in(&self, node: Node, life: u64, address: SocketAddr) -> io::Result<Listening> {
        let mut state = self.lock();
        if state.life(node) != life {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if state.listeners.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let (sender, incoming) = mpsc::unbounded_channel();
        state.listeners.insert(address, (node, sender));
        Ok(Listening { net: self.clone(), node, life, address, incoming: tokio::sync::Mutex::new(incoming) })
    }

    async fn dial(&self, from: Node, life: u64, address: SocketAddr) -> io::Result<End> {
        let to = Node::at(address).ok_or(io::ErrorKind::AddrNotAvailable)?;
        // There and back again.
        let delay = loop {
            let changed = self.shared.changed.notified();
            {
                let state = self.lock();
                if state.life(from) != life {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                if !state.is_blocked(from, to) && !state.is_blocked(to, from) {
                    break state.delay(from, to) + state.delay(to, from);
                }
            }
            changed.await;
        };
        sleep(delay).await;
        let mut state = self.lock();
        if state.life(from) != life {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let Some((listens, sender)) = state.listeners.get(&address) else {
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let (listens, sender) = (*listens, sender.clone());
        state.begun += 1;
        let number = state.begun;
        let ends = [(from, life), (listens, state.life(listens))];
        state.connections.insert(number, Connection { ends, pipes: Default::default(), reset: false });
        let end = |side| End { net: self.clone(), number, side, arriving: None };
        self.shared.log.note(|| format!("connection {number}: {from} to {listens}"));
        // Dropped outside of the lock, if nobody accepts any more.
        let (ours, theirs) = (end(0), end(1));
        drop(state);
        let _ = sender.send((theirs, from.address()));
        Ok(ours)
    }
}

impl State {
    fn life(&self, node: Node) -> u64 {
        self.lives.get(&node).copied().unwrap_or_default()
    }

    fn is_blocked(&self, from: Node, to: Node) -> bool {
        self.blocked.contains(&(from, to))
    }

    fn delay(&self, from: Node, to: Node) -> Duration {
        // A moment that the timers can tell from none.
        self.delays.get(&(from, to)).copied().unwrap_or(Duration::from_millis(1))
    }

    fn kill(&mut self, node: Node) {
        *self.lives.entry(node).or_default() += 1;
        self.armed.remove(&node);
        self.listeners.retain(|_, (listens, _)| *listens != node);
        self.wake_all();
    }

    fn wake_all(&mut self) {
        self.connections.values_mut().for_each(Connection::wake);
    }

    /// Whether the side that writes is alive, and whether its connection has ended as far as it can know.
    fn lives(&self, connection: &Connection, side: usize) -> bool {
        let (node, life) = connection.ends[side];
        self.life(node) == life
    }
}

impl Connection {
    fn reset(&mut self) {
        self.reset = true;
        self.wake();
    }

    fn wake(&mut self) {
        for pipe in &mut self.pipes {
            pipe.reader.take().into_iter().chain(pipe.writer.take()).for_each(Waker::wake);
        }
    }
}

/// One end of a connection.
pub(crate) struct End {
    net: Net,
    number: u64,
    side: usize,
    /// Until the next bytes arrive.
    arriving: Option<Pin<Box<Sleep>>>,
}

impl Connected for End {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for End {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Some(arriving) = &mut self.arriving {
                ready!(arriving.as_mut().poll(cx));
                self.arriving = None;
            }
            let (net, side) = (self.net.clone(), self.side);
            let mut state = net.lock();
            let Some(connection) = state.connections.get(&self.number) else {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            };
            let [reader, writer] = [connection.ends[side], connection.ends[1 - side]];
            let blocked = state.is_blocked(writer.0, reader.0);
            let dead = !state.lives(connection, side);
            let torn = connection.reset || !state.lives(connection, 1 - side);
            if dead || (torn && !blocked) {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            let Some(connection) = state.connections.get_mut(&self.number) else { continue };
            let pipe = &mut connection.pipes[1 - side];
            if blocked {
                pipe.reader = Some(cx.waker().clone());
                return Poll::Pending;
            }
            match pipe.chunks.front_mut() {
                Some((due, _)) if *due > Instant::now() => {
                    let due = *due;
                    drop(state);
                    self.arriving = Some(Box::pin(tokio::time::sleep_until(due)));
                }
                Some((_, chunk)) => {
                    let taken = chunk.len().min(buffer.remaining());
                    buffer.put_slice(&chunk.split_to(taken));
                    pipe.bytes -= taken;
                    if chunk.is_empty() {
                        pipe.chunks.pop_front();
                    }
                    pipe.writer.take().into_iter().for_each(Waker::wake);
                    return Poll::Ready(Ok(()));
                }
                None if pipe.closed => return Poll::Ready(Ok(())),
                None => {
                    pipe.reader = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let side = self.side;
        let mut state = self.net.lock();
        let broken = || Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        let Some(connection) = state.connections.get(&self.number) else { return broken() };
        let [writer, reader] = [connection.ends[side], connection.ends[1 - side]];
        if !state.lives(connection, side) {
            return broken();
        }
        let torn = connection.reset || connection.pipes[side].unread || !state.lives(connection, 1 - side);
        if torn && !state.is_blocked(reader.0, writer.0) {
            return broken();
        }
        let delay = state.delay(writer.0, reader.0);
        let strike = match state.armed.get_mut(&writer.0) {
            Some((0, strike)) => Some(*strike),
            Some((left, _)) => {
                *left -= 1;
                None
            }
            None => None,
        };
        let Some(connection) = state.connections.get_mut(&self.number) else { return broken() };
        let pipe = &mut connection.pipes[side];
        if pipe.bytes >= WINDOW {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let taken = bytes.len().min(WINDOW);
        let gets_out = if strike.is_some() { taken / 2 } else { taken };
        self.net.shared.log.bytes(self.number, side, gets_out);
        pipe.bytes += gets_out;
        pipe.chunks.push_back((Instant::now() + delay, Bytes::copy_from_slice(&bytes[..gets_out])));
        pipe.reader.take().into_iter().for_each(Waker::wake);
        match strike {
            None => {}
            Some(Strike::Reset) => {
                connection.reset();
                state.armed.remove(&writer.0);
                self.net.shared.log.note(|| format!("a write of {} breaks off", writer.0));
            }
            Some(Strike::Death) => {
                state.kill(writer.0);
                state.dead.push(writer.0);
                self.net.shared.died.notify_one();
                self.net.shared.log.note(|| format!("{} dies while it writes", writer.0));
            }
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.net.lock();
        if let Some(connection) = state.connections.get_mut(&self.number) {
            connection.pipes[self.side].closed = true;
            connection.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut state = self.net.lock();
        let Some(connection) = state.connections.get_mut(&self.number) else { return };
        connection.pipes[self.side].closed = true;
        connection.pipes[1 - self.side].unread = true;
        connection.wake();
        if connection.pipes.iter().all(|pipe| pipe.unread) {
            state.connections.remove(&self.number);
        }
    }
}

/// Where connections come in.
pub(crate) struct Listening {
    net: Net,
    node: Node,
    life: u64,
    address: SocketAddr,
    incoming: tokio::sync::Mutex<mpsc::UnboundedReceiver<(End, SocketAddr)>>,
}

impl Listening {
    /// The connections as a server takes them.
    pub(crate) fn into_stream(self) -> impl Stream<Item = io::Result<End>> + Send + 'static {
        futures::stream::unfold(self, |listening| async {
            let (end, _) = listening.incoming.lock().await.recv().await?;
            Some((Ok(end), listening))
        })
    }
}

impl Listener for Listening {
    fn local_address(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn accept(&self) -> Accepting<'_> {
        Box::pin(async {
            match self.incoming.lock().await.recv().await {
                Some((end, from)) => Ok((Box::new(end) as Box<dyn ByteStream>, from)),
                // Dead; there is nothing more to come.
                None => std::future::pending().await,
            }
        })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut state = self.net.lock();
        // What listens there now may be of another life.
        if state.life(self.node) == self.life {
            state.listeners.remove(&self.address);
        }
    }
}
