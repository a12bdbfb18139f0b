//! The kinds of fabric that are played, and the configuration of their agents.

use std::fmt::{self, Write as _};

use vouch_agent::Config;

use crate::network::Node;
use crate::world::{ACCESS, SITES, underlay_mac, underlay_port, vtep_address};

/// The VNI of all hosts.
pub(crate) const VNI: u32 = 5001;

/// What a VNI can be configured for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Variant {
    during: &'static str,
    advertise: &'static str,
    unreachable: &'static str,
}

const DURING: [&str; 3] = ["escalate", "hold", "both"];
const ADVERTISE: [&str; 2] = ["after-verdict", "at-once"];
const UNREACHABLE: [&str; 2] = ["hold", "accept"];

impl Variant {
    /// The variant that a seed is played in.
    pub(crate) fn of(seed: u64) -> Self {
        let mut number = seed;
        let mut choose = |among: &[&'static str]| {
            let chosen = among[(number % among.len() as u64) as usize];
            number /= among.len() as u64;
            chosen
        };
        Self { during: choose(&DURING), advertise: choose(&ADVERTISE), unreachable: choose(&UNREACHABLE) }
    }

    /// Whether observers follow a claim before the verdict (M8).
    pub(crate) fn believes_at_once(self) -> bool {
        self.advertise == "at-once"
    }

    /// Whether a claim whose owner cannot be asked is accepted from a host that answers nothing either (B9).
    pub(crate) fn gives_away_what_nobody_can_ask(self) -> bool {
        self.unreachable == "accept"
    }

    /// The configuration of a site's agent, read as an operator's is.
    pub(crate) fn config(self, site: usize) -> Result<Config, String> {
        let text = self.yaml(site);
        let checked = Config::parse("simulated.yaml", &text).map_err(|problems| problems.to_string())?;
        Ok(checked.config)
    }

    /// Seconds take the place of minutes, so that what takes long in a fabric happens in a run: hosts are asked every other
    /// second, age after 30, and are on probation for 8.
    fn yaml(self, site: usize) -> String {
        let mut text = String::new();
        let others = || (0..SITES).filter(move |other| *other != site);
        let mut put = |line: fmt::Arguments<'_>| {
            // Writing to a string cannot fail.
            let _ = text.write_fmt(line);
            text.push('\n');
        };
        put(format_args!("name: vtep{}", site + 1));
        put(format_args!("vtep:\n  address: {}", vtep_address(site)));
        put(format_args!("switch:\n  target: http://{}\n  device_id: {}", Node::Switch(site).address(), site + 1));
        let Self { during, advertise, unreachable } = self;
        put(format_args!("vnis:\n  - vni: {VNI}\n    access: {ACCESS:?}\n    probe_as: {{address: 10.0.0.254}}"));
        put(format_args!("    during_verification: {during}\n    advertise: {advertise}"));
        put(format_args!("    owner_unreachable: {unreachable}"));
        put(format_args!("underlay:\n  mtu: 1550\n  ports:"));
        for other in others() {
            put(format_args!("    - {{port: {}, mac: \"{}\"}}", underlay_port(site, other), underlay_mac(site, other)));
        }
        put(format_args!("  routes:"));
        for other in others() {
            let (port, mac) = (underlay_port(site, other), underlay_mac(other, site));
            put(format_args!("    - {{prefix: {}/32, via: {{port: {port}, mac: \"{mac}\"}}}}", vtep_address(other)));
        }
        put(format_args!("peering:\n  listen: {}\n  plaintext: true\npeers:", Node::Agent(site).address()));
        for other in others() {
            let (address, endpoint) = (vtep_address(other), Node::Agent(other).address());
            put(format_args!("  - {{name: vtep{}, address: {address}, endpoint: \"http://{endpoint}\"}}", other + 1));
        }
        put(format_args!("timers:\n  confirm_every: 2s\n  confirm_max_age: 6s\n  probation: 8s\n  host_ageing: 30s"));
        put(format_args!("  unproven_retry_max: 4s\n  refusal_memory_max: 2s"));
        text
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { during, advertise, unreachable } = self;
        write!(f, "during_verification: {during}, advertise: {advertise}, owner_unreachable: {unreachable}")
    }
}
