//! Ordinary life: hosts find each other inside a VNI, and nobody is heard outside of it.

use std::collections::{BTreeMap, BTreeSet};

use vouch_agent::AgentEventKind;
use vouch_mobility::Report;

use super::{Outcome, PATIENCE};
use crate::error::LabError;
use crate::fabric::Fabric;

pub(super) async fn play(fabric: &mut Fabric) -> Result<Outcome, LabError> {
    let mut outcome = Outcome::default();
    let start = fabric.log().mark();
    greetings(fabric, &mut outcome).await?;
    pings(fabric, &mut outcome).await?;

    let mut wrong = Vec::new();
    for guest in &fabric.topology().guests {
        wrong.extend(fabric.misplaced(&guest.host.name, fabric.place(&guest.host.name)?).await?);
    }
    let measured = if wrong.is_empty() { "yes".to_owned() } else { wrong.join("; ") };
    outcome.expectations.judge("every VTEP has every host where it is", "yes", measured, wrong.is_empty());

    let claims =
        fabric.log().count(start, |_, kind| matches!(kind, AgentEventKind::Report(Report::ClaimRaised { .. })));
    outcome.expectations.equal("claims raised by ordinary traffic", 0, claims);
    Ok(outcome)
}

/// Everybody greets everybody by broadcast; who hears whom shows the borders of the VNIs.
async fn greetings(fabric: &Fabric, outcome: &mut Outcome) -> Result<(), LabError> {
    let guests = &fabric.topology().guests;
    let due: BTreeMap<&str, BTreeSet<String>> = guests
        .iter()
        .map(|guest| {
            let others = guests.iter().filter(|other| other.vni == guest.vni && other.host != guest.host);
            (guest.host.name.as_str(), others.map(|other| other.host.name.clone()).collect())
        })
        .collect();

    fabric.log().note("every host greets all others of its VNI by broadcast");
    let mut heard = fabric.traffic().greetings();
    for guest in guests {
        fabric.host(&guest.host.name)?.greet().await?;
    }
    let complete = || due.iter().all(|(host, others)| fabric.traffic().heard_by(host).is_superset(others));
    let _ = tokio::time::timeout(PATIENCE, heard.wait_for(|_| complete())).await;
    // Every greeting has been flooded by now. One that strayed took no longer way than the rest, and a round trip after it
    // makes sure of it.
    for guest in guests {
        if let Some(other) = due[guest.host.name.as_str()].iter().next() {
            super::acquaint(fabric, &guest.host.name, other).await?;
        }
    }
    for (host, others) in &due {
        let measured = fabric.traffic().heard_by(host);
        outcome.expectations.judge(format!("{host} hears"), &join(others), join(&measured), measured == *others);
    }
    Ok(())
}

/// Everybody pings everybody of its VNI, over IPv4 and IPv6.
async fn pings(fabric: &Fabric, outcome: &mut Outcome) -> Result<(), LabError> {
    fabric.log().note("every host pings all others of its VNI, over IPv4 and IPv6");
    let guests = &fabric.topology().guests;
    for vni in guests.iter().map(|guest| guest.vni).collect::<BTreeSet<_>>() {
        let members: Vec<_> = guests.iter().filter(|guest| guest.vni == vni).collect();
        let (mut asked, mut answered) = (0, 0);
        for from in &members {
            for to in &members {
                if from.host == to.host {
                    continue;
                }
                for address in [to.host.ipv4.into(), to.host.ipv6.into()] {
                    asked += 1;
                    let answer = fabric.host(&from.host.name)?.ping(address, PATIENCE).await?;
                    answered += u32::from(answer.is_some());
                }
            }
        }
        outcome.expectations.equal(format!("pings answered in VNI {vni}"), asked, answered);
    }
    Ok(())
}

fn join(names: &BTreeSet<String>) -> String {
    if names.is_empty() { "nobody".to_owned() } else { names.iter().cloned().collect::<Vec<_>>().join(", ") }
}
