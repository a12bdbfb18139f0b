//! Random packets and random table entries, on the embedded switch and on another, and what comes out compared: the same
//! bytes out of the same ports, and out of each port in the same order.
//!
//! A [`Subject`] is any compiled program. Its cases come from seeds: packets by its parser's states, some of them cut short,
//! and entries that these packets hit, with its own actions, default actions, multicast groups and clone sessions. A difference
//! is shrunk to few entries and packets and written as a scenario that the player of [`stf`](crate::stf) plays again on any
//! switch. The command is `p4-switch differ` (`command`).
//!
//! # What is not compared
//!
//! * Programs that draw random numbers, read times or the depths of queues, or assert: BMv2 ends when an assertion fails.
//! * What fields of invalid headers hold. In BMv2 that is what an earlier packet left there. So a difference counts only if it
//!   also shows when one packet of the case is the first that a switch sees, except for programs with registers, in
//!   which a packet may mean something to the next; otherwise it is counted as stale.
//! * The order in which several nodes of a multicast group leave by one port, which in BMv2 is that of a hash table. A group
//!   has a port once.
//! * Packets into several ports: all packets of a case go into one.
//! * Packets that go beside others: where a program resubmits, recirculates, clones in egress or has registers there, a case
//!   has one packet.
//! * Frames that no interface carries: shorter than 14 bytes, or 20 with a VLAN tag, or out of a port that is not there.
//! * Tables with fields or parameters to which the P4Info gives no width, or fields to which it gives another than the program:
//!   BMv2's P4Runtime server cannot write them.
//! * What does not show every time is counted as unstable.
//!
//! A program that makes a header invalid and then reads it differs also alone: BMv2 shows the value that was there. Such a
//! difference is reported as any other, since nothing tells it apart.

mod case;
pub(crate) mod command;
mod judge;
mod packet;
mod reach;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use vouch_p4runtime::P4Info;

use self::case::Generator;
use self::judge::{Verdict, judge};
use self::packet::Source;
pub use self::reach::Reach;
use crate::Failure;
use crate::stf::{Program, Remote};
use crate::streamed::Streamed;

/// Fields that tell of time, or of how busy a switch is.
const NOT_REPEATABLE: [&str; 9] = [
    "ingress_global_timestamp",
    "egress_global_timestamp",
    "enq_timestamp",
    "enq_qdepth",
    "deq_timedelta",
    "deq_qdepth",
    "queueing_metadata",
    "enq_congest_stat",
    "deq_congest_stat",
];

/// A program that both switches run.
#[derive(Clone, Debug)]
pub struct Subject {
    /// What it is called.
    pub name: String,
    /// As p4c compiled it for BMv2.
    pub json: Vec<u8>,
    /// Its P4Info, as text.
    pub info: String,
}

/// A difference between the switches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The program.
    pub program: String,
    /// The case it was found in.
    pub seed: u64,
    /// The smallest scenario that shows it, in STF; what it expects is what the embedded switch does.
    pub scenario: String,
    /// What the other switch does.
    pub difference: String,
}

/// What was found out about one program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Cases in which both did the same.
    pub same: usize,
    /// Cases whose outcome is not the same every time on the other switch.
    pub unstable: usize,
    /// Cases whose outcome is different only after other packets, in programs in which packets have nothing to do with each other.
    pub stale: usize,
    /// Cases that could not be played, and why the last one could not.
    pub not_run: (usize, Option<String>),
    /// The first difference; no more cases are played after it.
    pub difference: Option<Difference>,
}

impl Subject {
    /// Every program of a folder that has `NAME.json` and `NAME.p4info.txtpb`, by name.
    ///
    /// # Errors
    /// The folder or a file cannot be read.
    pub fn in_folder(folder: &Path) -> std::io::Result<Vec<Self>> {
        let mut subjects = Vec::new();
        for entry in fs::read_dir(folder)? {
            let json = entry?.path();
            let info = json.with_extension("p4info.txtpb");
            if json.extension().is_some_and(|extension| extension == "json") && info.is_file() {
                let name = json.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                subjects.push(Self { name, json: fs::read(&json)?, info: fs::read_to_string(info)? });
            }
        }
        subjects.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(subjects)
    }

    /// Why this program cannot be compared; `None` where it can.
    pub fn excluded(&self) -> Option<String> {
        let json: Value = match serde_json::from_slice(&self.json) {
            Ok(json) => json,
            Err(error) => return Some(format!("not JSON: {error}")),
        };
        // A program's list of aliases names every field there is.
        let parts = ["actions", "pipelines", "parsers", "calculations", "field_lists", "learn_lists", "deparsers"];
        let text = parts.map(|part| json[part].to_string()).concat();
        let has = |word: &&str| text.contains(&format!("\"{word}\""));
        let reasons = [
            (has(&"modify_field_rng_uniform"), "it draws random numbers"),
            (has(&"assert") || has(&"assume"), "it asserts, which ends BMv2"),
            (NOT_REPEATABLE.iter().any(has), "it reads times or the depth of queues"),
        ];
        reasons.into_iter().find(|(excluded, _)| *excluded).map(|(_, reason)| reason.to_owned())
    }

    /// Play cases on the packet engine and on a switch of this kind.
    ///
    /// # Errors
    /// The program cannot be loaded, or the other switch does not run it.
    pub fn compare(&self, target: &dyn Streamed, seeds: impl IntoIterator<Item = u64>) -> Result<Findings, Failure> {
        self.compare_with(&self.json, target, seeds)
    }

    /// The same where the other switch has another version of the program, for the same P4Info.
    ///
    /// # Errors
    /// A program cannot be loaded, or the other switch does not run it.
    pub fn compare_with(
        &self,
        other: &[u8],
        target: &dyn Streamed,
        seeds: impl IntoIterator<Item = u64>,
    ) -> Result<Findings, Failure> {
        let generator = self.generator()?;
        let mut device = Remote::start(target, &generator.rules, other)?;
        let mut findings = Findings::default();
        for seed in seeds {
            match judge(&generator, seed, &mut device) {
                Verdict::Same => findings.same += 1,
                Verdict::Unstable => findings.unstable += 1,
                Verdict::Stale => findings.stale += 1,
                Verdict::NotRun(reason) => {
                    findings.not_run = (findings.not_run.0 + 1, Some(reason));
                    // It may be gone; the next case must not suffer from that.
                    drop(device);
                    device = Remote::start(target, &generator.rules, other)?;
                }
                Verdict::Different { scenario, difference } => {
                    findings.difference = Some(Difference { program: self.name.clone(), seed, scenario, difference });
                    break;
                }
            }
        }
        Ok(findings)
    }

    /// What of the program the packets of these cases reach, on the packet engine.
    ///
    /// # Errors
    /// The program cannot be loaded.
    pub fn reach(&self, seeds: impl IntoIterator<Item = u64>) -> Result<Reach, Failure> {
        let generator = self.generator()?;
        let mut reach = Reach::of(generator.rules.program());
        for seed in seeds {
            reach.add(&generator.events(&generator.case(seed)));
        }
        Ok(reach)
    }

    /// A case, with what the packet engine makes of it as the expectation, in STF.
    ///
    /// # Errors
    /// The program cannot be loaded.
    pub fn scenario(&self, seed: u64) -> Result<String, Failure> {
        let generator = self.generator()?;
        let commands = generator.scenario(&generator.case(seed))?;
        Ok(commands.iter().map(|command| format!("{command}\n")).collect())
    }

    fn generator(&self) -> Result<Generator, Failure> {
        let rules = Program::rules(&self.json, Some(Arc::new(P4Info::from_text(&self.info)?)))?;
        Ok(Generator::new(rules, Source::new(serde_json::from_slice(&self.json)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stf::Command;

    /// A data centre's edge, with tunnels, and an IPv4 router with an access list.
    fn vtep() -> Subject {
        Subject {
            name: "vtep".to_owned(),
            json: include_bytes!("../../../../p4src/build/vtep.json").to_vec(),
            info: include_str!("../../../../p4src/build/vtep.p4info.txtpb").to_owned(),
        }
    }

    fn router() -> Subject {
        Subject {
            name: "router".to_owned(),
            json: include_bytes!("../../../switch/tests/programs/router.json").to_vec(),
            info: include_str!("../../../switch/tests/programs/router.p4info.txtpb").to_owned(),
        }
    }

    fn scenarios(subject: &Subject) -> Vec<Vec<Command>> {
        let generator = subject.generator().expect("the program loads");
        (1..=20).map(|seed| generator.scenario(&generator.case(seed)).expect("the engine takes it")).collect()
    }

    #[test]
    fn cases_have_entries_that_packets_pass() {
        for subject in [vtep(), router()] {
            let scenarios = scenarios(&subject);
            assert!(scenarios == self::scenarios(&subject), "{}: a case is made from its seed alone", subject.name);
            let count =
                |wanted: fn(&Command) -> bool| scenarios.iter().flatten().filter(|command| wanted(command)).count();
            assert!(count(|command| matches!(command, Command::Add { .. })) > 50, "{}", subject.name);
            assert!(count(|command| matches!(command, Command::Packet { .. })) > 20, "{}", subject.name);
            assert!(count(|command| matches!(command, Command::Expect { .. })) > 5, "{}", subject.name);
        }
    }

    #[test]
    fn packets_get_into_tunnels_and_out_of_them() {
        let reach = vtep().reach(1..=600).expect("the program loads");
        for action in ["encapsulate.encapsulate", "vni_to_bd.bridge", ".underlay.for_us", ".combine_ecn.leave"] {
            assert!(reach.cases_with(action) > 0, "{action} never runs:\n{reach}");
        }
    }

    #[test]
    fn what_cannot_be_compared_says_why() {
        let with = |from: &str, to: &str| {
            let mut subject = router();
            let text = String::from_utf8(subject.json).expect("text");
            assert!(text.contains(from));
            subject.json = text.replace(from, to).into_bytes();
            subject.excluded()
        };
        assert_eq!(vtep().excluded(), None);
        assert_eq!(with("\"assign\"", "\"assume\"").as_deref(), Some("it asserts, which ends BMv2"));
        assert_eq!(with("\"egress_spec\"", "\"deq_qdepth\"").as_deref(), Some("it reads times or the depth of queues"));
        assert_eq!(with("\"assign\"", "\"modify_field_rng_uniform\"").as_deref(), Some("it draws random numbers"));
        assert!(with("{", "").is_some_and(|reason| reason.starts_with("not JSON: ")));
    }
}
