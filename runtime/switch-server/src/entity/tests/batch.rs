//! Atomic batches (specification 12.2): all or nothing, whatever the updates are.

use super::*;

fn update(operation: Type, kind: Kind) -> v1::Update {
    v1::Update { r#type: operation as i32, entity: Some(v1::Entity { entity: Some(kind) }) }
}

fn all_or_none(bench: &Bench, updates: &[v1::Update]) -> bool {
    let outcomes = bench.pipeline.target_mut().write_all_or_none(updates, |_| Ok(()), Micros(0));
    outcomes.iter().all(Result::is_ok)
}

/// An update that always fails.
fn mistake() -> v1::Update {
    v1::Update { r#type: Type::Insert as i32, entity: None }
}

/// Something of every kind, with values that are not the initial ones.
fn furnish(bench: &Bench) {
    for update in valid_updates(bench).iter().filter(|update| update.r#type != Type::Delete as i32) {
        let _ = bench.pipeline.target_mut().write(update, Micros(0));
    }
    // Entries that refer to members and come before them in that list.
    for update in valid_updates(bench).iter().filter(|update| update.r#type == Type::Insert as i32) {
        let _ = bench.pipeline.target_mut().write(update, Micros(0));
    }
}

#[test]
fn every_kind_of_update_is_taken_back() {
    let bench = Bench::new();
    furnish(&bench);
    let full = bench.everything();
    for one in valid_updates(&bench) {
        assert!(!all_or_none(&bench, &[one, mistake()]));
        assert_eq!(bench.everything(), full);
    }
    let empty = Bench::new();
    let before = empty.everything();
    for one in valid_updates(&empty) {
        assert!(!all_or_none(&empty, &[one, mistake()]));
        assert_eq!(empty.everything(), before);
    }
}

#[test]
fn defaults_direct_resources_and_whole_arrays_are_taken_back() {
    let bench = Bench::new();
    furnish(&bench);
    let key = v1::TableEntry { action: None, ..bench.host(1) };
    let counter_id = bench.info.counter("by_port").expect("the program has it").id;
    let counter = |index, packet_count| {
        let data = Some(v1::CounterData { packet_count, byte_count: 0 });
        Kind::CounterEntry(v1::CounterEntry { counter_id, index, data })
    };
    let config = v1::MeterConfig { cir: 10, cburst: 1, pir: 20, pburst: 2, eburst: 0 };
    let meter_id = bench.info.meter("port_rate").expect("the program has it").id;
    let meter =
        |index, counter_data| Kind::MeterEntry(v1::MeterEntry { meter_id, index, config: Some(config), counter_data });
    // What packets would have done.
    let colors = MeterColors { red: CounterData { packets: 4, bytes: 40 }, ..MeterColors::default() };
    let engine = bench.pipeline.target().schema.meter(meter_id).expect("the program has it").engine;
    bench.pipeline.switch.set_meter_colors(engine, 3, colors).expect("the cell is there");
    let host = bench.pipeline.target().schema.table(bench.table("host")).expect("the program has it").engine;
    bench.pipeline.switch.set_direct_meter_colors(host, None, colors).expect("there is a meter");
    let default = v1::TableEntry { is_default_action: true, table_id: key.table_id, ..Default::default() };
    let before = bench.everything();
    let reset = Some(v1::MeterCounterData::default());
    let updates = [
        update(Type::Modify, Kind::TableEntry(bench.host_default())),
        update(
            Type::Modify,
            Kind::DirectCounterEntry(v1::DirectCounterEntry {
                table_entry: Some(key.clone()),
                data: Some(v1::CounterData { packet_count: 5, byte_count: 5 }),
            }),
        ),
        update(
            Type::Modify,
            Kind::DirectMeterEntry(v1::DirectMeterEntry {
                table_entry: Some(key),
                config: Some(config),
                counter_data: reset,
            }),
        ),
        update(Type::Modify, meter(Some(v1::Index { index: 3 }), reset)),
        update(Type::Modify, meter(None, None)),
        update(Type::Modify, meter(None, reset)),
        update(
            Type::Modify,
            Kind::DirectMeterEntry(v1::DirectMeterEntry {
                table_entry: Some(default),
                config: Some(config),
                counter_data: reset,
            }),
        ),
        update(Type::Modify, counter(Some(v1::Index { index: 3 }), 9)),
        update(Type::Modify, counter(None, 8)),
        update(Type::Modify, counter(None, 7)),
        mistake(),
    ];
    assert!(!all_or_none(&bench, &updates));
    assert_eq!(bench.everything(), before);
    assert!(all_or_none(&bench, &updates[..10]));
    assert_ne!(bench.everything(), before);
}

/// An entry that matches everything has no match on the wire, as a read of all entries has none.
#[test]
fn the_entry_without_a_match_is_taken_back_and_no_other() {
    let bench = Bench::new();
    bench.insert(bench.acl(vec![optional(&[5])])).expect("the entry is valid");
    bench.insert(bench.acl(vec![])).expect("the entry is valid");
    let before = bench.everything();
    let updates = [update(Type::Delete, Kind::TableEntry(bench.acl(vec![]))), mistake()];
    assert!(!all_or_none(&bench, &updates));
    assert_eq!(bench.everything(), before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Random batches, some updates damaged: applied they leave what single writes would, refused they leave nothing.
    #[test]
    fn random_batches_are_never_half_applied(
        batches in prop::collection::vec(
            prop::collection::vec(
                (any::<prop::sample::Index>(), prop::option::weighted(0.1, (any::<prop::sample::Index>(), any::<u8>()))),
                1..12,
            ),
            1..8,
        )
    ) {
        let (bench, one_by_one) = (Bench::new(), Bench::new());
        let valid = valid_updates(&bench);
        for batch in batches {
            let damaged = |(which, damage): &(prop::sample::Index, Option<(prop::sample::Index, u8)>)| {
                let mut bytes = which.get(&valid).encode_to_vec();
                if let Some((at, byte)) = damage {
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                }
                v1::Update::decode(bytes.as_slice()).ok()
            };
            let updates: Vec<v1::Update> = batch.iter().filter_map(damaged).collect();
            let before = bench.everything();
            if all_or_none(&bench, &updates) {
                for update in &updates {
                    let outcome = one_by_one.pipeline.target_mut().write(update, Micros(0));
                    prop_assert!(outcome.is_ok(), "{:?}", outcome);
                }
            } else {
                prop_assert_eq!(bench.everything(), before);
            }
            prop_assert_eq!(bench.everything(), one_by_one.everything());
        }
    }
}

/// What a batch that is atomic for packets keeps them out for.
#[test]
fn cells_are_written_by_what_sets_them_and_by_what_may_fill_the_meter_of_an_entry() {
    let bench = Bench::new();
    let writes = |operation, kind| bench.pipeline.target().writes_cells(&update(operation, kind));
    let counters = v1::TableEntry { counter_data: Some(v1::CounterData::default()), ..bench.route() };
    assert!(!writes(Type::Insert, Kind::TableEntry(bench.host(1))), "nobody has its cells before");
    assert!(writes(Type::Modify, Kind::TableEntry(bench.host(1))), "it has a meter");
    assert!(!writes(Type::Delete, Kind::TableEntry(bench.host(1))));
    assert!(!writes(Type::Modify, Kind::TableEntry(bench.route())));
    assert!(writes(Type::Modify, Kind::TableEntry(counters)));
    for one in valid_updates(&bench) {
        let kind = one.entity.as_ref().and_then(|entity| entity.entity.as_ref()).expect("it is valid");
        let (sets, operation) = match kind {
            Kind::CounterEntry(_) | Kind::MeterEntry(_) | Kind::RegisterEntry(_) => (true, Type::Modify),
            Kind::DirectCounterEntry(_) | Kind::DirectMeterEntry(_) => (true, Type::Modify),
            Kind::TableEntry(_) => continue,
            _ => (false, Type::Modify),
        };
        assert_eq!(writes(operation, kind.clone()), sets, "{kind:?}");
    }
}
