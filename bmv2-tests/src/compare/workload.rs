//! What the switches do while they are measured: programs, entries, and the frames that go in.

use std::sync::Arc;

use p4_switch::commands::Catalog;
use p4_switch::stf::{self, Bench, Command, Entry, Program, Rules, encode, parse};
use vouch_p4runtime::P4Info;
use vouch_p4runtime::client::{Pipeline, Replica, insert, multicast_group};
use vouch_p4runtime::p4::v1::Update;
use vouch_switch::ReplicationNode;

use crate::frames::{Ip, Ipv4, Mac, ethernet, udp, vxlan};
use crate::rig::Result;

/// The port towards hosts.
const ACCESS: u16 = 1;
/// The other port: the underlay, or wherever the router sends everything.
const UNDERLAY: u16 = 2;
/// Different frames that a generator sends in turn.
const FRAMES: u16 = 64;
/// Bytes at the end of each frame that a measurement may use: nothing looks at them.
pub(super) const TRAILER: usize = 8;

/// Hosts behind the tunnel.
const HOSTS: u32 = 1_000;
/// Tunnels that a broadcast goes to.
const TUNNELS: u16 = 8;
/// Routes and rules of the router.
const ROUTES: u32 = 10_000;
const RULES: u32 = 500;

const ROUTER_MAC: Mac = [2, 0xff, 0, 0, 0, 1];
const SPINE_MAC: Mac = [2, 0xff, 0, 0, 0, 9];
const HERE: Mac = [2, 0, 0, 0, 0, 1];
const MY_IP: Ip = [10, 0, 0, 1];
const PEER_IP: Ip = [10, 0, 1, 0];
const VNI: u32 = 5001;

/// The VTEP's entries besides hosts and tunnels: bridge domain 7 with a host at port 1.
const VTEP: &str = "
add ingress_interface ingress_port:1 vlan_id:0 access(bd:7, location:1, bindings:0, suppress:0)
add ingress_interface ingress_port:2 vlan_id:0 underlay(router_mac:0x02ff00000001)
add location_port location:1 port(port:1)
add access_tag location:1 untagged()
add local_vtep dst:0x0a000001 terminate()
add vni_to_bd vni:5001 bridge(bd:7)
add bd_vni bd:7 vni(vni:5001)
add source bd:7 mac:0x020000000001 location:1 here(watch:0)
add recorded_location bd:7 mac:0x020000000001 recorded(location:1, forward:0)
add destination bd:7 mac:0x020000000001 unicast(location:1)
add flood bd:7 flood_to(group:7)
";

/// A program with everything that is in its tables.
pub(super) struct Setup {
    /// What a switch is told to run.
    pub(super) pipeline: Pipeline,
    catalog: Catalog,
    rules: Rules,
    entries: Vec<Entry>,
    groups: Vec<(u32, Vec<(u16, u16)>)>,
}

/// Frames of one kind, and what becomes of them.
pub(super) struct Load {
    /// What people call it.
    pub(super) name: &'static str,
    /// Where they go in.
    pub(super) from: u16,
    /// Where they come out.
    pub(super) to: u16,
    /// How many come out for each.
    pub(super) copies: u64,
    /// A frame of this length, or that carries one of this length, by its number.
    frame: fn(u16, usize) -> Vec<u8>,
}

impl Load {
    /// The frames that go in, in turn.
    pub(super) fn frames(&self, length: usize) -> Vec<Vec<u8>> {
        (0..FRAMES).map(|number| (self.frame)(number, length)).collect()
    }
}

/// Our pipeline, and what it is measured with.
pub(super) fn vtep() -> Result<(Setup, Vec<Load>)> {
    let mut text = VTEP.to_owned();
    for tunnel in 0..TUNNELS {
        let location = 0x8001 + tunnel;
        text += &format!(
            "add location_port location:{location} port(port:2)\n\
             add underlay_peer src:{:#x} from_tunnel(location:{location})\n\
             add encapsulate location:{location} encapsulate.encapsulate(src_ip:0x0a000001, dst_ip:{0:#x}, \
             src_mac:0x02ff00000001, dst_mac:0x02ff00000009, ttl:64, dscp:0, max_frame_bytes:0xffff)\n",
            peer(tunnel)
        );
    }
    for host in 0..HOSTS {
        text += &format!("add destination bd:7 mac:{:#x} unicast(location:0x8001)\n", number(&far_host(host as u16)));
    }
    let info = include_str!("../../../p4src/build/vtep.p4info.txtpb");
    let mut setup = Setup::new(include_bytes!("../../../p4src/build/vtep.json"), info)?;
    setup.add(&text)?;
    setup.groups.push((7, (0..TUNNELS).map(|tunnel| (UNDERLAY, 0x8001 + tunnel)).collect()));
    let loads = vec![
        Load {
            name: "VXLAN encapsulation",
            from: ACCESS,
            to: UNDERLAY,
            copies: 1,
            frame: |number, length| tenant(far_host(number), HERE, length),
        },
        Load {
            name: "VXLAN decapsulation",
            from: UNDERLAY,
            to: ACCESS,
            copies: 1,
            frame: |number, length| {
                let inner = vxlan(8, VNI, &tenant(HERE, far_host(number), length));
                let outer = Ipv4::new(PEER_IP, MY_IP).packet(17, &[], &udp(0xc000 | number, 4789, &inner));
                ethernet(ROUTER_MAC, SPINE_MAC, 0x0800, &outer)
            },
        },
        Load {
            name: "flood to 8 tunnels",
            from: ACCESS,
            to: UNDERLAY,
            copies: TUNNELS.into(),
            frame: |_, length| tenant([0xff; 6], HERE, length),
        },
    ];
    Ok((setup, loads))
}

/// An IPv4 router with an access list, and what it is measured with. The rules are for TCP, the packets UDP, so that all
/// rules are passed.
pub(super) fn router() -> Result<(Setup, Vec<Load>)> {
    let mut text = String::new();
    for hop in 0..16 {
        text += &format!("add next_hops meta.next_hop:{hop} forward(port:2, src:0x020000000001, dst:0x020000000002)\n");
    }
    text += "add routes headers.ipv4.dst:0/0 route(next_hop:0)\n";
    let mut numbers = Numbers(1);
    for route in 0..ROUTES {
        // Mostly `/24`, as in the Internet; a number in front keeps all of them apart.
        let length = if route % 2 == 0 { 24 } else { 16 + numbers.next() % 17 };
        let address = route << 18 | numbers.next() >> 14;
        let hop = numbers.next() % 16;
        text += &format!("add routes headers.ipv4.dst:{address:#x}/{length} route(next_hop:{hop})\n");
    }
    for rule in 0..RULES {
        let mut address = || {
            let digits = format!("{:08x}", numbers.next() | 1 << 31);
            let kept = [0, 2, 4, 6, 8][numbers.next() as usize % 5];
            format!("0x{}{}", &digits[..kept], "*".repeat(8 - kept))
        };
        let (src, dst) = (address(), address());
        let low = numbers.next() % 60_000;
        text += &format!(
            "add access_list {rule} headers.ipv4.src:{src} headers.ipv4.dst:{dst} headers.ipv4.protocol:6 \
             headers.ports.dst:{low}->{} drop()\n",
            low + 1000
        );
    }
    let info = include_str!("../../../runtime/switch/tests/programs/router.p4info.txtpb");
    let mut setup = Setup::new(include_bytes!("../../../runtime/switch/tests/programs/router.json"), info)?;
    setup.add(&text)?;
    let load = Load {
        name: "IPv4 router",
        from: ACCESS,
        to: UNDERLAY,
        copies: 1,
        frame: |number, length| {
            // Somewhere else each time.
            let address = |seed: u16| (u32::from(number) * 64 + u32::from(seed)).wrapping_mul(2_654_435_769) >> 1;
            let ip = Ipv4::new(address(1).to_be_bytes(), address(2).to_be_bytes());
            ethernet(ROUTER_MAC, HERE, 0x0800, &ip.udp(0x1234, 80, &vec![0; length - 42]))
        },
    };
    Ok((setup, vec![load]))
}

/// The entries of hosts besides those of the setup: what the rate of writes is measured with.
pub(super) fn more_hosts(setup: &Setup, location: u16, count: u32) -> Result<Vec<Entry>> {
    let text = |host: u32| {
        format!("add destination bd:7 mac:{:#x} unicast(location:{location})\n", 10u64 << 40 | u64::from(host))
    };
    setup.entries(&(0..count).map(text).collect::<String>())
}

fn peer(tunnel: u16) -> u32 {
    let [a, b, c, d] = PEER_IP;
    u32::from_be_bytes([a, b, c, d + tunnel as u8])
}

fn far_host(host: u16) -> Mac {
    let [high, low] = host.to_be_bytes();
    [6, 0, 0, 0, high, low]
}

fn number(mac: &Mac) -> u64 {
    mac.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A frame between two hosts, this many bytes long.
fn tenant(to: Mac, from: Mac, length: usize) -> Vec<u8> {
    let ip = Ipv4::new([192, 168, 0, 1], [192, 168, 0, 2]);
    ethernet(to, from, 0x0800, &ip.udp(4000, 5000, &vec![0xaa; length - 42]))
}

impl Setup {
    fn new(json: &[u8], info: &str) -> Result<Self> {
        let info = Arc::new(P4Info::from_text(info)?);
        let rules = Program::rules(json, Some(info.clone()))?;
        let catalog = Catalog::new(info.clone());
        let pipeline = Pipeline::new(info, json.to_vec());
        Ok(Self { pipeline, catalog, rules, entries: Vec::new(), groups: Vec::new() })
    }

    fn add(&mut self, text: &str) -> Result<()> {
        let more = self.entries(text)?;
        self.entries.extend(more);
        Ok(())
    }

    fn entries(&self, text: &str) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for statement in parse(text)? {
            let Command::Add { table, priority, keys, calls, .. } = &statement.command else {
                return Err(format!("line {}: only entries are added here", statement.line).into());
            };
            entries.push(self.rules.entry(table, *priority, keys, calls)?);
        }
        Ok(entries)
    }

    /// The same as P4Runtime writes it.
    pub(super) fn updates(&self) -> Result<Vec<Update>> {
        let replica = |(port, instance): &(u16, u16)| Replica { port: (*port).into(), instance: (*instance).into() };
        let groups =
            self.groups.iter().map(|(id, replicas)| insert(multicast_group(*id, replicas.iter().map(replica))));
        let mut updates: Vec<Update> = groups.collect();
        for entry in &self.entries {
            updates.push(insert(self.encode(entry)?));
        }
        Ok(updates)
    }

    /// One entry as P4Runtime writes it.
    pub(super) fn encode(&self, entry: &Entry) -> Result<vouch_p4runtime::p4::v1::TableEntry> {
        Ok(encode(&self.catalog, self.rules.program(), entry)?)
    }

    /// The packet engine with all of it.
    pub(super) fn engine(&self) -> Result<stf::Embedded> {
        let mut bench = stf::Embedded::new(&self.rules, vouch_switch::SwitchConfig::default());
        for (id, replicas) in &self.groups {
            bench.control().insert_multicast(*id)?;
            bench.control().modify_multicast(*id, &ReplicationNode::from_replicas(replicas))?;
        }
        for entry in &self.entries {
            stf::insert(&mut bench, self.rules.program(), entry)?;
        }
        Ok(bench)
    }
}

/// Numbers without a pattern, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }
}
