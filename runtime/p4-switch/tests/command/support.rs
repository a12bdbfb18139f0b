//! Packets in files, and the command on them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use pcap_file::pcap::{PcapPacket, PcapReader, PcapWriter};

/// The command.
pub(crate) fn p4_switch() -> Command {
    Command::new(env!("CARGO_BIN_EXE_p4-switch"))
}

/// A file of the tests.
pub(crate) fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// What it printed.
pub(crate) fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// A frame of an experimental ethertype with a number in it.
pub(crate) fn frame(number: u8) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5, number];
    frame.resize(60, 0);
    frame
}

/// Write a capture of packets, each with the milliseconds of its time stamp.
pub(crate) fn write(path: &Path, packets: &[(u64, Vec<u8>)]) {
    let mut writer = PcapWriter::new(File::create(path).expect("the file is made")).expect("the header is written");
    for (at, frame) in packets {
        let packet = PcapPacket::new(Duration::from_millis(*at), frame.len() as u32, frame);
        writer.write_packet(&packet).expect("the packet is written");
    }
}

/// The packets of a capture, as far as it has been written.
pub(crate) fn read(path: &Path) -> Vec<Vec<u8>> {
    let Ok(Ok(mut reader)) = File::open(path).map(PcapReader::new) else { return Vec::new() };
    let mut packets = Vec::new();
    while let Some(Ok(packet)) = reader.next_packet() {
        packets.push(packet.data.into_owned());
    }
    packets
}
