//! Port state over gNMI, where the switch's server has it at the same address.
//!
//! Path: `/interfaces/interface[name=N]/state/oper-status`, `N` the port's number, values `UP` and anything else for down.
//! Where `N` is a name of the operator's ([`PortNames::Free`]), the leaf `ifindex` beside it has the number; it is asked for
//! first, with one Get, as ONOS does (`OpenConfigGnmiDeviceDescriptionDiscovery`).

use std::collections::VecDeque;

use futures::stream;
use tokio::time::timeout;
use tonic::{Streaming, transport::Channel};

use super::{PortNames, RpcError, Session, SessionConfig, server::PortNumbers};
use crate::gnmi::{
    GetRequest, GetResponse, Path, PathElem, SubscribeRequest, SubscribeResponse, Subscription, SubscriptionList,
    SubscriptionMode, TypedValue, Update, g_nmi_client::GNmiClient, subscribe_request::Request,
    subscribe_response::Response, typed_value::Value,
};

const RPC: &str = "gNMI Subscribe";
const RPC_GET: &str = "gNMI Get";

/// News of the ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortEvent {
    /// A port's state, told once for each port at the start and then when it changes.
    State {
        /// The port's number; or its name, where it has no number.
        port: String,
        /// `oper-status` is `UP`.
        up: bool,
    },
    /// The longest frame that a port carries, told once, where the switch says so (`mtu`).
    Mtu {
        /// The port, as in [`PortEvent::State`].
        port: String,
        /// Bytes, those of the Ethernet header included, as OpenConfig counts.
        bytes: u16,
    },
    /// Every port has been told once.
    Synced,
}

/// The port events of one connection.
#[derive(Debug)]
pub struct PortStream {
    messages: Streaming<SubscribeResponse>,
    pending: VecDeque<PortEvent>,
    /// Of ports whose names are no numbers.
    numbers: PortNumbers,
}

impl Session {
    /// Subscribes to port states on the session's current connection, and ends with it. A server without gNMI answers
    /// `Unimplemented`.
    pub async fn subscribe_ports(&self) -> Result<PortStream, RpcError> {
        PortStream::open(self.link(RPC)?.channel, &self.shared.config).await
    }
}

impl PortStream {
    pub(super) async fn open(channel: Channel, config: &SessionConfig) -> Result<Self, RpcError> {
        let after = config.timeouts.request;
        let mut client = GNmiClient::new(channel);
        let numbers = match config.server.port_names {
            PortNames::Numbers => PortNumbers::new(),
            PortNames::Free => {
                let request = GetRequest { path: vec![leaf_of("*", IF_INDEX)], ..GetRequest::default() };
                match timeout(after, client.get(request)).await {
                    Ok(Ok(response)) => port_numbers(&response.into_inner()),
                    Ok(Err(status)) => return Err(RpcError::status(RPC_GET, &status)),
                    Err(_) => return Err(RpcError::TimedOut { rpc: RPC_GET, after }),
                }
            }
        };
        let request = GetRequest { path: vec![leaf_of("*", MTU)], ..GetRequest::default() };
        let pending = match timeout(after, client.get(request)).await {
            Ok(Ok(response)) => port_mtus(&response.into_inner(), &numbers).collect(),
            // Many switches do not say.
            Ok(Err(_)) => VecDeque::new(),
            Err(_) => return Err(RpcError::TimedOut { rpc: RPC_GET, after }),
        };
        let subscription = Subscription {
            path: Some(leaf_of("*", OPER_STATUS)),
            mode: SubscriptionMode::OnChange.into(),
            ..Subscription::default()
        };
        let list = SubscriptionList { subscription: vec![subscription], ..SubscriptionList::default() };
        let request = SubscribeRequest { request: Some(Request::Subscribe(list)) };
        // Nothing follows the first message, but ending the requests would end the subscription.
        let requests = futures::StreamExt::chain(stream::iter([request]), stream::pending());
        match timeout(after, client.subscribe(requests)).await {
            Ok(Ok(response)) => Ok(PortStream { messages: response.into_inner(), pending, numbers }),
            Ok(Err(status)) => Err(RpcError::status(RPC, &status)),
            Err(_) => Err(RpcError::TimedOut { rpc: RPC, after }),
        }
    }

    /// The next event; none when the switch ended the subscription. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<Result<PortEvent, RpcError>> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(Ok(event));
            }
            match self.messages.message().await {
                Ok(Some(message)) => self.pending.extend(port_events(&message, &self.numbers)),
                Ok(None) => return None,
                Err(status) => return Some(Err(RpcError::status(RPC, &status))),
            }
        }
    }
}

/// What leads to a port's leaves, without their names.
const PATH: [&str; 3] = ["interfaces", "interface", "state"];
const OPER_STATUS: &str = "oper-status";
const IF_INDEX: &str = "ifindex";
const MTU: &str = "mtu";

fn leaf_of(port: &str, leaf: &str) -> Path {
    let names = PATH.into_iter().chain([leaf]);
    let mut elem: Vec<_> = names.map(|name| PathElem { name: name.to_owned(), ..PathElem::default() }).collect();
    elem[1].key.insert("name".to_owned(), port.to_owned());
    Path { elem, ..Path::default() }
}

/// What a message says of ports; other paths are skipped.
fn port_events(message: &SubscribeResponse, numbers: &PortNumbers) -> Vec<PortEvent> {
    match &message.response {
        Some(Response::Update(notification)) => {
            let prefix = notification.prefix.as_ref();
            notification.update.iter().filter_map(|update| port_state(prefix, update, numbers)).collect()
        }
        Some(Response::SyncResponse(_)) => vec![PortEvent::Synced],
        _ => Vec::new(),
    }
}

fn port_state(prefix: Option<&Path>, update: &Update, numbers: &PortNumbers) -> Option<PortEvent> {
    let name = port_of(prefix, update, OPER_STATUS)?;
    Some(PortEvent::State { port: number_of(name, numbers), up: is_up(update.val.as_ref()?) })
}

fn number_of(name: &str, numbers: &PortNumbers) -> String {
    numbers.get(name).map_or_else(|| name.to_owned(), ToString::to_string)
}

fn port_numbers(response: &GetResponse) -> PortNumbers {
    port_values(response, IF_INDEX).map(|(name, number)| (name.to_owned(), number)).collect()
}

fn port_mtus(response: &GetResponse, numbers: &PortNumbers) -> impl Iterator<Item = PortEvent> {
    port_values(response, MTU).filter_map(|(name, mtu)| {
        Some(PortEvent::Mtu { port: number_of(name, numbers), bytes: u16::try_from(mtu).ok()? })
    })
}

/// The ports' values of a leaf that is a number.
fn port_values<'a>(response: &'a GetResponse, leaf: &'static str) -> impl Iterator<Item = (&'a str, u64)> {
    let updates = response
        .notification
        .iter()
        .flat_map(|notification| notification.update.iter().map(|update| (notification.prefix.as_ref(), update)));
    updates.filter_map(move |(prefix, update)| match update.val.as_ref()?.value {
        Some(Value::UintVal(number)) => Some((port_of(prefix, update, leaf)?, number)),
        _ => None,
    })
}

/// The name of the port whose leaf this is.
fn port_of<'a>(prefix: Option<&'a Path>, update: &'a Update, leaf: &str) -> Option<&'a str> {
    let elems: Vec<_> = prefix.into_iter().chain(&update.path).flat_map(|path| &path.elem).collect();
    let wanted = PATH.into_iter().chain([leaf]);
    if !elems.iter().map(|elem| elem.name.as_str()).eq(wanted) {
        return None;
    }
    elems[1].key.get("name").map(String::as_str)
}

fn is_up(value: &TypedValue) -> bool {
    let text = match &value.value {
        Some(Value::StringVal(text) | Value::AsciiVal(text)) => text.as_bytes(),
        Some(Value::JsonVal(bytes) | Value::JsonIetfVal(bytes) | Value::BytesVal(bytes)) => bytes,
        _ => return false,
    };
    text.trim_ascii().strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text) == b"UP"
}
