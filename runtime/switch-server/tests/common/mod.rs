//! A switch that runs the test program, its hosts, and controllers that speak to it over a real connection.

// Each test file uses its own part of this.
#![allow(dead_code, unreachable_pub)]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4::v1::entity::Entity as Kind;
use vouch_p4runtime::p4::v1::field_match::{Exact, FieldMatchType};
use vouch_p4runtime::p4::v1::p4_runtime_client::P4RuntimeClient;
use vouch_p4runtime::p4::v1::set_forwarding_pipeline_config_request::Action;
use vouch_p4runtime::p4::v1::stream_message_request::Update as Outgoing;
use vouch_p4runtime::p4::v1::stream_message_response::Update as Incoming;
use vouch_p4runtime::p4::v1::table_action::Type as ActionType;
use vouch_p4runtime::p4::v1::update::Type;
use vouch_p4runtime::p4::v1::*;
use vouch_switch_server::{Builder, Endpoint, LinkConfig, ServerHandle, SwitchServer, link};

pub const P4INFO: &str = include_str!("../programs/kinds.p4info.txtpb");
pub const JSON: &[u8] = include_bytes!("../programs/kinds.json");

/// Nothing here takes this long; it turns a test that hangs into one that fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Wait for what must come.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it comes")
}

/// Wait for a condition that another task brings about.
pub async fn until(condition: impl Fn() -> bool) {
    soon(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// A switch with ports 1 to 3, a host behind each.
pub struct Bench {
    pub switch: ServerHandle,
    /// Where controllers connect.
    pub address: SocketAddr,
    pub hosts: Vec<Endpoint>,
    pub info: P4Info,
}

impl Bench {
    pub async fn start() -> Bench {
        Self::start_as(SwitchServer::builder()).await
    }

    /// A switch of a certain kind.
    pub async fn start_as(builder: Builder) -> Bench {
        let mut builder = builder.device_id(1);
        let mut hosts = Vec::new();
        for number in 1..=3 {
            let (host, port) = link(LinkConfig::default());
            builder = builder.port(number, port);
            hosts.push(host);
        }
        let switch = builder.build().expect("the ports differ").listen("127.0.0.1:0").await.expect("a free port");
        let address = switch.local_addr();
        Bench { switch, address, hosts, info: P4Info::from_text(P4INFO).expect("p4c wrote it") }
    }

    /// A switch with the test program, and its primary.
    pub async fn running() -> (Bench, Controller) {
        let bench = Bench::start().await;
        let mut controller = bench.primary().await;
        controller.set_pipeline(Action::VerifyAndCommit, Some(bench.config())).await.expect("the pipeline is valid");
        (bench, controller)
    }

    pub async fn controller(&self) -> Controller {
        Controller::connect(self.address).await
    }

    pub async fn primary(&self) -> Controller {
        let mut controller = self.controller().await;
        let (code, _) = controller.arbitrate(Some(1)).await;
        assert_eq!(code, 0);
        controller
    }

    pub fn config(&self) -> ForwardingPipelineConfig {
        ForwardingPipelineConfig {
            p4info: Some(self.info.message().clone()),
            p4_device_config: JSON.into(),
            cookie: Some(forwarding_pipeline_config::Cookie { cookie: 42 }),
        }
    }

    /// The host behind a port, ports being numbered from 1.
    pub fn host(&self, port: usize) -> &Endpoint {
        &self.hosts[port - 1]
    }

    pub fn action(&self, name: &str, params: &[&[u8]]) -> Option<TableAction> {
        let params = params.iter().zip(1..).map(|(value, param_id)| action::Param { param_id, value: value.to_vec() });
        let action_id = self.info.action(name).expect("the program has it").id;
        Some(TableAction {
            r#type: Some(ActionType::Action(vouch_p4runtime::p4::v1::Action { action_id, params: params.collect() })),
        })
    }

    /// An entry of a table with the frame's destination as its exact key.
    pub fn entry(&self, table: &str, dst: u8, action: &str, params: &[&[u8]]) -> TableEntry {
        let exact = FieldMatchType::Exact(Exact { value: vec![dst] });
        TableEntry {
            table_id: self.info.table(table).expect("the program has it").id,
            r#match: vec![FieldMatch { field_id: 1, field_match_type: Some(exact) }],
            action: self.action(action, params),
            ..Default::default()
        }
    }

    pub fn default_entry(&self, table: &str, action: &str, params: &[&[u8]]) -> TableEntry {
        TableEntry {
            table_id: self.info.table(table).expect("the program has it").id,
            is_default_action: true,
            action: self.action(action, params),
            ..Default::default()
        }
    }
}

/// A frame whose EtherType begins with what the test program is to do with it.
pub fn frame(dst: u8, src: u8, what: u8) -> Vec<u8> {
    let mut frame = vec![0, 0, 0, 0, 0, dst, 0, 0, 0, 0, 0, src, what, 0];
    frame.extend_from_slice(b"payload of some length, so that it is like a frame");
    frame
}

/// One connection with one stream.
pub struct Controller {
    pub client: P4RuntimeClient<Channel>,
    pub outgoing: Option<mpsc::Sender<StreamMessageRequest>>,
    pub incoming: Streaming<StreamMessageResponse>,
    pub election_id: Option<Uint128>,
}

impl Controller {
    pub async fn connect(address: SocketAddr) -> Controller {
        let mut client = P4RuntimeClient::connect(format!("http://{address}")).await.expect("it listens");
        let (outgoing, requests) = mpsc::channel(64);
        let incoming = client.stream_channel(ReceiverStream::new(requests)).await.expect("a stream").into_inner();
        Controller { client, outgoing: Some(outgoing), incoming, election_id: None }
    }

    pub async fn say(&self, update: Outgoing) {
        let request = StreamMessageRequest { update: Some(update) };
        self.outgoing.as_ref().expect("still open").send(request).await.expect("the stream is open");
    }

    /// The next message, or the status that ended the stream.
    pub async fn hear(&mut self) -> Result<Incoming, Status> {
        let message = soon(self.incoming.message()).await?;
        Ok(message.expect("the stream goes on").update.expect("never empty"))
    }

    pub async fn ask(&mut self, update: MasterArbitrationUpdate) {
        self.election_id = update.election_id;
        self.say(Outgoing::Arbitration(update)).await;
    }

    /// Ask for a place in the election; the answer's code and the highest id.
    pub async fn arbitrate(&mut self, id: Option<u64>) -> (i32, u64) {
        let election_id = id.map(|low| Uint128 { high: 0, low });
        self.ask(MasterArbitrationUpdate { device_id: 1, election_id, ..Default::default() }).await;
        self.standing().await
    }

    /// The next message, which must be about the election.
    pub async fn standing(&mut self) -> (i32, u64) {
        match self.hear().await {
            Ok(Incoming::Arbitration(update)) => {
                (update.status.expect("a status").code, update.election_id.map_or(0, |id| id.low))
            }
            other => panic!("{other:?} instead of an arbitration update"),
        }
    }

    pub async fn set_pipeline(
        &mut self,
        action: Action,
        config: Option<ForwardingPipelineConfig>,
    ) -> Result<(), Status> {
        let request = SetForwardingPipelineConfigRequest {
            device_id: 1,
            election_id: self.election_id,
            action: action as i32,
            config,
            ..Default::default()
        };
        soon(self.client.set_forwarding_pipeline_config(request)).await.map(|_| ())
    }

    pub async fn write(&mut self, operation: Type, kinds: Vec<Kind>) -> Result<(), Status> {
        let update = |kind| Update { r#type: operation as i32, entity: Some(Entity { entity: Some(kind) }) };
        let request = WriteRequest {
            device_id: 1,
            election_id: self.election_id,
            updates: kinds.into_iter().map(update).collect(),
            ..Default::default()
        };
        soon(self.client.write(request)).await.map(|_| ())
    }

    pub async fn insert(&mut self, kind: Kind) {
        self.write(Type::Insert, vec![kind]).await.expect("the entry is valid");
    }

    pub async fn read(&mut self, kinds: Vec<Kind>) -> Result<Vec<Kind>, Status> {
        let entities = kinds.into_iter().map(|kind| Entity { entity: Some(kind) }).collect();
        let request = ReadRequest { device_id: 1, entities, ..Default::default() };
        let mut stream = soon(self.client.read(request)).await?.into_inner();
        let mut found = Vec::new();
        while let Some(response) = soon(stream.message()).await? {
            found.extend(response.entities.into_iter().map(|entity| entity.entity.expect("never empty")));
        }
        Ok(found)
    }

    /// Write so many entries of 20,000 bytes each, and read them: how many come in each message.
    pub async fn read_much(&mut self, bench: &Bench, count: i32) -> Vec<usize> {
        let table_id = bench.info.table("acl").expect("the program has it").id;
        let entry = |priority| {
            let action = bench.action("drop", &[]);
            Kind::TableEntry(TableEntry { table_id, priority, action, metadata: vec![7; 20_000], ..Default::default() })
        };
        self.write(Type::Insert, (1..=count).map(entry).collect()).await.expect("the entries are valid");
        let entities = vec![Entity { entity: Some(Kind::TableEntry(TableEntry { table_id, ..Default::default() })) }];
        let request = ReadRequest { device_id: 1, entities, ..Default::default() };
        let mut stream = self.client.read(request).await.expect("a read").into_inner();
        let mut sizes = Vec::new();
        while let Some(response) = soon(stream.message()).await.expect("the read goes on") {
            sizes.push(response.entities.len());
        }
        sizes
    }
}
