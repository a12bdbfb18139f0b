//! The frames that hosts and attackers announce themselves with, and what can be read from a frame on a wire.
//!
//! The stack makes its own ARP and ND; what is built here is what a stack does not send by itself: announcements after a
//! migration, forged ones, and the first request for a neighbour.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv4Packet,
    Ipv4Repr, Ipv6Packet, Ipv6Repr, NdiscNeighborFlags, NdiscRepr, RawHardwareAddress,
};
use vouch_net::MacAddr;
use vouch_switch_server::Frame;

const ARP: u16 = 0x0806;
const RARP: u16 = 0x8035;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ETHERNET: usize = 14;
const IPV6_HEADER: usize = 40;
const UDP_PROTOCOL: u8 = 17;
const ICMPV6_PROTOCOL: u8 = 58;
const NEIGHBOR_SOLICITATION: u8 = 135;

/// An ARP operation code (RFC 826, RFC 903).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Request = 1,
    Reply = 2,
    ReverseRequest = 3,
}

/// The four addresses of an ARP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arp {
    pub(crate) operation: Operation,
    pub(crate) sender: (MacAddr, Ipv4Addr),
    pub(crate) target: (MacAddr, Ipv4Addr),
}

impl Arp {
    fn frame(self, to: MacAddr) -> Frame {
        let ethertype = if self.operation == Operation::ReverseRequest { RARP } else { ARP };
        let mut frame = Vec::with_capacity(60);
        frame.extend(to.octets());
        frame.extend(self.sender.0.octets());
        frame.extend(ethertype.to_be_bytes());
        // Ethernet (1), IPv4, six and four bytes of address.
        frame.extend([0, 1, 8, 0, 6, 4, 0, self.operation as u8]);
        frame.extend(self.sender.0.octets());
        frame.extend(self.sender.1.octets());
        frame.extend(self.target.0.octets());
        frame.extend(self.target.1.octets());
        frame.resize(60, 0);
        frame
    }

    /// Read an ARP packet (not RARP) out of a frame.
    pub(crate) fn parse(frame: &[u8]) -> Option<Self> {
        let arp = frame.get(ETHERNET..ETHERNET + 28)?;
        if ethertype(frame)? != ARP || arp[..6] != [0, 1, 8, 0, 6, 4] {
            return None;
        }
        let operation = match u16::from_be_bytes([arp[6], arp[7]]) {
            1 => Operation::Request,
            2 => Operation::Reply,
            _ => return None,
        };
        Some(Self {
            operation,
            sender: (mac_at(arp, 8)?, ipv4_at(arp, 14)?),
            target: (mac_at(arp, 18)?, ipv4_at(arp, 24)?),
        })
    }
}

/// A broadcast ARP request in which sender and target are the same address: "I am here".
pub(crate) fn gratuitous_request(mac: MacAddr, address: Ipv4Addr) -> Frame {
    arp_request(mac, address, address)
}

/// A broadcast ARP reply that nobody asked for.
pub(crate) fn gratuitous_reply(mac: MacAddr, address: Ipv4Addr) -> Frame {
    Arp { operation: Operation::Reply, sender: (mac, address), target: (MacAddr::BROADCAST, address) }
        .frame(MacAddr::BROADCAST)
}

/// A broadcast ARP request for `target`.
pub(crate) fn arp_request(mac: MacAddr, address: Ipv4Addr, target: Ipv4Addr) -> Frame {
    Arp { operation: Operation::Request, sender: (mac, address), target: (MacAddr::ZERO, target) }
        .frame(MacAddr::BROADCAST)
}

/// A unicast ARP reply.
pub(crate) fn arp_reply(mac: MacAddr, address: Ipv4Addr, to: (MacAddr, Ipv4Addr)) -> Frame {
    Arp { operation: Operation::Reply, sender: (mac, address), target: to }.frame(to.0)
}

/// The reverse ARP request with which QEMU and ESXi announce a finished live migration. It carries no IP address.
pub(crate) fn rarp(mac: MacAddr) -> Frame {
    let me = (mac, Ipv4Addr::UNSPECIFIED);
    Arp { operation: Operation::ReverseRequest, sender: me, target: me }.frame(MacAddr::BROADCAST)
}

/// A neighbour advertisement that nobody asked for, with the override flag, to all nodes (RFC 4861 7.2.6).
pub(crate) fn unsolicited_advertisement(mac: MacAddr, address: Ipv6Addr) -> Frame {
    let message = NdiscRepr::NeighborAdvert {
        flags: NdiscNeighborFlags::OVERRIDE,
        target_addr: address,
        lladdr: Some(RawHardwareAddress::from(EthernetAddress(mac.octets()))),
    };
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    discovery((mac, address), (MacAddr([0x33, 0x33, 0, 0, 0, 1]), all_nodes), message)
}

/// The answer to a neighbour solicitation: that `target` is at `mac`, to whoever asked (RFC 4861 7.2.4).
pub(crate) fn solicited_advertisement(mac: MacAddr, target: Ipv6Addr, to: (MacAddr, Ipv6Addr)) -> Frame {
    let message = NdiscRepr::NeighborAdvert {
        flags: NdiscNeighborFlags::SOLICITED | NdiscNeighborFlags::OVERRIDE,
        target_addr: target,
        lladdr: Some(RawHardwareAddress::from(EthernetAddress(mac.octets()))),
    };
    discovery((mac, target), to, message)
}

/// A multicast neighbour solicitation for `target`.
pub(crate) fn neighbor_solicitation(mac: MacAddr, address: Ipv6Addr, target: Ipv6Addr) -> Frame {
    let message = NdiscRepr::NeighborSolicit {
        target_addr: target,
        lladdr: Some(RawHardwareAddress::from(EthernetAddress(mac.octets()))),
    };
    let [.., a, b, c] = target.octets();
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]));
    discovery((mac, address), (MacAddr([0x33, 0x33, 0xff, a, b, c]), group), message)
}

fn discovery(from: (MacAddr, Ipv6Addr), to: (MacAddr, Ipv6Addr), message: NdiscRepr<'_>) -> Frame {
    let message = Icmpv6Repr::Ndisc(message);
    // RFC 4861 7.1: only hop limit 255 proves that no router forwarded it.
    let header = Ipv6Repr {
        src_addr: from.1,
        dst_addr: to.1,
        next_header: IpProtocol::Icmpv6,
        payload_len: message.buffer_len(),
        hop_limit: 255,
    };
    let ethernet = EthernetRepr {
        src_addr: EthernetAddress(from.0.octets()),
        dst_addr: EthernetAddress(to.0.octets()),
        ethertype: EthernetProtocol::Ipv6,
    };
    let mut frame = vec![0; ETHERNET + header.buffer_len() + message.buffer_len()];
    let mut outer = EthernetFrame::new_unchecked(&mut frame[..]);
    ethernet.emit(&mut outer);
    let mut packet = Ipv6Packet::new_unchecked(outer.payload_mut());
    header.emit(&mut packet);
    let mut body = Icmpv6Packet::new_unchecked(packet.payload_mut());
    message.emit(&from.1, &to.1, &mut body, &ChecksumCapabilities::default());
    frame
}

/// A request for `target`'s MAC address from the first of `addresses` that is of its family; `None` where none is.
pub(crate) fn resolve(mac: MacAddr, addresses: &[IpAddr], target: IpAddr) -> Option<Frame> {
    addresses.iter().find_map(|address| match (address, target) {
        (IpAddr::V4(address), IpAddr::V4(target)) => Some(arp_request(mac, *address, target)),
        (IpAddr::V6(address), IpAddr::V6(target)) => Some(neighbor_solicitation(mac, *address, target)),
        _ => None,
    })
}

/// The answer of somebody who says that all of `addresses` are at `mac`, if the frame asks for one of them, or asks `mac` for
/// any address at all.
pub(crate) fn answer(frame: &[u8], mac: MacAddr, addresses: &[IpAddr]) -> Option<Frame> {
    let to_us = destination(frame) == Some(mac);
    let asks = |target: IpAddr| to_us || addresses.contains(&target);
    if let Some(Arp { operation: Operation::Request, sender, target }) = Arp::parse(frame) {
        return asks(target.1.into()).then(|| arp_reply(mac, target.1, sender));
    }
    let (from, target) = solicitation(frame)?;
    asks(target.into()).then(|| solicited_advertisement(mac, target, from))
}

/// A UDP packet over IPv4 as a stack would send it, with every checksum but the optional one.
pub(crate) fn datagram(from: (MacAddr, Ipv4Addr), to: (MacAddr, Ipv4Addr), port: u16, payload: &[u8]) -> Frame {
    let (header, udp) = (20, 8 + payload.len());
    let mut packet = vec![0; header + udp];
    let mut ip = Ipv4Packet::new_unchecked(&mut packet[..]);
    let header =
        Ipv4Repr { src_addr: from.1, dst_addr: to.1, next_header: IpProtocol::Udp, payload_len: udp, hop_limit: 64 };
    header.emit(&mut ip, &ChecksumCapabilities::default());
    let body = ip.payload_mut();
    for (at, value) in [(0, port), (2, port), (4, udp as u16)] {
        body[at..at + 2].copy_from_slice(&value.to_be_bytes());
    }
    body[8..].copy_from_slice(payload);
    [&to.0.octets()[..], &from.0.octets(), &IPV4.to_be_bytes(), &packet].concat()
}

/// The destination MAC of a frame; `None` where the frame is shorter than a header.
pub(crate) fn destination(frame: &[u8]) -> Option<MacAddr> {
    frame.get(..ETHERNET).and_then(|header| mac_at(header, 0))
}

/// Whether a frame asks for somebody's MAC address: an ARP request or a neighbour solicitation.
pub(crate) fn is_solicitation(frame: &[u8]) -> bool {
    match ethertype(frame) {
        Some(ARP) => Arp::parse(frame).is_some_and(|arp| arp.operation == Operation::Request),
        Some(IPV6) => solicitation(frame).is_some(),
        _ => false,
    }
}

/// Who sends a neighbour solicitation, and for which address; `None` for every other frame.
fn solicitation(frame: &[u8]) -> Option<((MacAddr, Ipv6Addr), Ipv6Addr)> {
    let solicits = ethertype(frame)? == IPV6
        && frame.get(ETHERNET + 6) == Some(&ICMPV6_PROTOCOL)
        && frame.get(ETHERNET + IPV6_HEADER) == Some(&NEIGHBOR_SOLICITATION);
    let from = (mac_at(frame, 6)?, ipv6_at(frame, ETHERNET + 8)?);
    // RFC 4861 4.3: type, code, checksum and four reserved bytes come before the target.
    solicits.then_some((from, ipv6_at(frame, ETHERNET + IPV6_HEADER + 8)?))
}

/// The UDP payload of an untagged, unfragmented IP frame. Checksums are the stack's business.
pub(crate) fn udp_payload(frame: &[u8]) -> Option<&[u8]> {
    let packet = frame.get(ETHERNET..)?;
    let (header, protocol) = match ethertype(frame)? {
        IPV4 => (usize::from(packet.first()? & 0x0f) * 4, *packet.get(9)?),
        IPV6 => (IPV6_HEADER, *packet.get(6)?),
        _ => return None,
    };
    if header < 20 || protocol != UDP_PROTOCOL {
        return None;
    }
    let udp = packet.get(header..)?;
    let length = usize::from(u16::from_be_bytes([*udp.get(4)?, *udp.get(5)?]));
    udp.get(8..length)
}

fn ethertype(frame: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes([*frame.get(12)?, *frame.get(13)?]))
}

fn mac_at(bytes: &[u8], at: usize) -> Option<MacAddr> {
    MacAddr::try_from(bytes.get(at..at + 6)?).ok()
}

fn ipv6_at(bytes: &[u8], at: usize) -> Option<Ipv6Addr> {
    <[u8; 16]>::try_from(bytes.get(at..at + 16)?).ok().map(Ipv6Addr::from)
}

fn ipv4_at(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok().map(Ipv4Addr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

    #[test]
    fn a_gratuitous_request_asks_for_its_own_sender() {
        let arp = Arp::parse(&gratuitous_request(MAC, IP)).unwrap();
        assert_eq!(arp.operation, Operation::Request);
        assert_eq!((arp.sender, arp.target.1), ((MAC, IP), IP));
    }

    #[test]
    fn a_rarp_is_not_taken_for_an_arp() {
        let frame = rarp(MAC);
        assert_eq!(ethertype(&frame), Some(RARP));
        assert_eq!(frame.len(), 60);
        assert!(Arp::parse(&frame).is_none());
        assert!(!is_solicitation(&frame));
    }

    #[test]
    fn solicitations_are_told_from_answers() {
        let address = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
        assert!(is_solicitation(&neighbor_solicitation(MAC, address, address)));
        assert!(!is_solicitation(&unsolicited_advertisement(MAC, address)));
        assert!(is_solicitation(&arp_request(MAC, IP, IP)));
        assert!(!is_solicitation(&gratuitous_reply(MAC, IP)));
    }

    #[test]
    fn an_impostor_answers_for_its_victims_addresses_and_for_whatever_the_victim_is_asked() {
        let (other, asker) = (MacAddr([2, 0, 0, 0, 0, 9]), Ipv4Addr::new(10, 0, 0, 9));
        let reply = answer(&arp_request(other, asker, IP), MAC, &[IP.into()]).unwrap();
        let arp = Arp::parse(&reply).unwrap();
        assert_eq!((arp.operation, arp.sender, arp.target), (Operation::Reply, (MAC, IP), (other, asker)));
        let elsewhere = Ipv4Addr::new(10, 0, 0, 7);
        assert_eq!(answer(&arp_request(other, asker, elsewhere), MAC, &[IP.into()]), None);
        let mut unicast = arp_request(other, asker, elsewhere);
        unicast[..6].copy_from_slice(&MAC.octets());
        assert!(answer(&unicast, MAC, &[IP.into()]).is_some());

        let address = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
        let asked = neighbor_solicitation(other, Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 9), address);
        let reply = answer(&asked, MAC, &[address.into()]).unwrap();
        assert_eq!((destination(&reply), mac_at(&reply, 6)), (Some(other), Some(MAC)));
        assert_eq!(answer(&reply, MAC, &[address.into()]), None);
    }

    #[test]
    fn a_datagram_carries_its_payload() {
        let frame = datagram((MAC, IP), (MacAddr([2, 0, 0, 0, 0, 9]), Ipv4Addr::new(10, 0, 0, 9)), 4000, b"hello");
        assert_eq!(udp_payload(&frame), Some(&b"hello"[..]));
    }

    #[test]
    fn short_frames_are_nothing() {
        let whole = gratuitous_request(MAC, IP);
        for length in 0..ETHERNET {
            assert_eq!(destination(&whole[..length]), None);
            assert_eq!(udp_payload(&whole[..length]), None);
            assert!(!is_solicitation(&whole[..length]));
        }
    }
}
