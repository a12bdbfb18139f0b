//! The packets of a capture file.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::{Block, PcapNgReader};

/// The first bytes of a pcapng file.
const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// One packet, with the moment when it was captured, since some epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) at: Duration,
    pub(crate) frame: Vec<u8>,
}

/// Why a capture cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", .path.display())]
pub(crate) struct BadCapture {
    path: PathBuf,
    problem: String,
}

/// Read all packets of a pcap or pcapng file.
pub(crate) fn read(path: &Path) -> Result<Vec<Packet>, BadCapture> {
    read_file(path).map_err(|problem| BadCapture { path: path.to_owned(), problem })
}

fn read_file(path: &Path) -> Result<Vec<Packet>, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut file = BufReader::new(File::open(path).map_err(text)?);
    let mut magic = [0; 4];
    file.read_exact(&mut magic).map_err(|_| "this is not a capture: it is too short".to_owned())?;
    // Not back to its start: it may be a pipe.
    let file = magic.as_slice().chain(file);
    if magic == PCAPNG { pcapng(file) } else { pcap(file) }
}

fn pcap(file: impl Read) -> Result<Vec<Packet>, String> {
    let mut reader = PcapReader::new(file).map_err(|error| format!("this is not a capture: {error}"))?;
    let mut packets = Vec::new();
    while let Some(packet) = reader.next_packet() {
        let packet = packet.map_err(|error| format!("packet {}: {error}", packets.len() + 1))?;
        add(&mut packets, packet.timestamp, packet.orig_len, &packet.data)?;
    }
    Ok(packets)
}

fn pcapng(file: impl Read) -> Result<Vec<Packet>, String> {
    let mut reader = PcapNgReader::new(file).map_err(|error| format!("this is not a capture: {error}"))?;
    let mut packets = Vec::new();
    while let Some(block) = reader.next_block() {
        match block.map_err(|error| format!("after packet {}: {error}", packets.len()))? {
            Block::EnhancedPacket(packet) => {
                add(&mut packets, packet.timestamp, packet.original_len, &packet.data)?;
            }
            Block::SimplePacket(packet) => add(&mut packets, Duration::ZERO, packet.original_len, &packet.data)?,
            _other => {}
        }
    }
    Ok(packets)
}

fn add(packets: &mut Vec<Packet>, at: Duration, length: u32, frame: &[u8]) -> Result<(), String> {
    if frame.len() < length as usize {
        let number = packets.len() + 1;
        return Err(format!("packet {number} was captured only in part: {} of {length} bytes", frame.len()));
    }
    packets.push(Packet { at, frame: frame.to_vec() });
    Ok(())
}
