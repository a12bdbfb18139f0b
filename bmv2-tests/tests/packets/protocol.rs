//! What a controller needs of P4Runtime besides entries that work: what it wrote is read back, refusals name their update,
//! hosts age, counters and meters count, a second controller takes over.

use tonic::Code;
use vouch_p4runtime::client::{PushOutcome, WriteError, delete, insert};
use vouch_p4runtime::p4::v1::{IdleTimeoutNotification, MeterConfig, TableEntry};
use vouch_p4runtime::{Event, Session, SessionConfig};

use crate::bench::{Bench, Input, Result, pipeline};
use crate::entries::{Entry, entry, mac};
use crate::frames::data;
use crate::network::{self, A, B, NOBODY};

/// The punt reason of a host that no table knows.
const LEARN: i64 = 1;

/// Every entry and group is read back as it was written.
pub(crate) async fn reads_back_what_was_written(bench: &mut Bench) -> Result<()> {
    let mut wanted = Vec::new();
    for entry in network::entries() {
        wanted.push(entry.encode(bench.info())?);
    }
    let mut tables: Vec<_> = wanted.iter().map(|entry| entry.table_id).collect();
    tables.sort_unstable();
    tables.dedup();
    let mut found = Vec::new();
    for table in tables {
        found.extend(bench.session().read_table(table).await?.into_iter().filter(|entry| !entry.is_default_action));
    }
    let sorted = |mut entries: Vec<TableEntry>| {
        entries.sort_by_key(|entry| format!("{entry:?}"));
        entries
    };
    expect_equal("entries", &sorted(found), &sorted(wanted))?;

    let mut groups = bench.session().read_multicast_groups().await?;
    let mut wanted: Vec<_> = network::groups()
        .into_iter()
        .map(|(id, replicas)| {
            let mut pairs: Vec<_> = replicas.into_iter().map(|(port, rid)| (u32::from(port), u32::from(rid))).collect();
            pairs.sort_unstable();
            (id, pairs)
        })
        .collect();
    wanted.sort_unstable();
    groups.sort_by_key(|(id, _)| *id);
    let found = groups.into_iter().map(|(id, replicas)| {
        let mut pairs: Vec<_> = replicas.into_iter().map(|replica| (replica.port, replica.instance)).collect();
        pairs.sort_unstable();
        (id, pairs)
    });
    expect_equal("groups", &found.collect::<Vec<_>>(), &wanted)
}

/// A batch goes on after a refusal, and each refusal has its place and reason; also where there are very many.
pub(crate) async fn names_each_refused_update(bench: &mut Bench) -> Result<()> {
    let fresh = |number: u16| {
        let [high, low] = number.to_be_bytes();
        entry("destination", &[1, mac([2, 0, 0, 1, high, low])], "unicast", &[2]).encode(bench.info())
    };
    let known = entry("destination", &[1, mac(A)], "unicast", &[3]).encode(bench.info())?;
    let failed = refused(bench.session().write(vec![insert(fresh(0)?), insert(known), insert(fresh(1)?)]).await)?;
    expect_equal("refusals", &failed, &vec![(1, Code::AlreadyExists)])?;
    bench.session().write(vec![delete(fresh(0)?), delete(fresh(1)?)]).await?;

    let missing: Result<Vec<_>> = (0..1000).map(|number| fresh(number).map(delete)).collect();
    let failed = refused(bench.session().write(missing?).await)?;
    expect_equal("refusals", &failed.len(), &1000)?;
    let all_missing = failed.iter().all(|(_, code)| *code == Code::NotFound);
    expect_equal("every one says that the entry is missing", &all_missing, &true)
}

fn refused(outcome: std::result::Result<(), WriteError>) -> Result<Vec<(usize, Code)>> {
    match outcome {
        Err(WriteError::Updates { failed, .. }) => Ok(failed.iter().map(|error| (error.index, error.code)).collect()),
        Err(other) => Err(other.into()),
        Ok(()) => Err("nothing was refused".into()),
    }
}

/// The switch says which host was silent for its time, by table and key.
pub(crate) async fn tells_of_idle_entries(bench: &mut Bench) -> Result<()> {
    let silent = Entry { idle_seconds: 1, ..entry("source", &[2, mac(NOBODY), 5], "here", &[0]) };
    let written = silent.encode(bench.info())?;
    bench.session().write(vec![insert(written.clone())]).await?;
    let notified = bench.event(|event| match event {
        Event::IdleTimeout(IdleTimeoutNotification { table_entry, .. }) => Some(table_entry),
        _ => None,
    });
    let keys: Vec<_> = notified.await?.into_iter().map(|entry| (entry.table_id, entry.r#match)).collect();
    bench.session().write(vec![delete(written.clone())]).await?;
    expect_equal("idle entries", &keys, &vec![(written.table_id, written.r#match)])
}

/// A direct counter counts the frames of its host.
pub(crate) async fn counts_the_frames_of_a_host(bench: &mut Bench) -> Result<()> {
    let host = entry("source", &[1, mac(A), 2], "here", &[0]).encode(bench.info())?;
    let before = packets_of(bench, &host).await?;
    let frames = vec![Input::Frame(2, data(B, A)); 5];
    bench.observe(&[], &frames).await?;
    expect_equal("counted", &(packets_of(bench, &host).await? - before), &5)
}

async fn packets_of(bench: &Bench, host: &TableEntry) -> Result<i64> {
    let counters = bench.session().read_direct_counters(host.table_id).await?;
    let found = counters.into_iter().find(|(entry, _)| entry.r#match == host.r#match);
    Ok(found.ok_or("the host has no counter")?.1.packet_count)
}

/// What is over the budget of a place and reason is counted and does not come; other places have their own budget.
pub(crate) async fn polices_punts_by_place(bench: &mut Bench) -> Result<()> {
    let meter = bench.info().meter("punt_meter")?.id;
    let counter = bench.info().counter("policed_punts")?.id;
    // Reason LEARN, then access interface 2.
    let cell = LEARN << 13 | 2;
    // One packet, and no other for so long that it does not matter here.
    let one = MeterConfig { cir: 1, cburst: 1, pir: 1, pburst: 1, eburst: 0 };
    bench.session().set_meter(meter, cell, Some(one)).await?;
    let flood = vec![Input::Frame(2, data(B, NOBODY)); 4];
    let outcome = bench.observe(&[], &flood).await?;
    let policed = bench.session().read_counter(counter).await?;
    let other_port = bench.observe(&[], &[Input::Frame(3, data(A, NOBODY))]).await?;
    bench.session().set_meter(meter, cell, None).await?;
    let unlimited = bench.observe(&[], &flood).await?;

    expect_equal("frames forwarded", &outcome.frames.len(), &4)?;
    expect_equal("punts", &outcome.punts.len(), &1)?;
    let policed = policed.into_iter().map(|(index, data)| (index, data.packet_count));
    let policed: Vec<_> = policed.filter(|(_, packets)| *packets != 0).collect();
    expect_equal("policed", &policed, &vec![(cell, 3)])?;
    expect_equal("drops", &outcome.drops, &Vec::new())?;
    expect_equal("punts of another place", &other_port.punts.len(), &1)?;
    expect_equal("punts without a limit", &unlimited.punts.len(), &4)
}

/// A controller with a higher election id takes over, finds the program running and leaves the tables alone.
pub(crate) async fn lets_another_controller_take_over(bench: &mut Bench) -> Result<()> {
    let entries = network::entries();
    let table = bench.info().table("destination")?.id;
    let (second, _events) = Session::connect(SessionConfig::new(bench.url(), 1, 2))?;
    second.until_primary().await;
    let demoted = bench.event(|event| match event {
        Event::Backup { primary } => Some(primary),
        _ => None,
    });
    expect_equal("the primary that the first one hears of", &demoted.await?, &Some(2))?;
    let refusal = bench.session().write(vec![insert(entries[0].encode(bench.info())?)]).await;
    expect_equal("a backup may write", &refusal.is_ok(), &false)?;
    expect_equal("outcome of the push", &second.push_pipeline(&pipeline()?).await?, &PushOutcome::Kept)?;
    let destinations = entries.iter().filter(|entry| entry.table == "destination").count();
    expect_equal("entries found", &second.read_table(table).await?.len(), &destinations)?;
    second.set_election_id(0x1_0000_0000_0000_0003).await?;
    bench.session().set_election_id(0x1_0000_0000_0000_0004).await?;
    bench.event(|event| matches!(event, Event::Primary { .. }).then_some(())).await?;
    let outcome = bench.observe(&[], &[Input::Frame(2, data(B, A))]).await?;
    expect_equal("frames forwarded", &outcome.frames.len(), &1)
}

fn expect_equal<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Result<()> {
    if found == wanted {
        return Ok(());
    }
    Err(format!("{what}: wanted {wanted:#?}, found {found:#?}").into())
}
