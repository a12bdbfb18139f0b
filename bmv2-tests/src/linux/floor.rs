//! The hosts of a fabric and all that can be done with them, whatever the fabric is made of: cables, streams, and forged frames.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vouch_lab::topology::PortRef;
use vouch_lab::{Announcement, HostSpec};

use super::Failure;
use super::flood::Flood;
use super::host::{LinuxHost, Stream};
use super::netns;
use super::panel::Panel;
use super::plan::{Access, Plan};
use super::traffic::Traffic;

/// How long two hosts may take until they reach each other.
const ACQUAINTANCE: Duration = Duration::from_secs(15);

/// The hosts of a running fabric. The fields are dropped in this order.
#[derive(Debug)]
pub struct Floor {
    pub(super) hosts: BTreeMap<String, LinuxHost>,
    pub(super) panel: Panel,
    traffic: Arc<Traffic>,
    pub(super) plan: Plan,
    /// What the fabric's processes write.
    pub(super) folder: TempDir,
}

impl Floor {
    /// A floor without hosts.
    pub(super) fn new(plan: Plan) -> Result<Self, Failure> {
        let folder = tempfile::Builder::new().prefix(&netns::folder_prefix()).tempdir()?;
        let traffic = Arc::new(Traffic::default());
        Ok(Self { hosts: BTreeMap::new(), panel: Panel::start(Arc::clone(&traffic))?, traffic, plan, folder })
    }

    /// Everybody of the plan, plugged in where it says.
    pub(super) fn move_in(&mut self) -> Result<(), Failure> {
        for resident in &self.plan.residents {
            let host = LinuxHost::start(resident, &self.panel, &self.traffic)?;
            self.panel.plug(&host.spec.name, Some(resident.access.clone()));
            self.hosts.insert(host.spec.name.clone(), host);
        }
        Ok(())
    }

    /// Where somebody is plugged in.
    pub(super) fn plugged(&self, name: &str) -> Result<Access, Failure> {
        self.panel.plugged(name).ok_or_else(|| format!("{name} is plugged in nowhere").into())
    }

    /// A host by its name.
    ///
    /// # Errors
    /// There is none.
    pub fn host(&self, name: &str) -> Result<&LinuxHost, Failure> {
        self.hosts.get(name).ok_or_else(|| format!("there is no host {name}").into())
    }

    /// Who a host is.
    ///
    /// # Errors
    /// There is none.
    pub fn spec(&self, name: &str) -> Result<&HostSpec, Failure> {
        Ok(&self.host(name)?.spec)
    }

    /// Have a host announce itself.
    ///
    /// # Errors
    /// There is none.
    pub fn announce(&self, name: &str, how: Announcement) -> Result<(), Failure> {
        self.forge(name, how, name)
    }

    /// Have `who` announce that it is `victim`.
    ///
    /// # Errors
    /// There is no such host.
    pub fn forge(&self, who: &str, how: Announcement, victim: &str) -> Result<(), Failure> {
        self.panel.send(who, &how.frame(self.spec(victim)?));
        Ok(())
    }

    /// Send any frame from where somebody is.
    pub fn send(&self, who: &str, frame: &[u8]) {
        self.panel.send(who, frame);
    }

    /// For how many of its members' addresses a crowd has answered ARP so far.
    pub fn answered(&self, crowd: &str) -> usize {
        self.panel.answered(crowd)
    }

    /// Have `who` answer ARP requests for `victim` from now on, with its MAC address, or no longer.
    ///
    /// # Errors
    /// There is no such host.
    pub fn impersonate(&self, who: &str, victim: &str, yes: bool) -> Result<(), Failure> {
        self.answer_for(who, self.spec(victim)?, yes);
        Ok(())
    }

    /// The same for a victim that is none of the hosts.
    pub fn answer_for(&self, who: &str, victim: &HostSpec, yes: bool) {
        self.panel.answer(who, victim.ipv4, yes.then_some(victim.mac));
    }

    /// Plug somebody in elsewhere, or out.
    pub fn plug(&self, who: &str, plug: Option<Access>) {
        self.panel.plug(who, plug);
    }

    /// Whether nothing comes from somebody or reaches it; its port keeps its link.
    pub fn pause(&self, who: &str, paused: bool) {
        self.panel.pause(who, paused);
    }

    /// Plug the cable of an access port in, or pull it out.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set_link(&self, at: &PortRef, up: bool) -> Result<(), Failure> {
        Ok(self.panel.set_link(at, up)?)
    }

    /// Somebody more, who only answers ARP, for each of these hosts.
    pub fn crowd(&self, name: &str, members: &[HostSpec], access: Access) {
        self.panel.add_crowd(name, members.iter().map(|member| (member.ipv4, member.mac)));
        self.panel.plug(name, Some(access));
    }

    /// Begin to send frames from where somebody is, as made by `frame` from their numbers, so many per second.
    ///
    /// # Errors
    /// It is nowhere.
    pub fn flood(
        &self,
        who: &str,
        rate: u32,
        frame: impl Fn(u64) -> Vec<u8> + Send + 'static,
    ) -> Result<Flood, Failure> {
        let (port, vlan) = self.panel.cable(who).ok_or_else(|| format!("{who} is plugged in nowhere"))?;
        Flood::start(port, vlan, rate, frame)
    }

    /// Begin to send from one host to another, so many packets per second.
    ///
    /// # Errors
    /// There is no such host.
    pub fn stream(&self, from: &str, to: &str, rate: u32) -> Result<Stream, Failure> {
        self.stream_to(from, to, self.spec(to)?.ipv4.into(), rate)
    }

    /// The same to another address of the host.
    ///
    /// # Errors
    /// There is no such host.
    pub fn stream_to(&self, from: &str, to: &str, address: IpAddr, rate: u32) -> Result<Stream, Failure> {
        Ok(self.host(from)?.stream(self.traffic.open(from, to), address, rate))
    }

    /// Begin to send from one host to `to`, whose kernel answers, and who may be behind any of these cables: ICMP echo requests.
    ///
    /// # Errors
    /// There is no such host, or it cannot have the socket.
    pub fn echoes(&self, from: &str, to: &HostSpec, doors: &[&str], rate: u32) -> Result<Stream, Failure> {
        let ledger = self.traffic.open_echo(from, &to.name, doors);
        Ok(self.host(from)?.echoes(ledger, to.ipv4, rate, &self.traffic)?)
    }

    /// Have two hosts reach each other.
    ///
    /// # Errors
    /// They do not.
    pub async fn acquaint(&self, one: &str, other: &str) -> Result<(), Failure> {
        for (from, to) in [(one, other), (other, one)] {
            let stream = self.stream(from, to, 100)?;
            arrives(&stream).await.map_err(|_| format!("{from} does not reach {to}"))?;
        }
        Ok(())
    }
}

/// Wait until something of a stream arrives.
///
/// # Errors
/// Nothing does for a while.
pub async fn arrives(stream: &Stream) -> Result<(), Failure> {
    let (start, deadline) = (Instant::now(), Instant::now() + ACQUAINTANCE);
    while !stream.ledger.arrives(start) {
        if Instant::now() >= deadline {
            return Err(format!("{} does not reach {}", stream.ledger.from, stream.ledger.to).into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
