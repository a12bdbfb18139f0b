//! Sessions over TLS: with the right authority and name, and without.

use crate::fake::{FakeSwitch, next};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tonic::transport::{Certificate, Identity, ServerTlsConfig};
use vouch_p4runtime::{
    Event, Session, SessionConfig,
    client::{DisconnectReason, TlsConfig},
};

#[tokio::test]
async fn both_sides_know_each_other() {
    let ca = Authority::new();
    let (certificate, key) = ca.issue("switch.example");
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(certificate, key))
        .client_ca_root(Certificate::from_pem(ca.pem()));
    let mut switch = FakeSwitch::start_tls(tls).await;
    let client = TlsConfig {
        ca: ca.pem(),
        identity: Some(ca.issue("controller.example")),
        server_name: Some("switch.example".into()),
    };
    let with = |tls| SessionConfig { tls: Some(tls), ..switch.config() };

    let wrong_authority = with(TlsConfig { ca: Authority::new().pem(), ..client.clone() });
    let wrong_name = with(TlsConfig { server_name: Some("other.example".into()), ..client.clone() });
    for config in [wrong_authority, wrong_name] {
        let (_session, mut events) = Session::connect(config).unwrap();
        match next(&mut events).await {
            Event::Disconnected { reason: DisconnectReason::Unreachable(why), .. } => {
                assert!(why.contains("certificate"), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }

    let anonymous = with(TlsConfig { identity: None, ..client.clone() });
    let (_session, mut events) = Session::connect(anonymous).unwrap();
    assert!(matches!(next(&mut events).await, Event::Disconnected { .. }));

    let config = with(client);
    let (session, _events, _controller) = switch.primary(config).await;
    assert_eq!(session.running_cookie().await, Ok(None));
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}
