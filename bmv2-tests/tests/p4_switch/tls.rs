//! A controller that speaks TLS.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::time::timeout;
use vouch_bmv2_tests::Processes;
use vouch_bmv2_tests::harness::{Failure, TestResult};
use vouch_bmv2_tests::rig::PATIENCE;
use vouch_p4runtime::client::{Pipeline, TlsConfig};
use vouch_p4runtime::{P4Info, Session, SessionConfig};

use crate::switch::{Pairs, Switch};

/// The name in the server's certificate.
const NAME: &str = "switch.test";

/// The VTEP pipeline is pushed and read back; a client without a certificate gets nowhere.
pub(crate) async fn pipeline(_: Arc<Processes>) -> TestResult {
    let _pairs = Pairs::here()?;
    let folder = tempfile::tempdir()?;
    let authority = Authority::new(folder.path())?;
    let [cert, key] = authority.issue(folder.path(), NAME)?;
    let [client_cert, client_key] = authority.issue(folder.path(), "controller.test")?;
    let ca = folder.path().join("ca.pem");
    let files = [&ca, &cert, &key].map(|path| path.display().to_string());
    let [ca_file, cert_file, key_file] = files.each_ref().map(String::as_str);
    let switch = Switch::start(&[
        "--no-p4",
        "--device-id",
        "7",
        "--",
        "--grpc-server-ssl",
        "--grpc-server-with-client-auth",
        "--grpc-server-cacert",
        ca_file,
        "--grpc-server-cert",
        cert_file,
        "--grpc-server-key",
        key_file,
    ])?;

    let mut tls = TlsConfig {
        ca: fs::read_to_string(&ca)?,
        identity: Some((fs::read_to_string(client_cert)?, fs::read_to_string(client_key)?)),
        server_name: Some(NAME.to_owned()),
    };
    let url = format!("https://{}", switch.address);
    let config = |tls: &TlsConfig| SessionConfig { tls: Some(tls.clone()), ..SessionConfig::new(url.clone(), 7, 1) };
    let (session, _events) = Session::connect(config(&tls))?;
    timeout(PATIENCE, session.until_primary()).await.map_err(|_| "no session over TLS")?;
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("../p4src/build");
    let info = P4Info::from_text(&fs::read_to_string(build.join("vtep.p4info.txtpb"))?)?;
    let json = fs::read(build.join("vtep.json"))?;
    session.push_pipeline(&Pipeline::new(Arc::new(info), json)).await?;

    tls.identity = None;
    let (stranger, _events) = Session::connect(config(&tls))?;
    if timeout(Duration::from_secs(1), stranger.until_primary()).await.is_ok() {
        return Err("a client without a certificate has a session".into());
    }
    Ok(())
}

/// An authority for one test.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(folder: &Path) -> Result<Self, Failure> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        fs::write(folder.join("ca.pem"), params.self_signed(&key)?.pem())?;
        Ok(Self { issuer: Issuer::new(params, key) })
    }

    /// The files of a certificate and its key.
    fn issue(&self, folder: &Path, name: &str) -> Result<[std::path::PathBuf; 2], Failure> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &self.issuer)?;
        let files = [folder.join(format!("{name}.pem")), folder.join(format!("{name}.key"))];
        fs::write(&files[0], certificate.pem())?;
        fs::write(&files[1], key.serialize_pem())?;
        Ok(files)
    }
}
