//! `vouch certs`: a fabric's authority and the certificates of its agents, in a folder.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand};
use time::OffsetDateTime;
use vouch_agent::config::{Checked, ClientTls, PeerSecurity, RemoteManagement};
use vouch_certs::{
    Authority, Certificate, CertsError, Files, Problem, check, check_client, check_revoked, check_server, inspect,
    store,
};

const DAY: Duration = Duration::from_secs(86_400);

#[derive(Debug, Subcommand)]
pub(crate) enum Certs {
    /// Make the fabric's authority: `ca.pem`, which every agent gets, and `ca.key`, which stays here
    Init {
        #[command(flatten)]
        folder: Folder,
        /// Who signs, as people read it
        #[arg(long, value_name = "NAME", default_value = "vouch fabric")]
        name: String,
        /// For how long
        #[arg(long, value_name = "DAYS", default_value_t = 3_650, value_parser = days())]
        days: u32,
    },
    /// Make certificates for agents, `NAME.pem` with `NAME.key`: for the names in their configurations
    Issue {
        #[command(flatten)]
        folder: Folder,
        /// The agents, as in `name` of their configurations
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// An address more that the certificate is for; may be repeated, and is for one agent
        #[arg(long, value_name = "IP")]
        address: Vec<IpAddr>,
        /// For how long
        #[arg(long, value_name = "DAYS", default_value_t = 397, value_parser = days())]
        days: u32,
    },
    /// Make new certificates, with new keys, in the place of those of the folder
    ///
    /// They are for the same names and addresses. An agent reads its files when it starts.
    Renew {
        #[command(flatten)]
        folder: Folder,
        /// The agents [default: all that have a certificate in the folder]
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// For how long
        #[arg(long, value_name = "DAYS", default_value_t = 397, value_parser = days())]
        days: u32,
    },
    /// Revoke certificates: `ca.crl`, which every agent gets, has them beside those that were revoked before
    ///
    /// Where `peering.tls.crl` and `management.remote.crl` name the file, nobody believes these certificates any more, and sessions with
    /// who has one end, as soon as the agents have read it (`vouch reload`).
    Revoke {
        #[command(flatten)]
        folder: Folder,
        /// The agents whose certificates they are, as `NAME.pem` in the folder; or the files
        #[arg(required = true, value_name = "NAME|FILE")]
        names: Vec<String>,
    },
    /// Say what certificates are for, who signed them, and how long they hold
    Show {
        /// The PEM files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Folder {
    /// The folder of the authority and of all certificates
    #[arg(long = "folder", value_name = "FOLDER", default_value = "tls")]
    path: PathBuf,
}

fn days() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=36_500)
}

/// Carries the command out.
pub(crate) fn run(command: Certs) -> ExitCode {
    match carry_out(command) {
        Ok(said) => {
            said.iter().for_each(|line| println!("{line}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(command: Certs) -> Result<Vec<String>, CertsError> {
    match command {
        Certs::Init { folder: Folder { path }, name, days } => {
            std::fs::create_dir_all(&path).map_err(|error| CertsError::File { path: path.clone(), error })?;
            let Files { ca, key, .. } = Authority::create(&name, days * DAY)?.save(&path)?;
            Ok(vec![format!("{}: for every agent; {} signs, and stays here", ca.display(), key.display())])
        }
        Certs::Issue { folder: Folder { path }, names, address, days } => {
            let authority = Authority::load(&path)?;
            let mut said = Vec::new();
            for name in names {
                let files = store(&path, &name, &authority.issue(&name, &address, days * DAY)?, false)?;
                said.push(told(&name, &files));
            }
            Ok(said)
        }
        Certs::Renew { folder: Folder { path }, names, days } => {
            let authority = Authority::load(&path)?;
            let names = if names.is_empty() { all(&path)? } else { names };
            let mut said = Vec::new();
            for name in names {
                let before = inspect(&Files::of(&path, &name).cert)?;
                let addresses = before.first().map(|it| it.addresses.clone()).unwrap_or_default();
                let files = store(&path, &name, &authority.issue(&name, &addresses, days * DAY)?, true)?;
                said.push(told(&name, &files));
            }
            Ok(said)
        }
        Certs::Revoke { folder: Folder { path }, names } => {
            let file = |name: &String| match name.ends_with(".pem") {
                true => PathBuf::from(name),
                false => Files::of(&path, name).cert,
            };
            let revoked: Vec<PathBuf> = names.iter().map(file).collect();
            let list = Authority::load(&path)?.revoke(&path, &revoked)?;
            let names: Vec<String> = revoked.iter().map(|file| file.display().to_string()).collect();
            Ok(vec![format!("{}: for every agent; it revokes {}", list.display(), names.join(", "))])
        }
        Certs::Show { files } => {
            let mut said = Vec::new();
            for file in files {
                said.push(format!("{}:", file.display()));
                said.extend(inspect(&file)?.iter().map(|it| shown(it, SystemTime::now())));
            }
            Ok(said)
        }
    }
}

fn told(name: &str, Files { ca, cert, key }: &Files) -> String {
    format!("for {name}: {}, {} and {}", ca.display(), cert.display(), key.display())
}

/// The agents that have a certificate in a folder.
fn all(folder: &Path) -> Result<Vec<String>, CertsError> {
    let wrong = |error| CertsError::File { path: folder.to_owned(), error };
    let mut names = Vec::new();
    for entry in folder.read_dir().map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
        if path.extension().is_some_and(|extension| extension == "pem")
            && path.with_extension("key").exists()
            && name != "ca"
        {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn shown(certificate: &Certificate, now: SystemTime) -> String {
    let names = certificate.names.iter().cloned().chain(certificate.addresses.iter().map(IpAddr::to_string));
    let names: Vec<String> = names.collect();
    let what = if certificate.authority { "an authority".to_owned() } else { format!("for {}", names.join(", ")) };
    let left = match certificate.until.duration_since(now) {
        Ok(left) => format!("{} days more", left.as_secs() / DAY.as_secs()),
        Err(_) => "expired".to_owned(),
    };
    format!(
        "  {}, {what}\n  signed by {}\n  holds from {} until {}: {left}",
        certificate.subject,
        certificate.issuer,
        date(certificate.from),
        date(certificate.until)
    )
}

fn date(moment: SystemTime) -> String {
    let moment = OffsetDateTime::from(moment);
    format!("{} {:02}:{:02} UTC", moment.date(), moment.hour(), moment.minute())
}

/// What peers, switches, collectors or operators would refuse of the certificates that these configurations name, each with its configuration's file.
pub(crate) fn problems(configs: &[PathBuf], checked: &[Checked]) -> Vec<String> {
    let mut problems = Vec::new();
    for (path, checked) in configs.iter().zip(checked) {
        let config = &checked.config;
        let mut tell = |section: &str, found: Vec<Problem>| {
            problems.extend(found.into_iter().map(|problem| format!("{}: {section}: {problem}", path.display())));
        };
        if let Some(PeerSecurity::Tls { ca, crl, cert, key }) = config.vtep.as_ref().map(|it| &it.peering.security) {
            let files = Files { ca: ca.clone(), cert: cert.clone(), key: key.clone() };
            let mut found = check(&config.name, &files, SystemTime::now());
            found.extend(crl.as_ref().and_then(|crl| check_revoked(&files, crl)));
            tell("peering.tls", found);
        }
        if let Some(RemoteManagement { ca, crl, cert, key, .. }) = &config.remote_management {
            let files = Files { ca: ca.clone(), cert: cert.clone(), key: key.clone() };
            let mut found = check_server(&files, SystemTime::now());
            found.extend(crl.as_ref().and_then(|crl| check_revoked(&files, crl)));
            tell("management.remote", found);
        }
        let tracing = config.tracing.as_ref().and_then(|tracing| tracing.tls.as_ref());
        for (section, tls) in [("switch.tls", config.switch.tls.as_ref()), ("tracing.tls", tracing)] {
            let Some(ClientTls { ca, cert, key, .. }) = tls else { continue };
            let own = cert.as_deref().zip(key.as_deref());
            tell(section, check_client(ca, own, SystemTime::now()));
        }
    }
    problems
}
