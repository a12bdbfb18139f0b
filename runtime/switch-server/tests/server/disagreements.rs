//! P4Infos that have more than their programs: the pipeline is taken, and requests about what is missing are refused. p4c makes such
//! pairs of programs that declare what they do not use.

use crate::common::Bench;
use tonic::Code;
use vouch_p4runtime::p4::config::v1::{self as info, P4Info};
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::set_forwarding_pipeline_config_request::Action;
use vouch_p4runtime::p4::v1::update::Type;
use vouch_p4runtime::p4::v1::*;

const GONE: u32 = 0x00ff_fff1;

fn preamble(name: &str) -> Option<info::Preamble> {
    Some(info::Preamble { id: GONE, name: name.to_owned(), ..Default::default() })
}

/// A switch whose P4Info was changed, and its controller; or why it was refused.
async fn with(change: impl FnOnce(&mut P4Info)) -> Result<(Bench, crate::common::Controller), String> {
    let bench = Bench::start().await;
    let mut config = bench.config();
    change(config.p4info.as_mut().expect("it has one"));
    let mut controller = bench.primary().await;
    let set = controller.set_pipeline(Action::VerifyAndCommit, Some(config)).await;
    set.map(|()| (bench, controller)).map_err(|refused| refused.message().to_owned())
}

/// What is missing does not keep the rest from working, and is told of as `why`.
async fn missing(change: impl FnOnce(&mut P4Info), asked: Kind, why: &str) {
    let (bench, mut controller) = with(change).await.unwrap_or_else(|refused| panic!("{why}: {refused}"));
    controller.insert(Kind::TableEntry(bench.entry("host", 1, "host_forward", &[&[2]]))).await;
    let refused = controller.read(vec![asked]).await.expect_err("it is not there");
    assert!(refused.message().ends_with(why), "{refused}");
}

fn table(info: &P4Info, name: &str) -> info::Table {
    info.tables
        .iter()
        .find(|table| table.preamble.as_ref().is_some_and(|it| it.alias == name))
        .expect("it is there")
        .clone()
}

#[tokio::test]
async fn what_the_compiler_has_left_out_is_missing() {
    let asked = Kind::TableEntry(TableEntry { table_id: GONE, ..Default::default() });
    let why = "table Forward.gone of the P4Info is not in the program";
    missing(
        |info| {
            let gone = info::Table { preamble: preamble("Forward.gone"), ..table(info, "host") };
            info.tables.push(gone);
        },
        asked,
        why,
    )
    .await;

    let asked = Kind::ActionProfileMember(ActionProfileMember { action_profile_id: GONE, ..Default::default() });
    let profile = info::ActionProfile { preamble: preamble("Forward.unused"), size: 16, ..Default::default() };
    missing(
        |info| info.action_profiles.push(profile),
        asked,
        "action profile Forward.unused of the P4Info is not in the program",
    )
    .await;

    let asked = Kind::CounterEntry(CounterEntry { counter_id: GONE, ..Default::default() });
    let counter = info::Counter { preamble: preamble("Forward.uncounted"), size: 16, ..Default::default() };
    missing(|info| info.counters.push(counter), asked, "counter Forward.uncounted of the P4Info is not in the program")
        .await;

    let asked = Kind::DigestEntry(DigestEntry { digest_id: GONE, ..Default::default() });
    let digest = info::Digest { preamble: preamble("tuple_0"), ..Default::default() };
    let why = "digest tuple_0 of the P4Info is not in the program, which has learn_t";
    missing(|info| info.digests.push(digest), asked, why).await;
}

#[tokio::test]
async fn a_table_whose_key_has_no_width_takes_no_entries() {
    let mut id = 0;
    let changed = with(|info| {
        id = table(info, "host").preamble.expect("it has one").id;
        for table in info.tables.iter_mut().filter(|table| table.preamble.as_ref().is_some_and(|it| it.id == id)) {
            // As of an `error`, or of no bits.
            table.match_fields[0].bitwidth = 0;
        }
    });
    let (bench, mut controller) = changed.await.expect("it is taken");
    let refused =
        controller.write(Type::Insert, vec![Kind::TableEntry(bench.entry("host", 1, "host_forward", &[&[2]]))]);
    let refused = refused.await.expect_err("its key has no value");
    assert_eq!(refused.code(), Code::Unknown, "as of each update");
    let refused = controller.read(vec![Kind::TableEntry(TableEntry { table_id: id, ..Default::default() })]).await;
    let why = "table Forward.host, field hdr.ethernet.dst: it has neither a width nor a translated type";
    assert!(refused.expect_err("nor can it be read").message().ends_with(why));
}

#[tokio::test]
async fn headers_that_say_nothing_to_controllers_do_no_harm() {
    let field = info::controller_packet_metadata::Metadata { id: 1, name: "port".to_owned(), ..Default::default() };
    let header =
        |name: &str| info::ControllerPacketMetadata { preamble: preamble(name), metadata: vec![field.clone()] };
    with(|info| info.controller_packet_metadata.push(header("unused"))).await.expect("another header is nobody's");
    with(|info| info.controller_packet_metadata = vec![header("packet_in")]).await.expect("its width is not known");
}

#[tokio::test]
async fn an_empty_p4info_offers_nothing() {
    let (bench, mut controller) = with(|info| *info = P4Info::default()).await.expect("it is taken");
    let refused = controller.write(Type::Insert, vec![Kind::TableEntry(bench.entry("route", 1, "drop", &[]))]).await;
    assert!(refused.is_err());
    assert_eq!(controller.read(vec![Kind::TableEntry(TableEntry::default())]).await.expect("there is nothing"), []);
}

#[tokio::test]
async fn a_p4info_that_shares_no_table_is_that_of_another_program() {
    let renamed = with(|info| {
        for (number, table) in info.tables.iter_mut().enumerate() {
            table.preamble.as_mut().expect("it has one").name = format!("Other.t{number}");
        }
    });
    let refused = renamed.await.err().expect("nothing of it is in the program");
    assert!(
        refused.starts_with(
            "P4Info and device config do not belong together: no table of the P4Info is in the program: the P4Info has \
             Other.t0, Other.t1, "
        ),
        "{refused}"
    );
}
