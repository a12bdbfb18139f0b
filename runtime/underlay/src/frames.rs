//! The frames that neighbours say to each other: ARP (RFC 826) or neighbour discovery (RFC 4861), and BFD over UDP (RFC 5881,
//! section 4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, Icmpv6Packet,
    Icmpv6Repr, IpProtocol, Ipv4Packet, Ipv4Repr, Ipv6Packet, Ipv6Repr, NdiscNeighborFlags, NdiscRepr,
    RawHardwareAddress, UdpPacket, UdpRepr,
};
use vouch_net::MacAddr;

use crate::bfd::{ControlPacket, PacketError};

/// The UDP port of control packets (RFC 5881, section 4).
const BFD_PORT: u16 = 3784;
/// The lowest source port, which a session has to itself (the same).
const FIRST_SOURCE_PORT: u16 = 49152;
/// What no router has taken anything off, so that the sender is on the link (section 5; RFC 5082).
const HOP_LIMIT: u8 = 255;
/// The shortest Ethernet frame, without its checksum.
const SHORTEST: usize = 60;
const ETHERNET: usize = 14;
/// Everybody on the link (RFC 4291, section 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// One end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) mac: MacAddr,
    pub(crate) address: IpAddr,
}

/// A frame that is about neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Somebody asks who has an address. Who has none yet asks whether he may have that one, from the unspecified address.
    Question { from: End, target: IpAddr },
    /// Somebody says that an address is his, to whom it is about.
    Answer { from: End, to: End },
    /// A control packet.
    Bfd { from: IpAddr, to: IpAddr, packet: ControlPacket },
}

/// Why a frame is none of those.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not ARP for Ethernet and IPv4, nor a solicitation or the answer to one, nor BFD over UDP.
    #[error("neither ARP nor neighbour discovery nor BFD: {0}")]
    Form(String),
    /// It speaks for another than its Ethernet source, or for no single machine.
    #[error("{inner} in a frame of {outer}")]
    Sender {
        /// Whose the frame is.
        outer: MacAddr,
        /// Whose it says that it is.
        inner: MacAddr,
    },
    /// It has come further than one hop.
    #[error("a packet with hop limit {0}, not {HOP_LIMIT}")]
    HopLimit(u8),
    /// Its control packet does not count.
    #[error("a BFD packet that does not count: {0}")]
    Bfd(#[from] PacketError),
}

/// Reads a frame.
pub(crate) fn read(frame: &[u8]) -> Result<Heard, FrameError> {
    let form = |error: smoltcp::wire::Error| FrameError::Form(error.to_string());
    let ethernet = EthernetFrame::new_checked(frame).map_err(form)?;
    match ethernet.ethertype() {
        EthernetProtocol::Arp => {
            let arp = ArpPacket::new_checked(ethernet.payload()).and_then(|arp| ArpRepr::parse(&arp)).map_err(form)?;
            let ArpRepr::EthernetIpv4 {
                operation,
                source_hardware_addr,
                source_protocol_addr,
                target_hardware_addr,
                target_protocol_addr,
            } = arp
            else {
                return Err(FrameError::Form("not for IPv4".to_owned()));
            };
            let (outer, inner) = (mac(ethernet.src_addr()), mac(source_hardware_addr));
            if outer != inner || !inner.is_host() {
                return Err(FrameError::Sender { outer, inner });
            }
            let from = End { mac: inner, address: source_protocol_addr.into() };
            let target = IpAddr::V4(target_protocol_addr);
            match operation {
                ArpOperation::Request => Ok(Heard::Question { from, target }),
                ArpOperation::Reply => {
                    Ok(Heard::Answer { from, to: End { mac: mac(target_hardware_addr), address: target } })
                }
                ArpOperation::Unknown(code) => Err(FrameError::Form(format!("ARP operation {code}"))),
            }
        }
        EthernetProtocol::Ipv4 => {
            let ipv4 = Ipv4Packet::new_checked(ethernet.payload()).map_err(form)?;
            let repr = Ipv4Repr::parse(&ipv4, &ChecksumCapabilities::default()).map_err(form)?;
            if repr.next_header != IpProtocol::Udp {
                return Err(FrameError::Form(format!("IPv4 protocol {}", repr.next_header)));
            }
            control_packet(repr.src_addr.into(), repr.dst_addr.into(), repr.hop_limit, ipv4.payload())
        }
        EthernetProtocol::Ipv6 => {
            let ipv6 = Ipv6Packet::new_checked(ethernet.payload()).map_err(form)?;
            let repr = Ipv6Repr::parse(&ipv6).map_err(form)?;
            match repr.next_header {
                IpProtocol::Icmpv6 => discovery(&ethernet, &repr, ipv6.payload()),
                IpProtocol::Udp => {
                    control_packet(repr.src_addr.into(), repr.dst_addr.into(), repr.hop_limit, ipv6.payload())
                }
                other => Err(FrameError::Form(format!("IPv6 next header {other}"))),
            }
        }
        other => Err(FrameError::Form(format!("EtherType {other}"))),
    }
}

/// Solicitations and their answers, whole and of this link (RFC 4861, section 7.1). A message that does not name the MAC address that it
/// is about is about that of its frame.
fn discovery(ethernet: &EthernetFrame<&[u8]>, ip: &Ipv6Repr, body: &[u8]) -> Result<Heard, FrameError> {
    let form = |error: smoltcp::wire::Error| FrameError::Form(error.to_string());
    if ip.hop_limit != HOP_LIMIT {
        return Err(FrameError::HopLimit(ip.hop_limit));
    }
    let message = Icmpv6Packet::new_checked(body).map_err(form)?;
    let message = Icmpv6Repr::parse(&ip.src_addr, &ip.dst_addr, &message, &ChecksumCapabilities::default());
    let outer = mac(ethernet.src_addr());
    let speaker = |named: Option<RawHardwareAddress>| {
        let inner = match named {
            None => outer,
            Some(named) => match <[u8; 6]>::try_from(named.as_bytes()) {
                Ok(named) => MacAddr(named),
                Err(_) => return Err(FrameError::Form("a MAC address that is none".to_owned())),
            },
        };
        if outer != inner || !inner.is_host() { Err(FrameError::Sender { outer, inner }) } else { Ok(inner) }
    };
    match message.map_err(form)? {
        Icmpv6Repr::Ndisc(NdiscRepr::NeighborSolicit { target_addr, lladdr }) => {
            let from = End { mac: speaker(lladdr)?, address: ip.src_addr.into() };
            Ok(Heard::Question { from, target: target_addr.into() })
        }
        Icmpv6Repr::Ndisc(NdiscRepr::NeighborAdvert { flags, target_addr, lladdr }) => {
            if !flags.contains(NdiscNeighborFlags::SOLICITED) {
                return Err(FrameError::Form("an advertisement that is no answer".to_owned()));
            }
            let from = End { mac: speaker(lladdr)?, address: target_addr.into() };
            Ok(Heard::Answer { from, to: End { mac: mac(ethernet.dst_addr()), address: ip.dst_addr.into() } })
        }
        _ => Err(FrameError::Form("another message of ICMPv6".to_owned())),
    }
}

/// BFD over UDP. Over IPv6, the checksum is not left out (RFC 8200, section 8.1).
fn control_packet(from: IpAddr, to: IpAddr, hop_limit: u8, body: &[u8]) -> Result<Heard, FrameError> {
    let udp = UdpPacket::new_checked(body).map_err(|error| FrameError::Form(error.to_string()))?;
    if udp.dst_port() != BFD_PORT {
        return Err(FrameError::Form(format!("UDP port {}", udp.dst_port())));
    }
    let left_out = from.is_ipv6() && udp.checksum() == 0;
    if left_out || !udp.verify_checksum(&from.into(), &to.into()) {
        return Err(FrameError::Form("UDP checksum".to_owned()));
    }
    if hop_limit != HOP_LIMIT {
        return Err(FrameError::HopLimit(hop_limit));
    }
    Ok(Heard::Bfd { from, to, packet: ControlPacket::parse(udp.payload())? })
}

/// Asks who has `target`: whoever it is, or of one MAC address whether it still has it. Both ends are of one family.
pub(crate) fn question(own: End, of: Option<MacAddr>, target: IpAddr) -> Vec<u8> {
    match (own.address, target) {
        (IpAddr::V6(address), IpAddr::V6(target)) => {
            let message = NdiscRepr::NeighborSolicit { target_addr: target, lladdr: Some(hardware_address(own.mac)) };
            let (to, destination) = match of {
                Some(mac) => (mac, target),
                None => (multicast(solicited_node(target)), solicited_node(target)),
            };
            neighbour_discovery(own.mac, to, (address, destination), message)
        }
        (own_address, target) => {
            let own = (own.mac, ipv4(own_address));
            arp(ArpOperation::Request, own, (MacAddr::ZERO, ipv4(target)), of.unwrap_or(MacAddr::BROADCAST))
        }
    }
}

/// Answers whoever asks for our address; who has none yet, with all others.
pub(crate) fn answer(own: End, to: End) -> Vec<u8> {
    match (own.address, to.address) {
        (IpAddr::V6(address), IpAddr::V6(asker)) => {
            let nobody = asker.is_unspecified();
            let (mac, asker) = if nobody { (multicast(ALL_NODES), ALL_NODES) } else { (to.mac, asker) };
            let mut flags = NdiscNeighborFlags::ROUTER | NdiscNeighborFlags::OVERRIDE;
            flags.set(NdiscNeighborFlags::SOLICITED, !nobody);
            let lladdr = Some(hardware_address(own.mac));
            let message = NdiscRepr::NeighborAdvert { flags, target_addr: address, lladdr };
            neighbour_discovery(own.mac, mac, (address, asker), message)
        }
        (own_address, asker) => arp(ArpOperation::Reply, (own.mac, ipv4(own_address)), (to.mac, ipv4(asker)), to.mac),
    }
}

/// An address that is known to be one of IPv4: links are asked in their own family.
fn ipv4(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}

/// Where whoever has the address listens (RFC 4291, section 2.7.1).
fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// The MAC address of a multicast group (RFC 2464, section 7).
fn multicast(group: Ipv6Addr) -> MacAddr {
    let [.., a, b, c, d] = group.octets();
    MacAddr([0x33, 0x33, a, b, c, d])
}

fn neighbour_discovery(
    source: MacAddr,
    destination: MacAddr,
    (from, to): (Ipv6Addr, Ipv6Addr),
    message: NdiscRepr<'_>,
) -> Vec<u8> {
    let message = Icmpv6Repr::Ndisc(message);
    let ip = Ipv6Repr {
        src_addr: from,
        dst_addr: to,
        next_header: IpProtocol::Icmpv6,
        payload_len: message.buffer_len(),
        hop_limit: HOP_LIMIT,
    };
    ethernet(source, destination, EthernetProtocol::Ipv6, ip.buffer_len() + ip.payload_len, |body| {
        let mut packet = Ipv6Packet::new_unchecked(body);
        ip.emit(&mut packet);
        let payload = &mut Icmpv6Packet::new_unchecked(packet.payload_mut());
        message.emit(&from, &to, payload, &ChecksumCapabilities::default());
    })
}

fn arp(
    operation: ArpOperation,
    (own_mac, own_address): (MacAddr, Ipv4Addr),
    (mac, address): (MacAddr, Ipv4Addr),
    destination: MacAddr,
) -> Vec<u8> {
    let arp = ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr: ethernet_address(own_mac),
        source_protocol_addr: own_address,
        target_hardware_addr: ethernet_address(mac),
        target_protocol_addr: address,
    };
    ethernet(own_mac, destination, EthernetProtocol::Arp, arp.buffer_len(), |body| {
        arp.emit(&mut ArpPacket::new_unchecked(body));
    })
}

/// A control packet of the session of that number among ours.
pub(crate) fn bfd(own: End, to: End, session: u16, packet: &ControlPacket) -> Vec<u8> {
    let (payload, udp) = (packet.bytes(), UdpRepr { src_port: source_port(session), dst_port: BFD_PORT });
    let length = udp.header_len() + payload.len();
    let emit = |body: &mut [u8]| {
        udp.emit(
            &mut UdpPacket::new_unchecked(body),
            &own.address.into(),
            &to.address.into(),
            payload.len(),
            |bytes| bytes.copy_from_slice(&payload),
            &ChecksumCapabilities::default(),
        );
    };
    let (next_header, hop_limit) = (IpProtocol::Udp, HOP_LIMIT);
    match (own.address, to.address) {
        (IpAddr::V6(src_addr), IpAddr::V6(dst_addr)) => {
            let ip = Ipv6Repr { src_addr, dst_addr, next_header, payload_len: length, hop_limit };
            ethernet(own.mac, to.mac, EthernetProtocol::Ipv6, ip.buffer_len() + length, |body| {
                let mut packet = Ipv6Packet::new_unchecked(body);
                ip.emit(&mut packet);
                emit(packet.payload_mut());
            })
        }
        (own_address, to_address) => {
            let (src_addr, dst_addr) = (ipv4(own_address), ipv4(to_address));
            let ip = Ipv4Repr { src_addr, dst_addr, next_header, payload_len: length, hop_limit };
            ethernet(own.mac, to.mac, EthernetProtocol::Ipv4, ip.buffer_len() + length, |body| {
                let mut packet = Ipv4Packet::new_unchecked(body);
                ip.emit(&mut packet, &ChecksumCapabilities::default());
                emit(packet.payload_mut());
            })
        }
    }
}

fn source_port(session: u16) -> u16 {
    FIRST_SOURCE_PORT + session % (u16::MAX - FIRST_SOURCE_PORT)
}

fn ethernet(
    source: MacAddr,
    destination: MacAddr,
    ethertype: EthernetProtocol,
    length: usize,
    body: impl FnOnce(&mut [u8]),
) -> Vec<u8> {
    let (src_addr, dst_addr) = (ethernet_address(source), ethernet_address(destination));
    let header = EthernetRepr { src_addr, dst_addr, ethertype };
    let mut bytes = vec![0; SHORTEST.max(ETHERNET + length)];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    header.emit(&mut frame);
    body(&mut frame.payload_mut()[..length]);
    bytes
}

fn ethernet_address(mac: MacAddr) -> EthernetAddress {
    EthernetAddress(mac.0)
}

fn hardware_address(mac: MacAddr) -> RawHardwareAddress {
    ethernet_address(mac).into()
}

fn mac(address: EthernetAddress) -> MacAddr {
    MacAddr(address.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::bfd::{Diagnostic, State};

    const OURS: End = End { mac: MacAddr([2, 0, 0, 0, 0, 1]), address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 0)) };
    const THEIRS: End = End { mac: MacAddr([2, 0, 0, 0, 0, 2]), address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)) };
    const OURS_V6: End = End { address: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0x12, 0)), ..OURS };
    const THEIRS_V6: End =
        End { address: IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0x12, 0x3456)), ..THEIRS };

    fn control() -> ControlPacket {
        ControlPacket {
            diagnostic: Diagnostic::None,
            state: State::Down,
            poll: false,
            last: false,
            demand: false,
            multiplier: 3,
            mine: 7,
            yours: 0,
            desired_min_tx: Duration::from_secs(1),
            required_min_rx: Duration::from_millis(100),
        }
    }

    #[test]
    fn what_is_made_is_read() {
        let asked = question(OURS, None, THEIRS.address);
        assert_eq!((&asked[..6], asked.len()), (&[0xff; 6][..], 60));
        assert_eq!(read(&asked), Ok(Heard::Question { from: OURS, target: THEIRS.address }));
        assert_eq!(question(OURS, Some(THEIRS.mac), THEIRS.address)[..6], THEIRS.mac.0);
        assert_eq!(read(&answer(THEIRS, OURS)), Ok(Heard::Answer { from: THEIRS, to: OURS }));
        let frame = bfd(OURS, THEIRS, 3, &control());
        assert_eq!((frame[22], &frame[34..38]), (255, &[0xc0, 3, 0x0e, 0xc8][..]));
        let (from, to) = (OURS.address, THEIRS.address);
        assert_eq!(read(&frame), Ok(Heard::Bfd { from, to, packet: control() }));
    }

    #[test]
    fn what_is_made_over_ipv6_is_read() {
        let asked = question(OURS_V6, None, THEIRS_V6.address);
        assert_eq!(asked[..6], [0x33, 0x33, 0xff, 0x12, 0x34, 0x56], "who listens for the address");
        assert_eq!(
            (asked[21], &asked[38..54]),
            (255, &[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0x12, 0x34, 0x56][..])
        );
        assert_eq!(read(&asked), Ok(Heard::Question { from: OURS_V6, target: THEIRS_V6.address }));
        let again = question(OURS_V6, Some(THEIRS.mac), THEIRS_V6.address);
        assert_eq!((&again[..6], &again[38..54]), (&THEIRS.mac.0[..], &asked[62..78]), "to the one that has it");
        assert_eq!(read(&answer(THEIRS_V6, OURS_V6)), Ok(Heard::Answer { from: THEIRS_V6, to: OURS_V6 }));
        let frame = bfd(OURS_V6, THEIRS_V6, 3, &control());
        assert_eq!((frame[21], &frame[54..58]), (255, &[0xc0, 3, 0x0e, 0xc8][..]));
        let (from, to) = (OURS_V6.address, THEIRS_V6.address);
        assert_eq!(read(&frame), Ok(Heard::Bfd { from, to, packet: control() }));
        // Who has no address yet is told with everybody.
        let nobody = End { address: Ipv6Addr::UNSPECIFIED.into(), ..THEIRS };
        let told = answer(OURS_V6, nobody);
        assert_eq!(told[..6], [0x33, 0x33, 0, 0, 0, 1]);
        assert!(matches!(read(&told), Err(FrameError::Form(why)) if why.contains("no answer")));
    }

    /// The frame with the byte at a place changed, and the ICMPv6 or UDP checksum right again.
    fn changed(frame: &[u8], at: usize, to: u8) -> Vec<u8> {
        let mut frame = frame.to_vec();
        frame[at] = to;
        let mut ip = Ipv6Packet::new_unchecked(&mut frame[ETHERNET..]);
        let (source, destination) = (ip.src_addr(), ip.dst_addr());
        match ip.next_header() {
            IpProtocol::Icmpv6 => Icmpv6Packet::new_unchecked(ip.payload_mut()).fill_checksum(&source, &destination),
            _ => UdpPacket::new_unchecked(ip.payload_mut()).fill_checksum(&source.into(), &destination.into()),
        }
        frame
    }

    #[test]
    fn what_is_forged_or_has_come_too_far_over_ipv6_is_refused() {
        for frame in [
            question(OURS_V6, None, THEIRS_V6.address),
            answer(THEIRS_V6, OURS_V6),
            bfd(OURS_V6, THEIRS_V6, 0, &control()),
        ] {
            assert_eq!(read(&changed(&frame, 21, 254)), Err(FrameError::HopLimit(254)));
        }
        let frame = answer(THEIRS_V6, OURS_V6);
        let inner = MacAddr([2, 0, 0, 0, 0, 66]);
        assert_eq!(read(&changed(&frame, 85, 66)), Err(FrameError::Sender { outer: THEIRS.mac, inner }));
        let mut damaged = frame.clone();
        damaged[77] ^= 1;
        assert!(matches!(read(&damaged), Err(FrameError::Form(_))));
        let unasked = changed(&frame, 58, 0xa0);
        assert!(matches!(read(&unasked), Err(FrameError::Form(why)) if why.contains("no answer")));
        let mut without = bfd(OURS_V6, THEIRS_V6, 0, &control());
        without[60..62].fill(0);
        assert_eq!(read(&without), Err(FrameError::Form("UDP checksum".to_owned())));
        // Without the option, it is the frame's own address.
        let mut short = frame[..78].to_vec();
        short[19] = 24;
        assert_eq!(read(&changed(&short, 58, 0xe0)), Ok(Heard::Answer { from: THEIRS_V6, to: OURS_V6 }));
    }

    #[test]
    fn what_is_forged_or_has_come_too_far_is_refused() {
        let mut other = answer(THEIRS, OURS);
        other[6..12].copy_from_slice(&OURS.mac.0);
        assert_eq!(read(&other), Err(FrameError::Sender { outer: OURS.mac, inner: THEIRS.mac }));
        let group = End { mac: MacAddr([3, 0, 0, 0, 0, 2]), ..THEIRS };
        assert_eq!(read(&answer(group, OURS)), Err(FrameError::Sender { outer: group.mac, inner: group.mac }));

        let mut far = bfd(OURS, THEIRS, 0, &control());
        // One hop, and the checksum that goes with it.
        (far[22], far[24]) = (254, far[24].wrapping_add(1));
        assert_eq!(read(&far), Err(FrameError::HopLimit(254)));
        let mut damaged = bfd(OURS, THEIRS, 0, &control());
        damaged[60] ^= 1;
        assert_eq!(read(&damaged), Err(FrameError::Form("UDP checksum".to_owned())));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80), which in 0_usize..6, at in any::<prop::sample::Index>(), with: u8) {
            let _ = read(&bytes);
            let mut frame = match which {
                0 => question(OURS, None, THEIRS.address),
                1 => answer(THEIRS, OURS),
                2 => bfd(OURS, THEIRS, 0, &control()),
                3 => question(OURS_V6, None, THEIRS_V6.address),
                4 => answer(THEIRS_V6, OURS_V6),
                _ => bfd(OURS_V6, THEIRS_V6, 0, &control()),
            };
            let at = at.index(frame.len());
            frame[at] = with;
            let _ = read(&frame);
            frame.truncate(at);
            let _ = read(&frame);
        }
    }
}
