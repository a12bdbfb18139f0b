//! What a punted frame says about its sender, and the probes that ask a host whether it is still there.
//!
//! The switch hands frames over without VLAN tag and decapsulated. Only what the method needs is read: who sent it,
//! whether it is an announcement, and which addresses the sender claims. Every byte is checked; a frame that makes no
//! sense is [`FrameError`], which the driver counts and drops.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpHardware, ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr,
    Icmpv6Packet, Icmpv6Repr, IpProtocol, Ipv6Packet, Ipv6Repr, NdiscRepr,
};
use vouch_net::MacAddr;

/// EtherType of Reverse ARP (RFC 903).
const ETHERTYPE_RARP: u16 = 0x8035;

/// What a frame tells of the host that sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// Ethernet source: the host.
    pub(crate) source: MacAddr,
    /// Ethernet destination.
    pub(crate) destination: MacAddr,
    /// What kind of frame it is.
    pub(crate) kind: SightingKind,
    /// The protocol address that the sender says is its own, if the frame is evidence for one.
    pub(crate) address: Option<IpAddr>,
}

/// Kinds of frame that the method tells apart (M1, B1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SightingKind {
    /// ARP request, reply or gratuitous ARP with a sender address.
    Arp,
    /// Reverse ARP: announces a MAC, says nothing of addresses.
    Rarp,
    /// Neighbour solicitation or advertisement with a source address.
    NeighborDiscovery,
    /// Duplicate address detection: ARP from 0.0.0.0, neighbour solicitation from `::`. Never ownership.
    DuplicateAddressDetection,
    /// Anything else.
    Data,
}

/// The frame cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// No whole Ethernet header.
    #[error("shorter than an Ethernet header")]
    NoEthernetHeader,
    /// The EtherType says ARP or RARP, the body is not.
    #[error("EtherType says ARP, but the body is truncated or not Ethernet/IPv4 ARP")]
    MalformedArp,
    /// The sender hardware address differs from the Ethernet source.
    #[error("ARP sender hardware address differs from the Ethernet source")]
    SenderMismatch,
    /// A neighbour discovery message with bad lengths or checksum.
    #[error("malformed neighbour discovery message")]
    MalformedNeighborDiscovery,
}

/// Reads what `frame` says of its sender.
pub(crate) fn sighting(frame: &[u8]) -> Result<Sighting, FrameError> {
    let ethernet = EthernetFrame::new_checked(frame).map_err(|_| FrameError::NoEthernetHeader)?;
    let source = MacAddr(ethernet.src_addr().0);
    let (kind, address) = match ethernet.ethertype() {
        EthernetProtocol::Arp => arp(source, ethernet.payload())?,
        EthernetProtocol::Unknown(ETHERTYPE_RARP) => rarp(source, ethernet.payload())?,
        EthernetProtocol::Ipv6 => ipv6(ethernet.payload())?,
        EthernetProtocol::Ipv4 | EthernetProtocol::Unknown(_) => (SightingKind::Data, None),
    };
    Ok(Sighting { source, destination: MacAddr(ethernet.dst_addr().0), kind, address })
}

fn arp(source: MacAddr, body: &[u8]) -> Result<(SightingKind, Option<IpAddr>), FrameError> {
    let packet = ArpPacket::new_checked(body).map_err(|_| FrameError::MalformedArp)?;
    let ArpRepr::EthernetIpv4 { source_hardware_addr, source_protocol_addr, .. } =
        ArpRepr::parse(&packet).map_err(|_| FrameError::MalformedArp)?
    else {
        return Err(FrameError::MalformedArp);
    };
    if source_hardware_addr.0 != source.octets() {
        return Err(FrameError::SenderMismatch);
    }
    if source_protocol_addr.is_unspecified() {
        return Ok((SightingKind::DuplicateAddressDetection, None));
    }
    let usable = !source_protocol_addr.is_multicast() && !source_protocol_addr.is_broadcast();
    Ok((SightingKind::Arp, usable.then_some(IpAddr::V4(source_protocol_addr))))
}

/// RARP has ARP's layout (RFC 903). Hypervisors send "request reverse" with both hardware addresses the VM's; its
/// protocol addresses mean nothing here.
fn rarp(source: MacAddr, body: &[u8]) -> Result<(SightingKind, Option<IpAddr>), FrameError> {
    let packet = ArpPacket::new_checked(body).map_err(|_| FrameError::MalformedArp)?;
    if packet.hardware_type() != ArpHardware::Ethernet || packet.hardware_len() != 6 {
        return Err(FrameError::MalformedArp);
    }
    if packet.source_hardware_addr() != source.octets() {
        return Err(FrameError::SenderMismatch);
    }
    Ok((SightingKind::Rarp, None))
}

fn ipv6(body: &[u8]) -> Result<(SightingKind, Option<IpAddr>), FrameError> {
    const DATA: (SightingKind, Option<IpAddr>) = (SightingKind::Data, None);
    let Ok(packet) = Ipv6Packet::new_checked(body) else { return Ok(DATA) };
    // RFC 4861, section 7.1: a message with a hop limit other than 255 came through a router.
    if packet.next_header() != IpProtocol::Icmpv6 || packet.hop_limit() != 255 {
        return Ok(DATA);
    }
    let (source, destination) = (packet.src_addr(), packet.dst_addr());
    let Ok(message) = Icmpv6Packet::new_checked(packet.payload()) else { return Ok(DATA) };
    let is_discovery = matches!(
        message.msg_type(),
        smoltcp::wire::Icmpv6Message::NeighborSolicit | smoltcp::wire::Icmpv6Message::NeighborAdvert
    );
    if !is_discovery {
        return Ok(DATA);
    }
    match Icmpv6Repr::parse(&source, &destination, &message, &ChecksumCapabilities::default()) {
        Ok(Icmpv6Repr::Ndisc(NdiscRepr::NeighborSolicit { .. })) if source.is_unspecified() => {
            Ok((SightingKind::DuplicateAddressDetection, None))
        }
        Ok(Icmpv6Repr::Ndisc(NdiscRepr::NeighborSolicit { .. })) => {
            Ok((SightingKind::NeighborDiscovery, Some(IpAddr::V6(source))))
        }
        Ok(Icmpv6Repr::Ndisc(NdiscRepr::NeighborAdvert { target_addr, .. })) => {
            Ok((SightingKind::NeighborDiscovery, Some(IpAddr::V6(target_addr))))
        }
        Ok(_) | Err(_) => Err(FrameError::MalformedNeighborDiscovery),
    }
}

/// Where a probe says it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProbeSource {
    /// This VTEP's probe MAC: the switch punts what is sent to it.
    pub(crate) mac: MacAddr,
    /// Sender address of ARP probes; 0.0.0.0 only where none is configured.
    pub(crate) ipv4: Option<Ipv4Addr>,
    /// Source address of neighbour solicitations; the link-local address of `mac` where none is configured.
    pub(crate) ipv6: Option<Ipv6Addr>,
}

/// The frame that asks `host` whether it still has `target`: an ARP request or a neighbour solicitation, unicast to
/// the host.
pub(crate) fn probe(source: &ProbeSource, host: MacAddr, target: IpAddr) -> Vec<u8> {
    match target {
        IpAddr::V4(target) => arp_probe(source, host, target),
        IpAddr::V6(target) => neighbor_solicitation(source, host, target),
    }
}

fn arp_probe(source: &ProbeSource, host: MacAddr, target: Ipv4Addr) -> Vec<u8> {
    let arp = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: EthernetAddress(source.mac.octets()),
        source_protocol_addr: source.ipv4.unwrap_or(Ipv4Addr::UNSPECIFIED),
        target_hardware_addr: EthernetAddress(MacAddr::ZERO.octets()),
        target_protocol_addr: target,
    };
    ethernet(source.mac, host, EthernetProtocol::Arp, arp.buffer_len(), |body| {
        arp.emit(&mut ArpPacket::new_unchecked(body));
    })
}

fn neighbor_solicitation(source: &ProbeSource, host: MacAddr, target: Ipv6Addr) -> Vec<u8> {
    let sender = source.ipv6.unwrap_or_else(|| link_local(source.mac));
    let solicitation = Icmpv6Repr::Ndisc(NdiscRepr::NeighborSolicit {
        target_addr: target,
        lladdr: Some(EthernetAddress(source.mac.octets()).into()),
    });
    let ip = Ipv6Repr {
        src_addr: sender,
        dst_addr: target,
        next_header: IpProtocol::Icmpv6,
        payload_len: solicitation.buffer_len(),
        hop_limit: 255,
    };
    let length = ip.buffer_len() + ip.payload_len;
    ethernet(source.mac, host, EthernetProtocol::Ipv6, length, |body| {
        let mut packet = Ipv6Packet::new_unchecked(body);
        ip.emit(&mut packet);
        let mut message = Icmpv6Packet::new_unchecked(packet.payload_mut());
        solicitation.emit(&sender, &target, &mut message, &ChecksumCapabilities::default());
    })
}

fn ethernet(
    source: MacAddr,
    destination: MacAddr,
    ethertype: EthernetProtocol,
    body_length: usize,
    write_body: impl FnOnce(&mut [u8]),
) -> Vec<u8> {
    let header = EthernetRepr {
        src_addr: EthernetAddress(source.octets()),
        dst_addr: EthernetAddress(destination.octets()),
        ethertype,
    };
    let mut bytes = vec![0; header.buffer_len() + body_length];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    header.emit(&mut frame);
    write_body(frame.payload_mut());
    bytes
}

/// The link-local address of a MAC in modified EUI-64 form (RFC 4291, appendix A).
fn link_local(mac: MacAddr) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.octets();
    let mut octets = [0; 16];
    octets[..2].copy_from_slice(&[0xfe, 0x80]);
    octets[8..].copy_from_slice(&[a ^ 0x02, b, c, 0xff, 0xfe, d, e, f]);
    Ipv6Addr::from(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
    const PROBE_MAC: MacAddr = MacAddr([2, 0x76, 10, 0, 0, 1]);
    const SOURCE: ProbeSource = ProbeSource { mac: PROBE_MAC, ipv4: Some(Ipv4Addr::new(10, 1, 0, 254)), ipv6: None };

    fn arp_frame(ethertype: [u8; 2], sender_mac: MacAddr, sender: [u8; 4]) -> Vec<u8> {
        let mut frame = [MacAddr::BROADCAST.octets(), HOST.octets()].concat();
        frame.extend(ethertype);
        frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
        frame.extend(sender_mac.octets());
        frame.extend(sender);
        frame.extend([0; 6]);
        frame.extend([10, 1, 0, 9]);
        frame
    }

    #[test]
    fn m1_arp_names_the_sender_and_its_address() {
        let seen = sighting(&arp_frame([8, 6], HOST, [10, 1, 0, 1])).expect("valid ARP");
        assert_eq!(seen.kind, SightingKind::Arp);
        assert_eq!((seen.source, seen.destination), (HOST, MacAddr::BROADCAST));
        assert_eq!(seen.address, Some(IpAddr::from([10, 1, 0, 1])));
    }

    #[test]
    fn b1_rarp_announces_without_an_address() {
        let seen = sighting(&arp_frame([0x80, 0x35], HOST, [0, 0, 0, 0])).expect("valid RARP");
        assert_eq!((seen.kind, seen.address), (SightingKind::Rarp, None));
    }

    #[test]
    fn arp_from_the_unspecified_address_is_only_duplicate_detection() {
        let seen = sighting(&arp_frame([8, 6], HOST, [0, 0, 0, 0])).expect("valid ARP");
        assert_eq!((seen.kind, seen.address), (SightingKind::DuplicateAddressDetection, None));
    }

    #[test]
    fn an_arp_sender_that_is_not_the_ethernet_source_is_refused() {
        let frame = arp_frame([8, 6], MacAddr([2, 0, 0, 0, 0, 9]), [10, 1, 0, 1]);
        assert_eq!(sighting(&frame), Err(FrameError::SenderMismatch));
    }

    #[test]
    fn every_truncation_is_an_error_or_plain_data() {
        let v6 = probe(&SOURCE, HOST, IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 1]));
        for frame in [arp_frame([8, 6], HOST, [10, 1, 0, 1]), arp_frame([0x80, 0x35], HOST, [0; 4]), v6] {
            assert!(sighting(&frame).is_ok());
            for length in 0..frame.len() {
                if let Ok(seen) = sighting(&frame[..length]) {
                    assert_eq!((seen.kind, seen.address), (SightingKind::Data, None));
                }
            }
        }
    }

    #[test]
    fn arp_probe_is_unicast_with_the_configured_sender() {
        let frame = probe(&SOURCE, HOST, IpAddr::from([10, 1, 0, 1]));
        assert_eq!(frame[..6], HOST.octets());
        assert_eq!(frame[6..12], PROBE_MAC.octets());
        assert_eq!(frame[20..22], [0, 1], "request");
        assert_eq!(frame[28..32], [10, 1, 0, 254]);
        assert_eq!(frame[38..42], [10, 1, 0, 1]);
    }

    #[test]
    fn neighbor_solicitation_reads_back_with_a_good_checksum() {
        let target = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        let frame = probe(&SOURCE, HOST, IpAddr::V6(target));
        let seen = sighting(&frame).expect("checksum is verified on the way in");
        assert_eq!((seen.source, seen.destination), (PROBE_MAC, HOST));
        assert_eq!(seen.kind, SightingKind::NeighborDiscovery);
        assert_eq!(seen.address, Some(IpAddr::from([0xfe80, 0, 0, 0, 0x76, 0x0aff, 0xfe00, 1])));

        let mut corrupt = frame;
        *corrupt.last_mut().expect("not empty") ^= 1;
        assert_eq!(sighting(&corrupt), Err(FrameError::MalformedNeighborDiscovery));
    }
}
