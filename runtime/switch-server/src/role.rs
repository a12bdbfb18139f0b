//! What a role may do (specification, section 5.3).
//!
//! The specification leaves it to client and server to agree on what a role's configuration says. This switch speaks
//! Stratum's scheme, `stratum.P4RoleConfig`, which other controllers know too: the ids of tables and other objects that the
//! role alone, or along with others, may write, and whether it gets packet-ins and may push pipelines. A role without a
//! configuration may do all that no other role has for itself. Multicast groups and clone sessions have no id in the P4Info
//! and are open to every role.

use std::collections::BTreeSet;

use prost::Message;
use vouch_p4runtime::p4::v1;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::value::canonical;

use crate::fault::{Fault, Outcome};

/// The type of configuration that is understood.
const SCHEME: &str = "stratum.P4RoleConfig";

/// `stratum.P4RoleConfig`, as it is on the wire.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RoleConfig {
    #[prost(uint32, repeated, tag = "1")]
    pub(crate) exclusive_p4_ids: Vec<u32>,
    #[prost(uint32, repeated, tag = "2")]
    pub(crate) shared_p4_ids: Vec<u32>,
    #[prost(message, optional, tag = "3")]
    pub(crate) packet_in_filter: Option<PacketFilter>,
    #[prost(bool, tag = "4")]
    pub(crate) receives_packet_ins: bool,
    #[prost(bool, tag = "5")]
    pub(crate) can_push_pipeline: bool,
}

/// Packet-ins with this metadata, and no others.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PacketFilter {
    #[prost(uint32, tag = "1")]
    pub(crate) metadata_id: u32,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

impl RoleConfig {
    /// The configuration that a controller gave.
    pub(crate) fn decode_any(any: &prost_types::Any) -> Outcome<RoleConfig> {
        let name = any.type_url.rsplit('/').next().unwrap_or_default();
        if name != SCHEME {
            return Err(Fault::invalid(format!(
                "role.config is of type {name:?}: give none for access to everything, or {SCHEME}"
            )));
        }
        RoleConfig::decode(any.value.as_slice())
            .map_err(|error| Fault::invalid(format!("role.config is no {SCHEME}: {error}")))
    }

    fn has(&self, id: u32) -> bool {
        self.exclusive_p4_ids.contains(&id) || self.shared_p4_ids.contains(&id)
    }

    fn receives(&self, packet: &v1::PacketIn) -> bool {
        let passes = |filter: &PacketFilter| {
            let wanted = canonical(&filter.value);
            packet.metadata.iter().any(|given| given.metadata_id == filter.metadata_id && given.value == wanted)
        };
        self.receives_packet_ins && self.packet_in_filter.as_ref().is_none_or(passes)
    }
}

/// What one role may do at present.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    pub(crate) role: String,
    /// `None`: everything.
    pub(crate) config: Option<RoleConfig>,
    /// Ids that other roles have for themselves.
    pub(crate) foreign: BTreeSet<u32>,
}

impl Scope {
    /// Whether the role writes this object, and hears of it.
    pub(crate) fn has(&self, id: u32) -> bool {
        !self.foreign.contains(&id) && self.config.as_ref().is_none_or(|config| config.has(id))
    }

    /// Whether the role gets this packet-in.
    pub(crate) fn receives(&self, packet: &v1::PacketIn) -> bool {
        self.config.as_ref().is_none_or(|config| config.receives(packet))
    }

    /// Refuse a write that the role does not allow.
    pub(crate) fn check_write(&self, update: &v1::Update) -> Outcome {
        match update.entity.as_ref().and_then(object_id) {
            Some(id) if self.foreign.contains(&id) => {
                Err(Fault::permission_denied(format!("{id:#010x} belongs to another role alone")))
            }
            Some(id) if !self.has(id) => Err(Fault::permission_denied(format!(
                "{id:#010x} is not among the objects that role {:?} may write",
                self.role
            ))),
            Some(_) | None => Ok(()),
        }
    }

    /// Refuse a pipeline that the role may not push.
    pub(crate) fn check_push(&self) -> Outcome {
        if self.config.as_ref().is_none_or(|config| config.can_push_pipeline) {
            return Ok(());
        }
        Err(Fault::permission_denied(format!(
            "role {:?} may not push pipelines: can_push_pipeline is not set",
            self.role
        )))
    }

    /// Whether a read in the name of the role shows this entity.
    pub(crate) fn shows(&self, entity: &v1::Entity) -> bool {
        object_id(entity).is_none_or(|id| self.has(id))
    }
}

/// The object of the P4Info that an entity belongs to, if there is one; that of a direct resource is its table.
fn object_id(entity: &v1::Entity) -> Option<u32> {
    let of_table = |entry: &Option<v1::TableEntry>| entry.as_ref().map(|entry| entry.table_id);
    match entity.entity.as_ref()? {
        Kind::TableEntry(entry) => Some(entry.table_id),
        Kind::ActionProfileMember(member) => Some(member.action_profile_id),
        Kind::ActionProfileGroup(group) => Some(group.action_profile_id),
        Kind::MeterEntry(meter) => Some(meter.meter_id),
        Kind::DirectMeterEntry(meter) => of_table(&meter.table_entry),
        Kind::CounterEntry(counter) => Some(counter.counter_id),
        Kind::DirectCounterEntry(counter) => of_table(&counter.table_entry),
        Kind::ValueSetEntry(set) => Some(set.value_set_id),
        Kind::RegisterEntry(register) => Some(register.register_id),
        Kind::DigestEntry(digest) => Some(digest.digest_id),
        Kind::PacketReplicationEngineEntry(_) | Kind::ExternEntry(_) => None,
    }
}
