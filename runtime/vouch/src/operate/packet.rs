//! `vouch why --packet`: what the program does with a frame, by the entries that a switch has now.
//!
//! They are read back from the switch by its agent, whatever switch that is, and put into an embedded switch in this process, which runs
//! the program that comes with the agent and tells each step of the frame. Nothing of it touches the real switch.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use pcap_file::pcap::PcapReader;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio::time::timeout;
use vouch_agent::management::v1;
use vouch_p4runtime::client::{Event, EventReceiver, Pipeline, Session, SessionConfig, insert};
use vouch_p4runtime::p4::v1::Entity;
use vouch_switch_server::{Endpoint, LinkConfig, SwitchServer, link};
use vouch_tables::{Counted, DropReason, Punt, PuntReason, Tables};

use super::agents::Agents;
use super::print;

/// The embedded switch's port for frames that are handed to the agent.
const CPU_PORT: u16 = 510;
/// It answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of a file is read: more than any frame has, or than anybody would want to have explained.
const MOST: u64 = 4 << 20;

/// Says what becomes of the frames that come in by a port of the one agent's switch.
pub(crate) async fn why(agents: Agents, packet: &str, port: u16) -> ExitCode {
    match explained(&agents, packet, port).await {
        Ok(text) => {
            print(&text);
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

async fn explained(agents: &Agents, packet: &str, port: u16) -> Result<String, String> {
    let frames = frames(packet)?;
    let asked = agents.ask(async |agent| Ok((agent.copy_switch().await?, agent.ports().await?))).await;
    if asked.tell_failures() && asked.answers.is_empty() {
        return Err("without the entries of its switch nothing can be said".to_owned());
    }
    let [(copy, ports)] = asked.answers.as_slice() else {
        return Err("a port is one switch's: say with --socket or --url which agent's".to_owned());
    };
    if !copy.error.is_empty() {
        return Err(format!("{}: the switch cannot be read: {}", copy.agent, copy.error));
    }
    let names = port_names(ports);
    if !names.contains_key(&port) {
        let known: Vec<String> = names.iter().map(|(port, name)| format!("{port} ({name})")).collect();
        return Err(format!("{} has no port {port}: it has {}", copy.agent, known.join(", ")));
    }
    let mut bench = Bench::start(copy, names.keys().copied()).await?;
    let mut text = String::new();
    // Writing to a string cannot fail.
    if !agents.json {
        let _ = writeln!(text, "{}: {} entries of its switch, as they are now", copy.agent, copy.entities.len());
        copy.meaningless.iter().for_each(|it| _ = writeln!(text, "  left out, as it means nothing: {it}"));
    }
    for frame in frames {
        let told = bench.carry(port, frame).await?;
        if agents.json {
            let _ = writeln!(text, "{}", told.json);
        } else {
            text.push_str(&told.steps);
            text.push_str(&told.outcome(&names));
        }
    }
    Ok(text)
}

/// What ports are, in the operator's words.
fn port_names(list: &v1::PortList) -> BTreeMap<u16, String> {
    let mut names: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for port in &list.ports {
        let Some(interface) = &port.interface else { continue };
        let Ok(number) = u16::try_from(interface.port) else { continue };
        names.entry(number).or_default().push(match (port.vni, interface.vlan) {
            (None, _) => "underlay".to_owned(),
            (Some(vni), None) => format!("VNI {vni}"),
            (Some(vni), Some(vlan)) => format!("VLAN {vlan}: VNI {vni}"),
        });
    }
    names.into_iter().map(|(port, names)| (port, names.join(", "))).collect()
}

/// The frames of a capture, or the one that is written out.
fn frames(packet: &str) -> Result<Vec<Vec<u8>>, String> {
    let path = Path::new(packet);
    if !path.exists() {
        let wrong = |why| format!("`{packet}` is no file, and no frame either: {why}");
        return hex(packet).map(|frame| vec![frame]).map_err(wrong);
    }
    let wrong = |why: String| format!("{packet}: {why}");
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| BufReader::new(file).take(MOST).read_to_end(&mut bytes));
    read.map_err(|error| wrong(error.to_string()))?;
    if let Some(frame) = std::str::from_utf8(&bytes).ok().and_then(|text| hex(text).ok()) {
        return Ok(vec![frame]);
    }
    let capture = |error: pcap_file::PcapError| {
        wrong(format!("this is neither a frame in hexadecimal digits nor a capture in pcap's format: {error}"))
    };
    let mut reader = PcapReader::new(bytes.as_slice()).map_err(capture)?;
    let mut frames = Vec::new();
    while let Some(packet) = reader.next_packet() {
        frames.push(packet.map_err(capture)?.data.into_owned());
    }
    if frames.is_empty() { Err(wrong("this capture has no frames".to_owned())) } else { Ok(frames) }
}

/// Bytes in hexadecimal digits, with whatever is usual between them.
fn hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace() && !b":-".contains(byte)).collect();
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let values: Option<Vec<u8>> = digits.iter().map(digit).collect();
    match values {
        None => Err("a frame is written in hexadecimal digits, two for a byte".to_owned()),
        Some(values) if values.len() % 2 == 1 => Err("it has half a byte too many".to_owned()),
        Some(values) if values.len() < 28 => Err("an Ethernet frame has 14 bytes at the least".to_owned()),
        Some(values) => Ok(values.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()),
    }
}

/// What became of a frame.
struct Told {
    /// Each step, for people, and for programs.
    steps: String,
    json: String,
    /// The ports that frames left by, with their lengths.
    sent: Vec<(u16, usize)>,
    punts: Vec<String>,
    drops: Vec<DropReason>,
}

impl Told {
    /// What leaves where.
    fn outcome(&self, names: &BTreeMap<u16, String>) -> String {
        let mut text = String::from("so:\n");
        let mut punts = self.punts.iter();
        for (port, bytes) in &self.sent {
            let _ = match (*port, names.get(port)) {
                (CPU_PORT, _) => {
                    let why = punts.next().map_or("for no reason that is known", String::as_str);
                    writeln!(text, "  to the agent: {why}")
                }
                (port, Some(name)) => writeln!(text, "  out of port {port} ({name}): {bytes} bytes"),
                (port, None) => {
                    writeln!(text, "  out of port {port}, which the configuration does not have: {bytes} bytes")
                }
            };
        }
        for reason in &self.drops {
            let _ = writeln!(text, "  dropped: {reason}. {}", reason.meaning().trim());
        }
        if self.sent.is_empty() && self.drops.is_empty() {
            text.push_str("  nothing leaves\n");
        }
        text
    }
}

/// The steps of a frame, for people and for programs, and the ports that frames left by.
type Traced = (String, String, Vec<(u16, usize)>);

/// An embedded switch with the entries of another.
struct Bench {
    session: Session,
    events: EventReceiver,
    tables: Tables,
    ports: BTreeMap<u16, Endpoint>,
    traces: mpsc::UnboundedReceiver<Traced>,
    dropped: BTreeMap<DropReason, u64>,
    _switch: vouch_switch_server::ServerHandle,
}

impl Bench {
    async fn start(copy: &v1::SwitchCopy, numbers: impl Iterator<Item = u16>) -> Result<Self, String> {
        let (told, traces) = mpsc::unbounded_channel();
        let mut builder = SwitchServer::builder().device_id(1).cpu_port(CPU_PORT.into()).tracer(move |trace| {
            // Who waits for it takes one at a time.
            let _ = told.send((trace.to_string(), trace.to_json().to_string(), trace.sent().collect()));
        });
        let mut ports = BTreeMap::new();
        for number in numbers {
            let (outside, inside) = link(LinkConfig::default());
            builder = builder.port(number.into(), inside);
            ports.insert(number, outside);
        }
        let wrong = |what: &dyn std::fmt::Display| format!("the frame cannot be tried out: {what}");
        let switch = builder.build().map_err(|error| wrong(&error))?;
        let switch = switch.listen("127.0.0.1:0").await.map_err(|error| wrong(&error))?;
        let p4info = Arc::new(vouch_tables::p4info());
        let tables = Tables::bind(&p4info).map_err(|error| wrong(&error))?;
        let config = SessionConfig::new(format!("http://{}", switch.local_addr()), 1, 1);
        let (session, events) = Session::connect(config).map_err(|error| wrong(&error))?;
        timeout(PATIENCE, session.until_primary()).await.map_err(|_| wrong(&"the embedded switch does not answer"))?;
        let pipeline = Pipeline::new(p4info, vouch_tables::DEVICE_CONFIG.to_vec());
        session.push_pipeline(&pipeline).await.map_err(|error| wrong(&error))?;
        let entity = |bytes: &Vec<u8>| Entity::decode(bytes.as_slice()).map(insert);
        let entries: Result<Vec<_>, _> = copy.entities.iter().map(entity).collect();
        session.write(entries.map_err(|error| wrong(&error))?).await.map_err(|error| wrong(&error))?;
        let dropped = BTreeMap::new();
        Ok(Self { session, events, tables, ports, traces, dropped, _switch: switch })
    }

    async fn carry(&mut self, port: u16, frame: Vec<u8>) -> Result<Told, String> {
        let endpoint = self.ports.get(&port).expect("it is one of the agent's, as has been checked");
        endpoint.send(frame).map_err(|error| format!("the frame cannot be tried out: {error}"))?;
        let late = |_| "the frame cannot be tried out: the embedded switch does not answer".to_owned();
        let trace = timeout(PATIENCE, self.traces.recv()).await.map_err(late)?;
        let (steps, json, sent) = trace.ok_or_else(|| "the embedded switch has ended".to_owned())?;
        let mut punts = Vec::new();
        for _ in sent.iter().filter(|(port, _)| *port == CPU_PORT) {
            punts.push(timeout(PATIENCE, self.punt()).await.map_err(late)?);
        }
        let drops = self.dropped().await.map_err(|error| format!("what was dropped cannot be read: {error}"))?;
        Ok(Told { steps, json, sent, punts, drops })
    }

    /// Why the next frame was handed to the agent.
    async fn punt(&mut self) -> String {
        loop {
            match self.events.recv().await {
                Some(Event::PacketIn(packet)) => {
                    let reason = match self.tables.packet_in(&packet) {
                        Ok(Punt::Host(header)) => header.reason,
                        Ok(Punt::Neighbour { .. }) => PuntReason::Neighbour,
                        Err(error) => return error.to_string(),
                    };
                    return format!("{reason}. {}", reason.meaning().trim());
                }
                Some(_) => {}
                None => return "the embedded switch has ended".to_owned(),
            }
        }
    }

    /// For which reasons frames have been dropped since the last time.
    async fn dropped(&mut self) -> Result<Vec<DropReason>, io::Error> {
        let pipelines = [vouch_tables::Pipeline::Ingress, vouch_tables::Pipeline::Egress];
        let cells = pipelines.iter().flat_map(|pipeline| DropReason::ALL.iter().map(|reason| (*pipeline, *reason)));
        let wanted = cells.map(|(pipeline, reason)| self.tables.read_drop(pipeline, reason)).collect();
        let read = self.session.read(wanted).await.map_err(io::Error::other)?;
        let mut now: BTreeMap<DropReason, u64> = BTreeMap::new();
        for entity in read.all().await.map_err(io::Error::other)? {
            if let Ok(Some((Counted::Drop(_, reason), count))) = self.tables.decode_count(&entity) {
                *now.entry(reason).or_default() += count.packets;
            }
        }
        let more = |(reason, count): &(&DropReason, &u64)| **count > self.dropped.get(*reason).copied().unwrap_or(0);
        let dropped = now.iter().filter(more).map(|(reason, _)| *reason).collect();
        self.dropped = now;
        Ok(dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_written_in_hexadecimal_digits_or_in_files() {
        let frame = "ff:ff:ff:ff:ff:ff 020000000001 0806";
        assert_eq!(hex(frame).map(|frame| frame.len()), Ok(14));
        assert_eq!(hex("ffff").unwrap_err(), "an Ethernet frame has 14 bytes at the least");
        assert!(hex(&format!("{frame} 0")).is_err_and(|why| why.contains("half a byte")));
        assert!(frames("no-such-file.pcap").is_err_and(|why| why.contains("is no file, and no frame either")));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("frame");
        let named = path.display().to_string();
        std::fs::write(&path, frame).expect("the folder is writable");
        assert_eq!(frames(&named).map(|frames| frames[0].len()), Ok(14));
        std::fs::write(&path, [0xff; 40]).expect("the folder is writable");
        assert!(frames(&named).is_err_and(|why| why.contains("neither a frame in hexadecimal digits nor a capture")));
    }
}
