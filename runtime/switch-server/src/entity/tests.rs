//! Entities written and read without a socket: round trips, texts, and random requests.

mod batch;
mod hostile;
mod sharing;

use proptest::prelude::*;
use prost::Message;
use tonic::{Code, Status};
use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4::config::v1 as config;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::field_match::{self, FieldMatchType};
use vouch_p4runtime::p4::v1::packet_replication_engine_entry::Type as Replication;
use vouch_p4runtime::p4::v1::table_action::Type as ActionType;
use vouch_p4runtime::p4::v1::update::Type;
use vouch_p4runtime::p4::v1::{self, p4_data};
use vouch_switch::{CounterData, MeterColors, Micros, SwitchConfig};

use super::Stretch;
use crate::answer::{Answer, Part};
use crate::dialect::Dialect;
use crate::pipeline::{Pipeline, Verified};
use crate::translation::Translation;

const P4INFO: &str = include_str!("../../tests/programs/kinds.p4info.txtpb");
const JSON: &[u8] = include_bytes!("../../tests/programs/kinds.json");

/// The test program at work.
struct Bench {
    info: P4Info,
    pipeline: Pipeline,
}

impl Bench {
    fn new() -> Bench {
        Bench::with(P4Info::from_text(P4INFO).expect("p4c wrote it"), &[])
    }

    fn with(info: P4Info, translations: &[Translation]) -> Bench {
        let config = v1::ForwardingPipelineConfig {
            p4info: Some(info.message().clone()),
            p4_device_config: JSON.into(),
            cookie: None,
        };
        let verified = Verified::check(config, translations).unwrap_or_else(|fault| panic!("{}", fault.message));
        Bench { info, pipeline: verified.realise(SwitchConfig::default(), Dialect::Specification, false) }
    }

    fn table(&self, name: &str) -> u32 {
        self.info.table(name).expect("the program has it").id
    }

    fn action(&self, name: &str, params: &[&[u8]]) -> v1::Action {
        let params =
            params.iter().zip(1..).map(|(value, param_id)| v1::action::Param { param_id, value: value.to_vec() });
        v1::Action { action_id: self.info.action(name).expect("the program has it").id, params: params.collect() }
    }

    fn does(&self, name: &str, params: &[&[u8]]) -> Option<v1::TableAction> {
        Some(v1::TableAction { r#type: Some(ActionType::Action(self.action(name, params))) })
    }

    fn host(&self, mac: u8) -> v1::TableEntry {
        v1::TableEntry {
            table_id: self.table("host"),
            r#match: vec![exact(1, &[mac])],
            action: self.does("host_forward", &[&[2]]),
            ..Default::default()
        }
    }

    /// Another default entry than the program's.
    fn host_default(&self) -> v1::TableEntry {
        v1::TableEntry {
            table_id: self.table("host"),
            is_default_action: true,
            action: self.does("punt", &[&[3]]),
            metadata: b"mine".to_vec(),
            ..Default::default()
        }
    }

    fn route(&self) -> v1::TableEntry {
        let lpm = field_match::Lpm { value: vec![10, 0, 0, 0, 0, 0], prefix_len: 8 };
        v1::TableEntry {
            table_id: self.table("route"),
            r#match: vec![field(1, FieldMatchType::Lpm(lpm))],
            action: self.does("forward", &[&[2]]),
            ..Default::default()
        }
    }

    fn acl(&self, matches: Vec<v1::FieldMatch>) -> v1::TableEntry {
        v1::TableEntry {
            table_id: self.table("acl"),
            r#match: matches,
            action: self.does("punt", &[&[7]]),
            priority: 10,
            ..Default::default()
        }
    }

    fn write(&self, operation: Type, kind: Kind) -> Result<(), (Code, String)> {
        let update = v1::Update { r#type: operation as i32, entity: Some(v1::Entity { entity: Some(kind) }) };
        let outcome = self.pipeline.target_mut().write(&update, Micros(0));
        outcome.map_err(|fault| (fault.code, fault.message))
    }

    fn insert(&self, entry: v1::TableEntry) -> Result<(), (Code, String)> {
        self.write(Type::Insert, Kind::TableEntry(entry))
    }

    fn read(&self, kind: Kind) -> Vec<Kind> {
        self.try_read(kind).expect("the read is valid")
    }

    fn try_read(&self, kind: Kind) -> Result<Vec<Kind>, (Code, String)> {
        let found = self.pipeline.target().read(&v1::Entity { entity: Some(kind) }, Micros(5_000));
        let found = found.map_err(|fault| (fault.code, fault.message))?;
        Ok(found.into_iter().map(|entity| entity.entity.expect("never empty")).collect())
    }

    fn entries(&self, wanted: v1::TableEntry) -> Vec<v1::TableEntry> {
        let entry = |kind| match kind {
            Kind::TableEntry(entry) => entry,
            other => panic!("{other:?} is no table entry"),
        };
        self.read(Kind::TableEntry(wanted)).into_iter().map(entry).collect()
    }

    /// Everything that can be read, in a stable order.
    fn everything(&self) -> Vec<Vec<u8>> {
        let with_resources = v1::TableEntry {
            counter_data: Some(v1::CounterData::default()),
            meter_config: Some(v1::MeterConfig::default()),
            meter_counter_data: Some(v1::MeterCounterData::default()),
            ..Default::default()
        };
        let kinds = [
            Kind::TableEntry(with_resources.clone()),
            Kind::TableEntry(v1::TableEntry { is_default_action: true, ..with_resources }),
            Kind::ActionProfileMember(v1::ActionProfileMember::default()),
            Kind::ActionProfileGroup(v1::ActionProfileGroup::default()),
            Kind::MeterEntry(v1::MeterEntry {
                counter_data: Some(v1::MeterCounterData::default()),
                ..Default::default()
            }),
            Kind::CounterEntry(v1::CounterEntry::default()),
            Kind::RegisterEntry(v1::RegisterEntry::default()),
            Kind::ValueSetEntry(v1::ValueSetEntry::default()),
            Kind::DigestEntry(v1::DigestEntry::default()),
            replication(Replication::MulticastGroupEntry(v1::MulticastGroupEntry::default())),
            replication(Replication::CloneSessionEntry(v1::CloneSessionEntry::default())),
        ];
        let mut all: Vec<Vec<u8>> = kinds
            .into_iter()
            .flat_map(|kind| self.read(kind))
            .map(|kind| v1::Entity { entity: Some(kind) }.encode_to_vec())
            .collect();
        all.sort();
        all
    }
}

fn field(field_id: u32, kind: FieldMatchType) -> v1::FieldMatch {
    v1::FieldMatch { field_id, field_match_type: Some(kind) }
}

fn exact(field_id: u32, value: &[u8]) -> v1::FieldMatch {
    field(field_id, FieldMatchType::Exact(field_match::Exact { value: value.to_vec() }))
}

fn ternary(value: &[u8], mask: &[u8]) -> v1::FieldMatch {
    field(1, FieldMatchType::Ternary(field_match::Ternary { value: value.to_vec(), mask: mask.to_vec() }))
}

fn range(low: &[u8], high: &[u8]) -> v1::FieldMatch {
    field(2, FieldMatchType::Range(field_match::Range { low: low.to_vec(), high: high.to_vec() }))
}

fn optional(value: &[u8]) -> v1::FieldMatch {
    field(3, FieldMatchType::Optional(field_match::Optional { value: value.to_vec() }))
}

fn replication(entry: Replication) -> Kind {
    Kind::PacketReplicationEngineEntry(v1::PacketReplicationEngineEntry { r#type: Some(entry) })
}

fn replica(port: u8, instance: u32) -> v1::Replica {
    v1::Replica { port_kind: Some(v1::replica::PortKind::Port(vec![port])), instance, backup_replicas: Vec::new() }
}

#[test]
fn entries_of_every_match_kind_read_back_as_written() {
    let bench = Bench::new();
    let entries = [
        v1::TableEntry { metadata: b"mine".to_vec(), idle_timeout_ns: 1_500_000_001, ..bench.host(1) },
        bench.route(),
        bench.acl(vec![ternary(&[1, 0], &[0xff, 0]), range(&[1], &[9]), optional(&[5])]),
        v1::TableEntry { priority: 3, ..bench.acl(vec![]) },
    ];
    for entry in &entries {
        bench.insert(entry.clone()).expect("the entry is valid");
    }
    for entry in &entries {
        let wanted = v1::TableEntry { action: None, ..entry.clone() };
        assert_eq!(bench.entries(wanted), std::slice::from_ref(entry));
    }
    let all = bench.entries(v1::TableEntry::default());
    assert_eq!(all.len(), entries.len() + 1, "and the constant one of the program");
    assert!(all.iter().any(|entry| entry.is_const && entry.table_id == bench.table("fixed")));
    let of_acl = v1::TableEntry { table_id: bench.table("acl"), ..Default::default() };
    assert_eq!(bench.entries(of_acl.clone()).len(), 2);
    assert_eq!(bench.entries(v1::TableEntry { priority: 3, ..of_acl }), [entries[3].clone()]);
}

#[test]
fn padded_values_are_taken_and_the_shortest_come_back() {
    let bench = Bench::new();
    let padded = v1::TableEntry { r#match: vec![exact(1, &[0, 0, 0, 0, 0, 0, 1])], ..bench.host(1) };
    bench.insert(padded.clone()).expect("leading zeros change nothing");
    assert_eq!(bench.entries(v1::TableEntry { action: None, ..padded }), [bench.host(1)]);
    assert_eq!(
        bench.insert(bench.host(1)),
        Err((Code::AlreadyExists, "table Forward.host: the entry exists already".into()))
    );
}

#[test]
fn entries_are_modified_and_deleted_by_their_key() {
    let bench = Bench::new();
    let missing = Err((Code::NotFound, "table Forward.host: no such entry".into()));
    assert_eq!(bench.write(Type::Modify, Kind::TableEntry(bench.host(1))), missing);
    bench.insert(bench.host(1)).expect("the entry is valid");
    let changed = v1::TableEntry { action: bench.does("host_forward", &[&[9]]), ..bench.host(1) };
    bench.write(Type::Modify, Kind::TableEntry(changed.clone())).expect("it is there");
    assert_eq!(bench.entries(v1::TableEntry { action: None, ..changed.clone() }), std::slice::from_ref(&changed));
    // Only the key counts when an entry is deleted.
    let nonsense = v1::TableEntry { action: bench.does("drop", &[&[1]]), idle_timeout_ns: -1, ..changed };
    bench.write(Type::Delete, Kind::TableEntry(nonsense.clone())).expect("it is there");
    assert_eq!(bench.write(Type::Delete, Kind::TableEntry(nonsense)), missing);
}

/// Section 9.1.2: without an action the entry does what it did, and is otherwise as it was.
#[test]
fn a_modification_without_an_action_keeps_the_entry() {
    let bench = Bench::new();
    let entry = v1::TableEntry { metadata: b"mine".to_vec(), idle_timeout_ns: 1_500, ..bench.host(1) };
    bench.insert(entry.clone()).expect("the entry is valid");
    let config = v1::MeterConfig { cir: 1, cburst: 1, pir: 2, pburst: 2, eburst: 0 };
    let key = v1::TableEntry { action: None, ..bench.host(1) };
    let change = v1::TableEntry { meter_config: Some(config), ..key.clone() };
    bench.write(Type::Modify, Kind::TableEntry(change)).expect("it is there");
    let wanted = v1::TableEntry { meter_config: Some(v1::MeterConfig::default()), ..key };
    assert_eq!(bench.entries(wanted), [v1::TableEntry { meter_config: Some(config), ..entry }]);
}

/// Section 9.1.6: how entries are selected.
#[test]
fn a_read_selects_by_what_it_gives() {
    let bench = Bench::new();
    bench.insert(v1::TableEntry { metadata: b"a".to_vec(), ..bench.host(1) }).expect("the entry is valid");
    bench.insert(v1::TableEntry { metadata: b"b".to_vec(), ..bench.host(2) }).expect("the entry is valid");
    let table = v1::TableEntry { table_id: bench.table("host"), ..Default::default() };
    let count = |wanted| bench.entries(wanted).len();
    assert_eq!(count(v1::TableEntry { metadata: b"a".to_vec(), ..table.clone() }), 1);
    assert_eq!(count(v1::TableEntry { action: bench.does("host_forward", &[]), ..table.clone() }), 2);
    assert_eq!(count(v1::TableEntry { action: bench.does("punt", &[]), ..table.clone() }), 0);
    let refused = |wanted| bench.try_read(Kind::TableEntry(wanted)).expect_err("it is refused");
    let (code, text) = refused(v1::TableEntry { action: bench.does("forward", &[]), ..table });
    assert_eq!(code, Code::InvalidArgument);
    assert!(text.starts_with("table Forward.host: action Forward.forward is not one of the table's"), "{text}");
    assert_eq!(
        refused(v1::TableEntry { priority: 1, ..Default::default() }),
        (Code::InvalidArgument, "a read of all tables cannot select by priority: give a table id".into())
    );
}

#[test]
fn default_entries_are_changed_and_reset() {
    let bench = Bench::new();
    let default = bench.host_default();
    let wanted = v1::TableEntry { action: None, metadata: Vec::new(), ..default.clone() };
    let initial = v1::TableEntry { action: bench.does("drop", &[]), ..wanted.clone() };
    assert_eq!(bench.entries(wanted.clone()), std::slice::from_ref(&initial));
    bench.write(Type::Modify, Kind::TableEntry(default.clone())).expect("the default can be changed");
    assert_eq!(bench.entries(wanted.clone()), [default]);
    bench.write(Type::Modify, Kind::TableEntry(wanted.clone())).expect("no action: reset");
    assert_eq!(bench.entries(wanted), [initial]);
}

#[test]
fn direct_resources_come_with_the_entry_and_alone() {
    let bench = Bench::new();
    let data = v1::CounterData { packet_count: 3, byte_count: 300 };
    let config = v1::MeterConfig { cir: 10, cburst: 1, pir: 20, pburst: 2, eburst: 0 };
    let entry = v1::TableEntry { counter_data: Some(data), meter_config: Some(config), ..bench.host(1) };
    bench.insert(entry.clone()).expect("the entry is valid");
    assert_eq!(bench.entries(v1::TableEntry { action: None, ..entry.clone() }), [entry]);

    let key = v1::TableEntry { action: None, ..bench.host(1) };
    let counter = |data| v1::DirectCounterEntry { table_entry: Some(key.clone()), data };
    let meter = |config| v1::DirectMeterEntry { table_entry: Some(key.clone()), config, counter_data: None };
    let wanted = Kind::DirectCounterEntry(counter(None));
    assert_eq!(bench.read(wanted.clone()), [Kind::DirectCounterEntry(counter(Some(data)))]);
    let zero = v1::CounterData::default();
    bench.write(Type::Modify, Kind::DirectCounterEntry(counter(Some(zero)))).expect("the entry is there");
    assert_eq!(bench.read(wanted), [Kind::DirectCounterEntry(counter(Some(zero)))]);
    let wanted = Kind::DirectMeterEntry(meter(None));
    assert_eq!(bench.read(wanted.clone()), [Kind::DirectMeterEntry(meter(Some(config)))]);
    bench.write(Type::Modify, wanted.clone()).expect("no configuration: green");
    assert_eq!(bench.read(wanted.clone()), [wanted]);
}

/// Section 9.1.3: the default entry has direct resources as others have.
#[test]
fn the_default_entry_has_direct_resources() {
    let bench = Bench::new();
    let data = v1::CounterData { packet_count: 3, byte_count: 300 };
    let config = v1::MeterConfig { cir: 10, cburst: 1, pir: 20, pburst: 2, eburst: 0 };
    let key = v1::TableEntry { action: None, metadata: Vec::new(), ..bench.host_default() };
    let zero = v1::CounterData::default();
    let all = v1::TableEntry {
        counter_data: Some(zero),
        meter_config: Some(v1::MeterConfig::default()),
        meter_counter_data: Some(v1::MeterCounterData::default()),
        ..key.clone()
    };
    let zeros = v1::MeterCounterData { green: Some(zero), yellow: Some(zero), red: Some(zero) };
    let default = v1::TableEntry {
        counter_data: Some(data),
        meter_config: Some(config),
        meter_counter_data: Some(zeros),
        ..bench.host_default()
    };
    bench.write(Type::Modify, Kind::TableEntry(default.clone())).expect("the default can be changed");
    assert_eq!(bench.entries(all.clone()), std::slice::from_ref(&default));

    let counter = |data| v1::DirectCounterEntry { table_entry: Some(key.clone()), data };
    let meter = |config| v1::DirectMeterEntry { table_entry: Some(key.clone()), config, counter_data: None };
    let wanted = Kind::DirectCounterEntry(counter(None));
    assert_eq!(bench.read(wanted.clone()), [Kind::DirectCounterEntry(counter(Some(data)))]);
    bench.write(Type::Modify, Kind::DirectCounterEntry(counter(Some(zero)))).expect("the entry is there");
    assert_eq!(bench.read(wanted), [Kind::DirectCounterEntry(counter(Some(zero)))]);
    let wanted = Kind::DirectMeterEntry(meter(None));
    assert_eq!(bench.read(wanted.clone()), [Kind::DirectMeterEntry(meter(Some(config)))]);
    let everywhere = v1::TableEntry { is_default_action: true, ..Default::default() };
    let everywhere = v1::DirectMeterEntry { table_entry: Some(everywhere), config: None, counter_data: None };
    assert_eq!(bench.read(Kind::DirectMeterEntry(everywhere)), [Kind::DirectMeterEntry(meter(Some(config)))]);

    bench.write(Type::Modify, Kind::TableEntry(key.clone())).expect("no action: reset");
    assert_eq!(bench.read(wanted.clone()), [wanted]);
    let with_match = v1::TableEntry { r#match: vec![exact(1, &[1])], ..key };
    let refused = Kind::DirectCounterEntry(v1::DirectCounterEntry { table_entry: Some(with_match), data: None });
    let text = "table Forward.host: the default entry has neither match fields nor a priority";
    assert_eq!(bench.write(Type::Modify, refused), Err((Code::InvalidArgument, text.into())));
    let keyless = v1::TableEntry { table_id: bench.table("route"), is_default_action: true, ..Default::default() };
    let refused = Kind::DirectCounterEntry(v1::DirectCounterEntry { table_entry: Some(keyless), data: None });
    let text = "table Forward.route: the table has no direct counter";
    assert_eq!(bench.try_read(refused), Err((Code::InvalidArgument, text.into())));
}

/// Section 18.1.3: cells have the indices of the controller where those are of a translated type.
#[test]
fn indices_of_a_translated_type_are_the_controllers() {
    use config::p4_new_type_spec::Representation;
    use config::p4_new_type_translation::SdnType;
    let mut info = P4Info::from_text(P4INFO).expect("p4c wrote it").message().clone();
    let mut declare = |name: &str, sdn_type| {
        let translated = config::P4NewTypeTranslation { uri: format!("example.org/{name}"), sdn_type: Some(sdn_type) };
        let representation = Some(Representation::TranslatedType(translated));
        let spec = config::P4NewTypeSpec { representation, ..Default::default() };
        info.type_info.get_or_insert_default().new_types.insert(name.into(), spec);
        Some(config::P4NamedType { name: name.into() })
    };
    let number = declare("port_t", SdnType::SdnBitwidth(32));
    let string = declare("name_t", SdnType::SdnString(config::p4_new_type_translation::SdnString {}));
    info.counters[0].index_type_name = number.clone();
    info.meters[0].index_type_name = number;
    info.registers[0].index_type_name = string;
    let ports = Translation::of("port_t").number(1_000_001, 1).number(1_000_007, 7).number(1_000_510, 510);
    let bench = Bench::with(P4Info::new(info).expect("it is whole"), &[ports]);

    let counter_id = bench.info.counter("by_port").expect("the program has it").id;
    let counter = |index: Option<i64>, packet_count| {
        let data = Some(v1::CounterData { packet_count, byte_count: 0 });
        Kind::CounterEntry(v1::CounterEntry { counter_id, index: index.map(|index| v1::Index { index }), data })
    };
    bench.write(Type::Modify, counter(None, 1)).expect("all cells");
    bench.write(Type::Modify, counter(Some(1_000_007), 5)).expect("one cell");
    assert_eq!(bench.read(counter(None, 0)), [counter(Some(1_000_001), 1), counter(Some(1_000_007), 5)]);
    let engine = bench.pipeline.target().schema.counter(counter_id).expect("the program has it").engine;
    let packets = |cell| bench.pipeline.switch.counter(engine, cell).expect("the cell is there").packets;
    assert_eq!((packets(6), packets(7)), (1, 5));
    let within = |text: &str| format!("counter Forward.by_port: {text}");
    let unknown = within("0x07 is no port_t; there is 0x0f4241, 0x0f4247, 0x0f443e");
    assert_eq!(bench.write(Type::Modify, counter(Some(7), 5)), Err((Code::InvalidArgument, unknown)));
    let outside = within("index 1000510 is outside the array of 8 cells");
    assert_eq!(bench.write(Type::Modify, counter(Some(1_000_510), 5)), Err((Code::OutOfRange, outside)));
    let negative = within("index -1 is negative");
    assert_eq!(bench.write(Type::Modify, counter(Some(-1), 5)), Err((Code::InvalidArgument, negative)));

    let meters = bench.read(Kind::MeterEntry(v1::MeterEntry::default()));
    assert_eq!(meters.len(), 2);
    // No index can be a string.
    let registers = bench.read(Kind::RegisterEntry(v1::RegisterEntry::default()));
    assert_eq!(registers.len(), 8);
}

#[test]
fn what_a_meter_coloured_is_read_and_reset() {
    let bench = Bench::new();
    let data = |packet_count| Some(v1::CounterData { packet_count, byte_count: 10 * packet_count });
    let colors = v1::MeterCounterData { green: data(1), yellow: data(2), red: data(3) };
    let none = v1::CounterData::default();
    let zero = v1::MeterCounterData { green: Some(none), yellow: Some(none), red: Some(none) };

    let meter_id = bench.info.meter("port_rate").expect("the program has it").id;
    let config = Some(v1::MeterConfig { cir: 1, cburst: 2, pir: 3, pburst: 4, eburst: 0 });
    let cell = |config, counter_data| {
        Kind::MeterEntry(v1::MeterEntry { meter_id, index: Some(v1::Index { index: 2 }), config, counter_data })
    };
    let wanted = cell(None, Some(v1::MeterCounterData::default()));
    // What packets would have done.
    let counted = |packets| CounterData { packets, bytes: 10 * packets };
    let coloured = MeterColors { green: counted(1), yellow: counted(2), red: counted(3) };
    let engine = bench.pipeline.target().schema.meter(meter_id).expect("the program has it").engine;
    bench.pipeline.switch.set_meter_colors(engine, 2, coloured).expect("the cell is there");
    bench.write(Type::Modify, cell(config, None)).expect("the counters go on");
    assert_eq!(bench.read(wanted.clone()), [cell(config, Some(colors))]);
    bench.write(Type::Modify, cell(config, Some(v1::MeterCounterData::default()))).expect("to zero");
    assert_eq!(bench.read(wanted), [cell(config, Some(zero))]);
    assert_eq!(bench.read(cell(None, None)), [cell(config, None)]);
    let reset = "what a meter has coloured can only be reset: give nothing but 0 for each colour";
    let refused = Err((Code::InvalidArgument, reset.into()));
    assert_eq!(bench.write(Type::Modify, cell(config, Some(colors))), refused);

    let entry = v1::TableEntry { meter_counter_data: Some(zero), ..bench.host(1) };
    bench.insert(entry.clone()).expect("the entry is valid");
    assert_eq!(bench.entries(v1::TableEntry { action: None, ..entry.clone() }), std::slice::from_ref(&entry));
    let coloured_entry = v1::TableEntry { meter_counter_data: Some(colors), ..entry };
    assert_eq!(bench.write(Type::Modify, Kind::TableEntry(coloured_entry)), refused);
    let key = v1::TableEntry { action: None, ..bench.host(1) };
    let direct = |counter_data| {
        Kind::DirectMeterEntry(v1::DirectMeterEntry { table_entry: Some(key.clone()), config: None, counter_data })
    };
    assert_eq!(bench.write(Type::Modify, direct(Some(colors))), refused);
    assert_eq!(bench.read(direct(None)), [direct(None)]);
    bench.write(Type::Modify, direct(Some(zero))).expect("to zero");
    assert_eq!(bench.read(direct(Some(zero))), [direct(Some(zero))]);
    let acl = v1::TableEntry { meter_counter_data: Some(zero), ..bench.route() };
    let refused = bench.insert(acl);
    assert_eq!(refused, Err((Code::InvalidArgument, "table Forward.route: the table has no direct meter".into())));
}

#[test]
fn arrays_are_written_by_cell_or_as_a_whole() {
    let bench = Bench::new();
    let counter_id = bench.info.counter("by_port").expect("the program has it").id;
    let counter = |index: Option<i64>, packets| {
        Kind::CounterEntry(v1::CounterEntry {
            counter_id,
            index: index.map(|index| v1::Index { index }),
            data: Some(v1::CounterData { packet_count: packets, byte_count: 0 }),
        })
    };
    bench.write(Type::Modify, counter(None, 1)).expect("all cells");
    bench.write(Type::Modify, counter(Some(7), 5)).expect("one cell");
    let all = bench.read(counter(None, 0));
    assert_eq!((all.len(), &all[6], &all[7]), (8, &counter(Some(6), 1), &counter(Some(7), 5)));
    assert_eq!(
        bench.write(Type::Modify, counter(Some(8), 1)),
        Err((Code::OutOfRange, "counter Forward.by_port: index 8 is outside the array of 8 cells".into()))
    );
    assert_eq!(
        bench.write(Type::Insert, counter(Some(1), 1)),
        Err((Code::InvalidArgument, "a counter can only be modified".into()))
    );

    let meter_id = bench.info.meter("port_rate").expect("the program has it").id;
    let meter = |config| {
        Kind::MeterEntry(v1::MeterEntry { meter_id, index: Some(v1::Index { index: 2 }), config, counter_data: None })
    };
    let config = v1::MeterConfig { cir: 1, cburst: 2, pir: 3, pburst: 4, eburst: 0 };
    bench.write(Type::Modify, meter(Some(config))).expect("the rates are in order");
    assert_eq!(bench.read(meter(None)), [meter(Some(config))]);
    bench.write(Type::Modify, meter(None)).expect("back to green");
    assert_eq!(bench.read(meter(None)), [meter(None)]);

    let register_id = bench.info.register("last_kind").expect("the program has it").id;
    let register = |bytes: &[u8]| {
        Kind::RegisterEntry(v1::RegisterEntry {
            register_id,
            index: Some(v1::Index { index: 1 }),
            data: Some(v1::P4Data { data: Some(p4_data::Data::Bitstring(bytes.to_vec())) }),
        })
    };
    bench.write(Type::Modify, register(&[0, 0, 1, 2])).expect("it fits");
    assert_eq!(bench.read(register(&[])), [register(&[1, 2])]);
}

#[test]
fn value_sets_and_digests_read_back_as_written() {
    let bench = Bench::new();
    let value_set_id = bench.info.value_set("special_kinds").expect("the program has it").id;
    let member = |kind: u8| v1::ValueSetMember { r#match: vec![exact(1, &[kind, 0])] };
    let set = |kinds: &[u8]| {
        let members = kinds.iter().map(|kind| member(*kind)).collect();
        Kind::ValueSetEntry(v1::ValueSetEntry { value_set_id, members })
    };
    bench.write(Type::Modify, set(&[8, 9])).expect("they fit");
    assert_eq!(bench.read(set(&[])), [set(&[8, 9])]);
    let text = "value set Parse.special_kinds: a member is given twice";
    assert_eq!(bench.write(Type::Modify, set(&[8, 8])), Err((Code::AlreadyExists, text.into())));
    let text = "value set Parse.special_kinds: the value set holds at most 4 members";
    assert_eq!(bench.write(Type::Modify, set(&[1, 2, 3, 4, 5])), Err((Code::ResourceExhausted, text.into())));

    let digest_id = bench.info.digest("learn_t").expect("the program has it").id;
    let config = v1::digest_entry::Config { max_timeout_ns: 1, max_list_size: 2, ack_timeout_ns: 3 };
    let digest = Kind::DigestEntry(v1::DigestEntry { digest_id, config: Some(config) });
    let text = "digest learn_t: it is not enabled: insert its entry first";
    assert_eq!(bench.write(Type::Modify, digest.clone()), Err((Code::NotFound, text.into())));
    bench.write(Type::Insert, digest.clone()).expect("it is a new one");
    assert_eq!(bench.read(digest.clone()), [digest]);
}

#[test]
fn a_refusal_names_what_is_wrong_and_what_would_be_right() {
    let bench = Bench::new();
    let host = bench.host(1);
    let acl = |matches| bench.acl(matches);
    let cases = [
        (v1::TableEntry { table_id: 0, ..host.clone() }, Code::InvalidArgument, "the table id is missing"),
        (
            v1::TableEntry { table_id: 0x0200_0001, ..host.clone() },
            Code::NotFound,
            "no table has id 0x02000001; there is Forward.host (0x02364197), Forward.balance (0x02558ab0), \
             Forward.acl (0x02a9a2e6), Forward.nexthop (0x02b1d124), Forward.route (0x02d2f63b), Forward.fixed (0x02e53d28)",
        ),
        (
            v1::TableEntry { r#match: vec![], ..host.clone() },
            Code::InvalidArgument,
            "table Forward.host: field hdr.ethernet.dst is missing: exact fields cannot be left out",
        ),
        (
            v1::TableEntry { r#match: vec![exact(2, &[1])], ..host.clone() },
            Code::InvalidArgument,
            "table Forward.host: no match field has id 2; there is hdr.ethernet.dst (1)",
        ),
        (
            v1::TableEntry { r#match: vec![exact(1, &[1]), exact(1, &[1])], ..host.clone() },
            Code::InvalidArgument,
            "table Forward.host: match field 1 is given twice",
        ),
        (
            v1::TableEntry { r#match: vec![exact(1, &[])], ..host.clone() },
            Code::InvalidArgument,
            "table Forward.host: field hdr.ethernet.dst: a value is empty; zero is one byte 00",
        ),
        (
            v1::TableEntry { r#match: vec![exact(1, &[1; 7])], ..host.clone() },
            Code::InvalidArgument,
            "table Forward.host: field hdr.ethernet.dst: value 0x01010101010101 does not fit 48 bits",
        ),
        (
            v1::TableEntry { r#match: vec![ternary(&[1], &[1])], ..host.clone() },
            Code::InvalidArgument,
            "table Forward.host: field hdr.ethernet.dst: the match is ternary where the field is exact",
        ),
        (
            v1::TableEntry { priority: 1, ..host.clone() },
            Code::InvalidArgument,
            "table Forward.host: priority 1 is not valid: the key has only exact and lpm fields, so that it must be 0",
        ),
        (
            v1::TableEntry { priority: 0, ..acl(vec![]) },
            Code::InvalidArgument,
            "table Forward.acl: priority 0 is not valid: the key has ternary, range or optional fields, so that it must \
             be at least 1",
        ),
        (
            acl(vec![ternary(&[0], &[0])]),
            Code::InvalidArgument,
            "table Forward.acl: field hdr.ethernet.src: the mask is 0; leave the field out to match everything",
        ),
        (
            acl(vec![ternary(&[3], &[2])]),
            Code::InvalidArgument,
            "table Forward.acl: field hdr.ethernet.src: value 0x000000000003 has bits where its mask 0x000000000002 has none",
        ),
        (
            acl(vec![range(&[2], &[1])]),
            Code::InvalidArgument,
            "table Forward.acl: field hdr.ethernet.kind: the low end of the range is above the high one",
        ),
        (
            acl(vec![range(&[0], &[0xff, 0xff])]),
            Code::InvalidArgument,
            "table Forward.acl: field hdr.ethernet.kind: the range holds every value; leave the field out to match everything",
        ),
        (
            v1::TableEntry { action: None, ..host.clone() },
            Code::InvalidArgument,
            "table Forward.host: the entry has no action",
        ),
        (
            v1::TableEntry { action: bench.does("forward", &[&[1]]), ..host.clone() },
            Code::InvalidArgument,
            "table Forward.host: action Forward.forward is not one of the table's, which are Forward.flood (0x010fd1df), \
             Forward.drop (0x013ad8cc), Forward.host_forward (0x015485b5), Forward.punt (0x01c0b62a)",
        ),
        (
            v1::TableEntry { action: bench.does("drop", &[]), ..host.clone() },
            Code::PermissionDenied,
            "table Forward.host: action Forward.drop is only for the table's default",
        ),
        (
            v1::TableEntry { action: bench.does("host_forward", &[]), ..host.clone() },
            Code::InvalidArgument,
            "table Forward.host: action Forward.host_forward: parameter port is missing",
        ),
        (
            v1::TableEntry { action: bench.does("host_forward", &[&[2, 0]]), ..host.clone() },
            Code::InvalidArgument,
            "table Forward.host: action Forward.host_forward: parameter port: value 0x0200 does not fit 9 bits",
        ),
        (
            v1::TableEntry { action: bench.does("host_forward", &[&[1], &[1]]), ..host.clone() },
            Code::InvalidArgument,
            "table Forward.host: action Forward.host_forward: no parameter has id 2; there is port (1)",
        ),
        (
            v1::TableEntry { idle_timeout_ns: 1, ..bench.route() },
            Code::InvalidArgument,
            "idle_timeout_ns must be set to 0 for tables which do not support idle timeout",
        ),
        (
            v1::TableEntry { counter_data: Some(v1::CounterData::default()), ..bench.route() },
            Code::InvalidArgument,
            "table Forward.route: the table has no direct counter",
        ),
        (
            v1::TableEntry { is_const: true, ..host.clone() },
            Code::InvalidArgument,
            "table Forward.host: is_const is set: only the program makes constant entries",
        ),
        (
            v1::TableEntry {
                table_id: bench.table("fixed"),
                r#match: vec![exact(1, &[1])],
                action: bench.does("forward", &[&[1]]),
                ..Default::default()
            },
            Code::PermissionDenied,
            "table Forward.fixed: the table is constant: only direct counters and meters of its entries can be modified, \
             without an action",
        ),
        (
            v1::TableEntry { is_default_action: true, r#match: vec![], ..host },
            Code::InvalidArgument,
            "table Forward.host: the default entry is always there: it can only be modified",
        ),
    ];
    let before = bench.everything();
    for (entry, code, text) in cases {
        assert_eq!(bench.insert(entry), Err((code, text.into())));
    }
    let default = v1::TableEntry {
        table_id: bench.table("route"),
        is_default_action: true,
        action: bench.does("drop", &[]),
        ..Default::default()
    };
    let text = "table Forward.route: the default action is constant";
    assert_eq!(bench.write(Type::Modify, Kind::TableEntry(default)), Err((Code::PermissionDenied, text.into())));
    assert_eq!(bench.everything(), before);
}

#[test]
fn a_full_table_says_so() {
    let bench = Bench::new();
    for mac in 1..=4 {
        bench.insert(bench.host(mac)).expect("there is room");
    }
    let text = "table Forward.host: the table is full: 4 entries";
    assert_eq!(bench.insert(bench.host(5)), Err((Code::ResourceExhausted, text.into())));
}

#[test]
fn empty_and_unknown_updates_are_refused() {
    let bench = Bench::new();
    let fault = |update| bench.pipeline.target_mut().write(&update, Micros(0)).expect_err("it is refused").message;
    assert_eq!(fault(v1::Update::default()), "the update has no type: INSERT, MODIFY or DELETE");
    assert_eq!(fault(v1::Update { r#type: 1, entity: None }), "the update has no entity");
    assert_eq!(fault(v1::Update { r#type: 9, entity: None }), "update type 9 does not exist: INSERT, MODIFY or DELETE");
    let nothing = bench.pipeline.target().read(&v1::Entity::default(), Micros(0)).expect_err("it is refused");
    assert_eq!(nothing.message, "an entity of the request is empty: name the kind to read");
}

/// Valid updates of all kinds, to be damaged.
fn valid_updates(bench: &Bench) -> Vec<v1::Update> {
    let profile = |name| bench.info.action_profile(name).expect("the program has it").id;
    let index = Some(v1::Index { index: 1 });
    let kinds = [
        Kind::TableEntry(bench.host(1)),
        Kind::TableEntry(v1::TableEntry { counter_data: Some(v1::CounterData::default()), ..bench.host(2) }),
        Kind::TableEntry(bench.route()),
        Kind::TableEntry(bench.acl(vec![ternary(&[1], &[3]), range(&[1], &[9]), optional(&[5])])),
        Kind::TableEntry(v1::TableEntry {
            table_id: bench.table("nexthop"),
            r#match: vec![exact(1, &[1])],
            action: Some(v1::TableAction { r#type: Some(ActionType::ActionProfileMemberId(1)) }),
            ..Default::default()
        }),
        Kind::ActionProfileMember(v1::ActionProfileMember {
            action_profile_id: profile("next_hops"),
            member_id: 1,
            action: Some(bench.action("forward", &[&[1]])),
        }),
        Kind::ActionProfileMember(v1::ActionProfileMember {
            action_profile_id: profile("paths"),
            member_id: 1,
            action: Some(bench.action("forward", &[&[1]])),
        }),
        Kind::ActionProfileGroup(v1::ActionProfileGroup {
            action_profile_id: profile("paths"),
            group_id: 1,
            members: vec![v1::action_profile_group::Member { member_id: 1, weight: 1, watch_kind: None }],
            max_size: 2,
        }),
        Kind::CounterEntry(v1::CounterEntry {
            counter_id: bench.info.counter("by_port").expect("the program has it").id,
            index,
            data: Some(v1::CounterData { packet_count: 1, byte_count: 1 }),
        }),
        Kind::MeterEntry(v1::MeterEntry {
            meter_id: bench.info.meter("port_rate").expect("the program has it").id,
            index,
            config: Some(v1::MeterConfig { cir: 1, cburst: 1, pir: 1, pburst: 1, eburst: 0 }),
            counter_data: None,
        }),
        Kind::RegisterEntry(v1::RegisterEntry {
            register_id: bench.info.register("last_kind").expect("the program has it").id,
            index,
            data: Some(v1::P4Data { data: Some(p4_data::Data::Bitstring(vec![1])) }),
        }),
        Kind::ValueSetEntry(v1::ValueSetEntry {
            value_set_id: bench.info.value_set("special_kinds").expect("the program has it").id,
            members: vec![v1::ValueSetMember { r#match: vec![exact(1, &[8])] }],
        }),
        Kind::DigestEntry(v1::DigestEntry {
            digest_id: bench.info.digest("learn_t").expect("the program has it").id,
            config: Some(v1::digest_entry::Config::default()),
        }),
        replication(Replication::MulticastGroupEntry(v1::MulticastGroupEntry {
            multicast_group_id: 1,
            replicas: vec![replica(1, 1), replica(2, 1)],
            metadata: Vec::new(),
        })),
        replication(Replication::CloneSessionEntry(v1::CloneSessionEntry {
            session_id: 1,
            replicas: vec![replica(1, 1)],
            ..Default::default()
        })),
    ];
    let entity = |kind: &Kind| Some(v1::Entity { entity: Some(kind.clone()) });
    let types = [Type::Insert, Type::Modify, Type::Delete];
    let all = types.iter().flat_map(|operation| kinds.iter().map(move |kind| (operation, kind)));
    all.map(|(operation, kind)| v1::Update { r#type: *operation as i32, entity: entity(kind) }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Updates with damaged bytes, and whole ones in any order: each is applied or refused, and a refused one changes nothing.
    #[test]
    fn random_updates_never_panic_and_never_half_apply(
        steps in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)), 1..40)
    ) {
        let bench = Bench::new();
        let updates = valid_updates(&bench);
        for (which, damage) in steps {
            let mut bytes = which.get(&updates).encode_to_vec();
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let Ok(update) = v1::Update::decode(bytes.as_slice()) else { continue };
            let before = bench.everything();
            let outcome = bench.pipeline.target_mut().write(&update, Micros(0));
            if let Err(fault) = outcome {
                prop_assert!(!fault.message.is_empty());
                prop_assert_eq!(bench.everything(), before, "refused: {}", fault.message);
            }
            // What can be written can be asked for as well, whatever the answer.
            if let Some(entity) = &update.entity {
                let _ = bench.pipeline.target().read(entity, Micros(0));
            }
        }
    }
}

#[test]
fn cells_are_shown_as_of_when_the_client_comes_to_them() {
    let bench = Bench::new();
    let all = Kind::RegisterEntry(v1::RegisterEntry::default());
    let at_once = bench.read(all.clone());
    let cells = bench.pipeline.target().stretches(&all).expect("there are some");
    assert_eq!(cells.iter().map(Stretch::left).sum::<u64>(), at_once.len() as u64);
    let of = (bench.pipeline.schema.clone(), bench.pipeline.switch.clone());
    let parts = cells.into_iter().map(Part::Cells).collect();
    let mut answer = Answer::new(parts, None, of, 1, Some(Status::not_found("the other half")));
    let first = answer.next().expect("there are cells").expect("they can be read");
    assert_eq!(first.entities.len(), 1, "as many as fit, and one at the least");
    // The last cell changes while the client is reading.
    let Some(Kind::RegisterEntry(last)) = at_once.last() else { panic!("{at_once:?}") };
    let mut changed = last.clone();
    changed.data = Some(v1::P4Data { data: Some(p4_data::Data::Bitstring(vec![7])) });
    bench.write(Type::Modify, Kind::RegisterEntry(changed.clone())).expect("the cell is there");
    let (rest, end): (Vec<_>, Vec<_>) = answer.partition(Result::is_ok);
    let rest: Vec<_> = rest.into_iter().flatten().flat_map(|response| response.entities).collect();
    assert_eq!(rest.len() + 1, at_once.len());
    assert_eq!(rest.last().and_then(|entity| entity.entity.clone()), Some(Kind::RegisterEntry(changed)));
    assert!(matches!(end.as_slice(), [Err(status)] if status.code() == Code::NotFound), "{end:?}");
}

#[test]
fn an_answer_without_entities_is_one_empty_response() {
    let bench = Bench::new();
    let of = (bench.pipeline.schema.clone(), bench.pipeline.switch.clone());
    let answer = Answer::new(vec![Part::Found(Vec::new())], None, of, 1, None);
    let responses: Vec<_> = answer.flatten().collect();
    assert_eq!(responses, [v1::ReadResponse::default()]);
}
