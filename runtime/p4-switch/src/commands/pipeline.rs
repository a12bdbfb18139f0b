//! A program with its P4Info, from files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vouch_p4runtime::P4Info;
use vouch_p4runtime::client::Pipeline;

use super::Refused;

/// The names that a P4Info may have beside its program.
const BESIDE: [&str; 2] = ["p4info.txtpb", "p4info.txt"];

/// Read a program, and its P4Info from the file that is named or that lies beside it.
pub(super) fn read_pipeline(program: &Path, p4info: Option<&Path>) -> Result<Pipeline, Refused> {
    let json = read(program)?;
    let beside = || {
        let found = BESIDE.iter().map(|extension| program.with_extension(extension)).find(|path| path.is_file());
        found.ok_or_else(|| {
            format!("{}: there is no {} beside it: name its P4Info", program.display(), BESIDE.join(" or "))
        })
    };
    let path: PathBuf = p4info.map_or_else(beside, |path| Ok(path.to_owned()))?;
    let bytes = read(&path)?;
    let info = match std::str::from_utf8(&bytes) {
        Ok(text) => P4Info::from_text(text),
        Err(_) => P4Info::from_binary(&bytes),
    };
    let info = info.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Pipeline::new(Arc::new(info), json))
}

fn read(path: &Path) -> Result<Vec<u8>, Refused> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
