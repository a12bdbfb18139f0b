//! `peers` and `peering`: the other VTEPs, and how to talk with them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use vouch_mobility::VtepAddr;

use super::checks::Facts;
use super::document::{Files, dns_name, unicast};
use super::reader::{Field, Reader, optional};
use super::types::{PeerConfig, PeerSecurity, PeeringConfig};
use super::vnis::number;

pub(super) fn read(reader: &mut Reader, field: Option<Field<'_>>, facts: &mut Facts) -> Vec<PeerConfig> {
    let Some(field) = field else { return Vec::new() };
    let items = reader.list(&field, "peers, each with `name`, `address` and `endpoint`");
    let mut peers: Vec<_> = items.iter().filter_map(|item| peer(reader, item, facts)).collect();
    peers.sort_by_key(|peer| peer.address);
    peers
}

fn peer(reader: &mut Reader, field: &Field<'_>, facts: &mut Facts) -> Option<PeerConfig> {
    let fields = reader.map(field, &["name", "address", "endpoint", "vnis"])?;
    let name = reader
        .required(field, fields, "name", "the name in its certificate and in its own configuration")
        .and_then(|field| dns_name(reader, &field).map(|name| field.at(name)));
    facts.peer_names.extend(name.clone());
    let address =
        reader.required(field, fields, "address", "its tunnel address").and_then(|field| unicast(reader, &field));
    facts.peer_addresses.extend(address.clone());
    let endpoint = reader
        .required(field, fields, "endpoint", "where its agent listens, as `https://192.0.2.2:7000`")
        .and_then(|field| reader.text(&field, "a URL").map(|text| field.at(text.to_owned())));
    facts.endpoints.extend(endpoint.clone());
    let vnis = optional(field, fields, "vnis").map(|list| {
        let found: Vec<_> = reader.list(&list, "VNIs").iter().filter_map(|item| number(reader, item)).collect();
        facts.peer_vnis.extend(found.iter().cloned());
        found.into_iter().map(|vni| vni.value).collect()
    });
    Some(PeerConfig { name: name?.value, address: VtepAddr(address?.value), endpoint: endpoint?.value, vnis })
}

/// `needed` says that there are peers to talk with.
pub(super) fn peering(
    reader: &mut Reader,
    root: &Field<'_>,
    field: Option<Field<'_>>,
    needed: bool,
    files: &mut Files,
    facts: &mut Facts,
) -> PeeringConfig {
    let mut peering = PeeringConfig {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        security: PeerSecurity::Plaintext,
        heartbeat: Duration::from_secs(1),
        dead_after: Duration::from_secs(3),
        reconnect: Duration::from_millis(100),
        reconnect_max: Duration::from_secs(1),
        queue: 65_536,
        max_message: 1 << 20,
    };
    let Some(field) = field else {
        if needed {
            reader.error(
                root.node.at,
                "peering",
                "the section is missing",
                "peers need `peering` with `listen`, and with `tls` or `plaintext: true`",
            );
        }
        return peering;
    };
    let known =
        ["listen", "tls", "plaintext", "heartbeat", "dead_after", "reconnect", "reconnect_max", "queue", "max_message"];
    let Some(fields) = reader.map(&field, &known) else { return peering };
    let get = |name: &str| optional(&field, fields, name);
    if let Some(listen) = reader
        .required(&field, fields, "listen", "where this agent listens for its peers, as `0.0.0.0:7000`")
        .and_then(|field| reader.parsed(&field, "an IP address and a port, as `0.0.0.0:7000`"))
    {
        peering.listen = listen;
    }
    peering.security = security(reader, &field, get("tls"), get("plaintext"), files);
    facts.peer_tls = Some(matches!(peering.security, PeerSecurity::Tls { .. }));

    let shortest = Duration::from_millis(10);
    for (name, value) in [
        ("heartbeat", &mut peering.heartbeat),
        ("dead_after", &mut peering.dead_after),
        ("reconnect", &mut peering.reconnect),
        ("reconnect_max", &mut peering.reconnect_max),
    ] {
        *value = get(name).and_then(|field| reader.duration(&field, shortest)).unwrap_or(*value);
    }
    if peering.dead_after < peering.heartbeat * 2 {
        let at = get("dead_after").or_else(|| get("heartbeat")).unwrap_or_else(|| field.clone());
        reader.error(
            at.node.at,
            &at.path,
            "a peer would be given up between two heartbeats",
            "`dead_after` is at least twice `heartbeat`",
        );
    }
    if peering.reconnect_max < peering.reconnect {
        let at = get("reconnect_max").or_else(|| get("reconnect")).unwrap_or_else(|| field.clone());
        reader.error(
            at.node.at,
            &at.path,
            "the longest wait is shorter than the first",
            "`reconnect_max` is at least `reconnect`",
        );
    }
    if let Some(queue) = get("queue").and_then(|field| reader.number(&field, 64, 1 << 20)) {
        peering.queue = queue;
    }
    if let Some(bytes) = get("max_message").and_then(|field| reader.number(&field, 65_536, 64 << 20)) {
        peering.max_message = bytes;
    }
    peering
}

fn security(
    reader: &mut Reader,
    of: &Field<'_>,
    tls: Option<Field<'_>>,
    plaintext: Option<Field<'_>>,
    files: &mut Files,
) -> PeerSecurity {
    let chosen = plaintext.as_ref().and_then(|field| reader.choice(field, &[("true", true), ("false", false)]));
    match (tls, chosen) {
        (Some(tls), Some(true)) => {
            let field = plaintext.as_ref().unwrap_or(&tls);
            reader.error(
                field.node.at,
                &field.path,
                "`tls` and `plaintext: true` exclude each other",
                "leave one of them out",
            );
            PeerSecurity::Plaintext
        }
        (Some(field), Some(false) | None) => {
            let Some(fields) = reader.map(&field, &["ca", "cert", "key"]) else { return PeerSecurity::Plaintext };
            let mut file = |name, what| -> PathBuf { files.required(reader, &field, fields, name, what) };
            PeerSecurity::Tls {
                ca: file("ca", "the PEM file of the authority that signs the agents' certificates"),
                cert: file("cert", "the PEM file of this agent's certificate; it carries `name` as a DNS name"),
                key: file("key", "the PEM file of its key"),
            }
        }
        (None, Some(true)) => {
            let field = plaintext.as_ref().unwrap_or(of);
            reader.warn(
                field.node.at,
                &field.path,
                "peers prove nothing and read nothing in secret",
                "only for a network that nobody else is on",
            );
            PeerSecurity::Plaintext
        }
        (None, Some(false) | None) => {
            reader.error(
                of.node.at,
                &of.path,
                "it is not said how peers prove who they are",
                "give `tls` with `ca`, `cert` and `key`, or `plaintext: true`",
            );
            PeerSecurity::Plaintext
        }
    }
}
