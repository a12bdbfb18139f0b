//! The log: where it goes and how much of it there is.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::arguments::{Arguments, Level};

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Off => "off",
        }
    }
}

/// Begin to log as the arguments say. Where they say nothing, problems go to stderr.
pub(crate) fn start(arguments: &Arguments) -> io::Result<()> {
    let (writer, level) = match &arguments.log_file {
        Some(path) => (file(path)?, arguments.log_level),
        None if arguments.log_console => (BoxMakeWriter::new(io::stdout), arguments.log_level),
        None => (BoxMakeWriter::new(io::stderr), Level::Warn),
    };
    let ours = level.word();
    let others = if matches!(level, Level::Off | Level::Error) { ours } else { "warn" };
    let filter = EnvFilter::new(format!("{others},vouch_switch={ours},vouch_switch_server={ours},p4_switch={ours}"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(writer).init();
    Ok(())
}

fn file(path: &Path) -> io::Result<BoxMakeWriter> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    let file = file.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    Ok(BoxMakeWriter::new(std::sync::Mutex::new(file)))
}
