//! What comes to where notifications are published, of any content: from whoever says that it subscribes, or does not.
//!
//! An input is everything that comes over one connection. Whatever it is,
//!
//! - it ends with the connection, and nothing panics or waits for more;
//! - who does not begin as a subscriber hears nothing; who does hears the publisher's header, and no part of a message;
//! - the next subscriber gets what is published.
//!
//! It is also an address to publish at, which is taken or refused.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::time::Duration;

use p4_switch::nanomsg::{Address, Publisher};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long anything may take that does not wait for ever.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a subscriber begins with.
const SUBSCRIBER: &[u8] = b"\0SP\0\x00\x21\0\0";
/// What a publisher begins with.
const PUBLISHER: &[u8] = b"\0SP\0\x00\x20\0\0";
/// What is published for one that has done everything right, and how that comes.
const MESSAGE: &[u8] = b"it";
const DELIVERED: &[u8] = b"\x01\0\0\0\0\0\0\0\x02it";

/// Try an input.
///
/// # Panics
/// Where the switch does what it must not.
pub fn run(data: &[u8]) {
    static PUBLISHED: OnceLock<(Publisher, Runtime, TempDir)> = OnceLock::new();
    let (publisher, _, folder) = PUBLISHED.get_or_init(|| {
        let runtime = Runtime::new().expect("threads can be started");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let address = Address::Ipc(folder.path().join("published"));
        let publisher = runtime.block_on(Publisher::bind(&address)).expect("nobody else is there");
        (publisher, runtime, folder)
    });
    let path = folder.path().join("published");
    let connect = || {
        let stream = UnixStream::connect(&path).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("it is a duration");
        stream
    };

    let mut stream = connect();
    // It may have heard enough before the end.
    let _ = stream.write_all(data).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut heard = Vec::new();
    match stream.read_to_end(&mut heard) {
        // What it did not read is thrown away with the connection, and with that what was on its way.
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
    }
    let expected = if data.starts_with(SUBSCRIBER) { PUBLISHER } else { &[] };
    assert!(expected.starts_with(&heard), "{heard:02x?} was said to {data:02x?}");

    let mut stream = connect();
    stream.write_all(SUBSCRIBER).expect("it is heard");
    let mut header = [0; PUBLISHER.len()];
    stream.read_exact(&mut header).expect("it is answered");
    assert_eq!(header, PUBLISHER);
    publisher.publish(MESSAGE);
    let mut message = [0; DELIVERED.len()];
    stream.read_exact(&mut message).expect("it is delivered");
    assert_eq!(message, DELIVERED);

    if let Ok(text) = std::str::from_utf8(data) {
        // A refusal says what would be right, which is tried where it is made.
        drop(text.parse::<Address>());
    }
}

/// Change an input so that it begins as it did, which is what it takes to be heard.
pub fn mutate(data: &[u8], seed: u64) -> Vec<u8> {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    let mut random = StdRng::seed_from_u64(seed);
    let mut changed = if random.random_bool(0.5) { SUBSCRIBER.to_vec() } else { data[..data.len().min(8)].to_vec() };
    changed.extend(data.get(8..).unwrap_or_default());
    for _ in 0..random.random_range(0..4) {
        let place = random.random_range(0..=changed.len());
        match random.random_range(0..3) {
            0 => changed.insert(place, random.random()),
            1 => changed.truncate(place.max(4)),
            _ => {
                if let Some(byte) = changed.get_mut(place) {
                    *byte = random.random();
                }
            }
        }
    }
    changed
}
