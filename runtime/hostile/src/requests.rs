//! P4Runtime requests of any content, to a switch with one of two programs.
//!
//! An input is a [`Conversation`]: a protobuf message that holds requests one after the other. Whatever they are,
//!
//! - each is answered, and a refusal has a text; nothing panics;
//! - what is refused has changed nothing: after a batch that was to be atomic, or of which every update was refused, a
//!   read of everything gives what it gave before;
//! - each update is either counted as applied or as refused.

use std::time::Duration;

use prost::Message;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use vouch_p4runtime::P4Info;
use vouch_p4runtime::google::rpc;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::p4_runtime_client::P4RuntimeClient;
use vouch_p4runtime::p4::v1::packet_replication_engine_entry::Type as Replication;
use vouch_p4runtime::p4::v1::set_forwarding_pipeline_config_request::Action;
use vouch_p4runtime::p4::v1::stream_message_request::Update as Outgoing;
use vouch_p4runtime::p4::v1::stream_message_response::Update as Incoming;
use vouch_p4runtime::p4::v1::write_request::Atomicity;
use vouch_p4runtime::p4::v1::*;
use vouch_switch_server::{Routes, ServerHandle, SwitchServer};

use crate::mutate;

/// P4Info and program: one with everything in it, and one with translated types and data of many shapes.
const PROGRAMS: [(&str, &[u8]); 2] = [
    (
        include_str!("../../switch-server/tests/programs/kinds.p4info.txtpb"),
        include_bytes!("../../switch-server/tests/programs/kinds.json"),
    ),
    (
        include_str!("../../switch-server/tests/programs/names.p4info.txtpb"),
        include_bytes!("../../switch-server/tests/programs/names.json"),
    ),
];

/// More steps than this say nothing new.
const MOST_STEPS: usize = 40;
/// Streams besides that of the primary.
const STREAMS: u32 = 3;
/// Nothing here takes this long; it turns a switch that never answers into a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a few controllers say to a switch.
#[derive(Clone, PartialEq, Message)]
pub struct Conversation {
    /// Which program the switch has at first.
    #[prost(uint32, tag = "1")]
    pub program: u32,
    /// Whether it does as BMv2 does.
    #[prost(bool, tag = "2")]
    pub bmv2_compat: bool,
    /// What is said, in order.
    #[prost(message, repeated, tag = "3")]
    pub steps: Vec<Step>,
}

/// One request, or one message.
#[derive(Clone, PartialEq, Message)]
pub struct Step {
    /// The stream that a message is for; 0 is that of the primary.
    #[prost(uint32, tag = "1")]
    pub stream: u32,
    /// What is said.
    #[prost(oneof = "Said", tags = "2, 3, 4, 5, 6, 7")]
    pub said: Option<Said>,
}

/// What a controller can say. Device 0 stands for the switch, no election id for the primary's, and a program of one byte for
/// one of those that the switch may have.
#[derive(Clone, PartialEq, prost::Oneof)]
#[expect(clippy::large_enum_variant, reason = "there are few of them, and none is kept")]
pub enum Said {
    /// A batch of updates.
    #[prost(message, tag = "2")]
    Write(WriteRequest),
    /// A batch of reads.
    #[prost(message, tag = "3")]
    Read(ReadRequest),
    /// A pipeline.
    #[prost(message, tag = "4")]
    SetPipeline(SetForwardingPipelineConfigRequest),
    /// A wish to see the pipeline.
    #[prost(message, tag = "5")]
    GetPipeline(GetForwardingPipelineConfigRequest),
    /// A message on a stream.
    #[prost(message, tag = "6")]
    Message(StreamMessageRequest),
    /// A question for the version.
    #[prost(message, tag = "7")]
    Capabilities(CapabilitiesRequest),
}

/// Try an input; what is no [`Conversation`] says nothing.
///
/// # Panics
/// Where the switch does what it must not.
pub fn run(data: &[u8]) {
    let Ok(conversation) = Conversation::decode(data) else { return };
    runtime().block_on(async {
        let mut bench = Bench::start(conversation.bmv2_compat).await;
        bench.set_pipeline(known_config(conversation.program)).await.expect("the programs of the repository are valid");
        for step in conversation.steps.into_iter().take(MOST_STEPS) {
            bench.take(step).await;
        }
        bench.stop().await;
    });
}

/// Change an input so that it stays a conversation.
pub fn mutate(data: &[u8], seed: u64) -> Vec<u8> {
    mutate::message(data, &mut StdRng::seed_from_u64(seed))
}

/// Give a switch a pipeline; if it takes that, look at all of it, and send packets.
pub(crate) fn set_pipeline(config: ForwardingPipelineConfig) {
    runtime().block_on(async {
        let mut bench = Bench::start(false).await;
        match bench.set_pipeline(config).await {
            Err(refused) => assert!(!refused.message().is_empty()),
            Ok(()) => {
                bench.everything().await;
                for length in [0, 1, 20, 200] {
                    let packet = PacketOut { payload: vec![8; length].into(), metadata: Vec::new() };
                    bench.say(0, StreamMessageRequest { update: Some(Outgoing::Packet(packet)) }).await;
                }
            }
        }
        bench.stop().await;
    });
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A program that the switch may have.
fn known_config(number: u32) -> ForwardingPipelineConfig {
    let (p4info, json) = PROGRAMS[number as usize % PROGRAMS.len()];
    let info = P4Info::from_text(p4info).expect("p4c wrote it");
    ForwardingPipelineConfig { p4info: Some(info.message().clone()), p4_device_config: json.into(), cookie: None }
}

/// Wait for what must come.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("the switch answers")
}

/// A switch, its primary, and other controllers.
struct Bench {
    switch: ServerHandle,
    client: P4RuntimeClient<Routes>,
    streams: Vec<Option<Channel>>,
}

struct Channel {
    outgoing: mpsc::Sender<StreamMessageRequest>,
    incoming: Streaming<StreamMessageResponse>,
}

impl Bench {
    async fn start(compatible: bool) -> Bench {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let switch = SwitchServer::builder().bmv2_compat(compatible).build().expect("it is well described");
        let switch = switch.serve(listener).expect("it listens");
        let largest = 64 << 20;
        let client =
            P4RuntimeClient::new(switch.routes()).max_decoding_message_size(largest).max_encoding_message_size(largest);
        let mut bench = Bench { switch, client, streams: Vec::new() };
        let first = MasterArbitrationUpdate { device_id: 1, election_id: election_id(), ..Default::default() };
        bench.say(0, StreamMessageRequest { update: Some(Outgoing::Arbitration(first)) }).await;
        bench
    }

    async fn stop(self) {
        let Bench { switch, client, streams, .. } = self;
        drop((client, streams));
        switch.shutdown().await;
    }

    async fn set_pipeline(&mut self, config: ForwardingPipelineConfig) -> Result<(), Status> {
        let request = SetForwardingPipelineConfigRequest {
            device_id: 1,
            election_id: election_id(),
            action: Action::VerifyAndCommit as i32,
            config: Some(config),
            ..Default::default()
        };
        soon(self.client.set_forwarding_pipeline_config(request)).await.map(|_| ())
    }

    async fn take(&mut self, step: Step) {
        match step.said {
            Some(Said::Write(request)) => self.write(request).await,
            Some(Said::Read(mut request)) => {
                name_device(&mut request.device_id);
                if let (_, Some(refused)) = self.read(request).await {
                    assert!(!refused.message().is_empty());
                }
            }
            Some(Said::SetPipeline(mut request)) => {
                name_device(&mut request.device_id);
                request.election_id = request.election_id.or_else(election_id);
                if let Some(config) = &mut request.config
                    && let [number] = *config.p4_device_config
                {
                    let known = known_config(number.into());
                    config.p4_device_config = known.p4_device_config;
                    config.p4info = config.p4info.take().or(known.p4info);
                }
                let before = self.everything().await;
                if let Err(refused) = soon(self.client.set_forwarding_pipeline_config(request)).await {
                    assert!(!refused.message().is_empty());
                    assert_eq!(self.everything().await, before, "a refused pipeline: {refused}");
                }
            }
            Some(Said::GetPipeline(mut request)) => {
                name_device(&mut request.device_id);
                if let Err(refused) = soon(self.client.get_forwarding_pipeline_config(request)).await {
                    assert!(!refused.message().is_empty());
                }
            }
            Some(Said::Message(message)) => self.say(step.stream % (STREAMS + 1), message).await,
            Some(Said::Capabilities(request)) => {
                if let Err(refused) = soon(self.client.capabilities(request)).await {
                    assert!(!refused.message().is_empty());
                }
            }
            None => {}
        }
    }

    async fn write(&mut self, mut request: WriteRequest) {
        name_device(&mut request.device_id);
        request.election_id = request.election_id.or_else(election_id);
        let count = request.updates.len();
        let atomic = request.atomicity != Atomicity::ContinueOnError as i32;
        let (before, counted) = (self.everything().await, self.switch.counters());
        let outcome = soon(self.client.write(request)).await;
        let (applied, refused) = match &outcome {
            Ok(_) => (count, 0),
            Err(status) => {
                assert!(!status.message().is_empty());
                match reported(status) {
                    // Nothing was tried.
                    None => (0, 0),
                    Some(codes) => {
                        assert_eq!(codes.len(), count, "each update is reported: {status}");
                        let refused = codes.iter().filter(|code| **code != 0).count();
                        assert!(refused > 0, "{status}");
                        assert!(!atomic || refused == count, "all or none: {status}");
                        (count - refused, refused)
                    }
                }
            }
        };
        let now = self.switch.counters();
        assert_eq!(now.updates - counted.updates, applied as u64, "updates counted as applied");
        assert_eq!(now.updates_refused - counted.updates_refused, refused as u64, "updates counted as refused");
        if applied == 0 {
            assert_eq!(self.everything().await, before, "after {outcome:?}");
        }
    }

    /// What a read finds, and the status that ends it if that is not a good one.
    async fn read(&mut self, request: ReadRequest) -> (Vec<Entity>, Option<Status>) {
        let mut found = Vec::new();
        let mut stream = match soon(self.client.read(request)).await {
            Ok(response) => response.into_inner(),
            Err(status) => return (found, Some(status)),
        };
        loop {
            match soon(stream.message()).await {
                Ok(Some(response)) => found.extend(response.entities),
                Ok(None) => return (found, None),
                Err(status) => return (found, Some(status)),
            }
        }
    }

    /// Everything that can be read, in an order that does not depend on how it is kept, and how the read ended.
    async fn everything(&mut self) -> (Vec<Vec<u8>>, Option<(Code, String)>) {
        let replication =
            |entry| Kind::PacketReplicationEngineEntry(PacketReplicationEngineEntry { r#type: Some(entry) });
        let with_resources = TableEntry {
            counter_data: Some(CounterData::default()),
            meter_config: Some(MeterConfig::default()),
            ..Default::default()
        };
        let kinds = [
            Kind::TableEntry(with_resources.clone()),
            Kind::TableEntry(TableEntry { is_default_action: true, ..with_resources }),
            Kind::ActionProfileMember(ActionProfileMember::default()),
            Kind::ActionProfileGroup(ActionProfileGroup::default()),
            Kind::MeterEntry(MeterEntry::default()),
            Kind::CounterEntry(CounterEntry::default()),
            Kind::RegisterEntry(RegisterEntry::default()),
            Kind::ValueSetEntry(ValueSetEntry::default()),
            Kind::DigestEntry(DigestEntry::default()),
            replication(Replication::MulticastGroupEntry(MulticastGroupEntry::default())),
            replication(Replication::CloneSessionEntry(CloneSessionEntry::default())),
        ];
        let entities = kinds.map(|kind| Entity { entity: Some(kind) }).to_vec();
        let (found, ended) = self.read(ReadRequest { device_id: 1, entities, ..Default::default() }).await;
        let mut all: Vec<Vec<u8>> = found.iter().map(Message::encode_to_vec).collect();
        all.sort();
        (all, ended.map(|status| (status.code(), status.message().to_owned())))
    }

    /// Say something on a stream, and wait until it has been dealt with.
    async fn say(&mut self, stream: u32, message: StreamMessageRequest) {
        let number = stream as usize;
        if self.streams.len() <= number {
            self.streams.resize_with(number + 1, || None);
        }
        if self.streams[number].is_none() {
            let (outgoing, requests) = mpsc::channel(4);
            let incoming = soon(self.client.stream_channel(ReceiverStream::new(requests))).await;
            let incoming = incoming.expect("a stream can always be opened").into_inner();
            self.streams[number] = Some(Channel { outgoing, incoming });
        }
        let Some(channel) = &mut self.streams[number] else { return };
        // A message without content is answered, and after what came before it.
        let messages = [message, StreamMessageRequest::default()];
        let mut answers = messages.iter().filter(|message| message.update.is_none()).count();
        for message in messages {
            if soon(channel.outgoing.send(message)).await.is_err() {
                self.streams[number] = None;
                return;
            }
        }
        loop {
            match soon(channel.incoming.message()).await {
                Ok(Some(StreamMessageResponse { update: Some(Incoming::Error(error)) })) => {
                    assert!(!error.message.is_empty());
                    answers -= usize::from(error.message == "the message is empty");
                    if answers == 0 {
                        return;
                    }
                }
                Ok(Some(response)) => assert!(response.update.is_some(), "a message without content"),
                ended => {
                    if let Err(status) = ended {
                        assert!(!status.message().is_empty());
                    }
                    self.streams[number] = None;
                    return;
                }
            }
        }
    }
}

fn election_id() -> Option<Uint128> {
    Some(Uint128 { high: 0, low: 1 })
}

fn name_device(device_id: &mut u64) {
    if *device_id == 0 {
        *device_id = 1;
    }
}

/// The code of each update of a batch, if they were tried.
fn reported(status: &Status) -> Option<Vec<i32>> {
    if status.code() != Code::Unknown {
        return None;
    }
    let details = rpc::Status::decode(status.details()).expect("a status of a batch has details").details;
    let code = |value: &[u8]| Error::decode(value).expect("an error for each").canonical_code;
    Some(details.iter().map(|any| code(&any.value)).collect())
}
