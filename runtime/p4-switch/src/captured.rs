//! A port with a capture of what comes in and one of what goes out, in the reference's two files.

use std::io;
use std::path::Path;

use tokio::sync::watch;
use vouch_switch_server::port::{Port, PortCounters, PortStatus, Ready, Receive, SendError};
use vouch_switch_server::{Capture, Frames};

/// A port whose traffic is recorded.
pub(crate) struct CapturedPort<P> {
    port: P,
    incoming: Capture,
    outgoing: Capture,
}

impl<P: Port> CapturedPort<P> {
    /// Record below `directory`, in files that go by the interface's name.
    pub(crate) fn new(port: P, directory: &Path, interface: &str) -> io::Result<Self> {
        let create = |direction: &str| {
            let path = directory.join(format!("{interface}_{direction}.pcap"));
            Capture::create(&path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        };
        Ok(Self { port, incoming: create("in")?, outgoing: create("out")? })
    }

    /// Record both directions in one file.
    pub(crate) fn in_one_file(port: P, path: &Path) -> io::Result<Self> {
        let capture = Capture::create(path)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
        Ok(Self { port, incoming: capture.clone(), outgoing: capture })
    }
}

/// Whoever watches the file is to see the packets that have passed.
fn flush(capture: &Capture) {
    if let Err(error) = capture.flush() {
        tracing::warn!(path = %capture.path().display(), %error, "a capture is incomplete");
    }
}

impl<P: Port> Port for CapturedPort<P> {
    fn receive<'a>(&'a self, batch: &'a mut Frames, max: usize) -> Receive<'a> {
        Box::pin(async move {
            let before = batch.len();
            let received = self.port.receive(batch, max).await;
            batch.iter().skip(before).for_each(|frame| self.incoming.record(frame));
            flush(&self.incoming);
            received
        })
    }

    fn send(&self, frame: &[u8]) -> Result<(), SendError> {
        self.outgoing.record(frame);
        self.port.send(frame)
    }

    fn flush(&self) -> bool {
        flush(&self.outgoing);
        self.port.flush()
    }

    fn ready(&self) -> Ready<'_> {
        self.port.ready()
    }

    fn status(&self) -> watch::Receiver<PortStatus> {
        self.port.status()
    }

    fn counters(&self) -> PortCounters {
        self.port.counters()
    }
}
