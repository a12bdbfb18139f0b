//! Port state over gNMI, where the switch's server has it at the same address.
//!
//! Path: `/interfaces/interface[name=N]/state/oper-status`, `N` the port's number, values `UP` and anything else for down.

use std::collections::VecDeque;

use futures::stream;
use tokio::time::timeout;
use tonic::Streaming;

use super::{RpcError, Session};
use crate::gnmi::{
    Path, PathElem, SubscribeRequest, SubscribeResponse, Subscription, SubscriptionList, SubscriptionMode, TypedValue,
    Update, g_nmi_client::GNmiClient, subscribe_request::Request, subscribe_response::Response, typed_value::Value,
};

const RPC: &str = "gNMI Subscribe";

/// News of the ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortEvent {
    /// A port's state, told once for each port at the start and then when it changes.
    State {
        /// The port, as the server names it.
        port: String,
        /// `oper-status` is `UP`.
        up: bool,
    },
    /// Every port has been told once.
    Synced,
}

/// The port events of one connection.
#[derive(Debug)]
pub struct PortStream {
    messages: Streaming<SubscribeResponse>,
    pending: VecDeque<PortEvent>,
}

impl Session {
    /// Subscribes to port states on the session's current connection, and ends with it. A server without gNMI answers
    /// `Unimplemented`.
    pub async fn subscribe_ports(&self) -> Result<PortStream, RpcError> {
        let after = self.shared.config.timeouts.request;
        let mut client = GNmiClient::new(self.link(RPC)?.channel);
        let subscription = Subscription {
            path: Some(oper_status_of("*")),
            mode: SubscriptionMode::OnChange.into(),
            ..Subscription::default()
        };
        let list = SubscriptionList { subscription: vec![subscription], ..SubscriptionList::default() };
        let request = SubscribeRequest { request: Some(Request::Subscribe(list)) };
        // Nothing follows the first message, but ending the requests would end the subscription.
        let requests = futures::StreamExt::chain(stream::iter([request]), stream::pending());
        match timeout(after, client.subscribe(requests)).await {
            Ok(Ok(response)) => Ok(PortStream { messages: response.into_inner(), pending: VecDeque::new() }),
            Ok(Err(status)) => Err(RpcError::status(RPC, &status)),
            Err(_) => Err(RpcError::TimedOut { rpc: RPC, after }),
        }
    }
}

impl PortStream {
    /// The next event; none when the switch ended the subscription. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<Result<PortEvent, RpcError>> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(Ok(event));
            }
            match self.messages.message().await {
                Ok(Some(message)) => self.pending.extend(port_events(&message)),
                Ok(None) => return None,
                Err(status) => return Some(Err(RpcError::status(RPC, &status))),
            }
        }
    }
}

const OPER_STATUS: [&str; 4] = ["interfaces", "interface", "state", "oper-status"];

fn oper_status_of(port: &str) -> Path {
    let mut elem = OPER_STATUS.map(|name| PathElem { name: name.to_owned(), ..PathElem::default() });
    elem[1].key.insert("name".to_owned(), port.to_owned());
    Path { elem: elem.into(), ..Path::default() }
}

/// What a message says of ports; other paths are skipped.
fn port_events(message: &SubscribeResponse) -> Vec<PortEvent> {
    match &message.response {
        Some(Response::Update(notification)) => {
            let prefix = notification.prefix.as_ref();
            notification.update.iter().filter_map(|update| port_state(prefix, update)).collect()
        }
        Some(Response::SyncResponse(_)) => vec![PortEvent::Synced],
        _ => Vec::new(),
    }
}

fn port_state(prefix: Option<&Path>, update: &Update) -> Option<PortEvent> {
    let elems: Vec<_> = prefix.into_iter().chain(&update.path).flat_map(|path| &path.elem).collect();
    let names: Vec<_> = elems.iter().map(|elem| elem.name.as_str()).collect();
    if names != OPER_STATUS {
        return None;
    }
    let port = elems[1].key.get("name")?.clone();
    Some(PortEvent::State { port, up: is_up(update.val.as_ref()?) })
}

fn is_up(value: &TypedValue) -> bool {
    let text = match &value.value {
        Some(Value::StringVal(text) | Value::AsciiVal(text)) => text.as_bytes(),
        Some(Value::JsonVal(bytes) | Value::JsonIetfVal(bytes) | Value::BytesVal(bytes)) => bytes,
        _ => return false,
    };
    text.trim_ascii().strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text) == b"UP"
}
