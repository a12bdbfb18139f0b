//! What entries share: action profiles (specification 9.2) and replication (specification 9.5).

use super::*;

#[test]
fn action_profiles_hold_members_and_groups_that_entries_use() {
    let bench = Bench::new();
    let profile = |name| bench.info.action_profile(name).expect("the program has it").id;
    let member = |profile, member_id, port: u8| {
        Kind::ActionProfileMember(v1::ActionProfileMember {
            action_profile_id: profile,
            member_id,
            action: Some(bench.action("forward", &[&[port]])),
        })
    };
    let entry = |table: &str, action| {
        Kind::TableEntry(v1::TableEntry {
            table_id: bench.table(table),
            r#match: vec![exact(1, &[1])],
            action: Some(v1::TableAction { r#type: Some(action) }),
            ..Default::default()
        })
    };
    let (hops, paths) = (profile("next_hops"), profile("paths"));
    let uses_member = entry("nexthop", ActionType::ActionProfileMemberId(1));
    assert_eq!(
        bench.write(Type::Insert, uses_member.clone()),
        Err((Code::NotFound, "table Forward.nexthop: no member 1 in the action profile".into()))
    );
    bench.write(Type::Insert, member(hops, 1, 2)).expect("the member is valid");
    bench.write(Type::Insert, uses_member.clone()).expect("the member is there");
    assert_eq!(bench.read(member(hops, 1, 0)), [member(hops, 1, 2)]);
    assert_eq!(
        bench.write(Type::Delete, member(hops, 1, 2)),
        Err((Code::FailedPrecondition, "action profile Forward.next_hops: member 1 is in use".into()))
    );
    assert_eq!(
        bench.write(Type::Insert, entry("nexthop", ActionType::Action(bench.action("forward", &[&[1]])))),
        Err((
            Code::InvalidArgument,
            "table Forward.nexthop: the table takes members of action profile Forward.next_hops, not actions of its own"
                .into()
        ))
    );

    let group = |weight| {
        Kind::ActionProfileGroup(v1::ActionProfileGroup {
            action_profile_id: paths,
            group_id: 5,
            members: vec![v1::action_profile_group::Member { member_id: 1, weight, watch_kind: None }],
            max_size: 4,
        })
    };
    bench.write(Type::Insert, member(paths, 1, 2)).expect("the member is valid");
    bench.write(Type::Insert, group(1)).expect("the group is valid");
    bench.write(Type::Modify, group(2)).expect("the group is there");
    assert_eq!(bench.read(group(0)), [group(2)]);
    let uses_group = entry("balance", ActionType::ActionProfileGroupId(5));
    bench.write(Type::Insert, uses_group.clone()).expect("the group is there");
    assert_eq!(bench.read(uses_group.clone()).len(), 1);
    let set = v1::ActionProfileActionSet {
        action_profile_actions: vec![v1::ActionProfileAction {
            action: Some(bench.action("forward", &[&[3]])),
            weight: 1,
            watch_kind: Some(v1::action_profile_action::WatchKind::WatchPort(vec![3])),
        }],
        ..Default::default()
    };
    let one_shot = entry("balance", ActionType::ActionProfileActionSet(set));
    let text = "table Forward.balance: the action profile has 1 members and 1 groups: it takes those, or action sets in \
                entries, but not both";
    assert_eq!(bench.write(Type::Modify, one_shot.clone()), Err((Code::InvalidArgument, text.into())));
    bench.write(Type::Delete, uses_group.clone()).expect("it is there");
    bench.write(Type::Delete, group(0)).expect("it is not in use");
    bench.write(Type::Delete, member(paths, 1, 2)).expect("it is not in use");
    bench.write(Type::Insert, one_shot.clone()).expect("a set of its own");
    assert_eq!(bench.read(uses_group), [one_shot]);
    let text = "action profile Forward.paths: 1 entries have action sets of their own: an action profile takes those, or \
                members and groups, but not both";
    assert_eq!(bench.write(Type::Insert, member(paths, 1, 2)), Err((Code::InvalidArgument, text.into())));
}

/// Sections 9.2.2 and 9.2.2.1: ids, weights and sizes.
#[test]
fn groups_keep_to_the_sizes_and_weights_they_may_have() {
    let bench = Bench::new();
    let action_profile_id = bench.info.action_profile("paths").expect("the program has it").id;
    let member = |member_id| {
        Kind::ActionProfileMember(v1::ActionProfileMember {
            action_profile_id,
            member_id,
            action: Some(bench.action("forward", &[&[1]])),
        })
    };
    let group = |group_id, weights: &[i32], max_size| {
        let one = |(weight, member_id): (&i32, u32)| v1::action_profile_group::Member {
            member_id,
            weight: *weight,
            watch_kind: Some(v1::action_profile_group::member::WatchKind::WatchPort(Vec::new())),
        };
        let members = weights.iter().zip(1..).map(one).collect();
        Kind::ActionProfileGroup(v1::ActionProfileGroup { action_profile_id, group_id, members, max_size })
    };
    let invalid = |text: &str| Err((Code::InvalidArgument, format!("action profile Forward.paths: {text}")));
    let zero = "0 is not a member: it means all of them where they are read";
    assert_eq!(bench.write(Type::Insert, member(0)), invalid(zero));
    bench.write(Type::Insert, member(1)).expect("the member is valid");
    bench.write(Type::Insert, member(2)).expect("the member is valid");
    let zero = "0 is not a group: it means all of them where they are read";
    assert_eq!(bench.write(Type::Insert, group(0, &[1], 4)), invalid(zero));
    let weight = "weight 0 is not valid: it must be at least 1";
    assert_eq!(bench.write(Type::Insert, group(1, &[0], 4)), invalid(weight));
    assert_eq!(
        bench.write(Type::Insert, group(1, &[2, 3], 4)),
        Err((
            Code::ResourceExhausted,
            "action profile Forward.paths: the weights add up to 5, and 4 is the most".into()
        ))
    );
    bench.write(Type::Insert, group(1, &[2, 2], 4)).expect("it fits");
    let fixed = "max_size 5 of group 1 cannot change: it was 4 when the group was inserted";
    assert_eq!(bench.write(Type::Modify, group(1, &[2, 2], 5)), invalid(fixed));
}

/// Section 9.2.3: a set says how its member is chosen and what its size is.
#[test]
fn an_action_set_has_a_mode_and_a_size_of_its_own() {
    use v1::action_profile_action_set::{ActionSelectionMode as Mode, SizeSemantics as Semantics};
    let mut info = P4Info::from_text(P4INFO).expect("p4c wrote it").message().clone();
    for profile in info.action_profiles.iter_mut().filter(|profile| profile.with_selector) {
        profile.max_group_size = 14;
    }
    let bench = Bench::with(P4Info::new(info).expect("it is whole"), &[]);
    let set = |mode, semantics, weights: &[i32]| {
        let member = |weight: &i32| v1::ActionProfileAction {
            action: Some(bench.action("forward", &[&[3]])),
            weight: *weight,
            watch_kind: None,
        };
        v1::ActionProfileActionSet {
            action_profile_actions: weights.iter().map(member).collect(),
            action_selection_mode: mode,
            size_semantics: semantics,
            group_action: None,
        }
    };
    let entry = |set| {
        Kind::TableEntry(v1::TableEntry {
            table_id: bench.table("balance"),
            r#match: vec![exact(1, &[1])],
            action: Some(v1::TableAction { r#type: Some(ActionType::ActionProfileActionSet(set)) }),
            ..Default::default()
        })
    };
    bench.write(Type::Insert, entry(set(0, 0, &[1, 3]))).expect("the set is valid");
    let wanted = v1::TableEntry { table_id: bench.table("balance"), ..Default::default() };
    for mode in [Mode::Hash, Mode::Random, Mode::DefaultModeDeterminedByActionSelector] {
        for semantics in [Semantics::SumOfWeights, Semantics::SumOfMembers] {
            let written = entry(set(mode as i32, semantics as i32, &[1, 13]));
            bench.write(Type::Modify, written.clone()).expect("the set is valid");
            assert_eq!(bench.read(Kind::TableEntry(wanted.clone())), [written]);
        }
    }
    // Without an action the entry stays as it is.
    let random = entry(set(Mode::Random as i32, Semantics::SumOfMembers as i32, &[100, 3]));
    bench.write(Type::Modify, random.clone()).expect("two members, whatever their weights");
    let Kind::TableEntry(kept) = random.clone() else { panic!("it is an entry") };
    bench.write(Type::Modify, Kind::TableEntry(v1::TableEntry { action: None, ..kept })).expect("it is there");
    assert_eq!(bench.read(Kind::TableEntry(wanted)), [random]);

    let refused = |set| bench.write(Type::Modify, entry(set)).expect_err("it is refused");
    let invalid = |text: &str| (Code::InvalidArgument, format!("table Forward.balance: {text}"));
    let weights = "the weights add up to 15, and 14 is the most";
    assert_eq!(refused(set(0, 0, &[12, 3])), invalid(weights));
    let members = "the members are 15, and 14 is the most";
    assert_eq!(refused(set(0, Semantics::SumOfMembers as i32, &[1; 15])), invalid(members));
    assert_eq!(refused(set(3, 0, &[1])), invalid("action_selection_mode 3 does not exist: HASH or RANDOM, or none"));
    let text = "size_semantics 3 does not exist: SUM_OF_WEIGHTS or SUM_OF_MEMBERS, or none";
    assert_eq!(refused(set(0, 3, &[1])), invalid(text));
    let with_group_action =
        v1::ActionProfileActionSet { group_action: Some(bench.action("drop", &[])), ..set(0, 0, &[1]) };
    let text = "table Forward.balance: group_action of an action set: give each member the whole action";
    assert_eq!(refused(with_group_action), (Code::Unimplemented, text.into()));
}

#[test]
fn replication_entries_read_back_as_written() {
    let bench = Bench::new();
    let group = replication(Replication::MulticastGroupEntry(v1::MulticastGroupEntry {
        multicast_group_id: 7,
        replicas: vec![replica(1, 1), replica(2, 1), replica(2, 9)],
        metadata: b"mine".to_vec(),
    }));
    let session = replication(Replication::CloneSessionEntry(v1::CloneSessionEntry {
        session_id: 9,
        replicas: vec![replica(1, 0)],
        class_of_service: 2,
        packet_length_bytes: 100,
    }));
    for entry in [&group, &session] {
        bench.write(Type::Insert, entry.clone()).expect("the entry is valid");
    }
    // A session's copies are no group.
    let groups = replication(Replication::MulticastGroupEntry(v1::MulticastGroupEntry::default()));
    assert_eq!(bench.read(groups), std::slice::from_ref(&group));
    let sessions = replication(Replication::CloneSessionEntry(v1::CloneSessionEntry::default()));
    assert_eq!(bench.read(sessions), std::slice::from_ref(&session));
    for entry in [&group, &session] {
        bench.write(Type::Delete, entry.clone()).expect("it is there");
    }
    for entry in [group, session] {
        bench.write(Type::Insert, entry.clone()).expect("the entry is valid");
        assert_eq!(bench.read(entry.clone()), std::slice::from_ref(&entry));
        bench.write(Type::Modify, entry.clone()).expect("it is there");
        bench.write(Type::Delete, entry.clone()).expect("it is there");
        assert_eq!(bench.read(entry), []);
    }
    let twice = v1::MulticastGroupEntry {
        multicast_group_id: 7,
        replicas: vec![replica(1, 1), replica(1, 1)],
        metadata: Vec::new(),
    };
    assert_eq!(
        bench.write(Type::Insert, replication(Replication::MulticastGroupEntry(twice))),
        Err((Code::InvalidArgument, "multicast group 7: port 1 is given twice with instance 1".into()))
    );
    let zero = v1::CloneSessionEntry::default();
    assert_eq!(
        bench.write(Type::Insert, replication(Replication::CloneSessionEntry(zero))),
        Err((Code::InvalidArgument, "clone session 0: clone sessions are 1 to 32767".into()))
    );
}

/// Section 9.5.1: a copy goes to the first of its ports that is up, and comes back.
#[test]
fn replicas_fall_back_to_their_backups() {
    let bench = Bench::new();
    let backup = |port: u8, instance| v1::BackupReplica { port: vec![port], instance };
    let with_backups = |backup_replicas| v1::Replica { backup_replicas, ..replica(1, 1) };
    let group = |replicas| {
        let (multicast_group_id, metadata) = (7, Vec::new());
        replication(Replication::MulticastGroupEntry(v1::MulticastGroupEntry {
            multicast_group_id,
            replicas,
            metadata,
        }))
    };
    let entry = group(vec![with_backups(vec![backup(2, 2), backup(3, 3)]), replica(9, 9)]);
    bench.write(Type::Insert, entry.clone()).expect("the entry is valid");
    let places = || {
        let groups = bench.pipeline.switch.multicast_groups();
        groups[0].1.iter().flat_map(|node| node.ports.iter().map(|port| (*port, node.instance))).collect::<Vec<_>>()
    };
    let set_port = |port, up| bench.pipeline.target_mut().set_port(port, up);
    assert_eq!(places(), [(1, 1), (9, 9)]);
    set_port(1, false);
    assert_eq!(places(), [(2, 2), (9, 9)]);
    set_port(2, false);
    assert_eq!(places(), [(3, 3), (9, 9)]);
    set_port(3, false);
    assert_eq!(places(), [(9, 9)], "no port is up, no copy is made");
    set_port(9, false);
    assert_eq!(places(), [(9, 9)], "a copy without backups goes where it always goes");
    set_port(2, true);
    set_port(1, true);
    assert_eq!(places(), [(1, 1), (9, 9)]);
    assert_eq!(bench.read(entry.clone()), [entry]);

    let refused = |replicas| bench.write(Type::Modify, group(replicas)).expect_err("it is refused");
    let invalid = |text: &str| (Code::InvalidArgument, format!("multicast group 7: {text}"));
    assert_eq!(refused(vec![with_backups(vec![backup(1, 2)])]), invalid("port 1 cannot be the backup of itself"));
    let twice = vec![with_backups(vec![backup(2, 2)]), replica(2, 2)];
    assert_eq!(refused(twice), invalid("port 2 is given twice with instance 2"));
}

/// Section 8.2: what was written in the deprecated field is read there.
#[test]
#[allow(deprecated)]
fn a_replica_reads_back_in_the_field_it_was_written_in() {
    let bench = Bench::new();
    let port_kind = Some(v1::replica::PortKind::EgressPort(2));
    let old = v1::Replica { port_kind, instance: 1, backup_replicas: Vec::new() };
    let session = v1::CloneSessionEntry { session_id: 5, replicas: vec![old], ..Default::default() };
    let entry = replication(Replication::CloneSessionEntry(session));
    bench.write(Type::Insert, entry.clone()).expect("the entry is valid");
    assert_eq!(bench.read(entry.clone()), [entry]);
}

/// Section 9.1.3: a table with an action profile has a constant default entry, which does nothing.
#[test]
fn the_default_of_a_table_with_an_action_profile_is_constant() {
    let bench = Bench::new();
    let default = v1::TableEntry { table_id: bench.table("nexthop"), is_default_action: true, ..Default::default() };
    let text = "table Forward.nexthop: the default action of a table with an action profile is constant";
    assert_eq!(bench.write(Type::Modify, Kind::TableEntry(default)), Err((Code::PermissionDenied, text.into())));
}

/// Older controllers name a watched port by a number; 0 is none.
#[test]
#[allow(deprecated)]
fn watched_ports_read_back_in_the_field_they_were_written_in() {
    use v1::action_profile_action::WatchKind as SetWatch;
    use v1::action_profile_group::member::WatchKind as GroupWatch;
    let bench = Bench::new();
    let action_profile_id = bench.info.action_profile("paths").expect("the program has it").id;
    let action = Some(bench.action("forward", &[&[1]]));
    let member = v1::ActionProfileMember { action_profile_id, member_id: 1, action: action.clone() };
    bench.write(Type::Insert, Kind::ActionProfileMember(member.clone())).expect("the member is valid");
    let group = |watch_kind| {
        let members = vec![v1::action_profile_group::Member { member_id: 1, weight: 1, watch_kind }];
        Kind::ActionProfileGroup(v1::ActionProfileGroup { action_profile_id, group_id: 1, members, max_size: 0 })
    };
    let watched = || {
        let target = bench.pipeline.target();
        let engine = target.schema.profile(action_profile_id).expect("the program has it").engine;
        target.switch.group(engine, 1).expect("it is there").members[0].watch_port
    };
    bench.write(Type::Insert, group(None)).expect("the group is valid");
    for (watch, port) in
        [(Some(GroupWatch::Watch(300)), Some(300)), (Some(GroupWatch::WatchPort(vec![1, 44])), Some(300)), (None, None)]
    {
        bench.write(Type::Modify, group(watch.clone())).expect("the group is valid");
        assert_eq!(bench.read(group(None)), [group(watch)]);
        assert_eq!(watched(), port);
    }
    bench.write(Type::Modify, group(Some(GroupWatch::Watch(0)))).expect("no port");
    assert_eq!(watched(), None);
    let refused = |watch| bench.write(Type::Modify, group(Some(watch))).expect_err("there is no such port");
    let invalid = |text: &str| (Code::InvalidArgument, format!("action profile Forward.paths: {text}"));
    assert_eq!(refused(GroupWatch::Watch(512)), invalid("port 0x0200 does not exist: ports are 0 to 511"));
    assert_eq!(refused(GroupWatch::Watch(-1)), invalid("watch -1 is negative"));

    bench.write(Type::Delete, group(None)).expect("it is there");
    bench.write(Type::Delete, Kind::ActionProfileMember(member)).expect("it is there");
    let entry = |watch_kind| {
        let action_profile_actions = vec![v1::ActionProfileAction { action: action.clone(), weight: 1, watch_kind }];
        let set = v1::ActionProfileActionSet { action_profile_actions, ..Default::default() };
        Kind::TableEntry(v1::TableEntry {
            table_id: bench.table("balance"),
            r#match: vec![exact(1, &[1])],
            action: Some(v1::TableAction { r#type: Some(ActionType::ActionProfileActionSet(set)) }),
            ..Default::default()
        })
    };
    bench.write(Type::Insert, entry(None)).expect("the set is valid");
    for watch in [Some(SetWatch::Watch(3)), Some(SetWatch::WatchPort(vec![3])), None] {
        bench.write(Type::Modify, entry(watch.clone())).expect("the set is valid");
        assert_eq!(bench.read(entry(None)), [entry(watch)]);
    }
}
