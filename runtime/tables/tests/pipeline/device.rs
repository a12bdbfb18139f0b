//! The embedded switch under test, written to with the protocol's own messages.

use std::sync::Arc;

use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4::v1::packet_replication_engine_entry::Type as Replication;
use vouch_p4runtime::p4::v1::replica::PortKind;
use vouch_p4runtime::p4::v1::{
    Replica, TableEntry, Update, entity::Entity, field_match::FieldMatchType, table_action, update,
};
use vouch_switch::{
    ActionCall, CloneSession, CloneTarget, EntryAction, EntryKey, Match, MeterConfig, Micros, Output, Program,
    ReplicationNode, Switch, SwitchConfig, ValueSetMember, Worker,
};

pub(crate) struct Device {
    info: P4Info,
    switch: Switch,
    worker: Worker,
    now: Micros,
}

impl Device {
    pub(crate) fn new(info: P4Info) -> Self {
        let program = Program::load(crate::PROGRAM).expect("the engine takes our program");
        let switch = Switch::new(Arc::new(program), SwitchConfig::default());
        let worker = Worker::new(&switch);
        Self { info, switch, worker, now: Micros(1_000_000) }
    }

    /// One frame in; what comes out, with its port.
    pub(crate) fn process(&mut self, port: u16, frame: &[u8]) -> Vec<(u16, Vec<u8>)> {
        let mut output = Output::new();
        self.switch.process(&mut self.worker, port, frame, self.now, &mut output);
        output.frames().map(|(port, frame)| (port, frame.to_vec())).collect()
    }

    pub(crate) fn counter(&self, name: &str, index: i64) -> u64 {
        let counter = self.switch.program().counter(name).expect("a counter of the program");
        self.switch.counter(counter, index as u64).expect("in range").packets
    }

    /// The UDP ports that carry VXLAN besides the assigned one.
    pub(crate) fn set_vxlan_ports(&mut self, ports: &[u16]) {
        let set = self.switch.program().value_set("vxlan_ports").expect("a value set of the program");
        let member = |port: &u16| ValueSetMember { value: port.to_be_bytes().to_vec(), mask: None };
        let members: Vec<_> = ports.iter().map(member).collect();
        self.switch.set_value_set(set, &members).expect("accepted");
    }

    /// Packets that hit an entry.
    pub(crate) fn hits(&self, entry: &TableEntry) -> u64 {
        let (table, key) = self.key(entry);
        self.switch.entry(table, &key).expect("an entry").counter.packets
    }

    pub(crate) fn write(&mut self, update: &Update) {
        match update.entity.as_ref().and_then(|entity| entity.entity.as_ref()).expect("an entity") {
            Entity::TableEntry(entry) => self.write_entry(update.r#type(), entry),
            Entity::PacketReplicationEngineEntry(entry) => self.replicate(entry.r#type.as_ref().expect("a kind")),
            Entity::MeterEntry(entry) => {
                let name = &self.info.meter_by_id(entry.meter_id).expect("a meter of the program").name;
                let meter = self.switch.program().meter(name).expect("a meter of the program");
                let config = entry.config.as_ref().map(|it| MeterConfig {
                    cir: it.cir as u64,
                    cburst: it.cburst as u64,
                    pir: it.pir as u64,
                    pburst: it.pburst as u64,
                });
                let index = entry.index.as_ref().expect("a cell").index as u64;
                self.switch.set_meter(meter, index, config).expect("accepted");
            }
            other => panic!("tests write no {other:?}"),
        }
    }

    fn key(&self, entry: &TableEntry) -> (vouch_switch::TableId, EntryKey) {
        let shape = self.info.table_by_id(entry.table_id).expect("a table of the program");
        let table = self.switch.program().table(&shape.name).expect("a table of the program");
        let matched =
            |id| entry.r#match.iter().find(|it| it.field_id == id).and_then(|it| it.field_match_type.as_ref());
        let matches = shape.fields.iter().map(|field| match matched(field.id) {
            Some(FieldMatchType::Exact(it)) => Match::Exact(it.value.clone()),
            Some(FieldMatchType::Lpm(it)) => Match::Lpm { value: it.value.clone(), prefix_len: it.prefix_len as u32 },
            None => Match::Any,
            Some(other) => panic!("the program has no {other:?}"),
        });
        (table, EntryKey { matches: matches.collect(), priority: 0 })
    }

    fn write_entry(&mut self, kind: update::Type, entry: &TableEntry) {
        let (table, key) = self.key(entry);
        if kind == update::Type::Delete {
            self.switch.delete_entry(table, &key).expect("an entry");
            return;
        }
        let Some(table_action::Type::Action(action)) = entry.action.as_ref().and_then(|it| it.r#type.as_ref()) else {
            panic!("no action in {entry:?}")
        };
        let shape = self.info.action_by_id(action.action_id).expect("an action of the program");
        let param = |id| action.params.iter().find(|it| it.param_id == id).expect("every parameter").value.clone();
        let call = ActionCall {
            action: self.switch.program().table_action(table, &shape.name).expect("an action of the table"),
            params: shape.params.iter().map(|it| param(it.id)).collect(),
        };
        let entry = vouch_switch::TableEntry {
            key,
            action: EntryAction::Call(call),
            idle_timeout: Micros(entry.idle_timeout_ns as u64 / 1000),
            meter: None,
        };
        match kind {
            update::Type::Insert => self.switch.insert_entry(table, &entry, self.now),
            _ => self.switch.modify_entry(table, &entry, self.now),
        }
        .expect("accepted");
    }

    fn replicate(&mut self, entry: &Replication) {
        let port = |replica: &Replica| match &replica.port_kind {
            Some(PortKind::Port(bytes)) => bytes.iter().fold(0, |port, &byte| port << 8 | u16::from(byte)),
            other => panic!("tests use no {other:?}"),
        };
        let nodes = |replicas: &[Replica]| {
            let pairs: Vec<_> = replicas.iter().map(|it| (port(it), it.instance as u16)).collect();
            ReplicationNode::from_replicas(&pairs)
        };
        match entry {
            Replication::MulticastGroupEntry(group) => {
                self.switch.insert_multicast_group(group.multicast_group_id, &nodes(&group.replicas))
            }
            Replication::CloneSessionEntry(session) => {
                let target = CloneTarget::Replicas(nodes(&session.replicas));
                let to_cpu = CloneSession { target, max_packet_length: 0, class_of_service: 0 };
                self.switch.insert_clone_session(session.session_id as u16, &to_cpu)
            }
        }
        .expect("accepted");
    }
}
