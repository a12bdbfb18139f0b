//! Frames in masses, as an attacker sends them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Failure;
use super::panel::tag_with;
use super::tap::Tap;

/// How often it is looked how many frames are due.
const TICK: Duration = Duration::from_millis(1);

/// A running flood, which ends with this value.
#[derive(Debug)]
pub struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    pub(super) fn start(
        port: Arc<Tap>,
        vlan: Option<u16>,
        rate: u32,
        frame: impl Fn(u64) -> Vec<u8> + Send + 'static,
    ) -> Result<Self, Failure> {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&sent));
        let work = move || {
            let start = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                let due = (start.elapsed().as_secs_f64() * f64::from(rate)) as u64;
                for number in count.load(Ordering::Relaxed)..due {
                    port.send(&tag_with(vlan, &frame(number)));
                }
                count.fetch_max(due, Ordering::Relaxed);
                std::thread::sleep(TICK);
            }
        };
        let thread = std::thread::Builder::new().name("flood".to_owned()).spawn(work)?;
        Ok(Self { stop, sent, thread: Some(thread) })
    }

    /// How many frames it has sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Wait until it has sent so many.
    pub async fn reaches(&self, count: u64) {
        while self.sent() < count && self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            tokio::time::sleep(TICK).await;
        }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The thread's panic was reported when it happened.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
