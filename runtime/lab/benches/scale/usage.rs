//! What a process has used so far, as the kernel counts it (proc(5)).

use std::fs;
use std::io;
use std::time::Duration;

/// Resident memory, in bytes.
pub(crate) fn memory(process: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1024).ok_or_else(|| io::Error::other("there is no VmRSS"))
}

/// Processor time of all its threads that there are.
pub(crate) fn processor(process: u32) -> io::Result<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        // A thread that has just ended has no file any more.
        let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else { continue };
        let ran = text.split_whitespace().next().and_then(|text| text.parse::<u64>().ok());
        nanoseconds += ran.unwrap_or_default();
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// What runs or wants to, on average over the last minute.
pub(crate) fn load() -> io::Result<String> {
    let text = fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().next().unwrap_or_default().to_owned())
}
