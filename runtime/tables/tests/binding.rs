//! Binding to a P4Info: the program's own fits; one that differs is refused, with every difference.

use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4::config::v1::P4Info as Message;
use vouch_tables::*;

/// The lines of the error for a P4Info that was spoiled.
fn differences(spoil: impl FnOnce(&mut Message)) -> Vec<String> {
    let mut message = vouch_tables::p4info().message().clone();
    spoil(&mut message);
    let info = P4Info::new(message).expect("still a valid P4Info");
    match Tables::bind(&info) {
        Ok(_) => Vec::new(),
        Err(error) => error.to_string().lines().map(|line| line.trim().to_owned()).collect(),
    }
}

fn table<'a>(message: &'a mut Message, name: &str) -> &'a mut vouch_p4runtime::p4::config::v1::Table {
    let named = |table: &&mut vouch_p4runtime::p4::config::v1::Table| table.preamble.as_ref().unwrap().name == name;
    message.tables.iter_mut().find(named).unwrap()
}

#[test]
fn the_compiled_program_fits() {
    assert_eq!(differences(|_| ()), Vec::<String>::new());
}

#[test]
fn a_missing_table_is_named() {
    let lines = differences(|info| info.tables.retain(|table| table.preamble.as_ref().unwrap().name != "source"));
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].ends_with("1 difference"), "{}", lines[0]);
    assert!(lines[1].starts_with("no table `source` in the P4Info"), "{}", lines[1]);
}

#[test]
fn every_difference_is_told_at_once() {
    let lines = differences(|info| {
        table(info, "destination").match_fields[1].name = "ether_dst".into();
        table(info, "flood").match_fields[0].bitwidth = 12;
        table(info, "source").idle_timeout_behavior = 0;
        table(info, "source").direct_resource_ids.clear();
        let bridge = info.actions.iter_mut().find(|it| it.preamble.as_ref().unwrap().name == "vni_to_bd.bridge");
        bridge.unwrap().params[0].bitwidth = 24;
        info.meters.clear();
        info.counters.iter_mut().find(|it| it.preamble.as_ref().unwrap().name == "drops").unwrap().size = 8;
        let packet_in = &mut info.controller_packet_metadata[0].metadata;
        packet_in.retain(|field| field.name != "recorded");
    });
    let expected = [
        "the P4Info is not that of the VTEP program this controller was built for: 9 differences",
        "table `source`, idle timeout: expected yes, found no",
        "table `source`, direct counter: expected `source_counter` of Both, found none",
        "no key field `mac` in table `destination`",
        "table `destination`, key: expected bd, mac, found bd, ether_dst",
        "table `flood`, key field `bd`: expected exact of 16 bits, found exact of 12 bits",
        "action `vni_to_bd.bridge`, parameter `bd`: expected 16 bits, found 24 bits",
        "no metadata `recorded` in `packet_in`",
        "no meter `punt_meter` in the P4Info",
        "counter `drops`: expected 64 cells of Both, found 8 cells of Both",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for expected in expected {
        assert!(lines.iter().any(|line| line.starts_with(expected)), "{expected} not in {lines:#?}");
    }
}

#[test]
fn budgets_and_what_was_over_them_have_the_same_cells() {
    let sizes = |meter: i64, counter: i64| {
        differences(|info| {
            info.meters[0].size = meter;
            let named = |it: &&mut vouch_p4runtime::p4::config::v1::Counter| {
                it.preamble.as_ref().unwrap().name == "policed_punts"
            };
            info.counters.iter_mut().find(named).unwrap().size = counter;
        })
    };
    assert_eq!(sizes(32768, 32768), Vec::<String>::new(), "a switch with less memory");
    assert_eq!(
        sizes(32768, 65536)[1..],
        ["counter `policed_punts`: expected 32768 cells of Both, found 65536 cells of Both"]
    );
    assert_eq!(
        sizes(60000, 65536)[1..],
        ["meter `punt_meter`: expected 65536 cells of Packets, found 60000 cells of Packets"]
    );
}

#[test]
fn a_match_of_another_kind_is_a_difference() {
    let lines = differences(|info| {
        let field = &mut table(info, "underlay_route").match_fields[0];
        use vouch_p4runtime::p4::config::v1::match_field::{Match, MatchType};
        field.r#match = Some(Match::MatchType(MatchType::Ternary.into()));
    });
    let expected = "table `underlay_route`, key field `dst`: expected lpm of 32 bits, found ternary of 32 bits";
    assert_eq!(lines[1], expected);
}

#[test]
fn a_key_field_or_parameter_that_we_do_not_know_is_a_difference() {
    let lines = differences(|info| {
        let mut field = table(info, "flood").match_fields[0].clone();
        (field.id, field.name) = (2, "colour".into());
        table(info, "flood").match_fields.push(field);
        let both = info.actions.iter_mut().find(|it| it.preamble.as_ref().unwrap().name == "destination.both");
        let params = &mut both.unwrap().params;
        let mut param = params[0].clone();
        (param.id, param.name) = (2, "weight".into());
        params.push(param);
    });
    assert_eq!(lines[1], "action `destination.both`: expected group, found group, weight");
    assert_eq!(lines[2], "table `flood`, key: expected bd, found bd, colour");
}

const SHARING_TABLES: [&str; 2] = ["next_hop", "neighbour"];
const SHARING_ACTIONS: [&str; 3] = ["location_port.balance", "underlay_route.balance", "underlay_route_ipv6.balance"];
const IPV6_TABLES: [&str; 3] = ["local_vtep_ipv6", "underlay_peer_ipv6", "underlay_route_ipv6"];
const IPV6_ACTIONS: [&str; 1] = ["encapsulate.encapsulate_ipv6"];

/// Takes tables and actions of a part out of a P4Info.
fn without(info: &mut Message, tables: &[&str], actions: &[&str]) {
    let ids = |info: &Message| -> Vec<u32> {
        let preambles = info.actions.iter().filter_map(|action| action.preamble.as_ref());
        preambles.filter(|it| actions.contains(&it.name.as_str())).map(|it| it.id).collect()
    };
    let gone = ids(info);
    assert_eq!(gone.len(), actions.len());
    info.tables.retain(|table| !tables.contains(&table.preamble.as_ref().unwrap().name.as_str()));
    info.actions.retain(|action| !gone.contains(&action.preamble.as_ref().unwrap().id));
    for table in &mut info.tables {
        table.action_refs.retain(|action| !gone.contains(&action.id));
    }
}

#[test]
fn several_next_hops_are_there_as_a_whole_or_not_at_all() {
    assert!(Tables::bind(&p4info()).expect("our own").shares_next_hops());
    assert_eq!(differences(|info| without(info, &SHARING_TABLES, &SHARING_ACTIONS)), Vec::<String>::new());
    for missing in SHARING_TABLES {
        let lines = differences(|info| without(info, &[missing], &[]));
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[1].starts_with(&format!("no table `{missing}` in the P4Info")), "{lines:?}");
    }
    for missing in SHARING_ACTIONS {
        let lines = differences(|info| without(info, &[], &[missing]));
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[1].contains(&format!("`{missing}`")), "{lines:?}");
    }
    // Nor does what is left of them go for none.
    let lines = differences(|info| without(info, &SHARING_TABLES, &SHARING_ACTIONS[..1]));
    assert_eq!(lines.len(), 4, "{lines:?}");
}

#[test]
fn an_underlay_of_ipv6_is_there_as_a_whole_or_not_at_all() {
    assert!(Tables::bind(&p4info()).expect("our own").carries_ipv6());
    assert_eq!(differences(|info| without(info, &IPV6_TABLES, &IPV6_ACTIONS)), Vec::<String>::new());
    for missing in IPV6_TABLES {
        let lines = differences(|info| without(info, &[missing], &[]));
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[1].starts_with(&format!("no table `{missing}` in the P4Info")), "{lines:?}");
    }
    let lines = differences(|info| without(info, &[], &IPV6_ACTIONS));
    assert_eq!(lines.len(), 2, "{lines:?}");
    let mut message = p4info().message().clone();
    without(&mut message, &IPV6_TABLES, &IPV6_ACTIONS);
    let fewer = Tables::bind(&P4Info::new(message).expect("valid")).expect("it will do");
    assert!(!fewer.carries_ipv6() && fewer.shares_next_hops());
    let (key, action) = LocalVtepIpv6Key { dst: std::net::Ipv6Addr::LOCALHOST }.with(LocalVtepIpv6Action::Terminate);
    assert!(matches!(fewer.update(&Change::Insert(key, action)), Err(EntryError::Absent { .. })));
}

#[test]
fn a_program_for_single_next_hops_is_neither_asked_nor_told_of_others() {
    let mut message = p4info().message().clone();
    without(&mut message, &SHARING_TABLES, &SHARING_ACTIONS);
    let [all, fewer] =
        [p4info(), P4Info::new(message).expect("valid")].map(|info| Tables::bind(&info).expect("either will do"));
    assert!(!fewer.shares_next_hops());
    assert_eq!(all.read_tables().len(), fewer.read_tables().len() + SHARING_TABLES.len());

    let (group, location) = (HopGroup::new(7).unwrap(), LocationId::tunnel(1).unwrap());
    let key = NeighbourKey { neighbour: NeighbourId::new(9).unwrap() };
    let (balance, to_balance) = LocationPortKey { location }.with(LocationPortAction::Balance { group });
    for absent in [Change::Delete(key.into()), Change::Insert(balance, to_balance.clone())] {
        all.update(&absent).expect("it has both");
        assert!(matches!(fewer.update(&absent), Err(EntryError::Absent { .. })), "{absent}");
    }
    let (key, action) = LocationPortKey { location }.with(LocationPortAction::Port { port: Port::new(9).unwrap() });
    let update = fewer.update(&Change::Insert(key, action.clone())).expect("a single next hop");
    assert_eq!(fewer.decode(&update.entity.unwrap()), Ok(Some((key, action))));
    // Of another program, it means nothing here.
    let update = all.update(&Change::Insert(balance, to_balance)).expect("it has it");
    assert!(matches!(fewer.decode(&update.entity.unwrap()), Err(DecodeError::UnknownAction { .. })));
}
