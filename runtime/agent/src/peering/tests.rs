//! Peers over loopback: honest ones, mistaken ones, and ones that only pretend.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use vouch_mobility::{Advertisement, Binding, HostKey, Incarnation, Message, Sequence, Sync, VtepAddr};
use vouch_net::{MacAddr, Vni};

use super::proto::frame::Content;
use super::proto::peering_client::PeeringClient;
use super::proto::{self, Frame};
use super::*;
use crate::config::{PeerConfig, PeerSecurity, PeeringConfig};
use crate::network::Network;

const A: VtepAddr = VtepAddr(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
const B: VtepAddr = VtepAddr(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)));
const C: VtepAddr = VtepAddr(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3)));

/// An authority, and the folder with the certificates it signed.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("the folder is writable");
        Self { folder, issuer: Issuer::new(params, key) }
    }

    /// A certificate for `name`, which is trusted by whoever trusts `trust`.
    fn identity(&self, name: &str, trust: &Authority) -> PeerSecurity {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let file = |extension: &str, text: String| -> PathBuf {
            let path = self.folder.path().join(format!("{name}.{extension}"));
            std::fs::write(&path, text).expect("the folder is writable");
            path
        };
        PeerSecurity::Tls {
            ca: trust.folder.path().join("ca.pem"),
            crl: None,
            cert: file("pem", certificate.pem()),
            key: file("key", key.serialize_pem()),
        }
    }
}

fn setup(name: &str, address: VtepAddr, security: PeerSecurity, peers: &[(&str, VtepAddr, &str)]) -> PeeringSetup {
    let peers = peers
        .iter()
        .map(|(name, address, endpoint)| PeerConfig {
            name: (*name).to_owned(),
            address: *address,
            endpoint: (*endpoint).to_owned(),
            vnis: None,
        })
        .collect();
    PeeringSetup {
        name: name.to_owned(),
        address,
        incarnation: Incarnation(7),
        probe_mac: probe_mac(address),
        peers,
        config: PeeringConfig {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            security,
            heartbeat: Duration::from_millis(50),
            dead_after: Duration::from_secs(20),
            reconnect: Duration::from_millis(10),
            reconnect_max: Duration::from_millis(100),
            queue: 1_000,
            max_message: 65_536,
        },
    }
}

fn probe_mac(address: VtepAddr) -> MacAddr {
    crate::config::default_probe_mac(address)
}

/// The endpoint of a peer that dials us, and so is never dialled.
const NEVER: &str = "http://127.0.0.1:1";

struct Agent {
    handle: PeeringHandle,
    events: mpsc::Receiver<PeerEvent>,
    sessions: BTreeMap<VtepAddr, SessionId>,
}

impl Agent {
    async fn start(setup: PeeringSetup) -> Self {
        let (handle, events) = Peering::start(setup, Network::default()).await.expect("the peering starts");
        Self { handle, events, sessions: BTreeMap::new() }
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.handle.local_address().expect("it has peers and so listens"))
    }

    /// The next event; a test that waits for one that never comes fails instead of hanging.
    async fn next(&mut self) -> PeerEvent {
        let event = tokio::time::timeout(Duration::from_secs(30), self.events.recv()).await;
        event.expect("an event within 30 seconds").expect("the peering runs")
    }

    async fn up(&mut self, vtep: VtepAddr) {
        match self.next().await {
            PeerEvent::Up { vtep: who, session, incarnation: Incarnation(7), probe_mac: mac } => {
                assert_eq!((who, mac), (vtep, probe_mac(vtep)));
                self.sessions.insert(vtep, session);
            }
            other => panic!("expected {vtep} to come up, but: {other:?}"),
        }
    }

    /// In the session that was last heard to come up.
    fn send(&self, to: VtepAddr, message: Message) -> Result<(), SendError> {
        self.handle.send(to, self.sessions.get(&to).copied().unwrap_or(SessionId(0)), message)
    }

    async fn down(&mut self, vtep: VtepAddr) -> DownReason {
        match self.next().await {
            PeerEvent::Down { vtep: who, reason } if who == vtep => reason,
            other => panic!("expected {vtep} to go down, but: {other:?}"),
        }
    }

    async fn refused(&mut self) -> RefusalReason {
        match self.next().await {
            PeerEvent::Refused(refusal) => refusal.reason,
            other => panic!("expected a refusal, but: {other:?}"),
        }
    }

    async fn hears(&mut self, vtep: VtepAddr, message: Message) {
        assert_eq!(self.next().await, PeerEvent::Message { vtep, message });
    }
}

fn advertisement(number: u32) -> Message {
    Message::Advertisement(Advertisement {
        host: HostKey { vni: Vni::new(5001).expect("24 bits"), mac: MacAddr([2, 0, 0, 0, 0, 1]) },
        bindings: vec![Binding { address: Ipv4Addr::new(192, 168, 1, 1).into(), confirmed: true }],
        sequence: Sequence(number),
        migration: None,
    })
}

/// B, and A that dials it.
async fn pair(a: PeerSecurity, b: PeerSecurity, scheme: &str) -> (Agent, Agent) {
    let b = Agent::start(setup("b", B, b, &[("a", A, NEVER)])).await;
    let a = Agent::start(setup("a", A, a, &[("b", B, &b.url(scheme))])).await;
    (a, b)
}

/// Somebody who speaks the protocol by hand.
struct Rogue {
    out: mpsc::Sender<Frame>,
    inbound: Streaming<Frame>,
}

impl Rogue {
    async fn connect(to: &Agent, first: Content) -> Self {
        let (out, frames) = mpsc::channel(4);
        out.send(Frame { content: Some(first) }).await.expect("the receiver is below");
        let mut client = PeeringClient::connect(to.url("http")).await.expect("somebody listens");
        let inbound = client.session(ReceiverStream::new(frames)).await.expect("a stream").into_inner();
        Self { out, inbound }
    }

    async fn say(&self, content: Option<Content>) {
        self.out.send(Frame { content }).await.expect("the stream is open");
    }

    /// The next messages that come.
    async fn messages(&mut self) -> Vec<Message> {
        loop {
            match self.inbound.message().await.expect("the stream goes on").and_then(|frame| frame.content) {
                Some(Content::Batch(batch)) => {
                    return batch.messages.into_iter().map(|it| codec::decode(it).expect("well-formed")).collect();
                }
                Some(Content::Hello(_) | Content::Heartbeat(_)) => {}
                other => panic!("not {other:?}"),
            }
        }
    }

    /// Reads to the end; the reason that the other side gave.
    async fn goodbye(mut self) -> String {
        loop {
            match self.inbound.message().await.expect("a proper end").and_then(|frame| frame.content) {
                Some(Content::Goodbye(goodbye)) => return goodbye.reason,
                Some(Content::Hello(_) | Content::Heartbeat(_) | Content::Batch(_)) => {}
                None => panic!("the stream ended without a reason"),
            }
        }
    }
}

fn hello(name: &str, address: VtepAddr) -> Content {
    Content::Hello(proto::Hello {
        version: VERSION,
        name: name.to_owned(),
        vtep_address: codec::vtep_to_wire(address).0,
        vtep_ipv6: codec::vtep_to_wire(address).1,
        incarnation: 7,
        probe_mac: probe_mac(address).octets().to_vec(),
    })
}

/// B without TLS, with A (a rogue, to be connected) and C as peers, and C with a session.
async fn under_attack() -> (Agent, Agent) {
    let peers = [("a", A, NEVER), ("c", C, "")];
    let c = Agent::start(setup("c", C, PeerSecurity::Plaintext, &[("b", B, NEVER)])).await;
    let url = c.url("http");
    let mut b = Agent::start(setup(
        "b",
        B,
        PeerSecurity::Plaintext,
        &peers.map(|(name, address, endpoint)| {
            (name, address, if endpoint.is_empty() { url.as_str() } else { endpoint })
        }),
    ))
    .await;
    let mut c = c;
    b.up(C).await;
    c.up(B).await;
    (b, c)
}

/// The session between B and C has survived.
async fn unharmed(b: &mut Agent, c: &mut Agent) {
    c.send(B, advertisement(77)).expect("a session");
    b.hears(C, advertisement(77)).await;
}

#[tokio::test]
async fn two_peers_exchange_messages_in_order_under_mutual_tls() {
    let authority = Authority::new();
    let (mut a, mut b) = pair(authority.identity("a", &authority), authority.identity("b", &authority), "https").await;
    a.up(B).await;
    b.up(A).await;
    a.send(B, Message::Sync(Sync::Start)).expect("a session");
    for number in 0..500 {
        a.send(B, advertisement(number)).expect("room");
        b.send(A, advertisement(number)).expect("room");
    }
    b.hears(A, Message::Sync(Sync::Start)).await;
    for number in 0..500 {
        b.hears(A, advertisement(number)).await;
        a.hears(B, advertisement(number)).await;
    }
    assert_eq!((b.handle.counters().received, b.handle.counters().refused), (501, 0));
    assert_eq!(a.send(C, advertisement(0)), Err(SendError::Unknown));
    assert_eq!(a.handle.counters().dropped, 1);
}

#[tokio::test]
async fn a_peer_of_another_authority_is_refused_and_counted() {
    let (ours, other) = (Authority::new(), Authority::new());
    // A trusts B's authority, so that only B has a reason to refuse.
    let (_a, mut b) = pair(other.identity("a", &ours), ours.identity("b", &ours), "https").await;
    assert!(matches!(b.refused().await, RefusalReason::Handshake(why) if why.contains("certificate")));
    assert!(b.handle.counters().refused >= 1);
    assert_eq!(b.handle.counters().sessions, 0);
}

#[tokio::test]
async fn a_listener_of_another_authority_gets_no_hello() {
    let (ours, other) = (Authority::new(), Authority::new());
    let (mut a, b) = pair(ours.identity("a", &ours), other.identity("b", &ours), "https").await;
    assert!(matches!(a.refused().await, RefusalReason::Handshake(why) if why.contains("invalid peer certificate")));
    assert_eq!(b.handle.counters().sessions, 0);
}

#[tokio::test]
async fn a_peer_with_the_certificate_of_another_is_refused() {
    let authority = Authority::new();
    let b = setup("b", B, authority.identity("b", &authority), &[("a", A, NEVER), ("x", C, NEVER)]);
    let mut b = Agent::start(b).await;
    // X has a certificate of its own, and says that it is A.
    let mut x = setup("x", A, authority.identity("x", &authority), &[("b", B, &b.url("https"))]);
    x.config.listen = (Ipv4Addr::LOCALHOST, 0).into();
    let (events, _receiver) = mpsc::channel(1);
    let mut liar = Shared::new(x, Network::default(), events);
    liar.renew().expect("the files are there");
    liar.setup.name = "a".to_owned();
    let (liar, shutdown) = (Arc::new(liar), CancellationToken::new());
    let peer = liar.peers[&B].clone();
    let dialling = tokio::spawn(shutdown.clone().run_until_cancelled_owned(dial::dial(liar, peer)));
    let expected = RefusalReason::Name { announced: "a".to_owned(), certified: vec!["x".to_owned()] };
    assert_eq!(b.refused().await, expected);
    assert_eq!(b.handle.counters().sessions, 0);
    shutdown.cancel();
    dialling.await.expect("the dialler does not panic");
}

#[tokio::test]
async fn a_listener_with_the_certificate_of_another_is_refused() {
    let authority = Authority::new();
    let b = Agent::start(setup("x", B, authority.identity("x", &authority), &[("a", A, NEVER)])).await;
    let a = setup("a", A, authority.identity("a", &authority), &[("b", B, &b.url("https"))]);
    let mut a = Agent::start(a).await;
    assert!(
        matches!(a.refused().await, RefusalReason::Handshake(why) if why.contains("NotValidForName") || why.contains("not valid for name"))
    );
}

#[tokio::test]
async fn a_certificate_that_does_not_carry_our_own_name_is_no_identity() {
    let authority = Authority::new();
    let wrong = setup("b", B, authority.identity("x", &authority), &[("a", A, NEVER)]);
    let error = Peering::start(wrong, Network::default()).await.expect_err("the names differ").to_string();
    assert!(error.contains("our certificate: it is for [\"x\"], but our name is `b`"), "{error}");
}

/// The fabric gets another authority: who has a session keeps it, and the next ones are by the new certificates, on both sides.
#[tokio::test]
async fn certificates_are_renewed_without_a_session_lost_and_wrong_ones_change_nothing() {
    let (ours, other) = (Authority::new(), Authority::new());
    let [a, b] = ["a", "b"].map(|name| ours.identity(name, &ours));
    let (mut a, mut b) = pair(a, b, "https").await;
    a.up(B).await;
    b.up(A).await;

    let ca = ours.folder.path().join("ca.pem");
    let before = std::fs::read(&ca).expect("it is there");
    std::fs::write(&ca, "no certificate").expect("the folder is writable");
    assert!(b.handle.renew().is_err());
    std::fs::write(&ca, before).expect("the folder is writable");
    let late = ours.identity("x", &ours);

    // The new authority's, in the places of the old one's.
    for name in ["a", "b"] {
        other.identity(name, &other);
        for extension in ["pem", "key"] {
            let file = format!("{name}.{extension}");
            std::fs::copy(other.folder.path().join(&file), ours.folder.path().join(&file)).expect("writable");
        }
    }
    let old_ca = ours.folder.path().join("old-ca.pem");
    std::fs::copy(&ca, &old_ca).expect("writable");
    std::fs::copy(other.folder.path().join("ca.pem"), &ca).expect("writable");
    a.handle.renew().expect("they are right");
    b.handle.renew().expect("they are right");
    a.send(B, advertisement(7)).expect("a session");
    b.hears(A, advertisement(7)).await;

    a.handle.reset(B, a.sessions[&B]);
    a.down(B).await;
    b.down(A).await;
    a.up(B).await;
    b.up(A).await;
    // Who has not renewed is not believed any more.
    let PeerSecurity::Tls { cert, key, .. } = late else { panic!("it is TLS") };
    let late = PeerSecurity::Tls { ca: old_ca, crl: None, cert, key };
    let mut x = Agent::start(setup("x", A, late, &[("b", B, &b.url("https"))])).await;
    assert!(matches!(x.refused().await, RefusalReason::Handshake(_)));
}

/// Sessions with who has been revoked end, on either side, and there are no others; all else goes on.
#[tokio::test]
async fn who_is_revoked_is_believed_no_more() {
    for (revoked, dialled) in [("a", false), ("b", true)] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let day = Duration::from_secs(86_400);
        let authority = vouch_certs::Authority::create("a fabric", day).expect("an authority");
        authority.save(folder.path()).expect("the folder is writable");
        let file = |name: &str| folder.path().join(format!("{name}.pem"));
        let identity = |name: &str| {
            let made = authority.issue(name, &[], day).expect("a certificate");
            vouch_certs::store(folder.path(), name, &made, false).expect("the folder is writable")
        };
        identity("x");
        let crl = authority.revoke(folder.path(), &[file("x")]).expect("it is ours");
        let security = |name: &str| {
            let vouch_certs::Files { ca, cert, key } = identity(name);
            PeerSecurity::Tls { ca, crl: Some(crl.clone()), cert, key }
        };
        let (mut a, mut b) = pair(security("a"), security("b"), "https").await;
        a.up(B).await;
        b.up(A).await;
        // Reading the same list again ends nothing.
        a.handle.renew().expect("it is right");
        a.send(B, advertisement(7)).expect("a session");
        b.hears(A, advertisement(7)).await;

        authority.revoke(folder.path(), &[file(revoked)]).expect("it is ours");
        let (knows, peer) = if dialled { (&mut a, B) } else { (&mut b, A) };
        knows.handle.renew().expect("it is right");
        assert_eq!(knows.down(peer).await, DownReason::Revoked);
        let refused = knows.refused().await;
        assert!(matches!(&refused, RefusalReason::Handshake(why) if why.contains("evoked")), "{refused}");
        assert_eq!(knows.handle.counters().sessions, 1);

        std::fs::write(&crl, "no list").expect("the folder is writable");
        let wrong = knows.handle.renew().expect_err("it is no list").to_string();
        assert!(wrong.contains("the list of revoked certificates"), "{wrong}");
    }
}

#[tokio::test]
async fn a_known_name_with_another_address_is_refused() {
    let authority = Authority::new();
    let mut b = Agent::start(setup("b", B, authority.identity("b", &authority), &[("a", A, NEVER)])).await;
    let zero = VtepAddr(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 0)));
    let a = setup("a", zero, authority.identity("a", &authority), &[("b", B, &b.url("https"))]);
    let mut a = Agent::start(a).await;
    let expected = RefusalReason::Address { name: "a".to_owned(), announced: "10.0.0.0".to_owned(), configured: A };
    assert_eq!(b.refused().await, expected);
    assert!(matches!(a.refused().await, RefusalReason::ByPeer(why) if why.contains("announces VTEP address 10.0.0.0")));
}

#[tokio::test]
async fn plaintext_against_tls_is_refused_on_the_side_that_has_tls() {
    let authority = Authority::new();
    let (_a, mut b) = pair(PeerSecurity::Plaintext, authority.identity("b", &authority), "http").await;
    assert!(matches!(b.refused().await, RefusalReason::Handshake(_)));
    let (mut a, _b) = pair(authority.identity("a", &authority), PeerSecurity::Plaintext, "https").await;
    assert!(matches!(a.refused().await, RefusalReason::Handshake(_)));
}

#[tokio::test]
async fn strangers_and_wrong_hellos_are_refused_with_the_reason() {
    let (mut b, mut c) = under_attack().await;
    let with = |version, probe_mac: &[u8]| {
        Content::Hello(proto::Hello {
            version,
            name: "a".to_owned(),
            vtep_address: codec::vtep_to_wire(A).0,
            vtep_ipv6: Vec::new(),
            incarnation: 0,
            probe_mac: probe_mac.to_vec(),
        })
    };
    let cases = [
        (hello("stranger", A), "`stranger` is not a configured peer"),
        (hello("c", C), "`c` dialled, but the VTEP with the lower address does that"),
        (hello("a", C), "`a` announces VTEP address 10.0.0.3, but 10.0.0.1 is configured for it"),
        (with(1, &[]), "it speaks protocol version 1, this agent 2"),
        (with(2, &[2; 5]), "no proper hello: its probe MAC is a MAC address of 5 bytes"),
        (with(2, &[0xff; 6]), "no proper hello: its probe MAC is ff:ff:ff:ff:ff:ff, which is no host's address"),
        (Content::Heartbeat(proto::Heartbeat {}), "no proper hello: it began with something else"),
    ];
    for (first, expected) in cases {
        let rogue = Rogue::connect(&b, first).await;
        assert_eq!(b.refused().await.to_string(), expected);
        assert_eq!(rogue.goodbye().await, expected);
    }
    assert_eq!(b.handle.counters().refused, 7);
    unharmed(&mut b, &mut c).await;
}

#[tokio::test]
async fn what_is_no_message_closes_its_session_and_no_other() {
    let (mut b, mut c) = under_attack().await;
    let batch = |message| Some(Content::Batch(proto::Batch { messages: vec![message] }));
    let host = Some(proto::Host { vni: 5001, mac: vec![1; 7] });
    let withdrawal = proto::Withdrawal { host, sequence: 0, moved_to: None, moved_to_ipv6: Vec::new() };
    let cases = [
        (None, "the peer misbehaved: a frame of unknown kind"),
        (Some(hello("a", A)), "the peer misbehaved: a second hello"),
        (batch(proto::Message { kind: None }), "the peer misbehaved: a message of unknown kind"),
        (
            batch(proto::Message { kind: Some(proto::message::Kind::Withdrawal(withdrawal)) }),
            "the peer misbehaved: a MAC address of 7 bytes",
        ),
    ];
    for (number, (content, expected)) in (1..).zip(cases) {
        let rogue = Rogue::connect(&b, hello("a", A)).await;
        b.up(A).await;
        rogue.say(content).await;
        assert_eq!(b.down(A).await.to_string(), expected);
        assert_eq!(rogue.goodbye().await, expected);
        assert_eq!(b.handle.counters().misbehaved, number);
    }
    unharmed(&mut b, &mut c).await;
}

#[tokio::test]
async fn an_oversized_frame_closes_its_session_and_no_other() {
    let (mut b, mut c) = under_attack().await;
    let rogue = Rogue::connect(&b, hello("a", A)).await;
    b.up(A).await;
    rogue.say(Some(Content::Goodbye(proto::Goodbye { reason: "x".repeat(100_000) }))).await;
    assert!(
        matches!(b.down(A).await, DownReason::Misbehaved(PeerMisbehaved::Unreadable(why)) if why.contains("too large"))
    );
    assert_eq!(b.handle.counters().misbehaved, 1);
    unharmed(&mut b, &mut c).await;
}

#[tokio::test]
async fn bytes_that_are_no_protocol_do_no_harm() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut b, mut c) = under_attack().await;
    let address = b.handle.local_address().expect("it listens");
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("it accepts");
    // It may hang up before it has read everything.
    let _ = stream.write_all(&[0xa5; 4_096]).await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
    unharmed(&mut b, &mut c).await;
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_disconnected_before_its_queue_grows() {
    let (mut b, mut c) = under_attack().await;
    let slow = Rogue::connect(&b, hello("a", A)).await;
    b.up(A).await;
    let mut sent = 0;
    let error = loop {
        match b.send(A, advertisement(sent)) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        // The writer gets its chances to empty the queue into the connection, and uses them for well-filled frames.
        if sent % 256 == 0 {
            tokio::task::yield_now().await;
        }
        assert!(sent < 10_000_000, "the queue has no bound");
    };
    assert_eq!(error, SendError::TooSlow);
    assert_eq!(b.down(A).await, DownReason::TooSlow);
    assert_eq!(b.send(A, advertisement(0)), Err(SendError::NotConnected));
    assert_eq!((b.handle.counters().too_slow, b.handle.counters().dropped), (1, 2));
    unharmed(&mut b, &mut c).await;
    drop(slow);
    // Afterwards the peer is welcome again.
    let _again = Rogue::connect(&b, hello("a", A)).await;
    b.up(A).await;
}

/// Messages that were decided before a session began are not for it.
#[tokio::test]
async fn what_was_meant_for_one_session_is_not_said_in_the_next() {
    let (mut b, _c) = under_attack().await;
    let _first = Rogue::connect(&b, hello("a", A)).await;
    b.up(A).await;
    let first = b.sessions[&A];
    let mut second = Rogue::connect(&b, hello("a", A)).await;
    assert_eq!(b.down(A).await, DownReason::Replaced);
    assert_eq!(b.handle.send(A, first, advertisement(1)), Err(SendError::NotConnected));
    b.up(A).await;
    assert_eq!(b.handle.send(A, first, advertisement(2)), Err(SendError::NotConnected));
    b.handle.reset(A, first);
    b.send(A, advertisement(3)).expect("the second session is up");
    assert_eq!(second.messages().await, [advertisement(3)]);
}

#[tokio::test]
async fn an_agent_that_is_not_in_charge_has_no_sessions_and_gets_them_back() {
    let b = setup("b", B, PeerSecurity::Plaintext, &[("a", A, NEVER)]);
    let mut b = Agent::start(b).await;
    let mut a = Agent::start(setup("a", A, PeerSecurity::Plaintext, &[("b", B, &b.url("http"))])).await;
    a.up(B).await;
    b.up(A).await;
    // The side that is called.
    b.handle.set_open(false);
    assert_eq!(b.down(A).await, DownReason::NotInCharge);
    assert_eq!(a.down(B).await, DownReason::Closed("not in charge of the switch".to_owned()));
    assert_eq!(b.send(A, advertisement(0)), Err(SendError::NotConnected));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(a.events.try_recv().is_err() && b.events.try_recv().is_err(), "nothing comes of calling it");
    b.handle.set_open(true);
    a.up(B).await;
    b.up(A).await;
    // The side that calls.
    a.handle.set_open(false);
    assert_eq!(a.down(B).await, DownReason::NotInCharge);
    assert_eq!(b.down(A).await, DownReason::Closed("not in charge of the switch".to_owned()));
    a.handle.set_open(true);
    a.up(B).await;
    b.up(A).await;
    a.send(B, advertisement(1)).expect("a session");
    b.hears(A, advertisement(1)).await;
    assert_eq!((a.handle.counters().not_in_charge, b.handle.counters().not_in_charge), (1, 1));
}

#[tokio::test]
async fn who_waits_too_long_for_a_peer_in_charge_is_told_why() {
    let mut b = setup("b", B, PeerSecurity::Plaintext, &[("a", A, NEVER)]);
    b.config.dead_after = Duration::from_millis(200);
    let mut b = Agent::start(b).await;
    b.handle.set_open(false);
    let early = Rogue::connect(&b, hello("a", A)).await;
    assert_eq!(b.refused().await, RefusalReason::NotInCharge);
    assert_eq!(early.goodbye().await, "not in charge of the switch");
}

#[tokio::test]
async fn a_session_that_takes_messages_says_that_it_has_room() {
    let (mut b, _c) = under_attack().await;
    let mut a = Rogue::connect(&b, hello("a", A)).await;
    b.up(A).await;
    let (handle, session) = (b.handle.clone(), b.sessions[&A]);
    assert_eq!((handle.room(A, session), handle.room(A, SessionId(99)), handle.room(B, session)), (1_000, 0, 0));
    b.send(A, advertisement(1)).expect("room");
    tokio::time::timeout(Duration::from_secs(30), handle.more_room()).await.expect("the session takes it");
    assert_eq!(a.messages().await, [advertisement(1)]);
    assert_eq!(handle.room(A, session), 1_000);
    b.handle.reset(A, session);
    assert_eq!(b.down(A).await, DownReason::Unwritten);
    assert_eq!(handle.room(A, session), 0);
}

#[tokio::test]
async fn a_silent_peer_is_given_up() {
    let mut b = setup("b", B, PeerSecurity::Plaintext, &[("a", A, NEVER)]);
    b.config.dead_after = Duration::from_millis(200);
    let mut b = Agent::start(b).await;
    let silent = Rogue::connect(&b, hello("a", A)).await;
    b.up(A).await;
    assert_eq!(b.down(A).await, DownReason::Silent);
    assert_eq!(b.handle.counters().silent, 1);
    drop(silent);
}

#[tokio::test]
async fn a_newer_session_replaces_the_one_before() {
    let (mut b, _c) = under_attack().await;
    let first = Rogue::connect(&b, hello("a", A)).await;
    b.up(A).await;
    let second = Rogue::connect(&b, hello("a", A)).await;
    assert_eq!(b.down(A).await, DownReason::Replaced);
    b.up(A).await;
    assert_eq!(first.goodbye().await, "replaced by a newer session");
    let withdrawal = Message::Sync(Sync::End { hosts: 3, withheld: false });
    second.say(Some(Content::Batch(proto::Batch { messages: vec![codec::encode(&withdrawal)] }))).await;
    b.hears(A, withdrawal).await;
}

#[tokio::test]
async fn a_restarted_peer_is_found_again() {
    let mut config = setup("b", B, PeerSecurity::Plaintext, &[("a", A, NEVER)]);
    let mut b = Agent::start(config.clone()).await;
    let a = setup("a", A, PeerSecurity::Plaintext, &[("b", B, &b.url("http"))]);
    let mut a = Agent::start(a).await;
    a.up(B).await;
    b.up(A).await;
    config.config.listen = b.handle.local_address().expect("it listens");
    b.handle.shutdown().await;
    assert_eq!(a.down(B).await, DownReason::Closed("shutting down".to_owned()));
    assert_eq!(a.send(B, advertisement(0)), Err(SendError::NotConnected));

    let mut b = Agent::start(config).await;
    a.up(B).await;
    b.up(A).await;
    a.send(B, advertisement(1)).expect("a session");
    b.hears(A, advertisement(1)).await;
}

#[tokio::test]
async fn an_address_in_use_is_told() {
    let first = Agent::start(setup("b", B, PeerSecurity::Plaintext, &[("a", A, NEVER)])).await;
    let mut second = setup("c", C, PeerSecurity::Plaintext, &[("a", A, NEVER)]);
    second.config.listen = first.handle.local_address().expect("it listens");
    let error = Peering::start(second, Network::default()).await.expect_err("the address is taken").to_string();
    assert!(error.starts_with("cannot listen for peers on 127.0.0.1:"), "{error}");
}
