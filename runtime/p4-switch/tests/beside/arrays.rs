//! Counters and meters, in arrays and beside entries, that are not there: codes and texts of refusals.

use p4_switch::process::BMV2;
use tonic::Code::{InvalidArgument, Unknown};
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::field_match::{FieldMatchType, Lpm};
use vouch_p4runtime::p4::v1::table_action::Type as ActionType;
use vouch_p4runtime::p4::v1::update::Type::{self, Delete, Insert, Modify};
use vouch_p4runtime::p4::v1::{
    Action, CounterData, CounterEntry, DirectCounterEntry, DirectMeterEntry, FieldMatch, Index, MeterConfig,
    MeterEntry, TableAction, TableEntry,
};

use crate::support::{KINDS, Refusal, Result, Switch, both};

const DATA: CounterData = CounterData { byte_count: 6, packet_count: 5 };
const RATES: MeterConfig = MeterConfig { cir: 1, cburst: 2, pir: 3, pburst: 4, eburst: 0 };
const WITHOUT_LIMIT: MeterConfig = MeterConfig { cir: -1, cburst: -1, pir: -1, pburst: -1, eburst: 0 };

fn counter(counter_id: u32, index: i64) -> Kind {
    Kind::CounterEntry(CounterEntry { counter_id, index: Some(Index { index }), data: Some(DATA) })
}

fn meter(meter_id: u32, index: i64) -> Kind {
    rates(meter_id, index, Some(RATES))
}

fn rates(meter_id: u32, index: i64, config: Option<MeterConfig>) -> Kind {
    Kind::MeterEntry(MeterEntry { meter_id, index: Some(Index { index }), config, counter_data: None })
}

fn of_counter(table_entry: Option<TableEntry>) -> Kind {
    Kind::DirectCounterEntry(DirectCounterEntry { table_entry, data: Some(DATA) })
}

fn of_meter(table_entry: Option<TableEntry>) -> Kind {
    Kind::DirectMeterEntry(DirectMeterEntry { table_entry, config: Some(RATES), counter_data: None })
}

/// Which is right, or refused with this.
type Expected<'a> = Option<(tonic::Code, &'a str)>;

struct Asked<'a>(&'a Switch);

impl Asked<'_> {
    async fn write(&self, what: &str, operation: Type, kind: Kind, expected: Expected<'_>) -> Result<()> {
        let found = self.0.write(operation, kind).await?;
        assert_eq!(found, expected.map(owned), "{}: {operation:?} {what}", self.0.name);
        Ok(())
    }

    async fn read(&self, what: &str, kind: Kind, expected: (tonic::Code, &str)) -> Result<()> {
        assert_eq!(self.0.read(kind).await?, Err(owned(expected)), "{}: read {what}", self.0.name);
        Ok(())
    }
}

fn owned((code, text): (tonic::Code, &str)) -> Refusal {
    (code, text.to_owned())
}

const NEGATIVE: &str = "A negative number is not a valid index value";
const UNKNOWN_ID: &str = "Invalid P4 id";

#[tokio::test]
async fn cells_that_are_not_there_are_refused_as_on_bmv2() -> Result<()> {
    for which in both("cells_that_are_not_there_are_refused_as_on_bmv2")? {
        let switch = Switch::start(which, KINDS).await?;
        let asked = Asked(&switch);
        let (counters, meters) = (switch.info.counter("by_port")?.id, switch.info.meter("port_rate")?.id);
        for index in [8, 1 << 31, 1 << 40, i64::MAX, -1, i64::MIN] {
            let wrong = |beyond| if index < 0 { (InvalidArgument, NEGATIVE) } else { (Unknown, beyond) };
            let what = format!("cell {index}");
            asked.read(&what, counter(counters, index), wrong("Error when reading counter from target")).await?;
            for operation in [Modify, Delete] {
                let expected = wrong("Error when writing to counter");
                asked.write(&what, operation, counter(counters, index), Some(expected)).await?;
            }
            asked.read(&what, meter(meters, index), wrong("Error when reading meter spec from target")).await?;
            asked.write(&what, Modify, meter(meters, index), Some(wrong("Error when writing meter spec"))).await?;
            // Which of its meters does not exist matters not to one that says that it has no rates.
            let expected = wrong("Error when writing meter spec");
            asked.write(&what, Modify, rates(meters, index, None), Some(expected)).await?;
        }
        for id in [1, counters + 1, meters] {
            asked.read("another id", counter(id, 0), (InvalidArgument, UNKNOWN_ID)).await?;
            asked.write("another id", Modify, counter(id, 0), Some((InvalidArgument, UNKNOWN_ID))).await?;
        }
        for id in [1, meters + 1, counters] {
            asked.read("another id", meter(id, 0), (InvalidArgument, UNKNOWN_ID)).await?;
            asked.write("another id", Modify, meter(id, 0), Some((InvalidArgument, UNKNOWN_ID))).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn cells_are_changed_as_on_bmv2() -> Result<()> {
    for which in both("cells_are_changed_as_on_bmv2")? {
        let switch = Switch::start(which, KINDS).await?;
        let asked = Asked(&switch);
        let (counters, meters) = (switch.info.counter("by_port")?.id, switch.info.meter("port_rate")?.id);
        let inserted = (InvalidArgument, "INSERT update type not supported for counters");
        asked.write("a counter", Insert, counter(counters, 8), Some(inserted)).await?;
        let inserted = (InvalidArgument, "INSERT update type not supported for meters");
        asked.write("a meter", Insert, meter(meters, 7), Some(inserted)).await?;
        let deleted = (InvalidArgument, "DELETE update type not supported for meters");
        asked.write("a meter", Delete, meter(meters, 7), Some(deleted)).await?;

        asked.write("a counter", Modify, counter(counters, 7), None).await?;
        assert_eq!(switch.read(counter(counters, 7)).await?, Ok(vec![counter(counters, 7)]), "{}", switch.name);
        asked.write("a counter", Delete, counter(counters, 7), None).await?;
        let reset =
            CounterEntry { counter_id: counters, index: Some(Index { index: 7 }), data: Some(CounterData::default()) };
        let found = switch.read(counter(counters, 7)).await?;
        assert_eq!(found, Ok(vec![Kind::CounterEntry(reset)]), "{}", switch.name);

        asked.write("a meter", Modify, meter(meters, 7), None).await?;
        assert_eq!(switch.read(meter(meters, 7)).await?, Ok(vec![meter(meters, 7)]), "{}", switch.name);
        asked.write("a meter", Modify, rates(meters, 7, Some(WITHOUT_LIMIT)), None).await?;
        if switch.name != BMV2 {
            // Which goes on showing the rates that such a meter had.
            assert_eq!(switch.read(meter(meters, 7)).await?, Ok(vec![rates(meters, 7, None)]));
        }

        // All cells, in their order, and no other.
        let all = Kind::CounterEntry(CounterEntry { counter_id: counters, index: None, data: None });
        let found = switch.read(all).await?.map_err(|(code, text)| format!("{code:?}: {text}"))?;
        let indices = found.iter().map(|cell| match cell {
            Kind::CounterEntry(CounterEntry { index, .. }) => index.map(|index| index.index),
            _ => None,
        });
        assert_eq!(indices.collect::<Vec<_>>(), (0..8).map(Some).collect::<Vec<_>>(), "{}", switch.name);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_beside_an_entry_is_refused_as_on_bmv2() -> Result<()> {
    for which in both("what_is_beside_an_entry_is_refused_as_on_bmv2")? {
        let switch = Switch::start(which, KINDS).await?;
        let asked = Asked(&switch);
        let (there, absent) = (switch.host(1)?, switch.host(2)?);
        asked.write("the entry", Insert, Kind::TableEntry(there.clone()), None).await?;
        let lpm = FieldMatchType::Lpm(Lpm { value: vec![2, 0, 0, 0, 0, 0], prefix_len: 40 });
        let drop = Action { action_id: switch.info.action("drop")?.id, params: Vec::new() };
        let route = TableEntry {
            table_id: switch.info.table("route")?.id,
            r#match: vec![FieldMatch { field_id: 1, field_match_type: Some(lpm) }],
            action: Some(TableAction { r#type: Some(ActionType::Action(drop)) }),
            ..TableEntry::default()
        };
        asked.write("the route", Insert, Kind::TableEntry(route.clone()), None).await?;
        let unknown = TableEntry { table_id: 5, ..there.clone() };

        let inserted = (InvalidArgument, "INSERT update type not supported for counters");
        asked.write("its counter", Insert, of_counter(Some(there.clone())), Some(inserted)).await?;
        for operation in [Insert, Delete] {
            let text = format!("{operation:?} update type not supported for meters").replace("Insert", "INSERT");
            let expected = (InvalidArgument, &*text.replace("Delete", "DELETE"));
            asked.write("its meter", operation, of_meter(Some(there.clone())), Some(expected)).await?;
        }
        for operation in [Insert, Modify, Delete] {
            for (what, entry, [counter, meter]) in [
                ("that is not there", Some(&absent), ["Cannot map table entry to handle"; 2]),
                ("without the table", Some(&unknown), [UNKNOWN_ID; 2]),
                ("without one", Some(&route), ["Table has no direct counters", "Table has no direct meters"]),
                (
                    "that is missing",
                    None,
                    [
                        "Missing table_entry field in DirectCounterEntry",
                        "Missing table_entry field in DirectMeterEntry",
                    ],
                ),
            ] {
                let (counter, meter) = ((InvalidArgument, counter), (InvalidArgument, meter));
                asked.write(what, operation, of_counter(entry.cloned()), Some(counter)).await?;
                asked.write(what, operation, of_meter(entry.cloned()), Some(meter)).await?;
                // Who reads without an entry means all of them, which BMv2 does not know.
                if entry.is_some() {
                    asked.read(what, of_counter(entry.cloned()), counter).await?;
                    asked.read(what, of_meter(entry.cloned()), meter).await?;
                }
            }
        }

        let counted = |data| Kind::DirectCounterEntry(DirectCounterEntry { table_entry: Some(there.clone()), data });
        for (operation, data) in [(Modify, DATA), (Delete, CounterData::default())] {
            asked.write("its counter", operation, of_counter(Some(there.clone())), None).await?;
            assert_eq!(switch.read(counted(None)).await?, Ok(vec![counted(Some(data))]), "{}", switch.name);
        }
        let measured = |config| {
            Kind::DirectMeterEntry(DirectMeterEntry { table_entry: Some(there.clone()), config, counter_data: None })
        };
        for (given, shown) in [(Some(RATES), Some(RATES)), (Some(WITHOUT_LIMIT), None), (Some(RATES), Some(RATES))] {
            asked.write("its meter", Modify, measured(given), None).await?;
            assert_eq!(switch.read(measured(None)).await?, Ok(vec![measured(shown)]), "{}", switch.name);
        }
    }
    Ok(())
}
