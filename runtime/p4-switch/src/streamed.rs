//! A switch whose ports are not interfaces but a stream: BMv2's `DataplaneInterface`, which the embedded switch serves as well.
//!
//! A stream that this side has ended is ended by the switch when everything that was sent has left it: BMv2 waits until no packet
//! is left, in any of its queues. So what came out of some frames is known without waiting for time to pass, whatever the
//! program is, and what is read or written afterwards comes after them. Interfaces allow no such thing: a frame that was sent
//! there may be taken in much later, ports are looked at in their own order, and a frame from one processor can overtake
//! that from another.

use std::any::Any;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::process::Command;
use std::time::Duration;

use clap::ValueEnum;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};
use tonic::Code;
use tonic::transport::Channel;
use vouch_p4runtime::p4::bm::dataplane_interface_client::DataplaneInterfaceClient;
use vouch_p4runtime::p4::bm::{PacketStreamRequest, PortOperStatus, SetPortOperStatusRequest};
use vouch_p4runtime::{EventReceiver, Session, SessionConfig};
use vouch_switch_server::SwitchServer;

use crate::Failure;
use crate::process::{BMV2, Ports, SwitchProcess, bmv2, bound, find, free_ports};

/// How long anything may take that does not fail.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How often a switch that is starting is asked whether it is there.
pub(crate) const START_RETRY: Duration = Duration::from_millis(10);
/// The switch's P4Runtime device id.
pub const DEVICE: u64 = 1;

/// A switch that is being brought up.
pub type Starting<'a> = Pin<Box<dyn Future<Output = Result<Addresses, Failure>> + Send + 'a>>;

/// A kind of switch that can have its ports in a stream.
pub trait Streamed: Send + Sync {
    /// What kind of switch it is, in a word or two.
    fn name(&self) -> &str;

    /// Bring one up, without a program.
    fn start(&self) -> Starting<'_>;
}

/// Where a running switch is reached.
pub struct Addresses {
    /// The URL of its P4Runtime service.
    pub control: String,
    /// The URL of its ports.
    pub ports: String,
    /// Ends the switch when it is dropped.
    pub running: Box<dyn Any + Send>,
}

/// The embedded switch, with its server, in this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Server;

impl Streamed for Server {
    fn name(&self) -> &str {
        "embedded switch"
    }

    fn start(&self) -> Starting<'_> {
        Box::pin(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            let ports = format!("http://{}", listener.local_addr()?);
            let switch = SwitchServer::builder().device_id(DEVICE).packet_stream(listener).build()?;
            let running = switch.listen("127.0.0.1:0").await?;
            let control = format!("http://{}", running.local_addr());
            Ok(Addresses { control, ports, running: Box::new(running) })
        })
    }
}

/// The kinds that this program can bring up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The embedded switch with its server, in this process
    Server,
    /// simple_switch_grpc, as a process of its own
    Bmv2,
    /// p4-switch, in the same way
    P4Switch,
}

impl Kind {
    /// A switch of this kind, which does not run yet.
    ///
    /// # Errors
    /// What it takes is not there.
    pub fn switch(self) -> io::Result<Box<dyn Streamed>> {
        Ok(match self {
            Self::Server => Box::new(Server),
            Self::Bmv2 => Box::new(Process::bmv2()?),
            Self::P4Switch => Box::new(Process::p4_switch()?),
        })
    }
}

/// A switch that is a process of its own, which this user may start.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    command: fn() -> io::Result<Command>,
    logs: TempDir,
}

impl Process {
    /// BMv2's `simple_switch_grpc`, as it is found on the path.
    ///
    /// # Errors
    /// It is not there.
    pub fn bmv2() -> io::Result<Self> {
        if find(BMV2).is_none() {
            let lacking = format!("{BMV2} (BMv2) is not on the path");
            return Err(io::Error::new(io::ErrorKind::NotFound, lacking));
        }
        Self::of("BMv2", || {
            let [thrift] = free_ports()?;
            Ok(bmv2(thrift))
        })
    }

    /// `p4-switch`, which has to be the program that runs.
    ///
    /// # Errors
    /// There is no place for its log.
    pub fn p4_switch() -> io::Result<Self> {
        Self::of("p4-switch", || Ok(bound(std::env::current_exe()?)))
    }

    fn of(name: &'static str, command: fn() -> io::Result<Command>) -> io::Result<Self> {
        Ok(Self { name, command, logs: tempfile::tempdir()? })
    }
}

impl Streamed for Process {
    fn name(&self) -> &str {
        self.name
    }

    fn start(&self) -> Starting<'_> {
        Box::pin(async { start((self.command)()?, &self.logs.path().join("switch.log")).await })
    }
}

/// Start a switch by this command, as a process with its ports in a stream. What it prints goes to `log`.
///
/// # Errors
/// Why it does not serve, with what it printed.
pub async fn start(command: Command, log: &Path) -> Result<Addresses, Failure> {
    let switch = SwitchProcess::start(command, DEVICE, Ports::Streamed, log).await?;
    let (control, ports) = (switch.url().to_owned(), switch.streamed_url().to_owned());
    Ok(Addresses { control, ports, running: Box::new(switch) })
}

/// A switch with its ports in a stream, and a controller's session, which is primary.
pub struct StreamedSwitch {
    /// The controller's session.
    pub session: Session,
    /// What the switch tells the controller.
    pub events: EventReceiver,
    ports: DataplaneInterfaceClient<Channel>,
    _running: Box<dyn Any + Send>,
}

impl StreamedSwitch {
    /// Bring one up, without a program.
    ///
    /// # Errors
    /// Why it does not serve.
    pub async fn start(kind: &dyn Streamed) -> Result<Self, Failure> {
        let Addresses { control, ports, running } = kind.start().await?;
        let (session, events) = Session::connect(SessionConfig::new(control, DEVICE, 1))?;
        timeout(PATIENCE, session.until_primary()).await?;
        let ports = DataplaneInterfaceClient::connect(ports).await?;
        Ok(Self { session, events, ports, _running: running })
    }

    /// Put frames into ports, and give everything that came out, when nothing more does.
    ///
    /// # Errors
    /// The switch serves no longer.
    pub async fn carry(&mut self, frames: Vec<(u16, Vec<u8>)>) -> Result<Vec<(u16, Vec<u8>)>, Failure> {
        let request = |(port, packet): (u16, Vec<u8>)| PacketStreamRequest {
            device_id: DEVICE,
            port: port.into(),
            packet,
            ..PacketStreamRequest::default()
        };
        let requests: Vec<_> = frames.into_iter().map(request).collect();
        let deadline = Instant::now() + PATIENCE;
        let mut responses = loop {
            match self.ports.packet_stream(tokio_stream::iter(requests.clone())).await {
                Ok(responses) => break responses.into_inner(),
                // BMv2 opens its ports some time after it has got its first program, and has taken nothing before.
                Err(status) if status.code() == Code::Unavailable && Instant::now() < deadline => {
                    sleep(START_RETRY).await;
                }
                Err(status) => return Err(status.into()),
            }
        };
        let mut frames = Vec::new();
        while let Some(response) = timeout(PATIENCE, responses.message()).await?? {
            frames.push((u16::try_from(response.port)?, response.packet));
        }
        Ok(frames)
    }

    /// Take a port's cable out, or put it back.
    pub(crate) async fn set_port(&mut self, port: u16, up: bool) -> Result<(), Failure> {
        let status = if up { PortOperStatus::OperStatusUp } else { PortOperStatus::OperStatusDown };
        let request = SetPortOperStatusRequest { device_id: DEVICE, port: port.into(), oper_status: status.into() };
        self.ports.set_port_oper_status(request).await?;
        Ok(())
    }
}
