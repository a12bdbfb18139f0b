//! What the kernel left to the network card: checksums that are half computed, and segments that are not cut yet.
//!
//! A frame between two interfaces of one machine never meets a card, so nobody finishes it. A switch that carried it on as
//! it is would send a wrong checksum out, or put a frame of 64 KiB into a tunnel. The kernel says what is missing in the
//! `virtio_net_hdr` in front of each frame (Virtual I/O Device 1.2, section 5.1.6); here it is done.

/// The header that says what is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offload {
    /// Where the sum starts, and where from there it is stored.
    checksum: Option<(usize, usize)>,
    /// What is to be cut, and how many bytes of payload a segment takes.
    segments: Option<(Transport, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Tcp,
    Udp,
}

/// A frame that cannot be finished. It is lost, as a card would lose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfinished {
    #[error("the kernel wants a segmentation of type {0}, which is not known")]
    Kind(u8),
    #[error("the checksum lies outside of the frame")]
    Outside,
    #[error("the segments' headers are not Ethernet, IP and TCP or UDP, in VXLAN or not")]
    Headers,
}

impl Offload {
    /// Bytes of the header.
    pub(super) const BYTES: usize = 10;

    /// Read the header, which is in the machine's own byte order.
    pub(super) fn parse(header: [u8; Self::BYTES]) -> Result<Self, Unfinished> {
        const NEEDS_CHECKSUM: u8 = 1;
        // Says that CWR is to be handled as in `Transport::adapt`; there is no other way to do it.
        const ECN: u8 = 0x80;
        let word = |at: usize| usize::from(u16::from_ne_bytes([header[at], header[at + 1]]));
        let transport = match header[1] & !ECN {
            0 => None,
            1 | 4 => Some(Transport::Tcp),
            5 => Some(Transport::Udp),
            other => return Err(Unfinished::Kind(other)),
        };
        Ok(Self {
            checksum: (header[0] & NEEDS_CHECKSUM != 0).then(|| (word(6), word(8))),
            segments: transport.map(|transport| (transport, word(4))),
        })
    }

    /// Finish a frame, and hand over the one or more frames that it is.
    pub(super) fn finish(self, frame: &mut [u8], mut emit: impl FnMut(&[u8])) -> Result<(), Unfinished> {
        if let (Some((transport, size)), Some((start, _))) = (self.segments, self.checksum) {
            return cut(frame, transport, size, start, emit);
        }
        if let Some((start, offset)) = self.checksum {
            // The field has the sum over the pseudo header already.
            let sum = checksum(&[frame.get(start..).ok_or(Unfinished::Outside)?]);
            put(frame, start + offset, nonzero(sum)).ok_or(Unfinished::Outside)?;
        }
        emit(frame);
        Ok(())
    }
}

/// One IP header of a frame and what it carries.
#[derive(Clone, Copy, Debug)]
struct Layer {
    ip: usize,
    is_v6: bool,
    transport: usize,
}

/// The IP headers down to the one whose transport header is at `target`: one, or several where it is in VXLAN.
fn layers(frame: &[u8], target: usize) -> Option<Vec<Layer>> {
    const UDP: u8 = 17;
    const VXLAN_AND_MAC_ADDRESSES: usize = 8 + 12;
    let mut layers = Vec::new();
    let mut at = 12;
    loop {
        let mut kind = word(frame, at)?;
        at += 2;
        while matches!(kind, 0x8100 | 0x88a8) {
            kind = word(frame, at + 2)?;
            at += 4;
        }
        let (protocol, transport) = match kind {
            0x0800 => (*frame.get(at + 9)?, at + usize::from(frame.get(at)? & 15).max(5) * 4),
            0x86dd => after_extensions(frame, at)?,
            _ => return None,
        };
        layers.push(Layer { ip: at, is_v6: kind == 0x86dd, transport });
        if transport == target {
            return Some(layers);
        }
        if transport > target || protocol != UDP {
            return None;
        }
        at = transport + 8 + VXLAN_AND_MAC_ADDRESSES;
    }
}

/// Protocol and place of what follows an IPv6 header and its extensions (RFC 8200, section 4).
fn after_extensions(frame: &[u8], ip: usize) -> Option<(u8, usize)> {
    let (mut next, mut at) = (*frame.get(ip + 6)?, ip + 40);
    while matches!(next, 0 | 43 | 60) {
        next = *frame.get(at)?;
        at += (usize::from(*frame.get(at + 1)?) + 1) * 8;
    }
    Some((next, at))
}

fn cut(
    frame: &[u8],
    transport: Transport,
    size: usize,
    start: usize,
    mut emit: impl FnMut(&[u8]),
) -> Result<(), Unfinished> {
    let layers = layers(frame, start).ok_or(Unfinished::Headers)?;
    let length = transport.header(frame, start).ok_or(Unfinished::Headers)?;
    let (headers, payload) = frame.split_at_checked(start + length).ok_or(Unfinished::Headers)?;
    if size == 0 {
        return Err(Unfinished::Headers);
    }
    let last = payload.len().div_ceil(size).max(1) - 1;
    let mut segment = Vec::with_capacity(headers.len() + size);
    for (number, part) in payload.chunks(size).enumerate() {
        segment.clear();
        segment.extend_from_slice(headers);
        segment.extend_from_slice(part);
        transport.adapt(&mut segment[start..], number, size, number == last);
        for (depth, layer) in layers.iter().enumerate().rev() {
            let innermost = depth + 1 == layers.len();
            layer.adapt(&mut segment, number, if innermost { transport } else { Transport::Udp }, innermost);
        }
        emit(&segment);
    }
    Ok(())
}

impl Transport {
    fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }

    /// Where the checksum is in the header.
    fn checksum(self) -> usize {
        match self {
            Self::Tcp => 16,
            Self::Udp => 6,
        }
    }

    fn header(self, frame: &[u8], at: usize) -> Option<usize> {
        match self {
            Self::Tcp => Some(usize::from(frame.get(at + 12)? >> 4) * 4).filter(|length| *length >= 20),
            Self::Udp => Some(8),
        }
    }

    /// What differs between segments: the sequence number; FIN and PSH belong to the last, CWR to the first.
    fn adapt(self, header: &mut [u8], number: usize, size: usize, last: bool) {
        const FIN_PSH: u8 = 0x09;
        const CWR: u8 = 0x80;
        if self == Self::Udp {
            return;
        }
        let [a, b, c, d] = [header[4], header[5], header[6], header[7]];
        let sequence = u32::from_be_bytes([a, b, c, d]).wrapping_add((number * size) as u32);
        header[4..8].copy_from_slice(&sequence.to_be_bytes());
        if number > 0 {
            header[13] &= !CWR;
        }
        if !last {
            header[13] &= !FIN_PSH;
        }
    }
}

impl Layer {
    /// Lengths, the identification and the checksums of one segment. Everything inside must be final.
    fn adapt(self, segment: &mut [u8], number: usize, transport: Transport, innermost: bool) {
        let Self { ip, is_v6, transport: at } = self;
        let length = segment.len() - ip;
        if is_v6 {
            set(segment, ip + 4, (length - 40) as u16);
        } else {
            set(segment, ip + 2, length as u16);
            let identification = word(segment, ip + 4).unwrap_or(0).wrapping_add(number as u16);
            set(segment, ip + 4, identification);
            set(segment, ip + 10, 0);
            let sum = checksum(&[&segment[ip..at.min(ip + 60)]]);
            set(segment, ip + 10, sum);
        }
        let length = segment.len() - at;
        if transport == Transport::Udp {
            set(segment, at + 4, length as u16);
        }
        // A tunnel's own UDP checksum is optional (RFC 7348, section 5).
        if !innermost && word(segment, at + transport.checksum()) == Some(0) {
            return;
        }
        set(segment, at + transport.checksum(), 0);
        let addresses = if is_v6 { &segment[ip + 8..ip + 40] } else { &segment[ip + 12..ip + 20] };
        let [a, b, c, d] = (length as u32).to_be_bytes();
        let sum = checksum(&[addresses, &[a, b, c, d, 0, transport.number()], &segment[at..]]);
        set(segment, at + transport.checksum(), nonzero(sum));
    }
}

/// The Internet checksum (RFC 1071) of parts that follow each other; all but the last have an even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u64;
    for part in parts {
        let mut words = part.chunks_exact(2);
        sum += words.by_ref().map(|word| u64::from(u16::from_be_bytes([word[0], word[1]]))).sum::<u64>();
        if let [odd] = words.remainder() {
            sum += u64::from(*odd) << 8;
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Zero means "no checksum" to UDP, and its other spelling is as good to TCP.
fn nonzero(sum: u16) -> u16 {
    if sum == 0 { 0xffff } else { sum }
}

fn word(frame: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]))
}

fn put(frame: &mut [u8], at: usize, value: u16) -> Option<()> {
    frame.get_mut(at..at + 2)?.copy_from_slice(&value.to_be_bytes());
    Some(())
}

/// Sets a word at a place that has been read before.
fn set(frame: &mut [u8], at: usize, value: u16) {
    let _ = put(frame, at, value);
}

/// Whether the checksums of a frame are right: of the outermost IPv4 header, and of TCP or UDP over it. `None` where the
/// frame carries neither.
#[cfg(test)]
fn checksums_are_right(frame: &[u8]) -> Option<bool> {
    let ip = 14 + if word(frame, 12)? == 0x8100 { 4 } else { 0 };
    let (protocol, at, addresses) = match word(frame, ip - 2)? {
        0x0800 => (*frame.get(ip + 9)?, ip + usize::from(frame.get(ip)? & 15) * 4, frame.get(ip + 12..ip + 20)?),
        0x86dd => (*frame.get(ip + 6)?, ip + 40, frame.get(ip + 8..ip + 40)?),
        _ => return None,
    };
    let is_v4 = addresses.len() == 8;
    let header_is_right = !is_v4 || checksum(&[frame.get(ip..at)?]) == 0;
    let end = if is_v4 { ip + usize::from(word(frame, ip + 2)?) } else { at + usize::from(word(frame, ip + 4)?) };
    if !matches!(protocol, 6 | 17) {
        return None;
    }
    let carried = frame.get(at..end)?;
    let [a, b, c, d] = (carried.len() as u32).to_be_bytes();
    Some(header_is_right && checksum(&[addresses, &[a, b, c, d, 0, protocol], carried]) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A TCP segment of `payload` bytes as the kernel hands it over: checksum not yet computed, lengths of the whole.
    fn tcp(payload: usize) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        let total = 40 + payload as u16;
        frame.extend([0x45, 0, (total >> 8) as u8, total as u8, 0, 7, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend([0x12, 0x34, 0, 80, 0, 0, 0, 100, 0, 0, 0, 1, 0x50, 0x99, 1, 0, 0, 0, 0, 0]);
        frame.extend((0..payload).map(|byte| byte as u8));
        frame
    }

    fn vxlan(inner: &[u8]) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 8, 2, 0, 0, 0, 0, 9, 8, 0];
        let total = (inner.len() + 36) as u16;
        frame.extend([0x45, 0, (total >> 8) as u8, total as u8, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2]);
        frame.extend([0xc0, 0, 0x12, 0xb5, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 1, 0]);
        frame.extend_from_slice(inner);
        frame
    }

    fn finish(offload: Offload, mut frame: Vec<u8>) -> Result<Vec<Vec<u8>>, Unfinished> {
        let mut frames = Vec::new();
        offload.finish(&mut frame, |frame| frames.push(frame.to_vec()))?;
        Ok(frames)
    }

    #[test]
    fn the_kernels_header_is_read() {
        let native = |value: u16| value.to_ne_bytes();
        let [[a, b], [c, d], [e, f]] = [native(1448), native(34), native(16)];
        let parsed = Offload::parse([1, 0x81, 0, 0, a, b, c, d, e, f]);
        let expected = Offload { checksum: Some((34, 16)), segments: Some((Transport::Tcp, 1448)) };
        assert_eq!(parsed, Ok(expected));
        assert_eq!(Offload::parse([0; 10]), Ok(Offload::default()));
        assert_eq!(Offload::parse([0, 3, 0, 0, 0, 0, 0, 0, 0, 0]), Err(Unfinished::Kind(3)));
    }

    #[test]
    fn a_half_computed_checksum_is_finished() {
        let mut frame = tcp(3);
        // The kernel's half: the sum over the pseudo header, not inverted.
        let half = !checksum(&[&[10, 0, 0, 1, 10, 0, 0, 2, 0, 6, 0, 23]]);
        set(&mut frame, 50, half);
        let sum = checksum(&[&frame[14..34]]);
        set(&mut frame, 24, sum);
        let frames = finish(Offload { checksum: Some((34, 16)), segments: None }, frame).expect("it is inside");
        assert_eq!(checksums_are_right(&frames[0]), Some(true));
        let outside = Offload { checksum: Some((80, 16)), segments: None };
        assert_eq!(finish(outside, tcp(3)), Err(Unfinished::Outside));
    }

    #[test]
    fn segments_are_cut_as_a_card_does() {
        let offload = Offload { checksum: Some((34, 16)), segments: Some((Transport::Tcp, 1000)) };
        let frames = finish(offload, tcp(2500)).expect("they can be cut");
        let lengths: Vec<_> = frames.iter().map(Vec::len).collect();
        assert_eq!(lengths, [1054, 1054, 554]);
        let flags: Vec<_> = frames.iter().map(|frame| frame[47]).collect();
        assert_eq!(flags, [0x90, 0x10, 0x19], "CWR in the first, PSH and FIN in the last");
        let sequences: Vec<_> = frames.iter().map(|frame| word(frame, 40)).collect();
        assert_eq!(sequences, [Some(100), Some(1100), Some(2100)]);
        let identifications: Vec<_> = frames.iter().map(|frame| word(frame, 18)).collect();
        assert_eq!(identifications, [Some(7), Some(8), Some(9)]);
        assert!(frames.iter().all(|frame| checksums_are_right(frame) == Some(true)));
    }

    #[test]
    fn segments_in_a_tunnel_get_whole_tunnels() {
        let offload = Offload { checksum: Some((84, 16)), segments: Some((Transport::Tcp, 1000)) };
        let frames = finish(offload, vxlan(&tcp(2500))).expect("they can be cut");
        assert_eq!(frames.len(), 3);
        for frame in &frames {
            assert_eq!(word(frame, 38), Some(frame.len() as u16 - 34), "the outer UDP length");
            assert_eq!(checksum(&[&frame[14..34]]), 0, "the outer IPv4 checksum");
            assert_eq!(checksums_are_right(&frame[50..]), Some(true));
        }
    }

    #[test]
    fn what_cannot_be_cut_is_refused() {
        let offload = |start| Offload { checksum: Some((start, 16)), segments: Some((Transport::Tcp, 1000)) };
        assert_eq!(finish(offload(35), tcp(2500)), Err(Unfinished::Headers));
        assert_eq!(finish(offload(34), tcp(2500)[..40].to_vec()), Err(Unfinished::Headers));
        assert_eq!(finish(offload(34), Vec::new()), Err(Unfinished::Headers));
    }
}
