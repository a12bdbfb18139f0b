//! A trunk: one wire that carries several VLANs, split into a wire for each (IEEE 802.1Q).

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;
use vouch_switch_server::{Endpoint, Frames, LinkConfig, Port as _, link};

use super::Wire;

const TPID: [u8; 2] = [0x81, 0x00];
/// Where a tag stands: behind both addresses.
const TAG_AT: usize = 12;
const TAG: usize = 4;
/// Frames taken at once.
const BATCH: usize = 64;

/// Splits a wire. What carries no tag, or the tag of no VLAN of the list, goes nowhere. The tasks do the work until the wire
/// is closed, or they are dropped.
pub(crate) fn split(trunk: &Wire, vlans: &[u16], tasks: &mut JoinSet<()>) -> BTreeMap<u16, Wire> {
    let (mut inner, mut outer) = (BTreeMap::new(), BTreeMap::<u16, Wire>::new());
    for vlan in vlans {
        let (near, far) = link(LinkConfig::default());
        inner.insert(*vlan, near.clone());
        outer.insert(*vlan, Arc::new(far));
        tasks.spawn(tag(*vlan, near, Arc::clone(trunk)));
    }
    tasks.spawn(untag(Arc::clone(trunk), inner));
    outer
}

async fn tag(vlan: u16, from: Endpoint, to: Wire) {
    let mut batch = Frames::new();
    while from.receive(&mut batch, BATCH).await.is_ok() {
        for frame in batch.iter() {
            // A wire that cannot take a frame counts it.
            let _ = to.send(&tagged(frame, vlan));
        }
        to.flush();
        batch.clear();
    }
}

async fn untag(from: Wire, to: BTreeMap<u16, Endpoint>) {
    let mut batch = Frames::new();
    while from.receive(&mut batch, BATCH).await.is_ok() {
        for frame in batch.iter() {
            if let Some((vlan, frame)) = untagged(frame)
                && let Some(wire) = to.get(&vlan)
            {
                // As above.
                let _ = wire.send(frame);
            }
        }
        batch.clear();
    }
}

fn tagged(frame: &[u8], vlan: u16) -> Vec<u8> {
    let at = TAG_AT.min(frame.len());
    let [high, low] = vlan.to_be_bytes();
    [&frame[..at], &TPID, &[high, low], &frame[at..]].concat()
}

fn untagged(frame: &[u8]) -> Option<(u16, Vec<u8>)> {
    let tag = frame.get(TAG_AT..TAG_AT + TAG)?;
    // The upper four bits are priority and drop eligibility.
    let vlan = u16::from_be_bytes([tag[2], tag[3]]) & 0x0fff;
    (tag[..2] == TPID).then(|| (vlan, [&frame[..TAG_AT], &frame[TAG_AT + TAG..]].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_vlan_has_a_wire_of_its_own() {
        let (switch, trunk) = link(LinkConfig::default());
        let mut tasks = JoinSet::new();
        let trunk: Wire = Arc::new(trunk);
        let wires = split(&trunk, &[100, 200], &mut tasks);
        let frame: Vec<u8> = (0..60).collect();
        wires[&200].send(&frame).unwrap();
        let sent = switch.recv().await.unwrap();
        assert_eq!(sent[12..16], [0x81, 0, 0, 200]);
        // Priority 7 does not make it another VLAN.
        let mut answer = sent;
        answer[14] |= 0xe0;
        switch.send(frame.clone()).unwrap();
        switch.send(answer).unwrap();
        let mut batch = Frames::new();
        wires[&200].receive(&mut batch, BATCH).await.unwrap();
        assert_eq!(batch.iter().collect::<Vec<_>>(), [&frame[..]]);
    }

    #[test]
    fn short_frames_are_no_frames() {
        assert_eq!(untagged(&[0; 15]), None);
        assert_eq!(tagged(&[1; 3], 5), [1, 1, 1, 0x81, 0, 0, 5]);
    }
}
