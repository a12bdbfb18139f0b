//! The other side of the socket: who asks and orders.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Status, Streaming};
use vouch_mobility::HostKey;

use super::v1::management_client::ManagementClient;
use super::{host_to_wire, place_to_wire, v1};
use crate::events::Place;

/// How many bytes may be on their way to who does not read them: events that wait elsewhere wait in the agent.
const ON_THEIR_WAY: u32 = 64 << 10;

/// The largest answer: a comparison of tables with thousands of differences.
const LARGEST: usize = 64 << 20;

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

/// Who asks over the network: PEM files.
#[derive(Debug, Clone)]
pub struct OperatorFiles {
    /// The authority that has signed the agents' certificates.
    pub ca: PathBuf,
    /// The certificate of who asks,
    pub cert: PathBuf,
    /// and its key.
    pub key: PathBuf,
}

/// Speaks to an agent.
#[derive(Debug)]
pub struct Client(ManagementClient<Channel>);

impl Client {
    /// Opens the socket of an agent.
    pub async fn connect(path: &Path) -> Result<Self, ManagementError> {
        let shown = path.display().to_string();
        let unreachable = |reason: String| ManagementError::Unreachable { path: shown.clone(), reason };
        let absolute = std::path::absolute(path).map_err(|error| unreachable(error.to_string()))?;
        let endpoint = Endpoint::from_shared(format!("unix://{}", absolute.display()));
        let endpoint =
            endpoint.map_err(|error| unreachable(error.to_string()))?.connect_timeout(Duration::from_secs(5));
        let endpoint = endpoint.initial_stream_window_size(ON_THEIR_WAY);
        let channel = endpoint.connect().await.map_err(|error| unreachable(causes(&error)))?;
        Ok(Self(ManagementClient::new(channel).max_decoding_message_size(LARGEST)))
    }

    /// Reaches an agent over the network, as `https://192.0.2.20:7443`. `who` are the files of who asks.
    pub async fn connect_remotely(url: &str, who: &OperatorFiles) -> Result<Self, ManagementError> {
        let unreachable = |reason: String| ManagementError::Unreachable { path: url.to_owned(), reason };
        let file = |path: &Path| {
            std::fs::read(path).map_err(|error| unreachable(format!("cannot read {}: {error}", path.display())))
        };
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(file(&who.ca)?))
            .identity(Identity::from_pem(file(&who.cert)?, file(&who.key)?));
        let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|error| unreachable(error.to_string()))?;
        let endpoint = endpoint.connect_timeout(Duration::from_secs(5)).initial_stream_window_size(ON_THEIR_WAY);
        let endpoint = endpoint.tls_config(tls).map_err(|error| unreachable(causes(&error)))?;
        let channel = endpoint.connect().await.map_err(|error| unreachable(causes(&error)))?;
        Ok(Self(ManagementClient::new(channel).max_decoding_message_size(LARGEST)))
    }

    /// Says that a host is about to move.
    pub async fn expect_move(&mut self, host: HostKey, to: Place, within: Duration) -> Result<(), ManagementError> {
        let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        let request = v1::ExpectMoveRequest { host: Some(host_to_wire(host)), to: Some(place_to_wire(to)), within_ms };
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
        let host = super::host(Some(v1::Host { vni, mac: mac.to_owned() })).map_err(refused)?;
        self.expect_move(host, to, within).await
    }

    /// Says where a host belongs.
    pub async fn settle(&mut self, host: HostKey, keep: Place) -> Result<(), ManagementError> {
        let request = v1::SettleHostRequest { host: Some(host_to_wire(host)), keep: Some(place_to_wire(keep)) };
        self.0.settle_host(request).await.map_err(refused)?;
        Ok(())
    }

    /// The same, for a host by its numbers.
    pub async fn settle_of(&mut self, host: v1::Host, keep: Place) -> Result<(), ManagementError> {
        let request = v1::SettleHostRequest { host: Some(host), keep: Some(place_to_wire(keep)) };
        self.0.settle_host(request).await.map_err(refused)?;
        Ok(())
    }

    /// How the agent is.
    pub async fn status(&mut self) -> Result<v1::AgentStatus, ManagementError> {
        Ok(self.0.get_status(v1::GetStatusRequest {}).await.map_err(refused)?.into_inner())
    }

    /// The hosts that the request says.
    pub async fn hosts(&mut self, request: v1::ListHostsRequest) -> Result<v1::HostList, ManagementError> {
        let pages = self.0.list_hosts(request).await.map_err(refused)?.into_inner();
        let merge = |all: &mut v1::HostList, mut page: v1::HostList| {
            all.agent = page.agent;
            all.hosts.append(&mut page.hosts);
        };
        collect(pages, merge).await
    }

    /// The hosts whose place is in question.
    pub async fn claims(&mut self) -> Result<v1::ClaimList, ManagementError> {
        let pages = self.0.list_claims(v1::ListClaimsRequest {}).await.map_err(refused)?.into_inner();
        let merge = |all: &mut v1::ClaimList, mut page: v1::ClaimList| {
            all.agent = page.agent;
            all.claims.append(&mut page.claims);
        };
        collect(pages, merge).await
    }

    /// The latest verdicts; 0: all.
    pub async fn moves(&mut self, last: u32) -> Result<v1::MoveList, ManagementError> {
        Ok(self.0.list_moves(v1::ListMovesRequest { last }).await.map_err(refused)?.into_inner())
    }

    /// The stories of the hosts that are meant; one without a host if there is none.
    pub async fn explain(&mut self, request: v1::ExplainHostRequest) -> Result<Vec<v1::Story>, ManagementError> {
        let stories = self.0.explain_host(request).await.map_err(refused)?.into_inner();
        collect(stories, |all: &mut Vec<v1::Story>, story| all.push(story)).await
    }

    /// What happens from now on.
    pub async fn watch(&mut self, request: v1::WatchRequest) -> Result<Streaming<v1::WatchResponse>, ManagementError> {
        Ok(self.0.watch(request).await.map_err(refused)?.into_inner())
    }

    /// The sessions with the other agents.
    pub async fn peers(&mut self) -> Result<v1::PeerList, ManagementError> {
        Ok(self.0.list_peers(v1::ListPeersRequest {}).await.map_err(refused)?.into_inner())
    }

    /// The ports.
    pub async fn ports(&mut self) -> Result<v1::PortList, ManagementError> {
        Ok(self.0.list_ports(v1::ListPortsRequest {}).await.map_err(refused)?.into_inner())
    }

    /// Ports that claim hosts in vain.
    pub async fn attacks(&mut self) -> Result<v1::AttackList, ManagementError> {
        Ok(self.0.list_attacks(v1::ListAttacksRequest {}).await.map_err(refused)?.into_inner())
    }

    /// What was counted.
    pub async fn counters(&mut self) -> Result<v1::CounterList, ManagementError> {
        Ok(self.0.read_counters(v1::ReadCountersRequest {}).await.map_err(refused)?.into_inner())
    }

    /// What the switch has, and what it should have.
    pub async fn tables(&mut self) -> Result<v1::TableComparison, ManagementError> {
        Ok(self.0.compare_tables(v1::CompareTablesRequest {}).await.map_err(refused)?.into_inner())
    }

    /// All entries of the switch, for the program that comes with the agent.
    pub async fn copy_switch(&mut self) -> Result<v1::SwitchCopy, ManagementError> {
        let pages = self.0.copy_switch(v1::CopySwitchRequest {}).await.map_err(refused)?.into_inner();
        let merge = |all: &mut v1::SwitchCopy, mut page: v1::SwitchCopy| {
            (all.agent, all.error) = (page.agent, page.error);
            all.entities.append(&mut page.entities);
            all.meaningless.append(&mut page.meaningless);
        };
        collect(pages, merge).await
    }

    /// Has a host asked now.
    pub async fn probe(&mut self, host: v1::Host) -> Result<v1::ProbeHostResponse, ManagementError> {
        Ok(self.0.probe_host(v1::ProbeHostRequest { host: Some(host) }).await.map_err(refused)?.into_inner())
    }

    /// Has something of a host's past forgotten.
    pub async fn clear(&mut self, request: v1::ClearHostRequest) -> Result<v1::ClearHostResponse, ManagementError> {
        Ok(self.0.clear_host(request).await.map_err(refused)?.into_inner())
    }

    /// Takes the VTEP out of use, or back into it.
    pub async fn drain(&mut self, undo: bool) -> Result<v1::DrainResponse, ManagementError> {
        Ok(self.0.drain(v1::DrainRequest { undo }).await.map_err(refused)?.into_inner())
    }

    /// Has the files of the agent's process read again; or only says what would come of it.
    pub async fn reload(&mut self, dry_run: bool) -> Result<v1::ReloadResponse, ManagementError> {
        Ok(self.0.reload(v1::ReloadRequest { dry_run }).await.map_err(refused)?.into_inner())
    }
}

/// All that a stream has.
async fn collect<T, A: Default>(
    mut stream: Streaming<T>,
    mut merge: impl FnMut(&mut A, T),
) -> Result<A, ManagementError> {
    let mut all = A::default();
    while let Some(next) = stream.message().await.map_err(refused)? {
        merge(&mut all, next);
    }
    Ok(all)
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
