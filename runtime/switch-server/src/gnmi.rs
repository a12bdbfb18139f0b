//! The status of ports over gNMI: Subscribe and Get on `/interfaces/interface[name=N]/state/oper-status`, N being the port's
//! number. Get also knows `ifindex`, the number once more, by which some clients find out which ports there are.
//!
//! Ports can come and go while somebody watches. One that is gone is told of as down, and one that comes among those that were
//! asked for with the status it has.

use std::sync::{Arc, Weak};

use futures::future::select_all;
use tokio::sync::watch;
use tonic::{Request, Response, Status, Streaming};
use vouch_p4runtime::gnmi::g_nmi_server::GNmi;
use vouch_p4runtime::gnmi::subscribe_request::Request as Incoming;
use vouch_p4runtime::gnmi::subscribe_response::Response as Reply;
use vouch_p4runtime::gnmi::subscription_list::Mode;
use vouch_p4runtime::gnmi::typed_value::Value;
use vouch_p4runtime::gnmi::*;

use crate::device::{Device, wall_clock};
use crate::fault::{Fault, Outcome, choices};
use crate::outbox::{Outbox, Outgoing, outbox};
use crate::port::{Port, PortStatus};

/// The path of a port's leaves, without their names.
const PATH: [&str; 3] = ["interfaces", "interface", "state"];

/// A leaf of a port.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaf {
    OperStatus,
    IfIndex,
}

impl Leaf {
    const ALL: [Leaf; 2] = [Leaf::OperStatus, Leaf::IfIndex];

    fn name(self) -> &'static str {
        match self {
            Leaf::OperStatus => "oper-status",
            Leaf::IfIndex => "ifindex",
        }
    }

    fn update(self, port: u16, status: PortStatus) -> Update {
        let value = match self {
            Leaf::OperStatus => Value::StringVal(status.as_str().into()),
            Leaf::IfIndex => Value::UintVal(port.into()),
        };
        let mut elem: Vec<PathElem> =
            PATH.iter().map(|name| PathElem { name: (*name).into(), ..Default::default() }).collect();
        elem[1].key.insert("name".into(), port.to_string());
        elem.push(PathElem { name: self.name().into(), ..Default::default() });
        let path = Path { elem, ..Default::default() };
        Update { path: Some(path), val: Some(TypedValue { value: Some(value) }), ..Default::default() }
    }
}

/// gNMI for one device.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) device: Arc<Device>,
}

#[tonic::async_trait]
impl GNmi for Service {
    async fn capabilities(&self, _: Request<CapabilityRequest>) -> Result<Response<CapabilityResponse>, Status> {
        let model = ModelData {
            name: "openconfig-interfaces".into(),
            organization: "OpenConfig working group".into(),
            version: "3.0.0".into(),
        };
        Ok(Response::new(CapabilityResponse {
            supported_models: vec![model],
            supported_encodings: vec![Encoding::Proto.into(), Encoding::JsonIetf.into()],
            g_nmi_version: "0.8.0".into(),
        }))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        Ok(Response::new(GetResponse { notification: get(&self.device, &request.into_inner())?, ..Default::default() }))
    }

    async fn set(&self, _: Request<SetRequest>) -> Result<Response<SetResponse>, Status> {
        Err(Status::unimplemented("Set is not served: ports are configured where the switch is started"))
    }

    type SubscribeStream = Outgoing<SubscribeResponse>;

    async fn subscribe(
        &self,
        request: Request<Streaming<SubscribeRequest>>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let mut incoming = request.into_inner();
        let (messages, outgoing) = outbox();
        let device = self.device.clone();
        tokio::spawn(async move {
            let status = tokio::select! {
                () = device.stopped() => Err(Status::unavailable("the switch is shutting down")),
                status = serve(&device, &messages, &mut incoming) => status,
            };
            messages.finish(status.err());
        });
        Ok(Response::new(outgoing))
    }
}

/// One notification per path that was asked for.
fn get(device: &Device, request: &GetRequest) -> Outcome<Vec<Notification>> {
    let prefix = request.prefix.clone().unwrap_or_default();
    let about = About { target: prefix.target, origin: prefix.origin };
    let answer = |path: &Path| {
        let path: Vec<&PathElem> = prefix.elem.iter().chain(&path.elem).collect();
        let (chosen, leaves) = select(device, &path, &Leaf::ALL)?;
        let plugged = device.ports.kept();
        let ports = plugged.iter().filter(|(number, _)| chosen.has(*number));
        let updates = ports.flat_map(|(number, port)| {
            let status = *port.status().borrow();
            leaves.iter().map(move |leaf| leaf.update(number, status)).collect::<Vec<_>>()
        });
        Ok(about.notification(updates.collect()))
    };
    request.path.iter().map(answer).collect()
}

/// Serve one subscription until the client leaves or breaks the rules.
async fn serve(
    device: &Device,
    messages: &Outbox<SubscribeResponse>,
    incoming: &mut Streaming<SubscribeRequest>,
) -> Result<(), Status> {
    let Some(first) = incoming.message().await? else {
        return Ok(());
    };
    let Some(Incoming::Subscribe(list)) = first.request else {
        return Err(Status::invalid_argument("the first message must be a subscription"));
    };
    let mut selected = Selected::new(device, &list)?;
    if !list.updates_only {
        for leaf in &mut selected.leaves {
            messages.send(selected.about.update(leaf.port, leaf.told));
        }
    }
    messages.send(SubscribeResponse { response: Some(Reply::SyncResponse(true)) });
    if list.mode() == Mode::Once {
        return Ok(());
    }
    loop {
        tokio::select! {
            message = incoming.message() => match message? {
                None => return Ok(()),
                Some(_) => return Err(Status::invalid_argument("a subscription cannot be changed: open another stream")),
            },
            change = selected.changed() => match change {
                Change::Status(index) => selected.tell(index, messages),
                Change::Ports => selected.follow(device, messages),
            },
        }
    }
}

/// The leaves of one subscription.
struct Selected {
    chosen: Vec<Chosen>,
    leaves: Vec<Watched>,
    ports: watch::Receiver<()>,
    about: About,
}

/// Ports that a path means.
#[derive(Clone, Copy)]
enum Chosen {
    All,
    One(u16),
}

impl Chosen {
    fn has(self, port: u16) -> bool {
        match self {
            Chosen::All => true,
            Chosen::One(number) => number == port,
        }
    }
}

/// What has changed.
enum Change {
    /// That of this leaf.
    Status(usize),
    /// Which ports there are.
    Ports,
}

struct Watched {
    port: u16,
    /// To know it from another one of the same number.
    plugged: Weak<dyn Port>,
    status: watch::Receiver<PortStatus>,
    told: PortStatus,
}

/// What every notification of the subscription says about itself.
struct About {
    target: String,
    origin: String,
}

impl Selected {
    fn new(device: &Device, list: &SubscriptionList) -> Outcome<Selected> {
        match Mode::try_from(list.mode) {
            Ok(Mode::Stream | Mode::Once) => {}
            Ok(Mode::Poll) => return Err(Fault::unimplemented("mode POLL: use STREAM or ONCE")),
            Err(_) => return Err(Fault::invalid(format!("mode {} does not exist", list.mode))),
        }
        if list.subscription.is_empty() {
            return Err(Fault::invalid(format!("the subscription names no path; there is {}", valid(&WATCHED))));
        }
        let prefix = list.prefix.clone().unwrap_or_default();
        let mut chosen = Vec::new();
        for subscription in &list.subscription {
            match SubscriptionMode::try_from(subscription.mode) {
                Ok(SubscriptionMode::TargetDefined | SubscriptionMode::OnChange) => {}
                Ok(SubscriptionMode::Sample) => return Err(Fault::unimplemented("mode SAMPLE: use ON_CHANGE")),
                Err(_) => return Err(Fault::invalid(format!("mode {} does not exist", subscription.mode))),
            }
            let path = subscription.path.iter().flat_map(|path| &path.elem);
            let path: Vec<&PathElem> = prefix.elem.iter().chain(path).collect();
            chosen.push(select(device, &path, &WATCHED)?.0);
        }
        let about = About { target: prefix.target, origin: prefix.origin };
        let mut selected = Selected { chosen, leaves: Vec::new(), ports: device.ports.changes(), about };
        selected.watch_new(device);
        Ok(selected)
    }

    /// Watch the ports that are not watched yet, and give the place of the first of them.
    fn watch_new(&mut self, device: &Device) -> usize {
        let first = self.leaves.len();
        for (number, port) in device.ports.kept().iter() {
            let is_chosen = self.chosen.iter().any(|chosen| chosen.has(number));
            if is_chosen && self.leaves.iter().all(|leaf| leaf.port != number) {
                let mut status = port.status();
                let told = *status.borrow_and_update();
                self.leaves.push(Watched { port: number, plugged: Arc::downgrade(port), status, told });
            }
        }
        first
    }

    /// Wait until something changes.
    async fn changed(&mut self) -> Change {
        loop {
            let Selected { leaves, ports, .. } = self;
            let of_leaves = async {
                if leaves.is_empty() {
                    return std::future::pending().await;
                }
                let changes = leaves.iter_mut().map(|leaf| Box::pin(leaf.status.changed()));
                let (outcome, index, _) = select_all(changes).await;
                (outcome, index)
            };
            let (outcome, index) = tokio::select! {
                // The sender is the device's.
                _ = ports.changed() => return Change::Ports,
                change = of_leaves => change,
            };
            match outcome {
                Ok(()) => return Change::Status(index),
                // The other side of the port is gone for good; its last status has been told.
                Err(_) => {
                    self.leaves.swap_remove(index);
                }
            }
        }
    }

    /// Tell of ports that are gone, and of those that have come.
    fn follow(&mut self, device: &Device, messages: &Outbox<SubscribeResponse>) {
        let plugged = device.ports.kept();
        self.leaves.retain(|leaf| {
            let now = plugged.get(leaf.port).map(Arc::downgrade);
            let stays = now.is_some_and(|now| now.ptr_eq(&leaf.plugged));
            if !stays && leaf.told != PortStatus::Down {
                messages.send(self.about.update(leaf.port, PortStatus::Down));
            }
            stays
        });
        let first = self.watch_new(device);
        for leaf in &self.leaves[first..] {
            messages.send(self.about.update(leaf.port, leaf.told));
        }
    }

    fn tell(&mut self, index: usize, messages: &Outbox<SubscribeResponse>) {
        let Some(leaf) = self.leaves.get_mut(index) else {
            return;
        };
        let new = *leaf.status.borrow_and_update();
        if new == leaf.told {
            // It went to the other status and back before we looked: a short interruption is one all the same.
            let other = match new {
                PortStatus::Up => PortStatus::Down,
                PortStatus::Down => PortStatus::Up,
            };
            messages.send(self.about.update(leaf.port, other));
        }
        messages.send(self.about.update(leaf.port, new));
        leaf.told = new;
    }
}

impl About {
    fn update(&self, port: u16, status: PortStatus) -> SubscribeResponse {
        let notification = self.notification(vec![Leaf::OperStatus.update(port, status)]);
        SubscribeResponse { response: Some(Reply::Update(notification)) }
    }

    fn notification(&self, update: Vec<Update>) -> Notification {
        let prefix = (!self.target.is_empty() || !self.origin.is_empty()).then(|| Path {
            target: self.target.clone(),
            origin: self.origin.clone(),
            ..Default::default()
        });
        Notification { timestamp: wall_clock(), prefix, update, ..Default::default() }
    }
}

/// The leaves that change and can be subscribed to.
const WATCHED: [Leaf; 1] = [Leaf::OperStatus];

/// The ports and those of the leaves that are at or below the path.
fn select(device: &Device, path: &[&PathElem], leaves: &[Leaf]) -> Outcome<(Chosen, Vec<Leaf>)> {
    let wanted = path.get(PATH.len()).map(|elem| elem.name.as_str());
    let selected = leaves.iter().copied().filter(|leaf| wanted.is_none_or(|name| name == leaf.name()));
    let selected: Vec<Leaf> = selected.collect();
    let known = path.len() <= PATH.len() + 1 && path.iter().zip(PATH).all(|(elem, name)| elem.name == name);
    if !known || selected.is_empty() {
        let path: String = path.iter().map(|elem| format!("/{}", elem.name)).collect();
        return Err(Fault::not_found(format!("there is no {path}; there is {}", valid(leaves))));
    }
    let plugged = device.ports.kept();
    let all = || plugged.iter().map(|(number, _)| number);
    match path.get(1).and_then(|elem| elem.key.get("name")).map(String::as_str) {
        None | Some("*") => Ok((Chosen::All, selected)),
        Some(name) => match all().find(|number| number.to_string() == name) {
            Some(number) => Ok((Chosen::One(number), selected)),
            None => Err(Fault::not_found(format!("there is no interface {name}; there is {}", choices(all())))),
        },
    }
}

/// The paths that lead to these leaves.
fn valid(leaves: &[Leaf]) -> String {
    choices(leaves.iter().map(|leaf| format!("/interfaces/interface[name=PORT]/state/{}", leaf.name())))
}
