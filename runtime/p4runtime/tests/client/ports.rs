//! Port states over gNMI, against a server that follows a script.

use futures::stream;
use tokio::sync::mpsc;
use tonic::{Code, Request, Response, Status, Streaming, codegen::BoxStream};
use vouch_p4runtime::{
    client::{PortEvent, ServerTraits, SessionConfig},
    gnmi::{
        CapabilityRequest, CapabilityResponse, GetRequest, GetResponse, Notification, Path, PathElem, SetRequest,
        SetResponse, SubscribeRequest, SubscribeResponse, TypedValue, Update,
        g_nmi_server::{GNmi, GNmiServer},
        subscribe_request::Request as Asked,
        subscribe_response::Response as Told,
        subscription_list::Mode,
        typed_value::Value,
    },
};

use crate::fake::{FakeSwitch, soon};

struct Ports {
    asked: mpsc::Sender<SubscribeRequest>,
    /// What Get answers with.
    numbers: Vec<Update>,
    answers: Vec<SubscribeResponse>,
}

#[tonic::async_trait]
impl GNmi for Ports {
    async fn capabilities(&self, _: Request<CapabilityRequest>) -> Result<Response<CapabilityResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let path = vec![elems(&["interfaces", "interface=*", "state", "ifindex"])];
        assert_eq!(request.into_inner(), GetRequest { path, ..GetRequest::default() });
        let notification = Notification { update: self.numbers.clone(), ..Notification::default() };
        Ok(Response::new(GetResponse { notification: vec![notification], ..GetResponse::default() }))
    }

    async fn set(&self, _: Request<SetRequest>) -> Result<Response<SetResponse>, Status> {
        Err(Status::unimplemented("not part of the test"))
    }

    type SubscribeStream = BoxStream<SubscribeResponse>;

    async fn subscribe(
        &self,
        request: Request<Streaming<SubscribeRequest>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let first = request.into_inner().message().await?.ok_or_else(|| Status::invalid_argument("no request"))?;
        self.asked.send(first).await.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(Box::pin(stream::iter(self.answers.clone().into_iter().map(Ok)))))
    }
}

#[tokio::test]
async fn port_states_come_as_events() {
    let (asked, mut requests) = mpsc::channel(1);
    // The path in one piece, and split between prefix and path; a value as text and as JSON; a path of something else.
    let answers = vec![
        update(&[], &["interfaces", "interface=1", "state", "oper-status"], Value::StringVal("UP".into())),
        update(&["interfaces", "interface=2"], &["state", "oper-status"], Value::JsonIetfVal(b"\"DOWN\"".into())),
        update(&[], &["interfaces", "interface=1", "state", "mtu"], Value::UintVal(1500)),
        SubscribeResponse { response: Some(Told::SyncResponse(true)) },
        update(&[], &["interfaces", "interface=2", "state", "oper-status"], Value::JsonVal(b"\"UP\"".into())),
    ];
    let mut switch = FakeSwitch::start_with(GNmiServer::new(Ports { asked, numbers: Vec::new(), answers })).await;
    let (session, _events, _controller) = switch.primary(switch.config()).await;

    let mut ports = soon(session.subscribe_ports()).await.unwrap();
    let Some(Asked::Subscribe(list)) = soon(requests.recv()).await.unwrap().request else {
        panic!("a subscription comes first");
    };
    assert_eq!(list.mode(), Mode::Stream);
    let path = list.subscription[0].path.clone().unwrap();
    assert_eq!(path, elems(&["interfaces", "interface=*", "state", "oper-status"]));

    let state = |port: &str, up| PortEvent::State { port: port.into(), up };
    for expected in [state("1", true), state("2", false), PortEvent::Synced, state("2", true)] {
        assert_eq!(soon(ports.next()).await, Some(Ok(expected)));
    }
    assert_eq!(soon(ports.next()).await, None);
}

#[tokio::test]
async fn ports_with_names_of_the_operators_are_told_by_their_numbers() {
    let (asked, _requests) = mpsc::channel(1);
    let oper_status = |name, value| update(&[], &["interfaces", name, "state", "oper-status"], value);
    let answers = vec![
        oper_status("interface=1/2", Value::StringVal("UP".into())),
        oper_status("interface=spare", Value::StringVal("DOWN".into())),
    ];
    let numbers = vec![leaf(&["interfaces", "interface=1/2", "state", "ifindex"], Value::UintVal(132))];
    let mut switch = FakeSwitch::start_with(GNmiServer::new(Ports { asked, numbers, answers })).await;
    let config = SessionConfig { server: ServerTraits::STRATUM, ..switch.config() };
    let (session, _events, _controller) = switch.primary(config).await;
    let mut ports = soon(session.subscribe_ports()).await.unwrap();
    for (port, up) in [("132", true), ("spare", false)] {
        assert_eq!(soon(ports.next()).await, Some(Ok(PortEvent::State { port: port.into(), up })));
    }
}

#[tokio::test]
async fn a_switch_without_gnmi_says_so() {
    let mut switch = FakeSwitch::start().await;
    let (session, _events, _controller) = switch.primary(switch.config()).await;
    assert_eq!(soon(session.subscribe_ports()).await.unwrap_err().code(), Some(Code::Unimplemented));
}

fn update(prefix: &[&str], path: &[&str], value: Value) -> SubscribeResponse {
    let update = vec![leaf(path, value)];
    let notification = Notification { prefix: Some(elems(prefix)), update, ..Notification::default() };
    SubscribeResponse { response: Some(Told::Update(notification)) }
}

fn leaf(path: &[&str], value: Value) -> Update {
    let val = Some(TypedValue { value: Some(value) });
    Update { path: Some(elems(path)), val, ..Update::default() }
}

/// A path of `name` and `name=key` elements.
fn elems(names: &[&str]) -> Path {
    let elem = |name: &&str| match name.split_once('=') {
        Some((name, key)) => PathElem { name: name.into(), key: [("name".to_owned(), key.to_owned())].into() },
        None => PathElem { name: (*name).into(), ..PathElem::default() },
    };
    Path { elem: names.iter().map(elem).collect(), ..Path::default() }
}
