//! A VTEP with two VNIs and two peers, and what it does with one frame.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use vouch_net::{MacAddr, Vni};
use vouch_p4runtime::P4Info;
use vouch_p4runtime::p4::v1::{self, Index, PacketMetadata, Update, entity};
use vouch_tables::*;

use crate::device::Device;
use crate::frames::{IPV4, Ipv4, ethernet, udp, vxlan};

pub(crate) const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(crate) const PEER1: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub(crate) const PEER2: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
pub(crate) const VNI: u32 = 5005;

pub(crate) const ROUTER: MacAddr = MacAddr([2, 0x10, 0, 0, 0, 1]);
pub(crate) const NEXT_HOP: MacAddr = MacAddr([2, 0x10, 0, 0, 0, 2]);
pub(crate) const PROBE: MacAddr = MacAddr([2, 0x76, 10, 0, 0, 1]);

/// The controller's, by configuration.
pub(crate) const CPU_PORT: u16 = 510;

pub(crate) const TTL: u8 = 99;
pub(crate) const DSCP: u8 = 46;

/// A host of the tenant, by number.
pub(crate) const fn host(number: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, number])
}

pub(crate) fn access(number: u16) -> LocationId {
    LocationId::access(number).unwrap()
}

pub(crate) fn tunnel(number: u16) -> LocationId {
    LocationId::tunnel(number).unwrap()
}

pub(crate) fn bd(number: u16) -> Bd {
    Bd::new(number).unwrap()
}

pub(crate) fn port(number: u16) -> Port {
    Port::new(number).unwrap()
}

pub(crate) struct Bench {
    info: P4Info,
    device: Device,
    tables: Tables,
}

/// What became of one frame.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// By port, then content: the order of replicas is not the program's.
    pub(crate) frames: Vec<(u16, Vec<u8>)>,
    pub(crate) punts: Vec<(PacketIn, Vec<u8>)>,
    /// What neighbours said, by the port.
    pub(crate) neighbours: Vec<(u16, Vec<u8>)>,
    pub(crate) drops: Vec<(Pipeline, DropReason)>,
    pub(crate) policed: Vec<PuntMeter>,
    /// Where frames came in that were too long for the underlay.
    pub(crate) too_long: Vec<LocationId>,
}

impl Bench {
    /// The picture in `main.rs`, with no host known.
    pub(crate) fn new() -> Self {
        let info = P4Info::from_text(crate::P4INFO).expect("our own P4Info");
        let tables = Tables::bind(&info).expect("our own P4Info");
        let mut bench = Self { device: Device::new(info.clone()), info, tables };
        let interface = |number, vlan_id| IngressInterfaceKey { ingress_port: port(number), vlan_id };
        let vlan = VlanId::new(20).unwrap();
        for (number, tag, domain) in
            [(1, Tag::Untagged, 5), (2, Tag::Vlan(vlan), 5), (3, Tag::Untagged, 5), (4, Tag::Untagged, 6)]
        {
            let location = access(number);
            bench.insert(interface(number, tag).with(access_interface(domain, location)));
            bench.insert(LocationPortKey { location }.with(LocationPortAction::Port { port: port(number) }));
            bench.insert(AccessTagKey { location }.with(match tag {
                Tag::Untagged => AccessTagAction::Untagged,
                Tag::Vlan(vlan_id) => AccessTagAction::Tagged { vlan_id },
            }));
        }
        for (number, peer, out) in [(1, PEER1, 10), (2, PEER2, 11)] {
            let location = tunnel(number);
            bench.insert(interface(out, Tag::Untagged).with(IngressInterfaceAction::Underlay { router_mac: ROUTER }));
            bench.insert(UnderlayPeerKey { src: peer }.with(UnderlayPeerAction::FromTunnel { location }));
            bench.insert(LocationPortKey { location }.with(LocationPortAction::Port { port: port(out) }));
            bench.insert(encapsulation(location, peer, u16::MAX));
        }
        bench.insert(LocalVtepKey { dst: OURS }.with(LocalVtepAction::Terminate));
        let members = |places: &[LocationId]| {
            let replica = |&location: &LocationId| Replica { location, port: port(place_port(location)) };
            EntryAction::MulticastGroup(places.iter().map(replica).collect::<BTreeSet<_>>())
        };
        for (domain, vni, places) in [
            (bd(5), VNI, vec![access(1), access(2), access(3), tunnel(1), tunnel(2)]),
            (bd(6), 6006, vec![access(4), tunnel(1), tunnel(2)]),
        ] {
            let vni = Vni::new(vni).unwrap();
            let group = Group::flood(domain);
            bench.insert(VniToBdKey { vni }.with(VniToBdAction::Bridge { bd: domain }));
            bench.insert(BdVniKey { bd: domain }.with(BdVniAction::Vni { vni }));
            bench.insert(FloodKey { bd: domain }.with(FloodAction::FloodTo { group }));
            bench.insert((EntryKey::MulticastGroup(group), members(&places)));
            bench.insert(DestinationKey { bd: domain, mac: PROBE }.with(DestinationAction::ProbeReply));
        }
        bench.insert((EntryKey::MulticastGroup(Group::pair(0).unwrap()), members(&[access(1), tunnel(1)])));
        bench.insert(interface(CPU_PORT, Tag::Untagged).with(IngressInterfaceAction::Controller));
        bench.insert((EntryKey::CloneSession(CPU_SESSION), EntryAction::CloneSession(CloneSession::to_cpu(CPU_PORT))));
        bench
    }

    /// With a host known at a place, as the owner or an observer has it.
    pub(crate) fn with_host(mut self, mac: MacAddr, location: LocationId) -> Self {
        let recorded = RecordedLocationAction::Recorded { location, forward: true };
        self.insert(RecordedLocationKey { bd: bd(5), mac }.with(recorded));
        self.insert(DestinationKey { bd: bd(5), mac }.with(DestinationAction::Unicast { location }));
        if !location.is_tunnel() {
            self.at(mac, location, SourceAction::Here { watch: false });
        }
        self
    }

    /// What the table `source` says of a host at a place.
    pub(crate) fn at(&mut self, mac: MacAddr, location: LocationId, action: SourceAction) {
        self.insert(SourceKey { bd: bd(5), mac, location }.with(Aged::never(action)));
    }

    /// Checks what the hosts of access interface 1 to 3 announce, or suppresses what they ask everybody.
    pub(crate) fn configure(&mut self, location: LocationId, bindings: bool, suppress: bool) {
        let vlan = VlanId::new(20).unwrap();
        let tag = if location == access(2) { Tag::Vlan(vlan) } else { Tag::Untagged };
        let key = IngressInterfaceKey { ingress_port: port(location.number()), vlan_id: tag };
        self.modify(key.with(IngressInterfaceAction::Access { bd: bd(5), location, bindings, suppress }));
    }

    /// Has the way to peer 1 carry frames of so many bytes.
    pub(crate) fn limit(&mut self, max_frame_bytes: u16) {
        self.modify(encapsulation(tunnel(1), PEER1, max_frame_bytes));
    }

    /// Gives a place a budget of two frames.
    pub(crate) fn budget(&mut self, reason: PuntReason, location: LocationId) {
        let rate = MeterRate { rate: 1, burst: 2 };
        self.insert((EntryKey::PuntMeter(PuntMeter { reason, location }), EntryAction::PuntMeter(rate)));
    }

    /// Gives what has no reason such a budget at a place. No [`PuntMeter`] is that cell, a switch has it all the same.
    pub(crate) fn budget_of_none(&mut self, location: LocationId) {
        let cell = |reason| {
            let rate = EntryAction::PuntMeter(MeterRate { rate: 1, burst: 2 });
            let change = Change::Insert(EntryKey::PuntMeter(PuntMeter { reason, location }), rate);
            self.tables.update(&change).expect("key and action of one table")
        };
        let index = |update: &Update| match &update.entity.as_ref().expect("an entity").entity {
            Some(entity::Entity::MeterEntry(entry)) => entry.index.expect("a cell").index,
            other => panic!("a meter's cell, not {other:?}"),
        };
        let (mut learn, next) = (cell(PuntReason::Learn), cell(PuntReason::Move));
        let none = 2 * index(&learn) - index(&next);
        if let Some(entity::Entity::MeterEntry(entry)) = &mut learn.entity.as_mut().expect("an entity").entity {
            entry.index = Some(Index { index: none });
        }
        self.device.write(&learn);
    }

    /// Changes where frames to a host go.
    pub(crate) fn redirect(&mut self, mac: MacAddr, action: DestinationAction) {
        self.modify(DestinationKey { bd: bd(5), mac }.with(action));
    }

    pub(crate) fn insert(&mut self, (key, action): (EntryKey, EntryAction)) {
        self.write(&Change::Insert(key, action));
    }

    pub(crate) fn modify(&mut self, (key, action): (EntryKey, EntryAction)) {
        self.write(&Change::Modify(key, action));
    }

    pub(crate) fn delete(&mut self, key: impl Into<EntryKey>) {
        self.write(&Change::Delete(key.into()));
    }

    fn write(&mut self, change: &Change) {
        self.device.write(&self.tables.update(change).expect("key and action of one table"));
    }

    /// The UDP ports that carry VXLAN besides the assigned one.
    pub(crate) fn set_vxlan_ports(&mut self, ports: &[u16]) {
        self.device.set_vxlan_ports(ports);
    }

    /// How often a host was seen at a place.
    pub(crate) fn hits(&self, key: impl Into<EntryKey>) -> u64 {
        let update = self.tables.update(&Change::Delete(key.into())).expect("a key alone");
        let Some(entity::Entity::TableEntry(entry)) = update.entity.and_then(|it| it.entity) else {
            panic!("not of a table")
        };
        self.device.hits(&entry)
    }

    /// One frame in by a port.
    pub(crate) fn send(&mut self, port: u16, frame: &[u8]) -> Outcome {
        let before = (self.drops(), self.policed(), self.too_long());
        let out = self.device.process(port, frame);
        let (drops, policed) = (rise(before.0, self.drops()), rise(before.1, self.policed()));
        let too_long = rise(before.2, self.too_long());
        let (punts, mut frames): (Vec<_>, Vec<_>) = out.into_iter().partition(|(port, _)| *port == CPU_PORT);
        frames.sort();
        let mut outcome = Outcome { frames, punts: Vec::new(), neighbours: Vec::new(), drops, policed, too_long };
        for (_, bytes) in &punts {
            match self.punt(bytes) {
                (Punt::Host(header), frame) => outcome.punts.push((header, frame)),
                (Punt::Neighbour { port }, frame) => outcome.neighbours.push((port.get(), frame)),
            }
        }
        outcome
    }

    /// One VXLAN packet in from a peer, by the peer's port, in VNI 5005.
    pub(crate) fn send_from_peer(&mut self, number: u16, inner: &[u8]) -> Outcome {
        let peer = if number == 1 { PEER1 } else { PEER2 };
        self.send(9 + number, &from_peer(peer, VNI, inner))
    }

    /// One frame from the controller.
    pub(crate) fn send_from_controller(&mut self, header: PacketOut, frame: &[u8]) -> Outcome {
        let message = self.tables.packet_out(header, frame.to_vec());
        // The header on the wire of the CPU port: the fields in order.
        let mut bytes = Vec::new();
        for (field, width) in message.metadata.iter().zip([1, 2, 2, 7]) {
            bytes.extend(std::iter::repeat_n(0, width - field.value.len()));
            bytes.extend(&field.value);
        }
        bytes.extend(frame);
        self.send(CPU_PORT, &bytes)
    }

    /// Header and frame of what came out of the CPU port.
    fn punt(&self, bytes: &[u8]) -> (Punt, Vec<u8>) {
        let mut rest = bytes;
        let mut metadata = Vec::new();
        for field in &self.info.packet_in().expect("the program's header").fields {
            let (value, behind) = rest.split_at(field.width as usize / 8);
            metadata.push(PacketMetadata { metadata_id: field.id, value: value.to_vec() });
            rest = behind;
        }
        let message = v1::PacketIn { metadata, ..v1::PacketIn::default() };
        (self.tables.packet_in(&message).expect("a header that makes sense"), rest.to_vec())
    }

    fn drops(&self) -> Vec<((Pipeline, DropReason), u64)> {
        let mut counts = Vec::new();
        for (pipeline, name) in [(Pipeline::Ingress, "drops"), (Pipeline::Egress, "egress_drops")] {
            for &reason in DropReason::ALL {
                counts.push(((pipeline, reason), self.device.counter(name, reason.index())));
            }
        }
        counts
    }

    fn too_long(&self) -> Vec<(LocationId, u64)> {
        let count = |place| (place, self.cell("exceeds_mtu", self.tables.read_exceeds_mtu([place]).remove(0)));
        places().map(count).collect()
    }

    fn policed(&self) -> Vec<(PuntMeter, u64)> {
        let of_hosts = PuntReason::ALL.into_iter().filter(|reason| *reason != PuntReason::Neighbour);
        let cells = places().flat_map(|location| of_hosts.clone().map(move |reason| PuntMeter { reason, location }));
        let links = [10, 11].map(|number| LocationId::link(port(number)));
        let cells = cells.chain(links.map(|location| PuntMeter { reason: PuntReason::Neighbour, location }));
        let count = |cell| (cell, self.cell("policed_punts", self.tables.read_policed([cell]).remove(0)));
        cells.map(count).collect()
    }

    fn cell(&self, counter: &str, read: v1::Entity) -> u64 {
        match read.entity {
            Some(entity::Entity::CounterEntry(entry)) => {
                self.device.counter(counter, entry.index.expect("one cell").index)
            }
            other => panic!("a counter's cell, not {other:?}"),
        }
    }
}

fn encapsulation(location: LocationId, peer: Ipv4Addr, max_frame_bytes: u16) -> (EntryKey, EntryAction) {
    EncapsulateKey { location }.with(EncapsulateAction::Encapsulate {
        src_ip: OURS,
        dst_ip: peer,
        src_mac: ROUTER,
        dst_mac: NEXT_HOP,
        ttl: TTL,
        dscp: Dscp::new(DSCP).unwrap(),
        max_frame_bytes,
    })
}

fn places() -> impl Iterator<Item = LocationId> {
    (1..=5).map(access).chain([tunnel(1), tunnel(2)])
}

/// What rose between two readings of the same counters, once for each step.
fn rise<T>(before: Vec<(T, u64)>, after: Vec<(T, u64)>) -> Vec<T>
where
    T: Clone,
{
    let steps = |((_, old), (of, new)): ((T, u64), (T, u64))| std::iter::repeat_n(of, (new - old) as usize);
    before.into_iter().zip(after).flat_map(steps).collect()
}

impl Outcome {
    /// The frame left by this port and nothing else happened.
    #[track_caller]
    pub(crate) fn sent(&self, port: u16) -> &[u8] {
        assert!(self.punts.is_empty() && self.drops.is_empty() && self.policed.is_empty(), "{self:?}");
        assert!(self.neighbours.is_empty(), "{self:?}");
        match &self.frames[..] {
            [(out, frame)] if *out == port => frame,
            _ => panic!("expected one frame out of port {port}: {self:?}"),
        }
    }

    /// The frame was dropped in ingress for this reason and nothing else happened.
    #[track_caller]
    pub(crate) fn dropped(&self, reason: DropReason) {
        assert_eq!(self.drops, [(Pipeline::Ingress, reason)], "{self:?}");
        assert!(self.frames.is_empty() && self.punts.is_empty() && self.policed.is_empty(), "{self:?}");
        assert!(self.neighbours.is_empty(), "{self:?}");
    }

    /// The controller was to get it, and the place had said too much already; nothing else happened.
    #[track_caller]
    pub(crate) fn policed(&self, reason: PuntReason, location: LocationId) {
        assert_eq!(self.policed, [PuntMeter { reason, location }], "{self:?}");
        assert!(self.frames.is_empty() && self.punts.is_empty() && self.drops.is_empty(), "{self:?}");
    }

    /// The controller got it, and this is what it was told.
    #[track_caller]
    pub(crate) fn punted(&self) -> (PacketIn, &[u8]) {
        match &self.punts[..] {
            [(header, frame)] => (*header, frame),
            _ => panic!("expected one punt: {self:?}"),
        }
    }

    /// The controller alone got it, for this reason.
    #[track_caller]
    pub(crate) fn held(&self, reason: PuntReason) -> (PacketIn, &[u8]) {
        let (header, frame) = self.punted();
        assert_eq!(header.reason, reason, "{self:?}");
        assert!(self.frames.is_empty() && self.drops.is_empty() && self.policed.is_empty(), "{self:?}");
        (header, frame)
    }

    /// The controller got a copy, for this reason, and the frame went its way.
    #[track_caller]
    pub(crate) fn told(&self, reason: PuntReason) {
        assert_eq!(self.punted().0.reason, reason, "{self:?}");
        assert!(!self.frames.is_empty() && self.drops.is_empty() && self.policed.is_empty(), "{self:?}");
    }

    /// The frame went its way, and the controller heard nothing.
    #[track_caller]
    pub(crate) fn passed(&self) {
        assert!(!self.frames.is_empty(), "{self:?}");
        assert!(self.punts.is_empty() && self.drops.is_empty() && self.policed.is_empty(), "{self:?}");
    }

    /// The ports that it left by.
    pub(crate) fn ports(&self) -> Vec<u16> {
        self.frames.iter().map(|(port, _)| *port).collect()
    }
}

/// An access interface that checks no bindings and suppresses nothing.
pub(crate) fn access_interface(domain: u16, location: LocationId) -> IngressInterfaceAction {
    IngressInterfaceAction::Access { bd: bd(domain), location, bindings: false, suppress: false }
}

/// A VXLAN packet to us, as a peer's VTEP sends it.
pub(crate) fn from_peer(peer: Ipv4Addr, vni: u32, inner: &[u8]) -> Vec<u8> {
    let header = Ipv4::new(peer, OURS, 17);
    ethernet(ROUTER, NEXT_HOP, IPV4, &header.with(&udp(50000, 4789, &vxlan(8, vni, inner))))
}

/// The inner frame of what we sent to a peer.
pub(crate) fn inner(frame: &[u8]) -> &[u8] {
    &frame[50..]
}

fn place_port(location: LocationId) -> u16 {
    if location.is_tunnel() { 9 + location.number() } else { location.number() }
}
