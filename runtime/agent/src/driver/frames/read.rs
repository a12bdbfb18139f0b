//! What a punted frame says about its sender.
//!
//! The switch hands frames over without VLAN tag and decapsulated. Only what the method needs is read: who sent it,
//! whether it is an announcement, which address the sender claims, and which one it asks for. Every byte is checked; a frame
//! that makes no sense is [`FrameError`], which the driver counts and drops.

use std::net::IpAddr;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpHardware, ArpOperation, ArpPacket, ArpRepr, EthernetFrame, EthernetProtocol, Icmpv6Message, Icmpv6Packet,
    Icmpv6Repr, IpProtocol, Ipv6Packet, NdiscRepr,
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
    /// The protocol address whose owner it asks for, if it asks.
    pub(crate) target: Option<IpAddr>,
}

/// What the body of a frame says.
struct Said {
    kind: SightingKind,
    address: Option<IpAddr>,
    target: Option<IpAddr>,
}

impl Said {
    const NOTHING: Self = Self { kind: SightingKind::Data, address: None, target: None };
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
    let Said { kind, address, target } = match ethernet.ethertype() {
        EthernetProtocol::Arp => arp(source, ethernet.payload())?,
        EthernetProtocol::Unknown(ETHERTYPE_RARP) => rarp(source, ethernet.payload())?,
        EthernetProtocol::Ipv6 => ipv6(ethernet.payload())?,
        EthernetProtocol::Ipv4 | EthernetProtocol::Unknown(_) => Said::NOTHING,
    };
    Ok(Sighting { source, destination: MacAddr(ethernet.dst_addr().0), kind, address, target })
}

fn arp(source: MacAddr, body: &[u8]) -> Result<Said, FrameError> {
    let packet = ArpPacket::new_checked(body).map_err(|_| FrameError::MalformedArp)?;
    let ArpRepr::EthernetIpv4 { operation, source_hardware_addr, source_protocol_addr, target_protocol_addr, .. } =
        ArpRepr::parse(&packet).map_err(|_| FrameError::MalformedArp)?
    else {
        return Err(FrameError::MalformedArp);
    };
    if source_hardware_addr.0 != source.octets() {
        return Err(FrameError::SenderMismatch);
    }
    // Of a gratuitous ARP, both are the sender's.
    let asks = operation == ArpOperation::Request && source_protocol_addr != target_protocol_addr;
    let target = asks.then_some(IpAddr::V4(target_protocol_addr));
    if source_protocol_addr.is_unspecified() {
        return Ok(Said { kind: SightingKind::DuplicateAddressDetection, address: None, target });
    }
    let usable = !source_protocol_addr.is_multicast() && !source_protocol_addr.is_broadcast();
    Ok(Said { kind: SightingKind::Arp, address: usable.then_some(IpAddr::V4(source_protocol_addr)), target })
}

/// RARP has ARP's layout (RFC 903). Hypervisors send "request reverse" with both hardware addresses the VM's; its
/// protocol addresses mean nothing here.
fn rarp(source: MacAddr, body: &[u8]) -> Result<Said, FrameError> {
    let packet = ArpPacket::new_checked(body).map_err(|_| FrameError::MalformedArp)?;
    if packet.hardware_type() != ArpHardware::Ethernet || packet.hardware_len() != 6 {
        return Err(FrameError::MalformedArp);
    }
    if packet.source_hardware_addr() != source.octets() {
        return Err(FrameError::SenderMismatch);
    }
    Ok(Said { kind: SightingKind::Rarp, ..Said::NOTHING })
}

fn ipv6(body: &[u8]) -> Result<Said, FrameError> {
    let Ok(packet) = Ipv6Packet::new_checked(body) else { return Ok(Said::NOTHING) };
    // RFC 4861, section 7.1: a message with a hop limit other than 255 came through a router.
    if packet.next_header() != IpProtocol::Icmpv6 || packet.hop_limit() != 255 {
        return Ok(Said::NOTHING);
    }
    let (source, destination) = (packet.src_addr(), packet.dst_addr());
    let Ok(message) = Icmpv6Packet::new_checked(packet.payload()) else { return Ok(Said::NOTHING) };
    if !matches!(message.msg_type(), Icmpv6Message::NeighborSolicit | Icmpv6Message::NeighborAdvert) {
        return Ok(Said::NOTHING);
    }
    match Icmpv6Repr::parse(&source, &destination, &message, &ChecksumCapabilities::default()) {
        Ok(Icmpv6Repr::Ndisc(NdiscRepr::NeighborSolicit { target_addr, .. })) => {
            let target = Some(IpAddr::V6(target_addr));
            Ok(if source.is_unspecified() {
                Said { kind: SightingKind::DuplicateAddressDetection, address: None, target }
            } else {
                Said { kind: SightingKind::NeighborDiscovery, address: Some(IpAddr::V6(source)), target }
            })
        }
        Ok(Icmpv6Repr::Ndisc(NdiscRepr::NeighborAdvert { target_addr, .. })) => {
            Ok(Said { kind: SightingKind::NeighborDiscovery, address: Some(IpAddr::V6(target_addr)), target: None })
        }
        Ok(_) | Err(_) => Err(FrameError::MalformedNeighborDiscovery),
    }
}
