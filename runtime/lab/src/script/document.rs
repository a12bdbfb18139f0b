//! What a file can say.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use serde_yaml::Spanned;
use vouch_agent::config::{Mark, Problem, yaml_options};
use vouch_mobility::{Advertise, During};
use vouch_net::{MacAddr, Vni};

use super::ScriptErrors;
use crate::host::Answers;
use crate::scenario::VerdictKind;
use crate::topology::PortRef;

/// How deep lists and maps may nest. A scenario needs 4.
const MAX_DEPTH: usize = 16;

/// A file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    /// What it is called.
    pub(super) scenario: Spanned<String>,
    /// What happens in it, in a line.
    pub(super) about: String,
    /// Where traffic goes meanwhile; it is played once with each.
    pub(super) during_verification: Option<Spanned<Vec<During>>>,
    /// When observers hear of a claim.
    #[serde(default)]
    pub(super) advertise: Advertise,
    /// How long a place must have had a host until it is trusted.
    pub(super) probation: Option<Span>,
    /// Switches and hosts; without it, those of the demo.
    pub(super) fabric: Option<FabricDocument>,
    /// What is done, one after the other.
    pub(super) steps: Vec<Spanned<Step>>,
}

/// The fabric.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FabricDocument {
    pub(super) switches: Vec<Spanned<SwitchDocument>>,
    /// Of the underlay, which is a tree.
    #[serde(default)]
    pub(super) cables: Vec<Spanned<[At; 2]>>,
    /// Where nobody sits at first.
    #[serde(default)]
    pub(super) seats: Vec<Spanned<SeatDocument>>,
    pub(super) hosts: Vec<Spanned<HostDocument>>,
}

/// A switch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SwitchDocument {
    pub(super) name: String,
    /// Its tunnel address. Without it, it only routes.
    pub(super) vtep: Option<Ipv4Addr>,
}

/// A port where a host can be plugged in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeatDocument {
    pub(super) at: At,
    pub(super) vni: Vni,
}

/// A host. What is not said of its addresses follows from its place in the list: the first is 10.0.0.1.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HostDocument {
    pub(super) name: String,
    pub(super) at: At,
    pub(super) vni: Vni,
    pub(super) mac: Option<MacAddr>,
    pub(super) ipv4: Option<Ipv4Addr>,
    pub(super) ipv6: Option<Ipv6Addr>,
    #[serde(default)]
    pub(super) answers: Habit,
    #[serde(default)]
    pub(super) ipv6_only: bool,
}

/// Something that is done or expected.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Step {
    /// Packets run from one host to another, until they are stopped.
    Stream { from: String, to: String, rate: Option<u32> },
    /// The stream ends, and is to have come to this.
    Stop {
        from: String,
        to: String,
        /// Packets that the host did not get.
        lost: Option<u64>,
        /// Of these, how many others got in its place.
        misdelivered: Option<u64>,
        /// How many others got as well.
        copies: Option<u64>,
        /// How long the longest loss may last.
        interruption: Option<Span>,
    },
    /// A host pings another, and is answered or not.
    Ping {
        from: String,
        to: String,
        #[serde(default = "yes")]
        answered: bool,
        #[serde(default = "patience")]
        within: Span,
    },
    /// A host announces itself as another, until a VTEP takes that up, or for 6 s.
    Forge {
        by: String,
        of: String,
        #[serde(default)]
        with: Words,
    },
    /// A host answers for another from now on.
    Impersonate { by: String, of: String },
    /// A host answers like this from now on.
    Answer { host: String, how: Habit },
    /// A host moves to a free seat, and announces itself there, as QEMU has it announced.
    Move { host: String, to: At },
    /// The same without a word.
    Transfer { host: String, to: At },
    /// A host does nothing; what comes waits.
    Pause { host: String },
    /// It goes on.
    Resume { host: String },
    /// A host announces itself where it is.
    Announce {
        host: String,
        #[serde(default)]
        with: Words,
    },
    /// The cable of a port is pulled, or put back.
    Link { of: At, up: bool },
    /// The agent of a switch is killed.
    KillAgent { of: String },
    /// It is started again, and has its switch.
    StartAgent { of: String },
    /// A switch is killed and started.
    RestartSwitch { of: String },
    /// Somebody says that a host is about to move (B15).
    ExpectMove {
        host: String,
        to: String,
        #[serde(default = "patience")]
        within: Span,
    },
    /// Nothing is done for so long.
    Wait(Span),
    /// What comes of the last claim of a host, as its claimant says, or another VTEP.
    Verdict {
        of: String,
        is: VerdictKind,
        at: Option<String>,
        #[serde(default = "patience")]
        within: Span,
    },
    /// Every VTEP has a host where it is.
    Placed {
        host: String,
        #[serde(default = "patience")]
        within: Span,
    },
}

fn yes() -> bool {
    true
}

/// How long anything may take that must happen.
fn patience() -> Span {
    Span(Duration::from_secs(10))
}

/// How a host says that it is there.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Words {
    #[default]
    GratuitousRequest,
    GratuitousReply,
    Rarp,
    UnsolicitedAdvertisement,
}

/// A time with its unit, as `300ms`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span(pub(super) Duration);

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        vouch_agent::config::time(text).map(Self).ok_or("it is a number with the unit `us`, `ms`, `s`, `min` or `h`")
    }
}

/// How a host answers: `at-once`, `never`, or always so much later, as `400ms`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Habit(pub(super) Answers);

impl FromStr for Habit {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "at-once" => Ok(Self(Answers::AtOnce)),
            "never" => Ok(Self(Answers::Never)),
            late => late
                .parse()
                .map(|Span(after)| Self(Answers::After(after)))
                .map_err(|_| "it is `at-once`, `never`, or how much later, as `400ms`"),
        }
    }
}

/// A port, or a VLAN of one.
#[derive(Clone, Debug)]
pub(super) struct At(pub(super) PortRef);

impl FromStr for At {
    type Err = <PortRef as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Reads what is written as one word or line.
macro_rules! from_text {
    ($($name:ident),*) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|error| de::Error::custom(format!("`{text}`: {error}")))
            }
        }
    )*};
}

from_text!(Span, Habit, At);

/// Reads the text of a file.
pub(super) fn read(file: &str, text: &str) -> Result<Document, ScriptErrors> {
    serde_yaml::from_str_with_options(text, yaml_options(MAX_DEPTH)).map_err(|error| {
        let at = error.location().map_or(Mark::START, Mark::from);
        let said = error.without_snippet().to_string();
        // The place stands in front.
        let what = said.rsplit_once(" at line ").map_or(&*said, |(what, _)| what).to_owned();
        let problem = Problem { file: file.to_owned(), at, path: String::new(), what, help: String::new() };
        ScriptErrors(vec![problem])
    })
}
