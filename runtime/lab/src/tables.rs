//! What the switches' tables say about hosts, read from the switches themselves.
//!
//! An agent could be asked, but then it would vouch for itself. A reader is one more P4Runtime client, which needs no
//! mastership to read, and takes the names from the P4Info that the switch itself reports.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::Serialize;
use tokio::sync::OnceCell;
use tonic::transport::{Channel, Endpoint};
use vouch_net::{MacAddr, Vni};
use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4::v1::p4_runtime_client::P4RuntimeClient;
use vouch_p4runtime::p4::v1::{
    Entity, GetForwardingPipelineConfigRequest, ReadRequest, TableEntry, entity, field_match,
    get_forwarding_pipeline_config_request, table_action,
};
use vouch_p4runtime::p4info::P4InfoError;

/// Where a table says something is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// A port of the switch itself.
    Port(u16),
    /// A VLAN of a port of the switch itself.
    Vlan(u16, u16),
    /// The tunnel to the VTEP of this address.
    Tunnel(Ipv4Addr),
    /// A location that the switch's own tables do not explain.
    Unknown(u16),
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reach::Port(port) => write!(f, "port {port}"),
            Reach::Vlan(port, vlan) => write!(f, "port {port} VLAN {vlan}"),
            Reach::Tunnel(vtep) => write!(f, "tunnel to {vtep}"),
            Reach::Unknown(location) => write!(f, "location {location}"),
        }
    }
}

/// All that a switch has about one host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HostEntry {
    /// Where frames from the host are expected from.
    pub recorded: Option<Reach>,
    /// What is done with frames to the host: the action's name, and where it leads.
    pub destination: Option<(String, Vec<Reach>)>,
    /// The places where the host was claimed to be: place and action.
    pub claims: Vec<(Reach, String)>,
}

impl HostEntry {
    /// Whether frames to and from the host go this way and no other.
    pub fn is_at(&self, reach: &Reach) -> bool {
        let toward = self.destination.as_ref().is_some_and(|(action, reaches)| {
            (action == "unicast" || action == "unicast_hairpin") && reaches.as_slice() == [reach.clone()]
        });
        toward && self.recorded.as_ref() == Some(reach) && self.claims.is_empty()
    }

    /// Whether both lead to the same places. Passing on what comes out of a tunnel, as a switch does for a while after a host
    /// was said to have moved, leads nowhere else.
    pub fn leads_where(&self, other: &Self) -> bool {
        let toward = |entry: &Self| {
            entry.destination.clone().map(|(action, reaches)| match action.as_str() {
                "unicast_hairpin" => ("unicast".to_owned(), reaches),
                _ => (action, reaches),
            })
        };
        self.recorded == other.recorded && self.claims == other.claims && toward(self) == toward(other)
    }
}

impl fmt::Display for HostEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.recorded {
            Some(reach) => write!(f, "{reach}")?,
            None => write!(f, "nowhere")?,
        }
        if let Some((action, reaches)) = &self.destination
            && !(action == "unicast" && reaches.as_slice() == self.recorded.as_slice())
        {
            write!(f, ", {action}")?;
            for reach in reaches {
                write!(f, " {reach}")?;
            }
        }
        for (reach, action) in &self.claims {
            write!(f, ", {action} at {reach}")?;
        }
        Ok(())
    }
}

/// The hosts of one switch, by VNI and MAC address.
pub type HostTable = BTreeMap<(Vni, MacAddr), HostEntry>;

/// Why a switch's tables could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The switch is not there.
    #[error("cannot reach the switch: {0}")]
    Unreachable(#[from] tonic::transport::Error),
    /// The switch refused.
    #[error("the switch refuses to be read: {0}")]
    Refused(#[from] Box<tonic::Status>),
    /// The switch's program is described wrongly.
    #[error(transparent)]
    Info(#[from] P4InfoError),
    /// The switch's program is not the VTEP program.
    #[error("the switch's program has no table `{0}`")]
    NoTable(&'static str),
}

impl From<tonic::Status> for ReadError {
    fn from(status: tonic::Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

const INTERFACES: &str = "ingress_interface";
const TUNNELS: &str = "encapsulate";
const VNIS: &str = "vni_to_bd";
const RECORDED: &str = "recorded_location";
const DESTINATION: &str = "destination";
const SOURCE: &str = "source";

/// Reads one switch.
#[derive(Clone)]
pub struct TableReader {
    client: P4RuntimeClient<Channel>,
    device_id: u64,
    /// Read once, when the switch has them.
    names: Arc<OnceCell<P4Info>>,
}

impl TableReader {
    /// A reader of the device behind a URL. Connects when it is first used.
    pub fn new(url: &str, device_id: u64) -> Result<Self, ReadError> {
        let channel = Endpoint::from_shared(url.to_owned())?.connect_lazy();
        let client = P4RuntimeClient::new(channel).max_decoding_message_size(64 << 20);
        Ok(Self { client, device_id, names: Arc::default() })
    }

    /// Read what the switch has about hosts.
    pub async fn hosts(&mut self) -> Result<HostTable, ReadError> {
        let entries = self.entries(&[INTERFACES, TUNNELS, VNIS, RECORDED, DESTINATION, SOURCE]).await?;
        Ok(host_table(&entries))
    }

    async fn names(&mut self) -> Result<P4Info, ReadError> {
        let request = GetForwardingPipelineConfigRequest {
            device_id: self.device_id,
            response_type: get_forwarding_pipeline_config_request::ResponseType::P4infoAndCookie.into(),
        };
        let config = self.client.get_forwarding_pipeline_config(request).await?.into_inner().config;
        let names = P4Info::new(config.and_then(|config| config.p4info).unwrap_or_default())?;
        // A switch without a program has none of the names.
        if names.tables().next().is_none() { Err(ReadError::NoTable(INTERFACES)) } else { Ok(names) }
    }

    async fn entries(&mut self, tables: &[&'static str]) -> Result<Vec<Named>, ReadError> {
        let known = Arc::clone(&self.names);
        let names = known.get_or_try_init(|| self.names()).await?;
        let mut entities = Vec::new();
        for name in tables {
            let table_id = names.table(name).map_err(|_| ReadError::NoTable(name))?.id;
            let entry = TableEntry { table_id, ..TableEntry::default() };
            entities.push(Entity { entity: Some(entity::Entity::TableEntry(entry)) });
        }
        let request = ReadRequest { device_id: self.device_id, entities, ..ReadRequest::default() };
        let mut stream = self.client.read(request).await?.into_inner();
        let mut entries = Vec::new();
        while let Some(response) = stream.message().await? {
            for entity in response.entities {
                if let Some(entity::Entity::TableEntry(entry)) = entity.entity {
                    entries.extend(Named::from(names, &entry));
                }
            }
        }
        Ok(entries)
    }
}

/// A table entry with names for numbers.
struct Named {
    table: String,
    key: BTreeMap<String, u64>,
    action: String,
    parameters: BTreeMap<String, u64>,
}

impl Named {
    /// `None` for a default entry, and for what the P4Info does not explain.
    fn from(names: &P4Info, entry: &TableEntry) -> Option<Self> {
        if entry.is_default_action {
            return None;
        }
        let table = names.table_by_id(entry.table_id)?;
        let mut key = BTreeMap::new();
        for part in &entry.r#match {
            let field = table.fields.iter().find(|field| field.id == part.field_id)?;
            if let Some(field_match::FieldMatchType::Exact(exact)) = &part.field_match_type {
                key.insert(field.name.clone(), number(&exact.value));
            }
        }
        let table_action::Type::Action(taken) = entry.action.as_ref()?.r#type.as_ref()? else { return None };
        let known = names.action_by_id(taken.action_id)?;
        let mut parameters = BTreeMap::new();
        for parameter in &taken.params {
            let name = known.params.iter().find(|it| it.id == parameter.param_id)?;
            parameters.insert(name.name.clone(), number(&parameter.value));
        }
        Some(Self { table: table.name.clone(), key, action: known.alias.clone(), parameters })
    }
}

/// A number in network byte order, of any length that fits.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn host_table(entries: &[Named]) -> HostTable {
    let of = |table: &'static str| entries.iter().filter(move |entry| entry.table == table);
    let value = |map: &BTreeMap<String, u64>, name: &str| map.get(name).copied().unwrap_or_default();

    let mut reaches = BTreeMap::new();
    for entry in of(INTERFACES).filter(|entry| entry.action == "access") {
        let port = value(&entry.key, "ingress_port") as u16;
        let reach = match value(&entry.key, "vlan_id") as u16 {
            0 => Reach::Port(port),
            vlan => Reach::Vlan(port, vlan),
        };
        reaches.insert(value(&entry.parameters, "location"), reach);
    }
    for entry in of(TUNNELS) {
        let vtep = Ipv4Addr::from(value(&entry.parameters, "dst_ip") as u32);
        reaches.insert(value(&entry.key, "location"), Reach::Tunnel(vtep));
    }
    let reach = |location: u64| reaches.get(&location).cloned().unwrap_or(Reach::Unknown(location as u16));
    let vnis: BTreeMap<u64, Vni> = of(VNIS)
        .filter_map(|entry| Some((value(&entry.parameters, "bd"), Vni::new(value(&entry.key, "vni") as u32).ok()?)))
        .collect();
    let host = |entry: &Named| {
        let [_, _, mac @ ..] = value(&entry.key, "mac").to_be_bytes();
        Some((*vnis.get(&value(&entry.key, "bd"))?, MacAddr(mac)))
    };

    let mut table = HostTable::new();
    for entry in of(RECORDED) {
        if let Some(host) = host(entry) {
            table.entry(host).or_default().recorded = Some(reach(value(&entry.parameters, "location")));
        }
    }
    // The probe address has a destination, but it is no host.
    for entry in of(DESTINATION).filter(|entry| entry.action != "probe_reply") {
        if let Some(host) = host(entry) {
            let places = ["location", "claim_location", "owner_location"];
            let reaches = places.iter().filter_map(|name| entry.parameters.get(*name)).map(|it| reach(*it)).collect();
            table.entry(host).or_default().destination = Some((entry.action.clone(), reaches));
        }
    }
    for entry in of(SOURCE).filter(|entry| entry.action != "here") {
        if let Some(host) = host(entry) {
            let claim = (reach(value(&entry.key, "location")), entry.action.clone());
            table.entry(host).or_default().claims.push(claim);
        }
    }
    for entry in table.values_mut() {
        entry.claims.sort();
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

    fn entry(table: &str, key: &[(&str, u64)], action: &str, parameters: &[(&str, u64)]) -> Named {
        let map = |pairs: &[(&str, u64)]| pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        Named { table: table.to_owned(), key: map(key), action: action.to_owned(), parameters: map(parameters) }
    }

    fn switch(location: u64) -> Vec<Named> {
        let host = [("bd", 1), ("mac", 0x02_00_00_00_00_01)];
        vec![
            entry(VNIS, &[("vni", 5001)], "bridge", &[("bd", 1)]),
            entry(INTERFACES, &[("ingress_port", 2), ("vlan_id", 0)], "access", &[("bd", 1), ("location", 7)]),
            entry(TUNNELS, &[("location", 0x8001)], "encapsulate.encapsulate", &[("dst_ip", 0xc000_0202)]),
            entry(RECORDED, &host, "recorded", &[("location", location), ("forward", 1)]),
            entry(DESTINATION, &host, "unicast", &[("location", location)]),
        ]
    }

    fn only_host(entries: &[Named]) -> HostEntry {
        let table = host_table(entries);
        assert_eq!(table.len(), 1);
        table.get(&(Vni::new(5001).unwrap(), MAC)).cloned().unwrap()
    }

    #[test]
    fn locations_are_explained_by_the_switch_itself() {
        let port = only_host(&switch(7));
        assert!(port.is_at(&Reach::Port(2)));
        assert_eq!(port.to_string(), "port 2");
        let tunnel = only_host(&switch(0x8001));
        assert!(tunnel.is_at(&Reach::Tunnel(Ipv4Addr::new(192, 0, 2, 2))));
        assert!(!tunnel.is_at(&Reach::Port(2)));
        assert_eq!(only_host(&switch(9)).recorded, Some(Reach::Unknown(9)));
    }

    #[test]
    fn a_vlan_of_a_trunk_is_another_place_than_the_port() {
        let mut entries = switch(7);
        entries[1].key.insert("vlan_id".to_owned(), 100);
        let host = only_host(&entries);
        assert!(host.is_at(&Reach::Vlan(2, 100)) && !host.is_at(&Reach::Port(2)));
        assert_eq!(host.to_string(), "port 2 VLAN 100");
    }

    #[test]
    fn a_claim_is_part_of_the_entry() {
        let mut entries = switch(0x8001);
        let key = [("bd", 1), ("mac", 0x02_00_00_00_00_01), ("location", 7)];
        entries.push(entry(SOURCE, &key, "claim_pending", &[("forward", 1)]));
        let host = only_host(&entries);
        assert_eq!(host.claims, [(Reach::Port(2), "claim_pending".to_owned())]);
        assert!(!host.is_at(&Reach::Tunnel(Ipv4Addr::new(192, 0, 2, 2))));
        assert_eq!(host.to_string(), "tunnel to 192.0.2.2, claim_pending at port 2");
    }

    #[test]
    fn passing_on_is_no_other_place_and_a_claim_is() {
        let before = only_host(&switch(0x8001));
        let mut entries = switch(0x8001);
        entries[4].action = "unicast_hairpin".to_owned();
        let hairpin = only_host(&entries);
        assert!(hairpin.leads_where(&before) && hairpin != before);
        entries[4].action = "both".to_owned();
        assert!(!only_host(&entries).leads_where(&before));
        assert!(!only_host(&switch(7)).leads_where(&before));
    }

    #[test]
    fn the_probe_address_is_no_host() {
        let key = [("bd", 1), ("mac", 0x02_76_c0_00_02_01)];
        assert!(host_table(&[entry(DESTINATION, &key, "probe_reply", &[])]).is_empty());
    }
}
