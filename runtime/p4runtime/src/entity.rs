//! Everything that can be written or read is an [`Entity`].

use crate::p4::v1::{
    ActionProfileGroup, ActionProfileMember, CounterEntry, DigestEntry, DirectCounterEntry, DirectMeterEntry, Entity,
    ExternEntry, MeterEntry, PacketReplicationEngineEntry, RegisterEntry, TableEntry, ValueSetEntry,
    entity::Entity as Kind,
};

macro_rules! entities {
    ($($kind:ident($message:ty)),* $(,)?) => {
        $(impl From<$message> for Entity {
            fn from(message: $message) -> Self {
                Self { entity: Some(Kind::$kind(message)) }
            }
        })*
    };
}

entities! {
    ExternEntry(ExternEntry),
    TableEntry(TableEntry),
    ActionProfileMember(ActionProfileMember),
    ActionProfileGroup(ActionProfileGroup),
    MeterEntry(MeterEntry),
    DirectMeterEntry(DirectMeterEntry),
    CounterEntry(CounterEntry),
    DirectCounterEntry(DirectCounterEntry),
    PacketReplicationEngineEntry(PacketReplicationEngineEntry),
    ValueSetEntry(ValueSetEntry),
    RegisterEntry(RegisterEntry),
    DigestEntry(DigestEntry),
}
