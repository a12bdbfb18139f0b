//! Attacks on hosts that a fabric may not know well enough to ask them: quiet ones after a restart, ones whose addresses have
//! changed, ones without IPv4, slow ones, and ones whose answers drown in what the neighbour sends.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::attack::{Attack, forge_all};
use super::{Outcome, PATIENCE};
use crate::error::LabError;
use crate::fabric::Fabric;
use crate::host::{Announcement, Answers, Habits};
use crate::topology::{ATTACKER, PortRef, Topology, demo_vnis};

const VICTIM: &str = "red1";
const OWNER: &str = "vtep1";
/// The other attacker, behind the owner's own switch.
const INSIDER: &str = "eve";
const SENDERS: [&str; 2] = ["red3", "red2"];

/// One more attacker, beside the victim.
pub(super) fn with_insider() -> Topology {
    Topology::demo().with_guest(INSIDER, 67, PortRef::new(OWNER, 8), Habits::default())
}

/// The agents that would ask are killed and started; the host has no reason to say anything meanwhile.
pub(super) async fn restarted(fabric: &Fabric) -> Result<Outcome, LabError> {
    let mut attack = Attack::begin(fabric, VICTIM, &SENDERS).await?;
    for (attacker, restarted) in [(INSIDER, &[OWNER][..]), (ATTACKER, &[OWNER, "vtep2"])] {
        attack.impersonate(attacker).await?;
        for switch in restarted {
            fabric.kill_agent(switch).await?;
        }
        for switch in restarted {
            let ready = fabric.start_agent(switch, PATIENCE).await?;
            let measured = if ready { "yes" } else { "no" };
            attack.outcome.expectations.judge(format!("{switch} has an agent again"), "yes", measured, ready);
        }
        if !attack.forge(attacker, "RARP", Announcement::Rarp).await? {
            break;
        }
    }
    attack.end(&["red2", "red3", "red4"]).await
}

/// The host has other addresses than the ones it was first known by.
pub(super) async fn readdressed(fabric: &Fabric) -> Result<Outcome, LabError> {
    let (ipv4, ipv6) = (Ipv4Addr::new(10, 0, 0, 101), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x101));
    fabric.log().note(format!("{VICTIM} gives up its addresses for {ipv4} and {ipv6}, and says so"));
    let victim = fabric.host(VICTIM)?;
    victim.readdress(ipv4, ipv6).await?;
    victim.announce(&[Announcement::GratuitousRequest, Announcement::UnsolicitedAdvertisement]).await?;
    let mut attack = Attack::begin(fabric, VICTIM, &SENDERS).await?;
    attack.impersonate(ATTACKER).await?;
    let old = [
        ("RARP", Announcement::Rarp),
        ("ARP with the old address", Announcement::GratuitousReply),
        ("advertisement of the old address", Announcement::UnsolicitedAdvertisement),
    ];
    forge_all(&mut attack, ATTACKER, &old).await?;
    attack.end(&["red2", "red3", "red4"]).await
}

const SIX: &str = "six";

pub(super) fn with_ipv6_only() -> Topology {
    let habits = Habits { ipv6_only: true, ..Habits::default() };
    Topology::demo().with_guest(SIX, 6, PortRef::new(OWNER, 8), habits)
}

/// The host has no IPv4 address, and its IPv6 address is a temporary one that has been replaced (RFC 8981). The attacker claims
/// to be it with the old one, with none, and with an IPv4 address.
pub(super) async fn ipv6_only(fabric: &Fabric) -> Result<Outcome, LabError> {
    let (six, temporary) = (fabric.host(SIX)?, Ipv6Addr::new(0xfd00, 0, 0, 0, 0x8b1d, 0x11c2, 0xa0, 0x106));
    fabric.log().note(format!("{SIX} replaces its temporary address by {temporary}, and says so"));
    six.readdress(six.spec().ipv4, temporary).await?;
    six.announce(&[Announcement::UnsolicitedAdvertisement]).await?;
    let mut attack = Attack::begin(fabric, SIX, &SENDERS).await?;
    attack.impersonate(ATTACKER).await?;
    let forgeries = [
        ("advertisement of the old address", Announcement::UnsolicitedAdvertisement),
        ("RARP", Announcement::Rarp),
        ("ARP", Announcement::GratuitousReply),
    ];
    forge_all(&mut attack, ATTACKER, &forgeries).await?;
    attack.end(&["red2", "red3", "red4"]).await
}

/// How long slow hosts take: longer than one is waited for of which nothing is known, and longer than before traffic goes to both places.
/// The slower one is first: whoever becomes slower than the verdict while it is claimed is taken for gone until it answers.
const LATE: [Duration; 2] = [Duration::from_millis(400), Duration::from_millis(150)];
/// The host always answers late. Whoever claims to be it may see copies until it does.
pub(super) async fn late_answer(fabric: &Fabric) -> Result<Outcome, LabError> {
    let mut all = Outcome::default();
    for late in LATE {
        fabric.log().note(format!("{VICTIM} answers after {} ms from now on", late.as_millis()));
        fabric.host(VICTIM)?.set_answers(Answers::After(late)).await?;
        // The fabric has the time to notice that the host is slow, whichever of its addresses it is asked for.
        for _ in 0..2 {
            fabric.asked(VICTIM, fabric.log().mark(), PATIENCE).await?;
            fabric.answered(VICTIM, fabric.log().mark(), PATIENCE).await?;
        }
        let mut attack = Attack::begin(fabric, VICTIM, &SENDERS).await?.allow_copies();
        attack.impersonate(ATTACKER).await?;
        let forgeries = [("gratuitous ARP", Announcement::GratuitousReply), ("RARP", Announcement::Rarp)];
        forge_all(&mut attack, ATTACKER, &forgeries).await?;
        all.append(attack.end(&["red2", "red3", "red4"]).await?);
    }
    Ok(all)
}

const TRUNK: u16 = 8;
const FLOODER: &str = "blue9";
/// Hosts on VLANs of their own; each is attacked once.
const TENANTS: [&str; 4] = ["tenant1", "tenant2", "tenant3", "tenant4"];
/// Frames per second; some twenty times what is let through of answers to probes.
const FLOOD: u32 = 100_000;

/// Tenants on VLANs of one port, and somebody of the other VNI on another.
pub(super) fn with_trunk() -> Topology {
    let [_, blue] = demo_vnis();
    let tenants = TENANTS.into_iter().zip(1_u8..);
    let topology = tenants.fold(Topology::demo(), |topology, (name, number)| {
        let seat = PortRef::on_trunk(OWNER, TRUNK, 100 + u16::from(number));
        topology.with_guest(name, 10 + number, seat, Habits::default())
    });
    topology.with_guest_in(blue, FLOODER, 99, PortRef::on_trunk(OWNER, TRUNK, 200), Habits::default())
}

/// Answers to probes come in by a port on which somebody else sends as if all of it were answers.
pub(super) async fn shared_trunk(fabric: &Fabric) -> Result<Outcome, LabError> {
    let probe_mac = fabric.topology().probe_mac(OWNER).ok_or_else(|| LabError::NoSuchHost(OWNER.to_owned()))?;
    let flooder = fabric.guest(FLOODER)?.host.clone();
    let frame = Announcement::ArpReply { to: probe_mac, target: crate::topology::PROBE_IPV4 }.frame(&flooder);
    fabric.log().note(format!("{FLOODER} sends {FLOOD} answers per second that nobody asked for"));
    fabric.host(FLOODER)?.flood(frame, FLOOD).await?;
    let mut all = Outcome::default();
    for victim in TENANTS {
        let mut attack = Attack::begin(fabric, victim, &["red3"]).await?;
        attack.impersonate(ATTACKER).await?;
        attack.forge(ATTACKER, "gratuitous ARP", Announcement::GratuitousReply).await?;
        all.append(attack.end(&["red2", "red3"]).await?);
    }
    fabric.host(FLOODER)?.stop_flood().await?;
    Ok(all)
}
