//! Ports as a gRPC service, BMv2's `DataplaneInterface`: one client at a time puts frames into any port and gets what leaves
//! by any port. It is made for tests: frames of all ports stay in one order, and a stream that the client has ended ends on
//! this side when everything has come out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use vouch_p4runtime::p4::bm::dataplane_interface_server::{DataplaneInterface, DataplaneInterfaceServer};
use vouch_p4runtime::p4::bm::{
    PacketStreamRequest, PacketStreamResponse, PortOperStatus, SetPortOperStatusRequest, SetPortOperStatusResponse,
};

use crate::counters::Counters;
use crate::dataplane::Forwarder;
use crate::device::Device;
use crate::frames::Frames;
use crate::port::{MAX_FRAME, Port, PortCounters, PortStatus, Receive, SendError};
use crate::server::MAX_PORT;

/// How many frames wait for a client that reads slowly.
const QUEUE: usize = 4096;
/// How many places must be free before a client's next frame is carried: more than a frame usually becomes.
const ROOM: usize = QUEUE / 2;

type Sender = mpsc::Sender<Result<PacketStreamResponse, Status>>;
/// Who has the ports.
type Client = Arc<Mutex<Option<Sender>>>;

/// The ports of the service.
#[derive(Clone)]
pub(crate) struct StreamedPorts {
    /// By number; `None` where the CPU is, or nothing.
    ports: Vec<Option<Arc<StreamedPort>>>,
    client: Client,
}

/// A port that is where the client is.
struct StreamedPort {
    number: u32,
    device_id: u64,
    client: Client,
    status: watch::Sender<PortStatus>,
    counters: Mutex<PortCounters>,
}

impl StreamedPorts {
    /// Every port of a switch but these.
    pub(crate) fn except(taken: &[u32], device_id: u64) -> Self {
        let client = Client::default();
        let port = |number| {
            let status = watch::Sender::new(PortStatus::Up);
            let port = StreamedPort { number, device_id, client: client.clone(), status, counters: Mutex::default() };
            (!taken.contains(&number)).then(|| Arc::new(port))
        };
        Self { ports: (0..=MAX_PORT).map(port).collect(), client }
    }

    /// What the switch has to plug in.
    pub(crate) fn plugs(&self) -> Vec<(u32, Arc<dyn Port>)> {
        self.ports.iter().flatten().map(|port| (port.number, port.clone() as Arc<dyn Port>)).collect()
    }

    /// This client has gone.
    fn release(&self, sender: &Sender) {
        let mut client = lock(&self.client);
        if client.as_ref().is_some_and(|client| client.same_channel(sender)) {
            *client = None;
        }
    }

    fn port(&self, number: u32) -> Result<&StreamedPort, Status> {
        let port = self.ports.get(number as usize).and_then(Option::as_deref);
        port.ok_or_else(|| Status::invalid_argument(format!("no frame can come into port {number}")))
    }
}

impl StreamedPort {
    /// Send what a client's frame has become; the id is the client's.
    fn send_as(&self, id: u64, frame: &[u8]) -> Result<(), SendError> {
        let response =
            PacketStreamResponse { id, device_id: self.device_id, port: self.number, packet: frame.to_vec() };
        let sent = match &*lock(&self.client) {
            None => Err(SendError::Down),
            Some(client) => client.try_send(Ok(response)).map_err(|_| SendError::Full),
        };
        let mut counters = lock(&self.counters);
        match sent {
            Ok(()) => {
                counters.sent += 1;
                counters.sent_bytes += frame.len() as u64;
            }
            Err(SendError::Full) => counters.dropped_full += 1,
            Err(SendError::Down | SendError::TooLong) => counters.dropped_down += 1,
        }
        sent
    }
}

impl Port for StreamedPort {
    /// The service carries what comes in, in the order of the stream and not by port.
    fn receive<'a>(&'a self, _: &'a mut Frames, _: usize) -> Receive<'a> {
        Box::pin(std::future::pending())
    }

    fn send(&self, frame: &[u8]) -> Result<(), SendError> {
        self.send_as(0, frame)
    }

    fn status(&self) -> watch::Receiver<PortStatus> {
        self.status.subscribe()
    }

    fn counters(&self) -> PortCounters {
        *lock(&self.counters)
    }
}

/// The service for a device that has these ports.
pub(crate) fn service(device: Arc<Device>, ports: StreamedPorts) -> DataplaneInterfaceServer<Service> {
    DataplaneInterfaceServer::new(Service { device, ports })
}

pub(crate) struct Service {
    device: Arc<Device>,
    ports: StreamedPorts,
}

impl Service {
    fn check_device(&self, asked: u64) -> Result<(), Status> {
        let ours = self.device.id;
        if asked == ours {
            return Ok(());
        }
        Err(Status::invalid_argument(format!("there is no device {asked}, only device {ours}")))
    }
}

#[tonic::async_trait]
impl DataplaneInterface for Service {
    type PacketStreamStream = ReceiverStream<Result<PacketStreamResponse, Status>>;

    async fn packet_stream(
        &self,
        request: Request<Streaming<PacketStreamRequest>>,
    ) -> Result<Response<Self::PacketStreamStream>, Status> {
        let (sender, responses) = mpsc::channel(QUEUE);
        {
            let mut client = lock(&self.ports.client);
            // One that has gone and was not noticed yet does not count.
            if client.as_ref().is_some_and(|client| !client.is_closed()) {
                return Err(Status::resource_exhausted("the ports have a client already, and can have one only"));
            }
            *client = Some(sender.clone());
        }
        let service = Service { device: self.device.clone(), ports: self.ports.clone() };
        tokio::spawn(async move {
            let ended = service.carry(request.into_inner(), &sender).await;
            service.ports.release(&sender);
            if let Err(status) = ended {
                // A client that has gone need not be told.
                let _ = sender.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(responses)))
    }

    async fn set_port_oper_status(
        &self,
        request: Request<SetPortOperStatusRequest>,
    ) -> Result<Response<SetPortOperStatusResponse>, Status> {
        let request = request.into_inner();
        self.check_device(request.device_id)?;
        let port = self.ports.port(request.port)?;
        let status = match request.oper_status() {
            PortOperStatus::OperStatusUp => PortStatus::Up,
            PortOperStatus::OperStatusDown => PortStatus::Down,
            PortOperStatus::OperStatusUnknown => {
                return Err(Status::invalid_argument("a port can be up or down, and nothing else"));
            }
        };
        port.status.send_replace(status);
        // Whoever watches the port tells this as well, but later; the next frame must not come before.
        self.device.tell_port(request.port as u16, status == PortStatus::Up);
        Ok(Response::new(SetPortOperStatusResponse {}))
    }
}

impl Service {
    /// Carry a client's frames one after the other until the client ends the stream, or the switch stops.
    async fn carry(&self, mut requests: Streaming<PacketStreamRequest>, client: &Sender) -> Result<(), Status> {
        let (mut forwarder, mut frames) = (Forwarder::new(self.device.clone()), Frames::new());
        let stopped = self.device.stopped();
        tokio::pin!(stopped);
        loop {
            let request = tokio::select! {
                () = &mut stopped => return Err(Status::unavailable("the switch is shutting down")),
                request = requests.message() => request,
            };
            let Some(PacketStreamRequest { id, device_id, port, packet }) = request? else { return Ok(()) };
            self.check_device(device_id)?;
            let from = self.ports.port(port)?;
            if packet.len() > MAX_FRAME {
                return Err(Status::invalid_argument(format!("a frame is longer than {MAX_FRAME} bytes")));
            }
            // Whoever does not read what comes out gets nothing more in.
            if client.reserve_many(ROOM).await.is_err() {
                return Ok(());
            }
            {
                let mut counters = lock(&from.counters);
                counters.received += 1;
                counters.received_bytes += packet.len() as u64;
            }
            frames.clear();
            frames.push(&packet);
            forwarder.carry(port as u16, &frames, |device, to, frame| match self.ports.port(to.into()) {
                Ok(port) => {
                    if port.send_as(id, frame).is_err() {
                        Counters::add(&device.counters.dropped_at_port, 1);
                    }
                }
                Err(_) => Counters::add(&device.counters.dropped_unplugged, 1),
            });
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics while it holds one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
