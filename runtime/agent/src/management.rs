//! What an orchestrator and an operator may tell an agent, over a Unix socket: that a host is about to move (B15), and where a
//! host belongs that answers at two places (B12).
//!
//! Whoever can open the socket is believed. It is made for its owner only.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Endpoint, Server};
use tonic::{Request, Response, Status};
use vouch_mobility::{HostKey, VtepAddr};
use vouch_net::{MacAddr, Vni};

use self::proto::management_client::ManagementClient;
use self::proto::management_server::{Management, ManagementServer};
use self::proto::{ExpectMoveRequest, ExpectMoveResponse, SettleHostRequest, SettleHostResponse};
use crate::config::{AccessInterface, Port, VlanId};
use crate::events::Place;
use crate::orders::{OrderError, Orders, What};

/// The generated form of `proto/vouch/management/v1/management.proto`, where each part is explained.
mod proto {
    #![allow(missing_docs, unreachable_pub, clippy::all)]

    tonic::include_proto!("vouch.management.v1");
}

/// How long an announcement may hold at most.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Serves until `stop`. Takes the place of a socket that nobody listens on any more.
pub(crate) fn serve(path: &Path, orders: Orders, stop: CancellationToken) -> io::Result<()> {
    let stale = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
        && std::os::unix::net::UnixStream::connect(path).is_err();
    if stale {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    let path = path.to_owned();
    tokio::spawn(async move {
        let served = Server::builder()
            .add_service(ManagementServer::new(Service { orders }))
            .serve_with_incoming_shutdown(UnixListenerStream::new(listener), stop.cancelled())
            .await;
        if let Err(error) = served {
            tracing::error!(%error, path = %path.display(), "the management service stopped");
        }
        // Somebody may have removed it already.
        let _ = std::fs::remove_file(&path);
    });
    Ok(())
}

struct Service {
    orders: Orders,
}

#[tonic::async_trait]
impl Management for Service {
    async fn expect_move(&self, request: Request<ExpectMoveRequest>) -> Result<Response<ExpectMoveResponse>, Status> {
        let ExpectMoveRequest { host, to, within_ms } = request.into_inner();
        let (host, to, within) = (self::host(host)?, place(to)?, Duration::from_millis(within_ms));
        if within.is_zero() || within > LONGEST {
            return Err(Status::invalid_argument("`within_ms` is from 1 to a day"));
        }
        self.orders.give(What::ExpectMove { host, to, within }).await.map_err(status)?;
        Ok(Response::new(ExpectMoveResponse {}))
    }

    async fn settle_host(&self, request: Request<SettleHostRequest>) -> Result<Response<SettleHostResponse>, Status> {
        let SettleHostRequest { host, keep } = request.into_inner();
        let what = What::Settle { host: self::host(host)?, keep: place(keep)? };
        self.orders.give(what).await.map_err(status)?;
        Ok(Response::new(SettleHostResponse {}))
    }
}

fn status(error: OrderError) -> Status {
    match error {
        OrderError::Stopped | OrderError::NotReady => Status::unavailable(error.to_string()),
        OrderError::UnknownVni | OrderError::UnknownPlace => Status::not_found(error.to_string()),
    }
}

fn host(wire: Option<proto::Host>) -> Result<HostKey, Status> {
    let wire = wire.ok_or_else(|| Status::invalid_argument("`host` is missing"))?;
    let vni = Vni::new(wire.vni).map_err(|error| Status::invalid_argument(error.to_string()))?;
    let mac = wire.mac.parse::<MacAddr>().ok().filter(|mac| mac.is_host());
    let mac =
        mac.ok_or_else(|| Status::invalid_argument("`mac` is the address of one machine, as `02:00:00:00:00:01`"))?;
    Ok(HostKey { vni, mac })
}

fn place(wire: Option<proto::Place>) -> Result<Place, Status> {
    use proto::place::Kind;
    match wire.and_then(|wire| wire.kind) {
        None => Err(Status::invalid_argument("it is not said where: `access` or `vtep`")),
        Some(Kind::Vtep(address)) => match address.parse() {
            Ok(address) => Ok(Place::Vtep(VtepAddr(address))),
            Err(_) => Err(Status::invalid_argument("`vtep` is the tunnel address of a VTEP, as `10.0.0.2`")),
        },
        Some(Kind::Access(access)) => {
            let small = |number: u32| u16::try_from(number).ok();
            let port = small(access.port).and_then(Port::new);
            let port = port.ok_or_else(|| Status::invalid_argument("`port` is a port of the switch"))?;
            let vlan = match access.vlan {
                None => None,
                Some(vlan) => {
                    let vlan = small(vlan).and_then(VlanId::new);
                    Some(vlan.ok_or_else(|| Status::invalid_argument("`vlan` is from 1 to 4094"))?)
                }
            };
            Ok(Place::Interface(AccessInterface { port, vlan }))
        }
    }
}

/// An order that was not followed.
#[derive(Debug, thiserror::Error)]
pub enum ManagementError {
    /// Nobody listens there, or it may not be opened.
    #[error("cannot reach an agent at {path}: {reason}")]
    Unreachable {
        /// The socket.
        path: String,
        /// Why.
        reason: String,
    },
    /// The agent refused it.
    #[error("{0}")]
    Refused(String),
}

/// Speaks to an agent.
#[derive(Debug)]
pub struct Client(ManagementClient<tonic::transport::Channel>);

impl Client {
    /// Opens the socket of an agent.
    pub async fn connect(path: &Path) -> Result<Self, ManagementError> {
        let shown = path.display().to_string();
        let unreachable = |reason: String| ManagementError::Unreachable { path: shown.clone(), reason };
        let absolute = std::path::absolute(path).map_err(|error| unreachable(error.to_string()))?;
        let endpoint = Endpoint::from_shared(format!("unix://{}", absolute.display()));
        let endpoint =
            endpoint.map_err(|error| unreachable(error.to_string()))?.connect_timeout(Duration::from_secs(5));
        let channel = endpoint.connect().await.map_err(|error| unreachable(causes(&error)))?;
        Ok(Self(ManagementClient::new(channel)))
    }

    /// Says that a host is about to move.
    pub async fn expect_move(&mut self, host: HostKey, to: Place, within: Duration) -> Result<(), ManagementError> {
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let request = ExpectMoveRequest { host: Some(host_to_wire(host)), to: Some(place_to_wire(to)), within_ms };
        self.0.expect_move(request).await.map_err(refused)?;
        Ok(())
    }

    /// The same, for a host by its numbers.
    pub async fn expect_move_of(
        &mut self,
        vni: u32,
        mac: &str,
        to: Place,
        within: Duration,
    ) -> Result<(), ManagementError> {
        let host = host(Some(proto::Host { vni, mac: mac.to_owned() })).map_err(refused)?;
        self.expect_move(host, to, within).await
    }

    /// Says where a host belongs.
    pub async fn settle(&mut self, host: HostKey, keep: Place) -> Result<(), ManagementError> {
        let request = SettleHostRequest { host: Some(host_to_wire(host)), keep: Some(place_to_wire(keep)) };
        self.0.settle_host(request).await.map_err(refused)?;
        Ok(())
    }
}

fn refused(status: Status) -> ManagementError {
    ManagementError::Refused(status.message().to_owned())
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

fn host_to_wire(host: HostKey) -> proto::Host {
    proto::Host { vni: host.vni.get(), mac: host.mac.to_string() }
}

fn place_to_wire(place: Place) -> proto::Place {
    use proto::place::Kind;
    let kind = match place {
        Place::Vtep(vtep) => Kind::Vtep(vtep.0.to_string()),
        Place::Interface(AccessInterface { port, vlan }) => {
            Kind::Access(proto::AccessInterface { port: port.get().into(), vlan: vlan.map(|vlan| vlan.get().into()) })
        }
    };
    proto::Place { kind: Some(kind) }
}
