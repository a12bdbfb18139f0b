//! Every input in `fuzz/seeds`, each by the function that the fuzz target of its folder calls.

use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

use libtest_mimic::{Arguments, Trial};
use vouch_hostile::agent::{management, peer, switch};
use vouch_hostile::{configuration, device_config, nanomsg, packets, program, requests, thrift};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for (target, run) in [
        ("program", program::run as fn(&[u8])),
        ("packets", packets::run as fn(&[u8])),
        ("requests", requests::run as fn(&[u8])),
        ("thrift", thrift::run as fn(&[u8])),
        ("nanomsg", nanomsg::run as fn(&[u8])),
        ("device_config", device_config::run as fn(&[u8])),
        ("configuration", configuration::run as fn(&[u8])),
        ("peer", peer::run as fn(&[u8])),
        ("management", management::run as fn(&[u8])),
        ("switch", switch::run as fn(&[u8])),
    ] {
        match seeds(target) {
            Ok(seeds) if !seeds.is_empty() => trials.extend(seeds.into_iter().map(|(name, bytes)| {
                Trial::test(format!("{target}/{name}"), move || {
                    run(&bytes);
                    Ok(())
                })
            })),
            Ok(_) => panic!("no seeds for {target}"),
            Err(error) => panic!("the seeds for {target}: {error}"),
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn seeds(target: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut seeds = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        seeds.push((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?));
    }
    seeds.sort();
    Ok(seeds)
}
