//! The program for Tofino against the one for v1model: the same tables, the same packets, on the same kind of switch.
//!
//! On the embedded switch only. BMv2 sends a frame round by the queue of the port that it is for, so that a barrier may
//! overtake what it is to come after; there p4testgen's tests are played, which wait until no packet is left.
//!
//! They differ in one thing. Tofino's ingress does not know a frame's length, so that what is too short for its outer
//! lengths, or too long to encapsulate, is dropped by v1model only.

use std::sync::Arc;

use vouch_lab::target::Target;
use vouch_p4runtime::P4Info;
use vouch_p4runtime::client::Pipeline;

use crate::bench::{Bench, Outcome, Result};
use crate::{cases, mutants};

/// drop_reason_t: a frame that is too long, and VXLAN that is too short.
const OF_LENGTH: [i64; 2] = [2, 12];

/// Every case and all of its damaged packets, on two switches of this kind.
pub(crate) async fn compare(target: &dyn Target) -> Result<()> {
    let mut v1model = Bench::start(target).await?;
    let cases = cases::all();
    let mut expected = Vec::new();
    for (case, seed) in cases.iter().zip(1..) {
        for inputs in std::iter::once(case.inputs.clone()).chain(mutants::of(case, seed)) {
            let outcome = v1model.observe(&case.entries, &inputs).await?;
            expected.push((case, inputs, without_egress_bytes(outcome)));
        }
    }
    drop(v1model);

    let mut tofino = Bench::start_with(target, tofino_pipeline()?).await?;
    let (mut problems, mut of_length) = (Vec::new(), 0);
    let tried = expected.len();
    for (case, inputs, expected) in expected {
        let outcome = without_egress_bytes(tofino.observe(&case.entries, &inputs).await?);
        if outcome == expected {
            continue;
        }
        if expected.drops.iter().any(|(counter, index, ..)| *counter == "drops" && OF_LENGTH.contains(index)) {
            of_length += 1;
            continue;
        }
        problems.push(format!(
            "{} ({}): {inputs:#?}\n  v1model:\n{expected:?}  Tofino:\n{outcome:?}",
            case.name,
            target.name()
        ));
    }
    println!("{tried} packets, {of_length} of them refused for their length by v1model only");
    // Most packets that are cut short are cut within a header, where both refuse them.
    if of_length * 20 > tried {
        problems.push(format!("{of_length} differences of length are more than a few"));
    }
    match problems.len() {
        0 => Ok(()),
        count => Err(format!("{count} differences in {tried} packets:\n\n{}", problems.join("\n")).into()),
    }
}

/// The VTEP program for Tofino, with v1model playing the hardware around it.
fn tofino_pipeline() -> Result<Pipeline> {
    let info = P4Info::from_text(include_str!("../../../p4src/build/tofino/vtep_model.p4info.txtpb"))?;
    Ok(Pipeline::new(Arc::new(info), include_bytes!("../../../p4src/build/tofino/vtep_model.json").to_vec()))
}

/// Egress counts the bytes of what it gets, and that is another thing on each architecture.
fn without_egress_bytes(mut outcome: Outcome) -> Outcome {
    for (counter, _, _, bytes) in &mut outcome.drops {
        if *counter == "egress_drops" {
            *bytes = 0;
        }
    }
    outcome
}
