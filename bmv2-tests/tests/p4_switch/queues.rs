//! A link that is slower than what is sent to it, as Mininet makes them: `tc` holds frames back.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use vouch_bmv2_tests::harness::{Failure, TestResult};
use vouch_bmv2_tests::{InterfacePort, Processes};
use vouch_switch_server::{Frames, Port};

use crate::switch::{Pairs, Switch};

/// How long anything may take that does not fail.
const PATIENCE: Duration = Duration::from_secs(20);
/// More than the kernel keeps for the switch, and the switch itself, while the link takes few of them.
const FRAMES: u32 = 1000;
/// The number of frames that are sent to see the end of the others.
const LAST: u32 = u32::MAX;
/// What the frames are known by.
const MARK: &[u8] = b"queues";

/// A frame for the program `metadata/queueing`, which writes what it knows of the queue into the first 18 bytes.
fn frame(number: u32) -> Vec<u8> {
    let mut frame = vec![0; 18];
    frame.extend(MARK);
    frame.extend(number.to_be_bytes());
    frame.resize(1000, 0);
    frame
}

/// A frame's number, and how many were in its queue when it came and when it left.
type Seen = (u32, u32, u32);

/// What comes out next.
async fn receive(port: &InterfacePort, batch: &mut Frames) -> Result<Vec<Seen>, Failure> {
    batch.clear();
    timeout(PATIENCE, port.receive(batch, 32)).await.map_err(|_| "nothing comes out")??;
    let ours = batch.iter().filter(|frame| frame.get(18..24) == Some(MARK));
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
    Ok(ours.map(|frame| (number(&frame[24..28]), number(&frame[1..4]), number(&frame[4..7]))).collect())
}

/// The switch's queue fills, what does not fit is dropped at its end, the others keep their order; and it empties again.
pub(crate) async fn slow_link(_: Arc<Processes>) -> TestResult {
    let _pairs = Pairs::here()?;
    // The kernel has room for more behind it than it gives to one socket.
    let tc = "qdisc add dev s2 root tbf rate 8mbit burst 4kb limit 4000000";
    let limited = Command::new("tc").args(tc.split(' ')).output()?;
    if !limited.status.success() {
        // Past the capture of the test runner, which would hide it.
        let why = String::from_utf8_lossy(&limited.stderr).into_owned();
        return Ok(writeln!(std::io::stderr(), "SKIPPED a_slow_link_fills_the_queue: tc {tc}: {}", why.trim())?);
    }
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/build/metadata/queueing.json");
    let _switch = Switch::start(&[program.to_str().ok_or("a strange path")?])?;
    let (near, far) = (InterfacePort::open("near")?, InterfacePort::open("far")?);
    for number in 0..FRAMES {
        near.send(&frame(number))?;
    }
    let (mut batch, mut seen) = (Frames::new(), Vec::<Seen>::new());
    while !seen.iter().any(|(number, ..)| *number == LAST) {
        // It may find no room itself, until the others have left.
        near.send(&frame(LAST))?;
        seen.extend(receive(&far, &mut batch).await?);
    }
    let numbers: Vec<u32> = seen.iter().map(|(number, ..)| *number).filter(|number| *number != LAST).collect();
    if !numbers.is_sorted() || numbers.len() < 100 || numbers.len() as u32 == FRAMES {
        return Err(format!("of {FRAMES} frames these came: {numbers:?}").into());
    }
    let deepest = seen.iter().map(|(_, before, _)| *before).max();
    if deepest != Some(63) || seen[0].1 > 0 {
        return Err(format!("the queue was up to {deepest:?} deep, {} at first", seen[0].1).into());
    }
    // What is left are more of the last; one that comes when they have gone finds nobody.
    loop {
        near.send(&frame(FRAMES))?;
        let seen = receive(&far, &mut batch).await?;
        if seen.contains(&(FRAMES, 0, 0)) {
            return Ok(());
        }
    }
}
