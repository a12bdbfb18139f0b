//! The UDP payloads of the lab, recognisable in any frame.

/// Length of a stream's payload: a small voice packet.
const STREAM_PAYLOAD: usize = 160;

const STREAM: &[u8; 8] = b"VLSTREAM";
const GREETING: &[u8; 8] = b"VLHELLO!";

/// What a datagram of the lab says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// One packet of a stream.
    Stream { stream: u32, sequence: u64 },
    /// A broadcast "here I am", for finding out who can hear whom.
    Greeting { from: String },
}

impl Payload {
    /// The payload's bytes. `sent_us` is for people who read captures: microseconds since the stream began.
    pub(crate) fn bytes(&self, sent_us: u64) -> Vec<u8> {
        match self {
            Payload::Stream { stream, sequence } => {
                let mut bytes = Vec::with_capacity(STREAM_PAYLOAD);
                bytes.extend(STREAM);
                bytes.extend(stream.to_be_bytes());
                bytes.extend(sequence.to_be_bytes());
                bytes.extend(sent_us.to_be_bytes());
                bytes.resize(STREAM_PAYLOAD, b'.');
                bytes
            }
            Payload::Greeting { from } => [&GREETING[..], from.as_bytes()].concat(),
        }
    }

    /// `None` for a datagram that is not the lab's.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first_chunk::<8>()?;
        if kind == STREAM {
            let (stream, rest) = rest.split_first_chunk::<4>()?;
            let (sequence, _) = rest.split_first_chunk::<8>()?;
            let (stream, sequence) = (u32::from_be_bytes(*stream), u64::from_be_bytes(*sequence));
            Some(Payload::Stream { stream, sequence })
        } else if kind == GREETING {
            Some(Payload::Greeting { from: std::str::from_utf8(rest).ok()?.to_owned() })
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_read_back_and_others_are_not_ours() {
        for payload in [Payload::Stream { stream: 3, sequence: 1 << 40 }, Payload::Greeting { from: "red1".into() }] {
            assert_eq!(Payload::parse(&payload.bytes(7)), Some(payload));
        }
        let whole = Payload::Stream { stream: 0, sequence: 0 }.bytes(0);
        assert_eq!(whole.len(), STREAM_PAYLOAD);
        assert_eq!(Payload::parse(&whole[..19]), None);
        assert_eq!(Payload::parse(b"SOMETHING ELSE"), None);
        assert_eq!(Payload::parse(b""), None);
    }
}
