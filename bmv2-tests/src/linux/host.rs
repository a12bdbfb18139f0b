//! A Linux host: a namespace with a card, the kernel's IP stack, and a socket.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use vouch_lab::HostSpec;

use super::netns::Namespace;
use super::panel::Panel;
use super::plan::Resident;
use super::traffic::{Figures, Ledger, Traffic};
use crate::sys;

/// Where all hosts receive.
const PORT: u16 = 4242;
/// The longest datagram of ours.
const DATAGRAM: usize = 2048;
/// The header of an ICMP echo request (RFC 792). The kernel fills in the checksum and whose it is.
const ECHO_REQUEST: [u8; 8] = [8, 0, 0, 0, 0, 0, 0, 0];
/// How long packets may be on their way when a stream has ended.
const DRAIN: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(5);

/// A host. It goes with this value.
#[derive(Debug)]
pub struct LinuxHost {
    /// Who it is.
    pub spec: HostSpec,
    namespace: Namespace,
    socket: Arc<UdpSocket>,
    ipv6: bool,
    receiver: JoinHandle<()>,
}

impl LinuxHost {
    /// Make a host that is plugged in nowhere.
    pub(super) fn start(resident: &Resident, panel: &Panel, traffic: &Arc<Traffic>) -> io::Result<Self> {
        let spec = resident.spec.clone();
        let namespace = Namespace::create(&spec.name)?;
        namespace.quiet(!resident.ipv6)?;
        panel.add_host(&spec.name, spec.mac, &namespace)?;
        let mut lines = vec![format!("address add {}/16 dev eth0", spec.ipv4)];
        if resident.ipv6 {
            lines.push(format!("address add {}/64 dev eth0 nodad", spec.ipv6));
        }
        namespace.ip(&lines)?;
        // The one for IPv6 takes IPv4 too.
        let any: IpAddr = if resident.ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let socket = namespace.inside(|| std::net::UdpSocket::bind((any, PORT)))??;
        socket.set_nonblocking(true)?;
        let socket = Arc::new(UdpSocket::from_std(socket)?);
        let receiver = tokio::spawn(receive(Arc::clone(&socket), spec.name.clone(), Arc::clone(traffic), 0));
        Ok(Self { spec, namespace, socket, ipv6: resident.ipv6, receiver })
    }

    /// Run commands of `ip` on it.
    ///
    /// # Errors
    /// What `ip` said.
    pub fn ip(&self, lines: &[&str]) -> io::Result<()> {
        self.namespace.ip(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    /// Set a value below `/proc/sys/net` of it.
    ///
    /// # Errors
    /// The kernel's.
    pub fn set(&self, setting: &str, value: &str) -> io::Result<()> {
        self.namespace.set(setting, value)
    }

    /// Which MAC address its kernel has for an address.
    ///
    /// # Errors
    /// What `ip` said.
    pub fn neighbour(&self, address: Ipv4Addr) -> io::Result<Option<String>> {
        let mut show = std::process::Command::new("ip");
        show.args(["neighbour", "show", &address.to_string()]);
        let output = self.namespace.inside(|| show.output())??;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.split_once("lladdr ").and_then(|(_, rest)| rest.split_whitespace().next()).map(str::to_owned))
    }

    /// Begin to send to an address.
    pub(super) fn stream(&self, ledger: Arc<Ledger>, to: IpAddr, rate: u32) -> Stream {
        let to = match to {
            IpAddr::V4(address) if self.ipv6 => address.to_ipv6_mapped().into(),
            to => to,
        };
        let stop = Arc::new(AtomicBool::new(false));
        let (socket, packets, stopped) = (Arc::clone(&self.socket), Arc::clone(&ledger), Arc::clone(&stop));
        let sender = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            while !stopped.load(Ordering::Relaxed) {
                ticks.tick().await;
                // What the kernel refuses, for want of a neighbour for example, is lost like anything else.
                let _ = socket.send_to(&packets.next(), SocketAddr::from((to, PORT))).await;
            }
        });
        Stream { ledger, stop, sender, receiver: None }
    }

    /// Begin to send ICMP echo requests to an address.
    pub(super) fn echoes(
        &self,
        ledger: Arc<Ledger>,
        to: Ipv4Addr,
        rate: u32,
        traffic: &Arc<Traffic>,
    ) -> io::Result<Stream> {
        // Who may have such a socket: everybody.
        self.namespace.set("ipv4/ping_group_range", "0 2147483647")?;
        let socket = Arc::new(UdpSocket::from_std(self.namespace.inside(sys::echo_socket)??)?);
        let stop = Arc::new(AtomicBool::new(false));
        let (sends, packets, stopped) = (Arc::clone(&socket), Arc::clone(&ledger), Arc::clone(&stop));
        let sender = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            while !stopped.load(Ordering::Relaxed) {
                ticks.tick().await;
                let request = [&ECHO_REQUEST[..], &packets.next()].concat();
                let _ = sends.send_to(&request, SocketAddr::from((to, 0))).await;
            }
        });
        let (name, traffic) = (self.spec.name.clone(), Arc::clone(traffic));
        let receiver = tokio::spawn(receive(socket, name, traffic, ECHO_REQUEST.len()));
        Ok(Stream { ledger, stop, sender, receiver: Some(receiver) })
    }
}

impl Drop for LinuxHost {
    fn drop(&mut self) {
        self.receiver.abort();
    }
}

/// What a socket receives, behind so many bytes of headers.
async fn receive(socket: Arc<UdpSocket>, name: String, traffic: Arc<Traffic>, headers: usize) {
    let mut buffer = [0; DATAGRAM];
    loop {
        // An error is one of an earlier datagram, as that a neighbour does not answer; the socket goes on.
        if let Ok((length, _)) = socket.recv_from(&mut buffer).await {
            traffic.delivered(&name, buffer[..length].get(headers..).unwrap_or_default());
        }
    }
}

/// A stream that runs until it is finished or dropped.
#[derive(Debug)]
pub struct Stream {
    /// Its account.
    pub ledger: Arc<Ledger>,
    stop: Arc<AtomicBool>,
    sender: JoinHandle<()>,
    /// What takes its echoes, where there are any.
    receiver: Option<JoinHandle<()>>,
}

impl Stream {
    /// Wait until so many more packets have been sent.
    pub async fn sends(&self, count: u64) {
        let wanted = self.ledger.sent() + count;
        while self.ledger.sent() < wanted && !self.sender.is_finished() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Stop sending.
    pub fn hush(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Stop sending, and wait for what is on its way.
    pub async fn stop(&self) {
        self.hush();
        let deadline = tokio::time::Instant::now() + DRAIN;
        while !self.ledger.is_whole() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Stop, and give the account of everything.
    pub async fn finish(&self) -> Figures {
        self.stop().await;
        self.ledger.figures(&[])
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.sender.abort();
        if let Some(receiver) = &self.receiver {
            receiver.abort();
        }
    }
}
