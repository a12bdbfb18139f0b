//! The server: what a switch is built from, how it starts, and the handle that watches and stops it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::transport::server::{Connected, TcpIncoming};
use tonic::transport::{Server, ServerTlsConfig};
use vouch_switch::{LoadError, PacketTrace, Program, SwitchConfig};

use crate::control::Control;
use crate::counters::SwitchCounters;
use crate::device::Device;
use crate::dialect::Dialect;
use crate::forwarding::Threads;
use crate::notices::{Notice, NoticeBoard};
use crate::packet_stream::{self, StreamedPorts};
use crate::port::{Port, PortCounters, PortStatus};
use crate::routes::Routes;
use crate::timers;
use crate::tracer::Tracer;
use crate::translation::Translation;

/// The highest port number v1model can name: its ports are 9 bits wide.
pub const MAX_PORT: u32 = 511;

/// How often silent connections are tried, so that the stream of a vanished controller ends and its place is free.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// How long a shutdown waits for clients to close their connections.
const GRACE: Duration = Duration::from_secs(2);

/// Why a switch cannot be built as described. The operator must act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A port number that does not exist in v1model.
    #[error("port {0} does not exist: ports are numbered 0 to {MAX_PORT}")]
    PortOutOfRange(u32),
    /// A port number used twice, or for a port as well as for the CPU or for dropping.
    #[error("port {number} is {first} and {second} at once: choose another number for one of them")]
    PortTaken {
        /// The number.
        number: u32,
        /// What it was taken by.
        first: &'static str,
        /// What else asked for it.
        second: &'static str,
    },
    /// Ports that are plugged in although a client of the packet stream has all of them.
    #[error("{0} ports are plugged in, but all ports are served over gRPC: choose one or the other")]
    PortsStreamed(usize),
    /// The program to start with cannot be run.
    #[error("the program to start with is not usable: {0}")]
    Program(String),
}

/// Why a switch cannot start to serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket could not be used.
    #[error("cannot listen: {0}")]
    Listen(#[from] io::Error),
    /// The threads that forward could not be started.
    #[error("cannot start a thread to forward frames: {0}")]
    Threads(io::Error),
    /// The TLS configuration was refused.
    #[error("cannot use the TLS configuration: {0}")]
    Tls(#[from] tonic::transport::Error),
}

/// Describes a switch; made by [`SwitchServer::builder`].
pub struct Builder {
    device_id: u64,
    cpu_port: Option<u32>,
    drop_port: u32,
    priority_queues: u32,
    zero_invalid: bool,
    forwarding_threads: usize,
    on_forwarding_thread: fn(),
    ports: Vec<(u32, Arc<dyn Port>)>,
    tls: Option<ServerTlsConfig>,
    dialect: Dialect,
    translations: Vec<Translation>,
    program: Option<Vec<u8>>,
    tracer: Option<Tracer>,
    notices: Option<NoticeBoard>,
    packet_stream: Option<TcpListener>,
}

impl Builder {
    /// The P4Runtime device id, 1 unless told.
    pub fn device_id(mut self, device_id: u64) -> Self {
        self.device_id = device_id;
        self
    }

    /// The port through which packet-in and packet-out travel, 510 unless told.
    pub fn cpu_port(mut self, number: u32) -> Self {
        self.cpu_port = Some(number);
        self
    }

    /// Have no such port: controllers neither send nor receive packets.
    pub fn without_cpu_port(mut self) -> Self {
        self.cpu_port = None;
        self
    }

    /// The port that drops, 511 unless told.
    pub fn drop_port(mut self, number: u32) -> Self {
        self.drop_port = number;
        self
    }

    /// How many priorities there are, 1 unless told: packets that ask for another are dropped.
    pub fn priority_queues(mut self, count: u32) -> Self {
        self.priority_queues = count;
        self
    }

    /// Whether the fields of a header that a packet makes invalid read 0 from then on
    /// ([`SwitchConfig::zero_invalid`](vouch_switch::SwitchConfig)). They do not unless told.
    pub fn zero_invalid(mut self, zero: bool) -> Self {
        self.zero_invalid = zero;
        self
    }

    /// How many threads do nothing but forward, each for the ports whose number modulo the count is its own. None unless told:
    /// frames are then carried by the runtime that the switch is started in, and wait there while it answers requests, but it may
    /// have a clock that stands still. What a [`Port`] does to wait, it does in the runtime of its thread.
    pub fn forwarding_threads(mut self, count: usize) -> Self {
        self.forwarding_threads = count;
        self
    }

    /// What each of these threads does first: to say how it is to be scheduled, for example.
    pub fn on_forwarding_thread(mut self, first: fn()) -> Self {
        self.on_forwarding_thread = first;
        self
    }

    /// Plug a port in.
    pub fn port(mut self, number: u32, port: impl Port) -> Self {
        self.ports.push((number, Arc::new(port)));
        self
    }

    /// Serve over TLS instead of plain text.
    pub fn tls(mut self, tls: ServerTlsConfig) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Whether to do as BMv2's P4Runtime server does where it deviates from the specification and a controller could count
    /// on that: no roles, backups that become primary by themselves, writes without an election while no stream is there,
    /// no atomic batches, reads that fail as a whole and are answered at once, direct resources with the entry of the
    /// request, an error instead of no pipeline, and packet-outs without their metadata.
    pub fn bmv2_compat(mut self, compatible: bool) -> Self {
        self.dialect = if compatible { Dialect::Bmv2 } else { Dialect::Specification };
        self
    }

    /// Say what the values of a type mean that the program annotates `@p4runtime_translation`. Without it, numbers mean
    /// themselves, and strings get numbers as they come.
    pub fn translate(mut self, translation: Translation) -> Self {
        self.translations.push(translation);
        self
    }

    /// Forward with this program, the JSON that p4c writes for BMv2, until a controller sets a pipeline. Controllers do not see
    /// it: as long as there is no P4Info, it has no names for them.
    pub fn program(mut self, json: impl Into<Vec<u8>>) -> Self {
        self.program = Some(json.into());
        self
    }

    /// Tell what happens to each packet. Every packet is then slow.
    pub fn tracer(self, listener: impl Fn(&PacketTrace<'_>) + Send + Sync + 'static) -> Self {
        self.tracer_while(|| true, listener)
    }

    /// Tell what happens to each packet that comes in while somebody wants to know. The others cost no more than that question,
    /// once for each batch of them.
    pub fn tracer_while(
        mut self,
        wanted: impl Fn() -> bool + Send + Sync + 'static,
        listener: impl Fn(&PacketTrace<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.tracer = Some(Tracer::new(wanted, listener));
        self
    }

    /// Tell what happens beside packets, and gather samples of digests for receivers that are no P4Runtime controllers. The listener
    /// must not wait, nor ask this switch for anything.
    pub fn notices(mut self, listener: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        self.notices = Some(NoticeBoard::new(listener));
        self
    }

    /// Serve all ports on this listener, over gRPC, instead of plugging some in: BMv2's `DataplaneInterface`, which is made
    /// for tests. To whoever has ended his half of a packet stream, the other half ends when all his frames have been carried
    /// and what came of them has been sent.
    pub fn packet_stream(mut self, listener: TcpListener) -> Self {
        self.packet_stream = Some(listener);
        self
    }

    /// Check the description.
    pub fn build(mut self) -> Result<SwitchServer, BuildError> {
        let mut taken = BTreeMap::new();
        let cpu = self.cpu_port.map(|number| (number, "the CPU port"));
        let roles = cpu.into_iter().chain([(self.drop_port, "the drop port")]);
        let plugged = self.ports.iter().map(|(number, _)| (*number, "a plugged-in port"));
        for (number, role) in roles.chain(plugged) {
            if number > MAX_PORT {
                return Err(BuildError::PortOutOfRange(number));
            }
            if let Some(first) = taken.insert(number, role) {
                return Err(BuildError::PortTaken { number, first, second: role });
            }
        }
        if self.packet_stream.is_some() && !self.ports.is_empty() {
            return Err(BuildError::PortsStreamed(self.ports.len()));
        }
        let program = self.program.take().map(|json| Ok((Program::load(&json)?, json))).transpose();
        let program = program.map_err(|error: LoadError| BuildError::Program(error.to_string()))?;
        Ok(SwitchServer { description: self, program })
    }
}

/// A switch that is ready to serve: one P4Runtime device, its ports, no pipeline yet.
pub struct SwitchServer {
    description: Builder,
    /// With the JSON that it was read from.
    program: Option<(Program, Vec<u8>)>,
}

impl SwitchServer {
    /// Start to describe a switch.
    pub fn builder() -> Builder {
        Builder {
            device_id: 1,
            cpu_port: Some(510),
            drop_port: 511,
            priority_queues: 1,
            zero_invalid: false,
            forwarding_threads: 0,
            on_forwarding_thread: || {},
            ports: Vec::new(),
            tls: None,
            dialect: Dialect::default(),
            translations: Vec::new(),
            program: None,
            tracer: None,
            notices: None,
            packet_stream: None,
        }
    }

    /// Listen at `address` (port 0: any free one) and [serve](SwitchServer::serve).
    pub async fn listen(self, address: impl ToSocketAddrs) -> Result<ServerHandle, ServeError> {
        self.serve(TcpListener::bind(address).await?)
    }

    /// Serve P4Runtime and gNMI on `listener` and forward packets, until the handle is shut down or dropped. Must be called
    /// inside a tokio runtime.
    pub fn serve(self, listener: TcpListener) -> Result<ServerHandle, ServeError> {
        let local_addr = listener.local_addr()?;
        // Small messages both ways: waiting to fill a segment would delay every packet-in.
        self.serve_connections(local_addr, TcpIncoming::from(listener).with_nodelay(Some(true)))
    }

    /// The same for connections that come about in another way than by TCP, to whatever is called `local_addr` there.
    pub fn serve_connections<C>(
        self,
        local_addr: SocketAddr,
        incoming: impl Stream<Item = io::Result<C>> + Send + 'static,
    ) -> Result<ServerHandle, ServeError>
    where
        C: Connected + AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let Builder {
            device_id,
            cpu_port,
            drop_port,
            priority_queues,
            zero_invalid,
            forwarding_threads,
            on_forwarding_thread,
            mut ports,
            tls,
            dialect,
            translations,
            tracer,
            notices,
            packet_stream,
            ..
        } = self.description;
        let streamed = packet_stream.map(|listener| {
            let taken: Vec<u32> = cpu_port.into_iter().chain([drop_port]).collect();
            let streamed = StreamedPorts::except(&taken, device_id);
            ports = streamed.plugs();
            (listener, streamed)
        });
        let stop = watch::Sender::new(false);
        // `build` has checked that both fit the 9 bits of a port.
        let config = SwitchConfig {
            cpu_port: cpu_port.map(|number| number as u16),
            drop_port: drop_port as u16,
            priority_queues,
            zero_invalid,
            seed: device_id,
        };
        let spoken = (dialect, translations);
        let listeners = (tracer, notices);
        let threads = Threads::start(forwarding_threads, on_forwarding_thread, &stop).map_err(ServeError::Threads)?;
        let device = Arc::new(Device::new(device_id, config, spoken, listeners, stop.clone(), threads));
        for (number, port) in ports {
            // No two have one number, as `build` has checked.
            device.ports.insert(number as u16, port);
        }
        if let Some((program, json)) = self.program {
            device.start_with(program, json);
        }

        let mut server = Server::builder().http2_keepalive_interval(Some(KEEPALIVE));
        if let Some(tls) = tls {
            server = server.tls_config(tls)?;
        }
        let stopping = device.clone();
        let serving = server.serve_with_incoming_shutdown(Routes::new(&device), incoming, async move {
            stopping.stopped().await;
            stopping.end_streams();
        });

        let mut tasks = vec![
            tokio::spawn(async move {
                if let Err(error) = serving.await {
                    tracing::error!(device_id, %error, "the P4Runtime service ended");
                }
            }),
            tokio::spawn(timers::run_idle(device.clone())),
            tokio::spawn(timers::run_digests(device.clone())),
        ];
        if let Some((listener, ports)) = streamed {
            let service = packet_stream::service(device.clone(), ports);
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            let stopping = device.clone();
            let serving = Server::builder()
                .add_service(service)
                .serve_with_incoming_shutdown(incoming, async move { stopping.stopped().await });
            tasks.push(tokio::spawn(async move {
                if let Err(error) = serving.await {
                    tracing::error!(device_id, %error, "the packet stream ended");
                }
            }));
        }
        device.carry_ports();
        Ok(ServerHandle { local_addr, device, stop, tasks })
    }
}

/// A running switch. Dropping it stops the switch without waiting for it.
pub struct ServerHandle {
    local_addr: SocketAddr,
    device: Arc<Device>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl ServerHandle {
    /// Where P4Runtime and gNMI are served.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The services, for a client in this process that needs no connection.
    pub fn routes(&self) -> Routes {
        Routes::new(&self.device)
    }

    /// The same switch for a service of another protocol.
    pub fn control(&self) -> Control {
        Control::new(&self.device)
    }

    /// The P4Runtime device id.
    pub fn device_id(&self) -> u64 {
        self.device.id
    }

    /// What passed at a port, and its status; `None` for a number where nothing is plugged in.
    pub fn port(&self, number: u32) -> Option<(PortStatus, PortCounters)> {
        let port = self.device.port(u16::try_from(number).ok()?)?;
        let status = *port.status().borrow();
        Some((status, port.counters()))
    }

    /// What the switch as a whole has done and what it refused.
    pub fn counters(&self) -> SwitchCounters {
        self.device.counters.snapshot()
    }

    /// Stop: end the streams of all clients, take no more packets, and wait until all of it has ended. Clients that keep
    /// their connection open all the same are cut off after a few seconds.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        for mut task in std::mem::take(&mut self.tasks) {
            // A task that panicked has been reported by the panic hook.
            if tokio::time::timeout(GRACE, &mut task).await.is_err() {
                task.abort();
                let _ = task.await;
            }
        }
        self.device.tasks.join(GRACE).await;
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{LinkConfig, link};

    fn error(builder: Builder) -> String {
        builder.build().err().expect("the description is wrong").to_string()
    }

    #[test]
    fn a_wrong_description_is_refused() {
        let (a, b) = link(LinkConfig::default());
        assert_eq!(
            error(SwitchServer::builder().port(512, a.clone())),
            "port 512 does not exist: ports are numbered 0 to 511"
        );
        assert_eq!(
            error(SwitchServer::builder().port(510, a.clone())),
            "port 510 is the CPU port and a plugged-in port at once: choose another number for one of them"
        );
        assert_eq!(
            error(SwitchServer::builder().port(1, a).port(1, b)),
            "port 1 is a plugged-in port and a plugged-in port at once: choose another number for one of them"
        );
    }
}
