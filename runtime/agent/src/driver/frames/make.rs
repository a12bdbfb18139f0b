//! Frames of our own: questions to hosts, answers in their name, and marks in the stream.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, Icmpv6Packet,
    Icmpv6Repr, IpProtocol, Ipv6Packet, Ipv6Repr, NdiscNeighborFlags, NdiscRepr,
};
use vouch_net::MacAddr;

use crate::config::ProbeAs;

/// EtherType for experiments on a local network (IEEE 802, section 9.2.3.6): our marks never leave the switch.
const ETHERTYPE_MARK: u16 = 0x88b5;
/// The shortest Ethernet frame, without its checksum.
const SHORTEST: usize = 60;
const ETHERNET: usize = 14;
const ARP: usize = 28;
/// Option "Nonce" of neighbour discovery (RFC 3971, section 5.3.2) and its length, in units of 8 bytes. Who does not know it
/// ignores it (RFC 4861, section 4.6).
const NONCE: [u8; 2] = [14, 1];
/// Where the number stands in it: behind the solicitation and its link-layer address.
const NONCE_AT: usize = ETHERNET + 40 + 24 + 8;

/// A number that a question carries, so that its copy is known when it comes back: 48 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tag(u64);

impl Tag {
    /// The lowest 48 bits of a number.
    pub(crate) const fn of(number: u64) -> Self {
        Self(number & 0xffff_ffff_ffff)
    }

    fn bytes(self) -> [u8; 6] {
        let [_, _, bytes @ ..] = self.0.to_be_bytes();
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; 6] = bytes.try_into().ok()?;
        Some(Self(bytes.into_iter().fold(0, |number, byte| number << 8 | u64::from(byte))))
    }
}

/// Where a probe says it comes from (rule 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProbeSource {
    /// The frame's own source: this VTEP's probe MAC in any case, so that no bridge on the way learns the gateway's MAC here.
    frame: MacAddr,
    /// The pair that the host writes into its ARP cache.
    arp: (Ipv4Addr, MacAddr),
    /// The pair that it writes into its neighbour cache.
    neighbour: (Ipv6Addr, MacAddr),
}

impl ProbeSource {
    /// In whose name to ask. What is not sent to the probe MAC is only seen if it comes from where the host is recorded, so
    /// in the gateway's name a host is asked there only.
    pub(crate) fn new(probe_as: ProbeAs, probe_mac: MacAddr, seen_there: bool) -> Self {
        let nobody = Ipv4Addr::UNSPECIFIED;
        let own = link_local(probe_mac);
        let (arp, neighbour) = match probe_as {
            ProbeAs::Gateway { ip, mac, ipv6 } if seen_there => {
                ((ip, mac), ipv6.map_or((own, probe_mac), |ipv6| (ipv6, mac)))
            }
            ProbeAs::Nobody | ProbeAs::Gateway { .. } => ((nobody, probe_mac), (own, probe_mac)),
            ProbeAs::Address { ipv4, ipv6 } => ((ipv4.unwrap_or(nobody), probe_mac), (ipv6.unwrap_or(own), probe_mac)),
        };
        Self { frame: probe_mac, arp, neighbour }
    }
}

/// The frame that asks `host` whether it still has `target`: an ARP request or a neighbour solicitation, unicast to
/// the host. The tag is in the padding of the one, and a nonce of the other.
pub(crate) fn probe(source: &ProbeSource, host: MacAddr, target: IpAddr, tag: Tag) -> Vec<u8> {
    match target {
        IpAddr::V4(target) => {
            let arp = ArpRepr::EthernetIpv4 {
                operation: ArpOperation::Request,
                source_hardware_addr: ethernet_address(source.arp.1),
                source_protocol_addr: source.arp.0,
                target_hardware_addr: ethernet_address(MacAddr::ZERO),
                target_protocol_addr: target,
            };
            let mut frame = arp_frame(source.frame, host, &arp);
            frame[ETHERNET + ARP..][..6].copy_from_slice(&tag.bytes());
            frame
        }
        IpAddr::V6(target) => {
            let (sender, mac) = source.neighbour;
            let solicitation =
                NdiscRepr::NeighborSolicit { target_addr: target, lladdr: Some(ethernet_address(mac).into()) };
            let mut nonce = NONCE.to_vec();
            nonce.extend(tag.bytes());
            neighbour_frame(source.frame, host, (sender, target), solicitation, &nonce)
        }
    }
}

/// The tag of a probe.
pub(crate) fn tag(frame: &[u8]) -> Option<Tag> {
    match frame.get(12..ETHERNET)? {
        [0x08, 0x06] => Tag::from_bytes(frame.get(ETHERNET + ARP..)?.get(..6)?),
        [0x86, 0xdd] if frame.get(NONCE_AT..)?.starts_with(&NONCE) => {
            Tag::from_bytes(frame.get(NONCE_AT + 2..)?.get(..6)?)
        }
        _ => None,
    }
}

/// A frame that tells, when it is back, that all that was in the stream before it has been heard.
pub(crate) fn mark(source: MacAddr, number: u64) -> Vec<u8> {
    let mut frame = ethernet(source, source, EthernetProtocol::Unknown(ETHERTYPE_MARK), SHORTEST - ETHERNET, |body| {
        body[..8].copy_from_slice(&number.to_be_bytes());
    });
    frame.truncate(SHORTEST);
    frame
}

/// The number of a mark.
pub(crate) fn mark_number(frame: &[u8]) -> Option<u64> {
    if frame.get(12..ETHERNET)? != ETHERTYPE_MARK.to_be_bytes() {
        return None;
    }
    frame.get(ETHERNET..ETHERNET + 8)?.try_into().ok().map(u64::from_be_bytes)
}

/// Who asks for an address, and so to whom its owner answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asker {
    /// Its MAC address.
    pub(crate) mac: MacAddr,
    /// The address it asked from.
    pub(crate) address: IpAddr,
}

/// What `owner` would answer who asks for `target`, of the same family: an ARP reply or a neighbour advertisement.
pub(crate) fn answer(asker: Asker, target: IpAddr, owner: MacAddr) -> Option<Vec<u8>> {
    match (asker.address, target) {
        (IpAddr::V4(address), IpAddr::V4(target)) => {
            let arp = ArpRepr::EthernetIpv4 {
                operation: ArpOperation::Reply,
                source_hardware_addr: ethernet_address(owner),
                source_protocol_addr: target,
                target_hardware_addr: ethernet_address(asker.mac),
                target_protocol_addr: address,
            };
            Some(arp_frame(owner, asker.mac, &arp))
        }
        (IpAddr::V6(address), IpAddr::V6(target)) => {
            let advertisement = NdiscRepr::NeighborAdvert {
                flags: NdiscNeighborFlags::SOLICITED | NdiscNeighborFlags::OVERRIDE,
                target_addr: target,
                lladdr: Some(ethernet_address(owner).into()),
            };
            Some(neighbour_frame(owner, asker.mac, (target, address), advertisement, &[]))
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
    }
}

fn ethernet_address(mac: MacAddr) -> EthernetAddress {
    EthernetAddress(mac.octets())
}

fn arp_frame(source: MacAddr, destination: MacAddr, arp: &ArpRepr) -> Vec<u8> {
    ethernet(source, destination, EthernetProtocol::Arp, arp.buffer_len(), |body| {
        arp.emit(&mut ArpPacket::new_unchecked(body));
    })
}

/// A message of neighbour discovery, with further options behind its own.
fn neighbour_frame(
    source: MacAddr,
    destination: MacAddr,
    (from, to): (Ipv6Addr, Ipv6Addr),
    message: NdiscRepr<'_>,
    options: &[u8],
) -> Vec<u8> {
    let message = Icmpv6Repr::Ndisc(message);
    let length = message.buffer_len();
    let ip = Ipv6Repr {
        src_addr: from,
        dst_addr: to,
        next_header: IpProtocol::Icmpv6,
        payload_len: length + options.len(),
        hop_limit: 255,
    };
    ethernet(source, destination, EthernetProtocol::Ipv6, ip.buffer_len() + ip.payload_len, |body| {
        let mut packet = Ipv6Packet::new_unchecked(body);
        ip.emit(&mut packet);
        let payload = packet.payload_mut();
        message.emit(
            &from,
            &to,
            &mut Icmpv6Packet::new_unchecked(&mut payload[..length]),
            &ChecksumCapabilities::ignored(),
        );
        payload[length..length + options.len()].copy_from_slice(options);
        Icmpv6Packet::new_unchecked(&mut payload[..length + options.len()]).fill_checksum(&from, &to);
    })
}

/// A frame of at least the shortest length.
fn ethernet(
    source: MacAddr,
    destination: MacAddr,
    ethertype: EthernetProtocol,
    body_length: usize,
    write_body: impl FnOnce(&mut [u8]),
) -> Vec<u8> {
    let header =
        EthernetRepr { src_addr: ethernet_address(source), dst_addr: ethernet_address(destination), ethertype };
    let mut bytes = vec![0; (header.buffer_len() + body_length).max(SHORTEST)];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    header.emit(&mut frame);
    write_body(&mut frame.payload_mut()[..body_length]);
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
