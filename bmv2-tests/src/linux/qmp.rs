//! QEMU's monitor: commands and events as lines of JSON, over a Unix socket (QEMU's documentation, "QEMU Machine Protocol").

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::Failure;

/// How long QEMU may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(10);
/// How many events are remembered that nobody has asked for.
const REMEMBERED: usize = 256;

/// A monitor.
#[derive(Debug)]
pub struct Qmp {
    lines: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
    events: VecDeque<(String, Instant)>,
}

impl Qmp {
    /// Connect to a QEMU that may still be about to listen. `ended` says why it never will.
    ///
    /// # Errors
    /// It does not answer.
    pub(super) async fn connect(path: &Path, mut ended: impl FnMut() -> Option<String>) -> Result<Self, Failure> {
        let deadline = Instant::now() + PATIENCE;
        let stream = loop {
            match UnixStream::connect(path).await {
                Ok(stream) => break stream,
                Err(error) if Instant::now() >= deadline => {
                    return Err(format!("{}: {error}", path.display()).into());
                }
                Err(_) => {}
            }
            if let Some(why) = ended() {
                return Err(why.into());
            }
            tokio::time::sleep(LOOK).await;
        };
        let (reader, writer) = stream.into_split();
        let mut monitor = Self { lines: BufReader::new(reader).lines(), writer, events: VecDeque::new() };
        monitor.line().await?;
        monitor.execute("qmp_capabilities", json!({})).await?;
        Ok(monitor)
    }

    /// Have it do something; what it answers.
    ///
    /// # Errors
    /// It refuses, in its own words, or does not answer.
    pub async fn execute(&mut self, command: &str, arguments: Value) -> Result<Value, Failure> {
        let mut line = json!({ "execute": command, "arguments": arguments }).to_string();
        line.push('\n');
        self.writer.write_all(line.as_bytes()).await?;
        loop {
            let mut answer = self.line().await?;
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = answer.pointer("/error/desc") {
                return Err(format!("QEMU refuses {command}: {error}").into());
            }
        }
    }

    /// Wait for an event; when it was.
    ///
    /// # Errors
    /// It does not come.
    pub async fn until(&mut self, event: &str) -> Result<Instant, Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.events.iter().position(|(name, _)| name == event) {
                return Ok(self.events.remove(at).map_or(deadline, |(_, when)| when));
            }
            if Instant::now() >= deadline {
                return Err(format!("QEMU tells of no {event}").into());
            }
            self.line().await?;
        }
    }

    /// The next line. An event is remembered.
    async fn line(&mut self) -> Result<Value, Failure> {
        let line = timeout(PATIENCE, self.lines.next_line()).await.map_err(|_| "QEMU does not answer")??;
        let line: Value = serde_json::from_str(&line.ok_or("QEMU has ended")?)?;
        if let Some((name, when)) = event(&line) {
            // With its state, a migration's event is as good as several.
            let name = line.pointer("/data/status").and_then(Value::as_str).unwrap_or(name);
            self.events.push_back((name.to_owned(), when));
            if self.events.len() > REMEMBERED {
                self.events.pop_front();
            }
        }
        Ok(line)
    }
}

/// The name of an event, and when it was by the clock of this process.
fn event(line: &Value) -> Option<(&str, Instant)> {
    let name = line.get("event")?.as_str()?;
    let stamp = line.get("timestamp")?;
    let number = |field: &str| stamp.get(field).and_then(Value::as_u64);
    let at = Duration::from_secs(number("seconds")?) + Duration::from_micros(number("microseconds")?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some((name, Instant::now().checked_sub(now.saturating_sub(at))?))
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    /// Answers that come between events, an event that was there before it was asked for, and a refusal.
    #[tokio::test]
    async fn answers_and_events_are_told_apart() -> Result<(), Failure> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("qmp.sock");
        let listener = UnixListener::bind(&path)?;
        let serve = tokio::spawn(async move {
            let (reader, mut writer) = listener.accept().await?.0.into_split();
            let mut lines = BufReader::new(reader).lines();
            writer.write_all(b"{\"QMP\": {}}\n").await?;
            while let Some(line) = lines.next_line().await? {
                let asked: Value = serde_json::from_str(&line)?;
                let answer = match asked["execute"].as_str() {
                    Some("qmp_capabilities") => json!({ "return": {} }).to_string(),
                    Some("migrate") => {
                        let event = |name: &str, data: Value| {
                            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                            let stamp = json!({ "seconds": now.as_secs(), "microseconds": now.subsec_micros() });
                            json!({ "event": name, "timestamp": stamp, "data": data }).to_string()
                        };
                        let states = event("MIGRATION", json!({ "status": "active" }));
                        format!("{states}\n{}\n{}", event("STOP", json!({})), json!({ "return": 7 }))
                    }
                    _ => json!({ "error": { "class": "CommandNotFound", "desc": "no such thing" } }).to_string(),
                };
                writer.write_all(format!("{answer}\n").as_bytes()).await?;
            }
            Ok::<(), Failure>(())
        });
        let before = Instant::now();
        let mut monitor = Qmp::connect(&path, || None).await?;
        assert_eq!(monitor.execute("migrate", json!({})).await?, 7);
        let (stopped, active) = (monitor.until("STOP").await?, monitor.until("active").await?);
        // The wall clock and this one are read one after the other.
        for when in [stopped, active] {
            assert!(when + Duration::from_millis(100) >= before && when <= Instant::now());
        }
        let refused = monitor.execute("fly", json!({})).await.map_err(|error| error.to_string());
        assert_eq!(refused, Err("QEMU refuses fly: \"no such thing\"".to_owned()));
        drop(monitor);
        serve.await?
    }
}
