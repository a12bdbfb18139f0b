//! The index over a P4Info, on a program that has one of everything.

use std::sync::LazyLock;

use prost::Message;
use vouch_p4runtime::{
    P4Info,
    p4::v1::{P4Data, P4Header, P4StructLike, PacketMetadata, p4_data::Data},
    p4info::{CounterUnit, HeaderError, MatchKind, MeterUnit},
};

static SAMPLE: LazyLock<P4Info> =
    LazyLock::new(|| P4Info::from_text(include_str!("data/sample.p4info.txtpb")).expect("the sample is valid"));

#[test]
fn full_name_and_alias_find_the_same_table() {
    let route = SAMPLE.table("route").unwrap();
    assert_eq!(SAMPLE.table("Ingress.route").unwrap(), route);
    assert_eq!(SAMPLE.table_by_id(0x0200_0001), Some(route));
    assert_eq!((route.size, route.idle_timeout, route.is_const), (1024, true, false));
    assert_eq!(route.const_default_action, Some(0x0100_0002));
    assert!(!route.needs_priority());
    let acl = SAMPLE.table("acl").unwrap();
    assert_eq!((acl.implementation, acl.is_const), (Some(0x1100_0001), true));
    assert!(acl.needs_priority());
}

#[test]
fn keys_have_ids_widths_and_kinds() {
    let field = SAMPLE.table("route").unwrap().field("hdr.ipv4.dst").unwrap();
    assert_eq!((field.id, field.width, &field.kind), (1, 32, &MatchKind::Lpm));
    let kinds: Vec<_> = SAMPLE.table("acl").unwrap().fields.iter().map(|field| field.kind.clone()).collect();
    assert_eq!(kinds, [MatchKind::Ternary, MatchKind::Range, MatchKind::Optional, MatchKind::Other("fuzzy".into())]);
    let vrf = SAMPLE.table("route").unwrap().field("vrf").unwrap();
    assert_eq!(vrf.encode(1023), Ok(vec![3, 255]));
    assert!(vrf.encode(1024).is_err());
}

#[test]
fn actions_have_parameters_and_scopes() {
    let route = SAMPLE.table("route").unwrap();
    let forward = route.action("forward").unwrap();
    assert_eq!(forward, SAMPLE.action("Ingress.forward").unwrap());
    assert_eq!((forward.param("mac").unwrap().id, forward.param("mac").unwrap().width), (2, 48));
    let scopes: Vec<_> = route.actions.iter().map(|it| (it.action.shown(), it.in_entries, it.as_default)).collect();
    assert_eq!(scopes, [("forward", true, true), ("drop", false, true)]);
}

#[test]
fn everything_else_is_found_too() {
    let drops = SAMPLE.counter("drops").unwrap();
    assert_eq!((drops.unit, drops.size, drops.table), (CounterUnit::Both, 32, None));
    let punts = SAMPLE.meter("Ingress.punts").unwrap();
    assert_eq!((punts.unit, punts.size), (MeterUnit::Packets, 512));
    let route = SAMPLE.table("route").unwrap();
    assert_eq!(SAMPLE.direct_counter_of(route).unwrap().shown(), "route_hits");
    assert_eq!(SAMPLE.direct_meter_of(route).unwrap().unit, MeterUnit::Bytes);
    assert_eq!(SAMPLE.direct_counter_of(SAMPLE.table("acl").unwrap()), None);
    assert_eq!(SAMPLE.register("last_seen").unwrap().size, 256);
    assert_eq!(SAMPLE.value_set("vxlan_ports").unwrap().fields[0].width, 16);
    let groups = SAMPLE.action_profile("groups").unwrap();
    assert_eq!((groups.with_selector, groups.size, groups.max_group_size), (true, 128, 16));
}

#[test]
fn unknown_names_are_answered_with_the_valid_ones() {
    let message = |error: &dyn std::fmt::Display| error.to_string();
    assert_eq!(
        message(&SAMPLE.table("Ingress.rout").unwrap_err()),
        "no table `Ingress.rout` in the P4Info; did you mean `route`? (valid: route, acl)"
    );
    assert_eq!(
        message(&SAMPLE.table("route").unwrap().field("ipv4.dst").unwrap_err()),
        "no key field `ipv4.dst` in table `route`; did you mean `hdr.ipv4.dst`? (valid: hdr.ipv4.dst, vrf)"
    );
    assert_eq!(
        message(&SAMPLE.table("acl").unwrap().action("forward").unwrap_err()),
        "no action `forward` in table `acl` (valid: drop)"
    );
    assert_eq!(
        message(&SAMPLE.action("forward").unwrap().param("MAC").unwrap_err()),
        "no parameter `MAC` in action `forward`; did you mean `mac`? (valid: port, mac)"
    );
}

#[test]
fn binary_and_text_say_the_same() {
    let binary = P4Info::from_binary(&SAMPLE.message().encode_to_vec()).unwrap();
    assert_eq!(binary.message(), SAMPLE.message());
    let error = P4Info::from_text("tables { preamble { nmae: \"x\" } }").unwrap_err().to_string();
    assert!(error.contains("nmae"), "{error}");
    assert!(P4Info::from_binary(&[0xff]).is_err());
}

#[test]
fn an_action_that_is_not_there_is_refused() {
    let mut message = SAMPLE.message().clone();
    message.actions.truncate(1);
    assert_eq!(
        P4Info::new(message).unwrap_err().to_string(),
        "the P4Info is broken: table `Ingress.route` refers to action 0x01000002, which it does not contain"
    );
}

#[test]
fn packet_metadata_goes_by_name() {
    let header = SAMPLE.packet_out().unwrap();
    let metadata = header.encode(&[("egress_port", 510)]).unwrap();
    assert_eq!(metadata, [item(1, &[1, 254]), item(2, &[0])]);
    assert_eq!(header.get(&metadata, "egress_port"), Ok(510));

    let header = SAMPLE.packet_in().unwrap();
    assert_eq!(header.decode(&[item(3, &[0, 2]), item(1, &[5])]), Ok(vec![5, 0, 2]));
}

#[test]
fn bad_packet_metadata_is_refused() {
    let out = SAMPLE.packet_out().unwrap();
    let message = |error: HeaderError| error.to_string();
    assert_eq!(
        message(out.encode(&[("egress_port", 512)]).unwrap_err()),
        "packet_out: `egress_port`: 0x0200 needs 10 bits, but the field has 9"
    );
    assert_eq!(message(out.encode(&[]).unwrap_err()), "packet_out: no value for `egress_port`");
    assert_eq!(
        message(out.encode(&[("egres_port", 1)]).unwrap_err()),
        "no metadata `egres_port` in `packet_out`; did you mean `egress_port`? (valid: egress_port)"
    );
    assert_eq!(
        message(out.encode(&[("egress_port", 1), ("egress_port", 2)]).unwrap_err()),
        "packet_out: two values for `egress_port`"
    );
    let packet_in = SAMPLE.packet_in().unwrap();
    assert_eq!(message(packet_in.decode(&[item(9, &[1])]).unwrap_err()), "packet_in: there is no metadata with id 9");
    assert_eq!(message(packet_in.decode(&[item(1, &[1])]).unwrap_err()), "packet_in: no value for `reason`");
    assert!(matches!(packet_in.decode(&[item(3, &[1, 0])]), Err(HeaderError::Value { .. })));
    assert!(matches!(packet_in.decode(&[item(3, &[])]), Err(HeaderError::Value { .. })));
    assert!(matches!(packet_in.decode(&[item(3, &[1]), item(3, &[1])]), Err(HeaderError::Twice { .. })));
}

#[test]
fn digests_are_flat() {
    let learn = SAMPLE.digest("learn_t").unwrap();
    let fields: Vec<_> = learn.fields.iter().map(|field| (field.name.as_str(), field.width)).collect();
    assert_eq!(fields, [("mac", 48), ("tag.pcp", 3), ("tag.vid", 12), ("tagged", 1)]);
    let message = |vid: &[u8]| {
        let tag = P4Header { is_valid: true, bitstrings: vec![vec![7], vid.to_vec()] };
        let members = vec![data(Data::Bitstring(vec![2, 0])), data(Data::Header(tag)), data(Data::Bool(true))];
        data(Data::Struct(P4StructLike { members }))
    };
    assert_eq!(learn.decode(&message(&[0xf, 0xff])), Ok(vec![512, 7, 4095, 1]));
    assert_eq!(learn.position("tag.vid"), Ok(2));
    assert!(learn.decode(&message(&[0x1f, 0xff])).unwrap_err().to_string().contains("`tag.vid`"));
    assert!(learn.decode(&data(Data::Bitstring(vec![1]))).unwrap_err().to_string().contains("1 values"));
    assert!(learn.decode(&P4Data::default()).is_err());

    let opaque = SAMPLE.digest("opaque_t").unwrap();
    assert!(opaque.opaque.is_some());
    assert!(opaque.decode(&message(&[1])).unwrap_err().to_string().contains("cannot be read by fields"));
}

fn data(data: Data) -> P4Data {
    P4Data { data: Some(data) }
}

fn item(metadata_id: u32, value: &[u8]) -> PacketMetadata {
    PacketMetadata { metadata_id, value: value.to_vec() }
}
