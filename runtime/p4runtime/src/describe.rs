//! Entities in words, for error messages and logs.

use std::fmt::Write;

use crate::{
    P4Info,
    p4::v1::{
        Entity, FieldMatch, TableEntry, Update, entity::Entity as Kind, field_match::FieldMatchType,
        packet_replication_engine_entry::Type as Replication, update::Type,
    },
    value::hex,
};

/// `insert into table route, hdr.ipv4.dst=0x0a000000/8`: what an update does to what. Ids take the place of names that
/// are not known.
pub fn update(update: &Update, p4info: Option<&P4Info>) -> String {
    let verb = match update.r#type() {
        Type::Unspecified => "unspecified",
        Type::Insert => "insert",
        Type::Modify => "modify",
        Type::Delete => "delete",
    };
    let entity = update.entity.as_ref().map_or_else(|| "nothing".to_owned(), |it| self::entity(it, p4info));
    format!("{verb} {entity}")
}

/// `table route, hdr.ipv4.dst=0x0a000000/8`: an entity by table, index or group and key.
pub fn entity(entity: &Entity, p4info: Option<&P4Info>) -> String {
    let named = |what: &str, id: u32, name: Option<&str>| match name {
        Some(name) => format!("{what} {name}"),
        None => format!("{what} {id:#010x}"),
    };
    let index = |index: Option<i64>| index.map_or_else(String::new, |index| format!("[{index}]"));
    let key = |entry: &Option<TableEntry>| {
        entry.as_ref().map_or_else(|| "no entry".to_owned(), |entry| table_entry(entry, p4info))
    };
    match entity.entity.as_ref() {
        None => "nothing".to_owned(),
        Some(Kind::TableEntry(entry)) => table_entry(entry, p4info),
        Some(Kind::DirectCounterEntry(it)) => format!("direct counter of {}", key(&it.table_entry)),
        Some(Kind::DirectMeterEntry(it)) => format!("direct meter of {}", key(&it.table_entry)),
        Some(Kind::CounterEntry(it)) => {
            let name = p4info.and_then(|info| info.counter_by_id(it.counter_id)).map(|counter| counter.shown());
            named("counter", it.counter_id, name) + &index(it.index.map(|it| it.index))
        }
        Some(Kind::MeterEntry(it)) => {
            let name = p4info.and_then(|info| info.meter_by_id(it.meter_id)).map(|meter| meter.shown());
            named("meter", it.meter_id, name) + &index(it.index.map(|it| it.index))
        }
        Some(Kind::RegisterEntry(it)) => {
            let name = p4info.and_then(|info| info.register_by_id(it.register_id)).map(|register| register.shown());
            named("register", it.register_id, name) + &index(it.index.map(|it| it.index))
        }
        Some(Kind::DigestEntry(it)) => {
            let name = p4info.and_then(|info| info.digest_by_id(it.digest_id)).map(|digest| digest.shown());
            named("digest", it.digest_id, name)
        }
        Some(Kind::ValueSetEntry(it)) => {
            let name = p4info.and_then(|info| info.value_set_by_id(it.value_set_id)).map(|set| set.shown());
            named("value set", it.value_set_id, name)
        }
        Some(Kind::ActionProfileMember(it)) => {
            let name = p4info.and_then(|info| info.action_profile_by_id(it.action_profile_id)).map(|it| it.shown());
            format!("{}, member {}", named("action profile", it.action_profile_id, name), it.member_id)
        }
        Some(Kind::ActionProfileGroup(it)) => {
            let name = p4info.and_then(|info| info.action_profile_by_id(it.action_profile_id)).map(|it| it.shown());
            format!("{}, group {}", named("action profile", it.action_profile_id, name), it.group_id)
        }
        Some(Kind::PacketReplicationEngineEntry(it)) => match &it.r#type {
            Some(Replication::MulticastGroupEntry(group)) => format!("multicast group {}", group.multicast_group_id),
            Some(Replication::CloneSessionEntry(session)) => format!("clone session {}", session.session_id),
            None => "replication entry".to_owned(),
        },
        Some(Kind::ExternEntry(it)) => format!("extern {:#010x}", it.extern_id),
    }
}

fn table_entry(entry: &TableEntry, p4info: Option<&P4Info>) -> String {
    let table = p4info.and_then(|info| info.table_by_id(entry.table_id));
    let mut text = match table {
        Some(table) => format!("table {}", table.shown()),
        None => format!("table {:#010x}", entry.table_id),
    };
    if entry.is_default_action {
        text.push_str(", default action");
    }
    for field in &entry.r#match {
        let known = table.and_then(|table| table.fields.iter().find(|it| it.id == field.field_id));
        let name = known.map_or_else(|| format!("field {}", field.field_id), |known| known.name.clone());
        write!(text, ", {name}={}", match_value(field)).expect("writing to a String cannot fail");
    }
    if entry.priority != 0 {
        write!(text, ", priority {}", entry.priority).expect("writing to a String cannot fail");
    }
    text
}

fn match_value(field: &FieldMatch) -> String {
    match &field.field_match_type {
        Some(FieldMatchType::Exact(it)) => hex(&it.value),
        Some(FieldMatchType::Ternary(it)) => format!("{}&{}", hex(&it.value), hex(&it.mask)),
        Some(FieldMatchType::Lpm(it)) => format!("{}/{}", hex(&it.value), it.prefix_len),
        Some(FieldMatchType::Range(it)) => format!("{}..{}", hex(&it.low), hex(&it.high)),
        Some(FieldMatchType::Optional(it)) => hex(&it.value),
        Some(FieldMatchType::Other(it)) => it.type_url.clone(),
        None => "nothing".to_owned(),
    }
}
