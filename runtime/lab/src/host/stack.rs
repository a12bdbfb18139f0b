//! A host's IP stack: smoltcp on a network card that is two queues.
//!
//! Nothing here waits or knows of tokio: frames go in by [`Stack::receive`], time passes in [`Stack::poll`], frames come out
//! of [`Stack::transmitted`]. The stack answers ARP, neighbour solicitations and pings by itself.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::{icmp, udp};
use smoltcp::time::Instant;
use smoltcp::wire::{
    EthernetAddress, Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IpAddress, IpCidr, IpEndpoint,
};
use vouch_net::MacAddr;
use vouch_switch_server::Frame;

/// The UDP port every host sends from and listens on.
pub(crate) const UDP_PORT: u16 = 4000;
/// The identifier of every host's echo requests.
const ECHO_IDENTIFIER: u16 = 0x1ab;
/// Packets a socket holds. A stream's tick sends a few; a stalled machine may gather many.
const SOCKET_PACKETS: usize = 1024;
const SOCKET_BYTES: usize = SOCKET_PACKETS * 256;
const MTU: usize = 1514;

/// An echo reply that reached the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EchoReply {
    pub(crate) from: IpAddr,
    pub(crate) sequence: u16,
}

/// The stack of one host.
pub(crate) struct Stack {
    card: Card,
    interface: Interface,
    sockets: SocketSet<'static>,
    echo: SocketHandle,
    udp: SocketHandle,
}

impl Stack {
    pub(crate) fn new(mac: MacAddr, addresses: &[IpAddr]) -> Self {
        let mut card = Card::default();
        let mut config = Config::new(EthernetAddress(mac.octets()).into());
        config.random_seed = mac.octets().iter().fold(0, |seed, octet| seed << 8 | u64::from(*octet));
        let mut interface = Interface::new(config, &mut card, Instant::ZERO);
        set_addresses(&mut interface, addresses);
        let mut sockets = SocketSet::new(Vec::new());
        let mut datagrams = udp::Socket::new(udp_buffer(), udp_buffer());
        datagrams.bind(UDP_PORT).expect("the socket is new and the port is not zero");
        Self { card, interface, echo: sockets.add(echo_socket()), udp: sockets.add(datagrams), sockets }
    }

    /// Have these addresses and no others. Neighbours are forgotten, as when an interface is set up anew.
    pub(crate) fn set_addresses(&mut self, addresses: &[IpAddr]) {
        set_addresses(&mut self.interface, addresses);
    }

    /// Put a frame into the card's receive queue.
    pub(crate) fn receive(&mut self, frame: Frame) {
        self.card.received.push_back(frame);
    }

    /// Take what was received, answer it, and send what the sockets hold.
    pub(crate) fn poll(&mut self, since_start: Duration) {
        self.interface.poll(instant(since_start), &mut self.card, &mut self.sockets);
    }

    /// When [`Self::poll`] has something to do by itself, from now.
    pub(crate) fn poll_delay(&mut self, since_start: Duration) -> Option<Duration> {
        let delay = self.interface.poll_delay(instant(since_start), &self.sockets)?;
        Some(Duration::from_micros(delay.total_micros()))
    }

    /// What the card wants on the wire.
    pub(crate) fn transmitted(&mut self) -> impl Iterator<Item = Frame> + '_ {
        self.card.transmitted.drain(..)
    }

    /// Throw away the echo requests that still wait for a neighbour, and with it hold up those to others.
    pub(crate) fn drop_echoes(&mut self) {
        self.sockets.remove(self.echo);
        self.echo = self.sockets.add(echo_socket());
    }

    /// Queue an echo request. Refused where the socket is full.
    pub(crate) fn send_echo(&mut self, to: IpAddr, sequence: u16) -> bool {
        let checksums = ChecksumCapabilities::default();
        let socket = self.sockets.get_mut::<icmp::Socket>(self.echo);
        match to {
            IpAddr::V4(to) => {
                let request = Icmpv4Repr::EchoRequest { ident: ECHO_IDENTIFIER, seq_no: sequence, data: b"vouch-lab" };
                let Ok(buffer) = socket.send(request.buffer_len(), to.into()) else { return false };
                request.emit(&mut Icmpv4Packet::new_unchecked(buffer), &checksums);
                true
            }
            IpAddr::V6(to) => {
                let request = Icmpv6Repr::EchoRequest { ident: ECHO_IDENTIFIER, seq_no: sequence, data: b"vouch-lab" };
                let from = self.interface.get_source_address_ipv6(&to);
                let Ok(buffer) = socket.send(request.buffer_len(), to.into()) else { return false };
                request.emit(&from, &to, &mut Icmpv6Packet::new_unchecked(buffer), &checksums);
                true
            }
        }
    }

    /// The next echo reply, if one has arrived.
    pub(crate) fn receive_echo(&mut self) -> Option<EchoReply> {
        let socket = self.sockets.get_mut::<icmp::Socket>(self.echo);
        loop {
            let (bytes, from) = socket.recv().ok()?;
            let sequence = match from {
                IpAddress::Ipv4(_) => {
                    let packet = Icmpv4Packet::new_checked(bytes).ok();
                    packet.and_then(|packet| match Icmpv4Repr::parse(&packet, &ChecksumCapabilities::default()) {
                        Ok(Icmpv4Repr::EchoReply { seq_no, .. }) => Some(seq_no),
                        _ => None,
                    })
                }
                // The stack has verified the checksum, which takes both addresses.
                IpAddress::Ipv6(_) => Icmpv6Packet::new_checked(bytes)
                    .ok()
                    .filter(|packet| packet.msg_type() == smoltcp::wire::Icmpv6Message::EchoReply)
                    .map(|packet| packet.echo_seq_no()),
            };
            if let Some(sequence) = sequence {
                return Some(EchoReply { from: from.into(), sequence });
            }
        }
    }

    /// Queue a datagram. Refused where the socket is full.
    pub(crate) fn send_datagram(&mut self, to: SocketAddr, payload: &[u8]) -> bool {
        let socket = self.sockets.get_mut::<udp::Socket>(self.udp);
        socket.send_slice(payload, IpEndpoint::from(to)).is_ok()
    }

    /// The next datagram, if one has arrived.
    pub(crate) fn receive_datagram(&mut self) -> Option<&[u8]> {
        let socket = self.sockets.get_mut::<udp::Socket>(self.udp);
        socket.recv().ok().map(|(payload, _)| payload)
    }
}

fn set_addresses(interface: &mut Interface, addresses: &[IpAddr]) {
    interface.update_ip_addrs(|list| {
        list.clear();
        for address in addresses {
            let length = if address.is_ipv4() { 24 } else { 64 };
            list.push(IpCidr::new((*address).into(), length)).expect("an interface has room for two addresses");
        }
    });
}

fn instant(since_start: Duration) -> Instant {
    Instant::from_micros(i64::try_from(since_start.as_micros()).unwrap_or(i64::MAX))
}

fn echo_socket() -> icmp::Socket<'static> {
    let mut socket = icmp::Socket::new(echo_buffer(), echo_buffer());
    socket.bind(icmp::Endpoint::Ident(ECHO_IDENTIFIER)).expect("the socket is new and the identifier given");
    socket
}

fn echo_buffer() -> icmp::PacketBuffer<'static> {
    icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 64], vec![0; 64 * 64])
}

fn udp_buffer() -> udp::PacketBuffer<'static> {
    udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; SOCKET_PACKETS], vec![0; SOCKET_BYTES])
}

/// The network card: what came from the wire and what is to go there. Both queues are emptied at every poll.
#[derive(Default)]
struct Card {
    received: VecDeque<Frame>,
    transmitted: VecDeque<Frame>,
}

impl Device for Card {
    type RxToken<'a> = Received;
    type TxToken<'a> = Transmit<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Transmit<'_>)> {
        let frame = self.received.pop_front()?;
        Some((Received(frame), Transmit(&mut self.transmitted)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Transmit<'_>> {
        Some(Transmit(&mut self.transmitted))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = MTU;
        capabilities
    }
}

struct Received(Frame);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

struct Transmit<'a>(&'a mut VecDeque<Frame>);

impl TxToken for Transmit<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut frame = vec![0; length];
        let result = write(&mut frame);
        self.0.push_back(frame);
        result
    }
}
