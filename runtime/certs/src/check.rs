//! Why agents would refuse a certificate, before any of them does.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{KeyPair, PublicKeyData};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};

use crate::authority::revoked;
use crate::{Certificate, CertsError, Files, inspect, read};

/// What is wrong with a file of an identity, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.what)
    }
}

impl From<CertsError> for Problem {
    fn from(error: CertsError) -> Self {
        match error {
            CertsError::File { path, error } => Self { file: path, what: error.to_string() },
            CertsError::Content { path, what } => Self { file: path, what },
            CertsError::Exists { path } => Self { file: path, what: "it exists".to_owned() },
            error @ (CertsError::Name { .. } | CertsError::Make(_)) => {
                Self { file: PathBuf::new(), what: error.to_string() }
            }
        }
    }
}

/// All that keeps an agent of this name from being believed by its peers, or from believing them, at this moment.
pub fn check(name: &str, files: &Files, now: SystemTime) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut found = |file: &PathBuf| match inspect(file) {
        Ok(found) => found,
        Err(error) => {
            problems.push(error.into());
            Vec::new()
        }
    };
    let (roots, chain) = (found(&files.ca), found(&files.cert));
    problems.extend(authority(&roots, now).map(|what| Problem { file: files.ca.clone(), what }));
    if let Some((ours, between)) = chain.split_first() {
        problems.extend(named(ours, name).map(|what| Problem { file: files.cert.clone(), what }));
        if !roots.is_empty() {
            let both = [KeyUsage::server_auth(), KeyUsage::client_auth()];
            let error = refused(ours, between, &roots, &both, now);
            let what = error.map(|error| told(error, ours, &roots, now));
            problems.extend(what.map(|what| Problem { file: files.cert.clone(), what }));
        }
        problems.extend(key(&files.key, ours));
    }
    problems
}

/// All that keeps a client from believing any server, or from being believed by any, at this moment: its authority's certificate, and its own
/// with the key, if it has one. Who has to have signed that is the server's affair.
pub fn check_client(ca: &Path, own: Option<(&Path, &Path)>, now: SystemTime) -> Vec<Problem> {
    let mut problems: Vec<Problem> = inspect(ca).err().map(Problem::from).into_iter().collect();
    if let Some((cert, key)) = own {
        problems.extend(own_end(cert, key, KeyUsage::client_auth(), now));
    }
    problems
}

/// All that keeps a server from believing any client, or from being believed by any, at this moment. Who has to have signed its certificate is
/// the clients' affair.
pub fn check_server(files: &Files, now: SystemTime) -> Vec<Problem> {
    let mut problems = Vec::new();
    match inspect(&files.ca) {
        Ok(roots) => problems.extend(authority(&roots, now).map(|what| Problem { file: files.ca.clone(), what })),
        Err(error) => problems.push(error.into()),
    }
    problems.extend(own_end(&files.cert, &files.key, KeyUsage::server_auth(), now));
    problems
}

/// What is wrong with a certificate for one end and its key, whoever has signed it.
fn own_end(cert: &Path, key_file: &Path, end: KeyUsage, now: SystemTime) -> Vec<Problem> {
    let chain = match inspect(cert) {
        Ok(chain) => chain,
        Err(error) => return vec![error.into()],
    };
    let Some((ours, between)) = chain.split_first() else { return Vec::new() };
    let error = refused(ours, between, &[], &[end], now).filter(|error| !matches!(error, Error::UnknownIssuer));
    let what = error.map(|error| told(error, ours, &[], now));
    let wrong = what.map(|what| Problem { file: cert.to_owned(), what });
    wrong.into_iter().chain(key(key_file, ours)).collect()
}

/// Whether the authority's list can be used, and does not revoke the certificate itself.
pub fn check_revoked(files: &Files, list: &Path) -> Option<Problem> {
    let revoked = match revoked(list) {
        Ok(revoked) => revoked,
        Err(error) => return Some(error.into()),
    };
    let ours = inspect(&files.cert).ok()?;
    let what = "the authority has revoked it; have a new one issued".to_owned();
    ours.first().filter(|ours| revoked.contains(&ours.serial)).map(|_| Problem { file: files.cert.clone(), what })
}

fn authority(roots: &[Certificate], now: SystemTime) -> Option<String> {
    let first = roots.first()?;
    if !roots.iter().any(|root| root.authority) {
        let subject = &first.subject;
        return Some(format!(
            "this is the certificate of `{subject}`, which is no authority; give the one that signed it"
        ));
    }
    let until = roots.iter().map(|root| root.until).max()?;
    (until < now).then(|| format!("the authority has expired {}; make a new one", ago(now, until)))
}

fn named(ours: &Certificate, name: &str) -> Option<String> {
    // As TLS compares them (RFC 9525).
    (!ours.names.iter().any(|it| it.eq_ignore_ascii_case(name))).then(|| match ours.names.as_slice() {
        [] => format!("it is for no name (subjectAltName), and our name is `{name}`"),
        names => format!("it is for `{}`, and our name is `{name}`", names.join("`, `")),
    })
}

/// Why TLS would refuse our certificate to one of these ends.
fn refused(
    ours: &Certificate,
    between: &[Certificate],
    roots: &[Certificate],
    ends: &[KeyUsage],
    now: SystemTime,
) -> Option<Error> {
    if ours.authority {
        return Some(Error::CaUsedAsEndEntity);
    }
    let der = |certificate: &Certificate| CertificateDer::from(certificate.der.clone());
    let (root_ders, between): (Vec<_>, Vec<_>) = (roots.iter().map(der).collect(), between.iter().map(der).collect());
    let anchors: Vec<_> = root_ders.iter().filter_map(|root| anchor_from_trusted_cert(root).ok()).collect();
    let der = der(ours);
    let end = match EndEntityCert::try_from(&der) {
        Ok(end) => end,
        Err(error) => return Some(error),
    };
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let time = UnixTime::since_unix_epoch(since);
    let verify = |usage| end.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &between, time, usage, None, None).err();
    ends.iter().copied().find_map(verify)
}

fn told(error: Error, ours: &Certificate, roots: &[Certificate], now: SystemTime) -> String {
    match error {
        Error::CaUsedAsEndEntity => {
            "this is the certificate of an authority; give the one that it has signed for us".to_owned()
        }
        Error::CertExpired { .. } => format!("it has expired {}; renew it", ago(now, ours.until)),
        Error::CertNotValidYet { .. } => {
            "it does not hold yet: either it was made for later, or this machine's clock is wrong".to_owned()
        }
        Error::UnknownIssuer => {
            let known: Vec<_> = roots.iter().map(|root| format!("`{}`", root.subject)).collect();
            format!("it was signed by `{}`, and not by {} of our `ca`", ours.issuer, known.join(" or "))
        }
        Error::RequiredEkuNotFoundContext(_) => {
            "it is not for our end of the connection: extendedKeyUsage must have clientAuth of who calls, serverAuth of who is \
             called, and both of an agent among its peers"
                .to_owned()
        }
        error => format!("TLS refuses it: {error}"),
    }
}

fn key(path: &Path, ours: &Certificate) -> Option<Problem> {
    let wrong = |what: &str| Some(Problem { file: path.to_owned(), what: what.to_owned() });
    let text = match read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return Some(error.into()),
    };
    match KeyPair::from_pem(&text) {
        Err(_) => wrong("this is no private key in PEM that TLS can use"),
        Ok(pair) if pair.subject_public_key_info() != ours.public_key => {
            wrong("this key does not belong to our certificate")
        }
        Ok(_) => None,
    }
}

/// How long ago, in days or whatever is less.
fn ago(now: SystemTime, then: SystemTime) -> String {
    let seconds = now.duration_since(then).unwrap_or(Duration::ZERO).as_secs();
    match seconds {
        0..120 => format!("{seconds} s ago"),
        120..7_200 => format!("{} minutes ago", seconds / 60),
        7_200..172_800 => format!("{} hours ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;
    use crate::{Authority, store};

    const YEAR: Duration = Duration::from_secs(365 * 86_400);

    fn fabric() -> (TempDir, Files) {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::create("a fabric", YEAR).expect("made");
        authority.save(folder.path()).expect("saved");
        let identity = authority.issue("vtep1", &[[10, 0, 0, 1].into()], YEAR).expect("made");
        let files = store(folder.path(), "vtep1", &identity, false).expect("stored");
        (folder, files)
    }

    fn problems(name: &str, files: &Files, now: SystemTime) -> Vec<String> {
        let folder = files.ca.parent().map(Path::to_owned).unwrap_or_default();
        check(name, files, now).iter().map(|it| it.to_string().replace(&format!("{}/", folder.display()), "")).collect()
    }

    #[test]
    fn what_is_issued_is_believed() {
        let (_folder, files) = fabric();
        assert_eq!(problems("vtep1", &files, SystemTime::now()), [""; 0]);
        assert_eq!(problems("VTEP1", &files, SystemTime::now()), [""; 0]);
    }

    #[test]
    fn what_is_revoked_stays_revoked_and_is_told() {
        let (folder, files) = fabric();
        let authority = Authority::load(folder.path()).expect("it is there");
        let other =
            store(folder.path(), "vtep2", &authority.issue("vtep2", &[], YEAR).expect("made"), false).expect("stored");
        let list = authority.revoke(folder.path(), std::slice::from_ref(&other.cert)).expect("it is ours");
        assert_eq!(list, folder.path().join("ca.crl"));
        assert_eq!(check_revoked(&files, &list), None);
        let what = |files: &Files| check_revoked(files, &list).map(|problem| problem.what);
        let revoked = Some("the authority has revoked it; have a new one issued".to_owned());
        assert_eq!(what(&other), revoked);
        authority.revoke(folder.path(), &[files.cert.clone(), files.cert.clone()]).expect("it is ours");
        assert_eq!((what(&files), what(&other)), (revoked.clone(), revoked), "both are on the list");
        let renewed = authority.issue("vtep1", &[], YEAR).expect("made");
        store(folder.path(), "vtep1", &renewed, true).expect("stored");
        assert_eq!(what(&files), None, "a new one has another number");

        let stranger = Authority::create("another fabric", YEAR).expect("made").issue("x", &[], YEAR).expect("made");
        let strange = store(folder.path(), "x", &stranger, false).expect("stored");
        let wrong = authority.revoke(folder.path(), &[strange.cert]).expect_err("it is another's").to_string();
        assert!(wrong.contains("this authority has not signed it"), "{wrong}");
        std::fs::write(&list, "nothing").expect("writable");
        assert!(
            check_revoked(&files, &list)
                .is_some_and(|problem| problem.what.contains("no list of revoked certificates"))
        );
    }

    #[test]
    fn another_name_another_time_another_key_and_another_authority_are_told() {
        let (folder, files) = fabric();
        let now = SystemTime::now();
        assert_eq!(problems("vtep2", &files, now), ["vtep1.pem: it is for `vtep1`, and our name is `vtep2`"]);
        assert_eq!(
            problems("vtep1", &files, now + YEAR + 3 * Duration::from_secs(86_400)),
            [
                "ca.pem: the authority has expired 3 days ago; make a new one",
                "vtep1.pem: it has expired 3 days ago; renew it"
            ]
        );
        assert_eq!(
            problems("vtep1", &files, now - YEAR),
            ["vtep1.pem: it does not hold yet: either it was made for later, or this machine's clock is wrong"]
        );
        let other = Authority::create("another fabric", YEAR).expect("made");
        let identity = other.issue("vtep1", &[], YEAR).expect("made");
        let strange = store(folder.path(), "strange", &identity, false).expect("stored");
        assert_eq!(
            problems("vtep1", &strange, now),
            ["strange.pem: it was signed by `CN=another fabric`, and not by `CN=a fabric` of our `ca`"]
        );
        let mixed = Files { key: strange.key, ..files.clone() };
        assert_eq!(problems("vtep1", &mixed, now), ["strange.key: this key does not belong to our certificate"]);
        let swapped = Files { ca: files.cert.clone(), ..files.clone() };
        assert_eq!(
            problems("vtep1", &swapped, now)[0],
            "vtep1.pem: this is the certificate of `CN=vtep1`, which is no authority; give the one that signed it"
        );
        let authority = Files { cert: files.ca.clone(), key: folder.path().join("ca.key"), ..files.clone() };
        assert_eq!(
            problems("vtep1", &authority, now),
            [
                "ca.pem: it is for no name (subjectAltName), and our name is `vtep1`",
                "ca.pem: this is the certificate of an authority; give the one that it has signed for us"
            ]
        );
    }

    #[test]
    fn a_client_has_what_it_needs_whoever_has_signed_it() {
        let (folder, files) = fabric();
        let client = |ca: &Path, own: Option<(&Path, &Path)>, now| {
            let problems = check_client(ca, own, now).into_iter();
            problems.map(|it| it.to_string().replace(&format!("{}/", folder.path().display()), "")).collect::<Vec<_>>()
        };
        let now = SystemTime::now();
        let own = Some((&*files.cert, &*files.key));
        assert_eq!(client(&files.ca, own, now), [""; 0]);
        assert_eq!(client(&files.ca, None, now), [""; 0]);
        let other = Authority::create("another fabric", YEAR).expect("made").issue("vtep1", &[], YEAR).expect("made");
        let other = store(folder.path(), "other", &other, false).expect("stored");
        assert_eq!(client(&files.ca, Some((&other.cert, &other.key)), now), [""; 0], "that is the server's affair");

        assert_eq!(
            client(&files.key, Some((&files.cert, &other.key)), now),
            [
                "vtep1.key: there is no certificate in it; one begins with -----BEGIN CERTIFICATE-----",
                "other.key: this key does not belong to our certificate"
            ]
        );
        assert_eq!(client(&files.ca, own, now + 2 * YEAR), ["vtep1.pem: it has expired 365 days ago; renew it"]);
        assert_eq!(
            client(&files.ca, Some((&files.ca, &folder.path().join("ca.key"))), now),
            ["ca.pem: this is the certificate of an authority; give the one that it has signed for us"]
        );
    }

    #[test]
    fn a_server_has_what_it_needs_and_an_authority_for_its_clients() {
        let (folder, files) = fabric();
        let server = |files: &Files, now| {
            let problems = check_server(files, now).into_iter();
            problems.map(|it| it.to_string().replace(&format!("{}/", folder.path().display()), "")).collect::<Vec<_>>()
        };
        let now = SystemTime::now();
        assert_eq!(server(&files, now), [""; 0]);
        let other = Authority::create("another fabric", YEAR).expect("made").issue("vtep1", &[], YEAR).expect("made");
        let other = store(folder.path(), "other", &other, false).expect("stored");
        let mixed = Files { ca: files.ca.clone(), ..other.clone() };
        assert_eq!(server(&mixed, now), [""; 0], "who has signed it is the clients' affair");
        assert_eq!(
            server(&Files { ca: files.cert.clone(), cert: files.cert.clone(), key: other.key }, now),
            [
                "vtep1.pem: this is the certificate of `CN=vtep1`, which is no authority; give the one that signed it",
                "other.key: this key does not belong to our certificate"
            ]
        );
        assert_eq!(
            server(&files, now + 2 * YEAR),
            [
                "ca.pem: the authority has expired 365 days ago; make a new one",
                "vtep1.pem: it has expired 365 days ago; renew it"
            ]
        );
    }

    #[test]
    fn files_that_are_not_there_or_something_else_are_told() {
        let (folder, files) = fabric();
        let nowhere = Files { ca: folder.path().join("none.pem"), ..files.clone() };
        assert_eq!(
            problems("vtep1", &nowhere, SystemTime::now()),
            ["none.pem: No such file or directory (os error 2)"]
        );
        let exchanged = Files { cert: files.key.clone(), key: files.cert.clone(), ..files };
        assert_eq!(
            problems("vtep1", &exchanged, SystemTime::now()),
            ["vtep1.key: there is no certificate in it; one begins with -----BEGIN CERTIFICATE-----"]
        );
    }

    #[test]
    fn an_authority_is_kept_and_nothing_is_written_over() {
        let (folder, files) = fabric();
        let again = Authority::load(folder.path()).expect("it is there");
        let identity = again.issue("vtep1", &[], YEAR).expect("made");
        let taken = store(folder.path(), "vtep1", &identity, false).expect_err("it exists");
        assert!(matches!(taken, CertsError::Exists { .. }), "{taken}");
        store(folder.path(), "vtep1", &identity, true).expect("replaced");
        assert_eq!(problems("vtep1", &files, SystemTime::now()), [""; 0]);
        assert!(matches!(again.save(folder.path()), Err(CertsError::Exists { .. })));
        for name in ["", "ca", "../ca", "a b", "-v", &"x".repeat(65)] {
            assert!(matches!(again.issue(name, &[], YEAR), Err(CertsError::Name { .. })), "{name}");
        }
    }

    #[test]
    fn keys_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let (folder, files) = fabric();
        for key in [files.key, folder.path().join("ca.key")] {
            let mode = std::fs::metadata(&key).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", key.display());
        }
    }
}
