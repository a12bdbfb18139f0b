//! From files to configurations, and the report of `vouch check`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::document::{self, Document};
use super::problem::{ConfigErrors, Mark, Problem, Problems};
use super::reader::Reader;
use super::text::{self, MAX_BYTES};
use super::types::Config;
use super::written::Surroundings;
use super::{checks, schema, switch};

/// A configuration without errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What it says.
    pub config: Config,
    /// What should be looked at, but does not stop anything.
    pub warnings: Vec<Problem>,
    /// All of it with its defaults, as it would be written.
    pub(super) said: Value,
}

impl Config {
    /// Reads a configuration from `text`. Names of files in it are taken relative to where `file_name` stands, and
    /// are not looked at.
    pub fn parse(file_name: &str, text: &str) -> Result<Checked, ConfigErrors> {
        let mut problems = Problems::new(file_name);
        let document = read(&mut problems, file_name, text);
        finish(problems, document.map(|(document, _)| document))
    }

    /// Reads the configurations that run in one process, with all that is wrong in any of them. The files that they name
    /// must be readable, and no two may want the same name, address or switch.
    pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<Vec<Checked>, ConfigErrors> {
        let mut all = Vec::new();
        let (mut errors, mut warnings) = (Vec::new(), Vec::new());
        for path in paths {
            match load(path.as_ref()) {
                Ok(checked) => all.push((path.as_ref().display().to_string(), checked)),
                Err(problems) => {
                    errors.extend(problems.errors);
                    warnings.extend(problems.warnings);
                }
            }
        }
        together(&all, &mut errors);
        if errors.is_empty() {
            return Ok(all.into_iter().map(|(_, checked)| checked).collect());
        }
        warnings.extend(all.into_iter().flat_map(|(_, checked)| checked.warnings));
        Err(ConfigErrors { errors, warnings })
    }
}

/// What `vouch check` prints about the files, and what they say if nothing in them is wrong.
pub fn check<P: AsRef<Path>>(paths: &[P]) -> (String, Option<Vec<Checked>>) {
    let mut report = String::new();
    // Writing to a string cannot fail.
    match Config::load(paths) {
        Ok(all) => {
            for warning in all.iter().flat_map(|checked| &checked.warnings) {
                let _ = writeln!(report, "warning: {warning}");
            }
            for (path, checked) in paths.iter().zip(&all) {
                let _ = writeln!(report, "{}: ok: {}", path.as_ref().display(), summary(&checked.config));
            }
            (report, Some(all))
        }
        Err(ConfigErrors { errors, warnings }) => {
            for error in &errors {
                let _ = writeln!(report, "error: {error}");
            }
            for warning in &warnings {
                let _ = writeln!(report, "warning: {warning}");
            }
            let plural = if errors.len() == 1 { "" } else { "s" };
            let _ = writeln!(report, "{} error{plural}; nothing can be run until they are corrected", errors.len());
            (report, None)
        }
    }
}

/// One line on what a configuration is.
fn summary(config: &Config) -> String {
    let ports = config.underlay.ports.len();
    match &config.vtep {
        Some(vtep) => {
            let access: usize = vtep.vnis.iter().map(|vni| vni.access.len()).sum();
            format!(
                "VTEP {} at {}, {} VNIs on {access} access interfaces, {ports} underlay ports, {} peers",
                config.name,
                vtep.address,
                vtep.vnis.len(),
                vtep.peers.len()
            )
        }
        None => {
            format!("transit switch {}, {ports} underlay ports, {} routes", config.name, config.underlay.routes.len())
        }
    }
}

fn load(path: &Path) -> Result<Checked, ConfigErrors> {
    let name = path.display().to_string();
    let mut problems = Problems::new(&name);
    let read = text(&mut problems, path).and_then(|text| read(&mut problems, &name, &text));
    for (field, at, file) in read.iter().flat_map(|(_, files)| files) {
        if let Err(error) = File::open(file).and_then(|file| file.metadata()).and_then(regular) {
            let what = format!("cannot read {}: {error}", file.display());
            problems.error(*at, field, what, "paths are relative to the configuration file");
        }
    }
    finish(problems, read.map(|(document, _)| document))
}

fn regular(metadata: std::fs::Metadata) -> std::io::Result<()> {
    if metadata.is_file() { Ok(()) } else { Err(std::io::ErrorKind::IsADirectory.into()) }
}

/// The text of a file, if it is text and not endless.
fn text(problems: &mut Problems, path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    if let Err(error) = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)) {
        problems.error(Mark::START, "", format!("cannot read the file: {error}"), "give the path of a YAML file");
        return None;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line_start = valid.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
            let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
            let column = String::from_utf8_lossy(&valid[line_start..]).chars().count() + 1;
            let bad = error.as_bytes()[valid.len()];
            problems.error(
                Mark { line, column },
                "",
                format!("the byte 0x{bad:02x} is not UTF-8"),
                "save the file as UTF-8",
            );
            None
        }
    }
}

/// A file that a configuration names: the field, its place, and the path.
pub(super) type NamedFile = (String, Mark, PathBuf);

/// What a file says, as far as it can be read, and the files that must be readable when it is used.
pub(super) fn read(problems: &mut Problems, file_name: &str, text: &str) -> Option<(Document, Vec<NamedFile>)> {
    let base = Path::new(file_name).parent().unwrap_or(Path::new(""));
    let root = match text::parse(text) {
        Ok(root) => root,
        Err(error) => {
            problems.error(error.at, "", error.what, error.help);
            return None;
        }
    };
    let mut reader = Reader { problems, surroundings: Surroundings::of(&root), base, files: Vec::new() };
    let mut value = reader.value(&root, schema::schema().as_object()?, "");
    let files = reader.files;
    if let Some(switch) = value.get_mut("switch").and_then(Value::as_object_mut) {
        switch::defaults(switch);
    }
    document::inherit(&mut value);
    match serde_json::from_value(value) {
        Ok(document) if problems.good("") => {
            checks::check(&root, &document, problems);
            Some((document, files))
        }
        // It is no map.
        Ok(_) => None,
        // The schema lets through only what the types take.
        Err(error) => {
            problems.error(root.at, "", format!("this cannot be read: {error}"), "correct what else is told");
            None
        }
    }
}

fn finish(problems: Problems, document: Option<Document>) -> Result<Checked, ConfigErrors> {
    // What was read can be written.
    let said = serde_json::to_value(&document).unwrap_or_default();
    let (config, warnings) = problems.finish(document.map(Document::resolve))?;
    Ok(Checked { config, warnings, said })
}

/// Notes what two agents of one process cannot both have.
fn together(all: &[(String, Checked)], errors: &mut Vec<Problem>) {
    let mut taken = BTreeMap::new();
    for (file, checked) in all {
        let config = &checked.config;
        let mut wanted = vec![
            ("name", format!("the name `{}`", config.name)),
            ("switch", format!("the switch {} with device id {}", config.switch.target, config.switch.device_id)),
        ];
        if let Some(vtep) = &config.vtep {
            wanted.push(("vtep.address", format!("the VTEP address {}", vtep.address)));
            if !vtep.peers.is_empty() && vtep.peering.listen.port() != 0 {
                wanted.push(("peering.listen", format!("the address {} to listen on", vtep.peering.listen)));
            }
        }
        for (path, what) in wanted {
            if let Some(other) = taken.insert(what.clone(), file) {
                errors.push(Problem {
                    file: file.clone(),
                    at: Mark::START,
                    path: path.to_owned(),
                    what: format!("{what} is taken by {other}"),
                    help: "agents that run together differ in it".to_owned(),
                });
            }
        }
    }
}
