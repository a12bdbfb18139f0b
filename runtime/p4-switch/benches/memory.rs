//! What hostile clients cost in memory, beside BMv2 where there is one.
//!
//! ```sh
//! cargo bench -p p4-switch --bench memory -- read            # all cells of an array of 2^20, 2^22, 2^24 counters
//! cargo bench -p p4-switch --bench memory -- refused         # 12 and 60 packet-outs of 60 MB, from who never reads
//! ```
//!
//! Each line is a process of its own: resident memory before, the most, and five seconds after the client has gone. What
//! `p4-switch` has after all is told once more with `MIMALLOC_PURGE_DELAY=0` in its environment, which has its allocator give back
//! at once what is free.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use p4_switch::process::{BMV2, Ports, SwitchProcess, bmv2, bound, find, free_ports};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::p4_runtime_client::P4RuntimeClient;
use vouch_p4runtime::p4::v1::set_forwarding_pipeline_config_request::Action;
use vouch_p4runtime::p4::v1::stream_message_request::Update;
use vouch_p4runtime::p4::v1::{
    CounterEntry, Entity, ForwardingPipelineConfig, MasterArbitrationUpdate, PacketMetadata, PacketOut, ReadRequest,
    SetForwardingPipelineConfigRequest, StreamMessageRequest, Uint128,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const DEVICE: u64 = 1;
/// How long the memory of a switch is watched after its client has gone.
const AFTER: Duration = Duration::from_secs(5);
/// How long a packet-out may take to be taken.
const PATIENCE: Duration = Duration::from_secs(20);
/// The bytes of each.
const LARGE: usize = 60_000_000;

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// What cargo says to benchmarks
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Read all cells of an array
    Read {
        /// How many cells, as powers of two
        #[arg(long, value_delimiter = ',', default_values_t = [20, 22, 24])]
        powers: Vec<u32>,
    },
    /// Send packet-outs that are refused, and read none of the answers
    Refused {
        /// How many
        #[arg(long, value_delimiter = ',', default_values_t = [12, 60])]
        counts: Vec<usize>,
    },
}

fn main() -> Result<()> {
    let Arguments { what, .. } = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    println!("| | switch | before | most | after | |\n|---|---|---|---|---|---|");
    for kind in Kinds::all() {
        match &what {
            What::Read { powers } => {
                for power in powers {
                    runtime.block_on(read(kind, *power))?;
                }
            }
            What::Refused { counts } => {
                for count in counts {
                    runtime.block_on(refused(kind, *count))?;
                }
            }
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kinds {
    Ours,
    GivingBack,
    Bmv2,
}

impl Kinds {
    fn all() -> Vec<Self> {
        let bmv2 = find(BMV2).map(|_| Self::Bmv2);
        [Self::Ours, Self::GivingBack].into_iter().chain(bmv2).collect()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ours => "p4-switch",
            Self::GivingBack => "p4-switch, MIMALLOC_PURGE_DELAY=0",
            Self::Bmv2 => "BMv2",
        }
    }

    fn command(self) -> Result<Command> {
        let [thrift] = free_ports()?;
        let mut ours = bound(env!("CARGO_BIN_EXE_p4-switch"));
        Ok(match self {
            Self::Ours => ours,
            Self::GivingBack => {
                ours.env("MIMALLOC_PURGE_DELAY", "0");
                ours
            }
            Self::Bmv2 => bmv2(thrift),
        })
    }
}

/// A switch, and its controller.
struct Running {
    process: SwitchProcess,
    client: P4RuntimeClient<Channel>,
    /// The controller's stream.
    _stream: mpsc::Sender<StreamMessageRequest>,
    _log: tempfile::TempDir,
}

fn arbitration(election: u64) -> StreamMessageRequest {
    let election_id = Some(Uint128 { high: 0, low: election });
    let update = MasterArbitrationUpdate { device_id: DEVICE, election_id, ..MasterArbitrationUpdate::default() };
    StreamMessageRequest { update: Some(Update::Arbitration(update)) }
}

impl Running {
    /// One whose counters are so many.
    async fn start(kind: Kinds, cells: i64) -> Result<Self> {
        let log = tempfile::tempdir()?;
        let process = SwitchProcess::start(kind.command()?, DEVICE, Ports::Streamed, &log.path().join("log")).await?;
        let mut client = P4RuntimeClient::connect(process.url().to_owned())
            .await?
            .max_decoding_message_size(usize::MAX)
            .max_encoding_message_size(usize::MAX);
        let (stream, outgoing) = mpsc::channel(1);
        stream.send(arbitration(1)).await?;
        client.stream_channel(ReceiverStream::new(outgoing)).await?.into_inner().message().await?;
        let request = SetForwardingPipelineConfigRequest {
            device_id: DEVICE,
            election_id: Some(Uint128 { high: 0, low: 1 }),
            action: Action::VerifyAndCommit as i32,
            config: Some(program(cells)?),
            ..SetForwardingPipelineConfigRequest::default()
        };
        client.set_forwarding_pipeline_config(request).await?;
        Ok(Self { process, client, _stream: stream, _log: log })
    }

    /// Resident memory now, and the most so far, in megabytes.
    fn memory(&self) -> Result<[u64; 2]> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
            kilobytes.map(|kilobytes| kilobytes / 1024).ok_or_else(|| format!("the switch has no {name}"))
        };
        Ok([of("VmRSS:")?, of("VmHWM:")?])
    }

    async fn tell(&self, what: &str, kind: Kinds, [before, _]: [u64; 2], came: &str) -> Result<()> {
        sleep(AFTER).await;
        let [after, most] = self.memory()?;
        println!("| {what} | {} | {before} MB | {most} MB | {after} MB | {came} |", kind.name());
        Ok(())
    }
}

/// The program of all kinds, with so many counters in its array.
fn program(cells: i64) -> Result<ForwardingPipelineConfig> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../switch-server/tests/programs");
    let mut p4info = P4Info::from_text(&fs::read_to_string(folder.join("kinds.p4info.txtpb"))?)?.message().clone();
    for counter in &mut p4info.counters {
        counter.size = cells;
    }
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("kinds.json"))?)?;
    for array in json["counter_arrays"].as_array_mut().ok_or("the program has no counters")? {
        if array["is_direct"] == false {
            array["size"] = cells.into();
        }
    }
    let p4_device_config = serde_json::to_vec(&json)?.into();
    Ok(ForwardingPipelineConfig { p4info: Some(p4info), p4_device_config, cookie: None })
}

async fn read(kind: Kinds, power: u32) -> Result<()> {
    let mut running = Running::start(kind, 1 << power).await?;
    let before = running.memory()?;
    let entity = Some(Kind::CounterEntry(CounterEntry::default()));
    let request = ReadRequest { device_id: DEVICE, entities: vec![Entity { entity }], ..ReadRequest::default() };
    let start = Instant::now();
    let mut responses = running.client.read(request).await?.into_inner();
    let (mut messages, mut cells, mut bytes) = (0_u64, 0, 0);
    while let Some(response) = responses.next().await {
        let response = response?;
        (messages, cells, bytes) = (messages + 1, cells + response.entities.len(), bytes + response.encoded_len());
    }
    let seconds = start.elapsed().as_secs_f64();
    if cells != 1 << power {
        return Err(format!("{}: {cells} cells of 2^{power}", kind.name()).into());
    }
    let came = format!("{messages} messages, {} MB, {seconds:.1} s", bytes / 1_000_000);
    running.tell(&format!("2^{power} cells"), kind, before, &came).await
}

async fn refused(kind: Kinds, count: usize) -> Result<()> {
    let running = Running::start(kind, 8).await?;
    let before = running.memory()?;
    let mut other =
        P4RuntimeClient::connect(running.process.url().to_owned()).await?.max_encoding_message_size(usize::MAX);
    let (stream, outgoing) = mpsc::channel(1);
    stream.send(arbitration(9)).await?;
    let mut answers = other.stream_channel(ReceiverStream::new(outgoing)).await?.into_inner();
    answers.message().await?;
    let mut taken = 0;
    for _ in 0..count {
        // There is no such metadata.
        let metadata = vec![PacketMetadata { metadata_id: 99, value: vec![1] }];
        let packet = PacketOut { payload: vec![0; LARGE].into(), metadata };
        let request = StreamMessageRequest { update: Some(Update::Packet(packet)) };
        match timeout(PATIENCE, stream.send(request)).await {
            Ok(sent) => sent?,
            Err(_) => break,
        }
        taken += 1;
    }
    // The last is on its way still.
    sleep(AFTER).await;
    let [with, _] = running.memory()?;
    drop((stream, answers, other));
    running.tell(&format!("{count} of 60 MB"), kind, before, &format!("{taken} taken, {with} MB before it goes")).await
}
