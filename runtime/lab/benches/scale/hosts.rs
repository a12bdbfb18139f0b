//! Hosts without IP stacks: each has a MAC and an IP address, sits at one seat, announces itself when it is told to, and answers
//! whoever asks for it there. All links stay up: where a host was, it is only silent.

use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use tokio::runtime::Handle;
use vouch_net::MacAddr;
use vouch_switch_server::Endpoint;

/// An access port of a VTEP, by its number among all.
pub(crate) type Seat = u16;

/// Ethernet, and an ARP packet for IPv4 (RFC 826); Ethernet frames have no less than 60 bytes.
const ARP: Range<usize> = 14..42;
const FRAME: usize = 60;
const REQUEST: u8 = 1;
const REPLY: u8 = 2;

/// All of them, by number. Clones are the same.
#[derive(Clone)]
pub(crate) struct Hosts {
    all: Arc<[Host]>,
    /// The ends of the links, by seat.
    wires: Arc<[Endpoint]>,
}

struct Host {
    seat: AtomicU16,
    /// Whether it has been asked since it sat down there.
    asked: AtomicBool,
}

impl Hosts {
    /// Seats the hosts, and has them answer from now on.
    pub(crate) fn new(seats: Vec<Seat>, wires: Vec<Endpoint>, runtime: &Handle) -> Self {
        let host = |seat| Host { seat: AtomicU16::new(seat), asked: AtomicBool::new(false) };
        let hosts = Self { all: seats.into_iter().map(host).collect(), wires: wires.into() };
        for seat in 0..hosts.wires.len() {
            let hosts = hosts.clone();
            runtime.spawn(async move {
                while let Some(frame) = hosts.wires[seat].recv().await {
                    hosts.arrives(seat as Seat, &frame);
                }
            });
        }
        hosts
    }

    /// Where a host is.
    pub(crate) fn seat(&self, host: u32) -> Seat {
        self.all[host as usize].seat.load(Ordering::Relaxed)
    }

    /// Have a host sit elsewhere, without a word.
    pub(crate) fn carry(&self, host: u32, to: Seat) {
        let host = &self.all[host as usize];
        host.asked.store(false, Ordering::Relaxed);
        host.seat.store(to, Ordering::Relaxed);
    }

    /// How many of these have been asked where they are.
    pub(crate) fn asked(&self, hosts: Range<u32>) -> usize {
        hosts.filter(|host| self.all[*host as usize].asked.load(Ordering::Relaxed)).count()
    }

    /// A gratuitous ARP request of the host.
    pub(crate) fn announce(&self, host: u32) {
        let (mac, address) = (mac(host), address(host));
        let wire = &self.wires[usize::from(self.seat(host))];
        // Links are up, and hold as much as all hosts say at once.
        let _ = wire.send(arp(MacAddr::BROADCAST, REQUEST, (mac, address), (MacAddr::ZERO, address)));
    }

    /// Answers a request for a host that sits there.
    fn arrives(&self, seat: Seat, frame: &[u8]) {
        let Some(arp_packet) = frame.get(ARP) else { return };
        if frame[12..14] != [8, 6] || arp_packet[7] != REQUEST {
            return;
        }
        let [10, network, high, low] = arp_packet[24..28] else { return };
        let Some(network) = network.checked_sub(1) else { return };
        let number = u32::from_be_bytes([0, network, high, low]);
        let Some(host) = self.all.get(number as usize).filter(|_| self.seat(number) == seat) else { return };
        let (Ok(mac_of_sender), Ok(ip_of_sender)) =
            (<[u8; 6]>::try_from(&arp_packet[8..14]), <[u8; 4]>::try_from(&arp_packet[14..18]))
        else {
            return;
        };
        let to = (MacAddr(mac_of_sender), Ipv4Addr::from(ip_of_sender));
        let _ = self.wires[usize::from(seat)].send(arp(to.0, REPLY, (mac(number), address(number)), to));
        host.asked.store(true, Ordering::Relaxed);
    }
}

/// The MAC address of a host.
pub(crate) fn mac(host: u32) -> MacAddr {
    let [_, top, high, low] = host.to_be_bytes();
    MacAddr([2, 1, 0, top, high, low])
}

fn address(host: u32) -> Ipv4Addr {
    let [_, top, high, low] = host.to_be_bytes();
    Ipv4Addr::new(10, top + 1, high, low)
}

fn arp(to: MacAddr, operation: u8, sender: (MacAddr, Ipv4Addr), target: (MacAddr, Ipv4Addr)) -> Vec<u8> {
    let mut frame = Vec::with_capacity(FRAME);
    frame.extend(to.octets());
    frame.extend(sender.0.octets());
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, operation]);
    for (mac, address) in [sender, target] {
        frame.extend(mac.octets());
        frame.extend(address.octets());
    }
    frame.resize(FRAME, 0);
    frame
}
