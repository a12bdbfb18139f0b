//! Connections: accepted, bounded, and each served by a thread until its client leaves or says something wrong.

use std::cell::Cell;
use std::collections::HashMap;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thrift::protocol::{
    TBinaryInputProtocol, TBinaryOutputProtocol, TInputProtocol, TMessageIdentifier, TMessageType, TOutputProtocol,
    TType,
};
use thrift::{ApplicationError, ApplicationErrorKind, TransportErrorKind};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::services::Services;
use super::wire::{Answer, MAX_MESSAGE, Metered, bounds};

/// Most clients at a time; each is a thread.
const MAX_CONNECTIONS: usize = 128;

/// How long to wait when a connection could not be accepted, for whatever there was too much of.
const PAUSE: Duration = Duration::from_millis(100);

/// A running server. Dropping it ends all conversations.
pub struct Server {
    address: SocketAddr,
    accepting: JoinHandle<()>,
    connections: Arc<Mutex<Connections>>,
}

#[derive(Default)]
struct Connections {
    open: HashMap<u64, TcpStream>,
    next: u64,
}

impl Server {
    /// Listen on a port of all addresses, 0 for any free one, and serve. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The port is taken or may not be used.
    pub async fn listen(port: u16, services: impl Into<Arc<Services>>) -> io::Result<Self> {
        let listener = match TcpListener::bind((std::net::Ipv6Addr::UNSPECIFIED, port)).await {
            Ok(listener) => listener,
            // A machine without IPv6.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(_) => TcpListener::bind((std::net::Ipv4Addr::UNSPECIFIED, port)).await?,
        };
        let address = listener.local_addr()?;
        let connections = Arc::new(Mutex::new(Connections::default()));
        let services = services.into();
        // Whoever serves the same twice is told of the first.
        services.port.get_or_init(|| address.port());
        let accepting = tokio::spawn(accept(listener, services, connections.clone()));
        Ok(Self { address, accepting, connections })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        for stream in lock(&self.connections).open.values() {
            // Its thread then ends; a client that has gone is as good.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

async fn accept(listener: TcpListener, services: Arc<Services>, connections: Arc<Mutex<Connections>>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = welcome(stream, peer, &services, &connections) {
                    tracing::warn!(%peer, %error, "Thrift client turned away");
                }
            }
            Err(error) => {
                tracing::warn!(%error, "no Thrift client can be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Give a client a thread.
fn welcome(
    stream: tokio::net::TcpStream,
    peer: SocketAddr,
    services: &Arc<Services>,
    connections: &Arc<Mutex<Connections>>,
) -> io::Result<()> {
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    let mut all = lock(connections);
    if all.open.len() >= MAX_CONNECTIONS {
        return Err(io::Error::other(format!("{MAX_CONNECTIONS} are connected, which is the most")));
    }
    let id = all.next;
    all.next += 1;
    all.open.insert(id, stream.try_clone()?);
    drop(all);
    let place = Place { id, connections: connections.clone() };
    let services = services.clone();
    std::thread::Builder::new().name("thrift".to_owned()).spawn(move || {
        let _place = place;
        if let Err(error) = converse(BufReader::new(&stream), BufWriter::new(&stream), &services) {
            tracing::debug!(%peer, %error, "Thrift conversation ended");
        }
        // The copy among the open ones would keep the client waiting.
        let _ = stream.shutdown(Shutdown::Both);
    })?;
    Ok(())
}

impl Services {
    /// Answer the calls that come from somewhere, until they end or one of them cannot be understood.
    pub fn talk(&self, from: impl Read, to: impl Write) {
        if let Err(error) = converse(from, to, self) {
            tracing::debug!(%error, "Thrift conversation ended");
        }
    }
}

/// A connection's place among those that there may be.
struct Place {
    id: u64,
    connections: Arc<Mutex<Connections>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.connections).open.remove(&self.id);
    }
}

/// Answer calls until the client leaves. An error means that the rest of what it says cannot be understood.
fn converse(from: impl Read, mut to: impl Write, services: &Services) -> thrift::Result<()> {
    let left = Rc::new(Cell::new(0));
    let mut from = TBinaryInputProtocol::with_config(Metered::new(from, left.clone()), false, bounds()?);
    loop {
        left.set(MAX_MESSAGE);
        let begin = match from.read_message_begin() {
            Ok(begin) => begin,
            Err(thrift::Error::Transport(error)) if error.kind == TransportErrorKind::EndOfFile => return Ok(()),
            Err(error) => return Err(error),
        };
        let one_way = begin.message_type == TMessageType::OneWay;
        let answer = match begin.message_type {
            TMessageType::Call | TMessageType::OneWay => call(services, &begin.name, &mut from),
            other => from.skip(TType::Struct).map(|()| {
                let text = format!("a message of type {other:?} is not a call");
                Err(ApplicationError::new(ApplicationErrorKind::InvalidMessageType, text))
            }),
        };
        // What could not be understood is answered as well, and is the last answer.
        let (answer, end) = match answer {
            Ok(answer) => (answer, None),
            Err(error) => {
                let text = format!("{}: {error}", begin.name);
                (Err(ApplicationError::new(ApplicationErrorKind::ProtocolError, text)), Some(error))
            }
        };
        if !one_way {
            reply(&mut to, &begin, answer)?;
        }
        if let Some(end) = end {
            return Err(end);
        }
    }
}

/// Have a call carried out. What was wrong with it is among the answers, as long as it could be read to its end.
fn call(
    services: &Services,
    name: &str,
    from: &mut dyn TInputProtocol,
) -> thrift::Result<Result<Vec<u8>, ApplicationError>> {
    let (service, method) = name.split_once(':').unwrap_or(("", name));
    Ok(match services.serve(service, method, from)? {
        Some(Answer::Result(bytes)) => Ok(bytes),
        Some(Answer::Declared(bytes, what)) => {
            tracing::debug!(call = name, refused = what, "Thrift call");
            Ok(bytes)
        }
        Some(Answer::Other(why)) => {
            tracing::debug!(call = name, failed = why, "Thrift call");
            Err(ApplicationError::new(ApplicationErrorKind::InternalError, why))
        }
        None => {
            from.skip(TType::Struct)?;
            let text = match Services::NAMES.contains(&service) {
                true => format!("service {service} has no method {method}"),
                false => format!("no service for {name}: there is {}", Services::NAMES.join(", ")),
            };
            tracing::debug!(call = name, failed = text, "Thrift call");
            Err(ApplicationError::new(ApplicationErrorKind::UnknownMethod, text))
        }
    })
}

fn reply(
    to: &mut impl Write,
    call: &TMessageIdentifier,
    answer: Result<Vec<u8>, ApplicationError>,
) -> thrift::Result<()> {
    let name = call.name.split_once(':').map_or(call.name.as_str(), |(_, method)| method);
    let kind = if answer.is_ok() { TMessageType::Reply } else { TMessageType::Exception };
    let mut protocol = TBinaryOutputProtocol::with_config(&mut *to, true, bounds()?);
    protocol.write_message_begin(&TMessageIdentifier::new(name, kind, call.sequence_number))?;
    match answer {
        Ok(bytes) => to.write_all(&bytes)?,
        Err(error) => thrift::Error::write_application_error_to_out_protocol(&error, &mut protocol)?,
    }
    to.flush()?;
    Ok(())
}

fn lock(connections: &Mutex<Connections>) -> MutexGuard<'_, Connections> {
    // Single map operations only: nothing is half done after a panic.
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}
