//! BMv2's notifications, for its receivers: what a controller without P4Runtime learns of, and what happens to each packet.
//!
//! Both are published over [nanomsg](crate::nanomsg), as BMv2 publishes them: on `--notifications-addr` samples of digests (`LEA|`),
//! idle entries (`AGE|`) and ports that go up or down (`PRT|`), on `--nanolog` the events of packets. How they are written is in
//! `layout` and `events`; receivers acknowledge samples over [Thrift](crate::thrift).
//!
//! Whatever finds something out (a port, a timer, the data plane) does not wait. What can be written at once is published at
//! once. Idle entries and packets are left in a bounded channel each: a task asks the [services](crate::thrift::Services) for
//! the numbers of entries and objects, which takes a lock, and publishes. What does not fit a channel is lost, and counted.
//! Packets are only traced while somebody has subscribed to their events.
//!
//! # Where it differs from the reference
//!
//! - Entries are looked at ten times a second, not once, and an idle entry is told of again after another whole timeout, where
//!   the reference tells of it every other second. Ports that change together have a message each.
//! - Of samples without an acknowledgement, 8 MiB are remembered for each list; the reference remembers all. A message has at
//!   most 1 MiB, which is what receivers take.
//! - In events, the number of a copy counts the copies of its packet in the order in which they come to egress, and the signature
//!   is that of the frame as it came in. A header that was to be extracted from a packet too short for it has no event. The
//!   number of an entry that is gone by the time its hit is told of is -1.
//! - Receivers of the reference know a notification of a program that is swapped in (`SWP|`), which it has stopped to send. There
//!   is none here either; among the events it is one.

mod events;
mod layout;
mod numbers;
mod post;

use std::sync::Arc;

use tokio::task::JoinSet;
use vouch_switch::PacketTrace;
use vouch_switch_server::{Builder, Notice};

use crate::Failure;
use crate::nanomsg::{Address, Publisher};
use crate::thrift::Services;

pub(crate) use events::Traced;
use layout::Ageing;
pub(crate) use numbers::Numbers;
use post::{Post, Sender};

/// Most lots of idle entries that wait to be published.
const MAX_IDLE: usize = 64;
/// Most packets whose events wait to be published.
const MAX_PACKETS: usize = 256;

/// What is published where, and what waits for it.
pub struct Notifications {
    device: u64,
    notices: Option<(Arc<Publisher>, Post<Notice>)>,
    events: Option<(Arc<Publisher>, Post<Traced>)>,
}

impl Notifications {
    /// Open the addresses, where there are any. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// An address is somebody else's, or may not be used.
    pub async fn open(device: u64, notices: Option<&Address>, events: Option<&Address>) -> Result<Self, Failure> {
        let notices = publisher(notices, "--notifications-addr").await?;
        let events = publisher(events, "--nanolog").await?;
        Ok(Self {
            device,
            notices: notices.map(|publisher| (publisher, Post::new(MAX_IDLE))),
            events: events.map(|publisher| (publisher, Post::new(MAX_PACKETS))),
        })
    }

    /// Where digests and the like are published.
    pub fn notices_address(&self) -> Option<String> {
        self.notices.as_ref().map(|(publisher, _)| publisher.address().to_string())
    }

    /// Where events are published.
    pub fn events_address(&self) -> Option<String> {
        self.events.as_ref().map(|(publisher, _)| publisher.address().to_string())
    }

    /// Have a switch tell of what is published, but for packets; of its ports only where `ports` says so.
    pub fn hear(&self, builder: Builder, ports: bool) -> Builder {
        if self.notices.is_none() && self.events.is_none() {
            return builder;
        }
        let device = self.device;
        let notices = self.notices.as_ref().map(|(publisher, post)| (publisher.clone(), post.sender()));
        let events = self.events.as_ref().map(|(publisher, _)| publisher.clone());
        builder.notices(move |notice| match (&notice, &notices, &events) {
            (Notice::Learnt(samples), Some((publisher, _)), _) => publisher.publish(&layout::learnt(device, samples)),
            (Notice::Port(number, status), Some((publisher, _)), _) if ports => {
                publisher.publish(&layout::port(device, *number, *status));
            }
            (Notice::Idle(_), Some((publisher, idle)), _) if publisher.has_subscribers() => idle.send(notice),
            (Notice::Swapped, _, Some(publisher)) => publisher.publish(&events::swapped(device)),
            _ => {}
        })
    }

    /// Who wants to know of packets, if anybody may.
    pub fn packets(&self) -> Option<PacketListener> {
        let (publisher, post) = self.events.as_ref()?;
        Some(PacketListener { publisher: publisher.clone(), sender: post.sender() })
    }

    /// Publish, from now on, what has to ask these services. What this gives back is to be kept: everything ends with it. Must be
    /// called inside a tokio runtime.
    pub fn publish(self, services: &Arc<Services>) -> Published {
        let mut published = Published { publishers: Vec::new(), tasks: JoinSet::new() };
        let device = self.device;
        if let Some((publisher, post)) = self.notices {
            published.publishers.push(publisher.clone());
            let (services, mut ageing) = (services.clone(), Ageing::default());
            published.tasks.spawn(post.deliver("idle entries", move |notice| {
                if let Notice::Idle(entries) = notice {
                    let messages = ageing.messages(device, &services.idle_entries(&entries));
                    messages.iter().for_each(|message| publisher.publish(message));
                }
            }));
        }
        if let Some((publisher, post)) = self.events {
            published.publishers.push(publisher.clone());
            let services = services.clone();
            published.tasks.spawn(post.deliver("packets' events", move |traced| {
                services.events(device, &traced).iter().for_each(|message| publisher.publish(message));
            }));
        }
        published
    }
}

/// Takes packets to be told of.
#[derive(Clone)]
pub struct PacketListener {
    publisher: Arc<Publisher>,
    sender: Sender<Traced>,
}

impl PacketListener {
    /// Whether anybody has subscribed to their events.
    pub fn is_wanted(&self) -> bool {
        self.publisher.has_subscribers()
    }

    /// Tell of a packet, if anybody has. Never waits.
    pub fn hear(&self, trace: &PacketTrace<'_>) {
        if self.is_wanted() {
            self.sender.send(Traced::of(trace));
        }
    }
}

/// What is being published. Dropping it ends that, and lets subscribers go.
pub struct Published {
    publishers: Vec<Arc<Publisher>>,
    tasks: JoinSet<()>,
}

impl Drop for Published {
    fn drop(&mut self) {
        self.tasks.abort_all();
        self.publishers.iter().for_each(|publisher| publisher.close());
    }
}

async fn publisher(address: Option<&Address>, option: &str) -> Result<Option<Arc<Publisher>>, Failure> {
    let Some(address) = address else { return Ok(None) };
    let publisher = Publisher::bind(address).await.map_err(|error| format!("{option} {address}: {error}"))?;
    Ok(Some(Arc::new(publisher)))
}
