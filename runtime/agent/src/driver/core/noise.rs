//! Whatever the switch hands over and whatever peers say, in any order: no panic, and nothing grows beyond its limit.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;
use vouch_mobility::{
    AddressClaim, AddressReply, Advertisement, Binding, ClaimId, Expect, Message, Migration, Open, Reply, Sequence,
    Standing, Sync, Verdict, VtepAddr, Withdrawal,
};
use vouch_net::{MacAddr, Vni};
use vouch_tables::{Bd, Change, PacketIn, Port as SwitchPort, PuntReason};

use super::*;
use crate::driver::words::KINDS;
use crate::peering::DownReason;

const CONFIG: &str = include_str!("../../../../../configs/demo/vtep1.yaml");
const HOSTS: usize = 6;
const HELD: usize = 3;

/// Of this switch, nothing is known to have been heard.
struct Deaf;

impl Hearing for Deaf {
    fn dropped(&self, _: LocationId) -> u64 {
        1
    }

    fn waiting(&self, _: LocationId) -> (u64, u64) {
        (1, 0)
    }
}

/// Something from outside.
#[derive(Debug, Clone)]
enum Noise {
    Punt(PacketIn, Vec<u8>),
    Peer(VtepAddr, bool),
    Message(VtepAddr, Message),
    Idle(SourceKey),
    Port(u16, Link),
    PortsUnknown,
    LostTouch,
    Expect(HostKey, Location, Duration),
    Settle(HostKey, Location),
    AskNow(HostKey),
    Clear(HostKey, Clear),
    Time(Duration),
}

fn mac() -> impl Strategy<Value = MacAddr> {
    // Few enough to meet again, more than there is room for, and some that no host may have.
    prop_oneof![
        8 => (0_u8..10).prop_map(|last| MacAddr([2, 0, 0, 0, 0, last])),
        1 => any::<[u8; 6]>().prop_map(MacAddr),
        1 => Just(MacAddr::BROADCAST),
        1 => Just(MacAddr::ZERO),
        1 => Just(MacAddr([2, 0x76, 10, 0, 0, 1])),
    ]
}

fn vtep() -> impl Strategy<Value = VtepAddr> {
    (1_u8..6).prop_map(|last| VtepAddr([10, 0, 0, last].into()))
}

fn location() -> impl Strategy<Value = LocationId> {
    prop_oneof![
        6 => (1_u16..6).prop_filter_map("in range", LocationId::access),
        1 => (1_u16..5).prop_filter_map("in range", LocationId::tunnel),
    ]
}

fn bd() -> impl Strategy<Value = Bd> {
    (1_u16..4).prop_filter_map("in range", Bd::new)
}

/// An ARP, RARP, IPv6 or other frame, whole or cut short, as it should be or with a byte changed; or plain noise.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let near_arp = (mac(), mac(), any::<[u8; 4]>(), 0_usize..4, 0_usize..80, any::<(u8, bool)>());
    let near_arp = near_arp.prop_map(|(source, sender, address, ethertype, cut, (byte, damaged))| {
        let ethertype = [[8, 6], [0x80, 0x35], [0x86, 0xdd], [8, 0]][ethertype];
        let mut frame = [&MacAddr::BROADCAST.octets()[..], &source.octets(), &ethertype].concat();
        frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
        frame.extend(if damaged { sender.octets() } else { source.octets() });
        frame.extend(address);
        frame.extend([0; 10]);
        if damaged && cut < frame.len() {
            frame[cut] = byte;
        }
        frame.truncate(if cut < 60 { frame.len() } else { cut - 50 });
        frame
    });
    prop_oneof![4 => near_arp, 1 => prop::collection::vec(any::<u8>(), 0..100)]
}

fn punt() -> impl Strategy<Value = Noise> {
    let reason = prop::sample::select(PuntReason::ALL.to_vec());
    let port = (1_u16..5).prop_filter_map("in range", SwitchPort::new);
    (port, bd(), reason, location(), prop::option::of(location()), frame()).prop_map(
        |(ingress_port, bd, reason, location, recorded, frame)| {
            Noise::Punt(PacketIn { ingress_port, bd, reason, location, recorded }, frame)
        },
    )
}

fn few_addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (1_u8..6).prop_map(|last| IpAddr::from([192, 168, 1, last])),
        (1_u16..4).prop_map(|last| IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, last])),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let host = a_host;
    let sequence = || prop_oneof![(0_u32..5), Just(u32::MAX), Just(u32::MAX - 1)].prop_map(Sequence);
    let binding = || (few_addresses(), any::<bool>()).prop_map(|(address, confirmed)| Binding { address, confirmed });
    let bindings = move || prop::collection::vec(binding(), 0..4);
    let claim = || {
        (0_u64..3, 0_u64..8).prop_map(|(incarnation, number)| ClaimId { incarnation: Incarnation(incarnation), number })
    };
    let time = || (0_u64..1_000).prop_map(Duration::from_secs);
    let migration =
        prop_oneof![
            (claim(), time(), any::<bool>(), any::<bool>())
                .prop_map(|(claim, tenure, damped, taken)| Migration::Asked { claim, tenure, damped, taken }),
            Just(Migration::AtOnce),
            vtep().prop_map(|by| Migration::Verified { by }),
        ];
    let verdict = prop_oneof![
        Just(Verdict::Stayed),
        time().prop_map(|tenure| Verdict::Moved { tenure }),
        prop::sample::select(vec![Open::Overdue, Open::Unproven, Open::Contested]).prop_map(Verdict::Open),
        vtep().prop_map(Verdict::Elsewhere),
    ];
    prop_oneof![
        4 => (host(), bindings(), sequence(), prop::option::of(migration)).prop_map(
            |(host, bindings, sequence, migration)| Message::Advertisement(Advertisement {
                host,
                bindings,
                sequence,
                migration,
            })
        ),
        2 => (host(), claim(), sequence(), verdict).prop_map(|(host, claim, sequence, verdict)| {
            Message::Reply(Reply { host, claim, sequence, verdict })
        }),
        1 => (host(), sequence(), prop::option::of(vtep())).prop_map(|(host, sequence, moved_to)| {
            Message::Withdrawal(Withdrawal { host, sequence, moved_to })
        }),
        1 => Just(Message::Sync(Sync::Start)),
        2 => (host(), bindings(), sequence(), any::<bool>()).prop_map(|(host, bindings, sequence, ours)| {
            Message::Sync(match ours {
                true => Sync::Host { host, bindings, sequence },
                false => Sync::Yours { host, bindings, sequence },
            })
        }),
        1 => Just(Message::Sync(Sync::Again)),
        1 => (host(), claim(), any::<bool>())
            .prop_map(|(host, claim, answers)| Message::Standing(Standing { host, claim, answers })),
        1 => (host(), vtep(), time()).prop_map(|(host, to, within)| Message::Expect(Expect { host, to, within })),
        1 => (host(), few_addresses(), claim())
            .prop_map(|(holder, address, claim)| Message::AddressClaim(AddressClaim { holder, address, claim })),
        1 => (host(), few_addresses(), claim(), any::<bool>()).prop_map(|(holder, address, claim, given_up)| {
            Message::AddressReply(AddressReply { holder, address, claim, given_up })
        }),
        1 => (0_u64..4, any::<bool>()).prop_map(|(hosts, withheld)| Message::Sync(Sync::End { hosts, withheld })),
    ]
}

fn a_host() -> impl Strategy<Value = HostKey> {
    (5000_u32..5004, mac()).prop_map(|(vni, mac)| HostKey { vni: Vni::new(vni).expect("24 bits"), mac })
}

/// Of those that there are.
fn place() -> impl Strategy<Value = Location> {
    prop_oneof![
        (1_u16..5).prop_map(|access| Location::Local(vouch_mobility::AccessId(access))),
        (2_u8..4).prop_map(|last| Location::Remote(VtepAddr([10, 0, 0, last].into()))),
    ]
}

fn noise() -> impl Strategy<Value = Noise> {
    prop_oneof![
        8 => punt(),
        8 => (vtep(), message()).prop_map(|(from, message)| Noise::Message(from, message)),
        2 => (vtep(), any::<bool>()).prop_map(|(vtep, up)| Noise::Peer(vtep, up)),
        1 => (bd(), mac(), location()).prop_map(|(bd, mac, location)| Noise::Idle(SourceKey { bd, mac, location })),
        1 => (0_u16..12, any::<bool>())
            .prop_map(|(port, up)| Noise::Port(port, if up { Link::Up } else { Link::Down })),
        1 => prop_oneof![Just(Noise::PortsUnknown), Just(Noise::LostTouch)],
        1 => (a_host(), place(), 0_u64..10)
            .prop_map(|(host, to, seconds)| Noise::Expect(host, to, Duration::from_secs(seconds))),
        1 => (a_host(), place()).prop_map(|(host, keep)| Noise::Settle(host, keep)),
        1 => a_host().prop_map(Noise::AskNow),
        1 => (a_host(), prop::sample::select(vec![Clear::Refusals, Clear::Attack, Clear::Quarantine]))
            .prop_map(|(host, what)| Noise::Clear(host, what)),
        4 => (0_u64..400).prop_map(|millis| Noise::Time(Duration::from_millis(millis))),
        1 => (0_u64..20).prop_map(|seconds| Noise::Time(Duration::from_secs(seconds))),
    ]
}

/// Writes what is to be written; the switch never refuses what was right.
fn write(core: &mut Core, switch: &mut BTreeMap<EntryKey, EntryAction>) {
    for change in core.wanted().take_changes() {
        match change {
            Change::Insert(key, action) => assert_eq!(switch.insert(key, action), None, "{key} is there already"),
            Change::Modify(key, action) => assert!(switch.insert(key, action).is_some(), "{key} is not there"),
            Change::Delete(key) => assert!(switch.remove(&key).is_some(), "{key} is not there"),
        }
    }
}

proptest! {
    #[test]
    fn nothing_from_outside_panics_or_outgrows_its_limit(noise in prop::collection::vec(noise(), 0..120)) {
        let mut config = Config::parse("vtep1.yaml", CONFIG).expect("the demo's configuration is valid").config;
        let vtep = config.vtep.as_mut().expect("the demo's is a VTEP");
        vtep.limits.hosts = HOSTS;
        vtep.held_frames = HELD;
        let room = BindingRoom { ipv4: 4, ipv6: 4 };
        let hops = HopRoom { groups: 4, neighbours: 4 };
        let given = Given { incarnation: Incarnation(2), room, hops, hearing: Box::new(Deaf) };
        let (mut core, _) = Core::new(config, given, &BTreeMap::new(), Instant::EPOCH);
        let mut switch = BTreeMap::new();
        write(&mut core, &mut switch);
        let fixed = switch.len();
        let mut now = Instant::EPOCH;
        for noise in noise {
            match noise {
                Noise::Punt(packet, frame) => core.packet_in(packet, &frame, now),
                Noise::Peer(vtep, true) => {
                    let probe_mac = crate::config::default_probe_mac(vtep);
                    let (session, incarnation) = (SessionId(1), Incarnation(1));
                    core.peer(PeerEvent::Up { vtep, session, incarnation, probe_mac }, now);
                }
                Noise::Peer(vtep, false) => core.peer(PeerEvent::Down { vtep, reason: DownReason::Silent }, now),
                Noise::Message(vtep, message) => core.peer(PeerEvent::Message { vtep, message }, now),
                Noise::Idle(key) => core.idle(&key, now),
                Noise::Port(port, link) => core.port(port, link, now),
                Noise::PortsUnknown => core.ports_unknown(now),
                Noise::LostTouch => core.lost_touch(now),
                Noise::Expect(host, to, within) => core.expect_move(host, to, within, now),
                Noise::Settle(host, keep) => core.settle(host, keep, now),
                Noise::AskNow(host) => core.ask_now(host, now),
                Noise::Clear(host, what) => core.clear(host, what, now),
                Noise::Time(passed) => {
                    let until = now + passed;
                    while let Some(due) = core.deadline().filter(|due| *due <= until) {
                        now = now.max(due);
                        core.timeout(now);
                    }
                    now = until;
                }
            }
            write(&mut core, &mut switch);
            let hosts = core.machine().hosts().count();
            // Each VNI and each peer has its share of so small a room, and shares are rounded up.
            prop_assert!(hosts <= HOSTS + 4, "{} hosts", hosts);
            // Its place, its destination, its group, and one source entry for each of the VNI's two interfaces; and the bindings.
            prop_assert!(switch.len() <= fixed + 5 * hosts + 8, "{} entries for {} hosts", switch.len() - fixed, hosts);
            prop_assert!(core.held.len() <= HELD);
            for (peer, _) in core.listing() {
                core.list(peer, 3);
            }
            while let Some(output) = core.poll_output() {
                // A switch that hands back most of what it is asked to.
                if let Output::PacketOut { header: PacketOut::Ask { bd, location }, frame } = output
                    && frame.last().is_none_or(|byte| byte % 4 != 3)
                {
                    let ingress_port = SwitchPort::new(1).expect("in range");
                    let reason = PuntReason::Sent;
                    core.packet_in(PacketIn { ingress_port, bd, reason, location, recorded: None }, &frame, now);
                }
            }
            if let Some((mark, ..)) = core.find_out(now)
                && mark % 3 != 0
            {
                core.found_out(mark, (mark % 5 != 0).then(Vec::new), now);
            }
            while core.poll_at_once().is_some() {}
            // Whatever happened can be told.
            while let Some(event) = core.poll_event() {
                let line = core.line_of(&event);
                prop_assert!(KINDS.contains(&line.kind) && !line.text.is_empty(), "{:?}", line);
            }
            for info in core.machine().hosts() {
                let detail = core.machine().detail(&info.host, now);
                prop_assert_eq!(detail.map(|detail| detail.info), Some(info));
            }
        }
        // Every claim ends or waits for evidence; it does not hold frames for ever.
        let until = now + Duration::from_secs(600);
        while let Some(due) = core.deadline().filter(|due| *due <= until) {
            now = now.max(due);
            core.timeout(now);
            while core.poll_output().is_some() {}
            while core.poll_at_once().is_some() {}
            while core.poll_event().is_some() {}
        }
        write(&mut core, &mut switch);
        let read_back = core.wanted().changes_from(switch);
        prop_assert!(read_back.is_empty());
    }
}
