//! Between the state machine's messages and their form on the wire. What decodes is well-formed; nothing later re-checks it.

use std::net::{IpAddr, Ipv4Addr};

use vouch_mobility::{
    Advertisement, ClaimId, HostKey, Message, Migration, Reply, Sequence, Sync, Verdict, VtepAddr, Withdrawal,
};
use vouch_net::{MacAddr, Vni};

use super::proto::{self, message::Kind, migration::Stage, reply::Verdict as WireVerdict};

/// More addresses than any host's are a mistake or an attack.
const MAX_ADDRESSES: usize = 256;

/// The wire form.
pub(super) fn encode(message: &Message) -> proto::Message {
    let kind = match message {
        Message::Advertisement(advertisement) => Kind::Advertisement(proto::Advertisement {
            host: Some(host_to_wire(advertisement.host)),
            addresses: addresses_to_wire(&advertisement.addresses),
            sequence: advertisement.sequence.0,
            migration: advertisement.migration.map(|migration| proto::Migration {
                stage: Some(match migration {
                    Migration::Asked { claim } => Stage::Asked(proto::Asked { claim: claim.0 }),
                    Migration::AtOnce => Stage::AtOnce(proto::AtOnce {}),
                    Migration::Verified { by } => Stage::Verified(proto::Verified { by: by.0.to_bits() }),
                }),
            }),
        }),
        Message::Reply(reply) => Kind::Reply(proto::Reply {
            host: Some(host_to_wire(reply.host)),
            claim: reply.claim.0,
            sequence: reply.sequence.0,
            verdict: Some(match reply.verdict {
                Verdict::Stayed => WireVerdict::Stayed(proto::Stayed {}),
                Verdict::Moved => WireVerdict::Moved(proto::Moved {}),
                Verdict::Elsewhere(vtep) => WireVerdict::Elsewhere(vtep.0.to_bits()),
            }),
        }),
        Message::Withdrawal(withdrawal) => Kind::Withdrawal(proto::Withdrawal {
            host: Some(host_to_wire(withdrawal.host)),
            sequence: withdrawal.sequence.0,
            moved_to: withdrawal.moved_to.map(|vtep| vtep.0.to_bits()),
        }),
        Message::Sync(Sync::Start) => Kind::SyncStart(proto::SyncStart {}),
        Message::Sync(Sync::Host { host, addresses, sequence }) => Kind::SyncHost(proto::SyncHost {
            host: Some(host_to_wire(*host)),
            addresses: addresses_to_wire(addresses),
            sequence: sequence.0,
        }),
        Message::Sync(Sync::End { hosts }) => Kind::SyncEnd(proto::SyncEnd { hosts: *hosts }),
    };
    proto::Message { kind: Some(kind) }
}

/// The meaning, or what is wrong.
pub(super) fn decode(message: proto::Message) -> Result<Message, String> {
    Ok(match message.kind.ok_or("a message of unknown kind")? {
        Kind::Advertisement(wire) => Message::Advertisement(Advertisement {
            host: host(wire.host)?,
            addresses: addresses(&wire.addresses)?,
            sequence: Sequence(wire.sequence),
            migration: wire.migration.map(migration).transpose()?,
        }),
        Kind::Reply(wire) => Message::Reply(Reply {
            host: host(wire.host)?,
            claim: ClaimId(wire.claim),
            sequence: Sequence(wire.sequence),
            verdict: match wire.verdict.ok_or("a reply without a known verdict")? {
                WireVerdict::Stayed(proto::Stayed {}) => Verdict::Stayed,
                WireVerdict::Moved(proto::Moved {}) => Verdict::Moved,
                WireVerdict::Elsewhere(address) => Verdict::Elsewhere(vtep(address)?),
            },
        }),
        Kind::Withdrawal(wire) => Message::Withdrawal(Withdrawal {
            host: host(wire.host)?,
            sequence: Sequence(wire.sequence),
            moved_to: wire.moved_to.map(vtep).transpose()?,
        }),
        Kind::SyncStart(proto::SyncStart {}) => Message::Sync(Sync::Start),
        Kind::SyncHost(wire) => Message::Sync(Sync::Host {
            host: host(wire.host)?,
            addresses: addresses(&wire.addresses)?,
            sequence: Sequence(wire.sequence),
        }),
        Kind::SyncEnd(wire) => Message::Sync(Sync::End { hosts: wire.hosts }),
    })
}

fn migration(wire: proto::Migration) -> Result<Migration, String> {
    Ok(match wire.stage.ok_or("a migration attribute of unknown stage")? {
        Stage::Asked(wire) => Migration::Asked { claim: ClaimId(wire.claim) },
        Stage::AtOnce(proto::AtOnce {}) => Migration::AtOnce,
        Stage::Verified(wire) => Migration::Verified { by: vtep(wire.by)? },
    })
}

fn host_to_wire(host: HostKey) -> proto::Host {
    proto::Host { vni: host.vni.get(), mac: host.mac.octets().to_vec() }
}

fn host(wire: Option<proto::Host>) -> Result<HostKey, String> {
    let wire = wire.ok_or("a message without its host")?;
    let vni = Vni::new(wire.vni).map_err(|error| error.to_string())?;
    let mac =
        MacAddr::try_from(wire.mac.as_slice()).map_err(|_| format!("a MAC address of {} bytes", wire.mac.len()))?;
    if !mac.is_host() {
        return Err(format!("{mac}, which is no host's address"));
    }
    Ok(HostKey { vni, mac })
}

fn addresses_to_wire(addresses: &[IpAddr]) -> Vec<Vec<u8>> {
    let bytes = |address: &IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    addresses.iter().take(MAX_ADDRESSES).map(bytes).collect()
}

fn addresses(wire: &[Vec<u8>]) -> Result<Vec<IpAddr>, String> {
    if wire.len() > MAX_ADDRESSES {
        return Err(format!("{} addresses of one host, {MAX_ADDRESSES} at most", wire.len()));
    }
    let address = |bytes: &Vec<u8>| {
        let v4 = <[u8; 4]>::try_from(bytes.as_slice()).map(IpAddr::from);
        v4.or_else(|_| <[u8; 16]>::try_from(bytes.as_slice()).map(IpAddr::from))
            .map_err(|_| format!("an IP address of {} bytes", bytes.len()))
    };
    wire.iter().map(address).collect()
}

fn vtep(bits: u32) -> Result<VtepAddr, String> {
    match Ipv4Addr::from_bits(bits) {
        Ipv4Addr::UNSPECIFIED => Err("0.0.0.0 as the address of a VTEP".to_owned()),
        address => Ok(VtepAddr(address)),
    }
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
        (1_u32..).prop_map(|bits| VtepAddr(Ipv4Addr::from_bits(bits)))
    }

    fn a_message() -> impl Strategy<Value = Message> {
        let addresses = || proptest::collection::vec(any::<IpAddr>(), 0..5);
        let sequence = || any::<u32>().prop_map(Sequence);
        let migration = prop_oneof![
            any::<u64>().prop_map(|claim| Migration::Asked { claim: ClaimId(claim) }),
            Just(Migration::AtOnce),
            a_vtep().prop_map(|by| Migration::Verified { by }),
        ];
        let verdict = prop_oneof![Just(Verdict::Stayed), Just(Verdict::Moved), a_vtep().prop_map(Verdict::Elsewhere)];
        prop_oneof![
            (a_host(), addresses(), sequence(), proptest::option::of(migration)).prop_map(
                |(host, addresses, sequence, migration)| Message::Advertisement(Advertisement {
                    host,
                    addresses,
                    sequence,
                    migration
                })
            ),
            (a_host(), any::<u64>(), sequence(), verdict).prop_map(|(host, claim, sequence, verdict)| {
                Message::Reply(Reply { host, claim: ClaimId(claim), sequence, verdict })
            }),
            (a_host(), sequence(), proptest::option::of(a_vtep())).prop_map(|(host, sequence, moved_to)| {
                Message::Withdrawal(Withdrawal { host, sequence, moved_to })
            }),
            Just(Message::Sync(Sync::Start)),
            (a_host(), addresses(), sequence()).prop_map(|(host, addresses, sequence)| Message::Sync(Sync::Host {
                host,
                addresses,
                sequence
            })),
            any::<u64>().prop_map(|hosts| Message::Sync(Sync::End { hosts })),
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
    fn nonsense_is_told() {
        let host = |vni, mac: &[u8]| Some(proto::Host { vni, mac: mac.to_vec() });
        let advertisement = |host, addresses| proto::Message {
            kind: Some(Kind::Advertisement(proto::Advertisement { host, addresses, sequence: 0, migration: None })),
        };
        let cases = [
            (proto::Message { kind: None }, "unknown kind"),
            (advertisement(None, vec![]), "without its host"),
            (advertisement(host(1 << 24, &[2; 6]), vec![]), "16777216 is not a VNI"),
            (advertisement(host(1, &[2; 7]), vec![]), "a MAC address of 7 bytes"),
            (advertisement(host(1, &[0xff; 6]), vec![]), "ff:ff:ff:ff:ff:ff, which is no host's address"),
            (advertisement(host(1, &[2; 6]), vec![vec![1; 5]]), "an IP address of 5 bytes"),
            (advertisement(host(1, &[2; 6]), vec![vec![1; 4]; 257]), "257 addresses of one host"),
            (
                proto::Message {
                    kind: Some(Kind::Reply(proto::Reply {
                        host: host(1, &[2; 6]),
                        claim: 0,
                        sequence: 0,
                        verdict: None,
                    })),
                },
                "without a known verdict",
            ),
            (
                proto::Message {
                    kind: Some(Kind::Withdrawal(proto::Withdrawal {
                        host: host(1, &[2; 6]),
                        sequence: 0,
                        moved_to: Some(0),
                    })),
                },
                "0.0.0.0 as the address of a VTEP",
            ),
        ];
        for (message, expected) in cases {
            let error = decode(message).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        }
    }
}
