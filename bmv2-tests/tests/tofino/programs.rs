//! The program for Tofino against the one for v1model: the same tables, the same packets, on the same kind of switch.
//!
//! On the embedded switch only. BMv2 sends a frame round by the queue of the port that it is for, so that a barrier may
//! overtake what it is to come after; there p4testgen's tests are played, which wait until no packet is left.
//!
//! They differ in one thing. Tofino's ingress does not know a frame's length, so that what is too short for its outer
//! lengths, or too long to encapsulate, is dropped by v1model only. The program for Tofino 1 takes no IPv6 in the underlay besides,
//! and has one reason for all that is dropped of it.

use std::sync::Arc;

use vouch_lab::target::Target;
use vouch_p4runtime::P4Info;
use vouch_p4runtime::client::Pipeline;

use crate::bench::{Bench, Input, Outcome, Result};
use crate::{cases, mutants};

/// drop_reason_t: a frame that is too long, and VXLAN that is too short.
const OF_LENGTH: [i64; 2] = [2, 12];

/// drop_reason_t: no IPv4, where the program takes no IPv6; and what else IPv6 is dropped for: no hops left, no route.
const NOT_IP: i64 = 8;
const OF_IPV6: [i64; 2] = [18, 19];

/// Every case and all of its damaged packets, on three switches of this kind.
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

    let mut problems = Vec::new();
    for tofino in [Tofino::One, Tofino::Two] {
        problems.extend(differences(target, tofino, &expected).await?);
    }
    match problems.len() {
        0 => Ok(()),
        count => Err(format!("{count} differences in {} packets:\n\n{}", expected.len(), problems.join("\n")).into()),
    }
}

/// What a program for Tofino does otherwise.
async fn differences(
    target: &dyn Target,
    program: Tofino,
    expected: &[(&cases::Case, Vec<Input>, Outcome)],
) -> Result<Vec<String>> {
    let pipeline = program.pipeline()?;
    let info = pipeline.p4info().clone();
    let mut tofino = Bench::start_with(target, pipeline).await?;
    let (mut problems, mut of_length) = (Vec::new(), 0);
    let tried = expected.len();
    // What the program has no tables for cannot be tried.
    let has_all = |case: &cases::Case| case.entries.iter().all(|entry| info.table(entry.table).is_ok());
    for (case, inputs, expected) in expected.iter().filter(|(case, ..)| has_all(case)) {
        let outcome = without_egress_bytes(tofino.observe(&case.entries, inputs).await?);
        if outcome == *expected {
            continue;
        }
        let reason = |outcome: &Outcome| outcome.drops.iter().map(|(_, index, ..)| *index).collect::<Vec<_>>();
        if let (Tofino::One, [NOT_IP], [other]) = (program, &reason(&outcome)[..], &reason(expected)[..])
            && OF_IPV6.contains(other)
        {
            continue;
        }
        if expected.drops.iter().any(|(counter, index, ..)| *counter == "drops" && OF_LENGTH.contains(index)) {
            of_length += 1;
            continue;
        }
        problems.push(format!(
            "{} ({}): {inputs:#?}\n  v1model:\n{expected:?}  {program:?}:\n{outcome:?}",
            case.name,
            target.name()
        ));
    }
    println!("Tofino {program:?}: {tried} packets, {of_length} of them refused for their length by v1model only");
    // Most packets that are cut short are cut within a header, where both refuse them.
    if of_length * 20 > tried {
        problems.push(format!("{of_length} differences of length are more than a few"));
    }
    Ok(problems)
}

/// The VTEP program for one of them, with v1model playing the hardware around it.
#[derive(Debug, Clone, Copy)]
enum Tofino {
    One,
    Two,
}

impl Tofino {
    fn pipeline(self) -> Result<Pipeline> {
        let (info, program): (_, &[u8]) = match self {
            Self::One => (
                include_str!("../../../p4src/build/tofino/vtep_model.p4info.txtpb"),
                include_bytes!("../../../p4src/build/tofino/vtep_model.json"),
            ),
            Self::Two => (
                include_str!("../../../p4src/build/tofino/vtep_model_tofino2.p4info.txtpb"),
                include_bytes!("../../../p4src/build/tofino/vtep_model_tofino2.json"),
            ),
        };
        Ok(Pipeline::new(Arc::new(P4Info::from_text(info)?), program.to_vec()))
    }
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
