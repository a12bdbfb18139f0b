//! The switch's side of the driver: bringing its tables to a known level, and carrying out work on them.
//!
//! [`synchronise`] makes the switch run the pipeline (unless it already does) and reads back all that it has. [`Work`]
//! is what one round of decisions wants of the switch: table writes first, then the frames that rely on them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use vouch_p4runtime::P4Info;
use vouch_p4runtime::client::{
    self, Pipeline, PushOutcome, RpcError, ServerTraits, Session, SessionConfig, WriteError,
};
use vouch_p4runtime::p4::v1::{Entity, PacketOut, Update};
use vouch_p4runtime::tofino::{TofinoProgram, TofinoProgramError};
use vouch_tables::{Bucket, Change, Counted, EntryAction, EntryKey, PuntMeter, Tables};

use super::hearing;
use super::numbering::HopRoom;
use super::wanted::BindingRoom;
use crate::config::{Ageing, Config, PipelineFiles, Route, SwitchConfig, SwitchKind, TofinoServer};
use crate::network::Network;
use crate::tls::{self, Unreadable};

/// How many packets that decide, and other events, may wait: the answers and confirmations of 10,000 questions at once.
const EVENTS: usize = 1 << 16;
/// How long a request may take. A batch of writes takes milliseconds; whoever does not answer for so long is not there.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pipeline, and the names in it.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) tables: Arc<Tables>,
}

impl Program {
    /// Read counters, and how many packets each has counted.
    pub(super) async fn counts(&self, session: &Session, wanted: Vec<Entity>) -> Result<Vec<(Counted, u64)>, RpcError> {
        let found = session.read(wanted).await?.all().await?;
        let counts = found.iter().filter_map(|entity| match self.tables.decode_count(entity) {
            Ok(counted) => counted.map(|(counted, count)| (counted, count.packets)),
            Err(error) => {
                tracing::debug!(%error, "a counter that was not asked for");
                None
            }
        });
        Ok(counts.collect())
    }
}

/// The configuration names something that is not there or not usable.
#[derive(Debug, thiserror::Error)]
pub enum SwitchSetupError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The P4Info is none.
    #[error("{}: {error}", path.display())]
    P4Info {
        /// Which.
        path: PathBuf,
        /// Why.
        error: vouch_p4runtime::p4info::P4InfoError,
    },
    /// The files of a Tofino's pipeline are not what the compiler writes.
    #[error("the pipeline of {} cannot run on a Tofino: {error}", p4info.display())]
    Tofino {
        /// Its P4Info.
        p4info: PathBuf,
        /// What is wrong with the others.
        error: TofinoProgramError,
    },
    /// The P4Info lacks what the agent needs.
    #[error("{pipeline} is not a pipeline for this agent: {error}")]
    Bind {
        /// Which.
        pipeline: String,
        /// What it lacks.
        error: vouch_tables::BindError,
    },
    /// The pipeline is one without the tables that several next hops of a route are shared by.
    #[error(
        "{pipeline} has a route use one next hop at a time, and that to {route} has {hops} in `via` or in `backup` that share. Give \
         it one in each, or the switch a pipeline with the tables `next_hop` and `neighbour`"
    )]
    NextHops {
        /// Which.
        pipeline: String,
        /// The first such route.
        route: IpNet,
        /// How many it has.
        hops: usize,
    },
    /// The pipeline carries no tunnels over IPv6, and no such packets of others.
    #[error(
        "{pipeline} has an underlay of IPv4 only, and {what} is one of IPv6. Give it one of IPv4, or the switch a pipeline with the \
         tables `local_vtep_ipv6`, `underlay_peer_ipv6` and `underlay_route_ipv6`"
    )]
    Ipv6Underlay {
        /// Which.
        pipeline: String,
        /// What in the configuration, with its address.
        what: String,
    },
    /// The management service cannot listen on its socket, or at its address.
    #[error("cannot serve management at {at}: {error}")]
    Management {
        /// The socket, or the address.
        at: String,
        /// Why.
        error: std::io::Error,
    },
    /// No spans can be sent there.
    #[error("cannot send traces to {url}: {why}")]
    Tracing {
        /// The collector.
        url: String,
        /// Why.
        why: String,
    },
    /// The switch's address or TLS settings cannot be used.
    #[error("switch: {0}")]
    Session(#[from] client::ConfigError),
}

impl Program {
    /// The configured pipeline, or the one that comes with the agent.
    pub(crate) fn load(switch: &SwitchConfig) -> Result<Self, SwitchSetupError> {
        let (p4info, device_config) = match &switch.pipeline {
            None => (vouch_tables::p4info(), vouch_tables::DEVICE_CONFIG.to_vec()),
            Some(files) => {
                let path = files.p4info();
                let text = String::from_utf8_lossy(&read(path)?).into_owned();
                let p4info =
                    P4Info::from_text(&text).map_err(|error| SwitchSetupError::P4Info { path: path.clone(), error })?;
                (p4info, device_config(files, switch.kind)?)
            }
        };
        let refused = |error| SwitchSetupError::Bind { pipeline: pipeline_name(switch), error };
        let tables = Tables::bind(&p4info).map_err(refused)?;
        Ok(Self { pipeline: Arc::new(Pipeline::new(Arc::new(p4info), device_config)), tables: Arc::new(tables) })
    }

    /// Whether it can do what the configuration asks for.
    pub(crate) fn check(&self, config: &Config) -> Result<(), SwitchSetupError> {
        if let Some(what) = ipv6_of(config).filter(|_| !self.tables.carries_ipv6()) {
            return Err(SwitchSetupError::Ipv6Underlay { pipeline: pipeline_name(&config.switch), what });
        }
        let at_once = |route: &Route| route.next_hops.len().max(route.backup.len());
        let hops = config.underlay.routes.iter().map(|route| (route.prefix, at_once(route)));
        match hops.into_iter().find(|(_, hops)| *hops > 1) {
            Some((route, hops)) if !self.tables.shares_next_hops() => {
                Err(SwitchSetupError::NextHops { pipeline: pipeline_name(&config.switch), route, hops })
            }
            _ => Ok(()),
        }
    }
}

/// What of the configuration wants an underlay of IPv6, if anything.
fn ipv6_of(config: &Config) -> Option<String> {
    let vtep = config.vtep.iter().map(|vtep| (vtep.address.0, "`vtep.address`"));
    let links =
        config.underlay.ports.iter().filter_map(|port| Some((port.address?.address(), "the address of a link")));
    let routes = config.underlay.routes.iter().map(|route| (route.prefix.addr(), "the prefix of a route"));
    let first = vtep.chain(links).chain(routes).find(|(address, _)| address.is_ipv6());
    first.map(|(address, what)| format!("{what}, {address},"))
}

/// The pipeline's name in errors.
fn pipeline_name(switch: &SwitchConfig) -> String {
    switch.pipeline.as_ref().map_or("the built-in pipeline".to_owned(), |files| files.p4info().display().to_string())
}

impl Program {
    /// How many bindings the tables have room for.
    pub(crate) fn room_for_bindings(&self) -> BindingRoom {
        let size = |table| self.pipeline.p4info().table(table).map_or(0, |table| table.size);
        let room = |table| usize::try_from(size(table)).unwrap_or(usize::MAX);
        BindingRoom { ipv4: room("binding_ipv4"), ipv6: room("binding_ipv6") }
    }

    /// How many next hops that share routes the tables have room for; `None` if the program has no such tables.
    pub(crate) fn room_for_hops(&self) -> Option<HopRoom> {
        let size = |table| self.pipeline.p4info().table(table).map_or(0, |table| table.size);
        let room = |entries: u64| u16::try_from(entries).unwrap_or(u16::MAX);
        let groups = room(size("next_hop") / u64::from(Bucket::COUNT));
        self.tables.shares_next_hops().then(|| HopRoom { groups, neighbours: room(size("neighbour")) })
    }

    /// How many hosts the tables have room for, with a probe address in each of `vnis` networks, and as many claims as
    /// hosts.
    pub(crate) fn room_for_hosts(&self, vnis: usize) -> usize {
        let size = |table| self.pipeline.p4info().table(table).map_or(0, |table| table.size);
        let vnis = u64::try_from(vnis).unwrap_or(u64::MAX);
        let room = [size("recorded_location"), size("destination").saturating_sub(vnis), size("source") / 2];
        room.into_iter().min().and_then(|room| usize::try_from(room).ok()).unwrap_or(usize::MAX)
    }
}

/// The pipeline in the form that the switch's server takes.
fn device_config(files: &PipelineFiles, kind: SwitchKind) -> Result<Vec<u8>, SwitchSetupError> {
    let (name, p4info, binary, context, bfrt) = match files {
        PipelineFiles::Bmv2 { device_config, .. } => return read(device_config),
        PipelineFiles::Tofino { name, p4info, binary, context, bfrt } => (name, p4info, binary, context, bfrt),
    };
    let refused = |error| SwitchSetupError::Tofino { p4info: p4info.clone(), error };
    let mut program = TofinoProgram::new(name, read(binary)?, read(context)?).map_err(refused)?;
    if let Some(bfrt) = bfrt {
        program = program.with_bfrt(read(bfrt)?).map_err(refused)?;
    }
    match kind {
        SwitchKind::Tofino(TofinoServer::Stratum) => program.to_stratum().map_err(refused),
        // The configuration gives a BMv2 no such files.
        SwitchKind::Tofino(TofinoServer::Sde) | SwitchKind::Bmv2 => Ok(program.to_sde()),
    }
}

/// What the configured server needs otherwise than the specification has it.
fn server_traits(switch: &SwitchConfig) -> ServerTraits {
    let usual = match switch.kind {
        SwitchKind::Bmv2 => ServerTraits::SPECIFICATION,
        SwitchKind::Tofino(TofinoServer::Sde) => ServerTraits::SDE,
        SwitchKind::Tofino(TofinoServer::Stratum) => ServerTraits::STRATUM,
    };
    ServerTraits { idle_timeouts: switch.ageing == Ageing::Notifications, ..usual }
}

/// How to reach the configured switch.
pub(crate) fn session_config(
    config: &Config,
    program: &Program,
    network: &Network,
) -> Result<SessionConfig, SwitchSetupError> {
    let switch = &config.switch;
    let mut session = SessionConfig::new(switch.target.clone(), switch.device_id, switch.election_id);
    session.role = switch.role.clone();
    session.server = server_traits(switch);
    session.p4info = Some(program.pipeline.p4info().clone());
    session.sort = Some(hearing::sorter(program.tables.clone()));
    session.event_queue = EVENTS;
    session.timeouts.request = PATIENCE;
    session.dialler = network.dialler().clone();
    if let Some(tls) = &switch.tls {
        let unreadable = |Unreadable { path, error }| SwitchSetupError::File { path, error };
        session.tls = Some(tls::client(tls).map_err(unreadable)?);
    }
    Ok(session)
}

fn read(path: &PathBuf) -> Result<Vec<u8>, SwitchSetupError> {
    std::fs::read(path).map_err(|error| SwitchSetupError::File { path: path.clone(), error })
}

/// What the switch turned out to have.
#[derive(Debug)]
pub(crate) struct Found {
    /// Whether the program had to be installed.
    pub(crate) program_installed: bool,
    /// Its entries.
    pub(crate) entries: BTreeMap<EntryKey, EntryAction>,
    /// Entries in our tables that mean nothing to us, with the reason.
    pub(crate) meaningless: Vec<(Entity, String)>,
}

/// Makes the switch run the program, and reads back all that it has; of its budgets those that `budgets` says matter to
/// who finds such entries. Others it may have are of places that are none any more, where nothing is heard from.
///
/// Cancelling it leaves a switch that is to be synchronised anew.
pub(crate) async fn synchronise(
    session: Session,
    program: Program,
    budgets: impl FnOnce(&BTreeMap<EntryKey, EntryAction>) -> Vec<PuntMeter>,
) -> Result<Found, RpcError> {
    let program_installed = match session.push_pipeline(&program.pipeline).await? {
        PushOutcome::Pushed => true,
        PushOutcome::Kept => false,
    };
    let mut found = Found { program_installed, entries: BTreeMap::new(), meaningless: Vec::new() };
    found.read(&session, &program.tables, program.tables.read_tables()).await?;
    let budgets = budgets(&found.entries);
    found.read(&session, &program.tables, program.tables.read_meters(budgets)).await?;
    Ok(found)
}

impl Found {
    async fn read(&mut self, session: &Session, tables: &Tables, what: Vec<Entity>) -> Result<(), RpcError> {
        if what.is_empty() {
            return Ok(());
        }
        let mut entities = session.read(what).await?;
        while let Some(entity) = entities.next().await {
            let entity = entity?;
            match tables.decode(&entity) {
                Ok(Some((key, action))) => {
                    self.entries.insert(key, action);
                }
                Ok(None) => {}
                Err(error) => self.meaningless.push((entity, error.to_string())),
            }
        }
        Ok(())
    }
}

/// One round of work on the switch.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Written first, in this order.
    pub(crate) updates: Vec<Update>,
    /// What each of them is about, as far as that is ours.
    pub(crate) keys: Vec<Option<EntryKey>>,
    /// Then sent.
    pub(crate) packets: Vec<PacketOut>,
}

impl Work {
    /// Removes what is not ours.
    pub(crate) fn delete(&mut self, entity: Entity) {
        self.updates.push(client::delete(entity));
        self.keys.push(None);
    }

    /// Adds the changes; one that cannot be expressed is a mistake in this program and is left out with an error in the
    /// log, the rest of the switch must not suffer for it.
    pub(crate) fn write(&mut self, tables: &Tables, changes: &[Change]) {
        for change in changes {
            match tables.update(change) {
                Ok(update) => {
                    self.updates.push(update);
                    self.keys.push(Some(*change.key()));
                }
                Err(error) => tracing::error!(%error, "an entry and an action that do not belong together"),
            }
        }
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.updates.is_empty() && self.packets.is_empty()
    }

    /// Does it. Packets go out even if some update was refused: they are probes and released frames, and both are worth
    /// more early than never.
    pub(crate) async fn carry_out(self, session: Session) -> Result<(), WriteError> {
        let written = if self.updates.is_empty() { Ok(()) } else { session.write(self.updates).await };
        for packet in self.packets {
            if let Err(error) = session.packet_out(packet.payload, packet.metadata).await {
                tracing::debug!(%error, "packet-out dropped");
                break;
            }
        }
        written
    }
}
