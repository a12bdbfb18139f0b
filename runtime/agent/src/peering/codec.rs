//! Between the state machine's messages and their form on the wire. What decodes is well-formed; nothing later re-checks it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use vouch_mobility::{
    AddressClaim, AddressReply, Advertisement, Binding, ClaimId, Expect, HostKey, Incarnation, Message, Migration,
    Open, Reply, Sequence, Standing, Sync, Verdict, VtepAddr, Withdrawal,
};
use vouch_net::{MacAddr, Vni};

use super::misbehaviour::PeerMisbehaved;
use super::proto::{self, message::Kind, migration::Stage, reply::Verdict as WireVerdict};

/// More addresses than any host's are a mistake or an attack.
const MAX_ADDRESSES: usize = 256;

/// The wire form.
pub(super) fn encode(message: &Message) -> proto::Message {
    let kind = match message {
        Message::Advertisement(it) => Kind::Advertisement(proto::Advertisement {
            host: Some(host_to_wire(it.host)),
            bindings: bindings_to_wire(&it.bindings),
            sequence: it.sequence.0,
            migration: it.migration.map(|migration| proto::Migration { stage: Some(stage_to_wire(migration)) }),
        }),
        Message::Reply(it) => Kind::Reply(proto::Reply {
            host: Some(host_to_wire(it.host)),
            claim: Some(claim_to_wire(it.claim)),
            sequence: it.sequence.0,
            verdict: Some(verdict_to_wire(it.verdict)),
        }),
        Message::Standing(it) => Kind::Standing(proto::Standing {
            host: Some(host_to_wire(it.host)),
            claim: Some(claim_to_wire(it.claim)),
            answers: it.answers,
        }),
        Message::Withdrawal(it) => {
            let (moved_to, moved_to_ipv6) = match it.moved_to.map(vtep_to_wire) {
                Some((bits, ipv6)) => (Some(bits), ipv6),
                None => (None, Vec::new()),
            };
            let (host, sequence) = (Some(host_to_wire(it.host)), it.sequence.0);
            Kind::Withdrawal(proto::Withdrawal { host, sequence, moved_to, moved_to_ipv6 })
        }
        Message::Sync(Sync::Start) => Kind::SyncStart(proto::SyncStart {}),
        Message::Sync(Sync::Host { host, bindings, sequence }) => {
            Kind::SyncHost(sync_host_to_wire(*host, bindings, *sequence))
        }
        Message::Sync(Sync::End { hosts, withheld }) => {
            Kind::SyncEnd(proto::SyncEnd { hosts: *hosts, withheld: *withheld })
        }
        Message::Sync(Sync::Yours { host, bindings, sequence }) => {
            Kind::SyncYours(sync_host_to_wire(*host, bindings, *sequence))
        }
        Message::Sync(Sync::Again) => Kind::SyncAgain(proto::SyncAgain {}),
        Message::Expect(it) => {
            let (to, to_ipv6) = vtep_to_wire(it.to);
            Kind::Expect(proto::Expect { host: Some(host_to_wire(it.host)), to, to_ipv6, within: micros(it.within) })
        }
        Message::AddressClaim(it) => Kind::AddressClaim(proto::AddressClaim {
            holder: Some(host_to_wire(it.holder)),
            address: address_to_wire(it.address),
            claim: Some(claim_to_wire(it.claim)),
        }),
        Message::AddressReply(it) => Kind::AddressReply(proto::AddressReply {
            holder: Some(host_to_wire(it.holder)),
            address: address_to_wire(it.address),
            claim: Some(claim_to_wire(it.claim)),
            given_up: it.given_up,
        }),
    };
    proto::Message { kind: Some(kind) }
}

fn stage_to_wire(migration: Migration) -> Stage {
    match migration {
        Migration::Asked { claim, tenure, damped, taken } => {
            Stage::Asked(proto::Asked { claim: Some(claim_to_wire(claim)), tenure: micros(tenure), damped, taken })
        }
        Migration::AtOnce => Stage::AtOnce(proto::AtOnce {}),
        Migration::Verified { by } => {
            let (by, by_ipv6) = vtep_to_wire(by);
            Stage::Verified(proto::Verified { by, by_ipv6 })
        }
    }
}

fn verdict_to_wire(verdict: Verdict) -> WireVerdict {
    match verdict {
        Verdict::Stayed => WireVerdict::Stayed(proto::Stayed {}),
        Verdict::Moved { tenure } => WireVerdict::Moved(proto::Moved { tenure: micros(tenure) }),
        Verdict::Open(Open::Overdue) => WireVerdict::Open(proto::Open::Overdue.into()),
        Verdict::Open(Open::Unproven) => WireVerdict::Open(proto::Open::Unproven.into()),
        Verdict::Open(Open::Contested) => WireVerdict::Open(proto::Open::Contested.into()),
        Verdict::Elsewhere(VtepAddr(IpAddr::V4(vtep))) => WireVerdict::Elsewhere(vtep.to_bits()),
        Verdict::Elsewhere(VtepAddr(IpAddr::V6(vtep))) => WireVerdict::ElsewhereIpv6(vtep.octets().to_vec()),
    }
}

/// The meaning, or how the peer misbehaved.
pub(super) fn decode(message: proto::Message) -> Result<Message, PeerMisbehaved> {
    Ok(match message.kind.ok_or(PeerMisbehaved::UnknownMessage)? {
        Kind::Advertisement(wire) => Message::Advertisement(Advertisement {
            host: host(wire.host)?,
            bindings: bindings(&wire.bindings)?,
            sequence: Sequence(wire.sequence),
            migration: wire.migration.map(migration).transpose()?,
        }),
        Kind::Reply(wire) => Message::Reply(Reply {
            host: host(wire.host)?,
            claim: claim(wire.claim)?,
            sequence: Sequence(wire.sequence),
            verdict: verdict(wire.verdict)?,
        }),
        Kind::Standing(wire) => {
            Message::Standing(Standing { host: host(wire.host)?, claim: claim(wire.claim)?, answers: wire.answers })
        }
        Kind::Withdrawal(wire) => Message::Withdrawal(Withdrawal {
            host: host(wire.host)?,
            sequence: Sequence(wire.sequence),
            moved_to: wire.moved_to.map(|bits| vtep(bits, &wire.moved_to_ipv6)).transpose()?,
        }),
        Kind::SyncStart(proto::SyncStart {}) => Message::Sync(Sync::Start),
        Kind::SyncHost(wire) => {
            let (host, bindings, sequence) = sync_host(wire)?;
            Message::Sync(Sync::Host { host, bindings, sequence })
        }
        Kind::SyncEnd(wire) => Message::Sync(Sync::End { hosts: wire.hosts, withheld: wire.withheld }),
        Kind::SyncYours(wire) => {
            let (host, bindings, sequence) = sync_host(wire)?;
            Message::Sync(Sync::Yours { host, bindings, sequence })
        }
        Kind::SyncAgain(proto::SyncAgain {}) => Message::Sync(Sync::Again),
        Kind::Expect(wire) => Message::Expect(Expect {
            host: host(wire.host)?,
            to: vtep(wire.to, &wire.to_ipv6)?,
            within: Duration::from_micros(wire.within),
        }),
        Kind::AddressClaim(wire) => Message::AddressClaim(AddressClaim {
            holder: host(wire.holder)?,
            address: address(&wire.address)?,
            claim: claim(wire.claim)?,
        }),
        Kind::AddressReply(wire) => Message::AddressReply(AddressReply {
            holder: host(wire.holder)?,
            address: address(&wire.address)?,
            claim: claim(wire.claim)?,
            given_up: wire.given_up,
        }),
    })
}

fn migration(wire: proto::Migration) -> Result<Migration, PeerMisbehaved> {
    Ok(match wire.stage.ok_or(PeerMisbehaved::Missing("stage of the migration"))? {
        Stage::Asked(wire) => Migration::Asked {
            claim: claim(wire.claim)?,
            tenure: Duration::from_micros(wire.tenure),
            damped: wire.damped,
            taken: wire.taken,
        },
        Stage::AtOnce(proto::AtOnce {}) => Migration::AtOnce,
        Stage::Verified(wire) => Migration::Verified { by: vtep(wire.by, &wire.by_ipv6)? },
    })
}

fn verdict(wire: Option<WireVerdict>) -> Result<Verdict, PeerMisbehaved> {
    const MISSING: PeerMisbehaved = PeerMisbehaved::Missing("verdict");
    Ok(match wire.ok_or(MISSING)? {
        WireVerdict::Stayed(proto::Stayed {}) => Verdict::Stayed,
        WireVerdict::Moved(wire) => Verdict::Moved { tenure: Duration::from_micros(wire.tenure) },
        WireVerdict::Elsewhere(bits) => Verdict::Elsewhere(vtep(bits, &[])?),
        WireVerdict::ElsewhereIpv6(ipv6) => Verdict::Elsewhere(vtep(0, &ipv6)?),
        WireVerdict::Open(open) => Verdict::Open(match proto::Open::try_from(open).map_err(|_| MISSING)? {
            proto::Open::Unspecified => return Err(MISSING),
            proto::Open::Overdue => Open::Overdue,
            proto::Open::Unproven => Open::Unproven,
            proto::Open::Contested => Open::Contested,
        }),
    })
}

fn sync_host_to_wire(host: HostKey, bindings: &[Binding], sequence: Sequence) -> proto::SyncHost {
    proto::SyncHost { host: Some(host_to_wire(host)), bindings: bindings_to_wire(bindings), sequence: sequence.0 }
}

fn sync_host(wire: proto::SyncHost) -> Result<(HostKey, Vec<Binding>, Sequence), PeerMisbehaved> {
    Ok((host(wire.host)?, bindings(&wire.bindings)?, Sequence(wire.sequence)))
}

fn host_to_wire(host: HostKey) -> proto::Host {
    proto::Host { vni: host.vni.get(), mac: host.mac.octets().to_vec() }
}

fn host(wire: Option<proto::Host>) -> Result<HostKey, PeerMisbehaved> {
    let wire = wire.ok_or(PeerMisbehaved::Missing("host"))?;
    let vni = Vni::new(wire.vni).map_err(|_| PeerMisbehaved::NotAVni(wire.vni))?;
    Ok(HostKey { vni, mac: mac(&wire.mac)? })
}

/// The address of one machine.
pub(super) fn mac(wire: &[u8]) -> Result<MacAddr, PeerMisbehaved> {
    let mac = MacAddr::try_from(wire).map_err(|_| PeerMisbehaved::MacOfBytes(wire.len()))?;
    if mac.is_host() { Ok(mac) } else { Err(PeerMisbehaved::NotAHost(mac)) }
}

fn claim_to_wire(claim: ClaimId) -> proto::ClaimId {
    proto::ClaimId { incarnation: claim.incarnation.0, number: claim.number }
}

fn claim(wire: Option<proto::ClaimId>) -> Result<ClaimId, PeerMisbehaved> {
    let wire = wire.ok_or(PeerMisbehaved::Missing("claim"))?;
    Ok(ClaimId { incarnation: Incarnation(wire.incarnation), number: wire.number })
}

fn bindings_to_wire(bindings: &[Binding]) -> Vec<proto::Binding> {
    let wire = |it: &Binding| proto::Binding { address: address_to_wire(it.address), confirmed: it.confirmed };
    bindings.iter().take(MAX_ADDRESSES).map(wire).collect()
}

fn bindings(wire: &[proto::Binding]) -> Result<Vec<Binding>, PeerMisbehaved> {
    if wire.len() > MAX_ADDRESSES {
        return Err(PeerMisbehaved::TooManyAddresses(wire.len()));
    }
    wire.iter().map(|it| Ok(Binding { address: address(&it.address)?, confirmed: it.confirmed })).collect()
}

fn address_to_wire(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn address(wire: &[u8]) -> Result<IpAddr, PeerMisbehaved> {
    let v4 = <[u8; 4]>::try_from(wire).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(wire).map(IpAddr::from)).map_err(|_| PeerMisbehaved::IpOfBytes(wire.len()))
}

/// A tunnel address in its two fields: of IPv4, and of IPv6.
pub(super) fn vtep_to_wire(VtepAddr(address): VtepAddr) -> (u32, Vec<u8>) {
    match address {
        IpAddr::V4(address) => (address.to_bits(), Vec::new()),
        IpAddr::V6(address) => (0, address.octets().to_vec()),
    }
}

/// The meaning of both fields: one of them holds the address.
pub(super) fn vtep(bits: u32, ipv6: &[u8]) -> Result<VtepAddr, PeerMisbehaved> {
    let ipv6 = <[u8; 16]>::try_from(ipv6).map(Ipv6Addr::from).map_err(|_| ipv6.len());
    match (Ipv4Addr::from_bits(bits), ipv6) {
        (Ipv4Addr::UNSPECIFIED, Ok(address)) if !address.is_unspecified() => Ok(VtepAddr(address.into())),
        (address, Err(0)) if !address.is_unspecified() => Ok(VtepAddr(address.into())),
        (_, _) => Err(PeerMisbehaved::NotAVtep),
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    fn a_host() -> impl Strategy<Value = HostKey> {
        (0..=0xff_ffff_u32, any::<[u8; 5]>()).prop_map(|(vni, [a, b, c, d, e])| HostKey {
            vni: Vni::new(vni).expect("24 bits"),
            mac: MacAddr([2, a, b, c, d, e]),
        })
    }

    fn a_vtep() -> impl Strategy<Value = VtepAddr> {
        prop_oneof![
            (1_u32..).prop_map(|bits| VtepAddr(Ipv4Addr::from_bits(bits).into())),
            (1_u128..).prop_map(|bits| VtepAddr(Ipv6Addr::from_bits(bits).into())),
        ]
    }

    fn a_message() -> impl Strategy<Value = Message> {
        let binding =
            || (any::<IpAddr>(), any::<bool>()).prop_map(|(address, confirmed)| Binding { address, confirmed });
        let bindings = move || proptest::collection::vec(binding(), 0..5);
        let sequence = || any::<u32>().prop_map(Sequence);
        let claim = || {
            (any::<u64>(), any::<u64>())
                .prop_map(|(incarnation, number)| ClaimId { incarnation: Incarnation(incarnation), number })
        };
        let time = || any::<u64>().prop_map(Duration::from_micros);
        let migration = prop_oneof![
            (claim(), time(), any::<bool>(), any::<bool>())
                .prop_map(|(claim, tenure, damped, taken)| Migration::Asked { claim, tenure, damped, taken }),
            Just(Migration::AtOnce),
            a_vtep().prop_map(|by| Migration::Verified { by }),
        ];
        let open = prop::sample::select(vec![Open::Overdue, Open::Unproven, Open::Contested]);
        let verdict = prop_oneof![
            Just(Verdict::Stayed),
            time().prop_map(|tenure| Verdict::Moved { tenure }),
            open.prop_map(Verdict::Open),
            a_vtep().prop_map(Verdict::Elsewhere),
        ];
        prop_oneof![
            (a_host(), bindings(), sequence(), proptest::option::of(migration)).prop_map(
                |(host, bindings, sequence, migration)| Message::Advertisement(Advertisement {
                    host,
                    bindings,
                    sequence,
                    migration
                })
            ),
            (a_host(), claim(), sequence(), verdict)
                .prop_map(|(host, claim, sequence, verdict)| Message::Reply(Reply { host, claim, sequence, verdict })),
            (a_host(), claim(), any::<bool>()).prop_map(|(host, claim, answers)| Message::Standing(Standing {
                host,
                claim,
                answers
            })),
            (a_host(), sequence(), proptest::option::of(a_vtep())).prop_map(|(host, sequence, moved_to)| {
                Message::Withdrawal(Withdrawal { host, sequence, moved_to })
            }),
            Just(Message::Sync(Sync::Start)),
            Just(Message::Sync(Sync::Again)),
            (a_host(), bindings(), sequence(), any::<bool>()).prop_map(|(host, bindings, sequence, ours)| {
                Message::Sync(match ours {
                    true => Sync::Host { host, bindings, sequence },
                    false => Sync::Yours { host, bindings, sequence },
                })
            }),
            any::<(u64, bool)>().prop_map(|(hosts, withheld)| Message::Sync(Sync::End { hosts, withheld })),
            (a_host(), a_vtep(), time()).prop_map(|(host, to, within)| Message::Expect(Expect { host, to, within })),
            (a_host(), any::<IpAddr>(), claim()).prop_map(|(holder, address, claim)| {
                Message::AddressClaim(AddressClaim { holder, address, claim })
            }),
            (a_host(), any::<IpAddr>(), claim(), any::<bool>()).prop_map(|(holder, address, claim, given_up)| {
                Message::AddressReply(AddressReply { holder, address, claim, given_up })
            }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_sent_is_what_arrives(message in a_message()) {
            let bytes = encode(&message).encode_to_vec();
            let wire = proto::Message::decode(bytes.as_slice()).expect("it was just encoded");
            prop_assert_eq!(decode(wire), Ok(message));
        }

        #[test]
        fn damaged_messages_never_panic(message in a_message(), place: prop::sample::Index, byte: u8) {
            let mut bytes = encode(&message).encode_to_vec();
            if !bytes.is_empty() {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            if let Ok(wire) = proto::Message::decode(bytes.as_slice()) {
                let _ = decode(wire);
            }
        }
    }

    #[test]
    fn nonsense_is_told_by_what_was_done() {
        let host = |vni, mac: &[u8]| Some(proto::Host { vni, mac: mac.to_vec() });
        let advertisement = |host, addresses: Vec<Vec<u8>>| {
            let bindings = addresses.into_iter().map(|address| proto::Binding { address, confirmed: true }).collect();
            Kind::Advertisement(proto::Advertisement { host, bindings, sequence: 0, migration: None })
        };
        let reply = |claim, verdict| Kind::Reply(proto::Reply { host: host(1, &[2; 6]), claim, sequence: 0, verdict });
        let a_claim = Some(proto::ClaimId { incarnation: 1, number: 1 });
        let withdrawal =
            proto::Withdrawal { host: host(1, &[2; 6]), sequence: 0, moved_to: Some(0), moved_to_ipv6: Vec::new() };
        let cases = [
            (None, PeerMisbehaved::UnknownMessage),
            (Some(advertisement(None, vec![])), PeerMisbehaved::Missing("host")),
            (Some(advertisement(host(1 << 24, &[2; 6]), vec![])), PeerMisbehaved::NotAVni(1 << 24)),
            (Some(advertisement(host(1, &[2; 7]), vec![])), PeerMisbehaved::MacOfBytes(7)),
            (Some(advertisement(host(1, &[0xff; 6]), vec![])), PeerMisbehaved::NotAHost(MacAddr::BROADCAST)),
            (Some(advertisement(host(1, &[2; 6]), vec![vec![1; 5]])), PeerMisbehaved::IpOfBytes(5)),
            (Some(advertisement(host(1, &[2; 6]), vec![vec![1; 4]; 257])), PeerMisbehaved::TooManyAddresses(257)),
            (Some(reply(a_claim, None)), PeerMisbehaved::Missing("verdict")),
            (Some(reply(a_claim, Some(WireVerdict::Open(0)))), PeerMisbehaved::Missing("verdict")),
            (Some(reply(a_claim, Some(WireVerdict::Open(9)))), PeerMisbehaved::Missing("verdict")),
            (Some(reply(None, Some(WireVerdict::Stayed(proto::Stayed {})))), PeerMisbehaved::Missing("claim")),
            (Some(Kind::Withdrawal(withdrawal)), PeerMisbehaved::NotAVtep),
        ];
        for (kind, expected) in cases {
            assert_eq!(decode(proto::Message { kind }), Err(expected));
        }
    }
}
