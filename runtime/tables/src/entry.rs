//! Everything that a switch can be told to hold, as one pair of types: a key that sorts, and an action that compares.
//!
//! A controller keeps the wanted state as `BTreeMap<EntryKey, EntryAction>`, reads the actual state back as the same, and
//! writes the difference.

use std::collections::BTreeSet;
use std::fmt;

use vouch_p4runtime::p4::v1::{
    CloneSessionEntry, Entity, Index, MeterConfig, MeterEntry, MulticastGroupEntry, PacketReplicationEngineEntry,
    TableEntry, Update, entity, packet_replication_engine_entry, update,
};

use crate::bind::Tables;
use crate::codec::{Aged, TableKey, TableShape, decode_action, decode_key, encode};
use crate::error::{DecodeError, EntryError};
use crate::punt::{MeterRate, PuntMeter};
use crate::replication::{CloneSession, Replica, decode_group, decode_session, encode_group, encode_session};
use crate::tables::*;
use crate::types::Group;

/// The pairs of key and action, one line for each table.
macro_rules! entries {
    ($( $INDEX:ident $Table:ident($Key:ty => $Action:ty) )+) => {
        /// What identifies an entry.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EntryKey {
            $( #[doc = concat!("An entry of the table of [`", stringify!($Key), "`].")] $Table($Key), )+
            /// A multicast group.
            MulticastGroup(Group),
            /// A clone session.
            CloneSession(u32),
            /// A cell of the punt meter.
            PuntMeter(PuntMeter),
        }

        /// What an entry does.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EntryAction {
            $( #[doc = concat!("Of the table of [`", stringify!($Key), "`].")] $Table($Action), )+
            /// The members of the group.
            MulticastGroup(BTreeSet<Replica>),
            /// The members of the session.
            CloneSession(CloneSession),
            /// The cell's budget.
            PuntMeter(MeterRate),
        }

        $(
            impl $Key {
                /// An entry with this key.
                pub fn with(self, action: $Action) -> (EntryKey, EntryAction) {
                    (EntryKey::$Table(self), EntryAction::$Table(action))
                }
            }

            impl From<$Key> for EntryKey {
                fn from(key: $Key) -> Self {
                    Self::$Table(key)
                }
            }
        )+

        /// The position of each table in [`TABLE_SHAPES`].
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Position { $($INDEX),+ }
        $( pub(crate) const $INDEX: usize = Position::$INDEX as usize; )+

        pub(crate) const TABLE_SHAPES: &[TableShape] = &[$(<$Key as TableKey>::SHAPE),+];

        impl Tables {
            fn table_entry(&self, key: &EntryKey, action: Option<&EntryAction>) -> Result<entity::Entity, EntryError> {
                Ok(match (key, action) {
                    $(
                        (EntryKey::$Table(key), Some(EntryAction::$Table(action))) => {
                            let absent = || EntryError::Absent { key: (*key).into(), action: action.to_string() };
                            let entry = encode(self.table($INDEX), key, Some(action)).ok_or_else(absent)?;
                            entity::Entity::TableEntry(entry)
                        }
                        (EntryKey::$Table(key), None) => {
                            let absent = || EntryError::Absent { key: (*key).into(), action: String::new() };
                            let entry = encode(self.table($INDEX), key, None).ok_or_else(absent)?;
                            entity::Entity::TableEntry(entry)
                        }
                    )+
                    (EntryKey::MulticastGroup(group), Some(EntryAction::MulticastGroup(replicas))) => {
                        group_entity(encode_group(*group, Some(replicas)))
                    }
                    (EntryKey::MulticastGroup(group), None) => group_entity(encode_group(*group, None)),
                    (EntryKey::CloneSession(id), Some(EntryAction::CloneSession(session))) => {
                        session_entity(encode_session(*id, Some(session)))
                    }
                    (EntryKey::CloneSession(id), None) => session_entity(encode_session(*id, None)),
                    (EntryKey::PuntMeter(cell), Some(EntryAction::PuntMeter(rate))) => {
                        self.meter_entity(Some(*cell), Some(*rate))
                    }
                    (EntryKey::PuntMeter(cell), None) => self.meter_entity(Some(*cell), None),
                    (key, Some(action)) => {
                        return Err(EntryError::Mismatched { key: *key, action: action.to_string() });
                    }
                })
            }

            fn decode_table_entry(&self, entry: &TableEntry) -> Result<(EntryKey, EntryAction), DecodeError> {
                $( if let Some(table) = self.table_with($INDEX, entry.table_id) {
                    let key: $Key = decode_key(table, entry)?;
                    return Ok(key.with(decode_action::<$Key>(table, entry)?));
                } )+
                Err(DecodeError::UnknownId { what: "table", id: entry.table_id })
            }
        }

        impl fmt::Display for EntryKey {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $( Self::$Table(key) => fmt::Display::fmt(key, f), )+
                    Self::MulticastGroup(group) => write!(f, "multicast_group id={group}"),
                    Self::CloneSession(id) => write!(f, "clone_session id={id}"),
                    Self::PuntMeter(cell) => fmt::Display::fmt(cell, f),
                }
            }
        }

        impl fmt::Display for EntryAction {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $( Self::$Table(action) => fmt::Display::fmt(action, f), )+
                    Self::MulticastGroup(replicas) => {
                        let replicas: Vec<String> = replicas.iter().map(Replica::to_string).collect();
                        write!(f, "replicas=[{}]", replicas.join(" "))
                    }
                    Self::CloneSession(session) => fmt::Display::fmt(session, f),
                    Self::PuntMeter(rate) => fmt::Display::fmt(rate, f),
                }
            }
        }
    };
}

entries! {
    INGRESS_INTERFACE IngressInterface(IngressInterfaceKey => IngressInterfaceAction)
    LOCAL_VTEP LocalVtep(LocalVtepKey => LocalVtepAction)
    UNDERLAY_PEER UnderlayPeer(UnderlayPeerKey => UnderlayPeerAction)
    LOCAL_VTEP_IPV6 LocalVtepIpv6(LocalVtepIpv6Key => LocalVtepIpv6Action)
    UNDERLAY_PEER_IPV6 UnderlayPeerIpv6(UnderlayPeerIpv6Key => UnderlayPeerIpv6Action)
    BINDING_IPV4 BindingIpv4(BindingIpv4Key => BindingIpv4Action)
    BINDING_IPV6 BindingIpv6(BindingIpv6Key => BindingIpv6Action)
    VNI_TO_BD VniToBd(VniToBdKey => VniToBdAction)
    UNDERLAY_ROUTE UnderlayRoute(UnderlayRouteKey => UnderlayRouteAction)
    UNDERLAY_ROUTE_IPV6 UnderlayRouteIpv6(UnderlayRouteIpv6Key => UnderlayRouteIpv6Action)
    SOURCE Source(SourceKey => Aged<SourceAction>)
    RECORDED_LOCATION RecordedLocation(RecordedLocationKey => RecordedLocationAction)
    DESTINATION Destination(DestinationKey => DestinationAction)
    FLOOD Flood(FloodKey => FloodAction)
    LOCATION_PORT LocationPort(LocationPortKey => LocationPortAction)
    NEXT_HOP NextHop(NextHopKey => NextHopAction)
    NEIGHBOUR Neighbour(NeighbourKey => NeighbourAction)
    BD_VNI BdVni(BdVniKey => BdVniAction)
    ENCAPSULATE Encapsulate(EncapsulateKey => EncapsulateAction)
    UNDERLAY_TAG UnderlayTag(UnderlayTagKey => UnderlayTagAction)
    ACCESS_TAG AccessTag(AccessTagKey => AccessTagAction)
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The entry is not there yet.
    Insert(EntryKey, EntryAction),
    /// The entry is there, with another action.
    Modify(EntryKey, EntryAction),
    /// The entry is there.
    Delete(EntryKey),
}

impl Change {
    /// The entry it is about.
    pub fn key(&self) -> &EntryKey {
        match self {
            Self::Insert(key, _) | Self::Modify(key, _) | Self::Delete(key) => key,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Insert(key, action) => write!(f, "insert {key}: {action}"),
            Self::Modify(key, action) => write!(f, "modify {key}: {action}"),
            Self::Delete(key) => write!(f, "delete {key}"),
        }
    }
}

impl Tables {
    /// The write that makes a change. A meter's cell is always there, so its changes are all modifications.
    pub fn update(&self, change: &Change) -> Result<Update, EntryError> {
        let (kind, action) = match change {
            Change::Insert(_, action) => (update::Type::Insert, Some(action)),
            Change::Modify(_, action) => (update::Type::Modify, Some(action)),
            Change::Delete(_) => (update::Type::Delete, None),
        };
        let kind = if matches!(change.key(), EntryKey::PuntMeter(_)) { update::Type::Modify } else { kind };
        let entity = Entity { entity: Some(self.table_entry(change.key(), action)?) };
        Ok(Update { r#type: kind.into(), entity: Some(entity) })
    }

    /// Reads of everything that [`Tables::decode`] understands.
    pub fn read_all(&self) -> Vec<Entity> {
        let meters = Entity { entity: Some(self.meter_entity(None, None)) };
        self.read_tables().into_iter().chain([meters]).collect()
    }

    /// The same without meters, of which a switch has tens of thousands.
    pub fn read_tables(&self) -> Vec<Entity> {
        let tables = self
            .tables
            .iter()
            .flatten()
            .map(|table| entity::Entity::TableEntry(TableEntry { table_id: table.id, ..TableEntry::default() }));
        let groups = group_entity(MulticastGroupEntry::default());
        let sessions = session_entity(CloneSessionEntry::default());
        tables.chain([groups, sessions]).map(|entity| Entity { entity: Some(entity) }).collect()
    }

    /// Reads of these meters.
    pub fn read_meters(&self, cells: impl IntoIterator<Item = PuntMeter>) -> Vec<Entity> {
        let meters = cells.into_iter().map(|cell| self.meter_entity(Some(cell), None));
        meters.map(|entity| Entity { entity: Some(entity) }).collect()
    }

    /// An entry as read back. None for what nobody wrote: a default action, a meter without budget.
    pub fn decode(&self, entity: &Entity) -> Result<Option<(EntryKey, EntryAction)>, DecodeError> {
        use packet_replication_engine_entry::Type;
        match entity.entity.as_ref().ok_or(DecodeError::Missing("the entity"))? {
            entity::Entity::TableEntry(entry) if entry.is_default_action => Ok(None),
            entity::Entity::TableEntry(entry) => self.decode_table_entry(entry).map(Some),
            entity::Entity::PacketReplicationEngineEntry(entry) => match &entry.r#type {
                Some(Type::MulticastGroupEntry(entry)) => {
                    let (group, replicas) = decode_group(entry)?;
                    Ok(Some((EntryKey::MulticastGroup(group), EntryAction::MulticastGroup(replicas))))
                }
                Some(Type::CloneSessionEntry(entry)) => {
                    let (id, session) = decode_session(entry)?;
                    Ok(Some((EntryKey::CloneSession(id), EntryAction::CloneSession(session))))
                }
                None => Err(DecodeError::Missing("the replication entry")),
            },
            entity::Entity::MeterEntry(entry) => Ok(self.decode_meter(entry)?),
            _ => Err(DecodeError::Foreign("an entity of this kind")),
        }
    }

    /// The host and place of an entry that timed out.
    pub fn idle_key(&self, entry: &TableEntry) -> Result<SourceKey, DecodeError> {
        match self.table_with(SOURCE, entry.table_id) {
            Some(table) => decode_key(table, entry),
            None => Err(DecodeError::UnknownId { what: "ageing table", id: entry.table_id }),
        }
    }

    fn meter_entity(&self, cell: Option<PuntMeter>, rate: Option<MeterRate>) -> entity::Entity {
        // One budget, so the committed rate is the peak rate: above it is red.
        let config = rate.map(|MeterRate { rate, burst }| MeterConfig {
            cir: rate.into(),
            cburst: burst.into(),
            pir: rate.into(),
            pburst: burst.into(),
            ..MeterConfig::default()
        });
        entity::Entity::MeterEntry(MeterEntry {
            meter_id: self.punt_budgets.meter,
            index: cell.map(|cell| Index { index: self.punt_budgets.index(cell) }),
            config,
            counter_data: None,
        })
    }

    fn decode_meter(&self, entry: &MeterEntry) -> Result<Option<(EntryKey, EntryAction)>, DecodeError> {
        if entry.meter_id != self.punt_budgets.meter {
            return Err(DecodeError::UnknownId { what: "meter", id: entry.meter_id });
        }
        let cell = entry.index.as_ref().and_then(|index| self.punt_budgets.cell(index.index));
        let (Some(cell), Some(config)) = (cell, &entry.config) else { return Ok(None) };
        let number = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        let rate = MeterRate { rate: number(config.pir), burst: number(config.pburst) };
        Ok(Some((EntryKey::PuntMeter(cell), EntryAction::PuntMeter(rate))))
    }
}

fn group_entity(entry: MulticastGroupEntry) -> entity::Entity {
    replication_entity(packet_replication_engine_entry::Type::MulticastGroupEntry(entry))
}

fn session_entity(entry: CloneSessionEntry) -> entity::Entity {
    replication_entity(packet_replication_engine_entry::Type::CloneSessionEntry(entry))
}

fn replication_entity(entry: packet_replication_engine_entry::Type) -> entity::Entity {
    entity::Entity::PacketReplicationEngineEntry(PacketReplicationEngineEntry { r#type: Some(entry) })
}
