//! Small builders of frames, and the parts of them that tests look at.

use std::net::{Ipv4Addr, Ipv6Addr};

use vouch_net::MacAddr;

pub(crate) type Bytes = Vec<u8>;

pub(crate) const ARP: u16 = 0x0806;
pub(crate) const RARP: u16 = 0x8035;
pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const IPV6: u16 = 0x86dd;

pub(crate) fn ethernet(dst: MacAddr, src: MacAddr, ether_type: u16, payload: &[u8]) -> Bytes {
    [&dst.0[..], &src.0, &ether_type.to_be_bytes(), payload].concat()
}

/// Puts a VLAN tag into a frame.
pub(crate) fn tagged(vlan: u16, frame: &[u8]) -> Bytes {
    [&frame[..12], &[0x81, 0], &vlan.to_be_bytes(), &frame[12..]].concat()
}

/// ARP or RARP by type; `operation` 1 request, 2 reply, 3 reverse request.
pub(crate) fn arp(
    dst: MacAddr,
    src: MacAddr,
    ether_type: u16,
    operation: u16,
    sender: Ipv4Addr,
    target: Ipv4Addr,
) -> Bytes {
    let mut payload = vec![0, 1, 8, 0, 6, 4];
    payload.extend(operation.to_be_bytes());
    payload.extend(src.0);
    payload.extend(sender.octets());
    payload.extend([0; 6]);
    payload.extend(target.octets());
    ethernet(dst, src, ether_type, &payload)
}

/// A gratuitous ARP, the announcement of a host.
pub(crate) fn announcement(src: MacAddr) -> Bytes {
    let address = Ipv4Addr::new(192, 168, 0, src.0[5]);
    arp(MacAddr::BROADCAST, src, ARP, 1, address, address)
}

/// ICMPv6 of a type, with the 20 bytes that neighbour discovery has after the checksum.
pub(crate) fn icmpv6(dst: MacAddr, src: MacAddr, message_type: u8) -> Bytes {
    let mut message = vec![message_type, 0, 0, 0];
    message.extend([0; 20]);
    ethernet(dst, src, IPV6, &ipv6(0, 58, &message))
}

/// Neighbour discovery: 135 solicitation, 136 advertisement.
pub(crate) fn neighbour_discovery(
    dst: MacAddr,
    src: MacAddr,
    message_type: u8,
    source: Ipv6Addr,
    target: Ipv6Addr,
) -> Bytes {
    let message = [&[message_type, 0, 0, 0, 0, 0, 0, 0][..], &target.octets()].concat();
    let mut frame = ethernet(dst, src, IPV6, &ipv6(0, 58, &message));
    frame[22..38].copy_from_slice(&source.octets());
    frame
}

/// The addresses that a solicitation for an address goes to everybody by.
pub(crate) fn solicited_node(address: Ipv6Addr) -> MacAddr {
    let [.., a, b, c] = address.octets();
    MacAddr([0x33, 0x33, 0xff, a, b, c])
}

/// An IPv4 packet with a right checksum.
pub(crate) struct Ipv4 {
    pub(crate) tos: u8,
    pub(crate) fragment: u16,
    pub(crate) ttl: u8,
    pub(crate) protocol: u8,
    pub(crate) src: Ipv4Addr,
    pub(crate) dst: Ipv4Addr,
    pub(crate) options: Bytes,
}

impl Ipv4 {
    pub(crate) fn new(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8) -> Self {
        Self { tos: 0, fragment: 0x4000, ttl: 64, protocol, src, dst, options: Vec::new() }
    }

    pub(crate) fn with(&self, payload: &[u8]) -> Bytes {
        let words = 5 + self.options.len() as u8 / 4;
        let total = u16::from(words) * 4 + payload.len() as u16;
        let mut header = vec![0x40 | words, self.tos];
        header.extend(total.to_be_bytes());
        header.extend([0, 0]);
        header.extend(self.fragment.to_be_bytes());
        header.extend([self.ttl, self.protocol, 0, 0]);
        header.extend(self.src.octets());
        header.extend(self.dst.octets());
        header.extend(&self.options);
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        [&header[..], payload].concat()
    }
}

pub(crate) fn ipv6(traffic_class: u8, next_header: u8, payload: &[u8]) -> Bytes {
    let mut packet = vec![0x60 | traffic_class >> 4, traffic_class << 4, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next_header, 255]);
    packet.extend(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1).octets());
    packet.extend(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2).octets());
    [packet, payload.to_vec()].concat()
}

/// UDP with checksum 0.
pub(crate) fn udp(src: u16, dst: u16, payload: &[u8]) -> Bytes {
    let length = (8 + payload.len()) as u16;
    [&src.to_be_bytes()[..], &dst.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload].concat()
}

pub(crate) fn vxlan(flags: u8, vni: u32, inner: &[u8]) -> Bytes {
    [&[flags, 0, 0, 0][..], &vni.to_be_bytes()[1..], &[0], inner].concat()
}

/// A tenant's UDP packet over IPv4.
pub(crate) fn data(dst: MacAddr, src: MacAddr) -> Bytes {
    data_with(dst, src, 0, 1000)
}

/// The same with a type of service and a source port.
pub(crate) fn data_with(dst: MacAddr, src: MacAddr, tos: u8, port: u16) -> Bytes {
    let header = Ipv4 { tos, ..Ipv4::new(Ipv4Addr::new(192, 168, 0, 1), Ipv4Addr::new(192, 168, 0, 2), 17) };
    ethernet(dst, src, IPV4, &header.with(&udp(port, 2000, b"some payload")))
}

/// RFC 1071. Of a header with its own checksum in it, 0.
pub(crate) fn checksum(header: &[u8]) -> u16 {
    let mut sum: u32 =
        header.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !sum as u16
}

/// The number at an offset.
pub(crate) fn word(frame: &[u8], offset: usize) -> u16 {
    u16::from_be_bytes([frame[offset], frame[offset + 1]])
}
