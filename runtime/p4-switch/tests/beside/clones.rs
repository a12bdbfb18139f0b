//! Where clones go, and how their copies are told apart: by packets.

use vouch_p4runtime::client::{Replica, clone_session, delete, insert};

use crate::support::{Result, Switch, both};
use crate::thrift::{Bytes, Client, Reply};

/// Clones frames with `01` at ingress, and those with `02` at egress; it writes instance type and `egress_rid` into them.
const PROGRAM: &str = "bmv2-tests/programs/build/copies/clone_replicas";
/// The session that it clones to.
const SESSION: i32 = 7;

/// What comes out of a frame that is cloned at ingress or egress: ports, instance types and numbers of replicas, sorted.
async fn copies(switch: &mut Switch, how: u8) -> Result<Vec<(u16, u8, u16)>> {
    let mut frame = vec![how, 0xee, 0xee, 0xee];
    frame.resize(14, 0xcc);
    let mut copies = Vec::new();
    for (port, frame) in switch.streamed.carry(vec![(1, frame)]).await? {
        assert_eq!((frame.len(), frame[0]), (14, how));
        copies.push((port, frame[1], u16::from_be_bytes([frame[2], frame[3]])));
    }
    copies.sort_unstable();
    Ok(copies)
}

/// The original, which is neither, and these copies (port and number of the replica).
fn with_original(how: u8, copies: &[(u16, u16)]) -> Vec<(u16, u8, u16)> {
    let copies = copies.iter().map(|(port, instance)| (*port, how, *instance));
    let mut all: Vec<_> = copies.chain([(2, 0, 0)]).collect();
    all.sort_unstable();
    all
}

/// As often to a port as it has replicas there, one without a number among them.
#[tokio::test]
async fn replicas_of_a_session_are_told_apart_as_on_bmv2() -> Result<()> {
    for which in both("replicas_of_a_session_are_told_apart_as_on_bmv2")? {
        let mut switch = Switch::start(which, PROGRAM).await?;
        for replicas in [vec![(3, 0)], vec![(3, 0), (4, 0), (3, 9), (2, 8), (3, 8), (2, 0)], vec![]] {
            let session = replicas
                .iter()
                .map(|(port, instance)| Replica { port: u32::from(*port), instance: u32::from(*instance) });
            let session = clone_session(SESSION as u32, session, None);
            switch.streamed.session.write(vec![insert(session.clone())]).await?;
            for how in [1, 2] {
                let found = copies(&mut switch, how).await?;
                assert_eq!(found, with_original(how, &replicas), "{}", switch.name);
            }
            switch.streamed.session.write(vec![delete(session)]).await?;
        }
        assert_eq!(copies(&mut switch, 1).await?, with_original(1, &[]), "{}", switch.name);
    }
    Ok(())
}

/// As Thrift's clients have it: to a port, to a group, to both at once, to neither.
#[tokio::test]
async fn a_session_copies_to_a_port_and_a_group_as_on_bmv2() -> Result<()> {
    for which in both("a_session_copies_to_a_port_and_a_group_as_on_bmv2")? {
        let mut switch = Switch::start(which, PROGRAM).await?;
        let mut client = Client::at(switch.thrift);
        let mut pre = |method: &str, arguments: Bytes| client.call(&format!("simple_pre_lag:{method}"), arguments);
        assert_eq!(pre("bm_mc_mgrp_create", Bytes::default().i32(2, 5)), Reply::Number(5));
        for (number, rid, ports) in [(0, 9, "11000"), (1, 6, "1000")] {
            let node = Bytes::default().i32(2, rid).string(3, ports).string(4, "");
            assert_eq!(pre("bm_mc_node_create", node), Reply::Number(number));
            let associate = Bytes::default().i32(2, 5).i32(3, number as i32);
            assert_eq!(pre("bm_mc_node_associate", associate), Reply::Done);
        }
        assert_eq!(pre("bm_mc_mgrp_create", Bytes::default().i32(2, 6)), Reply::Number(6));
        let group = [(3, 9), (4, 9), (3, 6)];
        for (port, mgid, expected) in [
            (Some(2), None, vec![(2, 0)]),
            (None, Some(5), group.to_vec()),
            // What goes to the port has the number of the group's last copy.
            (Some(4), Some(5), [&group[..], &[(4, 6)]].concat()),
            (Some(4), Some(6), vec![(4, 0)]),
            (Some(4), Some(77), vec![(4, 0)]),
            (None, None, vec![]),
        ] {
            let config = Bytes::default().i32(1, SESSION).field(12, 2);
            let config = [(1, port), (2, mgid)].into_iter().fold(config, |config, (field, value)| match value {
                Some(value) => config.i32(field, value),
                None => config,
            });
            assert_eq!(client.call("simple_switch:mirroring_session_add", config.end()), Reply::Done);
            for how in [1, 2] {
                let found = copies(&mut switch, how).await?;
                assert_eq!(found, with_original(how, &expected), "{}: port {port:?}, group {mgid:?}", switch.name);
            }
        }
    }
    Ok(())
}
