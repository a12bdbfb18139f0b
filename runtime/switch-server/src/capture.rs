//! Packet captures: one classic pcap file per link, both directions in it. Time stamps count microseconds, as everybody who reads
//! captures knows how to, and not only those who know the newer magic number.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{DataLink, Endianness, TsResolution};

use crate::port::MAX_FRAME;

/// A capture stops growing here, so that a forgotten one does not fill the disk.
const MAX_CAPTURE_BYTES: u64 = 1 << 30;

/// A capture file. Clones write to the same file; it is complete when the last one is dropped or after [`Capture::flush`].
#[derive(Clone)]
pub struct Capture {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    writer: PcapWriter<SharedFile>,
    file: SharedFile,
    bytes: u64,
    stopped: bool,
}

impl Capture {
    /// Create (or replace) the capture file.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Capture> {
        let path = path.as_ref().to_path_buf();
        let header = PcapHeader {
            version_major: 2,
            version_minor: 4,
            ts_correction: 0,
            ts_accuracy: 0,
            snaplen: MAX_FRAME as u32,
            datalink: DataLink::ETHERNET,
            ts_resolution: TsResolution::MicroSecond,
            endianness: Endianness::Little,
        };
        let file = SharedFile(Arc::new(Mutex::new(BufWriter::new(File::create(&path)?))));
        let writer = PcapWriter::with_header(file.clone(), header).map_err(io::Error::other)?;
        let state = State { writer, file, bytes: 0, stopped: false };
        Ok(Capture { shared: Arc::new(Shared { path, state: Mutex::new(state) }) })
    }

    /// Where the capture is written.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Append one frame with the present time. A file that cannot be written is given up with one log line: a capture must
    /// never stop the traffic it watches.
    pub fn record(&self, frame: &[u8]) {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.stopped {
            return;
        }
        // Taken under the lock, so that time stamps rise through the file.
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let packet = PcapPacket::new(at, frame.len() as u32, frame);
        let outcome = state.writer.write_packet(&packet);
        state.bytes += frame.len() as u64;
        if let Err(error) = outcome {
            tracing::warn!(path = %self.shared.path.display(), %error, "capture stopped");
            state.stopped = true;
        } else if state.bytes > MAX_CAPTURE_BYTES {
            tracing::warn!(path = %self.shared.path.display(), limit = MAX_CAPTURE_BYTES, "capture stopped: it is full");
            state.stopped = true;
        }
    }

    /// Write out what is buffered.
    pub fn flush(&self) -> io::Result<()> {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.file.flush()
    }
}

/// `PcapWriter` keeps its writer to itself; this shares the file, so that it can be flushed.
#[derive(Clone)]
struct SharedFile(Arc<Mutex<BufWriter<File>>>);

impl Write for SharedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

impl std::fmt::Debug for Capture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Capture").field(&self.shared.path).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pcap_file::pcap::PcapReader;

    #[test]
    fn a_capture_reads_back_frame_by_frame() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let capture = Capture::create(folder.path().join("link.pcap")).expect("the file is created");
        capture.record(&[1; 60]);
        capture.clone().record(&[2; 1500]);
        capture.flush().expect("the file is written");

        let mut reader =
            PcapReader::new(File::open(capture.path()).expect("the file is there")).expect("a pcap header");
        assert_eq!(reader.header().datalink, DataLink::ETHERNET);
        let mut last = std::time::Duration::ZERO;
        for (byte, length) in [(1, 60), (2, 1500)] {
            let packet = reader.next_packet().expect("a packet").expect("a whole packet");
            assert_eq!(packet.data.as_ref(), vec![byte; length]);
            assert!(packet.timestamp >= last);
            last = packet.timestamp;
        }
        assert!(reader.next_packet().is_none());
    }
}
