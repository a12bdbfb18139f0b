//! Port status over gNMI.

use crate::common::{Bench, soon};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use vouch_p4runtime::gnmi::g_nmi_client::GNmiClient;
use vouch_p4runtime::gnmi::subscribe_request::Request;
use vouch_p4runtime::gnmi::subscribe_response::Response;
use vouch_p4runtime::gnmi::subscription_list::Mode;
use vouch_p4runtime::gnmi::typed_value::Value;
use vouch_p4runtime::gnmi::*;
use vouch_switch_server::{LinkConfig, link};

fn path(interface: Option<&str>, rest: &[&str]) -> Path {
    let element = |name: &str| PathElem { name: name.into(), ..Default::default() };
    let mut list = element("interface");
    list.key.extend(interface.map(|name| ("name".to_owned(), name.to_owned())));
    let elem = [element("interfaces"), list].into_iter().chain(rest.iter().map(|name| element(name)));
    Path { elem: elem.collect(), ..Default::default() }
}

fn leaf(interface: &str) -> Path {
    path(Some(interface), &["state", "oper-status"])
}

/// The subscription's stream and what keeps it open.
struct Subscribed {
    stream: Streaming<SubscribeResponse>,
    _requests: mpsc::Sender<SubscribeRequest>,
}

async fn subscribe(bench: &Bench, mode: Mode, paths: Vec<Path>) -> Subscribed {
    let mut client = GNmiClient::connect(format!("http://{}", bench.switch.local_addr())).await.expect("it listens");
    let subscription = paths.into_iter().map(|path| Subscription {
        path: Some(path),
        mode: SubscriptionMode::OnChange as i32,
        ..Default::default()
    });
    let list = SubscriptionList { subscription: subscription.collect(), mode: mode as i32, ..Default::default() };
    let (requests, outgoing) = mpsc::channel(1);
    requests.send(SubscribeRequest { request: Some(Request::Subscribe(list)) }).await.expect("there is room");
    let stream = client.subscribe(ReceiverStream::new(outgoing)).await.expect("a stream").into_inner();
    Subscribed { stream, _requests: requests }
}

impl Subscribed {
    /// `Some((port, status))`, or `None` for the sync response.
    async fn hear(&mut self) -> Result<Option<(String, String)>, Status> {
        let message = soon(self.stream.message()).await?.expect("the stream goes on");
        match message.response.expect("never empty") {
            Response::SyncResponse(true) => Ok(None),
            Response::Update(notification) => {
                assert!(notification.timestamp > 0);
                let [update] = notification.update.as_slice() else { panic!("one update in {notification:?}") };
                let name = update.path.as_ref().expect("a path").elem[1].key["name"].clone();
                assert_eq!(update.path, Some(leaf(&name)));
                match update.val.as_ref().and_then(|value| value.value.clone()) {
                    Some(Value::StringVal(status)) => Ok(Some((name, status))),
                    other => panic!("{other:?} is no string"),
                }
            }
            other => panic!("{other:?} instead of an update"),
        }
    }

    async fn update(&mut self) -> (String, String) {
        self.hear().await.expect("the stream goes on").expect("an update")
    }
}

fn status(port: &str, status: &str) -> (String, String) {
    (port.into(), status.into())
}

#[tokio::test]
async fn a_subscription_tells_all_ports_and_then_changes() {
    let bench = Bench::start().await;
    bench.host(2).set_up(false);
    let mut subscribed = subscribe(&bench, Mode::Stream, vec![path(Some("*"), &["state", "oper-status"])]).await;
    assert_eq!(subscribed.update().await, status("1", "UP"));
    assert_eq!(subscribed.update().await, status("2", "DOWN"));
    assert_eq!(subscribed.update().await, status("3", "UP"));
    assert_eq!(subscribed.hear().await.expect("the stream goes on"), None);
    bench.host(1).set_up(false);
    assert_eq!(subscribed.update().await, status("1", "DOWN"));
    bench.host(2).set_up(true);
    assert_eq!(subscribed.update().await, status("2", "UP"));
    // However short an interruption is, it is told.
    bench.host(3).set_up(false);
    bench.host(3).set_up(true);
    assert_eq!(subscribed.update().await, status("3", "DOWN"));
    assert_eq!(subscribed.update().await, status("3", "UP"));
}

#[tokio::test]
async fn ports_that_come_and_go_are_told() {
    let bench = Bench::start().await;
    let mut all = subscribe(&bench, Mode::Stream, vec![path(None, &["state", "oper-status"])]).await;
    let mut second = subscribe(&bench, Mode::Stream, vec![leaf("2")]).await;
    for port in ["1", "2", "3"] {
        assert_eq!(all.update().await, status(port, "UP"));
    }
    assert_eq!(all.hear().await.expect("the stream goes on"), None);
    assert_eq!(second.update().await, status("2", "UP"));
    assert_eq!(second.hear().await.expect("the stream goes on"), None);
    let control = bench.switch.control();
    control.unplug(2).expect("it is there");
    assert_eq!(all.update().await, status("2", "DOWN"));
    assert_eq!(second.update().await, status("2", "DOWN"));
    let (host, port) = link(LinkConfig::default());
    host.set_up(false);
    control.plug(7, port).expect("nothing has this number");
    assert_eq!(all.update().await, status("7", "DOWN"));
    host.set_up(true);
    assert_eq!(all.update().await, status("7", "UP"));
    let (_host, port) = link(LinkConfig::default());
    control.plug(2, port).expect("nothing has this number any more");
    assert_eq!(all.update().await, status("2", "UP"));
    assert_eq!(second.update().await, status("2", "UP"));
}

#[tokio::test]
async fn once_ends_after_the_values() {
    let bench = Bench::start().await;
    let mut subscribed = subscribe(&bench, Mode::Once, vec![leaf("2")]).await;
    assert_eq!(subscribed.update().await, status("2", "UP"));
    assert_eq!(subscribed.hear().await.expect("the stream goes on"), None);
    assert!(soon(subscribed.stream.message()).await.expect("a good end").is_none());
}

#[tokio::test]
async fn what_is_not_there_is_refused_with_what_is() {
    let bench = Bench::start().await;
    let mut cases = vec![
        (leaf("7"), Code::NotFound, "there is no interface 7; there is 1, 2, 3"),
        (
            path(Some("1"), &["state", "mtu"]),
            Code::NotFound,
            "there is no /interfaces/interface/state/mtu; there is /interfaces/interface[name=PORT]/state/oper-status",
        ),
    ];
    for (path, code, text) in cases.drain(..) {
        let refused = subscribe(&bench, Mode::Stream, vec![path]).await.hear().await.expect_err("it is not there");
        assert_eq!((refused.code(), refused.message()), (code, text));
    }
    let refused = subscribe(&bench, Mode::Poll, vec![leaf("1")]).await.hear().await.expect_err("no polling");
    assert_eq!(refused.code(), Code::Unimplemented);
    let mut client = GNmiClient::connect(format!("http://{}", bench.switch.local_addr())).await.expect("it listens");
    let models = client.capabilities(CapabilityRequest {}).await.expect("an answer").into_inner().supported_models;
    assert_eq!(models[0].name, "openconfig-interfaces");
}

#[tokio::test]
async fn get_answers_which_ports_there_are_and_how_they_are() {
    let bench = Bench::start().await;
    bench.host(2).set_up(false);
    let mut client = GNmiClient::connect(format!("http://{}", bench.switch.local_addr())).await.expect("it listens");
    let mut get = async |path| {
        let answer = client.get(GetRequest { path: vec![path], ..Default::default() }).await?.into_inner();
        let [notification] = answer.notification.as_slice() else { panic!("one notification in {answer:?}") };
        let value = |update: &Update| update.val.as_ref().and_then(|value| value.value.clone()).expect("a value");
        Ok::<Vec<Value>, Status>(notification.update.iter().map(value).collect())
    };
    let all = get(path(None, &["state", "ifindex"])).await.expect("it is there");
    assert_eq!(all, [Value::UintVal(1), Value::UintVal(2), Value::UintVal(3)]);
    let one = get(path(Some("2"), &["state"])).await.expect("it is there");
    assert_eq!(one, [Value::StringVal("DOWN".into()), Value::UintVal(2)]);
    let refused = get(path(Some("2"), &["config"])).await.expect_err("it is not there");
    assert_eq!(refused.code(), Code::NotFound);
}

#[tokio::test]
async fn wildcards_in_paths_mean_every_port() {
    let bench = Bench::start().await;
    let elements = |names: &[&str]| Path {
        elem: names.iter().map(|name| PathElem { name: (*name).into(), ..Default::default() }).collect(),
        ..Default::default()
    };
    let heard = async |path: Path| {
        let mut subscribed = subscribe(&bench, Mode::Once, vec![path]).await;
        let mut ports = Vec::new();
        while let Some((port, _)) = subscribed.hear().await.expect("the path is one") {
            ports.push(port);
        }
        ports
    };
    let all = heard(leaf("*")).await;
    assert!(all.len() > 1);
    for names in [
        &["interfaces", "interface", "..."][..],
        &["interfaces", "interface"],
        &["interfaces", "...", "oper-status"],
        &["interfaces", "interface", "*", "oper-status"],
        &["..."],
    ] {
        assert_eq!(heard(elements(names)).await, all, "{names:?}");
    }
    let mut none = subscribe(&bench, Mode::Once, vec![elements(&["interfaces", "...", "mtu"])]).await;
    assert_eq!(none.hear().await.expect_err("there is no such leaf").code(), Code::NotFound);
}
