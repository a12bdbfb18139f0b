//! The frames that neighbours say to each other: ARP (RFC 826), and BFD over UDP (RFC 5881, section 4).

use std::net::Ipv4Addr;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpProtocol,
    Ipv4Packet, Ipv4Repr, UdpPacket, UdpRepr,
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

/// One end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) mac: MacAddr,
    pub(crate) address: Ipv4Addr,
}

/// A frame that is about neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Somebody asks who has an address.
    Question { from: End, target: Ipv4Addr },
    /// Somebody says that an address is his, to whom it is about.
    Answer { from: End, to: End },
    /// A control packet.
    Bfd { from: Ipv4Addr, to: Ipv4Addr, packet: ControlPacket },
}

/// Why a frame is none of those.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Not ARP for Ethernet and IPv4, nor BFD over UDP over IPv4.
    #[error("neither ARP nor BFD: {0}")]
    Form(String),
    /// The ARP speaks for another than its Ethernet source, or for no single machine.
    #[error("an ARP of {inner} in a frame of {outer}")]
    Sender {
        /// Whose the frame is.
        outer: MacAddr,
        /// Whose it says that it is.
        inner: MacAddr,
    },
    /// It has come further than one hop.
    #[error("a BFD packet with hop limit {0}, not {HOP_LIMIT}")]
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
            let from = End { mac: inner, address: source_protocol_addr };
            match operation {
                ArpOperation::Request => Ok(Heard::Question { from, target: target_protocol_addr }),
                ArpOperation::Reply => Ok(Heard::Answer {
                    from,
                    to: End { mac: mac(target_hardware_addr), address: target_protocol_addr },
                }),
                ArpOperation::Unknown(code) => Err(FrameError::Form(format!("ARP operation {code}"))),
            }
        }
        EthernetProtocol::Ipv4 => {
            let ipv4 = Ipv4Packet::new_checked(ethernet.payload()).map_err(form)?;
            let repr = Ipv4Repr::parse(&ipv4, &ChecksumCapabilities::default()).map_err(form)?;
            if repr.next_header != IpProtocol::Udp {
                return Err(FrameError::Form(format!("IPv4 protocol {}", repr.next_header)));
            }
            let udp = UdpPacket::new_checked(ipv4.payload()).map_err(form)?;
            if udp.dst_port() != BFD_PORT {
                return Err(FrameError::Form(format!("UDP port {}", udp.dst_port())));
            }
            if !udp.verify_checksum(&repr.src_addr.into(), &repr.dst_addr.into()) {
                return Err(FrameError::Form("UDP checksum".to_owned()));
            }
            if repr.hop_limit != HOP_LIMIT {
                return Err(FrameError::HopLimit(repr.hop_limit));
            }
            let packet = ControlPacket::parse(udp.payload())?;
            Ok(Heard::Bfd { from: repr.src_addr, to: repr.dst_addr, packet })
        }
        other => Err(FrameError::Form(format!("EtherType {other}"))),
    }
}

/// Asks who has `target`: whoever it is, or of one MAC address whether it still has it.
pub(crate) fn question(own: End, of: Option<MacAddr>, target: Ipv4Addr) -> Vec<u8> {
    let to = End { mac: MacAddr::ZERO, address: target };
    arp(ArpOperation::Request, own, to, of.unwrap_or(MacAddr::BROADCAST))
}

/// Answers whoever asks for our address.
pub(crate) fn answer(own: End, to: End) -> Vec<u8> {
    arp(ArpOperation::Reply, own, to, to.mac)
}

fn arp(operation: ArpOperation, own: End, to: End, destination: MacAddr) -> Vec<u8> {
    let arp = ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr: ethernet_address(own.mac),
        source_protocol_addr: own.address,
        target_hardware_addr: ethernet_address(to.mac),
        target_protocol_addr: to.address,
    };
    ethernet(own.mac, destination, EthernetProtocol::Arp, arp.buffer_len(), |body| {
        arp.emit(&mut ArpPacket::new_unchecked(body));
    })
}

/// A control packet of the session of that number among ours.
pub(crate) fn bfd(own: End, to: End, session: u16, packet: &ControlPacket) -> Vec<u8> {
    let (payload, udp) = (packet.bytes(), UdpRepr { src_port: source_port(session), dst_port: BFD_PORT });
    let length = udp.header_len() + payload.len();
    let ipv4 = Ipv4Repr {
        src_addr: own.address,
        dst_addr: to.address,
        next_header: IpProtocol::Udp,
        payload_len: length,
        hop_limit: HOP_LIMIT,
    };
    ethernet(own.mac, to.mac, EthernetProtocol::Ipv4, ipv4.buffer_len() + length, |body| {
        let mut packet = Ipv4Packet::new_unchecked(body);
        ipv4.emit(&mut packet, &ChecksumCapabilities::default());
        udp.emit(
            &mut UdpPacket::new_unchecked(packet.payload_mut()),
            &own.address.into(),
            &to.address.into(),
            payload.len(),
            |bytes| bytes.copy_from_slice(&payload),
            &ChecksumCapabilities::default(),
        );
    })
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

fn mac(address: EthernetAddress) -> MacAddr {
    MacAddr(address.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::bfd::{Diagnostic, State};

    const OURS: End = End { mac: MacAddr([2, 0, 0, 0, 0, 1]), address: Ipv4Addr::new(192, 0, 2, 0) };
    const THEIRS: End = End { mac: MacAddr([2, 0, 0, 0, 0, 2]), address: Ipv4Addr::new(192, 0, 2, 1) };

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
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80), which in 0_usize..3, at in any::<prop::sample::Index>(), with: u8) {
            let _ = read(&bytes);
            let mut frame = match which {
                0 => question(OURS, None, THEIRS.address),
                1 => answer(THEIRS, OURS),
                _ => bfd(OURS, THEIRS, 0, &control()),
            };
            let at = at.index(frame.len());
            frame[at] = with;
            let _ = read(&frame);
            frame.truncate(at);
            let _ = read(&frame);
        }
    }
}
