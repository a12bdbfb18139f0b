//! A subscriber that knows nanomsg's protocol, for this switch and for BMv2.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::support::PATIENCE;

/// What a subscriber and a publisher begin with.
pub(crate) const SUBSCRIBER: [u8; 8] = *b"\0SP\0\x00\x21\0\0";
const PUBLISHER: [u8; 8] = *b"\0SP\0\x00\x20\0\0";

pub(crate) trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

pub(crate) struct Subscriber {
    pub(crate) stream: Box<dyn Stream>,
    /// Messages begin with a byte of 1.
    local: bool,
}

impl Subscriber {
    pub(crate) fn local(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("somebody listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("it is a duration");
        Self { stream: Box::new(stream), local: true }
    }

    pub(crate) fn remote(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("somebody listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("it is a duration");
        Self { stream: Box::new(stream), local: false }
    }

    /// Exchange headers: from then on nothing is missed.
    pub(crate) fn subscribed(mut self) -> Self {
        self.stream.write_all(&SUBSCRIBER).expect("it is read");
        assert_eq!(self.take::<8>(), PUBLISHER);
        self
    }

    pub(crate) fn message(&mut self) -> Vec<u8> {
        if self.local {
            assert_eq!(self.take(), [1]);
        }
        let mut message = vec![0; u64::from_be_bytes(self.take()) as usize];
        self.stream.read_exact(&mut message).expect("the message goes on");
        message
    }

    /// Whether it was let go.
    pub(crate) fn is_over(&mut self) -> bool {
        // A reset is one way to be let go.
        self.stream.read(&mut [0]).map_or(true, |count| count == 0)
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes).expect("there is more");
        bytes
    }
}
