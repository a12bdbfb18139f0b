//! How notifications are written: a header of 32 bytes, packed and little endian, and what it counts.
//!
//! ```text
//!        0..4   4..12   12..20          20..28         28..32
//! LEA|   topic  device  context, list   buffer         samples    then the samples, as they are on the wire
//! AGE|   topic  device  context, buffer..   ..table    entries    then the number of each, 32 bits
//! PRT|   topic  device  ports, 0        0              0          then number and 1 for up of each, 32 bits
//! ```
//!
//! `AGE|` has its buffer at 16..24 and its table at 24..28. A switch has one context, 0.

use vouch_switch_server::{PortStatus, Samples};

const CONTEXT: u32 = 0;
/// Most entries in a message, so that it stays below the 1 MiB that receivers take.
const MAX_ENTRIES: usize = 200_000;

/// A header that is being written.
struct Header(Vec<u8>);

impl Header {
    fn new(topic: &[u8; 4], device: u64) -> Self {
        let mut bytes = topic.to_vec();
        bytes.extend(device.to_le_bytes());
        Self(bytes)
    }

    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    /// What follows the header, which is filled up to its size.
    fn then(mut self, rest: impl IntoIterator<Item = u8>) -> Vec<u8> {
        self.0.resize(32, 0);
        self.0.extend(rest);
        self.0
    }
}

/// Samples of a digest.
pub(super) fn learnt(device: u64, samples: &Samples) -> Vec<u8> {
    let header = Header::new(b"LEA|", device).u32(CONTEXT).u32(samples.list).u64(samples.buffer).u32(samples.count);
    header.then(samples.bytes.iter().copied())
}

/// A port that went up or down.
pub(super) fn port(device: u64, number: u16, status: PortStatus) -> Vec<u8> {
    let up = u32::from(status == PortStatus::Up);
    let status = [u32::from(number), up].map(u32::to_le_bytes);
    Header::new(b"PRT|", device).u32(1).then(status.concat())
}

/// Messages of idle entries, which are numbered.
#[derive(Debug, Default)]
pub(super) struct Ageing {
    next: u64,
}

impl Ageing {
    /// For each table with its number, the numbers of its idle entries.
    pub(super) fn messages(&mut self, device: u64, idle: &[(i32, Vec<i32>)]) -> Vec<Vec<u8>> {
        let tables = idle.iter().flat_map(|(table, entries)| entries.chunks(MAX_ENTRIES).map(|some| (*table, some)));
        tables.map(|(table, entries)| self.message(device, table, entries)).collect()
    }

    fn message(&mut self, device: u64, table: i32, entries: &[i32]) -> Vec<u8> {
        let header = Header::new(b"AGE|", device).u32(CONTEXT).u64(self.next).u32(table.cast_unsigned());
        self.next += 1;
        header.u32(entries.len() as u32).then(entries.iter().flat_map(|entry| entry.to_le_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_header_has_its_fields_where_receivers_look_for_them() {
        let samples = Samples { list: 2, buffer: 0x0102, count: 1, bytes: vec![0xaa, 0xbb] };
        assert_eq!(
            learnt(7, &samples),
            b"LEA|\x07\0\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\x02\x01\0\0\0\0\0\0\x01\0\0\0\xaa\xbb"
        );
        assert_eq!(
            port(7, 0x0101, PortStatus::Up),
            b"PRT|\x07\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\0\0\x01\0\0\0"
                [..4 + 8 + 4]
                .iter()
                .copied()
                .chain([0; 16])
                .chain([1, 1, 0, 0, 1, 0, 0, 0])
                .collect::<Vec<u8>>()
        );
        let mut ageing = Ageing::default();
        ageing.messages(7, &[(9, vec![1])]);
        assert_eq!(
            ageing.messages(7, &[(9, vec![5, 0x0100_0003])]),
            [b"AGE|\x07\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x09\0\0\0\x02\0\0\0\x05\0\0\0\x03\0\0\x01"]
        );
    }

    #[test]
    fn more_entries_than_a_message_holds_make_several() {
        let messages = Ageing::default().messages(0, &[(1, vec![0; MAX_ENTRIES + 1]), (2, vec![])]);
        assert_eq!(messages.iter().map(Vec::len).collect::<Vec<_>>(), [32 + 4 * MAX_ENTRIES, 36]);
    }
}
