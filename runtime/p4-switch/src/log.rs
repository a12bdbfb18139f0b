//! The log: where it goes and how much of it there is.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{ChronoLocal, FormatTime};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::registry::LookupSpan;
use vouch_switch::Rank;

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
        Some(path) if arguments.bmv2_compat => (file(&with_txt(path))?, arguments.log_level),
        Some(path) => (file(path)?, arguments.log_level),
        None if arguments.log_console => (BoxMakeWriter::new(io::stdout), arguments.log_level),
        None => (BoxMakeWriter::new(io::stderr), Level::Warn),
    };
    let ours = level.word();
    let others = if matches!(level, Level::Off | Level::Error) { ours } else { "warn" };
    let filter = EnvFilter::new(format!(
        "{others},vouch_switch={ours},vouch_switch_server={ours},p4_switch={ours},{PACKETS}={ours}"
    ));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(writer);
    if arguments.bmv2_compat {
        log.event_format(Bmv2 { clock: ChronoLocal::new("[%H:%M:%S%.3f]".to_owned()) }).init();
    } else {
        log.init();
    }
    Ok(())
}

/// Where BMv2's lines about packets come from.
const PACKETS: &str = "bmv2";

/// Whether any of them is wanted.
pub(crate) fn tells_of_packets() -> bool {
    tracing::enabled!(target: PACKETS, tracing::Level::INFO)
}

/// A line of BMv2's about a packet.
pub(crate) fn tell(rank: Rank, line: &str) {
    match rank {
        Rank::Trace => tracing::trace!(target: PACKETS, "{line}"),
        Rank::Debug => tracing::debug!(target: PACKETS, "{line}"),
        Rank::Info => tracing::info!(target: PACKETS, "{line}"),
        Rank::Error => tracing::error!(target: PACKETS, "{line}"),
    }
}

/// The library that BMv2 logs with adds this.
fn with_txt(path: &Path) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(".txt");
    path.into()
}

/// Lines that begin as BMv2's do: time, name, level and thread.
struct Bmv2 {
    clock: ChronoLocal,
}

impl<S, N> FormatEvent<S, N> for Bmv2
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        self.clock.format_time(&mut to)?;
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => 'E',
            tracing::Level::WARN => 'W',
            tracing::Level::INFO => 'I',
            tracing::Level::DEBUG => 'D',
            tracing::Level::TRACE => 'T',
        };
        let thread = format!("{:?}", std::thread::current().id());
        let thread: String = thread.chars().filter(char::is_ascii_digit).collect();
        write!(to, " [bmv2] [{level}] [thread {thread}] ")?;
        context.field_format().format_fields(to.by_ref(), event)?;
        writeln!(to)
    }
}

fn file(path: &Path) -> io::Result<BoxMakeWriter> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    let file = file.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    Ok(BoxMakeWriter::new(std::sync::Mutex::new(file)))
}
