//! What is sent through the fabric to measure it, and who saw it.
//!
//! Every payload of the lab says what it is, so that a frame can be recognised on any wire it turns up on. [`Traffic`] is the
//! one book of a fabric: senders write down what they sent, receivers what their stack delivered, and every host's wire is
//! watched for what was meant for somebody else.

mod ledger;
mod payload;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;
use vouch_net::MacAddr;

pub use ledger::{Ledger, StreamReport};
pub(crate) use payload::Payload;

use crate::host::frames;

/// The book of all streams and greetings of one fabric. Clones are the same book.
#[derive(Clone, Default)]
pub struct Traffic {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    book: Mutex<Book>,
    greeted: watch::Sender<u64>,
}

#[derive(Default)]
struct Book {
    streams: BTreeMap<u32, Arc<Ledger>>,
    /// Who heard whose greeting.
    greetings: BTreeMap<String, BTreeSet<String>>,
    /// Per host: unicast frames on its wire that were addressed to another MAC.
    strays: BTreeMap<(String, MacAddr), u64>,
}

impl Traffic {
    /// Open the ledger of a new stream.
    pub fn open(&self, from: &str, to: &str) -> Arc<Ledger> {
        let mut book = self.book();
        let id = u32::try_from(book.streams.len()).unwrap_or(u32::MAX);
        let ledger = Arc::new(Ledger::new(id, from, to));
        book.streams.insert(id, Arc::clone(&ledger));
        ledger
    }

    /// A frame came out of the wire of `host`, whose own address is `mac`.
    pub(crate) fn seen_on_wire(&self, host: &str, mac: MacAddr, frame: &[u8]) {
        if let Some(to) = frames::destination(frame)
            && to != mac
            && !to.is_multicast()
        {
            *self.book().strays.entry((host.to_owned(), to)).or_default() += 1;
        }
        let stream = match frames::udp_payload(frame).and_then(Payload::parse) {
            Some(Payload::Stream { stream, sequence }) => Some((stream, sequence)),
            Some(Payload::Greeting { from }) => {
                self.greeted(host, from);
                None
            }
            None => None,
        };
        let Some((stream, sequence)) = stream else { return };
        let ledger = self.book().streams.get(&stream).map(Arc::clone);
        if let Some(ledger) = ledger
            && ledger.to() != host
        {
            ledger.seen_elsewhere(host, sequence);
        }
    }

    /// The stack of `host` handed a datagram to its application.
    pub(crate) fn delivered(&self, host: &str, datagram: &[u8]) {
        let now = Instant::now();
        if let Some(Payload::Stream { stream, sequence }) = Payload::parse(datagram) {
            let ledger = self.book().streams.get(&stream).map(Arc::clone);
            if let Some(ledger) = ledger
                && ledger.to() == host
            {
                ledger.delivered(sequence, now);
            }
        }
    }

    /// Whose greetings `host` has heard.
    pub fn heard_by(&self, host: &str) -> BTreeSet<String> {
        self.book().greetings.get(host).cloned().unwrap_or_default()
    }

    /// Changes whenever somebody hears a greeting.
    pub fn greetings(&self) -> watch::Receiver<u64> {
        self.shared.greeted.subscribe()
    }

    /// How many unicast frames for `victim` were seen on the wire of `host`, which is not the victim.
    pub fn strays(&self, host: &str, victim: MacAddr) -> u64 {
        self.book().strays.get(&(host.to_owned(), victim)).copied().unwrap_or_default()
    }

    fn greeted(&self, host: &str, from: String) {
        // Greetings are broadcast, and a flood may bring a host its own back; that is no news.
        if from != host && self.book().greetings.entry(host.to_owned()).or_default().insert(from) {
            self.shared.greeted.send_modify(|heard| *heard += 1);
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.shared.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
