//! Frames, written down by their headers. Each function gives a header with what it carries behind it.

/// An Ethernet address.
pub type Mac = [u8; 6];
/// An IPv4 address.
pub type Ip = [u8; 4];

/// Everybody.
pub const BROADCAST: Mac = [0xff; 6];

/// ARP: 1 is a request, 2 a reply; with RARP 3 is a request.
#[derive(Clone, Copy)]
pub struct Arp {
    /// What is asked or said.
    pub operation: u8,
    /// Who says it.
    pub sender: (Mac, Ip),
    /// Whom it is about.
    pub target: (Mac, Ip),
}

/// An IPv4 packet's fields that the pipeline looks at.
#[derive(Clone, Copy)]
pub struct Ipv4 {
    /// Explicit congestion notification, 2 bits.
    pub ecn: u8,
    /// More fragments, and the offset in units of 8 bytes.
    pub fragment: (bool, u16),
    /// Time to live.
    pub ttl: u8,
    /// Source address.
    pub src: Ip,
    /// Destination address.
    pub dst: Ip,
}

impl Ipv4 {
    /// An ordinary packet.
    pub fn new(src: Ip, dst: Ip) -> Self {
        Self { ecn: 0, fragment: (false, 0), ttl: 64, src, dst }
    }

    /// The header, with options and its checksum, before `payload` of this protocol.
    pub fn packet(self, protocol: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
        let header_bytes = 20 + options.len();
        let total = u16::try_from(header_bytes + payload.len()).expect("test packets are short");
        let more = if self.fragment.0 { 0x2000 } else { 0 };
        let mut header = vec![0x40 | (header_bytes / 4) as u8, self.ecn];
        header.extend(total.to_be_bytes());
        header.extend([0x12, 0x34]);
        header.extend((more | self.fragment.1).to_be_bytes());
        header.extend([self.ttl, protocol, 0, 0]);
        header.extend(self.src);
        header.extend(self.dst);
        header.extend(options);
        let checksum = checksum(&header);
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
        header.extend(payload);
        header
    }

    /// A UDP packet with no UDP checksum.
    pub fn udp(self, src: u16, dst: u16, payload: &[u8]) -> Vec<u8> {
        self.packet(17, &[], &udp(src, dst, payload))
    }
}

/// An Ethernet frame.
pub fn ethernet(dst: Mac, src: Mac, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&dst[..], &src, &ether_type.to_be_bytes(), payload].concat()
}

/// The frame with a VLAN tag.
pub fn tagged(vlan_id: u16, frame: &[u8]) -> Vec<u8> {
    [&frame[..12], &[0x81, 0], &vlan_id.to_be_bytes(), &frame[12..]].concat()
}

/// An ARP frame from its sender.
pub fn arp(dst: Mac, arp: Arp) -> Vec<u8> {
    arp_family(dst, 0x0806, arp)
}

/// A reverse ARP frame, as hypervisors send.
pub fn rarp(src: Mac) -> Vec<u8> {
    arp_family(BROADCAST, 0x8035, Arp { operation: 3, sender: (src, [0; 4]), target: (src, [0; 4]) })
}

fn arp_family(dst: Mac, ether_type: u16, arp: Arp) -> Vec<u8> {
    let fixed = [0, 1, 8, 0, 6, 4, 0, arp.operation];
    let body = [&fixed[..], &arp.sender.0, &arp.sender.1, &arp.target.0, &arp.target.1].concat();
    // Padded to the least length of a frame, as a network card would.
    let mut frame = ethernet(dst, arp.sender.0, ether_type, &body);
    frame.resize(60, 0);
    frame
}

/// A UDP datagram with no checksum.
pub fn udp(src: u16, dst: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).expect("test packets are short");
    [&src.to_be_bytes()[..], &dst.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload].concat()
}

/// A UDP frame between two hosts that are known by their last byte.
pub fn data(dst: Mac, src: Mac) -> Vec<u8> {
    let ip = Ipv4::new([10, 0, 0, src[5]], [10, 0, 0, dst[5]]);
    ethernet(dst, src, 0x0800, &ip.udp(4000, 5000, b"sixteen bytes...twice, sixteen bytes"))
}

/// An IPv6 packet.
pub fn ipv6(ecn: u8, next_header: u8, (src, dst): (u8, u8), payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("test packets are short");
    let address = |last: u8| [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    let head = [0x60, ecn << 4, 0, 7];
    [&head[..], &length.to_be_bytes(), &[next_header, 255], &address(src), &address(dst), payload].concat()
}

/// A neighbour solicitation (135) or advertisement (136). Its checksum is nobody's business here.
pub fn neighbour(dst: Mac, src: Mac, message: u8) -> Vec<u8> {
    let mut body = vec![message, 0, 0xaa, 0xbb, 0x20, 0, 0, 0];
    body.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, src[5]]);
    ethernet(dst, src, 0x86dd, &ipv6(0, 58, (src[5], dst[5]), &body))
}

/// A VXLAN header (RFC 7348, section 5) before a frame.
pub fn vxlan(flags: u8, vni: u32, frame: &[u8]) -> Vec<u8> {
    [&[flags, 0, 0, 0][..], &(vni << 8).to_be_bytes(), frame].concat()
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// A frame for people: bytes in hexadecimal.
pub fn hex(frame: &[u8]) -> String {
    frame.iter().map(|byte| format!("{byte:02x}")).collect()
}
