//! The patch panel: the cables between switch ports and whoever is plugged in there.
//!
//! A port is a tap interface in its switch's namespace, a host's card is one in the host's, and the panel carries frames from one to
//! the other. So a host can be moved, paused or made mute without the switch port losing its link, which would be evidence; and
//! whatever comes out of a cable is seen. Several may be plugged into one port, as virtual machines of one server: each is handed
//! what is for its address, and what is for nobody there goes to all.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use vouch_lab::topology::PortRef;
use vouch_net::MacAddr;

use super::netns::Namespace;
use super::plan::Access;
use super::tap::Tap;
use super::traffic::Traffic;
use crate::frames::{self, Arp};

/// Room for any frame.
const FRAME: usize = 2048;
const ETHERNET: usize = 14;
const ARP: [u8; 2] = [0x08, 0x06];
const VLAN: [u8; 2] = [0x81, 0x00];
const REQUEST: u8 = 1;
const REPLY: u8 = 2;

/// The panel and the thread that carries the frames. Dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Panel {
    shared: Arc<Shared>,
    handle: Handle,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    traffic: Arc<Traffic>,
    wiring: Mutex<Wiring>,
}

#[derive(Debug, Default)]
struct Wiring {
    ports: BTreeMap<PortRef, Arc<Tap>>,
    ends: BTreeMap<String, End>,
}

/// What is plugged in, or could be.
#[derive(Debug, Default)]
struct End {
    /// The host's card; nothing where all that answers is what is below.
    card: Option<Arc<Tap>>,
    /// The addresses that it takes frames for.
    macs: BTreeSet<MacAddr>,
    plug: Option<Access>,
    paused: bool,
    /// For which addresses it answers ARP itself, and with which MAC address.
    answers: BTreeMap<Ipv4Addr, MacAddr>,
    /// For which of them it has.
    answered: BTreeSet<Ipv4Addr>,
}

impl Panel {
    /// A panel without cables.
    pub(super) fn start(traffic: Arc<Traffic>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let work = move || {
            // Whether told to end or forgotten, it ends.
            let _ = runtime.block_on(ended);
        };
        let thread = std::thread::Builder::new().name("panel".to_owned()).spawn(work)?;
        let shared = Arc::new(Shared { traffic, wiring: Mutex::default() });
        Ok(Self { shared, handle, end: Some(end), thread: Some(thread) })
    }

    /// A switch port more: an interface of this name in the switch's namespace.
    pub(super) fn add_port(&self, at: &PortRef, namespace: &Namespace, interface: &str) -> io::Result<()> {
        let tap = self.open(namespace, interface, "mtu 1600")?;
        self.shared.wiring().ports.insert(at.clone(), Arc::clone(&tap));
        let (shared, at) = (Arc::clone(&self.shared), at.clone());
        self.handle.spawn(async move {
            let mut buffer = [0; FRAME];
            while let Ok(length) = tap.receive(&mut buffer).await {
                shared.carry_in(&at, &tap, &buffer[..length]);
            }
        });
        Ok(())
    }

    /// A host more, with a card in its namespace, plugged in nowhere.
    pub(super) fn add_host(&self, name: &str, mac: MacAddr, namespace: &Namespace) -> io::Result<()> {
        self.add_card(name, &format!("address {mac}"), [mac].into(), namespace)
    }

    /// Somebody more who takes whatever comes, with a card in its namespace, plugged in nowhere.
    pub(super) fn add_trunk(&self, name: &str, namespace: &Namespace) -> io::Result<()> {
        self.add_card(name, "", BTreeSet::new(), namespace)
    }

    fn add_card(&self, name: &str, settings: &str, macs: BTreeSet<MacAddr>, namespace: &Namespace) -> io::Result<()> {
        let tap = self.open(namespace, "eth0", &format!("{settings} mtu 1450"))?;
        let end = End { card: Some(Arc::clone(&tap)), macs, ..End::default() };
        self.shared.wiring().ends.insert(name.to_owned(), end);
        let (shared, name) = (Arc::clone(&self.shared), name.to_owned());
        self.handle.spawn(async move {
            let mut buffer = [0; FRAME];
            while let Ok(length) = tap.receive(&mut buffer).await {
                shared.carry_out(&name, &buffer[..length]);
            }
        });
        Ok(())
    }

    /// Somebody more who only answers ARP, plugged in nowhere.
    pub(super) fn add_crowd(&self, name: &str, members: impl IntoIterator<Item = (Ipv4Addr, MacAddr)>) {
        let answers: BTreeMap<_, _> = members.into_iter().collect();
        let macs = answers.values().copied().collect();
        self.shared.wiring().ends.insert(name.to_owned(), End { macs, answers, ..End::default() });
    }

    /// Plug somebody in here, out there.
    pub(super) fn plug(&self, name: &str, plug: Option<Access>) {
        self.shared.change(name, |end| end.plug = plug);
    }

    /// Where somebody is plugged in.
    pub(super) fn plugged(&self, name: &str) -> Option<Access> {
        self.shared.wiring().ends.get(name).and_then(|end| end.plug.clone())
    }

    /// Whether nothing comes from somebody or reaches it; its port notices nothing.
    pub(super) fn pause(&self, name: &str, paused: bool) {
        self.shared.change(name, |end| end.paused = paused);
    }

    /// Have somebody answer ARP for an address, or no longer.
    pub(super) fn answer(&self, name: &str, address: Ipv4Addr, mac: Option<MacAddr>) {
        self.shared.change(name, |end| match mac {
            Some(mac) => drop(end.answers.insert(address, mac)),
            None => drop(end.answers.remove(&address)),
        });
    }

    /// For how many addresses somebody has answered ARP itself.
    pub(super) fn answered(&self, name: &str) -> usize {
        self.shared.wiring().ends.get(name).map_or(0, |end| end.answered.len())
    }

    /// Send a frame from where somebody is plugged in. From nowhere it goes nowhere.
    pub(super) fn send(&self, name: &str, frame: &[u8]) {
        if let Some((port, tag)) = self.shared.way(name) {
            port.send(&tag_with(tag, frame));
        }
    }

    /// What a frame from where somebody is plugged in is written to, and its VLAN.
    pub(super) fn cable(&self, name: &str) -> Option<(Arc<Tap>, Option<u16>)> {
        self.shared.way(name)
    }

    /// Plug the cable of a switch port in, or pull it out.
    pub(super) fn set_link(&self, at: &PortRef, up: bool) -> io::Result<()> {
        self.shared.wiring().ports.get(at).map_or(Ok(()), |tap| tap.set_carrier(up))
    }

    fn open(&self, namespace: &Namespace, interface: &str, settings: &str) -> io::Result<Arc<Tap>> {
        let _inside = self.handle.enter();
        Tap::open(namespace, interface, settings).map(Arc::new)
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        drop(self.end.take());
        // The thread's panic was reported when it happened.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn wiring(&self) -> MutexGuard<'_, Wiring> {
        self.wiring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut End)) {
        if let Some(end) = self.wiring().ends.get_mut(name) {
            change(end);
        }
    }

    fn way(&self, name: &str) -> Option<(Arc<Tap>, Option<u16>)> {
        let wiring = self.wiring();
        let plug = wiring.ends.get(name)?.plug.as_ref()?;
        Some((Arc::clone(wiring.ports.get(&plug.at)?), plug.vlan))
    }

    fn carry_out(&self, name: &str, frame: &[u8]) {
        let wiring = self.wiring();
        let Some(end) = wiring.ends.get(name) else { return };
        if end.paused {
            return;
        }
        let Some(plug) = &end.plug else { return };
        if let Some(port) = wiring.ports.get(&plug.at) {
            port.send(&tag_with(plug.vlan, frame));
        }
    }

    fn carry_in(&self, at: &PortRef, port: &Tap, frame: &[u8]) {
        let Some((vlan, frame)) = untag(frame) else { return };
        let Some(to) = mac_at(&frame, 0) else { return };
        let Wiring { ends, .. } = &mut *self.wiring();
        let here = |end: &End| !end.paused && end.plug.as_ref().is_some_and(|plug| plug.at == *at && plug.vlan == vlan);
        let known = ends.values().any(|end| here(end) && end.macs.contains(&to));
        for (name, end) in ends.iter_mut().filter(|(_, end)| here(end) && (!known || end.macs.contains(&to))) {
            self.traffic.seen(name, &frame);
            if let Some((address, answer)) = answer(&frame, &end.answers) {
                port.send(&tag_with(vlan, &answer));
                end.answered.insert(address);
            } else if let Some(card) = &end.card {
                card.send(&frame);
            }
        }
    }
}

/// The answer to an ARP request for one of these addresses, and which.
fn answer(frame: &[u8], answers: &BTreeMap<Ipv4Addr, MacAddr>) -> Option<(Ipv4Addr, Vec<u8>)> {
    let arp = frame.get(ETHERNET..ETHERNET + 28).filter(|arp| frame[12..14] == ARP && arp[7] == REQUEST)?;
    let target: [u8; 4] = arp[24..28].try_into().ok()?;
    let mac = answers.get(&Ipv4Addr::from(target))?.octets();
    let asker = (arp[8..14].try_into().ok()?, arp[14..18].try_into().ok()?);
    // Whoever asks for its own address announces it.
    if asker.1 == target {
        return None;
    }
    let reply = Arp { operation: REPLY, sender: (mac, target), target: asker };
    Some((target.into(), frames::arp(asker.0, reply)))
}

fn mac_at(frame: &[u8], offset: usize) -> Option<MacAddr> {
    frame.get(offset..offset + 6)?.try_into().ok().map(MacAddr)
}

/// The frame with this tag.
pub(super) fn tag_with(vlan: Option<u16>, frame: &[u8]) -> Vec<u8> {
    vlan.map_or_else(|| frame.to_vec(), |vlan| frames::tagged(vlan, frame))
}

/// A frame's VLAN, and the frame without its tag.
fn untag(frame: &[u8]) -> Option<(Option<u16>, Vec<u8>)> {
    if frame.get(12..14)? != VLAN {
        return Some((None, frame.to_vec()));
    }
    let tag = u16::from_be_bytes(frame.get(14..16)?.try_into().ok()?) & 0x0fff;
    Some((Some(tag), [&frame[..12], &frame[16..]].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 7]);
    const ASKER: ([u8; 6], [u8; 4]) = ([2, 0, 0, 0, 0, 9], [10, 0, 0, 9]);

    fn request(sender: ([u8; 6], [u8; 4]), target: [u8; 4]) -> Vec<u8> {
        frames::arp(frames::BROADCAST, Arp { operation: REQUEST, sender, target: ([0; 6], target) })
    }

    #[test]
    fn requests_for_its_addresses_are_answered_and_announcements_are_not() {
        let answers = BTreeMap::from([(Ipv4Addr::new(10, 0, 0, 7), MAC)]);
        let reply = Arp { operation: REPLY, sender: (MAC.octets(), [10, 0, 0, 7]), target: ASKER };
        let expected = ([10, 0, 0, 7].into(), frames::arp(ASKER.0, reply));
        assert_eq!(answer(&request(ASKER, [10, 0, 0, 7]), &answers), Some(expected));
        assert_eq!(answer(&request(ASKER, [10, 0, 0, 8]), &answers), None);
        assert_eq!(answer(&request((ASKER.0, [10, 0, 0, 7]), [10, 0, 0, 7]), &answers), None);
        assert_eq!(answer(&[0; 20], &answers), None);
    }

    #[test]
    fn tags_come_and_go() {
        let frame = request(ASKER, [10, 0, 0, 7]);
        assert_eq!(untag(&tag_with(Some(100), &frame)), Some((Some(100), frame.clone())));
        assert_eq!(untag(&tag_with(None, &frame)), Some((None, frame)));
        assert_eq!(untag(&[0; 5]), None);
    }
}
