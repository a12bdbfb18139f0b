//! Counters, meters, digests, replication state: read and set by id.

use super::{Replica, RpcError, Session, WriteError, insert, modify};
use crate::p4::v1::{
    CounterData, CounterEntry, DigestEntry, DirectCounterEntry, DirectMeterEntry, Entity, Index, MeterConfig,
    MeterEntry, MulticastGroupEntry, PacketReplicationEngineEntry, TableEntry, digest_entry, entity::Entity as Kind,
    packet_replication_engine_entry::Type,
};

impl Session {
    /// All cells of an indexed counter, with their index.
    pub async fn read_counter(&self, counter_id: u32) -> Result<Vec<(i64, CounterData)>, RpcError> {
        let wanted = CounterEntry { counter_id, ..CounterEntry::default() };
        let cell = |kind| match kind {
            Kind::CounterEntry(CounterEntry { index: Some(index), data: Some(data), .. }) => Some((index.index, data)),
            _ => None,
        };
        self.read_kind(wanted.into(), cell).await
    }

    /// The direct counters of a table, with the keys of their entries.
    pub async fn read_direct_counters(&self, table_id: u32) -> Result<Vec<(TableEntry, CounterData)>, RpcError> {
        let entry = TableEntry { table_id, ..TableEntry::default() };
        let wanted = DirectCounterEntry { table_entry: Some(entry), data: None };
        let cell = |kind| match kind {
            Kind::DirectCounterEntry(DirectCounterEntry { table_entry: Some(entry), data: Some(data) }) => {
                Some((entry, data))
            }
            _ => None,
        };
        self.read_kind(wanted.into(), cell).await
    }

    /// All multicast groups, with their replicas in ascending order (PI keeps no order).
    pub async fn read_multicast_groups(&self) -> Result<Vec<(u32, Vec<Replica>)>, RpcError> {
        let wanted =
            PacketReplicationEngineEntry { r#type: Some(Type::MulticastGroupEntry(MulticastGroupEntry::default())) };
        let group = |kind| match kind {
            Kind::PacketReplicationEngineEntry(PacketReplicationEngineEntry {
                r#type: Some(Type::MulticastGroupEntry(group)),
            }) => {
                let mut replicas: Vec<_> = group.replicas.iter().filter_map(Replica::from_wire).collect();
                replicas.sort();
                Some((group.multicast_group_id, replicas))
            }
            _ => None,
        };
        self.read_kind(wanted.into(), group).await
    }

    /// Sets one cell of an indexed meter; without a configuration everything is green again.
    pub async fn set_meter(&self, meter_id: u32, index: i64, config: Option<MeterConfig>) -> Result<(), WriteError> {
        let meter = MeterEntry { meter_id, index: Some(Index { index }), config, counter_data: None };
        self.write(vec![modify(meter)]).await
    }

    /// Sets the direct meter of a table's entry.
    pub async fn set_direct_meter(&self, entry: TableEntry, config: Option<MeterConfig>) -> Result<(), WriteError> {
        let meter = DirectMeterEntry { table_entry: Some(entry), config, counter_data: None };
        self.write(vec![modify(meter)]).await
    }

    /// Asks the switch to report a digest.
    pub async fn enable_digest(&self, digest_id: u32, config: digest_entry::Config) -> Result<(), WriteError> {
        self.write(vec![insert(DigestEntry { digest_id, config: Some(config) })]).await
    }

    async fn read_kind<T>(&self, wanted: Entity, pick: impl Fn(Kind) -> Option<T>) -> Result<Vec<T>, RpcError> {
        let entities = self.read(vec![wanted]).await?.all().await?;
        Ok(entities.into_iter().filter_map(|entity| pick(entity.entity?)).collect())
    }
}
